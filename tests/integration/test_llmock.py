"""llmock, which breaks upstreams at random and grades who calls them, finds nothing that Turnout should mend.

Three of its rules are for clients, which have nobody to fall back on and no caller of their own: `gave_up`
after one attempt, where Turnout goes to another model; `truncated_stream_accepted`, where it may not repeat
what its caller has seen, and tells that caller; `malformed_chunk_ignored`, likewise.
"""

from __future__ import annotations

import asyncio
import random
import re
import socket
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import pytest

from support.policies import active, document, model
from support.servers import running_turnout
from support.waiting import listening

LLMOCK = Path(__file__).parents[2] / ".venv-llmock" / "bin" / "llmock"
REQUESTS = 150
FAULTS = ("--error-rate", "503=0.1", "--error-rate", "429=0.05", "--error-rate", "400=0.05")
STREAM_FAULTS = ("disconnect=0.1", "truncate=0.1", "malformed=0.1")
OF_CLIENTS = {"gave_up", "truncated_stream_accepted", "malformed_chunk_ignored"}

pytestmark = pytest.mark.skipif(
    not LLMOCK.exists(), reason="llmock is not installed; `make test` does it"
)


@pytest.fixture
async def llmock() -> AsyncIterator[str]:
    """Run llmock on a free port and give its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    broken = [option for fault in STREAM_FAULTS for option in ("--stream-fault", fault)]
    process = await asyncio.create_subprocess_exec(
        LLMOCK, "serve", "--port", str(port), "--log-level", "critical", *FAULTS, *broken,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        await listening(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()


class Told(NamedTuple):
    """What a caller of Turnout was told."""

    status: int
    finished: bool
    done: bool
    error: bool


async def test_its_verdict_on_turnout_has_nothing_but_rules_for_clients(
    llmock: str, tmp_path: Path
) -> None:
    models = {name: model(name, f"gpt-{name}") for name in ("one", "other")}
    policy = active(document(models=models, default={"use": ["one"], "fallback": ["other"]}))
    urls = dict.fromkeys(models, f"{llmock}/v1")
    draw = random.Random(1)
    async with running_turnout({"test": policy}, urls, tmp_path) as turnout:

        async def ask(i: int) -> Told:
            # llmock takes requests of the same words for retries.
            messages = [{"role": "user", "content": f"{i}: tell me about the weather of place {i}"}]
            async with turnout.ask(messages=messages, stream=draw.random() < 0.8) as response:
                reply = await response.read()
                finished = re.search(rb'"finish_reason"\s*:\s*"', reply) is not None
                done = reply.endswith(b"data: [DONE]\n\n")
                return Told(response.status, finished, done, b'"error"' in reply)

        told: list[Told] = []
        for start in range(0, REQUESTS, 10):
            told += await asyncio.gather(*(ask(i) for i in range(start, start + 10)))
        outcomes = Counter(line["decision"]["outcome"] for line in turnout.logged())
    verdict = await _verdict(llmock)
    found = Counter(finding["code"] for finding in verdict["findings"])
    assert set(found) <= OF_CLIENTS, verdict["findings"]
    # It did break things, and whatever did not end well said so.
    assert verdict["faults_injected"] > REQUESTS / 10
    assert outcomes["broken"] > 0
    assert all(each.finished or each.error for each in told)
    assert not any(each.done and each.error for each in told)
    assert sum(each.status == 200 and each.error for each in told) == outcomes["broken"]
    assert found["truncated_stream_accepted"] + found["malformed_chunk_ignored"] <= (
        outcomes["broken"] + sum(len(line["decision"]["attempts"]) > 1 for line in turnout.logged())
    )


async def _verdict(llmock: str) -> Any:
    async with (
        aiohttp.ClientSession() as client,
        client.get(f"{llmock}/_llmock/verdict") as response,
    ):
        return await response.json()
