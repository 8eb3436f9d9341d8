"""Anthropic's messages to an Anthropic upstream: bytes pass through, and the relay's rules hold as ever."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anthropic
import pytest
from yarl import URL

from support.capable_upstream import (
    CACHED,
    GREETING,
    INPUT,
    OUTPUT,
    REASONING,
    CapableUpstream,
    running_capable_upstream,
)
from support.fault_proxy import Fault, FaultProxy, Kind, running_fault_proxy
from support.policies import active, document, model
from support.servers import RunningTurnout, running_turnout
from turnout.upstream import Endpoint, health
from turnout.upstream.catalogue import spoken_at
from turnout.wiring import build_upstreams

TEXT = "".join(GREETING)
PDF = {
    "type": "document",
    "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="},
}
SEARCH = {"type": "web_search_20250305", "name": "web_search", "max_uses": 1}


def body(**changes: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": "Hello"}]
    return {"model": "auto", "max_tokens": 100, "messages": messages, **changes}


@pytest.fixture
async def upstream() -> AsyncIterator[CapableUpstream]:
    async with running_capable_upstream() as upstream:
        yield upstream


@pytest.fixture
async def proxy(upstream: CapableUpstream) -> AsyncIterator[FaultProxy]:
    async with running_fault_proxy(URL(upstream.url).port or 0) as proxy:
        yield proxy


@pytest.fixture
def start(
    upstream: CapableUpstream, proxy: FaultProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Any:
    # A breaker would spare the model behind the proxy most of its faults.
    monkeypatch.setattr(health, "CONSECUTIVE", 1_000_000)

    @asynccontextmanager
    async def start(*use: str, id: str = "claude-sonnet-4-5") -> AsyncIterator[RunningTurnout]:  # noqa: A002
        """Start a Turnout that tries these in order: `claude`, `proxied` (the same behind the fault proxy)
        and `gpt`, which speaks chat completions."""
        urls = {
            "claude": f"anthropic+{upstream.url}",
            "proxied": f"anthropic+{proxy.url}",
            "gpt": upstream.url,
        }
        models = {name: model(name, id if name != "gpt" else "gpt") for name in urls}
        default = {"use": [use[0]], "fallback": list(use[1:])}
        policy = active(document(models=models, default=default))
        async with running_turnout({"test": policy}, urls, tmp_path) as turnout:
            yield turnout

    return start


async def direct(turnout: RunningTurnout, upstream: CapableUpstream, asked: Any) -> bytes:
    """Return what the upstream itself replies."""
    async with turnout.client.post(f"{upstream.url}/messages", json=asked) as response:
        return await response.read()


RICH: dict[str, Any] = {
    "top_k": 5,
    "system": [{"type": "text", "text": "Be kind.", "cache_control": {"type": "ephemeral"}}],
    "thinking": {"type": "enabled", "budget_tokens": 1024},
    "service_tier": "auto",
    "a_field_of_tomorrow": {"x": [1, 2]},
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "Hi", "citations": None}]},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Hm", "signature": "c2lnbmVk"},
                {"type": "text", "text": "Hello"},
            ],
        },
        {"role": "user", "content": "And now?"},
    ],
}


@pytest.mark.parametrize("stream", [False, True])
async def test_a_request_and_its_reply_pass_as_they_are_but_for_the_model(
    start: Any, upstream: CapableUpstream, stream: bool
) -> None:
    asked = body(**RICH, stream=stream)
    async with start("claude") as turnout:
        status, headers, reply = await turnout.post("/v1/messages", asked)
        sent = upstream.sent[0]
        assert sent == {**asked, "model": "claude-sonnet-4-5"}
        assert (status, reply) == (200, await direct(turnout, upstream, sent))
        assert headers["x-turnout-model"] == "claude/claude-sonnet-4-5"
        assert headers["content-type"].startswith(
            "text/event-stream" if stream else "application/json"
        )
        _, record = await turnout.get(f"/v1/decisions/{headers['x-turnout-decision-id']}")
    assert (record["outcome"], record["stream"]) == ("ok", stream)
    assert record["usage"] == {
        "input_tokens": INPUT,
        "cached_input_tokens": CACHED,
        "output_tokens": OUTPUT,
        "estimated": False,
    }
    assert record["cost_usd"] == pytest.approx((INPUT + 2 * OUTPUT) / 1e6)
    assert record["ttfb_ms"] > 0


async def test_signatures_come_through_the_sdk_and_back_again(
    start: Any, upstream: CapableUpstream
) -> None:
    thinking: Any = {"type": "enabled", "budget_tokens": 1024}
    async with (
        start("claude") as turnout,
        anthropic.AsyncAnthropic(base_url=turnout.url, api_key="any", max_retries=0) as client,
    ):
        messages: list[Any] = [{"role": "user", "content": "Hello"}]
        for _ in range(2):
            async with client.messages.stream(
                model="auto", max_tokens=2048, messages=messages, thinking=thinking
            ) as events:
                said = (await events.get_final_message()).content
            assert [(block.type) for block in said] == ["thinking", "text"]
            messages += [{"role": "assistant", "content": said}, messages[0]]
    returned = upstream.sent[1]["messages"][1]["content"]
    assert returned[0] == {"type": "thinking", "thinking": REASONING, "signature": "s"}


async def test_of_the_callers_headers_only_the_one_for_beta_features_goes_along(
    start: Any, upstream: CapableUpstream
) -> None:
    async with start("claude") as turnout:
        mine = {"anthropic-beta": "a-2025-01-01,b", "x-mine": "1", "x-api-key": "turnout-key"}
        await turnout.post("/v1/messages", body(), **mine)
        sent = upstream.headers[0]
        status, _, reply = await turnout.post("/v1/messages", body(), **{"anthropic-beta": "a;b"})
    assert (sent["anthropic-beta"], sent["anthropic-version"]) == ("a-2025-01-01,b", "2023-06-01")
    assert sent["x-api-key"] == "sk-upstream-secret"
    assert "x-mine" not in sent
    assert status == 400
    assert b"anthropic-beta" in reply


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"messages": [{"role": "user", "content": [PDF]}]},
            "a document by base64 (messages.0.content.0)",
        ),
        ({"tools": [SEARCH]}, "the server tool web_search_20250305 (tools.0)"),
        ({"mcp_servers": [{"type": "url", "url": "https://x.example"}]}, "MCP servers"),
    ],
)
async def test_what_only_anthropic_can_be_asked_for_goes_there_and_nowhere_else(
    start: Any, upstream: CapableUpstream, changes: dict[str, Any], said: str
) -> None:
    asked = body(**changes)
    async with start("gpt", "claude") as turnout:
        status, headers, _ = await turnout.post("/v1/messages", asked)
        decision = turnout.logged()[0]["decision"]
    assert (status, headers["x-turnout-model"]) == (200, "claude/claude-sonnet-4-5")
    assert upstream.sent == [{**asked, "model": "claude-sonnet-4-5"}]
    reasons = {each["name"]: each["reasons"] for each in decision["candidates"]}
    assert reasons["gpt"][0].startswith(f"upstream gpt cannot be asked for {said}")
    async with start("gpt") as turnout:
        status, _, reply = await turnout.post("/v1/messages", asked)
    assert status == 422
    assert said in json.loads(reply)["error"]["message"]


async def test_the_demo_stands_in_for_who_could_be_asked(
    upstream: CapableUpstream, tmp_path: Path
) -> None:
    urls = {"gpt": upstream.url, "claude": f"anthropic+{upstream.url}"}
    models = {name: model(name, "m") for name in urls}
    policy = active(document(models=models, default={"use": ["gpt"], "fallback": ["claude"]}))
    endpoints = {name: _without_key(name, url) for name, url in urls.items()}
    upstreams = build_upstreams(endpoints, demo=True)
    asked = body(messages=[{"role": "user", "content": [PDF]}])
    async with running_turnout({"test": policy}, {}, tmp_path, upstreams=upstreams) as turnout:
        status, headers, reply = await turnout.post("/v1/messages", asked)
    assert (status, headers["x-turnout-model"]) == (200, "claude/m")
    assert b"demo upstream, not a language model" in reply
    assert upstream.sent == []


def _without_key(name: str, url: str) -> Endpoint:
    speaks, address = spoken_at(url)
    return Endpoint(name, address, {}, speaks, wants_key=True)


@pytest.mark.parametrize("stream", [False, True])
async def test_who_takes_over_answers_in_the_same_format(
    start: Any, upstream: CapableUpstream, stream: bool
) -> None:
    async with (
        start("claude", "gpt", id="full") as turnout,
        anthropic.AsyncAnthropic(base_url=turnout.url, api_key="any", max_retries=0) as client,
    ):
        asked: Any = {"max_tokens": 100, "messages": [{"role": "user", "content": "Hello"}]}
        if stream:
            async with client.messages.stream(model="auto", **asked) as events:
                message = await events.get_final_message()
        else:
            message = await client.messages.create(model="auto", **asked)
        assert message.content[0].text == TEXT  # type: ignore[union-attr]
        attempts = turnout.logged()[0]["decision"]["attempts"]
    assert [(each["model"], each["status"]) for each in attempts] == [
        ("claude/full", 529),
        ("gpt/gpt", 200),
    ]


async def test_a_refusal_passes_as_it_is(start: Any, upstream: CapableUpstream) -> None:
    async with start("claude", id="strict") as turnout:
        status, _, reply = await turnout.post("/v1/messages", body())
        assert status == 400
        assert reply == await direct(turnout, upstream, body(model="strict"))
        assert turnout.logged()[0]["decision"]["outcome"] == "rejected"


def places(reply: bytes) -> tuple[int, list[int]]:
    """Return where the first content is in the reply, and where each event ends after it."""
    first = reply.index(b"text_delta")
    ends, end = [], reply.index(b"\n\n", first)
    last = reply.index(b"message_delta")
    while end < last:
        ends.append(end + 2)
        end = reply.index(b"\n\n", end + 2)
    return first, ends


KINDS: tuple[Kind, ...] = ("reset", "cut", "half-close", "garbage")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("kind", ["refuse", *KINDS])
async def test_a_fault_before_the_first_content_falls_back_unseen(
    start: Any, upstream: CapableUpstream, proxy: FaultProxy, kind: Kind, stream: bool
) -> None:
    asked = body(stream=stream)
    async with start("proxied", "claude") as turnout, asyncio.timeout(30):
        for hundredths in range(0, 100, 10):

            def at(reply: bytes, part: int = hundredths) -> int:
                end = places(reply)[0] if stream else len(reply) - 8
                return end * part // 100

            proxy.faults = [Fault(kind, at, hundredths)]
            status, headers, reply = await turnout.post("/v1/messages", asked)
            assert status == 200
            assert headers["x-turnout-model"] == "claude/claude-sonnet-4-5"
            assert headers["x-turnout-attempts"] == "2"
            assert reply == await direct(turnout, upstream, upstream.sent[-1])


@pytest.mark.parametrize("kind", KINDS)
async def test_a_fault_after_content_ends_in_an_error_event_at_every_chunk_position(
    start: Any, upstream: CapableUpstream, proxy: FaultProxy, kind: Kind
) -> None:
    async with start("proxied", "gpt") as turnout, asyncio.timeout(30):
        whole = await direct(turnout, upstream, body(model="claude-sonnet-4-5", stream=True))
        count = len(places(whole)[1])
        assert count > 2
        for position in range(count):
            strike = asyncio.Event()
            proxy.faults = [
                Fault(kind, lambda reply, p=position: places(reply)[1][p] + 9, position, strike)  # type: ignore[misc]
            ]
            stream = b""
            url = f"{turnout.url}/v1/messages"
            async with turnout.client.post(url, json=body(stream=True)) as response:
                async for chunk in response.content.iter_any():
                    stream += chunk
                    strike.set()
            passed, _, last = stream.rpartition(b"event: error\ndata: ")
            assert passed == whole[: places(whole)[1][position]]
            assert b"message_stop" not in stream
            assert json.loads(last)["error"]["message"].startswith("proxied/claude")
    outcomes = {line["decision"]["outcome"] for line in turnout.logged()}
    assert outcomes == {"broken"}


async def test_a_stream_that_ends_without_a_stop_reason_is_not_passed_off_as_whole(
    start: Any,
) -> None:
    async with start("claude", id="breaks") as turnout:
        _, _, stream = await turnout.post("/v1/messages", body(stream=True))
        usage = turnout.logged()[0]["decision"]["usage"]
    assert stream.rstrip().rpartition(b"\n")[0].endswith(b"event: error")
    assert b"ended without a finish reason" in stream
    # What it told of the input stands; its output is counted.
    assert (usage["input_tokens"], usage["estimated"]) == (INPUT, True)
    assert usage["output_tokens"] > 0
