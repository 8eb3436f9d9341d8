"""What holds of every policy: decisions keep to its constraints; no document slips through half-checked."""

import copy
import json
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from support.policies import active
from support.strategies import CATEGORIES, all_signals, documents
from turnout.decision import decide, find_model, first_choice
from turnout.errors import PolicyError
from turnout.explanation import explain
from turnout.policy import ActivePolicy, Policy, PolicyRef
from turnout.policy_check import parse_policy
from turnout.policy_document import read_document
from turnout.record import ClassifierRef, DecisionRecord, from_wire, to_wire
from turnout.recorded import Unread, from_record, read_lines
from turnout.rehearsal import rehearse
from turnout.signals import Signals

POLICIES = Path(__file__).parents[2] / "infra" / "policies"


def activated(document: dict[str, Any]) -> ActivePolicy:
    """Return the policy, passing over documents whose routes hide one another."""
    try:
        return active(document, name="p")
    except PolicyError:
        assume(False)
        raise


def record_of(policy: ActivePolicy, signals: Signals, seed: int) -> DecisionRecord:
    decision = decide(policy, signals, seed)
    return DecisionRecord(
        id="dec_1",
        created=time.time(),
        policy=decision.policy,
        classifier=ClassifierRef("v"),
        signals=signals,
        candidates=decision.candidates,
        chosen=decision.chosen,
        seed=seed,
        outcome="decided",
    )


def respects(policy: Policy, name: str, signals: Signals) -> bool:
    """Tell whether a model may answer, said anew from the documentation of the limits."""
    model, limits = policy.models[name], policy.limits
    output = signals.max_output_tokens or limits.expected_output_tokens
    price = model.usd_per_mtok
    usd = round((signals.input_tokens * price.input + output * price.output) / 1_000_000, 9)
    names = {name, f"{model.upstream}/{model.id}"}
    return all(
        (
            model.upstream in signals.upstreams,
            not limits.allowed_upstreams or model.upstream in limits.allowed_upstreams,
            model.upstream not in limits.denied_upstreams,
            not limits.allowed_models or names & set(limits.allowed_models),
            not names & set(limits.denied_models),
            signals.approved_models is None or names & set(signals.approved_models),
            not limits.regions or model.region in limits.regions,
            limits.min_context is None or model.context >= limits.min_context,
            set(signals.needs) <= set(model.can),
            signals.input_tokens + (signals.max_output_tokens or 0) <= model.context,
            limits.max_usd_per_request is None or usd <= limits.max_usd_per_request,
        )
    )


@settings(max_examples=500, deadline=None)
@given(documents(), all_signals(), st.integers(0, 2**53 - 1))
def test_no_decision_oversteps_a_constraint_and_none_is_refused_that_need_not_be(
    document: dict[str, Any], signals: Signals, seed: int
) -> None:
    policy = activated(document)
    decision = decide(policy, signals, seed)
    assert {c.name for c in decision.candidates} == set(policy.policy.models)
    for candidate in decision.candidates:
        allowed = respects(policy.policy, candidate.name, signals)
        named = not any(reason.startswith("not named") for reason in candidate.reasons)
        assert candidate.eligible == (allowed and named)
        assert candidate.eligible == (not candidate.reasons)
    assert (decision.chosen is None) == (not decision.eligible)
    if decision.chosen:
        assert decision.chosen.model == decision.eligible[0].model


@settings(max_examples=300, deadline=None)
@given(documents(), all_signals(), st.integers(0, 2**53 - 1))
def test_the_short_way_to_a_choice_comes_to_the_same(
    document: dict[str, Any], signals: Signals, seed: int
) -> None:
    policy = activated(document)
    decision, short = decide(policy, signals, seed), first_choice(policy.policy, signals, seed)
    if decision.chosen is None:
        assert short is None
    else:
        assert short == (decision.chosen.rule, decision.eligible[0])


@settings(max_examples=300, deadline=None)
@given(documents(), st.lists(st.tuples(all_signals(), st.integers(0, 2**53 - 1)), max_size=8))
def test_rehearsing_the_same_policy_moves_nothing_and_costs_the_same(
    document: dict[str, Any], requests: list[tuple[Signals, int]]
) -> None:
    policy = activated(document)
    # A model that the policy does not have is refused before anything is decided.
    records = [
        record_of(policy, signals, seed)
        for signals, seed in requests
        if "/" not in signals.model or find_model(policy.policy, signals.model)
    ]
    lines = [json.dumps({"message": "decision", "decision": to_wire(r)}).encode() for r in records]
    unread = Unread()
    for recorded in (map(from_record, records), read_lines(lines, unread)):
        rehearsal = rehearse(recorded, policy)
        assert rehearsal.total.decisions == len(records)
        assert rehearsal.total.moved == 0
        assert rehearsal.total.usd_before == rehearsal.total.usd_after
        assert rehearsal.refused_before == rehearsal.refused_after
    assert (unread.broken, unread.other) == (0, 0)


@settings(max_examples=300, deadline=None)
@given(documents(), all_signals(), st.integers(0, 2**53 - 1))
def test_an_explanation_agrees_with_the_record(
    document: dict[str, Any], signals: Signals, seed: int
) -> None:
    policy = activated(document)
    explanation = explain(policy, from_wire(to_wire(record_of(policy, signals, seed))))
    assert explanation.agrees
    matched = [rule.name for rule in explanation.rules if rule.matched and rule.reached]
    if explanation.chosen and explanation.chosen.rule not in ("default", "pinned"):
        assert matched == [explanation.chosen.rule]
    else:
        assert len(matched) <= (explanation.chosen is None)


@settings(max_examples=200, deadline=None)
@given(documents())
def test_a_stored_policy_reads_back_as_itself(document: dict[str, Any]) -> None:
    policy = activated(document).policy
    stored = json.loads(json.dumps(policy.model_dump(mode="json", exclude_defaults=True)))
    assert read_document(stored) == policy


def test_ten_thousand_mutated_policies_are_each_valid_or_refused_with_a_path() -> None:
    shuffle = random.Random(20261123)
    originals = [yaml.safe_load(path.read_text()) for path in sorted(POLICIES.glob("*.yaml"))]
    valid, refused = 0, []
    for _ in range(10_000):
        document = copy.deepcopy(shuffle.choice(originals))
        for _ in range(shuffle.choice([1, 1, 2, 3])):
            document = mutated(document, shuffle)
        try:
            policy = parse_policy(document, categories=(*CATEGORIES, *KNOWN_CATEGORIES))
        except PolicyError as error:
            refused.append((document, error))
        else:
            decide(ActivePolicy(PolicyRef("p", "1"), policy), ANY_SIGNALS, 1)
            valid += 1
    for document, error in refused:
        assert error.problems
        for problem in error.problems:
            assert problem.message
            assert problem.path or not isinstance(document, dict)
    assert valid > 500
    assert len(refused) > 5_000


KNOWN_CATEGORIES = (
    "reasoning", "creative_writing", "copywriting", "business_writing", "editing", "summarization",
    "translation", "extraction", "question_answering", "education", "conversation",
)  # fmt: skip
ANY_SIGNALS = Signals(
    "coding", 0.9, {"coding": 0.9, "math": 0.1}, 0.4, 100, "en", upstreams=("openai",)
)
ODD_VALUES = (
    None, "", "x", 0, -1, 3.5, True, [], {}, ["a", "a"], {"a": {}}, ">= 0.5", "> 2, < 1", ">=", "\ud800",
    10**30, float("inf"), float("nan"), "coding", "small", "08:00-18:00", "25:00-26:00",
)  # fmt: skip


def mutated(document: Any, shuffle: random.Random) -> Any:
    """Return the document with one place of it changed, dropped, renamed, doubled or emptied."""
    places = list(_places(document))
    if not places:
        return shuffle.choice(ODD_VALUES)
    parent, key = shuffle.choice(places)
    match shuffle.randrange(5):
        case 0:
            parent[key] = copy.deepcopy(shuffle.choice(ODD_VALUES))
        case 1:
            del parent[key]
        case 2 if isinstance(parent, dict):
            parent[f"{key}{shuffle.choice('xs_')}"] = parent.pop(key)
        case 3 if isinstance(parent, list):
            parent.append(copy.deepcopy(parent[key]))
        case _:
            other, other_key = shuffle.choice(places)
            parent[key] = copy.deepcopy(other[other_key])
    return document


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, child in list(pairs):
        yield value, key
        if isinstance(child, dict | list):
            yield from _places(child)
