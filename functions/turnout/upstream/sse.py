"""Server-sent events on their way through: cut at their boundaries, and read without being changed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from pydantic_core import from_json

MOST_EVENT_BYTES: Final = 1 << 20

_BOM: Final = b"\xef\xbb\xbf"
_EVENT_END: Final = re.compile(rb"(?:\r\n|\n|\r(?!\n)){2}")


class EventTooLarge(Exception):
    """One event is over MOST_EVENT_BYTES."""


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
        first = 0
        for match in _EVENT_END.finditer(pending, max(0, len(self._rest) - 3)):
            end = match.end()
            first = first or end
        self._rest = pending[end:]
        # Only the first event can have been collected over several chunks.
        if max(first, len(self._rest)) > MOST_EVENT_BYTES:
            raise EventTooLarge(f"an event is over {MOST_EVENT_BYTES >> 20} MiB")
        return pending[:end]

    def flush(self) -> bytes:
        """Return what is left when the stream has ended: an event without its closing blank line."""
        rest, self._rest = self._rest, b""
        return rest


def data_lines(events: bytes) -> Iterator[bytes]:
    """Yield the data of each event."""
    for _, data in named_events(events):
        yield data


def named_events(events: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the (name, data) of each event that has any; several data lines of one are joined."""
    for _, name, data in placed_events(events):
        yield name, data


def placed_events(events: bytes) -> Iterator[tuple[int, str, bytes]]:
    """Yield (where it begins, name, data) of each event that has data."""
    start = 0
    for end in _ends(events):
        # What nearly every event of a chat is: one line of data.
        if events.startswith(b"data: ", start) and events.find(b"\n", start, end - 2) < 0:
            name, data = "message", events[start + 6 : end].rstrip(b"\r\n")
        else:
            name, data = _read(events[start:end])
        if data:
            yield start, name, data
        start = end


def _ends(events: bytes) -> Iterator[int]:
    """Yield where each event ends; the last may be without its blank line."""
    end = 0
    if b"\r" in events:
        for match in _EVENT_END.finditer(events):
            end = match.end()
            yield end
    else:
        while found := events.find(b"\n\n", end) + 1:
            end = found + 1
            yield end
    if end < len(events):
        yield len(events)


def _read(event: bytes) -> tuple[str, bytes]:
    name, data = "message", []
    lines = event.removeprefix(_BOM).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    for line in lines.split(b"\n"):
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"event":
            name = value.decode("utf-8", "replace")
        elif field == b"data":
            data.append(value)
    return name, b"\n".join(data)


def error_message(answer: dict[str, Any]) -> str | None:
    """Return the message of an error object in any of the shapes upstreams use, or None."""
    error = answer.get("error", answer)
    message = error.get("message") if isinstance(error, dict) else error
    return message[:500] if isinstance(message, str) else None


def parsed_object(payload: bytes) -> dict[str, Any] | None:
    """Return the JSON object that `payload` is, or None when it is none."""
    try:
        value = from_json(payload)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def json_object(payload: bytes) -> dict[str, Any]:
    """Return the JSON object that `payload` is, or an empty one when it is none."""
    return parsed_object(payload) or {}
