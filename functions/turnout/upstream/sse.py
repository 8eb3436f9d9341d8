"""Server-sent events on their way through: whole events only, looked at but not changed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from pydantic_core import from_json

from turnout.cost import Usage

MOST_EVENT_BYTES: Final = 1 << 20
UNFINISHED: Final = "the stream ended without a finish reason"

_BOM: Final = b"\xef\xbb\xbf"
_EVENT_END: Final = re.compile(rb"(?:\r\n|\n|\r(?!\n)){2}")
_DATA_LINE: Final = re.compile(rb"^data:[ ]?(.*?)$", re.MULTILINE)
_FINISH: Final = re.compile(rb'"finish_reason"\s*:\s*"')
# A line may also begin behind a lone CR, where `^` does not match.
_ERROR: Final = re.compile(rb'(?<![^\r\n])data:[ \t]*(\{\s*"error"\s*:\s*[{"][^\r\n]*)')
_DONE: Final = re.compile(rb"(?<![^\r\n])data:[ \t]*\[DONE\]")


class EventTooLarge(Exception):
    """One event is over MOST_EVENT_BYTES."""


class NotAChunk(Exception):
    """A payload that is not a chat completion chunk; the message is what it said instead."""


class EventSplitter:
    """Takes bytes as they come and gives them back cut at event boundaries, so that what has been
    passed on never ends in the middle of an event."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, chunk: bytes) -> bytes:
        """Return every byte up to the last event boundary seen. Raises EventTooLarge."""
        if not self._rest and chunk.endswith(b"\n\n"):
            return chunk
        pending = self._rest + chunk
        # Boundaries span at most four bytes; those before the new chunk were found already.
        end = 0
        for match in _EVENT_END.finditer(pending, max(0, len(self._rest) - 3)):
            end = match.end()
        self._rest = pending[end:]
        if len(self._rest) > MOST_EVENT_BYTES:
            raise EventTooLarge(f"an event is over {MOST_EVENT_BYTES >> 20} MiB")
        return pending[:end]

    def flush(self) -> bytes:
        """Return what is left when the stream has ended: an event without its closing blank line."""
        rest, self._rest = self._rest, b""
        return rest


def data_lines(events: bytes) -> Iterator[bytes]:
    """Yield the payload of every `data:` line."""
    for match in _DATA_LINE.finditer(
        events.removeprefix(_BOM).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    ):
        yield match[1]


def named_events(events: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the (name, data) of each whole event; several data lines of one are joined."""
    text = events.removeprefix(_BOM).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    for block in text.split(b"\n\n"):
        name, data = "message", []
        for line in block.split(b"\n"):
            field, _, value = line.partition(b":")
            value = value.removeprefix(b" ")
            if field == b"event":
                name = value.decode("utf-8", "replace")
            elif field == b"data":
                data.append(value)
        if data:
            yield name, b"\n".join(data)


class ChatStreamWatch:
    """Tells of a chat completion stream that goes by whether it finished, failed, and what it used.

    Events are parsed only when they may hold usage; the rest is told by patterns that cannot match
    inside a JSON string, where quotes are escaped.
    """

    def __init__(self) -> None:
        self.finished = False
        self.done = False
        self.error: str | None = None
        self.usage: Usage | None = None
        self.deltas = 0

    def see(self, events: bytes) -> bytes:
        """Look at whole events and return those to pass on: all of them, or those before the error."""
        self.deltas += events.count(b'"delta"')
        if not self.finished and _FINISH.search(events):
            self.finished = True
        if b'"usage"' in events:
            self._read_usage(events)
        if b'"error"' in events and (match := _ERROR.search(events)):
            self.error = error_message(json_object(match[1])) or "an error without a message"
            return events[: match.start()]
        if b"[DONE]" in events and (match := _DONE.search(events)):
            self.done = self.finished
            if not self.finished:
                self.error = UNFINISHED
                return events[: match.start()]
        return events

    def _read_usage(self, events: bytes) -> None:
        for payload in data_lines(events):
            if b'"usage"' in payload:
                self.usage = usage_of(json_object(payload)) or self.usage


def first_content(events: bytes) -> bytes | None:
    """Return the first payload that carries content, or None while there is none.

    A role alone is no content, nor is an empty chunk. Raises NotAChunk for a payload that is not a
    chat completion chunk, an error object say.
    """
    for payload in data_lines(events):
        chunk = json_object(payload)
        choices = chunk.get("choices")
        if not isinstance(choices, list):
            raise NotAChunk(error_message(chunk) or payload[:200].decode("utf-8", "replace"))
        if any(isinstance(choice, dict) and _has_content(choice) for choice in choices):
            return payload
    return None


def error_message(answer: dict[str, Any]) -> str | None:
    """Return the message of an error object in any of the shapes upstreams use, or None."""
    error = answer.get("error", answer)
    message = error.get("message") if isinstance(error, dict) else error
    return message[:500] if isinstance(message, str) else None


def _has_content(choice: dict[str, Any]) -> bool:
    delta = choice.get("delta")
    fields = delta.items() if isinstance(delta, dict) else ()
    return bool(choice.get("finish_reason")) or any(
        value for name, value in fields if name != "role"
    )


def usage_of(completion: dict[str, Any]) -> Usage | None:
    """Return the usage of a completion or chunk, or None when it tells none."""
    usage = completion.get("usage")
    if not isinstance(usage, dict):
        return None
    details = usage.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else 0
    match usage.get("prompt_tokens"), usage.get("completion_tokens"), cached or 0:
        case int(read), int(written), int(cached) if min(read, written, cached) >= 0:
            return Usage(read, written, cached)
    return None


def json_object(payload: bytes) -> dict[str, Any]:
    """Return the JSON object that `payload` is, or an empty one when it is none."""
    try:
        value = from_json(payload)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
