"""Feedback in the table: one item a decision, beside the decisions of its hour, kept as long."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import asdict

from turnout.feedback import Feedback
from turnout.store.decisions import KEPT_S, hours, partition
from turnout.store.table import Item, Table

_KIND = "feedback"


class Feedbacks:
    """Writes, finds and lists feedback. Raises StoreError."""

    def __init__(self, table: Table) -> None:
        self._table = table

    async def save(self, feedback: Feedback) -> None:
        """Keep the feedback in place of what was said of the same decision before."""
        item = Item(
            partition(feedback.decision_id, _KIND),
            feedback.decision_id,
            asdict(feedback),
            expires=int(feedback.at) + KEPT_S,
        )
        await self._table.put(item)

    async def find(self, decision_id: str) -> Feedback | None:
        """Return what was said of a decision, or None where nothing was."""
        item = await self._table.get(partition(decision_id, _KIND), decision_id)
        return Feedback(**item.document) if item else None

    async def since(self, start: float, end: float) -> AsyncIterator[Feedback]:
        """Yield the feedback on decisions made from `start` until `end`, in Unix seconds."""
        async for item in hours(self._table, _KIND, start, end):
            yield Feedback(**item.document)
