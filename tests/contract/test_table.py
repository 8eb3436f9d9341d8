"""What every table does alike: SQLite in a file, and DynamoDB as moto's server plays it."""

import asyncio
import socket
import time
from pathlib import Path
from typing import Any

import boto3
import pytest

from turnout.errors import ConditionFailed, StoreError
from turnout.store import Item, Table
from turnout.store.dynamodb import DynamoTable
from turnout.store.sqlite import SqliteTable

PAST, FUTURE = 1_000_000_000, 4_000_000_000


async def test_what_is_put_is_what_is_got(table: Table) -> None:
    document = {"text": "中", "n": 1.5, "none": None, "list": [1, {"deep": True}], "": "empty key"}
    await table.put(Item("p", "s", document, expires=FUTURE))
    assert await table.get("p", "s") == Item("p", "s", document, revision=1, expires=FUTURE)


async def test_an_absent_item_is_none(table: Table) -> None:
    assert await table.get("p", "absent") is None


async def test_each_write_raises_the_revision_by_one(table: Table) -> None:
    assert await table.put(Item("p", "s", {"v": 1})) == 1
    assert await table.put(Item("p", "s", {"v": 2})) == 2
    await table.add("p", "s", "n", 1)
    item = await table.get("p", "s")
    assert item is not None
    assert item.revision == 3


async def test_a_put_on_condition_of_absence_succeeds_once(table: Table) -> None:
    assert await table.put(Item("p", "s", {"v": 1}), if_revision=0) == 1
    with pytest.raises(ConditionFailed):
        await table.put(Item("p", "s", {"v": 2}), if_revision=0)
    item = await table.get("p", "s")
    assert item is not None
    assert item.document == {"v": 1}


async def test_a_put_on_condition_of_a_revision_refuses_any_other(table: Table) -> None:
    revision = await table.put(Item("p", "s", {"v": 1}))
    assert await table.put(Item("p", "s", {"v": 2}), if_revision=revision) == revision + 1
    for stale in (revision, revision + 2):
        with pytest.raises(ConditionFailed):
            await table.put(Item("p", "s", {"v": 3}), if_revision=stale)
    with pytest.raises(ConditionFailed):
        await table.put(Item("p", "absent", {}), if_revision=1)


async def test_of_many_writers_with_one_condition_one_wins(table: Table) -> None:
    puts = (table.put(Item("p", "s", {"writer": i}), if_revision=0) for i in range(8))
    outcomes = await asyncio.gather(*puts, return_exceptions=True)
    assert sum(outcome == 1 for outcome in outcomes) == 1
    assert sum(isinstance(outcome, ConditionFailed) for outcome in outcomes) == 7


async def test_a_put_keeps_counters_and_an_add_keeps_the_document(table: Table) -> None:
    await table.put(Item("p", "s", {"v": 1}))
    await table.add("p", "s", "n", 5)
    await table.put(Item("p", "s", {"v": 2}))
    item = await table.get("p", "s")
    assert item is not None
    assert (item.document, item.counters) == ({"v": 2}, {"n": 5})


async def test_an_add_makes_the_item_and_returns_the_sum(table: Table) -> None:
    assert await table.add("p", "s", "n", 2, expires=FUTURE) == 2
    assert await table.add("p", "s", "n", 3) == 5
    assert await table.add("p", "s", "other", -1) == -1
    item = await table.get("p", "s")
    assert item is not None
    assert (item.document, item.counters, item.expires) == ({}, {"n": 5, "other": -1}, FUTURE)


async def test_an_add_over_its_bound_changes_nothing(table: Table) -> None:
    assert await table.add("p", "s", "n", 8, at_most=10) == 8
    with pytest.raises(ConditionFailed):
        await table.add("p", "s", "n", 3, at_most=10)
    assert await table.add("p", "s", "n", 2, at_most=10) == 10
    with pytest.raises(ConditionFailed):
        await table.add("p", "new", "n", 11, at_most=10)
    assert await table.get("p", "new") is None


async def test_concurrent_adds_are_all_counted(table: Table) -> None:
    sums = await asyncio.gather(*(table.add("p", "s", "n", 1) for _ in range(20)))
    assert sorted(sums) == list(range(1, 21))


async def test_concurrent_adds_never_pass_their_bound(table: Table) -> None:
    adds = (table.add("p", "s", "n", 1, at_most=5) for _ in range(12))
    outcomes = await asyncio.gather(*adds, return_exceptions=True)
    assert sorted(o for o in outcomes if isinstance(o, int)) == [1, 2, 3, 4, 5]


async def test_an_item_past_its_expiry_is_as_good_as_absent(table: Table) -> None:
    await table.put(Item("p", "s", {"v": 1}, expires=PAST))
    assert await table.get("p", "s") is None
    assert await table.query("p", limit=10) == []
    with pytest.raises(ConditionFailed):
        await table.put(Item("p", "s", {}), if_revision=1)
    await table.put(Item("p", "s", {"v": 2}), if_revision=0)
    item = await table.get("p", "s")
    assert item is not None
    assert (item.document, item.expires) == ({"v": 2}, None)


async def test_a_counter_past_its_expiry_starts_again(table: Table) -> None:
    await table.add("p", "s", "n", 5, expires=PAST)
    assert await table.add("p", "s", "n", 2, at_most=5, expires=FUTURE) == 2
    item = await table.get("p", "s")
    assert item is not None
    assert item.counters == {"n": 2}


async def test_many_adds_to_an_expired_counter_are_all_counted(table: Table) -> None:
    for round_ in range(10):
        sort = f"s{round_}"
        await table.add("p", sort, "n", 5, expires=PAST)
        await asyncio.gather(*(table.add("p", sort, "n", 1, expires=FUTURE) for _ in range(4)))
        item = await table.get("p", sort)
        assert item is not None
        assert item.counters == {"n": 4}


async def test_a_query_gives_a_partition_in_order_and_in_pages(table: Table) -> None:
    for sort in ("b", "d", "a", "c"):
        await table.put(Item("p", sort, {}))
    await table.put(Item("other", "a", {}))
    assert [item.sort for item in await table.query("p", limit=10)] == ["a", "b", "c", "d"]
    first = await table.query("p", limit=2, descending=True)
    assert [item.sort for item in first] == ["d", "c"]
    rest = await table.query("p", limit=2, descending=True, after="c")
    assert [item.sort for item in rest] == ["b", "a"]
    assert [item.sort for item in await table.query("p", limit=9, after="b")] == ["c", "d"]


async def test_a_query_fills_its_page_past_expired_items(table: Table) -> None:
    for i in range(6):
        await table.put(Item("p", str(i), {}, expires=PAST if i < 4 else None))
    assert [item.sort for item in await table.query("p", limit=2)] == ["4", "5"]


async def test_a_deleted_item_is_gone_and_deleting_it_again_is_fine(table: Table) -> None:
    await table.put(Item("p", "s", {}))
    await table.delete("p", "s")
    await table.delete("p", "s")
    assert await table.get("p", "s") is None


async def test_sqlite_keeps_what_was_written_across_a_restart(tmp_path: Path) -> None:
    before = SqliteTable(tmp_path / "t.db")
    await before.put(Item("p", "s", {"v": 1}))
    # Not closed: as after a killed process.
    after = SqliteTable(tmp_path / "t.db")
    item = await after.get("p", "s")
    await after.close()
    await before.close()
    assert item is not None
    assert item.document == {"v": 1}


async def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "t.db").write_text("not a database, but long enough to be looked at as one" * 20)
    with pytest.raises(StoreError, match="cannot open"):
        SqliteTable(tmp_path / "t.db")


async def test_dynamodb_out_of_reach_is_a_store_error() -> None:
    from botocore.config import Config

    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        client = boto3.client(
            "dynamodb",
            endpoint_url=f"http://127.0.0.1:{unused.getsockname()[1]}",
            region_name="eu-central-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}, connect_timeout=1),
        )
        table = DynamoTable("turnout", client)
        started = time.monotonic()
        with pytest.raises(StoreError, match="DynamoDB"):
            await table.get("p", "s")
        assert time.monotonic() - started < 10
        await table.close()


async def test_a_missing_dynamodb_table_is_a_store_error(dynamodb: Any) -> None:
    with pytest.raises(StoreError, match="ResourceNotFound"):
        await DynamoTable("absent", dynamodb).get("p", "s")
