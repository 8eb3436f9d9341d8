"""One request's way: sense, decide, relay, record. Data goes forward only."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace

from turnout.chat import Caller, ChatRequest
from turnout.cost import Usage, cost_usd
from turnout.decision import decide, find_model, refusal
from turnout.errors import (
    NoEligibleModel,
    NotFound,
    StoreError,
    TurnoutError,
    UnknownModel,
    UpstreamFailed,
)
from turnout.policy import ActivePolicy
from turnout.record import DecisionRecord, Outcome, new_decision_id
from turnout.sensing import Sensor
from turnout.store import Decisions
from turnout.telemetry import Telemetry
from turnout.upstream import Exchange, Plan, Target, Upstreams, relay

AUTO = "auto"
POLICY_PREFIX = "policy/"
SEED_BITS = 53
"""So that a seed survives JSON readers whose numbers are doubles."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply on its way to the caller, with the record as it stands when the reply begins."""

    record: DecisionRecord
    status: int
    content_type: str
    chunks: AsyncIterator[bytes]


@dataclass(frozen=True, slots=True)
class Router:
    """Routes requests by the policies it was given. Each request leaves exactly one record."""

    policies: Mapping[str, ActivePolicy]
    default_policy: str
    sensor: Sensor
    upstreams: Upstreams
    decisions: Decisions
    telemetry: Telemetry

    async def route(self, request: ChatRequest, caller: Caller) -> DecisionRecord:
        """Return the decision alone; nothing is called upstream. Raises UnknownModel."""
        started = time.perf_counter()
        record = self._decided(self._policy_for(request), request, caller)
        record = _closed(record, "decided", started)
        await self._record(record)
        return record

    async def chat(self, request: ChatRequest, caller: Caller) -> Answer:
        """Return the answer of the first candidate that begins well.

        Raises UnknownModel, NoEligibleModel, UpstreamFailed. The answer's chunks raise
        UpstreamBroke when the upstream fails after they have begun.
        """
        started = time.perf_counter()
        active = self._policy_for(request)
        record = self._decided(active, request, caller)
        if record.chosen is None:
            await self._record(_closed(record, "refused", started))
            raise _with_id(NoEligibleModel(refusal(record.policy, record.candidates)), record)
        try:
            exchange = await relay(self.upstreams, _plan(active, record, request))
        except UpstreamFailed as error:
            await self._record(_closed(record, "failed", started, attempts=error.attempts))
            raise _with_id(error, record) from None
        except asyncio.CancelledError:
            await asyncio.shield(self._record(_closed(record, "client_gone", started)))
            raise
        record = _begun(record, exchange, started)
        chunks = self._recorded(exchange, record, active, started)
        return Answer(record, exchange.status, exchange.content_type, chunks)

    async def find(self, decision_id: str, caller: Caller) -> DecisionRecord:
        """Return a decision of the caller's own tenant. Raises NotFound, StoreError."""
        record = await self.decisions.find(decision_id)
        if record is None or record.signals.tenant != caller.tenant:
            raise NotFound(f"no decision {decision_id!r} on record")
        return record

    def model_names(self) -> list[str]:
        """Return everything that a request may ask for as its model."""
        default = self.policies[self.default_policy].policy
        named = [f"{POLICY_PREFIX}{name}" for name in self.policies]
        return [AUTO, *named, *(model.full_id for model in default.models.values())]

    def _policy_for(self, request: ChatRequest) -> ActivePolicy:
        if request.model.startswith(POLICY_PREFIX):
            active = self.policies.get(request.model.removeprefix(POLICY_PREFIX))
        else:
            active = self.policies[self.default_policy]
            if request.model != AUTO and find_model(active.policy, request.model) is None:
                active = None
        if active is None:
            raise UnknownModel(f"no model {request.model!r}; try {', '.join(self.model_names())}")
        return active

    def _decided(
        self, active: ActivePolicy, request: ChatRequest, caller: Caller
    ) -> DecisionRecord:
        started = time.perf_counter()
        signals, classifier = self.sensor.sense(request, caller, self.upstreams.names)
        sensed = time.perf_counter()
        decision = decide(active, signals, _seed(request))
        timings = {"sense": _ms(started, sensed), "decide": _ms(sensed)}
        return DecisionRecord(
            id=new_decision_id(),
            created=time.time(),
            policy=decision.policy,
            classifier=classifier,
            signals=decision.signals,
            candidates=decision.candidates,
            chosen=decision.chosen,
            seed=decision.seed,
            outcome="decided",
            timings_ms=timings,
            stream=request.stream,
            prompt=request.prompt if active.policy.record.prompts else None,
        )

    async def _recorded(
        self, exchange: Exchange, record: DecisionRecord, active: ActivePolicy, started: float
    ) -> AsyncIterator[bytes]:
        """Pass the chunks on. The record is written just before the last bytes go out, so that a
        caller who has seen the end finds the decision on record."""
        recorded = False
        try:
            async for chunk in exchange.chunks:
                if exchange.outcome and not recorded:
                    recorded = True
                    await self._record(_settled(record, exchange, active, started))
                yield chunk
        finally:
            await exchange.close()
            if not recorded:
                await asyncio.shield(self._record(_settled(record, exchange, active, started)))

    async def _record(self, record: DecisionRecord) -> None:
        self.telemetry.record(record)
        try:
            await self.decisions.save(record)
        except StoreError as error:
            self.telemetry.warn("decision_not_stored", str(error))


def _seed(request: ChatRequest) -> int:
    """Return a seed: of the session where there is one, so that it keeps its model, else random."""
    if request.session is None:
        return secrets.randbits(SEED_BITS)
    digest = hashlib.blake2b(request.session.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> (64 - SEED_BITS)


def _plan(active: ActivePolicy, record: DecisionRecord, request: ChatRequest) -> Plan:
    models, limits = active.policy.models, active.policy.limits
    eligible = [models[candidate.name] for candidate in record.candidates if candidate.eligible]
    return Plan(
        targets=tuple(Target(model.full_id, model.upstream, model.id) for model in eligible),
        body=request.body,
        stream=request.stream,
        why=f"rule {record.chosen.rule}: {record.chosen.reason}" if record.chosen else "",
        timeout_s=limits.timeout_s,
        first_chunk_s=limits.first_chunk_s,
    )


def _with_id(error: TurnoutError, record: DecisionRecord) -> TurnoutError:
    error.decision_id = record.id
    return error


def _begun(record: DecisionRecord, exchange: Exchange, started: float) -> DecisionRecord:
    timings = {**record.timings_ms, "upstream": exchange.attempts[-1].ms}
    return replace(record, attempts=exchange.attempts, timings_ms=timings, ttfb_ms=_ms(started))


def _settled(
    record: DecisionRecord, exchange: Exchange, active: ActivePolicy, started: float
) -> DecisionRecord:
    """Return the record with what the call used and cost, estimated where the upstream did not say."""
    outcome = exchange.outcome or "client_gone"
    if outcome == "rejected":
        return _closed(record, outcome, started)
    usage = exchange.usage or Usage(
        record.signals.input_tokens, exchange.output_estimate, estimated=True
    )
    model = next(m for m in active.policy.models.values() if m.full_id == exchange.model)
    cost = round(cost_usd(model.usd_per_mtok, usage), 9)
    return replace(_closed(record, outcome, started), usage=usage, cost_usd=cost)


def _closed(
    record: DecisionRecord, outcome: Outcome, started: float, **changes: object
) -> DecisionRecord:
    timings = {**record.timings_ms, "total": _ms(started)}
    return replace(record, outcome=outcome, timings_ms=timings, **changes)  # type: ignore[arg-type]


def _ms(started: float, ended: float | None = None) -> float:
    return round(((time.perf_counter() if ended is None else ended) - started) * 1000, 3)
