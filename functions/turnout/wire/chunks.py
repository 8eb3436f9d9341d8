"""Writes one chat completion as a stream: chunks, as server-sent events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic_core import to_json

END: Final = b"data: [DONE]\n\n"


class ChunkWriter:
    """Writes the chunks of one completion's only choice. `created` is in Unix seconds."""

    def __init__(self, completion_id: str, *, model: str, created: int) -> None:
        self.completion_id = completion_id
        self._model = model
        self._created = created

    def begin(self) -> bytes:
        return self._delta({"role": "assistant", "content": ""})

    def content(self, text: str) -> bytes:
        return self._delta({"content": text})

    def reasoning(self, text: str) -> bytes:
        return self._delta({"reasoning_content": text})

    def call(self, index: int, function: Mapping[str, str], **more: str) -> bytes:
        """Write a tool call's beginning, with its `id` and `type`, or a piece of its arguments."""
        return self._delta({"tool_calls": [{"index": index, **more, "function": function}]})

    def finish(self, reason: str) -> bytes:
        return self._delta({}, finish_reason=reason)

    def usage(self, usage: Mapping[str, Any]) -> bytes:
        return self._chunk([], usage=usage)

    def _delta(self, delta: Mapping[str, Any], *, finish_reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return self._chunk([choice])

    def _chunk(self, choices: list[dict[str, Any]], **more: Any) -> bytes:
        return data_event(
            {
                "id": self.completion_id,
                "object": "chat.completion.chunk",
                "created": self._created,
                "model": self._model,
                "choices": choices,
                **more,
            }
        )


def data_event(payload: Mapping[str, Any]) -> bytes:
    """Return the payload as a server-sent event."""
    return b"data: " + to_json(payload) + b"\n\n"
