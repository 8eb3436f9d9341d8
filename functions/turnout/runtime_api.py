"""Lambda's Runtime API over a plain socket: the next invocation in, a streamed response out."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_VERSION: Final = "/2018-06-01/runtime"
_ERROR_TYPE: Final = "Lambda-Runtime-Function-Error-Type"
_ERROR_BODY: Final = "Lambda-Runtime-Function-Error-Body"
HTTP_INTEGRATION: Final = "application/vnd.awslambda.http-integration-response"
PRELUDE_END: Final = b"\0" * 8


class RuntimeApiError(Exception):
    """The Runtime API answered otherwise than its documentation says, or not at all."""


@dataclass(frozen=True, slots=True)
class Invocation:
    """One event to answer. `deadline` is in Unix seconds: when Lambda ends the function."""

    request_id: str
    event: Any
    deadline: float
    trace_id: str | None


class RuntimeApi:
    """A client of the Runtime API at `host:port`, as AWS_LAMBDA_RUNTIME_API names it."""

    def __init__(self, address: str) -> None:
        host, _, port = address.partition(":")
        self._host = host
        self._port = int(port or 80)

    async def next_invocation(self) -> Invocation:
        """Wait for the next event, however long that takes. Raises RuntimeApiError, OSError."""
        reader, writer = await self._connect()
        try:
            writer.write(_head("GET", f"{_VERSION}/invocation/next", self._host, {}))
            status, headers = await _read_head(reader)
            if status != 200:
                raise RuntimeApiError(f"the next invocation came with status {status}")
            body = await _read_body(reader, headers)
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError) as error:
            raise RuntimeApiError("the next invocation broke off") from error
        finally:
            writer.close()
        return Invocation(
            request_id=headers["lambda-runtime-aws-request-id"],
            event=_event(body),
            deadline=int(headers["lambda-runtime-deadline-ms"]) / 1000,
            trace_id=headers.get("lambda-runtime-trace-id"),
        )

    async def respond(self, request_id: str) -> ResponseStream:
        """Begin the streamed response to an invocation. Raises OSError."""
        reader, writer = await self._connect()
        path = f"{_VERSION}/invocation/{request_id}/response"
        headers = {
            "Lambda-Runtime-Function-Response-Mode": "streaming",
            "Content-Type": HTTP_INTEGRATION,
            "Transfer-Encoding": "chunked",
            "Trailer": f"{_ERROR_TYPE}, {_ERROR_BODY}",
        }
        writer.write(_head("POST", path, self._host, headers))
        return ResponseStream(reader, writer)

    async def restored(self) -> None:
        """Tell that the function is ready for its snapshot, and return in a copy made of it. Raises
        RuntimeApiError, OSError."""
        reader, writer = await self._connect()
        writer.write(_head("GET", f"{_VERSION}/restore/next", self._host, {}))
        status, _ = await _read_head(reader)
        writer.close()
        if status != 200:
            raise RuntimeApiError(f"the restore came with status {status}")

    async def init_failed(self, error: BaseException) -> None:
        """Report that the function could not start. Raises OSError."""
        reader, writer = await self._connect()
        body = _error_body(error)
        headers = {_ERROR_TYPE: _error_type(error), "Content-Length": str(len(body))}
        writer.write(_head("POST", f"{_VERSION}/init/error", self._host, headers) + body)
        await _read_head(reader)
        writer.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(self._host, self._port)


class ResponseStream:
    """A response being written, chunk by chunk. `broken` is done once nobody reads it any more."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.broken = asyncio.create_task(reader.read(1))

    async def write(self, data: bytes) -> None:
        """Send one chunk at once. Raises OSError when the reader has gone."""
        if data:
            if self.broken.done():
                raise BrokenPipeError("the response is no longer read")
            self._writer.write(b"%x\r\n%b\r\n" % (len(data), data))
            await self._writer.drain()

    async def finish(self, error: BaseException | None = None) -> None:
        """End the response, with `error` in its trailers where it is not whole."""
        trailers = b""
        if error is not None:
            body = base64.b64encode(_error_body(error)).decode()
            trailers = f"{_ERROR_TYPE}: {_error_type(error)}\r\n{_ERROR_BODY}: {body}\r\n".encode()
        try:
            if not self.broken.done():
                self._writer.write(b"0\r\n" + trailers + b"\r\n")
                await self._writer.drain()
                # The answer's first byte says that the response was taken.
                await self.broken
        except OSError:
            pass
        finally:
            self.broken.cancel()
            self._writer.close()


def _head(method: str, path: str, host: str, headers: Mapping[str, str]) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


async def _read_head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.rstrip().split("\r\n")
        status = int(first.split(" ", 2)[1])
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, IndexError, ValueError):
        raise RuntimeApiError("the Runtime API's answer cannot be read") from None
    pairs = (line.partition(":") for line in lines)
    return status, {name.strip().lower(): value.strip() for name, _, value in pairs}


async def _read_body(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
    """Return the body. Lambda's server sends an event of over two kilobytes in chunks."""
    if headers.get("transfer-encoding", "").lower() != "chunked":
        return await reader.readexactly(int(headers.get("content-length", 0)))
    body = bytearray()
    while size := int(await reader.readuntil(b"\r\n"), 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    return bytes(body)


def _event(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None


def _error_type(error: BaseException) -> str:
    return f"Runtime.{type(error).__name__}"


def _error_body(error: BaseException) -> bytes:
    return json.dumps({"errorMessage": str(error), "errorType": _error_type(error)}).encode()
