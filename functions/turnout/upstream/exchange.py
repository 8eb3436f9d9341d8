"""One reply, from its first content to its end: what came of it, and its bytes untouched."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from turnout.attempt import Attempt
from turnout.chat import Format
from turnout.cost import Usage
from turnout.errors import UpstreamBroke
from turnout.record import Outcome
from turnout.upstream.chat_form import ChatStream, whole_chat
from turnout.upstream.embeddings_form import whole_embeddings
from turnout.upstream.form import (
    UNFINISHED,
    NotAChunk,
    NotAReply,
    StreamedForm,
    StreamWatch,
    Whole,
)
from turnout.upstream.messages_form import MessagesStream, whole_message
from turnout.upstream.port import Call, CallFailed, Reply, whole_body
from turnout.upstream.sse import (
    MOST_EVENT_BYTES,
    EventSplitter,
    EventTooLarge,
    error_message,
    json_object,
)

DRAIN_S: Final = 1.0
"""How long the end of a connection is waited for after the end of a stream, in seconds."""
_TRY_ANOTHER: Final = frozenset({408, 409, 429})
_KEY_REFUSED: Final = frozenset({401, 403})
_STREAMED: Final[Mapping[Format, StreamedForm]] = {
    "chat": ChatStream(),
    "messages": MessagesStream(),
}
_WHOLE: Final[Mapping[Format, Callable[[bytes, Mapping[str, Any]], Whole]]] = {
    "chat": whole_chat,
    "messages": whole_message,
    "embeddings": whole_embeddings,
}
"""What reads a whole reply, given the body that asked for it."""


@dataclass(slots=True)
class Exchange:
    """A reply that has begun well. Iterate `chunks` to its end or leave it; then `close()`.

    `outcome` is None until it is known, which is just before the last bytes are yielded.
    `output_estimate` counts output tokens for when the upstream tells no `usage`.
    """

    status: int
    content_type: str
    chunks: AsyncIterator[bytes]
    reply: Reply
    model: str = ""
    attempts: tuple[Attempt, ...] = ()
    outcome: Outcome | None = None
    usage: Usage | None = None
    output_estimate: int = 0

    async def close(self) -> None:
        """Close the upstream's connection, unless the reply was read to its end."""
        await self.reply.close()


async def begin(reply: Reply, call: Call) -> Exchange:
    """Return the exchange once its reply is known to be good. Raises CallFailed."""
    if reply.status in _KEY_REFUSED:
        # Its message may quote the key.
        whose, status = ("the caller's own", 401) if call.brings_key else ("Turnout's own", 502)
        message = f"refused {whose} key ({reply.status})"
        raise CallFailed(message, status=status, try_another=False)
    if reply.status != 200:
        return _rejected(reply, await whole_body(reply))
    if not call.stream:
        return _completed(reply, await whole_body(reply), call)
    if reply.content_type != "text/event-stream":
        raise CallFailed(f"answered {reply.content_type}, not a stream", status=reply.status)
    return await _streaming(reply)


def _rejected(reply: Reply, body: bytes) -> Exchange:
    """Return the upstream's refusal of this request, or raise CallFailed where it is not that."""
    status, message = reply.status, error_message(json_object(body)) or "no message"
    if status < 400 or status >= 500 or status in _TRY_ANOTHER:
        raise CallFailed(
            f"answered {status}: {message}",
            status=status if status >= 400 else None,
            retry_after_s=reply.retry_after_s,
        )
    return Exchange(status, reply.content_type, _once(body), reply, outcome="rejected")


def _completed(reply: Reply, body: bytes, call: Call) -> Exchange:
    try:
        whole = _WHOLE[reply.format](body, call.body)
    except NotAReply as error:
        message = f"answered 200 without what was asked for: {error}"
        raise CallFailed(message, status=502) from None
    exchange = Exchange(reply.status, reply.content_type, _once(whole.body), reply, outcome="ok")
    exchange.usage, exchange.output_estimate = whole.usage, whole.output_estimate
    return exchange


async def _streaming(reply: Reply) -> Exchange:
    """Hold the stream until its first content, so that an error before it can fall back unseen."""
    form = _STREAMED[reply.format]
    splitter, chunks, held = EventSplitter(), reply.chunks(), b""
    try:
        async for chunk in chunks:
            held += splitter.feed(chunk)
            if form.has_content(held):
                break
            if len(held) > MOST_EVENT_BYTES:
                raise EventTooLarge("too much before the first content")
        else:
            raise CallFailed("the stream ended before any content", status=502)
    except NotAChunk as error:
        raise CallFailed(f"the stream began with an error: {error}", status=502) from None
    except EventTooLarge as error:
        raise CallFailed(str(error), status=502) from None
    exchange = Exchange(reply.status, reply.content_type, _once(b""), reply)
    exchange.chunks = _pass_on(
        exchange, form.watch(), _whole_events(held, chunks, splitter), chunks
    )
    return exchange


async def _pass_on(
    exchange: Exchange,
    watch: StreamWatch,
    whole_events: AsyncIterator[bytes],
    chunks: AsyncIterator[bytes],
) -> AsyncIterator[bytes]:
    """Yield the stream's events untouched. Raises UpstreamBroke instead of ending short."""
    try:
        async for events in whole_events:
            passed = watch.see(events)
            exchange.usage, exchange.output_estimate = watch.usage, watch.deltas
            if watch.done:
                exchange.outcome = "ok"
                yield passed
                await _drain(chunks)
                return
            if passed:
                yield passed
            if watch.error:
                break
    except (CallFailed, EventTooLarge) as error:
        watch.error = str(error)
    if watch.finished and not watch.error:
        exchange.outcome = "ok"
        return
    exchange.outcome = "broken"
    raise UpstreamBroke(f"{exchange.model} broke off: {watch.error or UNFINISHED}")


async def _whole_events(
    held: bytes, chunks: AsyncIterator[bytes], splitter: EventSplitter
) -> AsyncIterator[bytes]:
    yield held
    async for chunk in chunks:
        if events := splitter.feed(chunk):
            yield events
    if rest := splitter.flush():
        yield rest


async def _drain(chunks: AsyncIterator[bytes]) -> None:
    """Read what follows the end, so that the connection can be used again."""
    try:
        async with asyncio.timeout(DRAIN_S):
            async for _ in chunks:
                pass
    except (CallFailed, TimeoutError):
        pass


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body
