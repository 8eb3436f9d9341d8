"""Lambda's Runtime API with API Gateway in front of it, on loopback sockets, as AWS documents them."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

PRELUDE_END = b"\0" * 8


@dataclass
class Invocation:
    """One event given to the function, and what came back."""

    request_id: str
    event: Any
    deadline_s: float
    head: asyncio.Future[dict[str, Any]] = field(default_factory=asyncio.Future)
    chunks: asyncio.Queue[bytes | None] = field(default_factory=asyncio.Queue)
    trailers: dict[str, str] = field(default_factory=dict)
    runtime_side: asyncio.StreamWriter | None = None

    async def body(self) -> bytes:
        parts = []
        while (chunk := await self.chunks.get()) is not None:
            parts.append(chunk)
        return b"".join(parts)


class LambdaStandIn:
    """Takes HTTP requests on `url`, hands them to the runtime at `api` one by one, streams its replies."""

    def __init__(self, *, deadline_s: float = 30.0) -> None:
        self.url = ""
        self.api = ""
        self.deadline_s = deadline_s
        self.invocations: list[Invocation] = []
        self.init_error: dict[str, Any] | None = None
        self.snapshots = 0
        self.asked_at = 0.0
        """When the function asked for an event last, by time.perf_counter."""
        self._queue: asyncio.Queue[Invocation] = asyncio.Queue()
        self._by_id: dict[str, Invocation] = {}

    def invoke(self, event: Any) -> Invocation:
        """Queue an event for the function."""
        request_id = f"request-{len(self.invocations)}"
        invocation = Invocation(request_id, event, self.deadline_s)
        self.invocations.append(invocation)
        self._by_id[request_id] = invocation
        self._queue.put_nowait(invocation)
        return invocation

    async def runtime_face(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """The Runtime API: /next, /response, /restore/next, /init/error."""
        try:
            method, path, headers = await _read_head(reader)
            if method == "GET" and path.endswith("/runtime/invocation/next"):
                await self._give_next(reader, writer)
            elif path.endswith("/response"):
                await self._take_response(path.split("/")[-2], headers, reader, writer)
            elif path.endswith("/restore/next"):
                self.snapshots += 1
                _accept(writer, status="200 OK")
            elif path.endswith("/init/error"):
                self.init_error = json.loads(
                    await reader.readexactly(int(headers["content-length"]))
                )
                _accept(writer)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _give_next(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked_at = time.perf_counter()
        getting = asyncio.create_task(self._queue.get())
        leaving = asyncio.create_task(reader.read(1))
        await asyncio.wait([getting, leaving], return_when=asyncio.FIRST_COMPLETED)
        if not getting.done():
            getting.cancel()
            return
        leaving.cancel()
        invocation = getting.result()
        body = json.dumps(invocation.event).encode()
        deadline = int((time.time() + invocation.deadline_s) * 1000)
        writer.write(
            b"HTTP/1.1 200 OK\r\n"
            + f"Lambda-Runtime-Aws-Request-Id: {invocation.request_id}\r\n".encode()
            + f"Lambda-Runtime-Deadline-Ms: {deadline}\r\n".encode()
            + b"Lambda-Runtime-Trace-Id: Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700\r\n"
            + _framed(body)
        )

    async def _take_response(
        self,
        request_id: str,
        headers: dict[str, str],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        assert headers["lambda-runtime-function-response-mode"] == "streaming"
        assert headers["content-type"] == "application/vnd.awslambda.http-integration-response"
        invocation = self._by_id[request_id]
        invocation.runtime_side = writer
        held: bytes | None = b""
        try:
            async for chunk in _chunked(reader, invocation.trailers):
                if held is None:
                    invocation.chunks.put_nowait(chunk)
                    continue
                held += chunk
                prelude, end, rest = held.partition(PRELUDE_END)
                if end:
                    invocation.head.set_result(json.loads(prelude))
                    invocation.chunks.put_nowait(rest)
                    held = None
            _accept(writer)
        finally:
            invocation.chunks.put_nowait(None)

    async def front_face(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """API Gateway: an HTTP request becomes a REST proxy event, its reply is streamed back."""
        try:
            method, target, headers = await _read_head(reader)
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            invocation = self.invoke(proxy_event(method, target, headers, body))
            passing = asyncio.create_task(self._pass_on(invocation, writer))
            leaving = asyncio.create_task(reader.read(1))
            await asyncio.wait([passing, leaving], return_when=asyncio.FIRST_COMPLETED)
            leaving.cancel()
            if not passing.done():
                passing.cancel()
                if invocation.runtime_side:
                    invocation.runtime_side.close()
            await asyncio.gather(passing, leaving, return_exceptions=True)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _pass_on(self, invocation: Invocation, writer: asyncio.StreamWriter) -> None:
        head = await invocation.head
        lines = [f"HTTP/1.1 {head['statusCode']} Streamed", "Transfer-Encoding: chunked"]
        lines += [f"{name}: {value}" for name, value in head["headers"].items()]
        writer.write(("\r\n".join([*lines, "Connection: close"]) + "\r\n\r\n").encode("latin-1"))
        while (chunk := await invocation.chunks.get()) is not None:
            if chunk:
                writer.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
                await writer.drain()
        writer.write(b"0\r\n\r\n")
        await writer.drain()


def proxy_event(method: str, target: str, headers: dict[str, str], body: bytes) -> dict[str, Any]:
    """Return API Gateway's REST proxy event for a request."""
    url = urlsplit(target)
    query = dict(parse_qsl(url.query))
    return {
        "resource": "/{proxy+}",
        "path": url.path,
        "httpMethod": method,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": query or None,
        "multiValueQueryStringParameters": {k: [v] for k, v in query.items()} or None,
        "pathParameters": {"proxy": url.path.lstrip("/")},
        "stageVariables": None,
        "requestContext": {
            "stage": "v1",
            "path": url.path,
            "httpMethod": method,
            "identity": {"sourceIp": "127.0.0.1"},
            "requestId": "gateway-request",
        },
        "body": base64.b64encode(body).decode() if body else None,
        "isBase64Encoded": bool(body),
    }


@asynccontextmanager
async def running_standin(*, deadline_s: float = 30.0) -> AsyncIterator[LambdaStandIn]:
    """Serve a stand-in on two free loopback ports."""
    standin = LambdaStandIn(deadline_s=deadline_s)
    runtime = await asyncio.start_server(standin.runtime_face, "127.0.0.1", 0)
    front = await asyncio.start_server(standin.front_face, "127.0.0.1", 0)
    standin.api = f"127.0.0.1:{runtime.sockets[0].getsockname()[1]}"
    standin.url = f"http://127.0.0.1:{front.sockets[0].getsockname()[1]}"
    try:
        yield standin
    finally:
        runtime.close()
        front.close()


def _framed(body: bytes) -> bytes:
    """Return the end of the head and the body, as Go's HTTP server frames it: chunked when large."""
    if len(body) <= 2048:
        return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
    chunks = [body[i : i + 4096] for i in range(0, len(body), 4096)]
    framed = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    return b"Transfer-Encoding: chunked\r\n\r\n" + framed + b"0\r\n\r\n"


def _accept(writer: asyncio.StreamWriter, *, status: str = "202 Accepted") -> None:
    head = f"HTTP/1.1 {status}\r\nContent-Length: 15\r\n\r\n"
    writer.write(head.encode() + b'{"status":"OK"}')


async def _read_head(reader: asyncio.StreamReader) -> tuple[str, str, dict[str, str]]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip().split("\r\n")
    method, target, _ = first.split(" ")
    pairs = (line.partition(":") for line in lines)
    return method, target, {name.lower(): value.strip() for name, _, value in pairs}


async def _chunked(reader: asyncio.StreamReader, trailers: dict[str, str]) -> AsyncIterator[bytes]:
    while size := int((await reader.readuntil(b"\r\n")).strip(), 16):
        chunk = await reader.readexactly(size + 2)
        yield chunk[:-2]
    while line := (await reader.readuntil(b"\r\n")).decode().strip():
        name, _, value = line.partition(":")
        trailers[name.lower()] = value.strip()
