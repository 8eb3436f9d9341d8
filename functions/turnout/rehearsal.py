"""A new policy on old traffic: which recorded decisions would move, from where to where, at what cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from turnout.cost import cost_usd
from turnout.decision import find_model, first_choice
from turnout.policy import ActivePolicy
from turnout.recorded import Recorded

REFUSED = "(refused)"
"""Stands for a model where none may answer."""


@dataclass(slots=True)
class Part:
    """The decisions of one category, or all: how many, how many move, and their cost in US dollars."""

    decisions: int = 0
    moved: int = 0
    usd_before: float = 0.0
    usd_after: float = 0.0


@dataclass(slots=True)
class Rehearsal:
    """What came out. `flows` counts decisions by (model before, model after); `rules` likewise by rule.

    Costs are at the tokens that were really used, where the chosen model answered and its usage is
    on record (`measured` counts these), else at the estimates that decisions are made by.
    """

    total: Part = field(default_factory=Part)
    categories: dict[str, Part] = field(default_factory=dict)
    flows: Counter[tuple[str, str]] = field(default_factory=Counter)
    rules: Counter[tuple[str, str]] = field(default_factory=Counter)
    measured: int = 0
    refused_before: int = 0
    refused_after: int = 0
    other_policies: int = 0


def rehearse(recorded: Iterable[Recorded], active: ActivePolicy) -> Rehearsal:
    """Decide each recorded request again by `active`, from its signals and seed.

    Decisions by policies of another name than `active`'s are only counted.
    """
    rehearsal = Rehearsal()
    for before in recorded:
        if before.policy != active.ref.name:
            rehearsal.other_policies += 1
        else:
            _add(rehearsal, before, *_again(before, active))
    return rehearsal


def _again(before: Recorded, active: ActivePolicy) -> tuple[str | None, str | None, float]:
    """Return the rule, the model and the cost in US dollars that `active` gives the request."""
    asked = before.signals.model
    # A model asked for by its id, which the new policy no longer has, is refused and not routed.
    pinned = not (asked == "auto" or asked.startswith("policy/"))
    if pinned and find_model(active.policy, asked) is None:
        return None, None, 0.0
    choice = first_choice(active.policy, before.signals, before.seed)
    if choice is None:
        return None, None, 0.0
    rule, first = choice
    if before.usage is None:
        return rule, first.model, first.estimated_cost_usd
    price = active.policy.models[first.name].usd_per_mtok
    return rule, first.model, round(cost_usd(price, before.usage), 9)


def _add(
    rehearsal: Rehearsal, before: Recorded, rule: str | None, model: str | None, usd: float
) -> None:
    category = before.signals.category
    parts = (rehearsal.total, rehearsal.categories.setdefault(category, Part()))
    for part in parts:
        part.decisions += 1
        part.moved += model != before.model
        part.usd_before += before.cost_usd
        part.usd_after += usd
    rehearsal.flows[before.model or REFUSED, model or REFUSED] += 1
    rehearsal.rules[before.rule or REFUSED, rule or REFUSED] += 1
    rehearsal.measured += before.usage is not None
    rehearsal.refused_before += before.model is None
    rehearsal.refused_after += model is None
