"""Recorded decisions out of logs: Turnout's own lines, CloudWatch's exports of them, or bare records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from pydantic_core import from_json

from turnout.cost import Usage
from turnout.record import DecisionRecord, from_wire
from turnout.signals import Signals

T = TypeVar("T")

_MOST_WRAPPINGS: Final = 4


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a rehearsal needs of one recorded decision.

    `model` is the catalogue id that was chosen, None where none was eligible. `cost_usd` is what the
    call cost where `usage` is known and the chosen model answered, else the estimate.
    """

    policy: str
    signals: Signals
    seed: int
    rule: str | None
    model: str | None
    usage: Usage | None
    cost_usd: float


@dataclass(slots=True)
class Unread:
    """How many lines held no decision, and how many one that could not be read."""

    other: int = 0
    broken: int = 0


def read_lines(lines: Iterable[bytes], unread: Unread) -> Iterator[Recorded]:
    """Yield the decisions among log lines: JSON, or JSON behind a timestamp as CloudWatch exports it."""
    return _read(lines, unread, from_record_wire)


def read_records(lines: Iterable[bytes], unread: Unread) -> Iterator[DecisionRecord]:
    """Yield the whole decision records among log lines."""
    return _read(lines, unread, from_wire)


def _read(
    lines: Iterable[bytes], unread: Unread, parse: Callable[[Mapping[str, Any]], T]
) -> Iterator[T]:
    for line in lines:
        start = line.find(b"{")
        try:
            wire = _decision(from_json(line[start:])) if start >= 0 else None
            recorded = parse(wire) if wire else None
        except (ValueError, TypeError, KeyError, AttributeError):
            unread.broken += 1
            continue
        if recorded is None:
            unread.other += 1
        else:
            yield recorded


def from_record(record: DecisionRecord) -> Recorded:
    """Return the recorded decision of a record out of the store."""
    chosen = record.chosen
    answered = record.attempts[-1].model if record.attempts else None
    usage = record.usage if chosen and chosen.model == answered else None
    estimates = (c.estimated_cost_usd for c in record.candidates if chosen and c.eligible)
    cost = record.cost_usd if usage and record.cost_usd is not None else next(estimates, 0.0)
    return Recorded(
        record.policy.name,
        record.signals,
        record.seed,
        chosen.rule if chosen else None,
        chosen.model if chosen else None,
        usage,
        cost,
    )


def from_record_wire(wire: Mapping[str, Any]) -> Recorded:
    """Return the recorded decision of a record as JSON values. Raises KeyError, TypeError, ValueError.

    Read by hand: a whole record's validation takes longer than the decision that is to be rehearsed.
    """
    chosen = wire["chosen"]
    attempts = wire.get("attempts") or ()
    usage = wire.get("usage")
    cost = wire.get("cost_usd")
    if chosen is None or not attempts or attempts[-1]["model"] != chosen["model"]:
        usage = None
    if usage is None or cost is None:
        eligible = (c["estimated_cost_usd"] for c in wire["candidates"] if c["eligible"])
        usage, cost = None, next(eligible, 0.0) if chosen else 0.0
    return Recorded(
        wire["policy"]["name"],
        _signals(wire["signals"]),
        int(wire["seed"]),
        chosen["rule"] if chosen else None,
        chosen["model"] if chosen else None,
        Usage(**usage) if usage else None,
        float(cost),
    )


def _signals(wire: Mapping[str, Any]) -> Signals:
    fields = dict(wire)
    for name in ("needs", "upstreams", "approved_models", "unable"):
        if fields.get(name) is not None:
            fields[name] = tuple(fields[name])
    return Signals(**fields)


def _decision(value: Any) -> Mapping[str, Any] | None:
    """Return the record inside a log line, whichever way it is wrapped, or None where there is none."""
    for _ in range(_MOST_WRAPPINGS):
        if not isinstance(value, dict):
            return None
        if "signals" in value and "candidates" in value:
            return value
        inner = value.get("decision") or value.get("message") or value.get("@message")
        if isinstance(inner, str):
            if not inner.startswith("{"):
                return None
            inner = from_json(inner)
        value = inner
    return None
