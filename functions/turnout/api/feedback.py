"""Feedback on the wire: a body becomes a judgement, and a judgement JSON."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from turnout.feedback import Feedback
from turnout.wire.reading import invalid, read

Thumbs = Literal["up", "down"]
_SCORES: Final[Mapping[Thumbs, float]] = {"up": 1.0, "down": -1.0}


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    decision_id: str = Field(min_length=1, max_length=64)
    score: float | None = Field(default=None, ge=-1, le=1)
    thumbs: Thumbs | None = None
    comment: str = Field(default="", max_length=4_000)
    labels: dict[str, str] = Field(default_factory=dict, max_length=16)


def parse_feedback(body: Mapping[str, Any]) -> Feedback:
    """Return the feedback. Raises InvalidRequest naming the first field at fault."""
    wire = read(_Body, body)
    return Feedback(wire.decision_id, _score(wire), time.time(), wire.comment, wire.labels)


def feedback_to_wire(feedback: Feedback | None) -> dict[str, Any]:
    """Return what was said of a decision as JSON values; `feedback` is null where nothing was."""
    if feedback is None:
        return {"feedback": None}
    said = asdict(feedback)
    del said["decision_id"]
    return {"feedback": said}


def _score(wire: _Body) -> float:
    if wire.score is not None and wire.thumbs:
        raise invalid("thumbs", "send either a score or thumbs")
    if wire.thumbs:
        return _SCORES[wire.thumbs]
    if wire.score is None:
        raise invalid("score", "send a score from -1 to 1, or thumbs, up or down")
    return wire.score
