"""The report: decision records summed up, and what they cost against always using the strongest model."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from turnout.conversation import SESSION_ID, TRACE_ID
from turnout.cost import cost_usd
from turnout.feedback import Feedback
from turnout.policy import Model, Policy, PolicyRef
from turnout.record import DecisionRecord

Z_95: Final = 1.959964
"""The normal distribution's quantile for a two-sided interval of 95 %."""
_DIGITS: Final = 9
_ASSUMPTION: Final = (
    "every answered request goes to its policy's strongest model (of the best mean quality where the"
    " policy has a quality table, else the dearest), with the same tokens at that model's price"
)


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Milliseconds, by nearest rank; None where nothing was measured."""

    p50: float | None
    p95: float | None


@dataclass(frozen=True, slots=True)
class Part:
    """Some of the requests, summed. Money in US dollars; `fallbacks` are calls after a request's first."""

    name: str
    requests: int
    input_tokens: int
    output_tokens: int
    cost_usd: float
    saved_usd: float
    fallbacks: int
    failed: int
    ttfb_ms: Percentiles


@dataclass(frozen=True, slots=True)
class Baseline:
    """What the comparison's requests would have cost. `left_out`: those whose policy is not known."""

    model: str
    usd: float
    assumption: str
    compared: int
    left_out: int


@dataclass(frozen=True, slots=True)
class Quality:
    """How many of `n` judgements were good, with the share's 95 % interval (Wilson's)."""

    category: str
    model: str
    up: int
    n: int
    share: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Report:
    """A span's requests, from `since` until `until` in Unix seconds, summed in every way.

    `complete` is False where not every record of the span was read.
    """

    since: float
    until: float
    complete: bool
    totals: Part
    by_day: tuple[Part, ...]
    by_category: tuple[Part, ...]
    by_model: tuple[Part, ...]
    by_key: tuple[Part, ...]
    by_tag: tuple[Part, ...]
    baseline: Baseline
    quality: tuple[Quality, ...]


@dataclass(frozen=True, slots=True)
class _Line:
    """A record, and what the strongest model would have cost; None where there is no comparing."""

    record: DecisionRecord
    baseline_usd: float | None

    @property
    def saved_usd(self) -> float:
        if self.baseline_usd is None or self.record.cost_usd is None:
            return 0.0
        return self.baseline_usd - self.record.cost_usd


@dataclass(slots=True)
class _Strongest:
    """The strongest model of each policy version that is known, and how often it was compared with."""

    policies: Mapping[PolicyRef, Policy]
    models: dict[PolicyRef, Model] = field(default_factory=dict)
    used: Counter[str] = field(default_factory=Counter)
    left_out: int = 0

    def line(self, record: DecisionRecord) -> _Line:
        if record.usage is None or record.cost_usd is None:
            return _Line(record, None)
        policy = self.policies.get(record.policy)
        if policy is None:
            self.left_out += 1
            return _Line(record, None)
        model = self.models.setdefault(record.policy, strongest(policy))
        self.used[model.full_id] += 1
        return _Line(record, cost_usd(model.usd_per_mtok, record.usage))


def summed(
    records: Iterable[DecisionRecord],
    since: float,
    until: float,
    *,
    policies: Mapping[PolicyRef, Policy],
    feedback: Mapping[str, Feedback],
    complete: bool = True,
) -> Report:
    """Return the report on the records made from `since` until `until`.

    `policies` are the versions that are known; `feedback` is by decision id. Decisions alone, with which
    nothing was to be called, are left out.
    """
    compared = _Strongest(policies)
    lines = [
        compared.line(record)
        for record in records
        if since <= record.created < until and record.outcome != "decided"
    ]
    return Report(
        since=since,
        until=until,
        complete=complete,
        totals=_part("all", lines),
        by_day=tuple(sorted(_by(lines, _day), key=lambda part: part.name)),
        by_category=_by(lines, lambda record: [record.signals.category]),
        by_model=_by(lines, lambda record: [record.answered_by]),
        by_key=_by(lines, lambda record: [record.signals.key]),
        by_tag=_by(lines, _tags),
        baseline=_baseline(lines, compared),
        quality=tuple(rated((line.record for line in lines), feedback)),
    )


def strongest(policy: Policy) -> Model:
    """Return the model of the best mean quality, or the dearest where the policy has no such table."""

    def strength(name: str) -> tuple[float, float, str]:
        known = policy.quality.get(name, {}).values()
        price = policy.models[name].usd_per_mtok
        return sum(known) / len(known) if known else 0.0, price.input + price.output, name

    return policy.models[max(policy.models, key=strength)]


def rated(records: Iterable[DecisionRecord], feedback: Mapping[str, Feedback]) -> Iterator[Quality]:
    """Yield each category's and model's quality. A score over 0 is good, under 0 bad, 0 no judgement."""
    judged: dict[tuple[str, str], list[bool]] = {}
    for record in records:
        said = feedback.get(record.id)
        if said and said.score:
            place = (record.signals.category, record.answered_by)
            judged.setdefault(place, []).append(said.score > 0)
    for (category, model), verdicts in sorted(judged.items()):
        up, n = sum(verdicts), len(verdicts)
        low, high = wilson(up, n)
        yield Quality(category, model, up, n, round(up / n, 4), round(low, 4), round(high, 4))


def wilson(up: int, n: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share of `up` in `n`, n over 0."""
    share, z2 = up / n, Z_95**2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = Z_95 / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def _by(
    lines: Iterable[_Line], names: Callable[[DecisionRecord], Iterable[str]]
) -> tuple[Part, ...]:
    """Return a part for each name, the dearest first. A record counts to each of its names."""
    parts: dict[str, list[_Line]] = {}
    for line in lines:
        for name in names(line.record):
            parts.setdefault(name, []).append(line)
    made = (_part(name, members) for name, members in parts.items())
    return tuple(sorted(made, key=lambda part: (-part.cost_usd, -part.requests, part.name)))


def _part(name: str, lines: Iterable[_Line]) -> Part:
    lines = list(lines)
    used = [line.record.usage for line in lines if line.record.usage]
    times = sorted(line.record.ttfb_ms for line in lines if line.record.ttfb_ms is not None)
    return Part(
        name=name,
        requests=len(lines),
        input_tokens=sum(usage.input_tokens for usage in used),
        output_tokens=sum(usage.output_tokens for usage in used),
        cost_usd=_money(line.record.cost_usd or 0.0 for line in lines),
        saved_usd=_money(line.saved_usd for line in lines),
        fallbacks=sum(max(0, len(line.record.attempts) - 1) for line in lines),
        failed=sum(line.record.has_failed for line in lines),
        ttfb_ms=Percentiles(_ranked(times, 0.5), _ranked(times, 0.95)),
    )


def _baseline(lines: Iterable[_Line], compared: _Strongest) -> Baseline:
    usd = _money(line.baseline_usd for line in lines if line.baseline_usd is not None)
    models = ", ".join(name for name, _ in compared.used.most_common())
    return Baseline(models, usd, _ASSUMPTION, compared.used.total(), compared.left_out)


def _day(record: DecisionRecord) -> list[str]:
    return [time.strftime("%Y-%m-%d", time.gmtime(record.created))]


def _tags(record: DecisionRecord) -> list[str]:
    tags = record.signals.metadata.items()
    named = ((name, value) for name, value in tags if name not in (SESSION_ID, TRACE_ID))
    return [f"{name}={value}" if value else name for name, value in named]


def _ranked(times: list[float], rank: float) -> float | None:
    return times[math.ceil(rank * len(times)) - 1] if times else None


def _money(amounts: Iterable[float]) -> float:
    return round(math.fsum(amounts), _DIGITS)
