"""What Claude's versions differ in: how they are told to think, and what sampling they take."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

BUDGETS: Final[Mapping[str, int]] = {
    "minimal": 1024,
    "low": 2048,
    "medium": 8192,
    "high": 16384,
    "xhigh": 16384,
    "max": 16384,
}
"""Tokens to think with, by effort, for models that want a number. The other way a budget is the
highest of low, medium and high that asks for no more: low under 8192, high from 16384."""
THINKS_SINCE: Final = (3, 7)
ADAPTIVE_SINCE: Final = (4, 6)
"""From this Claude on thinking is told by effort; the later ones refuse a budget."""
NO_SAMPLING_SINCE: Final = (4, 7)
"""From this Claude on temperature and top_p are refused, and thinking is shown on demand."""
OPENING: Final = "(The conversation begins with you.)"
"""What the user says first in a conversation that the assistant begins: Claude wants it to be the user."""
_VERSION: Final = re.compile(r"claude-(?:[a-z]+-)?(\d+)(?:[-.](\d{1,2})(?!\d))?")


def version(model: str) -> tuple[int, int]:
    """Return the version of the Claude that an id names; 0.0 for other models."""
    match = _VERSION.search(model.lower())
    return (int(match[1]), int(match[2] or 0)) if match else (0, 0)


def known_effort(effort: str, version: tuple[int, int]) -> str:
    """Return the effort under the name that this version knows it by."""
    if effort in ("none", "minimal"):
        return "low"
    return "high" if effort == "xhigh" and version < NO_SAMPLING_SINCE else effort


def adaptive_thinking(version: tuple[int, int]) -> dict[str, str]:
    """Return the `thinking` of a version that is told by effort."""
    # Unasked the later ones think in silence, and the caller waits for a first sign.
    shown = {"display": "summarized"} if version >= NO_SAMPLING_SINCE else {}
    return {"type": "adaptive", **shown}
