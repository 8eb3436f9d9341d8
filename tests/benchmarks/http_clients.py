"""Compare aiohttp, httpx2 and pyreqwest as the client for relaying LLM streams.

Install the three clients (fastapi is optional: without it one column is empty), then run,
pinned to one core so that the figures do not depend on which core was free:

    pip install aiohttp httpx2 pyreqwest fastapi
    taskset -c 1 python tests/benchmarks/http_clients.py

It prints Markdown tables. A raw asyncio server runs in another process; every figure comes from
a fresh process for one client. Costs are process CPU time (all threads of the client's process,
none of the server's), interleaved over ROUNDS rounds, medians. Delays are wall time: the server
writes `perf_counter_ns` into each chunk. Takes about four minutes; `--quick` takes one round.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import importlib.metadata
import json
import re
import shutil
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, aclosing
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

CLIENTS = ("aiohttp", "httpx2", "pyreqwest")
ROUNDS = 7
IMPORT_RUNS = 9
REQUESTS = 1500
CHUNKS = 2000
GAP_CHUNKS = 100
CHUNK_BYTES = 200
BODY = json.dumps({"model": "m", "messages": [{"role": "user", "content": "hello " * 20}]}).encode()
REPLY = json.dumps({"id": "1", "choices": [{"message": {"content": "hello " * 20}}]}).encode()
GZIPPED = gzip.compress(REPLY, mtime=0)
JSON_HEADERS = {"content-type": "application/json"}
T = TypeVar("T")


# --- server -------------------------------------------------------------------------------------


def head(status: str = "200 OK", **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", *(f"{k.replace('_', '-')}: {v}" for k, v in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()


def sized(body: bytes, status: str = "200 OK", **headers: str) -> bytes:
    return head(status, content_length=str(len(body)), **headers) + body


def stamped_chunk() -> bytes:
    """One HTTP chunk of one SSE event that says when it was written."""
    event = f"data: {time.perf_counter_ns()} ".encode().ljust(CHUNK_BYTES - 2, b"x") + b"\n\n"
    return b"%x\r\n%b\r\n" % (len(event), event)


STREAM_HEAD = head(content_type="text/event-stream", transfer_encoding="chunked")
FIXED = {
    "/json": sized(REPLY, content_type="application/json"),
    "/gzip": sized(GZIPPED, content_type="application/json", content_encoding="gzip"),
    "/redirect": sized(b"", "307 Temporary Redirect", location="/json"),
    "http://proxied.test/json": sized(b'"proxied"'),
}


class Server:
    """Answers by path; remembers when a client last closed a `/hang` connection."""

    def __init__(self) -> None:
        self.hang_closed_ns = 0

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                request = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"content-length: *(\d+)", request, re.IGNORECASE)
                await reader.readexactly(int(length[1]) if length else 0)
                await self.answer(request.split(b" ", 2)[1].decode(), reader, writer)
        writer.close()

    async def answer(
        self, path: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if path in FIXED:
            writer.write(FIXED[path])
        elif path == "/closed":
            writer.write(sized(str(self.hang_closed_ns).encode()))
        elif path.startswith("/stream/"):
            _, _, count, gap = path.split("/")
            await stream(writer, int(count), float(gap))
        else:
            await self.misbehave(path, reader, writer)

    async def misbehave(
        self, path: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if path == "/mute":  # never answers
            await reader.read()
        elif path == "/late":  # headers at once, the first chunk 0.5 s later, then 1.5 s of silence
            writer.write(STREAM_HEAD)
            await asyncio.sleep(0.5)
            writer.write(stamped_chunk())
            await asyncio.sleep(1.5)
            writer.write(b"0\r\n\r\n")
        elif path == "/hang":  # one chunk, then silence until the client closes
            writer.write(STREAM_HEAD + stamped_chunk())
            with contextlib.suppress(ConnectionError):
                await reader.read()
            self.hang_closed_ns = time.perf_counter_ns()
            raise ConnectionResetError
        else:
            await break_off(path, writer)


async def break_off(path: str, writer: asyncio.StreamWriter) -> None:
    if path == "/cut-length":  # fewer bytes than announced
        writer.write(head(content_length="1000") + b"x" * 10)
    elif path == "/cut-mid-chunk":
        writer.write(STREAM_HEAD + stamped_chunk() + stamped_chunk()[:50])
    else:  # /cut, /cut-reset: whole chunks, but no last one
        writer.write(STREAM_HEAD + stamped_chunk())
    await writer.drain()
    await asyncio.sleep(0.05)
    if path == "/cut-reset":
        linger = b"\x01\0\0\0\0\0\0\0"
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    raise ConnectionResetError


async def stream(writer: asyncio.StreamWriter, count: int, gap: float) -> None:
    writer.write(STREAM_HEAD)
    for _ in range(count):
        writer.write(stamped_chunk())
        await writer.drain()
        await asyncio.sleep(gap)
    writer.write(b"0\r\n\r\n")


async def serve(cert: str) -> None:
    server = Server()
    ports = [await listen(server, None)]
    if cert:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert)
        ports.append(await listen(server, context))
    print(json.dumps(ports), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


async def listen(server: Server, context: ssl.SSLContext | None) -> int:
    listener = await asyncio.start_server(server.handle, "127.0.0.1", 0, ssl=context)
    port: int = listener.sockets[0].getsockname()[1]
    return port


# --- clients ------------------------------------------------------------------------------------


class Client(Protocol):
    async def post(self, url: str) -> tuple[int, bytes]: ...
    def stream(self, url: str) -> AsyncIterator[bytes]: ...
    async def close(self) -> None: ...


class Aiohttp:
    def __init__(
        self,
        *,
        gunzip: bool = False,
        total: float | None = None,
        connect: float = 5,
        read: float = 30,
        proxy: str | None = None,
        ca: str | None = None,
        guard: bool = False,
        mode: str = "",
    ) -> None:
        import aiohttp

        timeout = aiohttp.ClientTimeout(total=total, sock_connect=connect, sock_read=read)
        context = ssl.create_default_context(cafile=ca) if ca else True
        factory = guarded_socket if guard else None
        self.session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=context, socket_factory=factory),
            timeout=timeout,
            auto_decompress=gunzip,
            cookie_jar=aiohttp.DummyCookieJar(),
            proxy=proxy,
        )

    async def post(self, url: str) -> tuple[int, bytes]:
        call = self.session.post(url, data=BODY, headers=JSON_HEADERS, allow_redirects=False)
        async with call as response:
            return response.status, await response.read()

    async def stream(self, url: str) -> AsyncIterator[bytes]:
        call = self.session.post(url, data=BODY, headers=JSON_HEADERS, allow_redirects=False)
        async with call as response:
            yield b""  # headers are here
            async for chunk in response.content.iter_any():
                yield chunk

    async def close(self) -> None:
        await self.session.close()


def guarded_socket(info: tuple[Any, ...]) -> socket.socket:
    """Refuse loopback: sees the very address that is about to be connected to."""
    family, kind, proto, _, address = info
    if address[0].startswith("127."):
        raise PermissionError("refused address")
    return socket.socket(family, kind, proto)


class Httpx2:
    def __init__(
        self,
        *,
        gunzip: bool = False,
        total: float | None = None,
        connect: float = 5,
        read: float = 30,
        proxy: str | None = None,
        ca: str | None = None,
        guard: bool = False,
        mode: str = "",
    ) -> None:
        import httpx2

        context = ssl.create_default_context(cafile=ca) if ca else True
        transport = httpx2.AsyncHTTPTransport(verify=context, proxy=proxy, trust_env=False)
        if guard:
            transport._pool = guarded_pool()  # there is no public argument for this
        timeout = httpx2.Timeout(read, connect=connect)
        self.client = httpx2.AsyncClient(transport=transport, timeout=timeout, trust_env=False)
        self.gunzip = gunzip
        self.total = total

    async def post(self, url: str) -> tuple[int, bytes]:
        async with asyncio.timeout(self.total):  # no total timeout of its own
            if self.gunzip:
                response = await self.client.post(url, content=BODY, headers=JSON_HEADERS)
                return response.status_code, response.content
            return await self.post_raw(url)

    async def post_raw(self, url: str) -> tuple[int, bytes]:
        call = self.client.stream("POST", url, content=BODY, headers=JSON_HEADERS)
        async with call as response:
            return response.status_code, b"".join([part async for part in response.aiter_raw()])

    async def stream(self, url: str) -> AsyncIterator[bytes]:
        call = self.client.stream("POST", url, content=BODY, headers=JSON_HEADERS)
        async with asyncio.timeout(self.total), call as response:
            yield b""
            async for chunk in response.aiter_raw():
                yield chunk

    async def close(self) -> None:
        await self.client.aclose()


def guarded_pool() -> Any:
    import httpcore2

    class Guarded(httpcore2.AnyIOBackend):
        async def connect_tcp(self, host: str, *rest: Any, **options: Any) -> Any:
            # The host is still a name here: a real guard must resolve it and pass the address on.
            if host.startswith("127."):
                raise httpcore2.ConnectError("refused address")
            return await super().connect_tcp(host, *rest, **options)

    return httpcore2.AsyncConnectionPool(network_backend=Guarded())


class Pyreqwest:
    """`mode` is the read buffer limit ("" for the library's own) or "read" for `read(200)`."""

    def __init__(
        self,
        *,
        gunzip: bool = False,
        total: float | None = None,
        connect: float = 5,
        read: float = 30,
        proxy: str | None = None,
        ca: str | None = None,
        guard: bool = False,
        mode: str = "0",
    ) -> None:
        from pyreqwest.client import ClientBuilder

        builder = ClientBuilder().follow_redirects(False).no_proxy()
        builder = builder.gzip(gunzip).brotli(False).zstd(False).deflate(False)
        builder = builder.connect_timeout(timedelta(seconds=connect))
        builder = builder.read_timeout(timedelta(seconds=read))
        builder = builder.timeout(timedelta(seconds=total)) if total else builder
        self.client = with_proxy_and_ca(builder, proxy, ca).build()
        self.mode = mode
        if guard:
            raise NotImplementedError("no hook at resolve or connect time")

    def request(self, url: str) -> Any:
        return self.client.post(url).headers(JSON_HEADERS).body_bytes(BODY)

    async def post(self, url: str) -> tuple[int, bytes]:
        response = await self.request(url).build().send()
        return response.status, bytes(await response.bytes())

    async def stream(self, url: str) -> AsyncIterator[bytes]:
        request = self.request(url)
        if self.mode.isdigit():
            request = request.streamed_read_buffer_limit(int(self.mode))
        async with request.build_streamed() as response:
            yield b""
            reader = response.body_reader
            sized_read = self.mode == "read"
            while (
                chunk := await (reader.read(CHUNK_BYTES) if sized_read else reader.read_chunk())
            ) is not None:
                yield bytes(chunk)  # ASGI servers want bytes

    async def close(self) -> None:
        await self.client.close()


def with_proxy_and_ca(builder: Any, proxy: str | None, ca: str | None) -> Any:
    from pyreqwest.proxy import ProxyBuilder

    builder = builder.proxy(ProxyBuilder.all(proxy)) if proxy else builder
    return builder.add_root_certificate_pem(Path(ca).read_bytes()) if ca else builder


FACTORIES: dict[str, Callable[..., Client]] = {
    "aiohttp": Aiohttp,
    "httpx2": Httpx2,
    "pyreqwest": Pyreqwest,
}


# --- cases: each runs in a process of its own, returns something that JSON can hold ------------


async def first_call(client: Client, base: str) -> float:
    await client.post(base + "/json")
    return time.process_time() * 1e3


async def request_cpu(client: Client, base: str) -> float:
    await requests(client, base, 200)
    start = time.process_time()
    await requests(client, base, REQUESTS)
    return (time.process_time() - start) / REQUESTS * 1e6


async def requests(client: Client, base: str, count: int) -> None:
    for _ in range(count):
        status, body = await client.post(base + "/json")
        assert status == 200
        assert body == REPLY


async def burst_cpu(client: Client, base: str) -> list[float]:
    return await chunk_cpu(client, f"{base}/stream/{CHUNKS}/0")


async def paced_cpu(client: Client, base: str) -> list[float]:
    return await chunk_cpu(client, f"{base}/stream/{CHUNKS}/0.0005")


async def chunk_cpu(client: Client, url: str) -> list[float]:
    """Microseconds of CPU per chunk sent, and how many reads it took to get them all."""
    await drain(client, url.replace(f"/{CHUNKS}/", "/50/"))
    start = time.process_time()
    reads, size = await drain(client, url)
    assert size == CHUNKS * CHUNK_BYTES
    return [(time.process_time() - start) / CHUNKS * 1e6, reads]


async def drain(client: Client, url: str) -> tuple[int, int]:
    reads = size = 0
    async with aclosing(client.stream(url)) as chunks:  # type: ignore[type-var]
        async for chunk in chunks:
            reads += bool(chunk)
            size += len(chunk)
    return reads, size


async def delays(client: Client, base: str) -> list[float]:
    """Milliseconds between the write and the arrival of each chunk, 20 ms apart."""
    found: list[float] = []
    await drain(client, f"{base}/stream/1/0")
    async for chunk in client.stream(f"{base}/stream/{GAP_CHUNKS}/0.02"):
        now = time.perf_counter_ns()
        found += [(now - int(sent)) / 1e6 for sent in re.findall(rb"data: (\d+)", chunk)]
    assert len(found) == GAP_CHUNKS
    return found


async def silence(client: Client, base: str) -> list[float]:
    """Milliseconds until the headers, and from the lone first chunk's write to its arrival."""
    await drain(client, f"{base}/stream/1/0")
    start = time.perf_counter_ns()
    times: list[float] = []
    async for chunk in client.stream(base + "/late"):
        now = time.perf_counter_ns()
        sent = re.search(rb"data: (\d+)", chunk)
        times.append((now - (int(sent[1]) if sent else start)) / 1e6)
    return times


COSTS: dict[str, Callable[[Client, str], Awaitable[Any]]] = {
    "first_call": first_call,
    "request_cpu": request_cpu,
    "burst_cpu": burst_cpu,
    "paced_cpu": paced_cpu,
    "delays": delays,
    "silence": silence,
}


# --- features -----------------------------------------------------------------------------------


async def outcome(call: Awaitable[Any], limit: float = 5) -> str:
    """The name of the exception that a call ends in, or what it returned."""
    try:
        result = await asyncio.wait_for(call, limit)
    except Exception as error:
        return type(error).__name__
    return f"no error: {result}"


async def check_gzip(make: Callable[..., Client], base: str, tls: str, ca: str) -> str:
    off = await use(make(gunzip=False), lambda c: c.post(base + "/gzip"))
    on = await use(make(gunzip=True), lambda c: c.post(base + "/gzip"))
    return f"off: {yes(off[1] == GZIPPED)}, on: {yes(on[1] == REPLY)}"


async def check_cuts(make: Callable[..., Client], base: str, tls: str, ca: str) -> str:
    paths = ("/cut", "/cut-mid-chunk", "/cut-reset", "/cut-length")
    found = [await ending(make(), base + path) for path in paths]
    return ", ".join(dict.fromkeys(found))


async def ending(client: Client, url: str) -> str:
    return await use(client, lambda c: outcome(drain(c, url)))


async def check_cancel(make: Callable[..., Client], base: str, tls: str, ca: str) -> str:
    return await use(make(), lambda client: time_to_close(client, base))


async def time_to_close(client: Client, base: str) -> str:
    task = asyncio.create_task(drain(client, base + "/hang"))
    await asyncio.sleep(0.3)
    cancelled = time.perf_counter_ns()
    task.cancel()
    await asyncio.wait([task])
    await asyncio.sleep(1)
    closed = int((await client.post(base + "/closed"))[1])
    late = closed < cancelled
    return "not within 1 s" if late else f"{(closed - cancelled) / 1e6:.1f} ms"


async def check_redirect(make: Callable[..., Client], base: str, tls: str, ca: str) -> str:
    status, _ = await use(make(), lambda c: c.post(base + "/redirect"))
    return yes(status == 307)


async def check_read_timeout(make: Callable[..., Client], base: str, tls: str, ca: str) -> str:
    first = await use(make(read=0.3), lambda c: outcome(c.post(base + "/mute")))
    later = await use(make(read=0.3), lambda c: outcome(drain(c, base + "/hang")))
    return ", ".join(dict.fromkeys((first, later)))


async def check_total_timeout(make: Callable[..., Client], base: str, tls: str, ca: str) -> str:
    return await use(make(total=0.5), lambda c: outcome(drain(c, base + "/stream/1000/0.02")))


async def check_connect_timeout(make: Callable[..., Client], base: str, tls: str, ca: str) -> str:
    """A listener whose backlog is full drops further connection attempts."""
    with socket.socket() as full, contextlib.ExitStack() as stack:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(3):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        url = f"http://127.0.0.1:{full.getsockname()[1]}/"
        return await use(make(connect=0.3), lambda c: outcome(c.post(url)))


async def check_refused(make: Callable[..., Client], base: str, tls: str, ca: str) -> str:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/"
        return await use(make(), lambda c: outcome(c.post(url)))


async def check_guard(make: Callable[..., Client], base: str, tls: str, ca: str) -> str:
    try:
        client = make(guard=True)
    except NotImplementedError as error:
        return f"no: {error}"
    found = await use(client, lambda c: outcome(c.post(base + "/json")))
    return f"yes: {found}" if "no error" not in found else f"no: {found}"


async def check_proxy(make: Callable[..., Client], base: str, tls: str, ca: str) -> str:
    _, body = await use(make(proxy=base), lambda c: c.post("http://proxied.test/json"))
    return yes(body == b'"proxied"')


async def check_ca(make: Callable[..., Client], base: str, tls: str, ca: str) -> str:
    if not ca:
        return "not tried: no openssl command"
    trusted = await use(make(ca=ca), lambda c: outcome(c.post(tls + "/json")))
    untrusted = await use(make(), lambda c: outcome(c.post(tls + "/json")))
    return f"{yes('no error' in trusted)}; without it: {untrusted}"


CHECKS: dict[str, Callable[..., Awaitable[str]]] = {
    "gzip left alone (off) / decoded (on)": check_gzip,
    "body cut short (4 ways) raises": check_cuts,
    "cancel closes the socket after": check_cancel,
    "redirects can be off": check_redirect,
    "connection refused raises": check_refused,
    "connect timeout raises": check_connect_timeout,
    "read timeout raises (headers, chunk)": check_read_timeout,
    "total timeout raises": check_total_timeout,
    "address check at connect time": check_guard,
    "HTTP proxy": check_proxy,
    "custom CA": check_ca,
}


async def use(client: Client, act: Callable[[Client], Awaitable[T]]) -> T:
    async with AsyncExitStack() as stack:
        stack.push_async_callback(client.close)
        return await act(client)


def yes(condition: bool) -> str:
    return "yes" if condition else "NO"


STARTED: Counter[str] = Counter()
CRASHED: Counter[str] = Counter()


# --- running ------------------------------------------------------------------------------------


def child(*args: str) -> str:
    command = [sys.executable, *args]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout


def work(client: str, case: str, base: str, *args: str) -> Any:
    """A result counts even if its process then dies of a signal at exit, but that is reported."""
    command = [sys.executable, __file__, "work", client, case, base, *args]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=120)
    STARTED[client] += 1
    CRASHED[client] += done.returncode < 0
    if not done.stdout:
        done.check_returncode()
    return json.loads(done.stdout)


async def worker(name: str, case: str, base: str, extra: str = "", ca: str = "") -> Any:
    factory = FACTORIES[name]
    if case in CHECKS:
        return await CHECKS[case](factory, base, extra, ca)
    options = {"mode": extra} if extra else {}
    return await use(factory(**options), lambda client: COSTS[case](client, base))


def client_import_ms(client: str, before: str = "") -> float:
    module = "pyreqwest.client" if client == "pyreqwest" else client
    timed = f"t = time.process_time()\nimport {module}\nprint((time.process_time() - t) * 1e3)"
    return float(child("-c", f"import time\n{before}\n{timed}"))


def interleaved(rounds: int, measure: Callable[[str], Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {name: [] for name in CLIENTS}
    for _ in range(rounds):
        for name in CLIENTS:
            found[name].append(measure(name))
    return found


def medians(found: dict[str, list[float]], digits: int) -> list[str]:
    return [f"{statistics.median(found[name]):.{digits}f}" for name in CLIENTS]


def import_rows(runs: int) -> list[list[str]]:
    rows = []
    for label, before in (("alone", ""), ("after fastapi", "import fastapi")):
        if before and not have("fastapi"):
            continue
        interleaved(1, client_import_ms)  # byte code is written
        found = interleaved(runs, partial(client_import_ms, before=before))
        rows.append([f"import, {label} (ms CPU)", *medians(found, 1)])
    return rows


def have(package: str) -> bool:
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        return bool(importlib.metadata.version(package))
    return False


def cost_rows(rounds: int, base: str) -> list[list[str]]:
    first = interleaved(rounds, lambda name: work(name, "first_call", base))
    rows = [["whole process up to its first reply (ms CPU)", *medians(first, 1)]]
    small = interleaved(rounds, lambda name: work(name, "request_cpu", base))
    rows.append(["small JSON POST (us CPU)", *medians(small, 0)])
    for case, label in (("paced_cpu", "0.5 ms apart"), ("burst_cpu", "back to back")):
        found = interleaved(rounds, partial(work, case=case, base=base))
        cpu = {name: [one[0] for one in found[name]] for name in CLIENTS}
        reads = {name: [one[1] for one in found[name]] for name in CLIENTS}
        rows.append([f"chunk, {label} (us CPU)", *medians(cpu, 1)])
        rows.append([f"reads for {CHUNKS} chunks, {label}", *medians(reads, 0)])
    return rows


HOLD_MODES = (
    ("aiohttp", "", "`content.iter_any()`"),
    ("httpx2", "", "`aiter_raw()`"),
    ("pyreqwest", "default", "`read_chunk()`, default limit"),
    ("pyreqwest", "1000", "`read_chunk()`, `streamed_read_buffer_limit(1000)`"),
    ("pyreqwest", "1", "`read_chunk()`, `streamed_read_buffer_limit(1)`"),
    ("pyreqwest", "0", "`read_chunk()`, `streamed_read_buffer_limit(0)`"),
    ("pyreqwest", "read", "`read(200)`, default limit"),
)


def hold_rows(rounds: int, base: str) -> list[list[str]]:
    rows = []
    pooled: dict[tuple[str, str], list[float]] = {}
    for _ in range(min(rounds, 3)):
        for name, mode, _label in HOLD_MODES:
            pooled.setdefault((name, mode), []).extend(work(name, "delays", base, mode))
    for name, mode, label in HOLD_MODES:
        late = pooled[name, mode]
        late.sort()
        lone = work(name, "silence", base, mode)
        marks = [late[len(late) // 2], late[int(len(late) * 0.99)], late[-1], *lone]
        rows.append([f"{name} {label}", *(f"{value:.2f}" for value in marks)])
    return rows


def check_rows(base: str, tls: str, ca: str) -> list[list[str]]:
    return [[c, *(work(name, c, base, tls, ca) for name in CLIENTS)] for c in CHECKS]


def requirements(package: str) -> set[str]:
    """A package and everything that it needs here."""
    found, todo = set(), [package]
    while todo:
        name = re.sub(r"[-_.]+", "-", todo.pop()).lower()
        if name in found or not have(name):
            continue
        found.add(name)
        todo += [
            re.match(r"[\w.-]+", line)[0]  # type: ignore[index]
            for line in importlib.metadata.requires(name) or []
            if "extra ==" not in line
        ]
    return found


def installed_bytes(package: str) -> int:
    files = importlib.metadata.files(package) or []
    paths = [Path(str(file.locate())) for file in files if not str(file).endswith(".pyc")]
    return sum(path.stat().st_size for path in paths if path.exists())


def size_rows() -> list[list[str]]:
    needs = {name: requirements(name) for name in CLIENTS}
    sizes = {name: sum(map(installed_bytes, needs[name])) / 1e6 for name in CLIENTS}
    return [
        ["installed size, byte code aside (MB)", *(f"{sizes[name]:.1f}" for name in CLIENTS)],
        ["packages it brings besides itself", *(str(len(needs[name]) - 1) for name in CLIENTS)],
    ]


def table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def make_certificate(folder: str) -> str:
    if not shutil.which("openssl"):
        return ""
    path = f"{folder}/pair.pem"
    options = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
    extras = ["subjectAltName=IP:127.0.0.1", "basicConstraints=critical,CA:FALSE"]
    flags = [part for extra in extras for part in ("-addext", extra)]
    files = ["-keyout", f"{folder}/key.pem", "-out", f"{folder}/cert.pem"]
    command = ["openssl", *options.split(), *flags, *files]
    subprocess.run(command, check=True, capture_output=True)
    Path(path).write_text("".join(Path(folder, n).read_text() for n in ("key.pem", "cert.pem")))
    return path


def report(rounds: int, runs: int, base: str, tls: str, ca: str) -> None:
    columns = [f"{name} {importlib.metadata.version(name)}" for name in CLIENTS]
    costs = import_rows(runs) + cost_rows(rounds, base) + size_rows()
    print(table(["cost", *columns], costs), flush=True)
    delay = ["p50 ms", "p99 ms", "max ms", "headers ms", "lone chunk ms"]
    print(table(["chunk delay, 20 ms apart", *delay], hold_rows(rounds, base)), flush=True)
    checks = check_rows(base, tls, ca)
    crashes = [f"{CRASHED[name]} of {STARTED[name]}" for name in CLIENTS]
    print(
        table(["feature", *columns], [*checks, ["processes killed by a signal at exit", *crashes]])
    )


def main() -> None:
    quick = "--quick" in sys.argv
    with tempfile.TemporaryDirectory() as folder:
        pair = make_certificate(folder)
        command = [sys.executable, __file__, "serve", pair]
        server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert server.stdout
        plain, *secure = json.loads(server.stdout.readline())
        tls = f"https://127.0.0.1:{secure[0]}" if secure else ""
        ca = f"{folder}/cert.pem" if pair else ""
        rounds, runs = (1, 1) if quick else (ROUNDS, IMPORT_RUNS)
        try:
            report(rounds, runs, f"http://127.0.0.1:{plain}", tls, ca)
        finally:
            server.communicate()


if __name__ == "__main__":
    role = sys.argv[1] if len(sys.argv) > 1 else ""
    if role == "serve":
        asyncio.run(serve(sys.argv[2]))
    elif role == "work":
        print(json.dumps(asyncio.run(worker(*sys.argv[2:]))), flush=True)
    else:
        main()
