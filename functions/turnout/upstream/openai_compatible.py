"""Upstreams that speak OpenAI's chat completions over HTTP, through aiohttp."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from pydantic_core import to_json

from turnout.upstream.catalogue import Endpoint
from turnout.upstream.port import Call, CallFailed, CallTimedOut, Reply

if TYPE_CHECKING:
    import aiohttp

ANY_MODEL: Final = "any"
"""As a policy's model id: whichever model the upstream lists first (Ollama, vLLM)."""
CONNECT_TIMEOUT_S: Final = 5.0


class Connections:
    """The connection pool that the upstreams of one process share, opened at the first call."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    def session(self) -> aiohttp.ClientSession:
        if self._session is None:
            import aiohttp

            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=60),
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None


class OpenAICompatible:
    """One upstream at one base URL."""

    def __init__(self, endpoint: Endpoint, connections: Connections) -> None:
        self._endpoint = endpoint
        self._connections = connections
        self._first_model: str | None = None

    async def open(self, call: Call) -> Reply:
        model_id = await self.first_model() if call.model_id == ANY_MODEL else call.model_id
        with _failures():
            response = await self._request(
                "POST",
                "/chat/completions",
                data=to_json({**call.body, "model": model_id}),
                timeout_s=call.deadline - asyncio.get_running_loop().time(),
            )
        return _HttpReply(response)

    async def first_model(self, *, timeout_s: float = CONNECT_TIMEOUT_S) -> str:
        """Return the id of the first model that the upstream lists. Raises CallFailed."""
        if self._first_model is None:
            with _failures():
                response = await self._request("GET", "/models", timeout_s=timeout_s)
                async with response:
                    listing = await response.json(content_type=None)
            try:
                self._first_model = str(listing["data"][0]["id"])
            except (TypeError, KeyError, IndexError):
                raise CallFailed("the upstream lists no model") from None
        return self._first_model

    async def close(self) -> None:
        await self._connections.close()

    async def _request(
        self, method: str, path: str, *, timeout_s: float, data: bytes | None = None
    ) -> aiohttp.ClientResponse:
        import aiohttp

        headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
        if key := self._endpoint.key:
            headers["Authorization"] = f"Bearer {key}"
        return await self._connections.session().request(
            method,
            self._endpoint.base_url.rstrip("/") + path,
            data=data,
            headers=headers,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(
                total=max(0.001, timeout_s), sock_connect=CONNECT_TIMEOUT_S
            ),
        )


class _HttpReply:
    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status = response.status
        self.content_type = response.content_type

    async def chunks(self) -> AsyncIterator[bytes]:
        with _failures():
            async for chunk in self._response.content.iter_any():
                yield chunk

    async def close(self) -> None:
        # Not release(): a reply left unread must close its connection, so that the upstream stops.
        self._response.close()


@contextmanager
def _failures() -> Iterator[None]:
    """Turn aiohttp's errors into ours, without the address or headers that theirs may show."""
    import aiohttp

    try:
        yield
    except TimeoutError:
        raise CallTimedOut("no answer within the time allowed") from None
    except aiohttp.ClientConnectorError as error:
        raise CallFailed(f"could not connect: {error.strerror or 'unknown reason'}") from None
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise CallFailed(f"the connection broke: {type(error).__name__}") from None
