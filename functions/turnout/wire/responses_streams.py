"""A stream of chat completion chunks becomes the events of OpenAI's Responses format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, Literal

from pydantic_core import from_json, to_json

from turnout.wire.fields import object_of, objects_of, reasoning_of, text_of
from turnout.wire.responses_replies import (
    begun_response,
    call_item,
    ended_response,
    last_status,
    new_item,
    new_part,
    response_usage,
)

_UNFINISHED: Final = "the stream ended without a finish reason"


@dataclass(frozen=True, slots=True)
class _PartKind:
    """Where a part of an output item goes, and what its events are called."""

    item: str
    parts: str
    part_event: str
    text_event: str
    index: str
    text: str = "text"
    more: Mapping[str, Any] = field(default_factory=dict)


_KINDS: Final[Mapping[str, _PartKind]] = {
    "summary_text": _PartKind(
        item="reasoning",
        parts="summary",
        part_event="response.reasoning_summary_part",
        text_event="response.reasoning_summary_text",
        index="summary_index",
    ),
    "output_text": _PartKind(
        item="message",
        parts="content",
        part_event="response.content_part",
        text_event="response.output_text",
        index="content_index",
        more={"logprobs": []},
    ),
    "refusal": _PartKind(
        item="message",
        parts="content",
        part_event="response.content_part",
        text_event="response.refusal",
        index="content_index",
        text="refusal",
    ),
}


class _EventWriter:
    """Writes events, numbered in their order."""

    def __init__(self) -> None:
        self._next = 0

    def write(self, kind: str, **fields: Any) -> bytes:
        payload = to_json({"type": kind, "sequence_number": self._next, **fields})
        self._next += 1
        return b"event: " + kind.encode() + b"\ndata: " + payload + b"\n\n"


@dataclass(slots=True)
class _Open:
    """An output item under way; `pieces` are the text of its part under way, whose kind is `part`,
    or the arguments of a function call."""

    index: int
    item: dict[str, Any]
    part: str | None = None
    pieces: list[str] = field(default_factory=list)

    def place(self) -> dict[str, Any]:
        """Return the fields that tell where in the response an event belongs."""
        place = {"item_id": self.item["id"], "output_index": self.index}
        if self.part:
            kind = _KINDS[self.part]
            place[kind.index] = len(self.item[kind.parts])
        return place

    def settle(self) -> str:
        """Put what came in pieces into the item, and return it."""
        text = "".join(self.pieces)
        self.pieces.clear()
        if self.part:
            self.item[_KINDS[self.part].parts].append(new_part(self.part, text))
            self.part = None
        elif self.item["type"] == "function_call":
            self.item["arguments"] = text
        return text


class _Output:
    """The output items of one response as they grow: one text at a time, calls side by side."""

    def __init__(self, response: Mapping[str, Any], events: _EventWriter) -> None:
        self.items: list[dict[str, Any]] = []
        self._response = response
        self._events = events
        self._open: dict[int | Literal["text"], _Open] = {}

    def grow(self, delta: Mapping[str, Any]) -> Iterator[bytes]:
        """Take a chunk's delta."""
        texts = {
            "summary_text": reasoning_of(delta),
            "output_text": text_of(delta, "content"),
            "refusal": text_of(delta, "refusal"),
        }
        for kind, text in texts.items():
            if text:
                yield from self._grow_text(kind, text)
        for call in objects_of(delta.get("tool_calls")):
            yield from self._grow_call(call)

    def close(self, last_status: str) -> Iterator[bytes]:
        """Close every item under way; `last_status` is that of the last."""
        keys = list(self._open)
        for key in keys:
            yield from self._close(key, last_status if key == keys[-1] else "completed")

    def abandon(self) -> list[dict[str, Any]]:
        """Return the items as far as they came. Those under way stay without their `done` events:
        a client may act on a call that is done."""
        for under_way in self._open.values():
            under_way.settle()
            under_way.item["status"] = "incomplete"
        return self.items

    def _grow_text(self, kind: str, text: str) -> Iterator[bytes]:
        names = _KINDS[kind]
        under_way = self._open.get("text")
        if under_way is None or under_way.item["type"] != names.item:
            role = {"role": "assistant"} if names.item == "message" else {}
            item = new_item(names.item, self._response, len(self.items), **role)
            yield from self._add("text", item | {names.parts: []})
            under_way = self._open["text"]
        if under_way.part != kind:
            yield from self._close_part(under_way)
            under_way.part = kind
            place, part = under_way.place(), new_part(kind, "")
            yield self._events.write(f"{names.part_event}.added", **place, part=part)
        under_way.pieces.append(text)
        fields = {**under_way.place(), "delta": text, **names.more}
        yield self._events.write(f"{names.text_event}.delta", **fields)

    def _grow_call(self, call: Mapping[str, Any]) -> Iterator[bytes]:
        index = call.get("index")
        key = index if isinstance(index, int) else 0
        under_way = self._open.get(key)
        # Some upstreams number every call 0; then the id alone tells a new one.
        if under_way is None or text_of(call, "id") not in ("", under_way.item["call_id"]):
            item = call_item(call, self._response, len(self.items))
            yield from self._add(key, item | {"arguments": ""})
            under_way = self._open[key]
        if arguments := text_of(object_of(call, "function"), "arguments"):
            under_way.pieces.append(arguments)
            kind = "response.function_call_arguments.delta"
            yield self._events.write(kind, **under_way.place(), delta=arguments)

    def _add(self, key: int | Literal["text"], item: dict[str, Any]) -> Iterator[bytes]:
        yield from self._close("text")
        yield from self._close(key)
        under_way = self._open[key] = _Open(len(self.items), item)
        self.items.append(item)
        kind = "response.output_item.added"
        yield self._events.write(kind, output_index=under_way.index, item=item)

    def _close(self, key: int | Literal["text"], status: str = "completed") -> Iterator[bytes]:
        under_way = self._open.pop(key, None)
        if under_way is None:
            return
        item = under_way.item
        if item["type"] == "function_call":
            kind = "response.function_call_arguments.done"
            arguments = under_way.settle()
            yield self._events.write(
                kind, **under_way.place(), name=item["name"], arguments=arguments
            )
        yield from self._close_part(under_way)
        item["status"] = status
        kind = "response.output_item.done"
        yield self._events.write(kind, output_index=under_way.index, item=item)

    def _close_part(self, under_way: _Open) -> Iterator[bytes]:
        if under_way.part is None:
            return
        names, kind, place = _KINDS[under_way.part], under_way.part, under_way.place()
        text = under_way.settle()
        yield self._events.write(
            f"{names.text_event}.done", **place, **{names.text: text}, **names.more
        )
        yield self._events.write(f"{names.part_event}.done", **place, part=new_part(kind, text))


class ResponseEventsFromChunks:
    """Turns the chunks of one chat completion into the events of one response.

    `request` is the body that came in. Reasoning goes out as a summary, as in OpenAI's Agents SDK.
    """

    def __init__(self, *, request: Mapping[str, Any]) -> None:
        self._request = request
        self._events = _EventWriter()
        self._response: dict[str, Any] = {}
        self._output = _Output(self._response, self._events)
        self._finish_reason: str | None = None
        self._usage: Mapping[str, Any] = {}
        self._ended = False

    def feed(self, data: bytes) -> bytes:
        """Return the events that one `data:` payload brings; with `[DONE]`, those that end them.

        A stream that breaks off after its finish reason may be given `[DONE]` all the same. What is
        no chunk is passed over; an error, or `[DONE]` without a finish reason, is `broken`.
        """
        if self._ended:
            return b""
        if data.strip() == b"[DONE]":
            return self._end()
        try:
            chunk = from_json(data)
        except ValueError:
            return b""
        if not isinstance(chunk, dict):
            return b""
        if error := chunk.get("error"):
            told = text_of(error, "message") if isinstance(error, dict) else str(error)
            return self.broken(told or "an error without a message")
        return b"".join(self._chunk(chunk))

    def broken(self, message: str) -> bytes:
        """Return the event that ends the stream with a failure, with what there is of the output."""
        if self._ended:
            return b""
        begun = b"".join(self._begin({}))
        self._ended = True
        error = {"code": "server_error", "message": message}
        output = self._output.abandon()
        failed = self._response | {"status": "failed", "error": error, "output": output}
        return begun + self._events.write("response.failed", response=failed)

    def _chunk(self, chunk: Mapping[str, Any]) -> Iterator[bytes]:
        self._usage = object_of(chunk, "usage") or self._usage
        for choice in islice(objects_of(chunk.get("choices")), 1):
            yield from self._begin(chunk)
            yield from self._output.grow(object_of(choice, "delta"))
            if reason := text_of(choice, "finish_reason"):
                self._finish_reason = reason
                yield from self._output.close(last_status(reason))

    def _begin(self, chunk: Mapping[str, Any]) -> Iterator[bytes]:
        if not self._response:
            self._response |= begun_response(chunk, request=self._request)
            yield self._events.write("response.created", response=self._response)
            yield self._events.write("response.in_progress", response=self._response)

    def _end(self) -> bytes:
        if self._finish_reason is None:
            return self.broken(_UNFINISHED)
        closed = b"".join(self._output.close(last_status(self._finish_reason)))
        self._ended = True
        response = ended_response(
            self._response,
            self._output.items,
            finish_reason=self._finish_reason,
            usage=response_usage(self._usage),
        )
        return closed + self._events.write(f"response.{response['status']}", response=response)
