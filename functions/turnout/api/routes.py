"""The routes of the data plane."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from starlette.responses import Response

from turnout import __version__
from turnout.api.auth import authenticate
from turnout.api.body import read_json_object
from turnout.api.decisions import page_to_wire, parse_listing
from turnout.api.dialects import Dialect, Messages, Responses, reply_in
from turnout.api.embeddings import parse_embeddings
from turnout.api.feedback import feedback_to_wire, parse_feedback
from turnout.api.openai import parse_chat
from turnout.api.reply import (
    StreamedReply,
    decision_first,
    routing_headers,
    while_client_waits,
    whole,
)
from turnout.chat import Caller, ChatRequest
from turnout.history import History
from turnout.record import to_wire
from turnout.service import Offered, Router
from turnout.session import session_wire
from turnout.signals import estimate_input_tokens
from turnout.timespan import seconds

public = APIRouter()
guarded = APIRouter(prefix="/v1", dependencies=[Depends(authenticate)])

CallerOf = Annotated[Caller, Depends(authenticate)]


async def _router(request: Request) -> Router:
    # Not a plain function: FastAPI would run that in a thread.
    router: Router = request.app.state.router
    return router


async def _history(request: Request) -> History:
    history: History = request.app.state.history
    return history


RouterOf = Annotated[Router, Depends(_router)]
HistoryOf = Annotated[History, Depends(_history)]


async def _body(request: Request) -> dict[str, Any]:
    return await read_json_object(request, request.app.state.most_body_bytes)


async def _chat_request(request: Request) -> ChatRequest:
    return parse_chat(await _body(request), request.headers)


@public.get("/health")
async def health(router: RouterOf) -> dict[str, Any]:
    """Say that the process serves, and with which classifier; nothing about its configuration."""
    snapshot = await router.book.snapshot()
    return {
        "status": "ok",
        "version": __version__,
        "classifier": router.sensor.version,
        "policy": str(snapshot.rollouts[router.default_policy].active.ref),
    }


@guarded.post("/chat/completions")
async def chat_completions(request: Request, caller: CallerOf, router: RouterOf) -> Response:
    """Route a chat completion and relay the reply, streamed or whole."""
    parsed = await _chat_request(request)
    if parsed.stream and request.headers.get("x-turnout-decision") == "inline":
        return StreamedReply(decision_first(router, await router.decide(parsed, caller)))
    answer = await while_client_waits(request.receive, router.ask(parsed, caller))
    if answer.content_type == "text/event-stream":
        return StreamedReply(answer)
    return await whole(answer)


@guarded.post("/embeddings")
async def embeddings(request: Request, caller: CallerOf, router: RouterOf) -> Response:
    """Route a request for embeddings and relay the vectors."""
    parsed = parse_embeddings(await _body(request), request.headers)
    return await whole(await while_client_waits(request.receive, router.ask(parsed, caller)))


@guarded.post("/messages")
async def messages(request: Request, caller: CallerOf, router: RouterOf) -> Response:
    """Route a message of Anthropic's API, and answer in its format."""
    return await _in_dialect(Messages(await _body(request)), request, caller, router)


@guarded.post("/messages/count_tokens")
async def count_tokens(request: Request) -> dict[str, int]:
    """Estimate a message's input tokens, as the decision does."""
    chat = Messages(await _body(request)).chat(request.headers)
    return {"input_tokens": estimate_input_tokens(chat)}


@guarded.post("/responses")
async def responses(request: Request, caller: CallerOf, router: RouterOf) -> Response:
    """Route a request of OpenAI's Responses API, and answer in its format."""
    return await _in_dialect(Responses(await _body(request)), request, caller, router)


async def _in_dialect(
    dialect: Dialect, request: Request, caller: Caller, router: Router
) -> Response:
    chat = dialect.chat(request.headers)
    answer = await while_client_waits(request.receive, router.ask(chat, caller))
    return await reply_in(dialect, answer)


@guarded.post("/route")
async def route(request: Request, caller: CallerOf, router: RouterOf) -> Response:
    """Decide, and call nothing upstream."""
    body = await _body(request)
    # Chats have messages; embeddings have inputs.
    asks_for_embeddings = "input" in body and "messages" not in body
    parse = parse_embeddings if asks_for_embeddings else parse_chat
    record = await router.route(parse(body, request.headers), caller)
    return JSONResponse(to_wire(record), headers=routing_headers(record))


@guarded.get("/decisions")
async def decisions(request: Request, caller: CallerOf, history: HistoryOf) -> Response:
    """List records of requests that the caller's tenant made, the newest first."""
    page = await history.page(parse_listing(request.query_params), caller.tenant)
    return JSONResponse(page_to_wire(page))


@guarded.get("/decisions/{decision_id}")
async def decision(decision_id: str, caller: CallerOf, router: RouterOf) -> Response:
    """Return the record of a request that the caller's tenant made."""
    return JSONResponse(to_wire(await router.find(decision_id, caller)))


@guarded.get("/decisions/{decision_id}/explain")
async def explanation(decision_id: str, caller: CallerOf, router: RouterOf) -> Response:
    """Decide again from the record, and tell every rule that was tried."""
    return JSONResponse(asdict(await router.explain(decision_id, caller)))


@guarded.get("/decisions/{decision_id}/feedback")
async def feedback_on(decision_id: str, caller: CallerOf, router: RouterOf) -> dict[str, Any]:
    """Return what was said of a reply to a request that the caller's tenant made."""
    return feedback_to_wire(await router.said_of(decision_id, caller))


@guarded.get("/sessions/{session_id}")
async def session(session_id: str, caller: CallerOf, history: HistoryOf) -> dict[str, Any]:
    """List the requests of a session of the caller's tenant, by its id or a decision's in it."""
    return session_wire(await history.session(session_id, caller.tenant))


@guarded.get("/report")
async def report(caller: CallerOf, history: HistoryOf, since: str = "7d") -> dict[str, Any]:
    """Sum up what the caller's tenant asked for since then."""
    return asdict(await history.report(seconds(since), caller.tenant))


@guarded.post("/feedback", status_code=204)
async def feedback(request: Request, caller: CallerOf, router: RouterOf) -> Response:
    """Keep what the caller thought of a reply; what it said of the same one before is replaced."""
    await router.rate(parse_feedback(await _body(request)), caller)
    return Response(status_code=204)


@guarded.get("/models")
async def models(router: RouterOf) -> dict[str, Any]:
    """List what a request may ask for as its model, in OpenAI's shape, and what it can do."""
    return {"object": "list", "data": [_listed(each) for each in await router.offered()]}


def _listed(each: Offered) -> dict[str, Any]:
    upstream, slash, _ = each.name.partition("/")
    owner = upstream if slash and upstream != "policy" else "turnout"
    listed = {"id": each.name, "object": "model", "created": 0, "owned_by": owner}
    return {**listed, "can": each.can} if each.can else listed
