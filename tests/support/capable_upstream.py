"""An upstream that does what it is asked, in OpenAI's format, Anthropic's or Bedrock's.

Tools given: it calls the first. A tool's result in the last turn: it repeats it. A JSON schema: it answers
by it. Images: it counts them. Reasoning asked for: it reasons. Otherwise it greets. `sent` is what came.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from support.bedrock_standin import converse_frames, converse_reply, is_signed, refused
from support.web_app import serving

ARGUMENTS = {"city": "Zürich"}
GREETING = ["Grüezi", " from", " the", " upstream", "."]
REASONING = "First I think."
JSON_ANSWER = '{"answer": 42}'
INPUT, CACHED, OUTPUT = 20, 5, 7


@dataclass
class Wanted:
    """What a request asks for, whichever format it came in."""

    tool: str | None
    parameters: dict[str, Any]
    result: str | None
    schema: dict[str, Any] | None
    images: int
    reasons: bool
    stream: bool

    @property
    def arguments(self) -> dict[str, Any]:
        return _by_schema(self.parameters)

    @property
    def text(self) -> list[str]:
        if self.result is not None:
            return [f"The tool said {self.result}."]
        if self.schema:
            answer = json.dumps(_by_schema(self.schema))
            return [answer[:5], answer[5:]]
        if self.images:
            return [f"{self.images} image", "."]
        return GREETING


class CapableUpstream:
    """All formats on one port: `/v1/chat/completions`, `/v1/messages`, `/model/ID/converse`."""

    def __init__(self) -> None:
        self.url = ""
        self.sent: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []

    async def chat(self, request: web.Request) -> web.StreamResponse:
        wanted = _wanted_by_chat(await self._body(request))
        if self.sent[-1]["model"] == "full":
            return web.json_response({"error": {"message": "too many"}}, status=429)
        if self.sent[-1]["model"] == "strict":
            return web.json_response({"error": {"message": "cannot be served"}}, status=400)
        if wanted.stream:
            return await _send(request, _chat_events(wanted, self.sent[-1]["model"]))
        return web.json_response(_completion(wanted))

    async def messages(self, request: web.Request) -> web.StreamResponse:
        wanted = _wanted_by_message(await self._body(request))
        status = {"full": 529, "strict": 400}.get(self.sent[-1]["model"])
        if status:
            error = {"type": "overloaded_error", "message": "cannot be served"}
            return web.json_response({"type": "error", "error": error}, status=status)
        if wanted.stream:
            return await _send(request, _message_events(wanted, self.sent[-1]["model"]))
        return web.json_response(_message(wanted))

    async def converse(self, request: web.Request) -> web.StreamResponse:
        body = await self._body(request)
        model = body["model"] = request.match_info["model"]
        if not is_signed(request, await request.read()):
            return refused(403, "AccessDeniedException", "the signature does not match")
        if model == "full":
            return refused(429, "ThrottlingException", "too many")
        if model == "strict":
            return refused(400, "ValidationException", "cannot be served")
        reply = _converse(_wanted_by_converse(body))
        if request.path.endswith("/converse"):
            return web.json_response(reply)
        frames = converse_frames(reply)
        frames = frames[:-2] if model == "breaks" else frames
        return await _send(request, frames, "application/vnd.amazon.eventstream")

    async def _body(self, request: web.Request) -> dict[str, Any]:
        body: dict[str, Any] = await request.json()
        self.sent.append(body)
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        return body


def _wanted_by_chat(body: dict[str, Any]) -> Wanted:
    last = body["messages"][-1]
    content = last.get("content")
    parts = content if isinstance(content, list) else []
    tools = body.get("tools") or []
    return Wanted(
        tool=tools[0]["function"]["name"] if tools else None,
        parameters=tools[0]["function"]["parameters"] if tools else {},
        result=str(content) if last["role"] == "tool" else None,
        schema=(body.get("response_format") or {}).get("json_schema", {}).get("schema"),
        images=sum(part["type"] == "image_url" for part in parts),
        reasons="reasoning_effort" in body,
        stream=bool(body.get("stream")),
    )


def _wanted_by_message(body: dict[str, Any]) -> Wanted:
    content = body["messages"][-1]["content"]
    blocks = content if isinstance(content, list) else []
    results = [block for block in blocks if block["type"] == "tool_result"]
    tools = [tool for tool in body.get("tools") or [] if "input_schema" in tool]
    return Wanted(
        tool=tools[0]["name"] if tools else None,
        parameters=tools[0]["input_schema"] if tools else {},
        result=_text(results[0]["content"]) if results else None,
        schema=(body.get("output_config") or {}).get("format", {}).get("schema"),
        images=sum(block["type"] == "image" for block in blocks),
        reasons="thinking" in body,
        stream=bool(body.get("stream")),
    )


def _wanted_by_converse(body: dict[str, Any]) -> Wanted:
    blocks = body["messages"][-1]["content"]
    tools = (body.get("toolConfig") or {}).get("tools") or []
    results = [block["toolResult"] for block in blocks if "toolResult" in block]
    schema = (body.get("outputConfig") or {}).get("textFormat", {}).get("structure", {})
    return Wanted(
        tool=tools[0]["toolSpec"]["name"] if tools else None,
        parameters=tools[0]["toolSpec"]["inputSchema"]["json"] if tools else {},
        result=_text(results[0]["content"]) if results else None,
        schema=json.loads(schema["jsonSchema"]["schema"]) if schema else None,
        images=sum("image" in block for block in blocks),
        reasons="thinking" in (body.get("additionalModelRequestFields") or {}),
        stream=False,
    )


def _converse(wanted: Wanted) -> dict[str, Any]:
    called = bool(wanted.tool) and wanted.result is None
    blocks: list[dict[str, Any]] = []
    if wanted.reasons:
        blocks.append({"reasoningContent": {"reasoningText": {"text": REASONING}}})
    if called:
        use = {"toolUseId": "tooluse_1", "name": wanted.tool, "input": wanted.arguments}
        blocks.append({"toolUse": use})
    else:
        blocks.append({"text": "".join(wanted.text)})
    usage = {
        "inputTokens": INPUT - CACHED,
        "cacheReadInputTokens": CACHED,
        "outputTokens": OUTPUT,
        "totalTokens": INPUT + OUTPUT,
    }
    return converse_reply(blocks, called=called, usage=usage)


def _by_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """Return an object as the schema wants it: an enumeration's first value, "Zürich", or 42."""
    plain = {"string": "Zürich", "integer": 42}
    return {
        name: wanted.get("enum", [plain[wanted["type"]]])[0]
        for name, wanted in schema["properties"].items()
    }


def _text(content: Any) -> str:
    return content if isinstance(content, str) else "".join(block["text"] for block in content)


def _completion(wanted: Wanted) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": "".join(wanted.text)}
    if wanted.reasons:
        message["reasoning_content"] = REASONING
    finish = "stop"
    if wanted.tool and wanted.result is None:
        function = {"name": wanted.tool, "arguments": json.dumps(wanted.arguments)}
        call = {"id": "call_1", "type": "function", "function": function}
        message |= {"content": None, "tool_calls": [call]}
        finish = "tool_calls"
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "capable",
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": _chat_usage(),
    }


def _chat_usage() -> dict[str, Any]:
    return {
        "prompt_tokens": INPUT,
        "completion_tokens": OUTPUT,
        "total_tokens": INPUT + OUTPUT,
        "prompt_tokens_details": {"cached_tokens": CACHED},
    }


def _chat_events(wanted: Wanted, model: str) -> list[bytes]:
    finish = "stop"
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    if wanted.reasons:
        deltas += [{"reasoning_content": REASONING[:6]}, {"reasoning_content": REASONING[6:]}]
    if wanted.tool and wanted.result is None:
        finish = "tool_calls"
        written = json.dumps(wanted.arguments)
        function = {"name": wanted.tool, "arguments": ""}
        deltas.append(
            {"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": function}]}
        )
        for piece in (written[:4], written[4:]):
            deltas.append({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})
    else:
        deltas += [{"content": word} for word in wanted.text]
    events = [_chunk([{"index": 0, "delta": delta, "finish_reason": None}]) for delta in deltas]
    if model == "breaks":
        return events[:3]
    events.append(_chunk([{"index": 0, "delta": {}, "finish_reason": finish}]))
    events.append(_chunk([], usage=_chat_usage()))
    return [*events, b"data: [DONE]\n\n"]


def _chunk(choices: list[dict[str, Any]], **more: Any) -> bytes:
    chunk = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "capable",
    }
    return b"data: " + json.dumps({**chunk, "choices": choices, **more}).encode() + b"\n\n"


def _blocks(wanted: Wanted) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = []
    if wanted.reasons:
        blocks.append({"type": "thinking", "thinking": REASONING, "signature": "s"})
    if wanted.tool and wanted.result is None:
        call = {"type": "tool_use", "id": "toolu_1", "name": wanted.tool, "input": wanted.arguments}
        blocks.append(call)
    else:
        blocks.append({"type": "text", "text": "".join(wanted.text)})
    return blocks


def _message(wanted: Wanted) -> dict[str, Any]:
    called = wanted.tool and wanted.result is None
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "capable",
        "content": _blocks(wanted),
        "stop_reason": "tool_use" if called else "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": INPUT - CACHED,
            "cache_read_input_tokens": CACHED,
            "cache_creation_input_tokens": 0,
            "output_tokens": OUTPUT,
        },
    }


def _message_events(wanted: Wanted, model: str) -> list[bytes]:
    whole = _message(wanted)
    begun = {**whole, "content": [], "stop_reason": None}
    begun["usage"] = {**whole["usage"], "output_tokens": 1}
    events = [_event("message_start", message=begun), _event("ping")]
    for index, block in enumerate(whole["content"]):
        events += _block_events(index, block)
    if model == "breaks":
        return events[:-1]
    delta = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    events.append(_event("message_delta", delta=delta, usage={"output_tokens": OUTPUT}))
    return [*events, _event("message_stop")]


def _block_events(index: int, block: dict[str, Any]) -> list[bytes]:
    kind = block["type"]
    field = {"text": "text", "thinking": "thinking", "tool_use": "input"}[kind]
    empty = {**block, field: {} if kind == "tool_use" else ""}
    written = json.dumps(block["input"]) if kind == "tool_use" else block[field]
    delta = {"text": "text_delta", "thinking": "thinking_delta", "tool_use": "input_json_delta"}[
        kind
    ]
    name = "partial_json" if kind == "tool_use" else field
    return [
        _event("content_block_start", index=index, content_block=empty),
        *(
            _event("content_block_delta", index=index, delta={"type": delta, name: piece})
            for piece in (written[:4], written[4:])
        ),
        _event("content_block_stop", index=index),
    ]


def _event(kind: str, **fields: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()


async def _send(
    request: web.Request, events: list[bytes], content_type: str = "text/event-stream"
) -> web.StreamResponse:
    response = web.StreamResponse(headers={"content-type": content_type})
    await response.prepare(request)
    for event in events:
        await response.write(event)
    return response


@asynccontextmanager
async def running_capable_upstream() -> AsyncIterator[CapableUpstream]:
    """Serve a capable upstream on a free port of loopback."""
    upstream = CapableUpstream()
    app = web.Application()
    app.router.add_post("/v1/chat/completions", upstream.chat)
    app.router.add_post("/v1/messages", upstream.messages)
    app.router.add_post("/model/{model}/converse", upstream.converse)
    app.router.add_post("/model/{model}/converse-stream", upstream.converse)
    async with serving(app) as port:
        upstream.url = f"http://127.0.0.1:{port}/v1"
        yield upstream
