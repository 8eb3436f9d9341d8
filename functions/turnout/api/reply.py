"""An answer on the wire: routing headers, and a body that stops when its reader has gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import suppress
from typing import Any, TypeVar
from urllib.parse import quote

from pydantic_core import to_json
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from turnout.api.errors import error_event
from turnout.errors import ClientGone, TurnoutError
from turnout.record import DecisionRecord, to_wire
from turnout.service import Answer, Decided, Router

T = TypeVar("T")
STALE_S = 90.0
"""Three times what a policy in use may age while the store answers."""


def routing_headers(record: DecisionRecord) -> dict[str, str]:
    """Return the `x-turnout-*` headers and `server-timing` of a decision."""
    timings = (
        f"{step};dur={record.timings_ms[step]:g}"
        for step in ("sense", "decide", "upstream")
        if step in record.timings_ms
    )
    return {
        "x-turnout-decision-id": record.id,
        "x-turnout-model": _header_safe(record.answered_by),
        "x-turnout-category": _header_safe(record.signals.category),
        "x-turnout-policy": _header_safe(str(record.policy)),
        "x-turnout-attempts": str(len(record.attempts)),
        "server-timing": ", ".join(timings),
    } | _staleness(record)


def _staleness(record: DecisionRecord) -> dict[str, str]:
    """Return the header that says for how long the store has not confirmed the policy."""
    age = record.policy_age_s
    return {"x-turnout-policy-age": f"{age:.0f}"} if age and age > STALE_S else {}


async def whole(answer: Answer) -> Response:
    """Return the answer as one body."""
    body = b"".join([chunk async for chunk in answer.chunks])
    return Response(
        body, answer.status, routing_headers(answer.record), media_type=answer.content_type
    )


def decision_first(router: Router, decided: Decided) -> Answer:
    """Return an answer whose stream begins with the decision, before any upstream is called.

    What goes wrong after that can only be told in the stream.
    """
    record = decided.record

    async def chunks() -> AsyncGenerator[bytes, None]:
        yield b"event: turnout.decision\ndata: " + to_json(to_wire(record)) + b"\n\n"
        answer = await router.answer(decided)
        is_stream = answer.content_type == "text/event-stream"
        try:
            async for chunk in answer.chunks:
                # An upstream's refusal is a JSON body: one event, its lines joined.
                yield chunk if is_stream else b"data: " + b" ".join(chunk.split()) + b"\n\n"
        finally:
            await answer.chunks.aclose()

    return Answer(record, 200, "text/event-stream", chunks())


class StreamedReply(Response):
    """Sends an answer's chunks as they come. When the client goes, so does the upstream call."""

    def __init__(self, answer: Answer) -> None:
        headers = routing_headers(answer.record) | {"cache-control": "no-cache"}
        super().__init__(None, answer.status, headers, media_type=answer.content_type)
        del self.headers["content-length"]
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with suppress(ClientGone):
            await while_client_waits(receive, self._send(send))

    async def _send(self, send: Send) -> None:
        await send(
            {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        )
        chunks = self._answer.chunks
        try:
            async for chunk in chunks:
                await send(_body(chunk, more=True))
        except TurnoutError as error:
            await send(_body(error_event(error), more=True))
        finally:
            await chunks.aclose()
        await send(_body(b"", more=False))


async def while_client_waits(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """Return what `work` returns; cancel it when the client goes first. Raises ClientGone."""
    working = asyncio.ensure_future(work)
    watching = asyncio.create_task(_client_gone(receive))
    try:
        await asyncio.wait({working, watching}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        watching.cancel()
        if not working.done():
            working.cancel()
        await asyncio.gather(working, watching, return_exceptions=True)
    if working.cancelled():
        raise ClientGone("the client has gone")
    return working.result()


async def _client_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _body(chunk: bytes, *, more: bool) -> dict[str, Any]:
    return {"type": "http.response.body", "body": chunk, "more_body": more}


def _header_safe(value: str) -> str:
    """Percent-encode what a header cannot hold: names of models and categories are the user's own."""
    return value if value.isascii() and value.isprintable() else quote(value, safe="/@-_. ")
