"""The conditions of a route, each held against a request's signals."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from turnout.policy import EMBEDDINGS, WEEKDAYS, When
from turnout.signals import Signals
from turnout.threshold import Threshold


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


def conditions(when: When, signals: Signals) -> Iterator[Condition]:
    """Yield each condition of a route, with what the signals say to it.

    Embeddings are looked for in routes alone that say so, wherever they stand.
    """
    if EMBEDDINGS in signals.needs and EMBEDDINGS not in when.needs:
        yield Condition("needs", "chat", EMBEDDINGS, holds=False)
    for name in when.given:
        wanted, actual = getattr(when, name), getattr(signals, name, None)
        if isinstance(wanted, Threshold):
            yield _range(name, wanted, cast("float", actual))
        elif name in _SPECIAL:
            yield from _SPECIAL[name](wanted, signals)
        else:
            yield _membership(name, wanted, cast("str", actual))


def all_met(when: When, signals: Signals) -> tuple[Condition, ...] | None:
    """Return the conditions if all of them hold, else None, found at the first that does not."""
    met = []
    for condition in conditions(when, signals):
        if not condition.holds:
            return None
        met.append(condition)
    return tuple(met)


def _membership(name: str, allowed: Sequence[str], actual: str) -> Condition:
    return Condition(name, " or ".join(allowed), actual, actual in allowed)


def _range(name: str, threshold: Threshold, actual: float) -> Condition:
    shown = str(actual) if isinstance(actual, int) else f"{actual:.2f}"
    return Condition(name, str(threshold), shown, threshold.holds(actual))


def _probabilities(wanted: Mapping[str, Threshold], signals: Signals) -> Iterator[Condition]:
    for category, bound in wanted.items():
        yield _range(f"probability of {category}", bound, signals.categories.get(category, 0.0))


def _needs(wanted: Sequence[str], signals: Signals) -> Iterator[Condition]:
    for need in wanted:
        yield Condition("needs", need, ", ".join(signals.needs) or "nothing", need in signals.needs)


def _hours(wanted: str, signals: Signals) -> Iterator[Condition]:
    moment = time.gmtime(signals.at)
    now = f"{moment.tm_hour:02}:{moment.tm_min:02}"
    start, end = wanted.split("-")
    inside = start <= now < end if start <= end else now >= start or now < end
    yield Condition("hours", f"{wanted} UTC", now, inside)


def _weekday(wanted: Sequence[str], signals: Signals) -> Iterator[Condition]:
    yield _membership("weekday", wanted, WEEKDAYS[time.gmtime(signals.at).tm_wday])


def _metadata(wanted: Mapping[str, Sequence[str]], signals: Signals) -> Iterator[Condition]:
    for key, allowed in wanted.items():
        yield _membership(f"metadata.{key}", allowed, signals.metadata.get(key, "absent"))


_SPECIAL: Final[Mapping[str, Callable[[Any, Signals], Iterator[Condition]]]] = {
    "probability": _probabilities,
    "needs": _needs,
    "hours": _hours,
    "weekday": _weekday,
    "metadata": _metadata,
}
"""Conditions that are no comparison of one signal of the same name."""
