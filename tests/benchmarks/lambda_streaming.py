"""What the streaming runtime costs: CPU of the function's process an invocation and a streamed chunk.

    PYTHONPATH=tests .venv/bin/python tests/benchmarks/lambda_streaming.py

The process is the one that the tests start: the exec wrapper, a stand-in for Lambda, a mock upstream,
a SQLite store. The local server is measured beside it, on the same requests.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
from integration.test_lambda_streaming import Deployed, deployed

from support.mock_upstream import MockUpstream, running_mock_upstream

FUNCTIONS = Path(__file__).resolve().parents[2] / "functions"
CHUNKS = {"kilobytes-52": 13 + 8, "kilobytes-5120": 1280 + 8}
INVOCATIONS = 200
ROUNDS = 3


def cpu_ms(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")


async def measure(
    name: str, pid: int, ask: Callable[[str, bool], Awaitable[int]], rounds: int = ROUNDS
) -> None:
    await ask("ok", False)
    await ask("kilobytes-52", True)
    whole, chunk = [], []
    for _ in range(rounds):
        before = cpu_ms(pid)
        for _ in range(INVOCATIONS):
            await ask("ok", False)
        whole.append((cpu_ms(pid) - before) / INVOCATIONS)
        spent = {}
        for model, times in (("kilobytes-52", 40), ("kilobytes-5120", 10)):
            before = cpu_ms(pid)
            for _ in range(times):
                assert await ask(model, True) > 50_000
            spent[model] = (cpu_ms(pid) - before) / times
        more = CHUNKS["kilobytes-5120"] - CHUNKS["kilobytes-52"]
        chunk.append((spent["kilobytes-5120"] - spent["kilobytes-52"]) / more * 1000)
    print(
        f"{name:20} {statistics.median(whole):5.2f} ms of CPU a whole reply,"
        f" {statistics.median(chunk):4.0f} us a streamed chunk of 4 KB"
    )


async def in_lambda(function: Deployed) -> None:
    async def ask(model: str, stream: bool) -> int:
        return len(await function.standin.invoke(function.event(model, stream=stream)).body())

    await measure("streaming runtime", function.process.pid, ask)


async def on_uvicorn(function: Deployed, mock: MockUpstream, folder: Path) -> None:
    command = "from turnout.cli import main; main()"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", command, "serve", "--port", "18099",
        cwd=folder,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(FUNCTIONS),
            "TURNOUT_POLICIES": str(folder / "policies"),
            "TURNOUT_UPSTREAMS": f"mock={mock.url}",
        },
        stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with aiohttp.ClientSession() as client:

            async def ask(model: str, stream: bool) -> int:
                url = "http://127.0.0.1:18099/v1/chat/completions"
                async with client.post(url, json=function.body(model, stream=stream)) as response:
                    return len(await response.read())

            while True:
                try:
                    await ask("ok", False)
                    break
                except aiohttp.ClientError:
                    await asyncio.sleep(0.1)
            await measure("local server", process.pid, ask)
    finally:
        process.terminate()
        await process.wait()


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with running_mock_upstream() as mock, deployed(mock, Path(folder)) as function:
            await in_lambda(function)
            await on_uvicorn(function, mock, Path(folder))


if __name__ == "__main__":
    asyncio.run(main())
