"""Policies in the table: numbered versions that never change, and a pointer to the one in use.

policies         NAME             the pointer: active version, canary, and who moved it when and why
policies#NAME    v00000001, ...   the versions, each a document that is written once
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import Any, Final, Literal

from pydantic import TypeAdapter

from turnout.errors import ConditionFailed, Conflict, NotFound
from turnout.store.table import Item, Table

_HEADS: Final = "policies"
_MOST_HISTORY: Final = 200
_MOST_VERSIONS: Final = 1_000
_RACES: Final = 10

Action = Literal["activate", "rollback"]


@dataclass(frozen=True, slots=True)
class Canary:
    """A version that a part of the traffic is given, `percent` of it."""

    version: int
    percent: float


@dataclass(frozen=True, slots=True)
class Change:
    """One move of the pointer: who moved it, when (Unix seconds), why, and from which version."""

    action: Action
    version: int
    percent: float
    previous: int | None
    at: float
    by: str
    why: str


@dataclass(frozen=True, slots=True)
class Head:
    """What is in use of one policy. `revision` is the pointer's own, which every move changes.

    `active` None: only a canary is in use, beside the policy that the package brought.
    """

    name: str
    active: int | None
    canary: Canary | None = None
    history: tuple[Change, ...] = ()
    revision: int = 0


@dataclass(frozen=True, slots=True)
class Version:
    """One version. `document` None: it was deleted, and its number stays taken."""

    name: str
    number: int
    document: Mapping[str, Any] | None
    created: float
    by: str
    why: str


class Policies:
    """Pushes, finds, activates, rolls back and deletes versions of policies. Raises StoreError."""

    def __init__(self, table: Table) -> None:
        self._table = table

    async def push(self, name: str, document: Mapping[str, Any], *, by: str, why: str) -> int:
        """Keep the document as the next version, and return its number."""
        fields = {"document": document, "created": time.time(), "by": by, "why": why}
        for _ in range(_RACES):
            last = await self._table.query(_versions(name), limit=1, descending=True)
            number = _number(last[0].sort) + 1 if last else 1
            try:
                await self._table.put(Item(_versions(name), _sort(number), fields), if_revision=0)
            except ConditionFailed:
                continue
            return number
        raise Conflict(f"policy {name} is pushed by too many at once")

    async def versions(self, name: str) -> list[Version]:
        """Return every version of a policy, the newest first."""
        items = await self._table.query(_versions(name), limit=_MOST_VERSIONS, descending=True)
        return [_version(name, item) for item in items]

    async def version(self, name: str, number: int) -> Version:
        """Return one version. Raises NotFound for one that never was, or was deleted."""
        item = await self._table.get(_versions(name), _sort(number))
        if item is None or item.document["document"] is None:
            raise NotFound(f"no version {number} of policy {name!r}")
        return _version(name, item)

    async def heads(self) -> dict[str, Head]:
        """Return the pointers by policy: one small query, whatever the number of versions."""
        return {item.sort: _head(item) for item in await self._table.query(_HEADS, limit=1_000)}

    async def head(self, name: str) -> Head:
        """Return a policy's pointer; one at nothing, of revision 0, when none was activated yet."""
        item = await self._table.get(_HEADS, name)
        return _head(item) if item else Head(name, None)

    async def activate(
        self,
        name: str,
        number: int,
        *,
        expected: int | None,
        by: str,
        why: str,
        percent: float = 100,
        action: Action = "activate",
    ) -> Head:
        """Point at a version, for all traffic or for `percent` of it.

        `expected` is the version that the caller takes for the active one (None: none). Raises
        Conflict when another is, or when another administrator moves the pointer meanwhile.
        """
        await self.version(name, number)
        head = await self.head(name)
        if head.active != expected:
            raise Conflict(f"version {head.active} of {name} is active, and not {expected}")
        change = Change(action, number, percent, head.active, time.time(), by, why)
        history = (change, *head.history)[:_MOST_HISTORY]
        if percent >= 100:
            moved = Head(name, number, None, history)
        else:
            moved = replace(head, canary=Canary(number, percent), history=history)
        return await self._move(moved, head.revision)

    async def rollback(self, name: str, *, expected: int | None, by: str, why: str) -> Head:
        """End a canary, or return to the version before the active one. Raises NotFound, Conflict."""
        head = await self.head(name)
        if head.active != expected:
            raise Conflict(f"version {head.active} of {name} is active, and not {expected}")
        if head.canary:
            ended = Change("rollback", head.canary.version, 0, head.active, time.time(), by, why)
            history = (ended, *head.history)[:_MOST_HISTORY]
            return await self._move(replace(head, canary=None, history=history), head.revision)
        before = _before(head)
        if before is None:
            raise NotFound(f"nothing was active of {name} before version {head.active}")
        return await self.activate(
            name, before, expected=expected, by=by, why=why, action="rollback"
        )

    async def delete(self, name: str, number: int) -> None:
        """Delete a version that is not in use; its number is never given again. Raises Conflict."""
        await self.version(name, number)
        head = await self.head(name)
        if number in (head.active, head.canary.version if head.canary else None):
            raise Conflict(f"version {number} of {name} is in use")
        item = await self._table.get(_versions(name), _sort(number))
        if item:
            emptied = {**item.document, "document": None}
            await self._table.put(
                Item(_versions(name), _sort(number), emptied), if_revision=item.revision
            )

    async def _move(self, head: Head, revision: int) -> Head:
        document = {
            "active": head.active,
            "canary": asdict(head.canary) if head.canary else None,
            "history": [asdict(change) for change in head.history],
        }
        try:
            now = await self._table.put(Item(_HEADS, head.name, document), if_revision=revision)
        except ConditionFailed:
            raise Conflict(
                f"another administrator has just moved {head.name}; look again"
            ) from None
        return replace(head, revision=now)


def _before(head: Head) -> int | None:
    """Return the version to go back to: the one that the last full activation took the place of."""
    for change in head.history:
        if change.version == head.active and change.percent >= 100:
            return change.previous
    return None


def _versions(name: str) -> str:
    return f"policies#{name}"


def _sort(number: int) -> str:
    return f"v{number:08d}"


def _number(sort: str) -> int:
    return int(sort.removeprefix("v"))


def _version(name: str, item: Item) -> Version:
    fields = item.document
    return Version(
        name, _number(item.sort), fields["document"], fields["created"], fields["by"], fields["why"]
    )


def _head(item: Item) -> Head:
    fields = {**item.document, "name": item.sort, "revision": item.revision}
    return _head_adapter().validate_python(fields)


@cache
def _head_adapter() -> TypeAdapter[Head]:
    # Not at import: until a policy is activated nothing needs it.
    return TypeAdapter(Head)
