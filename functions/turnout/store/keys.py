"""Callers' keys: only their SHA-256 is stored; a key is shown once, when it is made."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable

from turnout.chat import Caller
from turnout.store.table import Item, Table

PREFIX = "tn_"
CACHED_S = 30.0
"""How long a key is trusted without asking the table again, in seconds: the time a revocation takes."""
MOST_CACHED = 10_000


class Keys:
    """Makes, finds and revokes keys. Found keys are cached, so that a request reads no table."""

    def __init__(self, table: Table, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._table = table
        self._clock = clock
        self._cache: dict[str, tuple[float, Caller | None]] = {}

    async def create(
        self,
        tenant: str,
        *,
        group: str = "",
        models: tuple[str, ...] | None = None,
        admin: bool = False,
    ) -> str:
        """Return a new key of `tenant`. `models` None allows every model. Raises StoreError."""
        key = PREFIX + secrets.token_urlsafe(32)
        document = {
            "tenant": tenant,
            "group": group,
            "models": models,
            "admin": admin,
            "created": int(time.time()),
        }
        await self._table.put(Item("keys", _digest(key), document), if_revision=0)
        return key

    async def find(self, key: str) -> Caller | None:
        """Return whom the key belongs to, or None. Raises StoreError."""
        digest = _digest(key)
        cached = self._cache.get(digest)
        if cached and self._clock() < cached[0]:
            return cached[1]
        item = await self._table.get("keys", digest)
        caller = _caller(digest, item) if item else None
        if len(self._cache) >= MOST_CACHED:
            self._cache.clear()
        self._cache[digest] = (self._clock() + CACHED_S, caller)
        return caller

    @staticmethod
    def id_of(key: str) -> str:
        """Return the id that a key is listed, logged and revoked by."""
        return _key_id(_digest(key))

    async def list(self) -> list[tuple[str, str]]:
        """Return (key id, tenant) of every key. Raises StoreError."""
        items = await self._table.query("keys", limit=1000)
        return [(_key_id(item.sort), str(item.document["tenant"])) for item in items]

    async def revoke(self, key_id: str) -> bool:
        """Remove the key with this id; False when there is none. Raises StoreError."""
        for item in await self._table.query("keys", limit=1000):
            if _key_id(item.sort) == key_id:
                await self._table.delete("keys", item.sort)
                self._cache.pop(item.sort, None)
                return True
        return False


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()


def _key_id(digest: str) -> str:
    return digest[:12]


def _caller(digest: str, item: Item) -> Caller:
    models = item.document.get("models")
    return Caller(
        tenant=str(item.document["tenant"]),
        key=_key_id(digest),
        models=None if models is None else tuple(models),
        admin=item.document.get("admin") is True,
        group=str(item.document.get("group", "")),
    )
