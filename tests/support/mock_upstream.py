"""An upstream on loopback that speaks OpenAI's chat completions and embeddings, and misbehaves as its
model's name says."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import struct
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from email.utils import formatdate
from typing import Any

from aiohttp import web

from support.web_app import serving

WORDS = ["Hello", " from", " the", " mock", " upstream", "."]


class MockUpstream:
    """Answers by the model asked for:

    `ok`, `slow` (50 ms between chunks), `late` (after 200 ms; `late-503` with that status), `later`
    (after 400 ms), `flaky-N` (503 to the first N requests), `patient-S` (429 to the first,
    asking for S seconds, or with `patient-date-S` for that by date), `status-NNN`, `hang`, `reset`,
    `stall-N` (is silent after N content chunks),
    `redirect`, `compressed`, `huge-body`, `endless-header`,
    `picky` (401 to another key than `sk-upstream-secret`),
    `no-completion`, `garbage`, `not-a-stream`, `error-first`, `role-then-error`, `break-N` (cuts the
    connection after N content chunks), `error-N`, `scrap-N` (sends a chunk that is no JSON),
    `huge-N` (sends one of over a megabyte),
    `no-finish`, `no-done`, `done-no-finish`, `huge-event`, `kilobytes-N` (that much more content, in
    events of four kilobytes).
    """

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.sent_at: list[float] = []
        self.closed_by_client = asyncio.Event()
        self.closed = 0

    async def chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        if misbehaved := await self._misbehave(request, body):
            return misbehaved
        if body.get("stream") and body["model"] != "not-a-stream":
            return await self._stream(request, body)
        return web.json_response(completion(body["model"]), headers=OF_ITS_OWN)

    async def embeddings(self, request: web.Request) -> web.StreamResponse:
        """Answer with [length, position, 0.5] for each text, also by these models: `numbers` (knows no
        base64), `coded` (knows nothing else), `short` (leaves the last out), `ragged` (of two lengths)."""
        body = await request.json()
        if misbehaved := await self._misbehave(request, body):
            return misbehaved
        texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
        coded = body.get("encoding_format") == "base64"
        coded = {"numbers": False, "coded": True}.get(body["model"], coded)
        vectors: list[Any] = [[float(len(text)), float(i), 0.5] for i, text in enumerate(texts)]
        if body["model"] == "ragged":
            vectors[-1].append(1.0)
        if body["model"] == "short":
            vectors.pop()
        if coded:
            vectors = [base64.b64encode(struct.pack("<3f", *each)).decode() for each in vectors]
        data = [{"object": "embedding", "index": i, "embedding": v} for i, v in enumerate(vectors)]
        usage = {"prompt_tokens": 1_000 * len(texts), "total_tokens": 1_000 * len(texts)}
        reply = {"object": "list", "data": data, "model": "mock", "usage": usage}
        return web.json_response(reply)

    async def _misbehave(
        self, request: web.Request, body: dict[str, Any]
    ) -> web.StreamResponse | None:
        self.requests.append(body)
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        model: str = body["model"]
        if model.startswith("late"):
            await asyncio.sleep(0.4 if model == "later" else 0.2)
        if model.startswith(("status-", "late-")):
            status = int(model.partition("-")[2])
            error = {"message": f"mock says {status}", "type": "mock", "code": None, "param": None}
            return web.json_response({"error": error}, status=status)
        if unready := self._unready(model):
            return unready
        if model in BAD_REPLIES:
            return BAD_REPLIES[model]()
        match model:
            case "hang":
                await self._hang(request)
            case "reset":
                _cut(request)
            case "redirect":
                raise web.HTTPTemporaryRedirect("http://127.0.0.1:9/elsewhere")
        return None

    def _unready(self, model: str) -> web.Response | None:
        name, _, times = model.partition("-")
        if model == "picky" and self.headers[-1]["authorization"] != "Bearer sk-upstream-secret":
            error = {"message": f"wrong key: {self.headers[-1]['authorization']}"}
            return web.json_response({"error": error}, status=401)
        if name == "flaky" and len(self.requests) <= int(times):
            error = {"message": "mock is not ready"}
            return web.json_response({"error": error}, status=503, headers={"retry-after": "0"})
        if name == "patient" and len(self.requests) == 1:
            return web.json_response({}, status=429, headers={"retry-after": _when(times)})
        return None

    async def models(self, request: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": "ok"}, {"id": "other"}]})

    async def _hang(self, request: web.Request) -> None:
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            self._closed_by_client()
            raise

    def _closed_by_client(self) -> None:
        self.closed += 1
        self.closed_by_client.set()

    async def _stream(self, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream", **OF_ITS_OWN})
        await response.prepare(request)
        try:
            async for event in self._events(request, body):
                self.sent_at.append(asyncio.get_running_loop().time())
                await response.write(event)
        except (asyncio.CancelledError, ConnectionResetError):
            self._closed_by_client()
            raise
        return response

    async def _events(  # noqa: C901 (a list of misbehaviours, one after the other)
        self, request: web.Request, body: dict[str, Any]
    ) -> AsyncIterator[bytes]:
        model: str = body["model"]
        failure, _, position = model.partition("-")
        cut_at = int(position) if position.isdecimal() else None
        if model in BAD_BEGINNINGS:
            for event_bytes in BAD_BEGINNINGS[model]:
                yield event_bytes
            return
        yield b": a comment before anything\n\n"
        yield event({"role": "assistant", "content": ""})
        for i, word in enumerate(WORDS):
            if cut_at == i and failure == "break":
                _cut(request)
            if cut_at == i and failure == "error":
                yield FELL_OVER
                return
            if cut_at == i and failure == "huge":
                yield event({"content": "x" * (1 << 20)})
            if cut_at == i and failure == "scrap":
                yield SCRAP
            if cut_at == i and failure == "stall":
                await asyncio.sleep(30)
            yield event({"content": word})
            if model == "slow":
                await asyncio.sleep(0.05)
        for _ in range(int(position) // 4 if failure == "kilobytes" else 0):
            yield event({"content": "0123456789abcdef" * 256})
        if model not in ("no-finish", "done-no-finish"):
            yield event({}, finish="stop")
        if (body.get("stream_options") or {}).get("include_usage"):
            yield USAGE_CHUNK
        if model not in ("no-finish", "no-done"):
            yield b"data: [DONE]\n\n"


OF_ITS_OWN = {"set-cookie": "mine=1", "x-upstream-account": "acct-1", "server": "mock"}
USAGE = {
    "prompt_tokens": 11,
    "completion_tokens": 6,
    "total_tokens": 17,
    "prompt_tokens_details": {"cached_tokens": 3},
}


def event(delta: dict[str, Any], *, finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    chunk = {
        "id": "chatcmpl-mock",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "mock",
        "choices": [choice],
    }
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


USAGE_CHUNK = (
    b"data: "
    + json.dumps({"choices": [], "object": "chat.completion.chunk", "usage": USAGE}).encode()
    + b"\n\n"
)
SCRAP = b'data: {"id": "chatcmpl-mock", "obj\n\n'
FELL_OVER = b'data: {"error": {"message": "mock fell over"}}\n\n'
BAD_REPLIES: dict[str, Callable[[], web.Response]] = {
    "no-completion": lambda: web.json_response({"error": {"message": "overloaded, says the body"}}),
    "garbage": lambda: web.Response(body=b"\xff\x00 not json", content_type="application/json"),
    "compressed": lambda: web.Response(
        body=gzip.compress(bytes(64 << 20)),
        headers={"content-encoding": "gzip", "content-type": "application/json"},
    ),
    "huge-body": lambda: web.Response(body=bytes(33 << 20), content_type="application/json"),
    "endless-header": lambda: web.json_response({}, headers={"x-more": "x" * 100_000}),
}
BAD_BEGINNINGS = {
    "error-first": [FELL_OVER],
    "role-then-error": [event({"role": "assistant", "content": ""}), FELL_OVER],
    "huge-event": [b"data: " + b"x" * (3 << 19), b"x" * (3 << 19)],
    "empty": [],
}


def completion(model: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": "".join(WORDS)}
    return {
        "id": "chatcmpl-mock",
        "object": "chat.completion",
        "created": 1,
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": USAGE,
    }


def _when(wait: str) -> str:
    """Return a `Retry-After`: seconds, or for `date-S` the moment so many seconds from now."""
    if wait.startswith("date-"):
        return formatdate(time.time() + float(wait.removeprefix("date-")), usegmt=True)
    return wait


def _cut(request: web.Request) -> None:
    """Close the connection where it stands, as a crashed server does."""
    if request.transport is not None:
        request.transport.abort()
    raise ConnectionResetError


@asynccontextmanager
async def running_mock_upstream(
    *, bind: str = "127.0.0.1", seen_as: str = "127.0.0.1"
) -> AsyncIterator[MockUpstream]:
    """Serve a mock upstream on a free port, of loopback by default."""
    mock = MockUpstream()
    app = web.Application()
    app.router.add_post("/v1/chat/completions", mock.chat)
    app.router.add_post("/v1/embeddings", mock.embeddings)
    app.router.add_get("/v1/models", mock.models)
    async with serving(app, bind=bind) as port:
        mock.url = f"http://{seen_as}:{port}/v1"
        yield mock
