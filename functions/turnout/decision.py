"""The decision: a pure function of a policy, a request's signals and a seed."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from turnout.cost import Usage, cost_usd
from turnout.policy import (
    ActivePolicy,
    Choice,
    Limits,
    Model,
    Policy,
    PolicyRef,
    Share,
    Threshold,
    When,
)
from turnout.signals import DEMO_UPSTREAM, Signals

DEFAULT_RULE = "default"
PINNED_RULE = "pinned"
_NOT_NAMED = "not named by rule"


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
class Condition:
    """One condition of a route: what it wants, what the request has, and whether it holds."""

    name: str
    wanted: str
    actual: str
    holds: bool

    def __str__(self) -> str:
        verb = "meets" if self.holds else "does not meet"
        return f"{self.name} {self.actual} {verb} {self.wanted}"


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
    rule, why, order = _ordered_models(policy, signals, seed)
    in_rule = [_candidate(policy, name, signals) for name in order]
    in_rule.sort(key=lambda candidate: not candidate.eligible)
    elsewhere = [
        _passed_over(policy, name, signals, rule) for name in policy.models if name not in order
    ]
    first = next((candidate for candidate in in_rule if candidate.eligible), None)
    chosen = Chosen(first.model, rule, _reason(first, order, why)) if first else None
    return Decision(active.ref, signals, (*in_rule, *elsewhere), chosen, seed)


def find_model(policy: Policy, asked: str) -> str | None:
    """Return the name of the model that `asked` pins, by its name or by `upstream/id`."""
    if asked in policy.models:
        return asked
    return next((name for name, model in policy.models.items() if model.full_id == asked), None)


def refusal(policy: PolicyRef, candidates: Sequence[Candidate]) -> str:
    """Say why none of the models that the rule names may answer."""
    named = [c for c in candidates if not any(r.startswith(_NOT_NAMED) for r in c.reasons)]
    told = "; ".join(f"{c.model}: {', '.join(c.reasons)}" for c in named)
    return f"policy {policy} leaves no model for this request ({told})"


def conditions(when: When, signals: Signals) -> Iterator[Condition]:
    """Yield each condition of a route, with what the signals say to it."""
    yield from _membership("category", when.category, signals.category)
    yield from _range("difficulty", when.difficulty, signals.difficulty)
    yield from _range("confidence", when.confidence, signals.confidence)
    yield from _range("input_tokens", when.input_tokens, signals.input_tokens)
    yield from _membership("language", when.language, signals.language)
    for need in when.needs:
        yield Condition("needs", need, ", ".join(signals.needs) or "nothing", need in signals.needs)
    yield from _membership("tenant", when.tenant, signals.tenant)
    for key, allowed in when.metadata.items():
        yield from _membership(f"metadata.{key}", allowed, signals.metadata.get(key, "absent"))


def _membership(name: str, allowed: Sequence[str] | None, actual: str) -> Iterator[Condition]:
    if allowed:
        yield Condition(name, " or ".join(allowed), actual, actual in allowed)


def _range(name: str, threshold: Threshold | None, actual: float) -> Iterator[Condition]:
    if threshold:
        shown = str(actual) if isinstance(actual, int) else f"{actual:.2f}"
        yield Condition(name, str(threshold), shown, threshold.holds(actual))


def _ordered_models(policy: Policy, signals: Signals, seed: int) -> tuple[str, str, list[str]]:
    """Return the rule that applies, why it does, and its models in the order to try them."""
    pinned = find_model(policy, signals.model)
    if pinned is not None:
        return PINNED_RULE, "the caller asked for it", [pinned]
    for route in policy.routes:
        met = list(conditions(route.when, signals))
        if all(condition.holds for condition in met):
            why = ", ".join(map(str, met)) or "the route has no conditions"
            return route.name, why, _draw(route, seed)
    return DEFAULT_RULE, "no route matched", _draw(policy.default, seed)


def _draw(choice: Choice, seed: int) -> list[str]:
    """Order `use` by a weighted draw without replacement, then `fallback`, each model once."""
    drawn = sorted(choice.use, key=lambda share: _arrival(share, seed))
    return list(dict.fromkeys([share.model for share in drawn] + list(choice.fallback)))


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
    if limits.allowed_upstreams and model.upstream not in limits.allowed_upstreams:
        yield f"upstream {model.upstream} is not in limits.allowed_upstreams"
    approved = signals.approved_models
    if approved is not None and name not in approved and model.full_id not in approved:
        yield "not among the models approved for this key"
    if missing := [need for need in signals.needs if need not in model.can]:
        yield f"cannot do {', '.join(missing)}"
    needed = signals.input_tokens + (signals.max_output_tokens or 0)
    if needed > model.context:
        yield f"context of {model.context:,} tokens is under the {needed:,} needed"
    if limits.max_usd_per_request is not None and cost > limits.max_usd_per_request:
        yield (
            f"estimated ${cost:.6f} is over limits.max_usd_per_request"
            f" of ${limits.max_usd_per_request:g}"
        )


def _estimated_cost(model: Model, limits: Limits, signals: Signals) -> float:
    output = signals.max_output_tokens or limits.expected_output_tokens
    usage = Usage(signals.input_tokens, output, estimated=True)
    return round(cost_usd(model.usd_per_mtok, usage), 9)


def _reason(first: Candidate, order: Sequence[str], why: str) -> str:
    passed = order.index(first.name)
    return why if passed == 0 else f"{why}; {', '.join(order[:passed])} not eligible"
