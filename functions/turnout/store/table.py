"""The port to a key-value table that DynamoDB and SQLite both implement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Item:
    """One row: its two keys, a JSON document, counters, a revision and when it expires.

    `revision` is given by the table and grows by one with every write of the item. `expires` is in
    Unix seconds; an item past it is never returned, though it may still be stored.
    """

    partition: str
    sort: str
    document: Mapping[str, Any]
    counters: Mapping[str, int] = field(default_factory=dict)
    revision: int = 0
    expires: int | None = None


class Table(Protocol):
    """Single-item operations, each atomic. Every one raises StoreError when the table cannot be used."""

    async def get(self, partition: str, sort: str) -> Item | None:
        """Return the item, or None when it is absent or past its expiry."""

    async def put(self, item: Item, *, if_revision: int | None = None) -> int:
        """Write the document and expiry, keep the counters, and return the new revision.

        `if_revision` makes the write conditional: 0 means that the item must be absent (or past its
        expiry), n that its revision is n. Raises ConditionFailed when it is not so.
        """

    async def query(
        self, partition: str, *, limit: int, descending: bool = False, after: str | None = None
    ) -> list[Item]:
        """Return up to `limit` live items of a partition by sort key, beyond `after` in that order."""

    async def add(
        self,
        partition: str,
        sort: str,
        counter: str,
        amount: int,
        *,
        at_most: int | None = None,
        expires: int | None = None,
    ) -> int:
        """Add to a counter (0 when absent), making the item if need be, and return its new value.

        Raises ConditionFailed, and adds nothing, when the new value would be over `at_most`.
        """

    async def delete(self, partition: str, sort: str) -> None:
        """Remove the item; absent is fine."""

    async def close(self) -> None:
        """Release what the table holds open."""
