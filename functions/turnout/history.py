"""Looking back over what is on record: sessions and reports."""

from __future__ import annotations

import time
from dataclasses import dataclass

from turnout.errors import NotFound
from turnout.session import Session, put_together
from turnout.store import KEPT_S, Decisions

AROUND_S = 24 * 3600.0
"""How far before and after a decision the rest of its session is looked for, in seconds."""
MOST_READ = 10_000


@dataclass(frozen=True, slots=True)
class History:
    """What a tenant's decisions have been. A tenant of None is every tenant: for who owns the store."""

    decisions: Decisions

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
