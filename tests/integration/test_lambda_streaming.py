"""The streaming runtime as a process, under a stand-in for Lambda and API Gateway, with real clients."""

import asyncio
import base64
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from openai import AsyncOpenAI

from support.lambda_standin import LambdaStandIn, proxy_event, running_standin
from support.mock_upstream import WORDS, MockUpstream
from turnout.store import Keys
from turnout.store.sqlite import SqliteTable

FUNCTIONS = Path(__file__).parents[2] / "functions"
MESSAGES: Any = [{"role": "user", "content": "Write a function that sorts a list."}]
MODELS = ("ok", "slow", "hang", "break-2", "kilobytes-52", "kilobytes-5120")


@dataclass
class Deployed:
    """A function in its runtime, its gateway, and a key for it."""

    standin: LambdaStandIn
    process: asyncio.subprocess.Process
    key: str

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.key}", "content-type": "application/json"}

    def sdk(self) -> AsyncOpenAI:
        return AsyncOpenAI(base_url=f"{self.standin.url}/v1", api_key=self.key, max_retries=0)

    def body(self, model: str, **changes: Any) -> dict[str, Any]:
        return {"model": f"mock/{model}", "messages": MESSAGES, **changes}

    def event(self, model: str, **changes: Any) -> dict[str, Any]:
        body = json.dumps(self.body(model, **changes)).encode()
        return proxy_event("POST", "/v1/chat/completions", self.headers, body)


@asynccontextmanager
async def deployed(
    mock: MockUpstream, folder: Path, *, deadline_s: float = 30.0, **environ: str
) -> AsyncIterator[Deployed]:
    policies = folder / "policies"
    policies.mkdir()
    models = "\n".join(
        f"  {name}: {{upstream: mock, id: {name}, context: 100000, usd_per_mtok: {{input: 1, output: 2}}}}"
        for name in MODELS
    )
    (policies / "default.yaml").write_text(
        f"version: 1\nmodels:\n{models}\ndefault: {{use: [ok]}}\n"
    )
    table = SqliteTable(folder / "turnout.db")
    key = await Keys(table).create("acme")
    await table.close()
    async with running_standin(deadline_s=deadline_s) as standin:
        process = await asyncio.create_subprocess_exec(
            str(FUNCTIONS / "bootstrap-streaming"),
            sys.executable,
            "-m",
            "awslambdaric",
            cwd=FUNCTIONS,
            env={
                "PATH": os.environ["PATH"],
                "LAMBDA_TASK_ROOT": str(FUNCTIONS),
                "AWS_LAMBDA_RUNTIME_API": standin.api,
                "_HANDLER": "router.handler",
                "TURNOUT_POLICIES": str(policies),
                "TURNOUT_STORE": str(folder / "turnout.db"),
                "TURNOUT_UPSTREAMS": f"mock={mock.url}",
                **environ,
            },
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            yield Deployed(standin, process, key)
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


@pytest.fixture
async def function(mock: MockUpstream, tmp_path: Path) -> AsyncIterator[Deployed]:
    async with deployed(mock, tmp_path) as running:
        yield running


async def test_the_openai_sdk_streams_through_lambda(function: Deployed) -> None:
    async with function.sdk() as client:
        chunks = await client.chat.completions.create(model="auto", messages=MESSAGES, stream=True)
        text = "".join([c.choices[0].delta.content or "" async for c in chunks if c.choices])
    assert text == "".join(WORDS)
    head = await function.standin.invocations[0].head
    assert head["statusCode"] == 200
    assert head["headers"]["x-turnout-model"] == "mock/ok"
    assert head["headers"]["content-type"].startswith("text/event-stream")


async def test_chunks_arrive_as_the_upstream_sends_them(
    function: Deployed, mock: MockUpstream
) -> None:
    arrived = []
    async with (
        aiohttp.ClientSession() as client,
        client.post(
            f"{function.standin.url}/v1/chat/completions",
            json=function.body("slow", stream=True),
            headers=function.headers,
        ) as response,
    ):
        async for chunk in response.content.iter_any():
            arrived += [asyncio.get_running_loop().time()] * chunk.count(b'"content": "')
    contents = arrived[-len(WORDS) :]
    sent = mock.sent_at[2 : 2 + len(WORDS)]
    lateness = [there - here for here, there in zip(sent, contents, strict=True)]
    assert max(lateness) < 0.045, "a chunk waited for the next one, which comes 50 ms later"


@pytest.mark.parametrize("stream", [False, True])
async def test_the_buffered_path_answers_the_same(
    function: Deployed, mock: MockUpstream, tmp_path: Path, stream: bool
) -> None:
    requests = [
        function.event("ok", stream=stream),
        function.event("nothing", stream=stream),
        proxy_event("GET", "/health", {}, b""),
        proxy_event("GET", "/v1/models", function.headers, b""),
        proxy_event("GET", "/v1/models", {}, b""),
        proxy_event("POST", "/v1/route", function.headers, b"{"),
    ]
    streamed = []
    for event in requests:
        invocation = function.standin.invoke(event)
        streamed.append((await invocation.head, await invocation.body()))
    buffered = await asyncio.to_thread(_buffered, requests, mock, tmp_path)
    for (head, body), whole in zip(streamed, buffered, strict=True):
        assert head["statusCode"] == whole["statusCode"]
        assert head["headers"]["content-type"] == whole["headers"]["content-type"]
        assert body.decode() == whole["body"]
        same = ("x-turnout-model", "x-turnout-category", "x-turnout-policy", "x-turnout-attempts")
        for name in same:
            assert head["headers"].get(name) == whole["headers"].get(name)


def _buffered(events: list[Any], mock: MockUpstream, folder: Path) -> list[dict[str, Any]]:
    """Answer the events through `router.handler` in a process of its own, as sam local does."""
    code = (
        "import json, sys, router;"
        "print(json.dumps([router.handler(e, None) for e in json.load(sys.stdin)]))"
    )
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=FUNCTIONS,
        env={
            "PATH": os.environ["PATH"],
            "TURNOUT_POLICIES": str(folder / "policies"),
            "TURNOUT_STORE": str(folder / "turnout.db"),
            "TURNOUT_UPSTREAMS": f"mock={mock.url}",
        },
        input=json.dumps(events),
        capture_output=True,
        text=True,
        check=True,
    )
    answers: list[dict[str, Any]] = json.loads(result.stdout.splitlines()[-1])
    return answers


async def test_a_reply_that_breaks_off_says_so_in_the_stream(function: Deployed) -> None:
    invocation = function.standin.invoke(function.event("break-2", stream=True))
    body = await invocation.body()
    assert b"upstream_broke_off" in body
    assert b"[DONE]" not in body


async def test_before_the_deadline_a_stream_is_ended_with_an_error_event(
    mock: MockUpstream, tmp_path: Path
) -> None:
    async with deployed(mock, tmp_path, deadline_s=30) as function:
        await function.standin.invoke(function.event("ok")).body()
        function.standin.deadline_s = 1.15
        invocation = function.standin.invoke(function.event("slow", stream=True))
        body = await invocation.body()
        assert b"Hello" in body
        last = json.loads(body.decode().strip().splitlines()[-1].removeprefix("data: "))
        assert last["error"]["message"] == "the function's time ran out"
        assert invocation.trailers["lambda-runtime-function-error-type"] == "Runtime.TimeoutError"
        function.standin.deadline_s = 30
        assert (await function.standin.invoke(function.event("ok")).head)["statusCode"] == 200


async def test_before_the_deadline_a_reply_that_has_not_begun_is_a_504(
    mock: MockUpstream, tmp_path: Path
) -> None:
    async with deployed(mock, tmp_path, deadline_s=30) as function:
        await function.standin.invoke(function.event("ok")).body()
        function.standin.deadline_s = 1.4
        invocation = function.standin.invoke(function.event("hang"))
        assert (await invocation.head)["statusCode"] == 504
        async with asyncio.timeout(1):
            await mock.closed_by_client.wait()


async def test_an_event_that_is_no_request_is_answered_and_the_next_one_served(
    function: Deployed,
) -> None:
    for event in ({}, {"Records": []}, [], None, "text", {"resource": "/", "requestContext": {}}):
        invocation = function.standin.invoke(event)
        assert (await invocation.head)["statusCode"] == 400
        assert json.loads(await invocation.body())["error"]["code"] == "bad_event"
    assert (await function.standin.invoke(function.event("ok")).head)["statusCode"] == 200


async def test_a_client_that_leaves_ends_the_upstream_call(
    function: Deployed, mock: MockUpstream
) -> None:
    async with aiohttp.ClientSession() as client:
        response = await client.post(
            f"{function.standin.url}/v1/chat/completions",
            json=function.body("slow", stream=True),
            headers=function.headers,
        )
        await response.content.readany()
        response.close()
    async with asyncio.timeout(1):
        await mock.closed_by_client.wait()
    assert (await function.standin.invoke(function.event("ok")).head)["statusCode"] == 200


async def test_silence_is_filled_with_comments_between_events(
    mock: MockUpstream, tmp_path: Path
) -> None:
    async with deployed(mock, tmp_path, TURNOUT_KEEP_ALIVE_S="0.02") as function:
        body = await function.standin.invoke(function.event("slow", stream=True)).body()
        assert b": keep-alive\n\n" in body
        events = [event for event in body.split(b"\n\n") if event and not event.startswith(b":")]
        assert all(event.startswith(b"data: ") for event in events)
        whole = await function.standin.invoke(function.event("slow")).body()
        assert json.loads(whole)["object"] == "chat.completion"


@pytest.mark.parametrize(
    ("model", "length"), [("kilobytes-52", 53_248), ("kilobytes-5120", 5_242_880)]
)
async def test_a_long_reply_comes_whole(function: Deployed, model: str, length: int) -> None:
    async with function.sdk() as client:
        chunks = await client.chat.completions.create(
            model=f"mock/{model}", messages=MESSAGES, stream=True
        )
        text = "".join([c.choices[0].delta.content or "" async for c in chunks if c.choices])
    assert text == "".join(WORDS) + "0123456789abcdef" * (length // 16)


async def test_a_long_prompt_comes_whole(function: Deployed, mock: MockUpstream) -> None:
    prompt = "Sum this up: " + "naïve — 文字 " * 8_000
    messages = [{"role": "user", "content": prompt}]
    event = function.event("ok", messages=messages)
    assert (await function.standin.invoke(event).head)["statusCode"] == 200
    assert mock.requests[-1]["messages"] == messages


async def test_a_thousand_invocations_leave_nothing_behind(function: Deployed) -> None:
    process = Path(f"/proc/{function.process.pid}")

    def resident() -> int:
        lines = (process / "status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmRSS")).split()[1])

    def descriptors() -> int:
        return len(list((process / "fd").iterdir()))

    async def invoke(times: int) -> None:
        for _ in range(times):
            body = await function.standin.invoke(function.event("ok", stream=True)).body()
            assert body.endswith(b"data: [DONE]\n\n")

    await invoke(100)
    before = resident(), descriptors()
    await invoke(1_000)
    assert resident() - before[0] < 6_000, "kilobytes grown over 1,000 invocations"
    assert descriptors() <= before[1] + 2


async def test_sigterm_stops_a_waiting_function_cleanly(function: Deployed) -> None:
    await function.standin.invoke(function.event("ok")).body()
    function.process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(function.process.wait(), 10) == 0


async def test_snapstart_takes_its_snapshot_before_the_first_invocation(
    mock: MockUpstream, tmp_path: Path
) -> None:
    async with deployed(mock, tmp_path, AWS_LAMBDA_INITIALIZATION_TYPE="snap-start") as function:
        await function.standin.invoke(function.event("ok")).body()
        assert function.standin.snapshots == 1


async def test_a_function_that_cannot_start_reports_why(mock: MockUpstream, tmp_path: Path) -> None:
    async with deployed(mock, tmp_path, TURNOUT_MAX_BODY_BYTES="many") as function:
        assert await asyncio.wait_for(function.process.wait(), 20) == 1
        assert function.standin.init_error is not None
        assert "TURNOUT_MAX_BODY_BYTES" in function.standin.init_error["errorMessage"]


def test_a_body_is_decoded_from_base64() -> None:
    event = proxy_event("POST", "/x", {}, b"\xff\x00")
    assert base64.b64decode(event["body"]) == b"\xff\x00"
