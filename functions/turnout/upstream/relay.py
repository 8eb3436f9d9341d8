"""One reply out of several attempts: the candidates in their order, until the first valid chunk."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic_core import to_json

from turnout.attempt import Attempt
from turnout.chat import Caller
from turnout.cost import Usage
from turnout.errors import InvalidRequest, UpstreamBroke, UpstreamFailed, UpstreamTimeout
from turnout.record import Outcome
from turnout.signals import BYTES_PER_TOKEN, DEMO_UPSTREAM
from turnout.upstream.catalogue import UPSTREAM_KEYS
from turnout.upstream.health import Health
from turnout.upstream.port import Call, CallFailed, CallTimedOut, Reply, Target, Upstream
from turnout.upstream.retries import RetryBudget, wait_s
from turnout.upstream.sse import (
    MOST_EVENT_BYTES,
    UNFINISHED,
    ChatStreamWatch,
    EventSplitter,
    EventTooLarge,
    NotAChunk,
    error_message,
    first_content,
    json_object,
    usage_of,
)

MOST_REPLY_BYTES: Final = 32 << 20
DRAIN_S: Final = 1.0
"""How long the end of a connection is waited for after the end of a stream, in seconds."""
_TRY_ANOTHER: Final = frozenset({408, 409, 429})
_KEY_REFUSED: Final = frozenset({401, 403})


class Upstreams:
    """The configured upstreams by name. The demo upstream, where there is one, stands in for all."""

    def __init__(self, by_name: Mapping[str, Upstream]) -> None:
        self._by_name = dict(by_name)
        self.health = Health()
        self.budget = RetryBudget()

    def available_to(self, caller: Caller) -> tuple[str, ...]:
        """Return the names of those that may be called for the caller. Raises InvalidRequest for a key
        that it brings of an upstream that is not known."""
        for name in caller.upstream_keys:
            if name not in self._by_name:
                known = ", ".join(self._by_name)
                raise InvalidRequest(
                    f"{UPSTREAM_KEYS}: no upstream {name!r}; known are {known}",
                    param=UPSTREAM_KEYS,
                )
        return tuple(name for name, each in self._by_name.items() if each.serves(caller))

    def find(self, name: str, caller: Caller) -> Upstream:
        """Return the upstream. Raises KeyError for one that cannot be called for the caller."""
        upstream = self._by_name.get(name)
        return upstream if upstream and upstream.serves(caller) else self._by_name[DEMO_UPSTREAM]

    async def close(self) -> None:
        for upstream in self._by_name.values():
            await upstream.close()


@dataclass(frozen=True, slots=True)
class Plan:
    """What to relay: the targets in order, the caller and its body, and how long it may take, in
    seconds."""

    targets: tuple[Target, ...]
    caller: Caller
    body: Mapping[str, Any] = field(repr=False)
    stream: bool
    why: str
    timeout_s: float
    first_chunk_s: float
    attempts: int = 3


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


async def relay(upstreams: Upstreams, plan: Plan) -> Exchange:
    """Return the first reply that begins well.

    Raises UpstreamFailed with every attempt when none does, or at once when an upstream's failure
    would be the same elsewhere.
    """
    deadline = asyncio.get_running_loop().time() + plan.timeout_s
    attempts: list[Attempt] = []
    waiting = deque(upstreams.health.ordered(plan.targets))
    upstreams.budget.earn()
    while True:
        target, started = waiting.popleft(), time.perf_counter()
        call = Call(
            target.model,
            target.model_id,
            plan.body,
            plan.stream,
            deadline,
            plan.caller,
            target.upstream in plan.caller.upstream_keys,
            plan.why,
        )
        try:
            exchange = await _watched_attempt(upstreams, target, call, plan.first_chunk_s)
        except CallFailed as error:
            attempts.append(Attempt(target.model, error.status, str(error), _ms_since(started)))
            if not error.try_another or len(attempts) >= plan.attempts:
                raise _failure(attempts, error) from None
            if not waiting and await _may_retry(upstreams, target, error, deadline):
                waiting.append(target)
            if not waiting or asyncio.get_running_loop().time() >= deadline:
                raise _failure(attempts, error) from None
        else:
            attempts.append(Attempt(target.model, exchange.status, None, _ms_since(started)))
            exchange.model, exchange.attempts = target.model, tuple(attempts)
            return exchange


async def _may_retry(
    upstreams: Upstreams, target: Target, error: CallFailed, deadline: float
) -> bool:
    """Wait before the last candidate is called again, where it is well enough and there is time."""
    pause = wait_s(error.retry_after_s)
    now = asyncio.get_running_loop().time()
    if isinstance(error, CallTimedOut) or now + pause >= deadline:
        return False
    if upstreams.health.is_shut_out(target) or not upstreams.budget.spend():
        return False
    await asyncio.sleep(pause)
    return True


def _failure(attempts: Sequence[Attempt], last: CallFailed) -> UpstreamFailed:
    told = "; ".join(f"{attempt.model}: {attempt.error}" for attempt in attempts)
    kind = UpstreamTimeout if isinstance(last, CallTimedOut) else UpstreamFailed
    return kind(f"no model answered ({told})", status=last.status, attempts=attempts)


async def _watched_attempt(
    upstreams: Upstreams, target: Target, call: Call, first_chunk_s: float
) -> Exchange:
    """Attempt, and let the target's breaker know how it went."""
    health = upstreams.health
    health.begin(target)
    try:
        exchange = await _attempt(upstreams.find(target.upstream, call.caller), call, first_chunk_s)
    except CallFailed:
        # With a key of the caller's own, the key may be at fault and not the model.
        (health.left if call.brings_key else health.failed)(target)
        raise
    except BaseException:
        health.left(target)
        raise
    health.succeeded(target)
    return exchange


async def _attempt(upstream: Upstream, call: Call, first_chunk_s: float) -> Exchange:
    """Call, and return once the reply is known to be good. Raises CallFailed."""
    now = asyncio.get_running_loop().time()
    limit = min(call.deadline, now + first_chunk_s) if call.stream else call.deadline
    try:
        async with asyncio.timeout_at(limit):
            reply = await upstream.open(call)
            try:
                return await _begin(reply, call)
            except BaseException:
                await reply.close()
                raise
    except TimeoutError:
        raise CallTimedOut("no answer within the time allowed") from None


async def _begin(reply: Reply, call: Call) -> Exchange:
    if reply.status in _KEY_REFUSED:
        # Its message may quote the key.
        whose, status = ("the caller's own", 401) if call.brings_key else ("Turnout's own", 502)
        message = f"refused {whose} key ({reply.status})"
        raise CallFailed(message, status=status, try_another=False)
    if reply.status != 200:
        return _rejected(reply, await _read(reply))
    if not call.stream:
        return _completed(reply, await _read(reply))
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


def _completed(reply: Reply, body: bytes) -> Exchange:
    completion = json_object(body)
    choices = completion.get("choices")
    if not isinstance(choices, list):
        message = error_message(completion) or "no completion"
        raise CallFailed(f"answered 200 without a completion: {message}", status=502)
    exchange = Exchange(reply.status, reply.content_type, _once(body), reply, outcome="ok")
    exchange.usage = usage_of(completion)
    exchange.output_estimate = len(to_json(choices)) // BYTES_PER_TOKEN
    return exchange


async def _streaming(reply: Reply) -> Exchange:
    """Hold the stream until its first content, so that an error before it can fall back unseen."""
    splitter, chunks, held = EventSplitter(), reply.chunks(), b""
    try:
        async for chunk in chunks:
            held += splitter.feed(chunk)
            if first_content(held) is not None:
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
    exchange.chunks = _pass_on(exchange, held, chunks, splitter)
    return exchange


async def _pass_on(
    exchange: Exchange, held: bytes, chunks: AsyncIterator[bytes], splitter: EventSplitter
) -> AsyncIterator[bytes]:
    """Yield the stream's events untouched. Raises UpstreamBroke instead of ending short."""
    watch = ChatStreamWatch()
    try:
        async for events in _whole_events(held, chunks, splitter):
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


async def _read(reply: Reply) -> bytes:
    body = bytearray()
    async for chunk in reply.chunks():
        body += chunk
        if len(body) > MOST_REPLY_BYTES:
            raise CallFailed(f"the reply is over {MOST_REPLY_BYTES >> 20} MiB", status=502)
    return bytes(body)


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body


def _ms_since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 3)
