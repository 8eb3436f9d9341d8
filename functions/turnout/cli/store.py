"""The store as commands use it: the local server's file, or the table that TURNOUT_TABLE names."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from turnout.policy_desk import PolicyDesk
    from turnout.store import Table

T = TypeVar("T")


def with_table(work: Callable[[Table], Coroutine[Any, Any, T]]) -> T:
    """Return what `work` returns of the open table, which is closed after it. Raises StoreError."""
    from turnout.local import local_settings
    from turnout.wiring import open_table

    async def working() -> T:
        table = open_table(local_settings(os.environ))
        try:
            return await work(table)
        finally:
            await table.close()

    return asyncio.run(working())


def at_desk(work: Callable[[PolicyDesk], Coroutine[Any, Any, T]]) -> T:
    """Return what `work` returns at the desk where policies are worked on."""
    from turnout.local import local_settings
    from turnout.wiring import open_desk

    return with_table(lambda table: work(open_desk(local_settings(os.environ), table)))
