"""One request's way: sense, decide, relay, record. Data goes forward only."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace

from turnout.chat import Caller, ChatRequest, Format
from turnout.conversation import place
from turnout.decision import choice_of, decide, find_model, refusal
from turnout.embeddings import EmbeddingsRequest
from turnout.errors import (
    NoEligibleModel,
    NotFound,
    StoreError,
    TurnoutError,
    UnknownModel,
    UpstreamFailed,
)
from turnout.explanation import Explanation, explain
from turnout.feedback import Feedback
from turnout.outcome import begun, closed, ms, settled
from turnout.policy import ActivePolicy, Recording
from turnout.policy_book import PolicyBook, Snapshot
from turnout.record import DecisionRecord, ShadowDecision, new_decision_id
from turnout.redaction import redact
from turnout.sensing import Sensor
from turnout.signals import Signals
from turnout.store import Decisions, Feedbacks
from turnout.telemetry import Telemetry
from turnout.upstream import Exchange, Plan, Target, Upstreams, relay

AUTO = "auto"
POLICY_PREFIX = "policy/"
Request = ChatRequest | EmbeddingsRequest
SEED_BITS = 53
"""So that a seed survives JSON readers whose numbers are doubles."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply on its way to the caller, with the record as it stands when the reply begins."""

    record: DecisionRecord
    status: int
    content_type: str
    chunks: AsyncGenerator[bytes, None]
    format: Format = "chat"


@dataclass(frozen=True, slots=True)
class Offered:
    """What a request may ask for as its model: `auto`, a policy, or a model and what that can do."""

    name: str
    can: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Decided:
    """A request that has its decision and not yet its reply."""

    request: Request
    caller: Caller
    active: ActivePolicy
    record: DecisionRecord
    started: float


@dataclass(frozen=True, slots=True)
class Router:
    """Routes requests by the policies it was given. Each request leaves exactly one record."""

    book: PolicyBook
    default_policy: str
    sensor: Sensor
    upstreams: Upstreams
    decisions: Decisions
    telemetry: Telemetry
    feedbacks: Feedbacks

    async def route(self, request: Request, caller: Caller) -> DecisionRecord:
        """Return the decision alone; nothing is called upstream. Raises UnknownModel."""
        started = time.perf_counter()
        _, record = await self._decided(request, caller)
        record = closed(record, "decided", started)
        await self._record(record)
        return record

    async def ask(self, request: Request, caller: Caller) -> Answer:
        """Return the answer of the first candidate that begins well.

        Raises UnknownModel, NoEligibleModel, UpstreamFailed. The answer's chunks raise
        UpstreamBroke when the upstream fails after they have begun.
        """
        return await self.answer(await self.decide(request, caller))

    async def decide(self, request: Request, caller: Caller) -> Decided:
        """Return the request with its decision, to be answered. Raises UnknownModel."""
        started = time.perf_counter()
        active, record = await self._decided(request, caller)
        return Decided(request, caller, active, record, started)

    async def answer(self, decided: Decided) -> Answer:
        """Return the answer of the first candidate that begins well, as `ask` does."""
        active, record, started = decided.active, decided.record, decided.started
        if record.chosen is None:
            await self._record(closed(record, "refused", started))
            raise _with_id(NoEligibleModel(refusal(record.policy, record.candidates)), record)
        try:
            exchange = await relay(self.upstreams, _plan(decided))
        except UpstreamFailed as error:
            failed = replace(record, attempts=error.attempts)
            await self._record(closed(failed, "failed", started))
            raise _with_id(error, record) from None
        except asyncio.CancelledError:
            await asyncio.shield(self._record(closed(record, "client_gone", started)))
            raise
        record = begun(record, exchange, started)
        chunks = self._recorded(exchange, record, active, started)
        return Answer(record, exchange.status, exchange.content_type, chunks, exchange.reply.format)

    async def find(self, decision_id: str, caller: Caller) -> DecisionRecord:
        """Return a decision of the caller's own tenant. Raises NotFound, StoreError."""
        record = await self.decisions.find(decision_id)
        if record is None or record.signals.tenant != caller.tenant:
            raise NotFound(f"no decision {decision_id!r} on record")
        return record

    async def rate(self, feedback: Feedback, caller: Caller) -> None:
        """Keep what the caller thought of its own request's reply. Raises NotFound, StoreError."""
        record = await self.find(feedback.decision_id, caller)
        if record.signals.key != caller.key:
            raise NotFound(f"no decision {feedback.decision_id!r} of this key on record")
        await self.feedbacks.save(feedback)

    async def said_of(self, decision_id: str, caller: Caller) -> Feedback | None:
        """Return what was said of a decision of the caller's own tenant. Raises NotFound, StoreError."""
        await self.find(decision_id, caller)
        return await self.feedbacks.find(decision_id)

    async def explain(self, decision_id: str, caller: Caller) -> Explanation:
        """Return why a decision of the caller's came out so. Raises NotFound, StoreError."""
        record = await self.find(decision_id, caller)
        return explain(await self.book.find(record.policy), record)

    async def offered(self) -> list[Offered]:
        """Return everything that a request may ask for as its model."""
        return self._offered(await self.book.snapshot())

    def _offered(self, snapshot: Snapshot) -> list[Offered]:
        default = snapshot.rollouts[self.default_policy].active.policy
        named = [Offered(f"{POLICY_PREFIX}{name}") for name in snapshot.rollouts]
        models = (Offered(model.full_id, model.can) for model in default.models.values())
        return [Offered(AUTO), *named, *models]

    def _policy_for(self, snapshot: Snapshot, request: Request, seed: int) -> ActivePolicy:
        active = None
        if request.model.startswith(POLICY_PREFIX):
            rollout = snapshot.rollouts.get(request.model.removeprefix(POLICY_PREFIX))
            active = rollout.for_seed(seed) if rollout else None
        else:
            default = snapshot.rollouts[self.default_policy].for_seed(seed)
            if request.model == AUTO or find_model(default.policy, request.model):
                active = default
        if active is None:
            known = ", ".join(each.name for each in self._offered(snapshot))
            raise UnknownModel(f"no model {request.model!r}; try {known}")
        return active

    async def _decided(
        self, request: Request, caller: Caller
    ) -> tuple[ActivePolicy, DecisionRecord]:
        """Decide by one snapshot of the policies, from the first step to the last."""
        snapshot, seed = await self.book.snapshot(), _seed(request)
        active = self._policy_for(snapshot, request, seed)
        started = time.perf_counter()
        upstreams = self.upstreams.available_to(caller)
        only_for, format_ = _wants(request)
        unable = self.upstreams.unable(format_, upstreams) if only_for else ()
        signals, classifier = self.sensor.sense(
            request, caller, upstreams, only_for=only_for, unable=unable
        )
        sensed = time.perf_counter()
        decision = decide(active, signals, seed)
        timings = {"sense": ms(started, sensed), "decide": ms(sensed)}
        shadow = snapshot.rollouts.get(active.policy.shadow or "")
        return active, DecisionRecord(
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
            prompt=_kept_prompt(request, active.policy.record),
            policy_age_s=self.book.age_s(snapshot),
            shadow=_shadow(shadow.for_seed(seed), signals, seed) if shadow else None,
            conversation=place(request, caller),
        )

    async def _recorded(
        self, exchange: Exchange, record: DecisionRecord, active: ActivePolicy, started: float
    ) -> AsyncGenerator[bytes, None]:
        """Pass the chunks on. The record is written just before the last bytes go out, so that a
        caller who has seen the end finds the decision on record."""
        recorded = False
        try:
            async for chunk in exchange.chunks:
                if exchange.outcome and not recorded:
                    recorded = True
                    await self._record(settled(record, exchange, active, started))
                yield chunk
        finally:
            await exchange.close()
            if not recorded:
                await asyncio.shield(self._record(settled(record, exchange, active, started)))

    async def _record(self, record: DecisionRecord) -> None:
        self.telemetry.record(record)
        try:
            await self.decisions.save(record)
        except StoreError as error:
            self.telemetry.warn("decision_not_stored", str(error))


def _wants(request: Request) -> tuple[str, Format]:
    """Return what of the request not every upstream can be asked for, if anything, and in which format."""
    if isinstance(request, EmbeddingsRequest):
        return "embeddings", "embeddings"
    native = request.native
    return (native.only, native.format) if native else ("", "chat")


def _kept_prompt(request: Request, keeping: Recording) -> str | None:
    # What is embedded are documents, not prompts.
    if not keeping.prompts or isinstance(request, EmbeddingsRequest):
        return None
    return redact(request.prompt, keeping.redact, keeping.patterns)


def _shadow(active: ActivePolicy, signals: Signals, seed: int) -> ShadowDecision:
    decision = decide(active, signals, seed)
    first = next(iter(decision.eligible), None)
    return ShadowDecision(
        active.ref,
        decision.chosen.rule if decision.chosen else None,
        first.model if first else None,
        first.estimated_cost_usd if first else None,
    )


def _seed(request: Request) -> int:
    """Return a seed: of the session, or the user, so that they keep their model; else random."""
    keeps = request.session or request.user
    if not keeps:
        return secrets.randbits(SEED_BITS)
    digest = hashlib.blake2b(keeps.encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> (64 - SEED_BITS)


def _plan(decided: Decided) -> Plan:
    active, record, request = decided.active, decided.record, decided.request
    models, limits = active.policy.models, active.policy.limits
    choice = choice_of(active.policy, record.chosen.rule if record.chosen else "")
    eligible = [models[candidate.name] for candidate in record.candidates if candidate.eligible]
    return Plan(
        targets=tuple(Target(model.full_id, model.upstream, model.id) for model in eligible),
        caller=decided.caller,
        body=request.body,
        asks="embeddings" if isinstance(request, EmbeddingsRequest) else "chat",
        native=None if isinstance(request, EmbeddingsRequest) else request.native,
        stream=request.stream,
        why=f"rule {record.chosen.rule}: {record.chosen.reason}" if record.chosen else "",
        timeout_s=choice.timeout_s or limits.timeout_s,
        first_chunk_s=choice.first_chunk_s or limits.first_chunk_s,
        attempts=choice.attempts or limits.attempts,
        hedge_s=choice.hedge_s,
    )


def _with_id(error: TurnoutError, record: DecisionRecord) -> TurnoutError:
    error.decision_id = record.id
    return error
