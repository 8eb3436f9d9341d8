"""Which decisions are asked for, and a page of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from turnout.record import DecisionRecord, Outcome


@dataclass(frozen=True, slots=True)
class Filters:
    """What a decision must have to be listed; None leaves it open. `model` is an `upstream/id`."""

    category: str | None = None
    model: str | None = None
    policy: str | None = None
    key: str | None = None
    outcome: Outcome | None = None

    @property
    def is_open(self) -> bool:
        """Whether every decision fits."""
        return self == Filters()

    def fit(self, record: DecisionRecord) -> bool:
        """Tell whether the record has all that is asked for."""
        pairs = (
            (self.category, record.signals.category),
            (self.model, answering(record)),
            (self.policy, record.policy.name),
            (self.key, record.signals.key),
            (self.outcome, record.outcome),
        )
        return all(wanted in (None, actual) for wanted, actual in pairs)


@dataclass(frozen=True, slots=True)
class Listing:
    """Decisions made in the last `span_s` seconds and before the one of the id `before`; `limit` at most."""

    span_s: float
    filters: Filters
    limit: int
    before: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Decisions, the newest first. `next_before` is the id before which more may be, None at the end."""

    records: tuple[DecisionRecord, ...]
    next_before: str | None


def page_of(records: Iterable[DecisionRecord], unread_before: str | None, listing: Listing) -> Page:
    """Return the page of those among `records`, newest first, that fit; after them are those unread."""
    found: list[DecisionRecord] = []
    for record in records:
        if listing.filters.fit(record):
            found.append(record)
            if len(found) == listing.limit:
                return Page(tuple(found), record.id)
    return Page(tuple(found), unread_before)


def answering(record: DecisionRecord) -> str | None:
    """Return the model whose reply it was; where none answered, the one chosen."""
    answered = (attempt.model for attempt in record.attempts if attempt.error is None)
    return next(answered, record.chosen.model if record.chosen else None)
