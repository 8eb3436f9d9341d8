"""A model that is silent for long is overtaken by the next: whoever begins first answers, once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from integration.conftest import StartTurnout

from support.mock_upstream import MockUpstream
from support.servers import RunningTurnout
from support.waiting import until


@pytest.fixture
def hedging(start: StartTurnout) -> Any:
    """Start a Turnout that calls the next model after 50 ms of silence, if not told otherwise."""

    @asynccontextmanager
    async def hedging(
        *model_ids: str, hedge_s: float = 0.05, **options: Any
    ) -> AsyncIterator[RunningTurnout]:
        async with start(*model_ids, choice={"hedge_s": hedge_s}, **options) as running:
            yield running

    return hedging


@pytest.mark.parametrize("stream", [False, True])
async def test_a_silent_model_is_overtaken_and_its_call_is_closed(
    hedging: Any, mock: MockUpstream, stream: bool
) -> None:
    async with hedging("hang", "ok") as turnout:
        status, headers, _ = await (turnout.stream() if stream else turnout.chat())
        assert (status, headers["x-turnout-model"]) == (200, "mock/ok")
        async with asyncio.timeout(1):
            await mock.closed_by_client.wait()
        record = turnout.logged()[0]["decision"]
        assert [(a["model"], a["error"]) for a in record["attempts"]] == [
            ("mock/hang", "mock/ok answered first"),
            ("mock/ok", None),
        ]


async def test_a_model_that_answers_in_time_is_called_alone(
    hedging: Any, mock: MockUpstream
) -> None:
    async with hedging("ok", "hang", hedge_s=5) as turnout:
        await turnout.chat()
        assert [request["model"] for request in mock.requests] == ["ok"]


async def test_one_model_at_most_is_called_beside_the_first(
    hedging: Any, mock: MockUpstream
) -> None:
    async with hedging("hang", "hang", "ok", limits={"timeout_s": 1.5}) as turnout:
        status, _, _ = await turnout.chat()
        assert status == 504
        assert [request["model"] for request in mock.requests] == ["hang", "hang"]


async def test_a_hedge_that_fails_leaves_the_first_its_time(
    hedging: Any, mock: MockUpstream
) -> None:
    async with hedging("later", "status-500") as turnout:
        status, headers, _ = await turnout.chat()
        assert (status, headers["x-turnout-model"]) == (200, "mock/later")
        assert [attempt["status"] for attempt in turnout.logged()[0]["decision"]["attempts"]] == [
            500,
            200,
        ]


async def test_a_first_that_fails_while_hedged_leaves_the_hedge_to_answer(hedging: Any) -> None:
    async with hedging("late-503", "later", "status-500") as turnout:
        _, headers, _ = await turnout.chat()
        assert headers["x-turnout-model"] == "mock/later"
        assert headers["x-turnout-attempts"] == "2"


async def test_hedges_are_paid_from_the_retry_budget(hedging: Any, mock: MockUpstream) -> None:
    async with hedging("late", "hang") as turnout:
        for _ in range(20):
            await turnout.chat()
        hedges = [request for request in mock.requests if request["model"] == "hang"]
        assert 0 < len(hedges) <= 1 + 0.2 * 20


async def test_a_caller_that_leaves_ends_both_calls(hedging: Any, mock: MockUpstream) -> None:
    async with hedging("hang", "hang") as turnout:
        asking = asyncio.create_task(turnout.chat())
        await until(lambda: len(mock.requests) == 2)
        asking.cancel()
        await until(lambda: mock.closed == 2, within_s=1)
