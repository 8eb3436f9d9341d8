"""One call of one model, and how it went."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call upstream. `status` is None when no response came; `ms` until its first valid chunk."""

    model: str
    status: int | None
    error: str | None
    ms: float
