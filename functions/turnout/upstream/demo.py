"""The demo upstream: answers where no provider is configured, and says that it is a demo.

It is for laptops alone; a deployed stack never has it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

from pydantic_core import to_json

from turnout.chat import Caller, Format
from turnout.upstream.demo_embeddings import demo_embeddings
from turnout.upstream.port import Call, Reply

SECONDS_PER_WORD: Final = 0.012


class DemoUpstream:
    """Streams an honest canned reply, word by word."""

    takes: Final[frozenset[Format]] = frozenset({"chat", "embeddings"})

    def serves(self, caller: Caller) -> bool:
        return True

    async def open(self, call: Call) -> Reply:
        return _DemoReply(call, format=call.asks)

    async def close(self) -> None:
        pass


@dataclass(frozen=True, slots=True)
class _DemoReply:
    call: Call
    status: int = 200
    retry_after_s: float | None = None
    format: Format = "chat"

    @property
    def content_type(self) -> str:
        return "text/event-stream" if self.call.stream else "application/json"

    async def chunks(self) -> AsyncIterator[bytes]:
        if self.format == "embeddings":
            yield to_json(demo_embeddings(self.call.body))
            return
        words = demo_text(self.call).split(" ")
        if not self.call.stream:
            message = {"role": "assistant", "content": " ".join(words), "refusal": None}
            choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
            yield to_json(self._envelope("chat.completion", [choice]) | {"usage": self._usage()})
            return
        yield self._event({"role": "assistant", "content": ""})
        for i, word in enumerate(words):
            await asyncio.sleep(SECONDS_PER_WORD)
            yield self._event({"content": word if i == 0 else f" {word}"})
        yield self._event({}, finish="stop")
        if (self.call.body.get("stream_options") or {}).get("include_usage"):
            closing = self._envelope("chat.completion.chunk", []) | {"usage": self._usage()}
            yield b"data: " + to_json(closing) + b"\n\n"
        yield b"data: [DONE]\n\n"

    async def close(self) -> None:
        pass

    def _envelope(self, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "id": "chatcmpl-demo",
            "object": kind,
            "created": int(time.time()),
            "model": "turnout-demo",
            "choices": choices,
        }

    def _event(self, delta: dict[str, str], *, finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return b"data: " + to_json(self._envelope("chat.completion.chunk", [choice])) + b"\n\n"

    def _usage(self) -> dict[str, int]:
        prompt = len(to_json(self.call.body.get("messages"))) // 4
        completion = len(demo_text(self.call).split())
        return {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
        }


def demo_text(call: Call) -> str:
    """Return the reply: that this is a demo, which model would have answered, and why."""
    return (
        "This is Turnout's built-in demo upstream, not a language model: no provider is configured,"
        f" so nothing was sent anywhere. {call.model} would have answered this, because {call.why}."
        " Set a key such as OPENAI_API_KEY and restart to get real answers."
    )
