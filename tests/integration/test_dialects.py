"""Every wire format in, to every upstream format out, feature by feature, with the real SDKs as callers."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest

from support.bedrock_standin import ACCESS_KEY, REGION, SECRET_KEY
from support.capable_upstream import (
    ARGUMENTS,
    CACHED,
    GREETING,
    INPUT,
    JSON_ANSWER,
    OUTPUT,
    REASONING,
    CapableUpstream,
    running_capable_upstream,
)
from support.policies import active, document, model
from support.servers import RunningTurnout, running_turnout

TEXT = "".join(GREETING)
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()
SCHEMA = {
    "type": "object",
    "properties": {"answer": {"type": "integer"}},
    "required": ["answer"],
    "additionalProperties": False,
}
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}}


class Chat:
    """The openai SDK's chat completions."""

    def __init__(self, turnout: RunningTurnout) -> None:
        self.client = openai.AsyncOpenAI(base_url=f"{turnout.url}/v1", api_key="any", max_retries=0)

    async def ask(self, stream: bool, **options: Any) -> dict[str, Any]:
        messages: list[Any] = [
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": "Hello"},
        ]
        body: dict[str, Any] = {"model": "auto", "messages": messages}
        if "image" in options:
            url = {"url": f"data:image/png;base64,{PNG}"}
            messages[-1]["content"] = [
                {"type": "text", "text": "What is it?"},
                {"type": "image_url", "image_url": url},
            ]
        if "tools" in options:
            function = {"name": "weather", "description": "Of a city", "parameters": PARAMETERS}
            body["tools"] = [{"type": "function", "function": function}]
        if "result" in options:
            call = {"name": "weather", "arguments": json.dumps(ARGUMENTS)}
            calls = [{"id": "call_1", "type": "function", "function": call}]
            messages.append({"role": "assistant", "content": None, "tool_calls": calls})
            messages.append(
                {"role": "tool", "tool_call_id": "call_1", "content": options["result"]}
            )
        if "schema" in options:
            named = {"name": "answer", "schema": SCHEMA, "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": named}
        if "reasoning" in options:
            body["reasoning_effort"] = "low"
        if not stream:
            completion = await self.client.chat.completions.create(**body)
            return _told_by_completion(completion.to_dict())
        body["stream_options"] = {"include_usage": True}
        chunks = await self.client.chat.completions.create(**body, stream=True)
        return _told_by_chunks([chunk.to_dict() async for chunk in chunks])


def _told_by_completion(completion: dict[str, Any]) -> dict[str, Any]:
    choice, usage = completion["choices"][0], completion["usage"]
    message = choice["message"]
    calls = message.get("tool_calls") or []
    return {
        "text": message.get("content") or "",
        "reasoning": message.get("reasoning_content", ""),
        "calls": [(c["function"]["name"], json.loads(c["function"]["arguments"])) for c in calls],
        "ended": choice["finish_reason"],
        "usage": (
            usage["prompt_tokens"],
            usage["prompt_tokens_details"]["cached_tokens"],
            usage["completion_tokens"],
        ),
    }


def _told_by_chunks(chunks: list[dict[str, Any]]) -> dict[str, Any]:
    message: dict[str, Any] = {"content": "", "reasoning_content": ""}
    calls: dict[int, dict[str, Any]] = {}
    finish, usage = None, {}
    for chunk in chunks:
        usage = chunk.get("usage") or usage
        for choice in chunk["choices"]:
            delta = choice["delta"]
            message["content"] += delta.get("content") or ""
            message["reasoning_content"] += delta.get("reasoning_content") or ""
            for part in delta.get("tool_calls") or []:
                call = calls.setdefault(part["index"], {"name": "", "arguments": ""})
                call["name"] += part["function"].get("name") or ""
                call["arguments"] += part["function"].get("arguments") or ""
            finish = choice.get("finish_reason") or finish
    message["tool_calls"] = [{"function": call} for call in calls.values()]
    return _told_by_completion(
        {"choices": [{"message": message, "finish_reason": finish}], "usage": usage}
    )


class Responses:
    """The openai SDK's responses."""

    def __init__(self, turnout: RunningTurnout) -> None:
        self.client = openai.AsyncOpenAI(base_url=f"{turnout.url}/v1", api_key="any", max_retries=0)

    async def ask(self, stream: bool, **options: Any) -> dict[str, Any]:
        content: list[Any] = [{"type": "input_text", "text": "Hello"}]
        items: list[Any] = [{"role": "user", "content": content}]
        body: dict[str, Any] = {"model": "auto", "input": items, "instructions": "Be kind."}
        if "image" in options:
            content.append(
                {
                    "type": "input_image",
                    "detail": "auto",
                    "image_url": f"data:image/png;base64,{PNG}",
                }
            )
        if "tools" in options:
            body["tools"] = [
                {"type": "function", "name": "weather", "parameters": PARAMETERS, "strict": False}
            ]
        if "result" in options:
            call = {"type": "function_call", "call_id": "call_1", "name": "weather"}
            items.append({**call, "arguments": json.dumps(ARGUMENTS)})
            items.append(
                {"type": "function_call_output", "call_id": "call_1", "output": options["result"]}
            )
        if "schema" in options:
            body["text"] = {"format": {"type": "json_schema", "name": "answer", "schema": SCHEMA}}
        if "reasoning" in options:
            body["reasoning"] = {"effort": "low"}
        if not stream:
            return self._told(await self.client.responses.create(**body))
        async with self.client.responses.stream(**body) as events:
            async for _ in events:
                pass
            return self._told(await events.get_final_response())

    def _told(self, response: Any) -> dict[str, Any]:
        calls = [item for item in response.output if item.type == "function_call"]
        thoughts = [item for item in response.output if item.type == "reasoning"]
        usage = response.usage
        assert response.status == "completed"
        return {
            "text": response.output_text,
            "reasoning": "".join(part.text for item in thoughts for part in item.summary),
            "calls": [(call.name, json.loads(call.arguments)) for call in calls],
            "ended": "tool_calls" if calls else "stop",
            "usage": (
                usage.input_tokens,
                usage.input_tokens_details.cached_tokens,
                usage.output_tokens,
            ),
        }


class Messages:
    """The anthropic SDK's messages."""

    def __init__(self, turnout: RunningTurnout) -> None:
        self.client = anthropic.AsyncAnthropic(base_url=turnout.url, api_key="any", max_retries=0)

    async def ask(self, stream: bool, **options: Any) -> dict[str, Any]:
        content: list[Any] = [{"type": "text", "text": "Hello"}]
        messages: list[Any] = [{"role": "user", "content": content}]
        body: dict[str, Any] = {"model": "auto", "max_tokens": 4096, "system": "Be kind."}
        body["messages"] = messages
        if "image" in options:
            source = {"type": "base64", "media_type": "image/png", "data": PNG}
            content.append({"type": "image", "source": source})
        if "tools" in options:
            body["tools"] = [{"name": "weather", "input_schema": PARAMETERS}]
        if "result" in options:
            use = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": ARGUMENTS}
            result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": options["result"]}
            messages.append({"role": "assistant", "content": [use]})
            messages.append({"role": "user", "content": [result]})
        if "schema" in options:
            body["output_config"] = {"format": {"type": "json_schema", "schema": SCHEMA}}
        if "reasoning" in options:
            body["thinking"] = {"type": "enabled", "budget_tokens": 1024}
        if not stream:
            return self._told(await self.client.messages.create(**body))
        async with self.client.messages.stream(**body) as events:
            return self._told(await events.get_final_message())

    def _told(self, message: Any) -> dict[str, Any]:
        blocks = message.content
        usage = message.usage
        cached = usage.cache_read_input_tokens or 0
        return {
            "text": "".join(b.text for b in blocks if b.type == "text"),
            "reasoning": "".join(b.thinking for b in blocks if b.type == "thinking"),
            "calls": [(b.name, b.input) for b in blocks if b.type == "tool_use"],
            "ended": {"tool_use": "tool_calls", "end_turn": "stop"}[message.stop_reason],
            "usage": (usage.input_tokens + cached, cached, usage.output_tokens),
        }


CLIENTS = {"chat": Chat, "responses": Responses, "messages": Messages}
Caller = Chat | Responses | Messages


@pytest.fixture
async def upstream() -> AsyncIterator[CapableUpstream]:
    async with running_capable_upstream() as upstream:
        yield upstream


@pytest.fixture(params=["openai", "anthropic", "bedrock"])
def address(
    request: pytest.FixtureRequest, upstream: CapableUpstream, monkeypatch: pytest.MonkeyPatch
) -> str:
    if request.param == "bedrock":
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
        monkeypatch.setenv("AWS_REGION", REGION)
        return f"bedrock+{upstream.url.removesuffix('/v1')}"
    return upstream.url if request.param == "openai" else f"anthropic+{upstream.url}"


@pytest.fixture
async def turnout(address: str, tmp_path: Path) -> AsyncIterator[RunningTurnout]:
    policy = active(document(models={"small": model(id="claude-sonnet-4-5")}))
    async with running_turnout({"test": policy}, {"mock": address}, tmp_path) as running:
        yield running


@pytest.fixture(params=list(CLIENTS))
async def caller(request: pytest.FixtureRequest, turnout: RunningTurnout) -> AsyncIterator[Caller]:
    caller = CLIENTS[request.param](turnout)
    yield caller
    await caller.client.close()


streamed = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


@streamed
async def test_text_and_usage(caller: Caller, stream: bool) -> None:
    told = await caller.ask(stream)
    assert told["text"] == TEXT
    assert told["ended"] == "stop"
    assert told["usage"] == (INPUT, CACHED, OUTPUT)


@streamed
async def test_a_tool_is_called(caller: Caller, stream: bool, upstream: CapableUpstream) -> None:
    told = await caller.ask(stream, tools=True)
    assert told["calls"] == [("weather", ARGUMENTS)]
    assert told["ended"] == "tool_calls"
    assert "weather" in json.dumps(upstream.sent[-1])


@streamed
async def test_a_tools_result_is_read(caller: Caller, stream: bool) -> None:
    told = await caller.ask(stream, tools=True, result="18 degrees")
    assert told["text"] == "The tool said 18 degrees."


@streamed
async def test_an_image_is_seen(caller: Caller, stream: bool, upstream: CapableUpstream) -> None:
    told = await caller.ask(stream, image=True)
    assert told["text"] == "1 image."
    assert PNG in json.dumps(upstream.sent[-1])


@streamed
async def test_a_json_schema_is_kept_to(
    caller: Caller, stream: bool, upstream: CapableUpstream
) -> None:
    told = await caller.ask(stream, schema=True)
    assert told["text"] == JSON_ANSWER
    assert "additionalProperties" in json.dumps(upstream.sent[-1])


@streamed
async def test_reasoning_is_asked_for_and_told(caller: Caller, stream: bool) -> None:
    told = await caller.ask(stream, reasoning=True)
    assert told["reasoning"] == REASONING
    assert told["text"] == TEXT


async def test_the_system_prompt_arrives(caller: Caller, upstream: CapableUpstream) -> None:
    await caller.ask(False)
    assert "Be kind." in json.dumps(upstream.sent[-1])


async def test_every_request_is_recorded_with_its_usage_and_cost(
    caller: Caller, turnout: RunningTurnout
) -> None:
    await caller.ask(True)
    record = turnout.logged()[-1]["decision"]
    assert record["outcome"] == "ok"
    assert record["usage"]["input_tokens"] == INPUT
    assert record["usage"]["cached_input_tokens"] == CACHED
    assert not record["usage"]["estimated"]


async def test_upstreams_get_their_own_kind_of_key(
    caller: Caller, address: str, upstream: CapableUpstream
) -> None:
    await caller.ask(False)
    headers = upstream.headers[-1]
    if address.startswith("anthropic+"):
        assert headers["x-api-key"] == "sk-upstream-secret"
        assert "anthropic-version" in headers
        assert "authorization" not in headers
    elif address.startswith("bedrock+"):
        assert headers["authorization"].startswith("AWS4-HMAC-SHA256 ")
        assert "sk-upstream-secret" not in str(headers)
    else:
        assert headers["authorization"] == "Bearer sk-upstream-secret"


@pytest.fixture
def failing(address: str, tmp_path: Path) -> Any:
    def start(*ids: str) -> Any:
        names = [f"m{i}" for i in range(len(ids))]
        models = {name: model(id=id_) for name, id_ in zip(names, ids, strict=True)}
        policy = document(models=models, default={"use": [names[0]], "fallback": names[1:]})
        return running_turnout({"test": active(policy)}, {"mock": address}, tmp_path)

    return start


@streamed
@pytest.mark.parametrize("kind", list(CLIENTS))
async def test_a_full_upstream_is_fallen_back_from_unseen(
    failing: Any, kind: str, stream: bool
) -> None:
    async with failing("full", "claude-sonnet-4-5") as turnout:
        caller = CLIENTS[kind](turnout)
        assert (await caller.ask(stream))["text"] == TEXT
        await caller.client.close()


@pytest.mark.parametrize("kind", list(CLIENTS))
async def test_a_reply_that_breaks_off_is_an_error_to_the_sdk(failing: Any, kind: str) -> None:
    async with failing("breaks") as turnout:
        caller = CLIENTS[kind](turnout)
        with pytest.raises((openai.OpenAIError, anthropic.AnthropicError, RuntimeError)):
            await caller.ask(True)
        await caller.client.close()
        assert turnout.logged()[-1]["decision"]["outcome"] == "broken"


@pytest.mark.parametrize("kind", list(CLIENTS))
async def test_a_request_that_the_upstream_refuses_is_refused_in_the_callers_format(
    failing: Any, kind: str
) -> None:
    async with failing("strict") as turnout:
        caller = CLIENTS[kind](turnout)
        with pytest.raises((openai.BadRequestError, anthropic.BadRequestError)) as raised:
            await caller.ask(False)
        assert "cannot be served" in str(raised.value)
        await caller.client.close()


@pytest.mark.parametrize("kind", list(CLIENTS))
async def test_when_nobody_answers_the_sdk_raises_with_the_attempts(
    failing: Any, kind: str
) -> None:
    async with failing("full", "full") as turnout:
        caller = CLIENTS[kind](turnout)
        with pytest.raises((openai.APIStatusError, anthropic.APIStatusError)) as raised:
            await caller.ask(False)
        error = raised.value.body
        assert isinstance(error, dict)
        attempts = error.get("error", error)["attempts"]
        assert {attempt["model"] for attempt in attempts} == {"mock/full"}
        assert len(attempts) in (2, 3)
        await caller.client.close()


async def test_wrong_bodies_are_refused_in_the_callers_format_and_name_the_field(
    turnout: RunningTurnout,
) -> None:
    status, _, body = await turnout.post("/v1/messages", {"model": "auto", "messages": 3})
    error = json.loads(body)
    assert status == 400
    assert (error["type"], error["error"]["type"]) == ("error", "invalid_request_error")
    assert error["error"]["param"]
    status, _, body = await turnout.post(
        "/v1/responses", {"model": "auto", "input": "hi", "previous_response_id": "r"}
    )
    assert status == 400
    assert json.loads(body)["error"]["param"] == "previous_response_id"


async def test_tokens_of_a_message_are_estimated(turnout: RunningTurnout) -> None:
    messages = [{"role": "user", "content": "word " * 100}]
    status, _, body = await turnout.post(
        "/v1/messages/count_tokens", {"model": "auto", "max_tokens": 1, "messages": messages}
    )
    assert status == 200
    assert 100 <= json.loads(body)["input_tokens"] <= 150
