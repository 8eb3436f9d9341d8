"""The decision record: one request's decision and what became of it, as it is shown everywhere."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

from turnout.attempt import Attempt
from turnout.conversation import Conversation
from turnout.cost import Usage
from turnout.decision import Candidate, Chosen
from turnout.policy import PolicyRef
from turnout.signals import Signals

Outcome = Literal["decided", "ok", "refused", "rejected", "failed", "broken", "client_gone"]
"""`decided`: no call was asked for. `ok`: answered in full. `refused`: no model was eligible.
`rejected`: the upstream found the request at fault. `failed`: no attempt gave content.
`broken`: the upstream broke off after content. `client_gone`: the caller left first."""


@dataclass(frozen=True, slots=True)
class ClassifierRef:
    """The version of the classifier that gave the signals, or `unavailable`."""

    version: str


@dataclass(frozen=True, slots=True)
class ShadowDecision:
    """What another policy would have decided for the same request. It is called by nobody."""

    policy: PolicyRef
    rule: str | None
    model: str | None
    estimated_cost_usd: float | None


@dataclass(frozen=True, slots=True)
class DecisionRecord:
    """Everything kept of one request. Times in ms, money in US dollars, `created` in Unix seconds.

    `prompt` is None unless the policy records prompts. `policy_age_s`: how long ago the store
    confirmed the policy, None where the package's own serves. `conversation` is None on records older
    than it.
    """

    id: str
    created: float
    policy: PolicyRef
    classifier: ClassifierRef
    signals: Signals
    candidates: tuple[Candidate, ...]
    chosen: Chosen | None
    seed: int
    outcome: Outcome
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    attempts: tuple[Attempt, ...] = ()
    usage: Usage | None = None
    cost_usd: float | None = None
    ttfb_ms: float | None = None
    stream: bool = False
    prompt: str | None = None
    policy_age_s: float | None = None
    shadow: ShadowDecision | None = None
    conversation: Conversation | None = None

    @property
    def has_failed(self) -> bool:
        """Whether the caller got no whole reply through no fault or will of its own."""
        return self.outcome in ("failed", "broken", "refused")

    @property
    def answered_by(self) -> str:
        """The model that answered, or was tried last, else the one that was chosen, else `none`."""
        if self.attempts:
            return self.attempts[-1].model
        return self.chosen.model if self.chosen else "none"


def new_decision_id() -> str:
    """Return an id that sorts by time of making: `dec_`, 12 hexadecimal digits of ms, 16 random."""
    return f"dec_{time.time_ns() // 1_000_000:012x}{secrets.token_hex(8)}"


def to_wire(record: DecisionRecord) -> dict[str, Any]:
    """Return the record as JSON values, in the shape every surface shows."""
    wire: dict[str, Any] = _adapter().dump_python(record, mode="json")
    return wire


def from_wire(wire: Mapping[str, Any]) -> DecisionRecord:
    """Return the record that `to_wire` gave. Raises pydantic.ValidationError."""
    record: DecisionRecord = _adapter().validate_python(wire)
    return record


@cache
def _adapter() -> Any:
    # Building the validator takes milliseconds: not at import, since a cold start may not need it.
    from pydantic import TypeAdapter

    return TypeAdapter(DecisionRecord)
