"""Sessions: the requests of one conversation put back together out of decision records."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from turnout.record import DecisionRecord

_Root = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Session:
    """A session's records by time. `complete` is False when there may be more than was read."""

    id: str
    records: tuple[DecisionRecord, ...]
    complete: bool

    @property
    def cost_usd(self) -> float:
        return round(sum(record.cost_usd or 0.0 for record in self.records), 9)


def put_together(records: Iterable[DecisionRecord], wanted: str) -> tuple[DecisionRecord, ...]:
    """Return the records of a session by time; none when there is no such session.

    `wanted` is a caller's own id of session or trace, or the id of any decision in it. A record without a
    session id belongs with the latest earlier one of the same key whose conversation it carries on, else
    with those of its trace.
    """
    in_order = sorted(records, key=lambda record: (record.created, record.id))
    roots = _roots(in_order)
    root = roots.get(wanted, ("session", wanted))
    return tuple(record for record in in_order if roots[record.id] == root)


def _roots(in_order: list[DecisionRecord]) -> dict[str, _Root]:
    """Return what each record's session is known by: the caller's id for it, or its first decision."""
    roots: dict[str, _Root] = {}
    last_with: dict[tuple[str, str, str], str] = {}
    for record in in_order:
        conversation = record.conversation
        root: _Root = ("decision", record.id)
        if conversation is not None:
            owner = (record.signals.tenant, record.signals.key)
            before = last_with.get((*owner, conversation.follows or ""))
            if conversation.session:
                root = ("session", conversation.session)
            elif before is not None:
                root = roots[before]
            elif conversation.trace:
                root = ("session", conversation.trace)
            last_with[*owner, conversation.digest] = record.id
        roots[record.id] = root
    return roots


def session_wire(session: Session) -> dict[str, Any]:
    """Return the session as JSON values: its requests in order, each with what came of it."""
    return {
        "id": session.id,
        "cost_usd": session.cost_usd,
        "complete": session.complete,
        "requests": [
            {
                "id": record.id,
                "created": record.created,
                "model": record.answered_by,
                "category": record.signals.category,
                "cost_usd": record.cost_usd,
                "outcome": record.outcome,
            }
            for record in session.records
        ],
    }
