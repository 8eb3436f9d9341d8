"""The one place where errors become wire errors: in OpenAI's shape, or Anthropic's on its own route."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic_core import to_json
from starlette.exceptions import HTTPException

from turnout.errors import (
    ClientGone,
    Conflict,
    Forbidden,
    InvalidRequest,
    NoEligibleModel,
    NotFound,
    PayloadTooLarge,
    PolicyError,
    StoreError,
    TurnoutError,
    Unauthenticated,
    UnknownModel,
    UnsupportedMediaType,
    UpstreamBroke,
    UpstreamFailed,
    UpstreamTimeout,
)

_ANTHROPIC_ROUTE: Final = "/v1/messages"
_log = logging.getLogger(__name__)

_WIRE: Final[dict[type[TurnoutError], tuple[int, str, str | None]]] = {
    InvalidRequest: (400, "invalid_request_error", None),
    PayloadTooLarge: (413, "invalid_request_error", "payload_too_large"),
    UnsupportedMediaType: (415, "invalid_request_error", "unsupported_media_type"),
    Unauthenticated: (401, "authentication_error", "invalid_api_key"),
    Forbidden: (403, "permission_error", "forbidden"),
    NotFound: (404, "invalid_request_error", "not_found"),
    Conflict: (409, "invalid_request_error", "conflict"),
    PolicyError: (422, "invalid_request_error", "invalid_policy"),
    UnknownModel: (404, "invalid_request_error", "model_not_found"),
    NoEligibleModel: (422, "policy_error", "no_eligible_model"),
    UpstreamFailed: (502, "upstream_error", "upstream_failed"),
    UpstreamTimeout: (504, "upstream_error", "upstream_timeout"),
    UpstreamBroke: (502, "upstream_error", "upstream_broke_off"),
    ClientGone: (499, "api_error", "client_gone"),
    StoreError: (503, "api_error", "store_unavailable"),
    TurnoutError: (500, "api_error", "internal_error"),
}
"""Status, type and code by class; a class that is not here is answered as its nearest ancestor."""


def error_body(error: TurnoutError) -> dict[str, Any]:
    """Return OpenAI's error object for `error`."""
    _, kind, code = _wire(error)
    body: dict[str, Any] = {
        "message": str(error),
        "type": kind,
        "param": error.param if isinstance(error, InvalidRequest) else None,
        "code": code,
    }
    if isinstance(error, PolicyError):
        body["problems"] = [asdict(problem) for problem in error.problems]
    if isinstance(error, UpstreamFailed):
        body["attempts"] = [asdict(attempt) for attempt in error.attempts]
    return {"error": body}


def anthropic_body(message: str, status: int, **more: Any) -> dict[str, Any]:
    """Return Anthropic's error object, whose types go by status."""
    from turnout.wire.anthropic_replies import anthropic_error

    body = anthropic_error(message, status=status)
    return {**body, "error": {**body["error"], **more}}


def error_event(error: TurnoutError) -> bytes:
    """Return the server-sent event that ends a stream with `error`."""
    return b"data: " + to_json(error_body(error)) + b"\n\n"


def install_error_handlers(app: FastAPI) -> None:
    """Make every failure of the app an OpenAI-shaped answer, without a stack trace."""
    app.exception_handler(TurnoutError)(_answer_turnout_error)
    app.exception_handler(HTTPException)(_answer_http_exception)
    app.exception_handler(Exception)(_answer_unexpected)


def _wire(error: TurnoutError) -> tuple[int, str, str | None]:
    return next(_WIRE[kind] for kind in type(error).__mro__ if kind in _WIRE)


async def _answer_turnout_error(request: Request, error: TurnoutError) -> JSONResponse:
    status, _, _ = _wire(error)
    if isinstance(error, UpstreamFailed) and not isinstance(error, UpstreamTimeout):
        status = error.status or status
    headers = {}
    if error.decision_id:
        headers["x-turnout-decision-id"] = error.decision_id
    if isinstance(error, Unauthenticated):
        headers["www-authenticate"] = "Bearer"
    return _answer(request, error_body(error), status, headers)


async def _answer_http_exception(request: Request, error: HTTPException) -> JSONResponse:
    phrase = HTTPStatus(error.status_code).phrase.lower()
    body = {
        "message": f"{request.method} {request.url.path}: {phrase}",
        "type": "invalid_request_error",
        "param": None,
        "code": phrase.replace(" ", "_"),
    }
    return _answer(request, {"error": body}, error.status_code, error.headers)


async def _answer_unexpected(request: Request, error: Exception) -> JSONResponse:
    _log.error("unexpected error in %s %s", request.method, request.url.path, exc_info=error)
    body = error_body(TurnoutError("internal error; the log has the details"))
    return _answer(request, body, 500)


def _answer(
    request: Request,
    body: dict[str, Any],
    status: int,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    if request.url.path.startswith(_ANTHROPIC_ROUTE):
        told = body["error"]
        more = {name: told[name] for name in ("attempts", "param") if told.get(name)}
        body = anthropic_body(told["message"], status, **more)
    return JSONResponse(body, status, headers)
