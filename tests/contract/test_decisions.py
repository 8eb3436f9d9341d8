"""What looking back over decisions does, on every table."""

import asyncio
import time

import pytest

from support.records import record
from turnout.errors import InvalidRequest
from turnout.store import Decisions, Table

HOUR = 3600.0


async def ids(decisions: Decisions, tenant: str | None, since: float, until: float) -> list[str]:
    stretch = await decisions.between(tenant, since, until, 100)
    assert stretch.unread_before is None
    return [found.id for found in stretch.records]


async def test_a_tenant_s_newest_come_first_within_the_span(table: Table) -> None:
    decisions, now = Decisions(table), time.time()
    made = [record(now - hours * HOUR) for hours in (5, 3, 2.5, 0)]
    for each in (*made, record(now - HOUR, sensed={"tenant": "other"})):
        await decisions.save(each)
    oldest, older, newer, newest = (each.id for each in made)
    assert await ids(decisions, "acme", 0, now + 1) == [newest, newer, older, oldest]
    assert await ids(decisions, "acme", now - 4 * HOUR, now - HOUR) == [newer, older]
    assert await ids(decisions, "acme", now - 3 * HOUR, now) == [newer, older]
    assert len(await ids(decisions, None, 0, now + 1)) == 5
    assert await ids(decisions, "nobody", 0, now + 1) == []


async def test_what_is_left_is_read_on_from_where_the_stretch_ended(table: Table) -> None:
    decisions, now = Decisions(table), time.time()
    made = [record(now - i * HOUR / 3, tail=str(i)) for i in range(7)]
    for each in made:
        await decisions.save(each)
    pages: list[str] = []
    before: str | None = None
    for _ in range(4):
        stretch = await decisions.between("acme", 0, now + 1, 2, before=before)
        pages += [found.id for found in stretch.records]
        before = stretch.unread_before
    assert pages == [each.id for each in made]
    assert before is None


async def test_reading_is_bounded_whoever_s_records_lie_in_between(table: Table) -> None:
    decisions, now = Decisions(table), time.time()
    mine = record(now - 60)
    await decisions.save(mine)
    for i in range(5):
        await decisions.save(record(now - i, sensed={"tenant": "other"}))
    stretch = await decisions.between("acme", 0, now + 1, 2, most_read=3)
    assert stretch.records == ()
    rest = await decisions.between("acme", 0, now + 1, 2, before=stretch.unread_before)
    assert rest.records == (mine,)


async def test_a_span_of_any_length_is_walked_no_further_than_records_are_kept(
    table: Table,
) -> None:
    decisions, now = Decisions(table), time.time()
    kept = record(now - 60)
    await decisions.save(kept)
    assert await ids(decisions, "acme", -1e12, 1e12) == [kept.id]


async def test_a_place_to_go_on_from_must_be_an_id(table: Table) -> None:
    with pytest.raises(InvalidRequest, match="decision's id"):
        await Decisions(table).between("acme", 0, time.time(), 2, before="dec_!")


async def test_others_get_their_turn_while_records_are_read(table: Table) -> None:
    decisions, now, turns = Decisions(table), time.time(), 0
    await decisions.save(record(now - 60))

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count_turns())
    await decisions.between("acme", now - 5 * HOUR, now, 10)
    counting.cancel()
    assert turns >= 5
