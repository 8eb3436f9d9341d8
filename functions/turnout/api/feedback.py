"""Feedback on the wire: a body becomes a judgement."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from turnout.feedback import Feedback
from turnout.wire.reading import read


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    decision_id: str = Field(min_length=1, max_length=64)
    score: float = Field(ge=-1, le=1)
    comment: str = Field(default="", max_length=4_000)
    labels: dict[str, str] = Field(default_factory=dict, max_length=16)


def parse_feedback(body: Mapping[str, Any]) -> Feedback:
    """Return the feedback. Raises InvalidRequest naming the first field at fault."""
    wire = read(_Body, body)
    return Feedback(wire.decision_id, wire.score, time.time(), wire.comment, wire.labels)
