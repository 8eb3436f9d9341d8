"""A chat completion's stream becomes one of Anthropic's messages, an event at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from turnout.wire.anthropic_replies import (
    anthropic_error,
    message_id_of,
    message_usage,
    new_message,
    parsed_object,
    stop_reason_of,
    tool_use_id,
)
from turnout.wire.chunks import data_event
from turnout.wire.fields import count_of, object_of, objects_of, reasoning_of, text_of

UNFINISHED: Final = "the stream ended without a finish reason"

_DONE: Final = b"[DONE]"
_BROKE: Final = 502
"""What the upstream's failure in a stream would have been as a status."""


@dataclass(slots=True)
class _Call:
    """A tool call as far as it has come."""

    id: str
    name: str
    arguments: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        return parsed_object("".join(self.arguments)) is not None


class MessagesFromChunks:
    """Turns the chunks of one chat completion stream into the events of a Messages stream.

    `input_tokens` is an estimate, for the first event and for a stream that tells no usage. Only
    the first choice is read. Blocks never overlap: what comes while a tool call is being written
    waits until that call's arguments are whole.
    """

    def __init__(self, *, model: str, input_tokens: int) -> None:
        self._model = model
        self._usage = message_usage({"prompt_tokens": input_tokens})
        self._message_id: str | None = None
        self._open: str | None = None
        self._blocks = 0
        self._calls: list[_Call] = []
        self._latest: dict[int, _Call] = {}
        self._begun = 0
        self._late: list[tuple[str, str]] = []
        self._finish_reason: object = None
        self._refused = False
        self._ended = False

    def feed(self, data: bytes) -> bytes:
        """Return the events that the payload of one `data:` line brings; none after the last.

        Give it `[DONE]` at the stream's end even where the upstream sent none.
        """
        if self._ended:
            return b""
        if data.strip() == _DONE:
            return b"".join(self._end()) if self._finish_reason else self.broken(UNFINISHED)
        chunk = parsed_object(data)
        if chunk is None:
            return self.broken("the upstream sent a chunk that is no JSON object")
        if chunk.get("error"):
            error = object_of(chunk, "error") or {"message": chunk["error"]}
            return self.broken(text_of(error, "message") or "an error without a message")
        return b"".join(self._events(chunk))

    def broken(self, message: str) -> bytes:
        """Return the event that ends the stream with an error."""
        if self._ended:
            return b""
        self._ended = True
        return _event(anthropic_error(message, status=_BROKE))

    def _events(self, chunk: Mapping[str, Any]) -> Iterator[bytes]:
        yield from self._start(chunk)
        for choice in objects_of(chunk.get("choices")):
            if count_of(choice, "index") == 0:
                yield from self._choice(choice)
        if usage := object_of(chunk, "usage"):
            self._usage = message_usage(usage)
            if self._finish_reason:
                yield from self._end()

    def _start(self, chunk: Mapping[str, Any]) -> Iterator[bytes]:
        if self._message_id is None:
            self._message_id = message_id_of(chunk.get("id"))
            message = new_message(self._message_id, self._model)
            yield _event({"type": "message_start", "message": message | {"usage": self._usage}})

    def _choice(self, choice: Mapping[str, Any]) -> Iterator[bytes]:
        delta = object_of(choice, "delta")
        refusal = text_of(delta, "refusal")
        self._refused = self._refused or bool(refusal)
        yield from self._text("thinking", reasoning_of(delta))
        yield from self._text("text", text_of(delta, "content") + refusal)
        for piece in objects_of(delta.get("tool_calls")):
            yield from self._call(piece)
        if choice.get("finish_reason"):
            self._finish_reason = choice["finish_reason"]
            yield from self._close()
            for kind, text in self._late:
                yield from self._text(kind, text)
            yield from self._close()

    def _text(self, kind: str, text: str) -> Iterator[bytes]:
        if not text:
            return
        if self._amid_call():
            self._late.append((kind, text))
            return
        self._usage["output_tokens"] += 1
        if self._open != kind:
            signature = {"signature": ""} if kind == "thinking" else {}
            yield from self._close()
            yield self._block(kind, {kind: "", **signature})
        yield self._block_delta({"type": f"{kind}_delta", kind: text})

    def _call(self, piece: Mapping[str, Any]) -> Iterator[bytes]:
        call, arguments = self._called(piece), text_of(object_of(piece, "function"), "arguments")
        call.arguments.append(arguments)
        self._usage["output_tokens"] += 1
        if self._open == "tool_use" and call is self._calls[self._begun - 1]:
            yield from self._arguments(arguments)
        while self._begun < len(self._calls) and not self._amid_call():
            yield from self._next_call()

    def _amid_call(self) -> bool:
        return self._open == "tool_use" and not self._calls[self._begun - 1].complete

    def _called(self, piece: Mapping[str, Any]) -> _Call:
        """Return the call that a piece belongs to. Some upstreams number every call 0; a new id and
        a name tell theirs apart."""
        index, call_id = count_of(piece, "index"), text_of(piece, "id")
        name = text_of(object_of(piece, "function"), "name")
        known = self._latest.get(index)
        if known is None or (name and call_id and call_id != known.id):
            position = len(self._calls)
            known = _Call(call_id or tool_use_id(self._message_id or "", position), name)
            self._latest[index] = known
            self._calls.append(known)
        return known

    def _next_call(self) -> Iterator[bytes]:
        yield from self._close_block()
        call = self._calls[self._begun]
        self._begun += 1
        yield self._block("tool_use", {"id": call.id, "name": call.name, "input": {}})
        yield from self._arguments("".join(call.arguments))

    def _arguments(self, piece: str) -> Iterator[bytes]:
        if piece:
            yield self._block_delta({"type": "input_json_delta", "partial_json": piece})

    def _close(self) -> Iterator[bytes]:
        """Close the open block, with the calls that were waiting for it to be closed."""
        while self._begun < len(self._calls):
            yield from self._next_call()
        yield from self._close_block()

    def _close_block(self) -> Iterator[bytes]:
        if self._open is not None:
            self._open = None
            yield _event({"type": "content_block_stop", "index": self._blocks - 1})

    def _block(self, kind: str, fields: Mapping[str, Any]) -> bytes:
        self._open = kind
        self._blocks += 1
        block = {"type": kind, **fields}
        index = self._blocks - 1
        return _event({"type": "content_block_start", "index": index, "content_block": block})

    def _block_delta(self, delta: Mapping[str, Any]) -> bytes:
        return _event({"type": "content_block_delta", "index": self._blocks - 1, "delta": delta})

    def _end(self) -> Iterator[bytes]:
        yield from self._close()
        self._ended = True
        reason = stop_reason_of(
            self._finish_reason, called=bool(self._calls), refused=self._refused
        )
        delta = {"stop_reason": reason, "stop_sequence": None}
        yield _event({"type": "message_delta", "delta": delta, "usage": self._usage})
        yield _event({"type": "message_stop"})


def _event(payload: Mapping[str, Any]) -> bytes:
    return b"event: " + text_of(payload, "type").encode() + b"\n" + data_event(payload)
