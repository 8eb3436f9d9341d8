"""A chat completion's way through a real socket to an upstream and back."""

import asyncio
import json
import time
from collections import Counter

import aiohttp
import pytest
from integration.conftest import StartTurnout
from openai import AsyncOpenAI

from support.mock_upstream import USAGE, WORDS, MockUpstream
from support.servers import RunningTurnout
from support.waiting import until

TEXT = "".join(WORDS)


def payloads(stream: bytes) -> list[str]:
    return [line[6:] for line in stream.decode().splitlines() if line.startswith("data: ")]


def text_of(stream: bytes) -> str:
    chunks = [json.loads(payload) for payload in payloads(stream) if payload != "[DONE]"]
    deltas = [c["choices"][0]["delta"] for c in chunks if c.get("choices")]
    return "".join(delta.get("content") or "" for delta in deltas)


async def test_a_reply_is_passed_on_with_its_routing_headers(turnout: RunningTurnout) -> None:
    status, headers, reply = await turnout.chat()
    assert status == 200
    assert reply["choices"][0]["message"]["content"] == TEXT
    assert reply["usage"] == USAGE
    assert headers["x-turnout-decision-id"].startswith("dec_")
    assert headers["x-turnout-model"] == "mock/ok"
    assert headers["x-turnout-policy"] == "test@1"
    assert headers["x-turnout-category"] == "unknown"
    assert headers["x-turnout-attempts"] == "1"
    assert [step.split(";")[0] for step in headers["server-timing"].split(", ")] == [
        "sense",
        "decide",
        "upstream",
    ]


async def test_a_stream_is_passed_on_byte_for_byte(
    turnout: RunningTurnout, mock: MockUpstream
) -> None:
    async with turnout.client.post(
        f"{mock.url}/chat/completions", json={"model": "ok", "stream": True}
    ) as direct:
        expected = await direct.read()
    status, headers, stream = await turnout.stream()
    assert status == 200
    assert headers["content-type"].startswith("text/event-stream")
    assert stream == expected
    assert text_of(stream) == TEXT


async def test_chunks_are_passed_on_as_they_come(start, mock: MockUpstream) -> None:
    async with start("slow") as turnout:
        arrived = []
        body = {"model": "auto", "stream": True, "messages": [{"role": "user", "content": "x"}]}
        async with turnout.client.post(f"{turnout.url}/v1/chat/completions", json=body) as response:
            async for chunk in response.content.iter_any():
                if b'"content": "' in chunk and b'"role"' not in chunk.split(b"data: ")[-1]:
                    arrived.append(asyncio.get_running_loop().time())
        sent = mock.sent_at[2 : 2 + len(WORDS)]
        assert len(arrived) == len(WORDS)
        lateness = [there - here for here, there in zip(sent, arrived, strict=True)]
        assert max(lateness) < 0.04, "a chunk waited for the next one, which comes 50 ms later"


async def test_the_body_reaches_the_upstream_as_it_came_but_for_the_model(
    turnout: RunningTurnout, mock: MockUpstream
) -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    body = {
        "messages": [
            {"role": "developer", "content": "be brief"},
            {"role": "user", "content": [{"type": "text", "text": "what is this? 中"}, image]},
            {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "type": "function"}]},
            {"role": "tool", "tool_call_id": "1", "content": "42"},
        ],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"x": 1.0}}}],
        "stream_options": {"include_usage": True},
        "temperature": 0.30000000000000004,
        "metadata": {"team": "x"},
        "some_unknown_field": {"nested": [1, 2, None, True, 12345678901234567890]},
    }
    await turnout.stream(**body)
    assert mock.requests[0] == {**body, "model": "ok", "stream": True}


async def test_the_callers_key_never_reaches_the_upstream(
    turnout: RunningTurnout, mock: MockUpstream
) -> None:
    messages = [{"role": "user", "content": "x"}]
    await turnout.post(
        "/v1/chat/completions",
        {"model": "auto", "messages": messages},
        authorization="Bearer callers-own-key",
        cookie="a=b",
    )
    assert mock.headers[0]["authorization"] == "Bearer sk-upstream-secret"
    assert "callers-own-key" not in str(mock.headers)
    assert "cookie" not in mock.headers[0]


@pytest.mark.parametrize("stream", [False, True])
async def test_the_openai_sdk_reads_replies_and_usage(
    turnout: RunningTurnout, stream: bool
) -> None:
    async with AsyncOpenAI(base_url=f"{turnout.url}/v1", api_key="any") as client:
        messages = [{"role": "user", "content": "hello"}]
        if not stream:
            reply = await client.chat.completions.create(model="auto", messages=messages)  # type: ignore[arg-type]
            assert reply.choices[0].message.content == TEXT
            assert reply.usage is not None
            assert reply.usage.total_tokens == USAGE["total_tokens"]
            return
        chunks = await client.chat.completions.create(
            model="auto",
            messages=messages,  # type: ignore[arg-type]
            stream=True,
            stream_options={"include_usage": True},
        )
        text, usage = "", None
        async for chunk in chunks:
            usage = chunk.usage or usage
            text += (chunk.choices[0].delta.content or "") if chunk.choices else ""
        assert text == TEXT
        assert usage is not None
        assert usage.completion_tokens == USAGE["completion_tokens"]


async def test_a_decision_is_on_record_by_the_time_its_stream_has_ended(
    turnout: RunningTurnout,
) -> None:
    _, headers, _ = await turnout.stream(stream_options={"include_usage": True})
    status, record = await turnout.get(f"/v1/decisions/{headers['x-turnout-decision-id']}")
    assert status == 200
    assert record["outcome"] == "ok"
    assert record["chosen"] == {
        "model": "mock/ok",
        "rule": "default",
        "reason": "no route matched",
    }
    assert record["usage"] == {
        "input_tokens": 11,
        "output_tokens": 6,
        "cached_input_tokens": 3,
        "estimated": False,
    }
    assert record["cost_usd"] == pytest.approx((11 * 1 + 6 * 2) / 1e6)
    assert record["ttfb_ms"] > 0
    assert record["timings_ms"]["total"] >= record["ttfb_ms"]
    assert record["attempts"][0]["status"] == 200
    assert record["prompt"] is None


async def test_usage_is_estimated_and_says_so_where_the_upstream_is_silent(
    turnout: RunningTurnout,
) -> None:
    _, headers, _ = await turnout.stream()
    _, record = await turnout.get(f"/v1/decisions/{headers['x-turnout-decision-id']}")
    assert record["usage"]["estimated"] is True
    assert len(WORDS) <= record["usage"]["output_tokens"] <= len(WORDS) + 2


async def test_each_request_leaves_one_log_record_and_its_metrics(turnout: RunningTurnout) -> None:
    _, headers, _ = await turnout.chat()
    (line,) = turnout.logged()
    assert line["level"] == "INFO"
    assert line["service"].startswith("turnout")
    assert line["decision"]["id"] == headers["x-turnout-decision-id"]
    (metrics,) = turnout.metrics()
    names = {m["Name"] for m in metrics["_aws"]["CloudWatchMetrics"][0]["Metrics"]}
    assert names == {
        "Requests", "Fallbacks", "UpstreamErrors", "Errors", "Latency", "TimeToFirstByte",
        "InputTokens", "OutputTokens", "CostUSD",
    }  # fmt: skip
    service = ["service"]
    sets = metrics["_aws"]["CloudWatchMetrics"][0]["Dimensions"]
    assert sets == [service, [*service, "category"], [*service, "model"]]
    assert metrics["service"] == line["service"]
    assert metrics["category"] == "unknown"
    assert metrics["model"] == "mock/ok"


async def test_prompts_are_neither_logged_nor_stored_unless_the_policy_says_so(
    turnout: RunningTurnout,
) -> None:
    _, headers, _ = await turnout.chat()
    _, record = await turnout.get(f"/v1/decisions/{headers['x-turnout-decision-id']}")
    assert "sorts a list" not in turnout.log.getvalue()
    assert "sorts a list" not in json.dumps(record)


async def test_prompts_are_kept_where_the_policy_says_so(start) -> None:
    async with start("ok", policy={"record": {"prompts": True}}) as turnout:
        _, headers, _ = await turnout.chat()
        _, record = await turnout.get(f"/v1/decisions/{headers['x-turnout-decision-id']}")
        assert record["prompt"] == "Write a function that sorts a list."


async def test_upstream_keys_are_in_neither_log_nor_record(start) -> None:
    async with start("status-401", "ok") as turnout:
        status, _, reply = await turnout.chat()
        assert status == 502
        assert "refused Turnout's own key" in reply["error"]["message"]
        assert "sk-upstream-secret" not in turnout.log.getvalue() + json.dumps(reply)


async def test_a_client_that_leaves_ends_the_upstream_call_and_is_recorded(
    start,
    mock: MockUpstream,
) -> None:
    async with start("slow") as turnout:
        body = {"model": "auto", "stream": True, "messages": [{"role": "user", "content": "x"}]}
        async with aiohttp.ClientSession() as leaver:
            response = await leaver.post(f"{turnout.url}/v1/chat/completions", json=body)
            await response.content.readany()
            response.close()
        started = time.monotonic()
        async with asyncio.timeout(1):
            await mock.closed_by_client.wait()
        assert time.monotonic() - started < 1
        await until(turnout.logged)
        record = turnout.logged()[0]["decision"]
    assert record["outcome"] == "client_gone"
    assert record["usage"]["estimated"]
    assert 0 < record["usage"]["output_tokens"] < len(WORDS) + 2
    assert record["cost_usd"] > 0


async def test_route_decides_and_calls_nothing(turnout: RunningTurnout, mock: MockUpstream) -> None:
    body = {"model": "auto", "messages": [{"role": "user", "content": "x"}]}
    status, headers, reply = await turnout.post("/v1/route", body)
    decision = json.loads(reply)
    assert status == 200
    assert decision["outcome"] == "decided"
    assert decision["timings_ms"]["total"] > 0
    assert decision["chosen"]["model"] == "mock/ok"
    assert headers["x-turnout-decision-id"] == decision["id"]
    assert mock.requests == []
    assert (await turnout.get(f"/v1/decisions/{decision['id']}"))[1] == decision


async def test_a_session_keeps_its_seed(turnout: RunningTurnout) -> None:
    body = {"model": "auto", "messages": [{"role": "user", "content": "x"}]}
    seeds = set()
    for session in ("a", "a", "b"):
        _, _, reply = await turnout.post("/v1/route", body, **{"x-session-id": session})
        seeds.add(json.loads(reply)["seed"])
    assert len(seeds) == 2


async def test_a_session_keeps_its_model_where_weights_share_out_the_rest(
    start: StartTurnout,
) -> None:
    async with start("ok", "other", choice={"use": ["m0", "m1"]}) as turnout:

        async def models(**headers: str) -> set[str]:
            asked = {"model": "auto", "messages": [{"role": "user", "content": "x"}]}
            replies = [
                await turnout.post("/v1/chat/completions", asked, **headers) for _ in range(40)
            ]
            return {headers["x-turnout-model"] for _, headers, _ in replies}

        assert await models() == {"mock/ok", "mock/other"}
        assert len(await models(**{"x-turnout-session": "s"})) == 1


async def test_weights_share_out_traffic_among_those_that_are_well(
    start: StartTurnout, mock: MockUpstream
) -> None:
    async with start("status-503", "ok", "other", choice={"use": ["m0", "m1", "m2"]}) as turnout:
        replies = [await turnout.chat() for _ in range(80)]
    assert {status for status, _, _ in replies} == {200}
    calls = Counter(request["model"] for request in mock.requests)
    assert calls["status-503"] == 5
    assert min(calls["ok"], calls["other"]) > 20


async def test_models_lists_auto_policies_and_the_catalogue(turnout: RunningTurnout) -> None:
    _, listing = await turnout.get("/v1/models")
    assert [m["id"] for m in listing["data"]] == ["auto", "policy/test", "mock/ok"]
    assert [m["owned_by"] for m in listing["data"]] == ["turnout", "turnout", "mock"]
    assert ["can" in m for m in listing["data"]] == [False, False, True]


async def test_health_needs_no_key_and_tells_no_configuration(turnout: RunningTurnout) -> None:
    status, health = await turnout.get("/health")
    assert status == 200
    assert health["status"] == "ok"
    assert set(health) == {"status", "version", "classifier", "policy"}


async def test_any_stands_for_the_first_model_that_the_upstream_lists(start, mock) -> None:
    async with start("any") as turnout:
        status, headers, _ = await turnout.chat()
        assert status == 200
        assert headers["x-turnout-model"] == "mock/any"
        assert mock.requests[0]["model"] == "ok"


async def test_hundred_concurrent_streams_each_get_their_own_reply(turnout: RunningTurnout) -> None:
    replies = await asyncio.gather(*(turnout.stream() for _ in range(100)))
    assert all(text_of(stream) == TEXT for _, _, stream in replies)
    assert len({headers["x-turnout-decision-id"] for _, headers, _ in replies}) == 100


async def test_a_kept_prompt_is_redacted_before_it_is_stored_or_logged(start: StartTurnout) -> None:
    keeping = {"prompts": True, "redact": ["email"], "patterns": {"ticket": "TCK-[0-9]{6}"}}
    async with start("ok", policy={"record": keeping}) as turnout:
        messages = [{"role": "user", "content": "mail ann@example.com about TCK-123456"}]
        _, headers, _ = await turnout.chat(messages=messages)
        decision = headers["x-turnout-decision-id"]
        _, record = await turnout.get(f"/v1/decisions/{decision}")
        assert record["prompt"] == "mail [email] about [ticket]"
        assert "ann@" not in turnout.log.getvalue()
        assert "TCK-1" not in turnout.log.getvalue()
