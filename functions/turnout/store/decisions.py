"""Decision records in the table: kept for a while, found by id, listed by day."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from turnout.errors import InvalidRequest
from turnout.record import DecisionRecord, from_wire, to_wire
from turnout.store.table import Item, Table

HOUR_S: Final = 3600
_PAGE: Final = 500
_KIND: Final = "decisions"
KEPT_S: Final = 30 * 24 * 3600
"""How long a decision record is kept, in seconds."""
MOST_READ: Final = 10_000
"""How many records, of all tenants together, one look back reads before it gives up."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Records, the newest first. `unread_before` is the id before which some may be left, else None."""

    records: tuple[DecisionRecord, ...]
    unread_before: str | None = None


class Decisions:
    """Writes and finds decision records."""

    def __init__(self, table: Table) -> None:
        self._table = table

    async def save(self, record: DecisionRecord) -> None:
        """Write the record. Raises StoreError."""
        expires = int(record.created) + KEPT_S
        await self._table.put(
            Item(partition(record.id), record.id, to_wire(record), expires=expires)
        )

    async def find(self, decision_id: str) -> DecisionRecord | None:
        """Return the record, or None when there is none. Raises StoreError."""
        item = await self._table.get(partition(decision_id), decision_id)
        return from_wire(item.document) if item else None

    async def since(self, start: float, end: float) -> AsyncIterator[DecisionRecord]:
        """Yield the records made from `start` until `end`, in Unix seconds, by time. Raises StoreError."""
        async for item in hours(self._table, _KIND, start, end):
            yield from_wire(item.document)

    async def between(
        self,
        tenant: str | None,
        since: float,
        until: float,
        most: int,
        *,
        before: str | None = None,
        most_read: int = MOST_READ,
    ) -> Stretch:
        """Return a tenant's newest records made from `since` until `until`, in Unix seconds.

        `tenant` None is every tenant. At most `most` records are returned and `most_read` read; what is
        left is read on with the stretch's `unread_before` as `before`. Raises StoreError, or
        InvalidRequest when `before` is no decision's id.
        """
        found: list[DecisionRecord] = []
        read = 0
        async for item in _hours_back(self._table, _KIND, since, until, before):
            if tenant is None or item.document["signals"]["tenant"] == tenant:
                found.append(from_wire(item.document))
            read += 1
            if len(found) == most or read == most_read:
                return Stretch(tuple(found), item.sort)
        return Stretch(tuple(found))


async def _hours_back(
    table: Table, kind: str, start: float, end: float, before: str | None
) -> AsyncIterator[Item]:
    """Yield the items of a kind on decisions made from `start` until `end`, the newest first."""
    # What is past its keeping is not there: a caller's span of years must not be walked hour by hour.
    start = max(start, time.time() - KEPT_S - HOUR_S)
    first, last = _earliest_id(start), _earliest_id(min(end, time.time() + HOUR_S))
    after = min(before, last) if before else last
    for hour in range(_hour_of(after), int(start // HOUR_S) - 1, -1):
        place = partition(_earliest_id(hour * HOUR_S), kind)
        while True:
            items = await table.query(place, limit=_PAGE, descending=True, after=after)
            # A file's table answers without waiting: whoever else is served must get a turn.
            await asyncio.sleep(0)
            for item in items:
                if item.sort < first:
                    return
                yield item
            if len(items) < _PAGE:
                break
            after = items[-1].sort


async def hours(table: Table, kind: str, start: float, end: float) -> AsyncIterator[Item]:
    """Yield the items of a kind on decisions made from `start` until `end`, by time."""
    first, last = _earliest_id(start), _earliest_id(end)
    for hour in range(int(start // HOUR_S), int(end // HOUR_S) + 1):
        after = first
        while True:
            place = partition(_earliest_id(hour * HOUR_S), kind)
            items = await table.query(place, limit=_PAGE, after=after)
            for item in items:
                if item.sort >= last:
                    return
                yield item
            if len(items) < _PAGE:
                break
            after = items[-1].sort


def _hour_of(decision_id: str) -> int:
    try:
        return int(decision_id.removeprefix("dec_")[:12], 16) // 1000 // HOUR_S
    except ValueError:
        raise InvalidRequest(f"{decision_id!r} is not a decision's id", param="before") from None


def _earliest_id(seconds: float) -> str:
    """Return what sorts before every id made from then on."""
    return f"dec_{int(seconds * 1000):012x}"


def partition(decision_id: str, kind: str = _KIND) -> str:
    """Return the partition of the hour in which the id was made, so that no partition grows hot for ever."""
    try:
        seconds = int(decision_id.removeprefix("dec_")[:12], 16) // 1000
    except ValueError:
        return f"{kind}#malformed"
    try:
        return time.strftime(f"{kind}#%Y-%m-%dT%H", time.gmtime(seconds))
    except (OverflowError, ValueError, OSError):
        return f"{kind}#malformed"
