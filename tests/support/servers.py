"""The app on a real socket, inside the test's own event loop."""

from __future__ import annotations

import io
import json
import secrets
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import uvicorn

from support.waiting import until
from turnout.api.app import create_app
from turnout.api.auth import Authenticator, open_access
from turnout.bounded_http import BoundedHttp
from turnout.policy import ActivePolicy
from turnout.policy_book import PolicyBook
from turnout.sensing import Sensor
from turnout.service import Router
from turnout.store import Decisions, Feedbacks, Table
from turnout.store.sqlite import SqliteTable
from turnout.telemetry import Telemetry
from turnout.upstream import Endpoint, Upstreams
from turnout.upstream.catalogue import key_variable, spoken_at
from turnout.wiring import build_upstreams


@dataclass
class RunningTurnout:
    """A running app: where it is, what it logged, and a client for it."""

    url: str
    log: io.StringIO
    table: Table
    client: aiohttp.ClientSession = field(repr=False)

    def logged(self, event: str = "decision") -> list[dict[str, Any]]:
        """Return the log lines of one kind."""
        lines = [json.loads(line) for line in self.log.getvalue().splitlines()]
        return [line for line in lines if line.get("message") == event]

    def metrics(self) -> list[dict[str, Any]]:
        """Return the EMF objects."""
        lines = [json.loads(line) for line in self.log.getvalue().splitlines()]
        return [line for line in lines if "_aws" in line]

    async def post(
        self, path: str, body: Any, **headers: str
    ) -> tuple[int, Mapping[str, str], bytes]:
        async with self.client.post(self.url + path, json=body, headers=headers) as response:
            return response.status, response.headers, await response.read()

    async def get(self, path: str, **headers: str) -> tuple[int, Any]:
        async with self.client.get(self.url + path, headers=headers) as response:
            return response.status, await response.json()

    async def chat(self, model: str = "auto", **body: Any) -> tuple[int, Mapping[str, str], Any]:
        """Post a chat completion and return the parsed reply."""
        async with self.ask(model, **body) as response:
            return response.status, response.headers, await response.json()

    async def stream(
        self, model: str = "auto", **body: Any
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Post a streamed chat completion and return the raw bytes of its reply."""
        async with self.ask(model, **{"stream": True, **body}) as response:
            return response.status, response.headers, await response.read()

    @asynccontextmanager
    async def ask(self, model: str = "auto", **body: Any) -> AsyncIterator[aiohttp.ClientResponse]:
        """Post a chat completion and give its response as soon as it begins."""
        messages = [{"role": "user", "content": "Write a function that sorts a list."}]
        request = {"model": model, "messages": messages, **body}
        async with self.client.post(f"{self.url}/v1/chat/completions", json=request) as response:
            yield response


@asynccontextmanager
async def running_turnout(
    policies: Mapping[str, ActivePolicy],
    upstream_urls: Mapping[str, str],
    folder: Path,
    *,
    classifier: Any = None,
    authenticator: Authenticator = open_access,
    table: Table | None = None,
    most_body_bytes: int = 1_000_000,
    book: PolicyBook | None = None,
    shows_playground: bool = False,
    private: Collection[str] = (),
    keys: Mapping[str, str] | None = None,
    upstreams: Upstreams | None = None,
) -> AsyncIterator[RunningTurnout]:
    """Serve Turnout with these policies and upstreams on a free loopback port."""
    log = io.StringIO()
    telemetry = Telemetry(log, service=f"turnout-{secrets.token_hex(4)}")
    table = table or SqliteTable(folder / "turnout.db")
    endpoints = {
        name: _endpoint(name, url, keys, private=name in private)
        for name, url in upstream_urls.items()
    }
    upstreams = upstreams or build_upstreams(endpoints, demo=keys is None)
    router = Router(
        book or PolicyBook(policies),
        next(iter(policies), "test"),
        Sensor(classifier, telemetry.warn),
        upstreams,
        Decisions(table),
        telemetry,
        Feedbacks(table),
    )
    app = create_app(
        router,
        authenticator,
        shows_playground=shows_playground,
        most_body_bytes=most_body_bytes,
        on_shutdown=upstreams.close,
    )
    server = uvicorn.Server(
        uvicorn.Config(
            app, port=0, http=BoundedHttp, log_level="critical", timeout_graceful_shutdown=1
        )
    )
    await _start(server)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        async with aiohttp.ClientSession() as client:
            yield RunningTurnout(f"http://127.0.0.1:{port}", log, table, client)
    finally:
        await _shut_down(server)
        await table.close()


async def _start(server: uvicorn.Server) -> None:
    """Start the server without its loop, which looks ten times a second whether it is to end."""
    server.config.load()
    server.lifespan = server.config.lifespan_class(server.config)
    await server.startup()
    await server.on_tick(0)


async def _shut_down(server: uvicorn.Server) -> None:
    """End the server as uvicorn does, as soon as its connections and tasks have ended."""
    state = server.server_state
    for listening in server.servers:
        listening.close()
    for connection in list(state.connections):
        connection.shutdown()
    with suppress(TimeoutError):
        await until(lambda: not (state.connections or state.tasks), within_s=1)
    for task in state.tasks:
        task.cancel()
    await server.lifespan.shutdown()


def _endpoint(name: str, url: str, keys: Mapping[str, str] | None, *, private: bool) -> Endpoint:
    speaks, address = spoken_at(url)
    wants_key = speaks != "bedrock"
    usual = {key_variable(name): "sk-upstream-secret"} if wants_key else {}
    return Endpoint(
        name, address, usual if keys is None else keys, speaks, wants_key=wants_key, private=private
    )
