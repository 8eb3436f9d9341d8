"""Why a decision came out as it did: decided again from its record, every rule that was tried with it."""

from __future__ import annotations

from dataclasses import dataclass

from turnout.conditions import Condition, conditions
from turnout.decision import Candidate, Chosen, decide, find_model
from turnout.policy import ActivePolicy, PolicyRef
from turnout.record import DecisionRecord


@dataclass(frozen=True, slots=True)
class RuleTried:
    """One route and its conditions. `matched`: all hold; `reached`: no route before it had matched."""

    name: str
    conditions: tuple[Condition, ...]
    matched: bool
    reached: bool


@dataclass(frozen=True, slots=True)
class Explanation:
    """The decision made again. `agrees`: it is the one on record, in its choice and every candidate."""

    id: str
    policy: PolicyRef
    rules: tuple[RuleTried, ...]
    candidates: tuple[Candidate, ...]
    chosen: Chosen | None
    seed: int
    agrees: bool


def explain(active: ActivePolicy, record: DecisionRecord) -> Explanation:
    """Decide again by the policy version, signals and seed on record, and tell every rule tried."""
    decision = decide(active, record.signals, record.seed)
    pinned = find_model(active.policy, record.signals.model) is not None
    rules: list[RuleTried] = []
    reached = not pinned
    for route in active.policy.routes:
        met = tuple(conditions(route.when, record.signals))
        matched = all(condition.holds for condition in met)
        rules.append(RuleTried(route.name, met, matched, reached))
        reached = reached and not matched
    agrees = (decision.chosen, decision.candidates) == (record.chosen, record.candidates)
    return Explanation(
        record.id,
        active.ref,
        tuple(rules),
        decision.candidates,
        decision.chosen,
        record.seed,
        agrees,
    )
