"""One reply out of several attempts: the candidates in their order, until the first valid chunk."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from turnout.attempt import Attempt
from turnout.chat import Caller, Format, Native
from turnout.errors import InvalidRequest, UpstreamFailed, UpstreamTimeout
from turnout.signals import DEMO_UPSTREAM
from turnout.upstream.catalogue import UPSTREAM_KEYS
from turnout.upstream.exchange import Exchange, begin
from turnout.upstream.health import Health
from turnout.upstream.port import Call, CallFailed, CallTimedOut, Target, Upstream
from turnout.upstream.retries import RetryBudget, wait_s


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

    def unable(self, format_: Format, names: Collection[str]) -> tuple[str, ...]:
        """Return those of the named that cannot be asked in the format; with the demo, of those it stands
        in for."""
        among = self._by_name.keys() - {DEMO_UPSTREAM} if DEMO_UPSTREAM in names else names
        return tuple(sorted(name for name in among if format_ not in self._by_name[name].takes))

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
    seconds. After `hedge_s` without a reply the next target is called beside the first."""

    targets: tuple[Target, ...]
    caller: Caller
    body: Mapping[str, Any] = field(repr=False)
    stream: bool
    why: str
    timeout_s: float
    first_chunk_s: float
    attempts: int = 3
    hedge_s: float | None = None
    asks: Format = "chat"
    native: Native | None = None


async def relay(upstreams: Upstreams, plan: Plan) -> Exchange:
    """Return the first reply that begins well.

    Raises UpstreamFailed with every attempt when none does, or at once when an upstream's failure
    would be the same elsewhere.
    """
    attempts = _Attempts(upstreams, plan)
    try:
        return await attempts.first_that_begins_well()
    finally:
        await attempts.leave_the_rest()


class _Attempts:
    """The attempts at one reply: one after the other, or two at once where the first is silent for long."""

    def __init__(self, upstreams: Upstreams, plan: Plan) -> None:
        self._upstreams = upstreams
        self._plan = plan
        self._deadline = _now() + plan.timeout_s
        self._waiting = deque(upstreams.health.ordered(plan.targets))
        self._running: dict[asyncio.Task[Exchange], tuple[Target, float]] = {}
        self._ended: list[Attempt] = []
        self._may_hedge = plan.hedge_s is not None
        upstreams.budget.earn()

    async def first_that_begins_well(self) -> Exchange:
        self._start()
        while True:
            done, _ = await asyncio.wait(
                self._running, timeout=self._patience_s(), return_when=asyncio.FIRST_COMPLETED
            )
            if not done:
                self._hedge()
            for attempt in done:
                target, started = self._running.pop(attempt)
                try:
                    exchange = attempt.result()
                except CallFailed as error:
                    self._note(target, started, error.status, str(error))
                    await self._after(error, target)
                else:
                    return self._won(exchange, target, started)

    async def leave_the_rest(self) -> None:
        """End the calls that were overtaken, or that nobody waits for any more."""
        for attempt in self._running:
            attempt.cancel()
        for left in await asyncio.gather(*self._running, return_exceptions=True):
            if isinstance(left, Exchange):
                await left.close()

    def _start(self) -> None:
        target, plan = self._waiting.popleft(), self._plan
        call = Call(
            target.model,
            target.model_id,
            plan.body,
            plan.stream,
            self._deadline,
            plan.caller,
            target.upstream in plan.caller.upstream_keys,
            plan.why,
            plan.asks,
            plan.native,
        )
        attempt = _watched_attempt(self._upstreams, target, call, self._first_chunk_s())
        self._running[asyncio.create_task(attempt)] = target, time.perf_counter()

    def _first_chunk_s(self) -> float | None:
        """Return how long the attempt that is made now may take to its first content; None for one that no
        other can follow: giving it up before the deadline would help nobody."""
        made = len(self._ended) + len(self._running) + 1
        last = not self._waiting or made >= self._plan.attempts
        return self._plan.first_chunk_s if self._plan.stream and not last else None

    def _patience_s(self) -> float | None:
        """Return how long to wait for the running attempt before another is made beside it."""
        most = len(self._ended) + len(self._running) >= self._plan.attempts
        return None if most or not self._waiting or not self._may_hedge else self._plan.hedge_s

    def _hedge(self) -> None:
        self._may_hedge = False
        if self._upstreams.budget.spend():
            self._start()

    async def _after(self, error: CallFailed, target: Target) -> None:
        """Make the next attempt. Raises UpstreamFailed when there is none to make."""
        if not error.try_another:
            raise self._failure(error) from None
        if self._running:
            return
        if len(self._ended) >= self._plan.attempts:
            raise self._failure(error) from None
        if not self._waiting and await self._may_retry(target, error):
            self._waiting.append(target)
        if not self._waiting or _now() >= self._deadline:
            raise self._failure(error) from None
        self._start()

    async def _may_retry(self, target: Target, error: CallFailed) -> bool:
        """Wait before the last candidate is called again, where it is well enough and there is time."""
        pause = wait_s(error.retry_after_s)
        if pause is None or isinstance(error, CallTimedOut) or _now() + pause >= self._deadline:
            return False
        if self._upstreams.health.is_shut_out(target) or not self._upstreams.budget.spend():
            return False
        await asyncio.sleep(pause)
        return True

    def _won(self, exchange: Exchange, target: Target, started: float) -> Exchange:
        for overtaken, began in self._running.values():
            self._note(overtaken, began, None, f"{target.model} answered first")
        self._note(target, started, exchange.status, None)
        exchange.model, exchange.attempts = target.model, tuple(self._ended)
        return exchange

    def _note(self, target: Target, started: float, status: int | None, error: str | None) -> None:
        ms = round((time.perf_counter() - started) * 1000, 3)
        self._ended.append(Attempt(target.model, status, error, ms))

    def _failure(self, last: CallFailed) -> UpstreamFailed:
        told = "; ".join(f"{attempt.model}: {attempt.error}" for attempt in self._ended)
        kind = UpstreamTimeout if isinstance(last, CallTimedOut) else UpstreamFailed
        return kind(f"no model answered ({told})", status=last.status, attempts=self._ended)


async def _watched_attempt(
    upstreams: Upstreams, target: Target, call: Call, first_chunk_s: float | None
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


async def _attempt(upstream: Upstream, call: Call, first_chunk_s: float | None) -> Exchange:
    """Call, and return once the reply is known to be good. Raises CallFailed."""
    limit = call.deadline if first_chunk_s is None else _now() + first_chunk_s
    try:
        async with asyncio.timeout_at(min(call.deadline, limit)):
            reply = await upstream.open(call)
            try:
                return await begin(reply, call)
            except BaseException:
                await reply.close()
                raise
    except TimeoutError:
        raise CallTimedOut("no answer within the time allowed") from None


def _now() -> float:
    return asyncio.get_running_loop().time()
