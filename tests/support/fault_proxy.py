"""A TCP proxy before an upstream that breaks one reply as it is told, at the byte it is told."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal, get_args

Kind = Literal["refuse", "latency", "reset", "cut", "half-close", "stall", "trickle", "garbage"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""`refuse`: hangs up before it reads. `latency`: silent first, then all. Then, after some bytes of the
reply: `reset` (RST), `cut` (FIN), `half-close` (FIN, yet it reads on), `stall` (silence), `trickle` (one
byte each 50 ms), `garbage` (random bytes, then FIN)."""
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


@dataclass(frozen=True)
class Fault:
    """What happens to a reply, `at` how many of its bytes; with a `strike`, not before that is set."""

    kind: Kind
    at: Callable[[bytes], int] = lambda reply: 0
    seed: int = 0
    strike: asyncio.Event | None = None


class FaultProxy:
    """Takes a whole reply of the upstream, then gives it to the caller with the next fault in it.

    `faults` are used up in their order; without any the reply passes as it is.
    """

    def __init__(self, upstream_port: int) -> None:
        self._upstream_port = upstream_port
        self.faults: list[Fault] = []
        self.calls = 0
        self.open = 0
        self.url = ""

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.calls += 1
        self.open += 1
        fault = self.faults.pop(0) if self.faults else None
        try:
            if fault and fault.kind == "refuse":
                return
            request = await _read_request(reader)
            await self._answer(request, fault, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.open -= 1
            writer.close()

    async def _answer(
        self,
        request: bytes,
        fault: Fault | None,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        reply = await self._reply(request)
        if fault is None:
            return writer.write(reply)
        if fault.kind == "latency":
            return await _until_left(reader)
        position = fault.at(reply)
        writer.write(reply[:position])
        await writer.drain()
        if fault.strike:
            await fault.strike.wait()
        match fault.kind:
            case "reset":
                linger = writer.get_extra_info("socket")
                linger.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            case "half-close":
                writer.write_eof()
                await _until_left(reader)
            case "stall":
                await _until_left(reader)
            case "trickle":
                await _trickle(reply[position:], reader, writer)
            case "garbage":
                writer.write(random.Random(fault.seed).randbytes(512))
        return None

    async def _reply(self, request: bytes) -> bytes:
        """Return the upstream's whole reply to the request."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._upstream_port)
        writer.write(request.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
        try:
            return await reader.read()
        finally:
            writer.close()


async def _read_request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        int(line.partition(b":")[2])
        for line in head.split(b"\r\n")
        if line.lower().startswith(b"content-length:")
    )
    return head + await reader.readexactly(length)


async def _until_left(reader: asyncio.StreamReader) -> None:
    await reader.read()


async def _trickle(rest: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    left = asyncio.create_task(_until_left(reader))
    for byte in rest:
        writer.write(bytes([byte]))
        await asyncio.wait([left], timeout=0.05)
        if left.done():
            return
    left.cancel()


@asynccontextmanager
async def running_fault_proxy(upstream_port: int) -> AsyncIterator[FaultProxy]:
    """Serve a fault proxy on a free loopback port, in front of the upstream at that one."""
    proxy = FaultProxy(upstream_port)
    server = await asyncio.start_server(proxy.handle, "127.0.0.1", 0)
    proxy.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    try:
        yield proxy
    finally:
        server.close()
        await server.wait_closed()
