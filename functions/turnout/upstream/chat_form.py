"""Replies in the format of OpenAI's chat completions, looked at as they go by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from turnout.cost import Usage
from turnout.upstream.form import NotAChunk, NotAReply, StreamWatch, Whole, of_counts
from turnout.upstream.sse import data_lines, error_message, json_object

_END: Final = b"[DONE]"


class ChatStreamWatch(StreamWatch):
    """Looks at the chunks of a chat completion."""

    def _look(self, name: str, data: bytes) -> None:
        if data.startswith(_END):
            self._end()
        else:
            super()._look(name, data)

    def _read(self, name: str, chunk: dict[str, Any]) -> None:
        if chunk.get("error"):
            self.error = error_message(chunk) or "an error without a message"
            return
        self.usage = usage_of(chunk) or self.usage
        choices = chunk.get("choices")
        for choice in choices if isinstance(choices, list) else ():
            if isinstance(choice, dict):
                self.deltas += "delta" in choice
                self.finished = self.finished or bool(choice.get("finish_reason"))


class ChatStream:
    """A streamed chat completion."""

    def has_content(self, events: bytes) -> bool:
        """A role alone is no content, nor is an empty chunk."""
        for payload in data_lines(events):
            chunk = json_object(payload)
            choices = chunk.get("choices")
            if not isinstance(choices, list):
                raise NotAChunk(error_message(chunk) or payload[:200].decode("utf-8", "replace"))
            if any(isinstance(choice, dict) and _has_content(choice) for choice in choices):
                return True
        return False

    def watch(self) -> ChatStreamWatch:
        return ChatStreamWatch()


def whole_chat(body: bytes, asked: Mapping[str, Any]) -> Whole:
    """Return a whole chat completion. Raises NotAReply."""
    completion = json_object(body)
    choices = completion.get("choices")
    if not isinstance(choices, list):
        raise NotAReply(error_message(completion) or "no completion")
    return Whole.of(body, usage_of(completion), choices)


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
    return of_counts(usage.get("prompt_tokens"), usage.get("completion_tokens"), cached or 0)
