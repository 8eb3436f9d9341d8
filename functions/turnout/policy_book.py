"""The policies in use: those of the package, and over them those that the store says are active.

A request takes one snapshot and decides by it alone. Renewing happens behind the requests' backs:
one small query when the snapshot is older than `fresh_s`; versions are read only when a pointer moved.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from turnout.errors import NotFound, PolicyError, StoreError
from turnout.policy import ActivePolicy, PolicyRef
from turnout.policy_check import parse_policy
from turnout.store import Head, Policies

FRESH_S: Final = 30.0
"""How old a snapshot may grow before it is renewed, in seconds: the time an activation takes to be seen."""


@dataclass(frozen=True, slots=True)
class Rollout:
    """A policy in use, and the version that `percent` of the requests are given in its place."""

    active: ActivePolicy
    canary: ActivePolicy | None = None
    percent: float = 0.0

    def for_seed(self, seed: int) -> ActivePolicy:
        """Return the version for a request: the same for the same seed, and so for a session."""
        if self.canary is None:
            return self.active
        digest = hashlib.blake2b(f"canary:{self.canary.ref}:{seed}".encode(), digest_size=8)
        share = int.from_bytes(digest.digest(), "big") / 2**64
        return self.canary if share * 100 < self.percent else self.active


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Every policy in use at one moment. `confirmed_at`: when the store last said so, None: never."""

    rollouts: Mapping[str, Rollout]
    revisions: Mapping[str, int] = field(default_factory=dict)
    confirmed_at: float | None = None


class PolicyBook:
    """Holds the snapshot and renews it. Without a store the package's policies are all there is."""

    def __init__(
        self,
        packaged: Mapping[str, ActivePolicy],
        store: Policies | None = None,
        *,
        categories: Collection[str] | None = None,
        warn: Callable[[str, str], None] = lambda event, detail: None,
        fresh_s: float = FRESH_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._packaged = packaged
        self._store = store
        self._categories = categories
        self._warn = warn
        self._fresh_s = fresh_s
        self._clock = clock
        self._snapshot = Snapshot({name: Rollout(active) for name, active in packaged.items()})
        self._tried_at: float | None = None
        self._renewing: asyncio.Task[None] | None = None

    async def snapshot(self) -> Snapshot:
        """Return the policies in use. Only the very first request waits for the store."""
        if self._store is None:
            return self._snapshot
        if self._tried_at is None:
            await self._renew(self._store)
        elif self._clock() - self._tried_at > self._fresh_s and not self._renewing:
            self._renewing = asyncio.create_task(self._renew(self._store))
            self._renewing.add_done_callback(self._renewed)
        return self._snapshot

    def age_s(self, snapshot: Snapshot) -> float | None:
        """Return how long ago the store confirmed the snapshot; None when it never did."""
        if snapshot.confirmed_at is None:
            return None
        return round(self._clock() - snapshot.confirmed_at, 1)

    async def find(self, ref: PolicyRef) -> ActivePolicy:
        """Return the version that a decision was made by. Raises NotFound, StoreError."""
        packaged = self._packaged.get(ref.name)
        if packaged and packaged.ref == ref:
            return packaged
        if self._store is None or not ref.version.isdecimal():
            raise NotFound(f"policy {ref} is neither in the store nor in this package")
        return await self._version(ref.name, int(ref.version))

    async def _renew(self, store: Policies) -> None:
        now = self._clock()
        try:
            heads = await store.heads()
            revisions = {name: head.revision for name, head in heads.items()}
            if revisions != self._snapshot.revisions or self._snapshot.confirmed_at is None:
                rollouts = await self._rollouts(heads)
                self._snapshot = Snapshot(rollouts, revisions, now)
            else:
                self._snapshot = replace(self._snapshot, confirmed_at=now)
        except (StoreError, NotFound, PolicyError) as error:
            self._warn("policies_not_renewed", str(error))
        finally:
            self._tried_at = now

    async def _rollouts(self, heads: Mapping[str, Head]) -> dict[str, Rollout]:
        rollouts = {name: Rollout(active) for name, active in self._packaged.items()}
        for name, head in heads.items():
            if head.active is not None:
                rollouts[name] = Rollout(await self._version(name, head.active))
            if head.canary and name in rollouts:
                canary = await self._version(name, head.canary.version)
                rollouts[name] = replace(rollouts[name], canary=canary, percent=head.canary.percent)
        return rollouts

    async def _version(self, name: str, number: int) -> ActivePolicy:
        ref = PolicyRef(name, str(number))
        for rollout in self._snapshot.rollouts.values():
            for known in (rollout.active, rollout.canary):
                if known and known.ref == ref:
                    return known
        if self._store is None:
            raise NotFound(f"policy {ref} is not in this package")
        stored = await self._store.version(name, number)
        return ActivePolicy(ref, parse_policy(stored.document, categories=self._categories))

    def _renewed(self, task: asyncio.Task[None]) -> None:
        self._renewing = None
        if not task.cancelled() and (error := task.exception()):
            self._warn("policies_not_renewed", repr(error))
