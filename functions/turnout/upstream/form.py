"""The form of a reply: what of it is content, when it is whole, and what it used."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Final, Protocol

from pydantic_core import to_json

from turnout.cost import Usage
from turnout.signals import BYTES_PER_TOKEN
from turnout.upstream.sse import parsed_object, placed_events

UNFINISHED: Final = "the stream ended without a finish reason"
NOT_JSON: Final = "it sent a chunk that is no JSON object"


class NotAChunk(Exception):
    """An event that is none of the format's; the message is what it said instead."""


class NotAReply(Exception):
    """A whole body that is none of the format's; the message is what it said instead."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole reply: its body to pass on, and its usage, estimated where it tells none."""

    body: bytes
    usage: Usage | None
    output_estimate: int

    @classmethod
    def of(cls, body: bytes, usage: Usage | None, content: object) -> Whole:
        return cls(body, usage, len(to_json(content)) // BYTES_PER_TOKEN)


class StreamWatch(ABC):
    """Tells of a stream that goes by whether it finished, failed, and what it used.

    `finished` when it told how it ended, `done` when it is at its end, `error` what went wrong. `deltas`
    counts output tokens for when it tells no `usage`.
    """

    def __init__(self) -> None:
        self.finished = False
        self.done = False
        self.error: str | None = None
        self.usage: Usage | None = None
        self.deltas = 0

    def see(self, events: bytes) -> bytes:
        """Look at whole events and return those to pass on: all of them, or those before the error."""
        for start, name, data in placed_events(events):
            self._look(name, data)
            if self.error:
                return events[:start]
        return events

    def _look(self, name: str, data: bytes) -> None:
        event = parsed_object(data)
        if event is None:
            self.error = NOT_JSON
        else:
            self._read(name, event)

    @abstractmethod
    def _read(self, name: str, event: dict[str, Any]) -> None:
        """Take from one event of that name what it tells."""

    def _end(self) -> None:
        self.done = self.finished
        self.error = None if self.finished else UNFINISHED


class StreamedForm(Protocol):
    """One format's streams, as far as they must be understood to be relayed."""

    def has_content(self, events: bytes) -> bool:
        """Tell whether there is any content among the first events. Raises NotAChunk."""

    def watch(self) -> StreamWatch: ...


def of_counts(read: object, written: object, cached: object) -> Usage | None:
    """Return usage, or None where the counts make no sense."""
    match read, written, cached:
        case int(read), int(written), int(cached) if min(read, written, cached) >= 0:
            return Usage(read, written, cached)
    return None
