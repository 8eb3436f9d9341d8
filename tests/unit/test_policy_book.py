"""The policies in use: renewed behind the requests' backs, whole or not at all, and never lost."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from support.policies import active, document
from turnout.errors import NotFound, StoreError
from turnout.policy import PolicyRef
from turnout.policy_book import PolicyBook, Rollout
from turnout.store import Policies
from turnout.store.sqlite import SqliteTable

WHO = {"by": "ada", "why": ""}
PACKAGED = {"test": active(document(), version="packaged")}
LARGE = document(default={"use": ["large"]})


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class FlakyTable(SqliteTable):
    """A table that can be made to fail, and counts its reads."""

    down = False
    reads = 0

    async def get(self, partition: str, sort: str) -> Any:
        self._read()
        return await super().get(partition, sort)

    async def query(self, partition: str, **options: Any) -> Any:
        self._read()
        return await super().query(partition, **options)

    def _read(self) -> None:
        self.reads += 1
        if self.down:
            raise StoreError("the table is down")


class Fixture:
    def __init__(self, folder: Path) -> None:
        self.table = FlakyTable(folder / "turnout.db")
        self.policies = Policies(self.table)
        self.clock = Clock()
        self.warnings: list[str] = []
        self.book = PolicyBook(
            PACKAGED,
            self.policies,
            warn=lambda event, detail: self.warnings.append(f"{event}: {detail}"),
            clock=self.clock,
        )

    async def activate(self, number: int, expected: int | None, percent: float = 100) -> None:
        await self.policies.activate("test", number, expected=expected, percent=percent, **WHO)

    async def in_use(self) -> str:
        """Return the version in use once a renewal, where one is due, has ended."""
        await self.book.snapshot()
        await asyncio.sleep(0.05)
        return (await self.book.snapshot()).rollouts["test"].active.ref.version

    def later(self, seconds: float) -> None:
        self.clock.now += seconds


@pytest.fixture
async def at(tmp_path: Path) -> AsyncIterator[Fixture]:
    fixture = Fixture(tmp_path)
    yield fixture
    await fixture.table.close()


async def test_the_packages_policy_serves_until_one_is_activated(at: Fixture) -> None:
    assert await at.in_use() == "packaged"
    await at.policies.push("test", LARGE, **WHO)
    await at.activate(1, None)
    assert await at.in_use() == "packaged"
    at.later(31)
    assert await at.in_use() == "1"


async def test_a_request_never_waits_for_a_renewal(at: Fixture) -> None:
    await at.in_use()
    at.later(31)
    before = at.table.reads
    await at.book.snapshot()
    assert at.table.reads == before


async def test_within_its_time_nothing_is_read_and_an_unmoved_pointer_costs_one_read(
    at: Fixture,
) -> None:
    await at.policies.push("test", LARGE, **WHO)
    await at.activate(1, None)
    assert await at.in_use() == "1"
    before = at.table.reads
    at.later(29)
    await at.in_use()
    assert at.table.reads == before
    at.later(2)
    await at.in_use()
    assert at.table.reads == before + 1


async def test_the_last_good_policy_serves_while_the_store_is_down_and_tells_its_age(
    at: Fixture,
) -> None:
    await at.policies.push("test", LARGE, **WHO)
    await at.activate(1, None)
    assert await at.in_use() == "1"
    at.table.down = True
    at.later(100)
    assert await at.in_use() == "1"
    assert at.book.age_s(await at.book.snapshot()) == 100
    assert at.warnings == ["policies_not_renewed: the table is down"]
    at.table.down = False
    at.later(31)
    await at.in_use()
    assert at.book.age_s(await at.book.snapshot()) == 0


async def test_a_cold_start_without_the_store_serves_the_package_and_says_so(at: Fixture) -> None:
    at.table.down = True
    assert await at.in_use() == "packaged"
    assert at.book.age_s(await at.book.snapshot()) is None
    assert at.warnings == ["policies_not_renewed: the table is down"]


async def test_a_stored_policy_that_cannot_be_used_leaves_the_last_good_one(at: Fixture) -> None:
    await at.policies.push("test", LARGE, **WHO)
    await at.activate(1, None)
    assert await at.in_use() == "1"
    await at.policies.push("test", {"version": 7}, **WHO)
    await at.activate(2, 1)
    at.later(31)
    assert await at.in_use() == "1"
    assert at.warnings[0].startswith("policies_not_renewed: version: ")


async def test_a_canary_gets_its_percent_and_a_session_stays_with_its_version() -> None:
    stable, canary = active(document(), version="1"), active(LARGE, version="2")
    rollout = Rollout(stable, canary, 10)
    seeds = range(20_000)
    share = sum(rollout.for_seed(seed) is canary for seed in seeds) / len(seeds)
    assert 0.09 < share < 0.11
    assert all(rollout.for_seed(seed) is rollout.for_seed(seed) for seed in range(100))


async def test_who_was_in_a_small_canary_is_in_the_larger_one_too() -> None:
    stable, canary = active(document(), version="1"), active(LARGE, version="2")
    small, large = Rollout(stable, canary, 10), Rollout(stable, canary, 50)
    assert all(
        large.for_seed(seed) is canary for seed in range(1000) if small.for_seed(seed) is canary
    )


async def test_a_version_that_decided_once_is_found_for_its_explanation(at: Fixture) -> None:
    await at.policies.push("test", LARGE, **WHO)
    found = await at.book.find(PolicyRef("test", "1"))
    assert found.policy.default.use[0].model == "large"
    assert (await at.book.find(PolicyRef("test", "packaged"))) is PACKAGED["test"]
    for ref in (PolicyRef("test", "2"), PolicyRef("test", "deadbeef"), PolicyRef("other", "1")):
        with pytest.raises(NotFound):
            await at.book.find(ref)
