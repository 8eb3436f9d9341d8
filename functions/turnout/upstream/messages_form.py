"""Replies in the format of Anthropic's messages, looked at as they go by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from turnout.cost import Usage
from turnout.upstream.form import NotAChunk, NotAReply, StreamWatch, Whole, of_counts
from turnout.upstream.sse import (
    error_message,
    json_object,
    named_events,
    parsed_object,
)


class MessagesStreamWatch(StreamWatch):
    """Looks at the events of a message."""

    def __init__(self) -> None:
        super().__init__()
        self._counts: dict[str, Any] = {}

    def _read(self, name: str, event: dict[str, Any]) -> None:
        match str(event.get("type") or name):
            case "message_start":
                self._see_usage(_object(event, "message"))
            case "content_block_delta":
                self.deltas += 1
            case "message_delta":
                self.finished = self.finished or bool(_object(event, "delta").get("stop_reason"))
                self._see_usage(event)
            case "message_stop":
                self._end()
            case "error":
                self.error = error_message(event) or "an error without a message"

    def _see_usage(self, told: Mapping[str, Any]) -> None:
        # Counts are totals so far; those that stay as the first event told them are null or missing.
        counts = _object(told, "usage")
        self._counts |= {name: count for name, count in counts.items() if count is not None}
        usage = _usage(self._counts)
        if usage and not self.finished:
            written = max(usage.output_tokens, self.deltas)
            usage = replace(usage, output_tokens=written, estimated=True)
        self.usage = usage


class MessagesStream:
    """A streamed message."""

    def has_content(self, events: bytes) -> bool:
        """A message's or a block's mere beginning is no content, nor is a ping."""
        for name, data in named_events(events):
            event = parsed_object(data)
            kind = event and event.get("type", name)
            if event is None or kind in ("error", "message", "message_stop"):
                said = error_message(event) if event else None
                raise NotAChunk(said or data[:200].decode("utf-8", "replace"))
            if _has_content(str(kind), event):
                return True
        return False

    def watch(self) -> MessagesStreamWatch:
        return MessagesStreamWatch()


def whole_message(body: bytes, asked: Mapping[str, Any]) -> Whole:
    """Return a whole message. Raises NotAReply."""
    message = json_object(body)
    content = message.get("content")
    if message.get("type") != "message" or not isinstance(content, list):
        raise NotAReply(error_message(message) or "no message")
    return Whole.of(body, _usage(_object(message, "usage")), content)


def _has_content(kind: str, event: dict[str, Any]) -> bool:
    match kind:
        case "content_block_start":
            block = _object(event, "content_block")
            # Text and thinking begin empty; other blocks are something from their beginning.
            empty = block.get("type") in ("text", "thinking")
            return not empty or bool(block.get("text") or block.get("thinking"))
        case "content_block_delta":
            delta = _object(event, "delta")
            return any(value for name, value in delta.items() if name != "type")
        case "message_delta":
            return bool(_object(event, "delta").get("stop_reason"))
    return False


def _usage(counts: Mapping[str, Any]) -> Usage | None:
    from turnout.wire.anthropic_replies import chat_usage

    if not counts:
        return None
    told = chat_usage(counts)
    cached = told["prompt_tokens_details"]["cached_tokens"]
    return of_counts(told["prompt_tokens"], told["completion_tokens"], cached)


def _object(fields: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = fields.get(name)
    return value if isinstance(value, dict) else {}
