"""The decision: a pure function of a policy, a request's signals and a seed."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from turnout.conditions import Condition, all_met
from turnout.cost import Usage, cost_usd
from turnout.policy import (
    DEFAULT_RULE,
    EMBEDDINGS,
    PINNED_RULE,
    ActivePolicy,
    Choice,
    Limits,
    Model,
    Objective,
    Policy,
    PolicyRef,
    Share,
)
from turnout.signals import DEMO_UPSTREAM, Signals

_NOT_NAMED = "not named by rule"
_WHY_UNCONDITIONALLY = {PINNED_RULE: "the caller asked for it", DEFAULT_RULE: "no route matched"}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model of the policy, in or out, with every reason for being out."""

    name: str
    model: str
    eligible: bool
    reasons: tuple[str, ...]
    estimated_cost_usd: float


@dataclass(frozen=True, slots=True)
class Chosen:
    """The model that answers, the rule that named it, and why in words."""

    model: str
    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided. `candidates` are in the order in which they are tried, the ineligible last.

    `chosen` is None when no model may answer; `candidates` then tell why.
    """

    policy: PolicyRef
    signals: Signals
    candidates: tuple[Candidate, ...]
    chosen: Chosen | None
    seed: int

    @property
    def eligible(self) -> tuple[Candidate, ...]:
        return tuple(candidate for candidate in self.candidates if candidate.eligible)


def decide(active: ActivePolicy, signals: Signals, seed: int) -> Decision:
    """Return the decision, the same for ever for the same policy version, signals and seed."""
    policy = active.policy
    rule, met, order = _ordered_models(policy, signals, seed)
    in_rule = [_candidate(policy, name, signals) for name in order]
    in_rule.sort(key=lambda candidate: not candidate.eligible)
    elsewhere = [
        _passed_over(policy, name, signals, rule) for name in policy.models if name not in order
    ]
    first = next((candidate for candidate in in_rule if candidate.eligible), None)
    chosen = Chosen(first.model, rule, _reason(first, order, rule, met)) if first else None
    return Decision(active.ref, signals, (*in_rule, *elsewhere), chosen, seed)


def first_choice(policy: Policy, signals: Signals, seed: int) -> tuple[str, Candidate] | None:
    """Return the rule and the model that `decide` chooses, without the rest; None where it has none."""
    rule, _, order = _ordered_models(policy, signals, seed)
    candidates = (_candidate(policy, name, signals) for name in order)
    first = next((candidate for candidate in candidates if candidate.eligible), None)
    return (rule, first) if first else None


def find_model(policy: Policy, asked: str) -> str | None:
    """Return the name of the model that `asked` pins, by its name or by `upstream/id`."""
    if asked in policy.models:
        return asked
    if "/" not in asked:
        return None
    return next((name for name, model in policy.models.items() if model.full_id == asked), None)


def choice_of(policy: Policy, rule: str) -> Choice:
    """Return the choice that a rule names; the default's for a model that was asked for by name."""
    return next((route for route in policy.routes if route.name == rule), policy.default)


def refusal(policy: PolicyRef, candidates: Sequence[Candidate]) -> str:
    """Say why none of the models that the rule names may answer."""
    named = [c for c in candidates if not any(r.startswith(_NOT_NAMED) for r in c.reasons)]
    told = "; ".join(f"{c.model}: {', '.join(c.reasons)}" for c in named)
    return f"policy {policy} leaves no model for this request ({told})"


def _ordered_models(
    policy: Policy, signals: Signals, seed: int
) -> tuple[str, tuple[Condition, ...], list[str]]:
    """Return the rule that applies, what it found met, and its models in the order to try them."""
    pinned = find_model(policy, signals.model)
    if pinned is not None:
        return PINNED_RULE, (), [pinned]
    for route in policy.routes:
        met = all_met(route.when, signals)
        if met is not None:
            return route.name, met, _draw(policy, route, signals, seed)
    return DEFAULT_RULE, (), _draw(policy, policy.default, signals, seed)


def _draw(policy: Policy, choice: Choice, signals: Signals, seed: int) -> list[str]:
    """Order `use` by a weighted draw without replacement or by the objective, then `fallback`."""
    if choice.objective:
        worth = _worth(policy, choice, choice.objective, signals)
        drawn = sorted(choice.use, key=lambda share: (-worth[share.model], share.model))
    elif len(choice.use) > 1:
        drawn = sorted(choice.use, key=lambda share: _arrival(share, seed))
    else:
        drawn = list(choice.use)
    return list(dict.fromkeys([share.model for share in drawn] + list(choice.fallback)))


def _worth(
    policy: Policy, choice: Choice, objective: Objective, signals: Signals
) -> dict[str, float]:
    """Return each model's quality, weighed, less its cost as a part of the dearest's, weighed."""
    cost = {
        share.model: _estimated_cost(policy.models[share.model], policy.limits, signals)
        for share in choice.use
    }
    dearest = max(cost.values()) or 1.0
    return {
        name: objective.quality * expected_quality(policy, name, signals)
        - objective.cost * cost[name] / dearest
        for name in cost
    }


def expected_quality(policy: Policy, name: str, signals: Signals) -> float:
    """Return a model's quality on such a request, over the likely categories, in 0..1."""
    table = policy.quality.get(name, {})
    anything = table.get("*", 0.0)
    likely = signals.categories or {signals.category: 1.0}
    return sum(p * table.get(category, anything) for category, p in likely.items())


def _arrival(share: Share, seed: int) -> float:
    """Return an exponential arrival time with rate `weight`: the least of them wins its share.

    Drawn from a hash of the seed and the name, so that neither the order in the document nor the
    Python version changes a draw.
    """
    digest = hashlib.blake2b(f"{seed}:{share.model}".encode(), digest_size=8).digest()
    uniform = (int.from_bytes(digest, "big") + 1) / (2**64 + 1)
    return -math.log(uniform) / share.weight


def _candidate(policy: Policy, name: str, signals: Signals) -> Candidate:
    model = policy.models[name]
    cost = _estimated_cost(model, policy.limits, signals)
    reasons = tuple(_obstacles(name, model, policy.limits, signals, cost))
    return Candidate(name, model.full_id, not reasons, reasons, cost)


def _passed_over(policy: Policy, name: str, signals: Signals, rule: str) -> Candidate:
    model = policy.models[name]
    cost = _estimated_cost(model, policy.limits, signals)
    return Candidate(name, model.full_id, False, (f"{_NOT_NAMED} {rule}",), cost)


def _obstacles(
    name: str, model: Model, limits: Limits, signals: Signals, cost: float
) -> Iterator[str]:
    """Yield each reason why this model may not answer this request."""
    if model.upstream not in signals.upstreams and DEMO_UPSTREAM not in signals.upstreams:
        yield f"upstream {model.upstream} is not configured"
    elif model.upstream in signals.unable:
        yield f"upstream {model.upstream} cannot be asked for {signals.only_for}"
    if EMBEDDINGS in model.can and EMBEDDINGS not in signals.needs:
        yield "makes embeddings alone"
    yield from _forbidden(name, model, limits)
    approved = signals.approved_models
    if approved is not None and name not in approved and model.full_id not in approved:
        yield "not among the models approved for this key"
    if missing := [need for need in signals.needs if need not in model.can]:
        yield f"cannot do {', '.join(missing)}"
    needed = (signals.largest_input_tokens or signals.input_tokens) + (
        signals.max_output_tokens or 0
    )
    if needed > model.context:
        yield f"context of {model.context:,} tokens is under the {needed:,} needed"
    if limits.max_usd_per_request is not None and cost > limits.max_usd_per_request:
        yield (
            f"estimated ${cost:.6f} is over limits.max_usd_per_request"
            f" of ${limits.max_usd_per_request:g}"
        )


def _forbidden(name: str, model: Model, limits: Limits) -> Iterator[str]:
    """Yield each limit that shuts this model out of every request."""
    if limits.allowed_upstreams and model.upstream not in limits.allowed_upstreams:
        yield f"upstream {model.upstream} is not in limits.allowed_upstreams"
    if model.upstream in limits.denied_upstreams:
        yield f"upstream {model.upstream} is in limits.denied_upstreams"
    if limits.allowed_models and not {name, model.full_id} & set(limits.allowed_models):
        yield "not in limits.allowed_models"
    if {name, model.full_id} & set(limits.denied_models):
        yield "in limits.denied_models"
    if limits.regions and model.region not in limits.regions:
        yield f"region {model.region or 'unknown'} is not in limits.regions"
    if limits.min_context is not None and model.context < limits.min_context:
        yield f"context of {model.context:,} tokens is under limits.min_context"


def _estimated_cost(model: Model, limits: Limits, signals: Signals) -> float:
    output = signals.max_output_tokens or limits.expected_output_tokens
    if EMBEDDINGS in signals.needs:
        output = 0
    usage = Usage(signals.input_tokens, output, estimated=True)
    return round(cost_usd(model.usd_per_mtok, usage), 9)


def _reason(first: Candidate, order: Sequence[str], rule: str, met: Sequence[Condition]) -> str:
    why = ", ".join(map(str, met)) or _WHY_UNCONDITIONALLY.get(rule, "the route has no conditions")
    passed = order.index(first.name)
    return why if passed == 0 else f"{why}; {', '.join(order[:passed])} not eligible"
