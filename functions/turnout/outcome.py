"""What came of a request, put on its record: attempts, usage, cost and times."""

from __future__ import annotations

import time
from dataclasses import replace

from turnout.cost import Usage, cost_usd
from turnout.policy import ActivePolicy
from turnout.record import DecisionRecord, Outcome
from turnout.upstream import Exchange


def begun(record: DecisionRecord, exchange: Exchange, started: float) -> DecisionRecord:
    """Return the record with the attempts that led to the reply, which has begun."""
    timings = {**record.timings_ms, "upstream": exchange.attempts[-1].ms}
    return replace(record, attempts=exchange.attempts, timings_ms=timings, ttfb_ms=ms(started))


def settled(
    record: DecisionRecord, exchange: Exchange, active: ActivePolicy, started: float
) -> DecisionRecord:
    """Return the record with what the call used and cost, estimated where the upstream did not say."""
    outcome = exchange.outcome or "client_gone"
    if outcome == "rejected":
        return closed(record, outcome, started)
    usage = exchange.usage or Usage(
        record.signals.input_tokens, exchange.output_estimate, estimated=True
    )
    model = next(m for m in active.policy.models.values() if m.full_id == exchange.model)
    cost = round(cost_usd(model.usd_per_mtok, usage), 9)
    return replace(closed(record, outcome, started), usage=usage, cost_usd=cost)


def closed(record: DecisionRecord, outcome: Outcome, started: float) -> DecisionRecord:
    """Return the record with its outcome and how long all took."""
    timings = {**record.timings_ms, "total": ms(started)}
    return replace(record, outcome=outcome, timings_ms=timings)


def ms(started: float, ended: float | None = None) -> float:
    """Return the time since `started`, or until `ended`, in ms; both are of `time.perf_counter`."""
    return round(((time.perf_counter() if ended is None else ended) - started) * 1000, 3)
