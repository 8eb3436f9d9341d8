"""What Amazon Bedrock's Converse and ConverseStream reply becomes a chat completion, or its chunks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from pydantic_core import to_json

from turnout.wire.chunks import END, ChunkWriter, data_event

_FINISH_REASONS: Final[Mapping[str, str]] = {
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
}
"""By stop reason; every other one is `stop`."""
_ERRORS: Final[Mapping[str, str]] = {
    "throttlingException": "rate_limit_error",
    "validationException": "invalid_request_error",
}
"""Types of OpenAI's errors by exception in the stream; every other one is an `upstream_error`."""


def completion_from_converse(
    reply: Mapping[str, Any], *, model: str, request_id: str = "", created: int = 0
) -> dict[str, Any]:
    """Return the chat completion that tells what Converse's reply does.

    Converse gives no id and no time; they are taken from the caller. Signatures of reasoning,
    redacted reasoning, citations and images are left behind.
    """
    message = _message(reply["output"]["message"]["content"])
    choice = {
        "index": 0,
        "message": message,
        "logprobs": None,
        "finish_reason": _finish_reason(reply["stopReason"]),
    }
    return {
        "id": f"chatcmpl-{request_id}",
        "object": "chat.completion",
        "created": created,
        "model": model,
        "choices": [choice],
        "usage": _usage(reply["usage"]),
    }


class ChunksFromConverse:
    """Turns the events of one ConverseStream into those of a chat completion stream."""

    def __init__(
        self, *, model: str, include_usage: bool, request_id: str = "", created: int = 0
    ) -> None:
        self._chunks = ChunkWriter(f"chatcmpl-{request_id}", model=model, created=created)
        self._include_usage = include_usage
        self._calls: dict[int, int] = {}
        self._silent_calls: set[int] = set()
        self._ended = False

    def feed(self, event: Mapping[str, Any]) -> bytes:
        """Return the server-sent events that one event of ConverseStream brings; after an exception
        an error event, which is the last."""
        if self._ended:
            return b""
        return b"".join(
            piece for name, fields in event.items() for piece in self._pieces(name, fields)
        )

    def _pieces(self, name: str, fields: Mapping[str, Any]) -> Iterator[bytes]:
        match name:
            case "messageStart":
                yield self._chunks.begin()
            case "contentBlockStart":
                yield from self._start(fields)
            case "contentBlockDelta":
                yield from self._block_delta(fields)
            case "contentBlockStop":
                yield from self._stop(fields)
            case "messageStop":
                yield self._chunks.finish(_finish_reason(fields["stopReason"]))
            case "metadata":
                self._ended = True
                if self._include_usage:
                    yield self._chunks.usage(_usage(fields["usage"]))
                yield END
            case _ if name.endswith("Exception"):
                self._ended = True
                yield _error(name, fields)

    def _start(self, fields: Mapping[str, Any]) -> Iterator[bytes]:
        tool_use = fields["start"].get("toolUse")
        if tool_use is None:
            return
        index = self._calls[fields["contentBlockIndex"]] = len(self._calls)
        self._silent_calls.add(index)
        yield self._chunks.call(
            index,
            {"name": tool_use["name"], "arguments": ""},
            id=tool_use["toolUseId"],
            type="function",
        )

    def _block_delta(self, fields: Mapping[str, Any]) -> Iterator[bytes]:
        match fields["delta"]:
            case {"text": str(text)} if text:
                yield self._chunks.content(text)
            case {"reasoningContent": {"text": str(text)}} if text:
                yield self._chunks.reasoning(text)
            case {"toolUse": {"input": str(piece)}} if piece:
                index = self._calls[fields["contentBlockIndex"]]
                self._silent_calls.discard(index)
                yield self._chunks.call(index, {"arguments": piece})

    def _stop(self, fields: Mapping[str, Any]) -> Iterator[bytes]:
        index = self._calls.get(fields["contentBlockIndex"])
        if index in self._silent_calls:
            # A call without input sends no delta; callers want a JSON object all the same.
            yield self._chunks.call(index, {"arguments": "{}"})


def _message(blocks: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    texts, reasoning, calls = [], [], []
    for block in blocks:
        match block:
            case {"text": str(text)}:
                texts.append(text)
            case {"citationsContent": {"content": list(cited)}}:
                texts.extend(part["text"] for part in cited if "text" in part)
            case {"reasoningContent": {"reasoningText": {"text": str(text)}}}:
                reasoning.append(text)
            case {"toolUse": tool_use}:
                calls.append(_tool_call(tool_use))
    message: dict[str, Any] = {
        "role": "assistant",
        "content": "".join(texts) or None,
        "refusal": None,
    }
    if reasoning:
        message["reasoning_content"] = "".join(reasoning)
    if calls:
        message["tool_calls"] = calls
    return message


def _tool_call(tool_use: Mapping[str, Any]) -> dict[str, Any]:
    function = {"name": tool_use["name"], "arguments": to_json(tool_use["input"]).decode()}
    return {"id": tool_use["toolUseId"], "type": "function", "function": function}


def _finish_reason(stop_reason: str) -> str:
    return _FINISH_REASONS.get(stop_reason, "stop")


def _usage(usage: Mapping[str, Any]) -> dict[str, Any]:
    """Return the usage as OpenAI counts it: Converse's input is without what the cache read or wrote."""
    read, written = usage.get("cacheReadInputTokens", 0), usage.get("cacheWriteInputTokens", 0)
    prompt = usage["inputTokens"] + read + written
    return {
        "prompt_tokens": prompt,
        "completion_tokens": usage["outputTokens"],
        "total_tokens": prompt + usage["outputTokens"],
        "prompt_tokens_details": {"cached_tokens": read, "cache_write_tokens": written},
    }


def error_from_converse(answered: Mapping[str, Any]) -> dict[str, Any]:
    """Return OpenAI's error object for what Converse answers instead of a reply."""
    message = answered.get("message") or answered.get("Message") or "no message"
    kind = "invalid_request_error"
    return {"error": {"message": message, "type": kind, "param": None, "code": None}}


def _error(name: str, fields: Mapping[str, Any]) -> bytes:
    message = fields.get("message") or fields.get("originalMessage") or name
    kind = _ERRORS.get(name, "upstream_error")
    error = {"message": message, "type": kind, "param": None, "code": name}
    return data_event({"error": error})
