"""Looking back over what is on record: sessions, reports, and page by page."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from turnout.errors import NotFound, PolicyError
from turnout.feedback import Feedback
from turnout.feedback_export import Rated
from turnout.listing import Listing, Page, page_of
from turnout.policy import Policy, PolicyRef
from turnout.policy_book import PolicyBook
from turnout.record import DecisionRecord
from turnout.report import Report, summed
from turnout.session import Session, put_together
from turnout.store import KEPT_S, Decisions, Feedbacks

AROUND_S = 24 * 3600.0
"""How far before and after a decision the rest of its session is looked for, in seconds."""
MOST_READ = 10_000
MOST_LISTED_FROM = 2_000
"""How many records, of all tenants together, are read for one page of a list."""


@dataclass(frozen=True, slots=True)
class History:
    """What a tenant's decisions have been. A tenant of None is every tenant: for who owns the store."""

    decisions: Decisions
    feedbacks: Feedbacks
    book: PolicyBook

    async def page(self, listing: Listing, tenant: str | None) -> Page:
        """Return the page of a list, the newest first. Raises StoreError.

        Of a filtered list a page may be short, or empty, and yet not the last.
        """
        now = time.time()
        stretch = await self.decisions.between(
            tenant,
            now - listing.span_s,
            now + 1,
            listing.limit if listing.filters.is_open else MOST_LISTED_FROM,
            before=listing.before,
            most_read=MOST_LISTED_FROM,
        )
        return page_of(stretch.records, stretch.unread_before, listing)

    async def session(self, wanted: str, tenant: str | None) -> Session:
        """Return a session by its caller's id for it, or by any decision in it.

        Raises NotFound, StoreError.
        """
        now = time.time()
        since, until = now - KEPT_S, now + 1
        known = await self.decisions.find(wanted)
        if known and known.conversation and known.conversation.session is None:
            since, until = known.created - AROUND_S, known.created + AROUND_S
        stretch = await self.decisions.between(tenant, since, until, MOST_READ)
        records = put_together(stretch.records, wanted)
        if not records:
            raise NotFound(f"no session {wanted!r} on record")
        return Session(wanted, records, stretch.unread_before is None)

    async def report(self, span_s: float, tenant: str | None) -> Report:
        """Return the report on the tenant's last `span_s` seconds. Raises StoreError."""
        until = time.time()
        since = max(until - span_s, until - KEPT_S)
        stretch = await self.decisions.between(tenant, since, until, MOST_READ)
        complete = stretch.unread_before is None
        return await self.report_on(stretch.records, since, until, complete=complete)

    async def report_on(
        self,
        records: Sequence[DecisionRecord],
        since: float,
        until: float,
        *,
        complete: bool = True,
    ) -> Report:
        """Return the report on these records, with what the store knows of them. Raises StoreError."""
        return summed(
            records,
            since,
            until,
            policies=await self._policies({record.policy for record in records}),
            feedback=await self._feedback({record.id for record in records}, since, until),
            complete=complete,
        )

    async def _policies(self, refs: Iterable[PolicyRef]) -> dict[PolicyRef, Policy]:
        known = {}
        for ref in refs:
            try:
                known[ref] = (await self.book.find(ref)).policy
            except (NotFound, PolicyError):
                continue
        return known

    async def _feedback(self, ids: set[str], since: float, until: float) -> dict[str, Feedback]:
        since = max(since, time.time() - KEPT_S)
        said = self.feedbacks.since(since, until)
        return {one.decision_id: one async for one in said if one.decision_id in ids}

    async def rated(self, span_s: float) -> list[Rated]:
        """Return every tenant's feedback on decisions of the last `span_s` seconds. Raises StoreError."""
        until = time.time()
        since = max(until - span_s, until - KEPT_S)
        judged = []
        async for said in self.feedbacks.since(since, until):
            record = await self.decisions.find(said.decision_id)
            if record:
                judged.append(Rated(record, said))
        return judged
