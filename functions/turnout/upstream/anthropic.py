"""Upstreams that speak Anthropic's messages: what came so passes as it is, the rest through translation."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any, Final

from pydantic_core import to_json

from turnout.chat import Caller, Format
from turnout.errors import InvalidRequest
from turnout.upstream.catalogue import Endpoint
from turnout.upstream.port import Call, CallFailed, Reply, whole_body
from turnout.upstream.sse import EventSplitter, EventTooLarge, json_object, named_events
from turnout.upstream.transport import Connections, HttpReply, failures

API_VERSION: Final = "2023-06-01"


class Anthropic:
    """One upstream at one base URL."""

    takes: Final[frozenset[Format]] = frozenset({"chat", "messages"})

    def __init__(self, endpoint: Endpoint, connections: Connections) -> None:
        self._endpoint = endpoint
        self._connections = connections

    def serves(self, caller: Caller) -> bool:
        return self._endpoint.serves(caller)

    async def open(self, call: Call) -> Reply:
        native = call.native if call.native and call.native.format == "messages" else None
        body = {**native.body, "model": call.model_id} if native else _translated(call)
        with failures():
            response = await self._connections.request(
                "POST",
                self._endpoint.url("/messages"),
                headers={
                    "anthropic-version": API_VERSION,
                    "x-api-key": self._endpoint.key_for(call.caller) or "",
                    **(native.headers if native else {}),
                },
                data=to_json(body),
                timeout_s=call.deadline - asyncio.get_running_loop().time(),
            )
        if native:
            return HttpReply(response, "messages")
        return _TranslatedReply(HttpReply(response), call)

    async def close(self) -> None:
        await self._connections.close()


def _translated(call: Call) -> dict[str, Any]:
    from turnout.wire.chat_to_messages import messages_from_chat

    try:
        return messages_from_chat({**call.body, "model": call.model_id})
    except InvalidRequest as error:
        raise CallFailed(f"cannot be asked of Anthropic: {error}", status=400) from None


class _TranslatedReply:
    """A reply in Anthropic's format, read as OpenAI's."""

    def __init__(self, reply: HttpReply, call: Call) -> None:
        self._reply = reply
        self._call = call
        self.format: Format = "chat"
        self.status = reply.status
        self.content_type = reply.content_type
        self.retry_after_s = reply.retry_after_s

    def chunks(self) -> AsyncIterator[bytes]:
        if self.status == 200 and self.content_type == "text/event-stream":
            return self._stream()
        return self._whole()

    async def close(self) -> None:
        await self._reply.close()

    async def _stream(self) -> AsyncIterator[bytes]:
        from turnout.wire.chunks_from_messages import ChunksFromMessages

        options = self._call.body.get("stream_options") or {}
        translator = ChunksFromMessages(
            model=self._call.model_id,
            include_usage=bool(options.get("include_usage")),
            created=int(time.time()),
        )
        splitter = EventSplitter()
        try:
            async for chunk in self._reply.chunks():
                for name, data in named_events(splitter.feed(chunk)):
                    if translated := translator.feed(name, data):
                        yield translated
        except EventTooLarge as error:
            raise CallFailed(str(error), status=502) from None

    async def _whole(self) -> AsyncIterator[bytes]:
        from turnout.wire.anthropic_replies import completion_from_message, error_from_anthropic

        answered = json_object(await whole_body(self._reply))
        if self.status != 200 or answered.get("type") != "message":
            yield to_json(error_from_anthropic(answered))
            return
        model, now = self._call.model_id, int(time.time())
        yield to_json(completion_from_message(answered, model=model, created=now))
