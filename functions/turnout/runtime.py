"""The streaming runtime: takes Lambda's invocations one by one and streams the ASGI app's replies."""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Mapping
from types import ModuleType
from typing import Any, Final, cast

from fastapi import FastAPI
from mangum import Mangum
from mangum.types import LambdaContext

from turnout.runtime_api import PRELUDE_END, Invocation, ResponseStream, RuntimeApi

KEEP_ALIVE_S: Final = 15.0
KEEP_ALIVE: Final = b": keep-alive\n\n"
MARGIN_S: Final = 1.0
"""How long before Lambda's deadline a reply is ended, so that its end still gets through."""
EVENT_STREAM: Final = "text/event-stream"
_FAILED: Final = {"message": "internal error; the log has the details", "code": "internal_error"}
_TOO_LATE: Final = {"message": "the function's time ran out", "code": "upstream_timeout"}
_NO_HTTP: Final = {"message": "this event is no API Gateway request", "code": "bad_event"}

_NO_CONTEXT: Final = cast("LambdaContext", None)
"""Mangum only hands the context on to the app, which reads none."""

_log = logging.getLogger(__name__)


class Exchange:
    """One invocation's request and response, as an ASGI app sees them."""

    def __init__(self, stream: ResponseStream, body: bytes, keep_alive_s: float) -> None:
        self._stream = stream
        self._requests = [{"type": "http.request", "body": body, "more_body": False}]
        self._keep_alive_s = keep_alive_s
        self._head: Mapping[str, Any] | None = None
        self._at_boundary = True
        self._wrote_at = time.monotonic()
        self.started = False
        self.is_event_stream = False

    async def receive(self) -> dict[str, Any]:
        if self._requests:
            return self._requests.pop()
        await asyncio.wait([self._stream.broken])
        return {"type": "http.disconnect"}

    async def send(self, message: Mapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self._head = message
            return
        await self._write(message.get("body", b""))

    async def fail(self, status: int, error: Mapping[str, str]) -> None:
        """End with an error: as the whole answer, or as an event of a stream that has begun."""
        body = json.dumps({"error": {"type": "api_error", "param": None, **error}}).encode()
        if self.started and self.is_event_stream:
            await self._write(b"data: " + body + b"\n\n")
        elif not self.started:
            headers = [(b"content-type", b"application/json")]
            self._head = {"status": status, "headers": headers}
            await self._write(body)

    async def keep_alive(self) -> None:
        """Send a comment into an event stream whenever it has been silent for long, for ever."""
        while True:
            silent = time.monotonic() - self._wrote_at
            if silent < self._keep_alive_s:
                await asyncio.sleep(self._keep_alive_s - silent)
            elif self.started and self.is_event_stream and self._at_boundary:
                await self._write(KEEP_ALIVE)
            else:
                await asyncio.sleep(self._keep_alive_s)

    async def _write(self, data: bytes) -> None:
        if not self.started and self._head is not None:
            self.started = True
            data = _prelude(self._head) + PRELUDE_END + data
            self.is_event_stream = EVENT_STREAM.encode() in dict(self._head["headers"]).get(
                b"content-type", b""
            )
        self._at_boundary = data.endswith((b"\n\n", b"\r\n\r\n", PRELUDE_END))
        self._wrote_at = time.monotonic()
        await self._stream.write(data)


async def serve(app: FastAPI, api: RuntimeApi, *, keep_alive_s: float = KEEP_ALIVE_S) -> None:
    """Answer invocations until SIGTERM; what an invocation began is finished before the next."""
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    stopped = asyncio.create_task(stopping.wait())
    async with app.router.lifespan_context(app):
        while not stopping.is_set():
            waiting = asyncio.create_task(api.next_invocation())
            await asyncio.wait([waiting, stopped], return_when=asyncio.FIRST_COMPLETED)
            if not waiting.done():
                waiting.cancel()
                break
            await answer(app, api, waiting.result(), keep_alive_s=keep_alive_s)
    stopped.cancel()


async def answer(
    app: FastAPI, api: RuntimeApi, invocation: Invocation, *, keep_alive_s: float = KEEP_ALIVE_S
) -> None:
    """Run the app on one invocation and stream its reply."""
    if invocation.trace_id:
        os.environ["_X_AMZN_TRACE_ID"] = invocation.trace_id
    stream = await api.respond(invocation.request_id)
    error: BaseException | None = None
    try:
        error = await _run(app, stream, invocation, keep_alive_s)
    except OSError:
        _log.info("the client of %s has gone", invocation.request_id)
    await stream.finish(error)


async def _run(
    app: FastAPI, stream: ResponseStream, invocation: Invocation, keep_alive_s: float
) -> BaseException | None:
    """Run the app, and return what broke a reply that had begun and could not say so itself."""
    try:
        handler = Mangum(app, lifespan="off").infer(invocation.event, _NO_CONTEXT)
        scope, body = handler.scope, handler.body
    except Exception:
        _log.exception("no HTTP request in the event of %s", invocation.request_id)
        await Exchange(stream, b"", keep_alive_s).fail(400, _NO_HTTP)
        return None
    exchange = Exchange(stream, body, keep_alive_s)
    keeping = asyncio.create_task(exchange.keep_alive())
    left = invocation.deadline - time.time() - MARGIN_S
    try:
        async with asyncio.timeout(max(0.0, left)):
            await app(scope, exchange.receive, exchange.send)
    except TimeoutError as late:
        await exchange.fail(504, _TOO_LATE)
        return late
    except OSError:
        raise
    except Exception as error:
        _log.exception("the app failed on %s", invocation.request_id)
        await exchange.fail(500, _FAILED)
        return error if exchange.started else None
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
    return None


def _prelude(head: Mapping[str, Any]) -> bytes:
    """Return the JSON object that API Gateway reads status and headers from."""
    values: dict[str, list[str]] = {}
    for name, value in head["headers"]:
        values.setdefault(name.decode("latin-1"), []).append(value.decode("latin-1"))
    cookies = values.pop("set-cookie", [])
    prelude = {
        "statusCode": head["status"],
        "headers": {name: all_[0] for name, all_ in values.items() if len(all_) == 1},
        "multiValueHeaders": {name: all_ for name, all_ in values.items() if len(all_) > 1},
        "cookies": cookies,
    }
    return json.dumps(prelude).encode()


async def main() -> None:
    """Run the app of the module that _HANDLER names, as Lambda's own runtime would."""
    api = RuntimeApi(os.environ["AWS_LAMBDA_RUNTIME_API"])
    try:
        module: ModuleType = importlib.import_module(os.environ["_HANDLER"].partition(".")[0])
        app: FastAPI = module.app
    except BaseException as error:
        await api.init_failed(error)
        raise
    if os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start":
        await api.restored()
    seconds = float(os.environ.get("TURNOUT_KEEP_ALIVE_S", KEEP_ALIVE_S))
    await serve(app, api, keep_alive_s=seconds)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
