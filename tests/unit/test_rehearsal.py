"""Rehearsals: what would have moved, what it would have cost, and which lines of a log are decisions."""

import json
from typing import Any

import pytest

from support.policies import active, document, model, signals
from turnout.attempt import Attempt
from turnout.cost import Usage
from turnout.decision import decide
from turnout.policy import PolicyRef
from turnout.record import ClassifierRef, DecisionRecord, to_wire
from turnout.recorded import Unread, from_record, read_lines
from turnout.rehearsal import REFUSED, Rehearsal, rehearse
from turnout.rehearsal_report import as_html, as_json, as_text

OLD = document(
    models={
        "small": model(id="s"),
        "large": model(id="l", usd_per_mtok={"input": 10, "output": 20}),
    }
)
NEW = {**OLD, "routes": [{"name": "code", "when": {"category": "coding"}, "use": ["large"]}]}


def record(
    *, policy: str = "test", usage: Usage | None = None, answered: str = "mock/s", **changes: Any
) -> DecisionRecord:
    decision = decide(active(OLD, name=policy), signals(**changes), 1)
    return DecisionRecord(
        id="dec_1",
        created=1.0,
        policy=decision.policy,
        classifier=ClassifierRef("v"),
        signals=decision.signals,
        candidates=decision.candidates,
        chosen=decision.chosen,
        seed=1,
        outcome="ok",
        attempts=(Attempt(answered, 200, None, 1.0),) if usage else (),
        usage=usage,
        cost_usd=(usage.input_tokens + 2 * usage.output_tokens) / 1e6 if usage else None,
    )


def rehearsed(*records: DecisionRecord, policy: dict[str, Any] = NEW) -> Rehearsal:
    return rehearse(map(from_record, records), active(policy, name="test"))


def test_what_moves_is_counted_by_category_and_by_where_it_goes() -> None:
    out = rehearsed(record(), record(), record(category="math"))
    assert (out.total.decisions, out.total.moved) == (3, 2)
    assert out.categories["coding"].moved == 2
    assert out.categories["math"].moved == 0
    assert out.flows == {("mock/s", "mock/l"): 2, ("mock/s", "mock/s"): 1}
    assert out.rules == {("default", "code"): 2, ("default", "default"): 1}


def test_costs_are_at_the_tokens_that_were_used_where_they_are_known() -> None:
    out = rehearsed(record(usage=Usage(1000, 500)))
    assert out.measured == 1
    assert out.total.usd_before == pytest.approx(0.002)
    assert out.total.usd_after == pytest.approx(0.02)


def test_costs_are_estimates_where_another_model_answered_than_was_chosen() -> None:
    out = rehearsed(record(usage=Usage(1000, 500), answered="mock/l"))
    assert out.measured == 0
    assert out.total.usd_before == pytest.approx((100 + 2 * 512) / 1e6)


def test_requests_that_the_new_policy_refuses_are_counted() -> None:
    strict = {**OLD, "limits": {"denied_models": ["small", "large"]}}
    out = rehearsed(record(), policy=strict)
    assert (out.refused_before, out.refused_after) == (0, 1)
    assert out.flows == {("mock/s", REFUSED): 1}


def test_a_model_asked_for_by_its_id_that_is_gone_is_a_refusal() -> None:
    out = rehearsed(record(model="mock/s"), policy=document(models={"small": model(id="other")}))
    assert out.flows == {("mock/s", REFUSED): 1}


def test_decisions_of_other_policies_are_left_out_and_counted() -> None:
    out = rehearsed(record(policy="else"), record())
    assert (out.total.decisions, out.other_policies) == (1, 1)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda wire: wire,
        lambda wire: {"level": "INFO", "message": "decision", "decision": wire},
        lambda wire: {"timestamp": 1, "message": json.dumps({"decision": wire})},
        lambda wire: {"@timestamp": "x", "@message": json.dumps({"decision": wire})},
        lambda wire: {"message": {"decision": wire}},
    ],
)
def test_a_decision_is_found_whichever_way_a_log_wraps_it(wrap: Any) -> None:
    line = json.dumps(wrap(to_wire(record(usage=Usage(10, 5, 2))))).encode()
    unread = Unread()
    found = list(read_lines([line, b"2026-11-23T00:00:00Z " + line], unread))
    assert found == [from_record(record(usage=Usage(10, 5, 2)))] * 2
    assert (unread.other, unread.broken) == (0, 0)


@pytest.mark.parametrize(
    ("line", "other", "broken"),
    [
        (b"", 1, 0),
        (b"START RequestId: 1", 1, 0),
        (b'{"message": "policies_not_renewed"}', 1, 0),
        (b'{"_aws": {}, "Requests": 1}', 1, 0),
        (b'{"decision": {"signals": {}, "candidates": []}}', 0, 1),
        (b'{"decision": {"signals": 3, "candidates": 4}}', 0, 1),
        (b'{"cut off', 0, 1),
        (b"[1, 2]", 1, 0),
        (b'{"message": {"message": {"message": {"message": {"message": {}}}}}}', 1, 0),
    ],
)
def test_other_lines_are_counted_and_stop_nothing(line: bytes, other: int, broken: int) -> None:
    unread = Unread()
    assert list(read_lines([line], unread)) == []
    assert (unread.other, unread.broken) == (other, broken)


def test_a_report_tells_the_same_in_every_form() -> None:
    out = rehearsed(record(), record(category="math"))
    ref = PolicyRef("test", "new.yaml")
    assert "2 decisions, of which 1 move (50.0%)" in as_text(out, ref)
    assert as_json(out, ref)["total"]["moved"] == 1
    page = as_html(out, ref)
    assert "2 decisions, of which 1 move (50.0%)" in page
    assert "<title>mock/s to mock/l: 1</title>" in page


def test_a_report_of_nothing_is_still_one() -> None:
    out = rehearsed()
    assert "0 decisions" in as_text(out, PolicyRef("p", "1"))
    assert "<svg" in as_html(out, PolicyRef("p", "1"))


def test_names_of_models_cannot_smuggle_markup_into_a_report() -> None:
    evil = {**OLD, "models": {**OLD["models"], "large": model(id="<script>x</script>")}}
    page = as_html(
        rehearsed(record(), policy={**evil, "default": {"use": ["large"]}}), PolicyRef("<b>", "1")
    )
    assert "<script" not in page
    assert "<b>" not in page
