"""A stream of Anthropic's messages becomes that of a chat completion, an event at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from turnout.wire.anthropic_replies import (
    chat_usage,
    completion_id_of,
    error_from_anthropic,
    finish_reason_of,
    parsed_object,
    tool_call,
)
from turnout.wire.chunks import END, ChunkWriter, data_event
from turnout.wire.fields import count_of, object_of, text_of

_NO_EVENT: Final = {
    "type": "error",
    "error": {"message": "the upstream sent an event that is no JSON object"},
}


class ChunksFromMessages:
    """Turns the events of one Messages stream into those of a chat completion stream.

    `include_usage` is the caller's `stream_options.include_usage`. Signatures, redacted thinking,
    citations and the blocks of server tools are left behind.
    """

    def __init__(self, *, model: str, include_usage: bool = False, created: int = 0) -> None:
        self._chunks = ChunkWriter(completion_id_of(None), model=model, created=created)
        self._include_usage = include_usage
        self._usage: dict[str, Any] = {}
        self._stop_reason: object = None
        self._calls: dict[int, int] = {}
        self._silent: dict[int, Mapping[str, Any]] = {}
        self._ended = False

    def feed(self, event: str, data: bytes) -> bytes:
        """Return the server-sent events that one event brings; after an error event, none.

        `event` stands in where the payload does not tell its type.
        """
        if self._ended:
            return b""
        payload = parsed_object(data)
        payload = _NO_EVENT if payload is None else payload
        return b"".join(self._events(text_of(payload, "type") or event, payload))

    def _events(self, kind: str, payload: Mapping[str, Any]) -> Iterator[bytes]:
        index = count_of(payload, "index")
        match kind:
            case "message_start":
                yield self._start(object_of(payload, "message"))
            case "content_block_start":
                yield from self._block_start(index, object_of(payload, "content_block"))
            case "content_block_delta":
                yield from self._block_delta(index, object_of(payload, "delta"))
            case "content_block_stop":
                yield from self._block_stop(index)
            case "message_delta":
                reason = object_of(payload, "delta").get("stop_reason")
                self._stop_reason = reason or self._stop_reason
                self._see_usage(payload)
            case "message_stop":
                yield from self._end()
            case "error":
                self._ended = True
                yield data_event(error_from_anthropic(payload))

    def _start(self, message: Mapping[str, Any]) -> bytes:
        self._chunks.completion_id = completion_id_of(message.get("id"))
        self._see_usage(message)
        return self._chunks.begin()

    def _see_usage(self, told: Mapping[str, Any]) -> None:
        # Counts are totals so far; those that stay as the first event told them are null or missing.
        usage = object_of(told, "usage")
        self._usage |= {name: count for name, count in usage.items() if count is not None}

    def _block_start(self, index: int, block: Mapping[str, Any]) -> Iterator[bytes]:
        match block:
            case {"type": "tool_use"}:
                self._silent[index] = block
                position = self._calls[index] = len(self._calls)
                call = tool_call({**block, "input": {}})
                function = {"name": call["function"]["name"], "arguments": ""}
                yield self._chunks.call(position, function, id=call["id"], type="function")
            case {"type": "text", "text": str(text)} if text:
                yield self._chunks.content(text)
            case {"type": "thinking", "thinking": str(text)} if text:
                yield self._chunks.reasoning(text)

    def _block_delta(self, index: int, delta: Mapping[str, Any]) -> Iterator[bytes]:
        match delta:
            case {"type": "text_delta", "text": str(text)} if text:
                yield self._chunks.content(text)
            case {"type": "thinking_delta", "thinking": str(text)} if text:
                yield self._chunks.reasoning(text)
            case {"type": "input_json_delta", "partial_json": str(piece)} if piece:
                if index in self._calls:
                    self._silent.pop(index, None)
                    yield self._arguments(index, piece)

    def _block_stop(self, index: int) -> Iterator[bytes]:
        # A call without input, or whose input came at its start, sends no delta; chat wants JSON.
        if block := self._silent.pop(index, None):
            yield self._arguments(index, tool_call(block)["function"]["arguments"])

    def _arguments(self, index: int, piece: str) -> bytes:
        return self._chunks.call(self._calls[index], {"arguments": piece})

    def _end(self) -> Iterator[bytes]:
        self._ended = True
        for index in [*self._silent]:
            yield from self._block_stop(index)
        yield self._chunks.finish(finish_reason_of(self._stop_reason))
        if self._include_usage:
            yield self._chunks.usage(chat_usage(self._usage))
        yield END
