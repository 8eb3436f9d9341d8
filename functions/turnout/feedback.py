"""What a caller thought of a reply."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Feedback:
    """A judgement of one decision's reply. `score` is in -1..1; `at` in Unix seconds."""

    decision_id: str
    score: float
    at: float
    comment: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
