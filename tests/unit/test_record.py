"""The decision record survives the wire, and its ids sort by time."""

import json

from hypothesis import given
from hypothesis import strategies as st

from support.policies import active, document, signals
from turnout.attempt import Attempt
from turnout.cost import Usage
from turnout.decision import decide
from turnout.record import (
    ClassifierRef,
    DecisionRecord,
    from_wire,
    new_decision_id,
    to_wire,
)
from turnout.terminal import render_decision

WIRE_KEYS = {
    "id", "created", "policy", "classifier", "signals", "candidates", "chosen", "seed",
    "timings_ms", "attempts", "usage", "cost_usd", "ttfb_ms", "outcome", "stream", "prompt",
    "policy_age_s", "shadow", "conversation",
}  # fmt: skip


def record(seed: int = 1, **changes: object) -> DecisionRecord:
    decision = decide(active(document()), signals(metadata={"team": "x"}, **changes), seed)
    return DecisionRecord(
        id="dec_1",
        created=1.5,
        policy=decision.policy,
        classifier=ClassifierRef("v1"),
        signals=decision.signals,
        candidates=decision.candidates,
        chosen=decision.chosen,
        seed=decision.seed,
        outcome="ok",
        timings_ms={"sense": 0.5},
        attempts=(Attempt("mock/small", None, "could not connect", 3.25),),
        usage=Usage(1, 2, estimated=True),
        cost_usd=0.25,
    )


@given(st.integers(0, 2**53), st.floats(0, 1), st.text(max_size=20))
def test_a_record_survives_json(seed: int, difficulty: float, language: str) -> None:
    sent = record(seed, difficulty=difficulty, language=language)
    assert from_wire(json.loads(json.dumps(to_wire(sent)))) == sent


def test_the_wire_shape_is_the_documented_one() -> None:
    wire = to_wire(record())
    assert set(wire) == WIRE_KEYS
    assert wire["policy"] == {"name": "test", "version": "1"}
    assert wire["classifier"] == {"version": "v1"}
    assert set(wire["candidates"][0]) == {
        "name", "model", "eligible", "reasons", "estimated_cost_usd",
    }  # fmt: skip


def test_a_recorded_decision_replays_to_itself() -> None:
    stored = from_wire(to_wire(record(seed=99)))
    again = decide(active(document()), stored.signals, stored.seed)
    assert (again.candidates, again.chosen) == (stored.candidates, stored.chosen)


def test_ids_sort_by_time_and_never_repeat() -> None:
    ids = [new_decision_id() for _ in range(1000)]
    assert len(set(ids)) == 1000
    assert [id_[:16] for id_ in ids] == sorted(id_[:16] for id_ in ids)


def test_the_terminal_shows_bars_candidates_and_the_reason() -> None:
    shown = render_decision(record())
    assert "coding  ███████████████████████████     0.90" in shown
    assert "->  mock/small" in shown
    assert "not named by rule default" in shown
    assert "mock/small by rule default: no route matched" in shown


def test_the_terminal_says_when_nothing_may_answer() -> None:
    shown = render_decision(record(upstreams=(), categories={}))
    assert "no model may answer this request" in shown
    assert "the classifier could not be used" in shown
    assert "upstream mock is not configured" in shown
