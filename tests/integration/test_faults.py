"""The wire's faults, over real sockets: before the first content they fall back unseen, after it they
end in an error event, and nothing is ever sent twice."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from yarl import URL

from support.fault_proxy import KINDS, Fault, FaultProxy, Kind, running_fault_proxy
from support.mock_upstream import WORDS, MockUpstream
from support.policies import active, document, model
from support.servers import RunningTurnout, running_turnout
from support.waiting import until
from turnout.upstream import Connections, health
from turnout.upstream.transport import HttpReply

AT_ONCE = 10
FEW, MANY = 20, 250
FIRST_CHUNK_S = 0.3
TIMEOUT_S = 0.8
HANGS_S = 50
"""More than any of this takes, and less than the limits that hold where none is set."""
STALLED_S = 3.0
"""A deadline that five streams reach their first content within, on a busy machine too."""
SLOW: tuple[Kind, ...] = ("latency", "stall", "trickle")
IN_TIME: tuple[Kind, ...] = ("reset", "cut", "half-close", "stall", "trickle", "garbage")


@dataclass
class Faulty:
    """A Turnout whose first model is behind the proxy, and whose second is not."""

    turnout: RunningTurnout
    proxy: FaultProxy


@pytest.fixture
def faulty(mock: MockUpstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    # A breaker would spare the model behind the proxy most of its faults.
    monkeypatch.setattr(health, "CONSECUTIVE", 1_000_000)
    monkeypatch.setattr(health, "FAILURE_SHARE", 2.0)

    @asynccontextmanager
    async def faulty(**limits: float) -> AsyncIterator[Faulty]:
        models = {"bad": model("proxy"), "good": model("mock")}
        default = {"use": ["bad"], "fallback": ["good"]}
        policy = active(document(models=models, default=default, limits=limits))
        async with running_fault_proxy(URL(mock.url).port or 0) as proxy:
            urls = {"proxy": proxy.url, "mock": mock.url}
            async with running_turnout({"test": policy}, urls, tmp_path) as turnout:
                yield Faulty(turnout, proxy)

    return faulty


async def check_all(count: int, check: Any) -> None:
    """Make `check(i)` for every i below count, ten at a time."""
    for start in range(0, count, AT_ONCE):
        await asyncio.gather(*(check(i) for i in range(start, min(count, start + AT_ONCE))))


# A whole reply has no first chunk: it is waited for up to the deadline of all attempts.
FELL_BACK = [
    (kind, stream) for kind in KINDS for stream in (True, False) if stream or kind not in SLOW
]
COUNTS = [pytest.param(FEW, id="few"), pytest.param(MANY, id="many", marks=pytest.mark.slow)]


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize(("kind", "stream"), FELL_BACK)
async def test_every_fault_before_the_first_content_falls_back_unseen(
    faulty: Any, kind: Kind, stream: bool, count: int
) -> None:
    draw = random.Random(count)

    def anywhere_before_content(reply: bytes) -> int:
        end = reply.index(b'"Hello') if stream else len(reply) - 8
        return draw.randrange(end)

    # Who breaks off is not waited for: only silence takes a limit to end.
    limits = {"first_chunk_s": FIRST_CHUNK_S} if kind in SLOW else {}
    async with faulty(**limits) as running, asyncio.timeout(HANGS_S):
        turnout, proxy = running.turnout, running.proxy

        async def check(i: int) -> None:
            status, headers, reply = await turnout.stream(stream=stream)
            assert status == 200
            assert headers["x-turnout-model"] == "mock/ok"
            assert headers["x-turnout-attempts"] == "2"
            assert b"error" not in reply
            assert reply.count(b"Hello") == 1
            assert reply.endswith(b"data: [DONE]\n\n") == stream

        proxy.faults = [Fault(kind, anywhere_before_content, seed) for seed in range(count)]
        await check_all(count, check)
        assert proxy.faults == []
        assert len(turnout.logged()) == count
        assert all(line["decision"]["attempts"][0]["error"] for line in turnout.logged())


@pytest.mark.parametrize("kind", IN_TIME)
async def test_every_fault_after_content_ends_in_an_error_event_and_repeats_nothing(
    faulty: Any, kind: Kind
) -> None:
    limits = {"timeout_s": STALLED_S} if kind in SLOW else {}
    async with faulty(**limits) as running, asyncio.timeout(HANGS_S):
        # One begins when the one before has got its content, so that each meets the fault that is its own.
        # What stalls is then waited for but once.
        begun = [asyncio.Event() for _ in range(1, len(WORDS))]
        streams = []
        for position, has_begun in enumerate(begun, start=1):
            running.proxy.faults = [_before_the_word(kind, position, has_begun)]
            streams.append(asyncio.create_task(_stream_until(running, position, has_begun)))
            await has_begun.wait()
        for position, stream in enumerate(await asyncio.gather(*streams), start=1):
            for i, word in enumerate(WORDS):
                assert stream.count(json.dumps(word).encode()) == (1 if i < position else 0)
            assert b"[DONE]" not in stream
            last = stream.decode("utf-8", "replace").strip().rpartition("data: ")[2]
            assert json.loads(last)["error"]["code"] == "upstream_broke_off"
        records = [line["decision"] for line in running.turnout.logged()]
        assert [(r["outcome"], len(r["attempts"])) for r in records] == [("broken", 1)] * len(begun)


def _before_the_word(kind: Kind, position: int, strike: asyncio.Event) -> Fault:
    """Return a fault at a place behind the chunk before the word's, up to the word itself."""
    draw = random.Random(position)
    earlier, later = (json.dumps(word).encode() for word in WORDS[position - 1 : position + 1])

    def at(reply: bytes) -> int:
        chunk_end = reply.index(b"\n\n", reply.index(earlier)) + 4
        return draw.randrange(chunk_end, reply.index(later))

    return Fault(kind, at, position, strike)


async def _stream_until(running: Faulty, position: int, has_begun: asyncio.Event) -> bytes:
    """Return a stream's bytes; `has_begun` is set once it has the word before `position`."""
    stream = b""
    async with running.turnout.ask(stream=True) as response:
        async for chunk in response.content.iter_any():
            stream += chunk
            if json.dumps(WORDS[position - 1]).encode() in stream:
                has_begun.set()
    return stream


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize("kind", SLOW)
async def test_no_request_outlives_its_deadline(faulty: Any, kind: Kind, stream: bool) -> None:
    async with faulty(timeout_s=TIMEOUT_S) as running:
        turnout, proxy = running.turnout, running.proxy
        proxy.faults = [Fault(kind, lambda reply: 20) for _ in range(AT_ONCE)]

        async def check(i: int) -> None:
            began = asyncio.get_running_loop().time()
            status, _, _ = await turnout.stream(stream=stream)
            took = asyncio.get_running_loop().time() - began
            assert status == 504
            assert took >= TIMEOUT_S
            assert took < TIMEOUT_S + 5  # far above what it takes: a hang is what would be found

        await check_all(AT_ONCE, check)
        await until(lambda: proxy.open == 0, within_s=1)


async def test_a_wire_without_faults_passes_everything(faulty: Any) -> None:
    async with faulty() as running:
        _, headers, stream = await running.turnout.stream()
        assert headers["x-turnout-model"] == "proxy/ok"
        assert [stream.count(json.dumps(word).encode()) for word in WORDS] == [1] * len(WORDS)
        assert stream.endswith(b"data: [DONE]\n\n")


async def test_the_last_candidate_has_all_the_time_that_is_left(start: Any) -> None:
    async with start("hang", "later", limits={"first_chunk_s": 0.1}) as turnout:
        status, headers, _ = await turnout.stream()
        assert (status, headers["x-turnout-model"]) == (200, "mock/later")


async def test_a_connection_that_serves_many_replies_remembers_none_of_them(
    mock: MockUpstream,
) -> None:
    connections = Connections({"localhost"})
    for _ in range(3):
        response = await connections.request(
            "POST",
            f"{mock.url}/chat/completions",
            headers={},
            data=b'{"model": "slow", "stream": true}',
            timeout_s=5,
        )
        assert response.connection is not None
        assert response.connection.protocol is not None
        closed = response.connection.protocol.closed
        reply = HttpReply(response)
        async for _chunk in reply.chunks():
            pass
        await reply.close()
    assert closed
    # What is left is what takes note of why the connection was closed.
    assert len(closed._callbacks) == 1  # type: ignore[attr-defined]
    await connections.close()
