"""Policies in every table: numbered, immutable, pointed at on condition, and all of it on record."""

import asyncio
from typing import Any

import pytest

from support.policies import document
from turnout.errors import Conflict, NotFound
from turnout.store import Policies, Table

WHO = {"by": "ada", "why": "because"}


async def pushed(table: Table, *documents: dict[str, Any]) -> Policies:
    policies = Policies(table)
    for each in documents or (document(),):
        await policies.push("p", each, **WHO)
    return policies


async def test_versions_are_numbered_from_one_and_kept_as_they_came(table: Table) -> None:
    second = document(default={"use": ["large"]})
    policies = await pushed(table, document(), second)
    assert [version.number for version in await policies.versions("p")] == [2, 1]
    found = await policies.version("p", 2)
    assert (found.document, found.by, found.why) == (second, "ada", "because")


async def test_pushes_at_once_get_numbers_of_their_own(table: Table) -> None:
    policies = Policies(table)
    numbers = await asyncio.gather(*(policies.push("p", document(), **WHO) for _ in range(5)))
    assert sorted(numbers) == [1, 2, 3, 4, 5]


async def test_activation_moves_the_pointer_and_tells_who_when_and_why(table: Table) -> None:
    policies = await pushed(table)
    head = await policies.activate("p", 1, expected=None, **WHO)
    assert head.active == 1
    assert await policies.head("p") == head
    assert (await policies.heads())["p"] == head
    change = head.history[0]
    assert (change.action, change.version, change.previous) == ("activate", 1, None)
    assert (change.by, change.why) == ("ada", "because")
    assert change.at > 1_700_000_000


async def test_a_version_that_never_was_cannot_be_activated(table: Table) -> None:
    policies = await pushed(table)
    with pytest.raises(NotFound, match="no version 2 of policy 'p'"):
        await policies.activate("p", 2, expected=None, **WHO)


async def test_who_expects_another_version_than_the_active_one_moves_nothing(table: Table) -> None:
    policies = await pushed(table, document(), document(), document())
    await policies.activate("p", 1, expected=None, **WHO)
    with pytest.raises(Conflict, match="version 1 of p is active, and not 2"):
        await policies.activate("p", 3, expected=2, **WHO)
    assert (await policies.head("p")).active == 1


async def test_of_two_administrators_at_once_one_is_refused(table: Table) -> None:
    policies = await pushed(table, document(), document(), document())
    await policies.activate("p", 1, expected=None, **WHO)
    outcomes = await asyncio.gather(
        *(policies.activate("p", number, expected=1, **WHO) for number in (2, 3)),
        return_exceptions=True,
    )
    refused = [outcome for outcome in outcomes if isinstance(outcome, Conflict)]
    assert len(refused) == 1
    head = await policies.head("p")
    assert head.active in (2, 3)
    assert [change.version for change in head.history] == [head.active, 1]


async def test_a_canary_stands_beside_the_active_version_until_it_is_rolled_back(
    table: Table,
) -> None:
    policies = await pushed(table, document(), document())
    await policies.activate("p", 1, expected=None, **WHO)
    head = await policies.activate("p", 2, expected=1, percent=10, **WHO)
    assert head.canary is not None
    assert (head.active, head.canary.version, head.canary.percent) == (1, 2, 10)
    head = await policies.rollback("p", expected=1, **WHO)
    assert (head.active, head.canary) == (1, None)
    assert [change.action for change in head.history] == ["rollback", "activate", "activate"]


async def test_a_canary_that_proved_itself_becomes_the_active_version(table: Table) -> None:
    policies = await pushed(table, document(), document())
    await policies.activate("p", 1, expected=None, **WHO)
    await policies.activate("p", 2, expected=1, percent=10, **WHO)
    head = await policies.activate("p", 2, expected=1, **WHO)
    assert (head.active, head.canary) == (2, None)
    assert (await policies.rollback("p", expected=2, **WHO)).active == 1


async def test_there_is_nothing_to_return_to_before_the_first_version(table: Table) -> None:
    policies = await pushed(table)
    await policies.activate("p", 1, expected=None, **WHO)
    with pytest.raises(NotFound, match="nothing was active of p before version 1"):
        await policies.rollback("p", expected=1, **WHO)


async def test_a_deleted_version_is_gone_and_its_number_is_not_given_again(table: Table) -> None:
    policies = await pushed(table, document(), document())
    await policies.delete("p", 2)
    with pytest.raises(NotFound):
        await policies.version("p", 2)
    assert await policies.push("p", document(), **WHO) == 3
    assert [version.document is None for version in await policies.versions("p")] == [
        False, True, False,
    ]  # fmt: skip


async def test_a_version_in_use_cannot_be_deleted(table: Table) -> None:
    policies = await pushed(table, document(), document())
    await policies.activate("p", 1, expected=None, **WHO)
    await policies.activate("p", 2, expected=1, percent=5, **WHO)
    for number in (1, 2):
        with pytest.raises(Conflict, match=f"version {number} of p is in use"):
            await policies.delete("p", number)
