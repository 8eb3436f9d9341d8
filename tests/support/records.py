"""Decision records for tests, made by the decision itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from support.policies import active, document, signals
from turnout.attempt import Attempt
from turnout.cost import Usage
from turnout.decision import decide
from turnout.record import ClassifierRef, DecisionRecord

OWN = {"tenant": "acme", "key": "k1"}


def id_at(created: float, tail: str = "0") -> str:
    """Return a decision's id as if made then."""
    return f"dec_{int(created * 1000):012x}{tail:0>16}"


def record(
    created: float = 1.5, *, tail: str = "0", sensed: dict[str, Any] | None = None, **changes: Any
) -> DecisionRecord:
    """Return the record of an answered call: 100 tokens in, 50 out, $0.0002. `sensed` are its signals."""
    decision = decide(active(document()), signals(**OWN | (sensed or {})), 1)
    made = DecisionRecord(
        id=id_at(created, tail),
        created=created,
        policy=decision.policy,
        classifier=ClassifierRef("v1"),
        signals=decision.signals,
        candidates=decision.candidates,
        chosen=decision.chosen,
        seed=decision.seed,
        outcome="ok",
        attempts=(Attempt("mock/small", 200, None, 3.0),),
        usage=Usage(100, 50),
        cost_usd=0.0002,
        ttfb_ms=10.0,
    )
    return replace(made, **changes)
