"""Callers' keys: made once, stored as a digest, cached, revoked."""

from pathlib import Path

import pytest

from turnout.chat import Caller
from turnout.store import Keys
from turnout.store.keys import CACHED_S
from turnout.store.sqlite import SqliteTable


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def table(tmp_path: Path) -> SqliteTable:
    return SqliteTable(tmp_path / "turnout.db")


async def test_a_key_leads_to_its_tenant_and_models(table: SqliteTable) -> None:
    keys = Keys(table)
    key = await keys.create("acme", models=("small",))
    caller = await keys.find(key)
    assert caller == Caller("acme", caller.key if caller else "", ("small",))
    assert await keys.find(key + "x") is None
    assert await keys.find("") is None
    await table.close()


async def test_only_a_digest_of_a_key_is_stored(table: SqliteTable, tmp_path: Path) -> None:
    key = await Keys(table).create("acme")
    await table.close()
    stored = _bytes_in(tmp_path)
    assert b"acme" in stored
    assert key.encode() not in stored


def _bytes_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())


async def test_a_revoked_key_stops_working_elsewhere_when_the_cache_runs_out(
    table: SqliteTable,
) -> None:
    clock = Clock()
    here, elsewhere = Keys(table), Keys(table, clock=clock)
    key = await here.create("acme")
    assert await elsewhere.find(key)
    ((key_id, tenant),) = await here.list()
    assert tenant == "acme"
    assert await here.revoke(key_id)
    assert await here.find(key) is None
    clock.now = CACHED_S - 1
    assert await elsewhere.find(key), "still trusted from the cache"
    clock.now = CACHED_S + 1
    assert await elsewhere.find(key) is None
    assert not await here.revoke(key_id)
    await table.close()
