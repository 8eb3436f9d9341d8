"""HTTP to upstreams, through aiohttp: one pool, no redirects, errors that name no key and no address."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC
from typing import TYPE_CHECKING, Final

from turnout.chat import Format
from turnout.upstream.port import CallFailed, CallTimedOut

if TYPE_CHECKING:
    import aiohttp
    from yarl import URL

CONNECT_TIMEOUT_S: Final = 5.0


class Connections:
    """The connection pool that the upstreams of one process share, opened at the first call.

    The names of `private_hosts` may resolve to addresses of the own network.
    """

    def __init__(self, private_hosts: Collection[str] = ()) -> None:
        self._private_hosts = private_hosts
        self._session: aiohttp.ClientSession | None = None

    async def request(
        self,
        method: str,
        url: str | URL,
        *,
        headers: Mapping[str, str],
        timeout_s: float,
        data: bytes | None = None,
    ) -> aiohttp.ClientResponse:
        """Send a request and return once the response's head has come. Use within `failures()`.

        Raises CallFailed for a compressed response, which was not asked for: a small one may unpack
        to any size.
        """
        import aiohttp

        response = await self._open().request(
            method,
            url,
            data=data,
            headers={
                "Content-Type": "application/json",
                "Accept-Encoding": "identity",
                **headers,
            },
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(
                total=max(0.001, timeout_s), sock_connect=CONNECT_TIMEOUT_S
            ),
        )
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            response.close()
            raise CallFailed("answered in a compressed form that was not asked for", status=502)
        return response

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            import aiohttp

            from turnout.upstream.resolver import CheckedResolver

            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=0, ttl_dns_cache=60, resolver=CheckedResolver(self._private_hosts)
                ),
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session


class HttpReply:
    """A response as it comes."""

    def __init__(self, response: aiohttp.ClientResponse, written_in: Format = "chat") -> None:
        self._response = response
        self.format = written_in
        self.status = response.status
        self.content_type = response.content_type
        self.retry_after_s = _seconds(response.headers.get("retry-after"))
        self._watched_no_more = _end_with_connection(response)

    async def chunks(self) -> AsyncIterator[bytes]:
        with failures():
            async for chunk in self._response.content.iter_any():
                yield chunk

    async def close(self) -> None:
        self._watched_no_more()
        # Not release(): a reply left unread must close its connection, so that the upstream stops.
        self._response.close()


def _end_with_connection(response: aiohttp.ClientResponse) -> Callable[[], object]:
    """Make the body of a response fail when its connection is closed before the body's end.

    After a malformed chunk aiohttp 3.14 closes the connection and says nothing to who reads the body, who
    would wait until the deadline. Returns what ends the watch; a connection serves many responses.
    """
    import aiohttp

    body, connection = response.content, response.connection
    if connection is None or connection.protocol is None:
        return lambda: None
    closed = connection.protocol.closed

    def fail(_: object) -> None:
        if not body.is_eof() and body.exception() is None:
            body.set_exception(aiohttp.ClientPayloadError("the connection was closed"))

    if closed is None:
        fail(closed)
        return lambda: None
    closed.add_done_callback(fail)
    closed.remove_done_callback(_look_at)
    closed.add_done_callback(_look_at)
    return lambda: closed.remove_done_callback(fail)


def _look_at(closed: asyncio.Future[None]) -> None:
    """Take note of why a connection was closed, so that asyncio does not complain that nobody did."""
    if not closed.cancelled():
        closed.exception()


def _seconds(value: str | None) -> float | None:
    """Return a `Retry-After`, seconds or a date, in seconds; nonsense is passed over."""
    if not value:
        return None
    try:
        seconds = float(value) if value[0] in "0123456789" else _until(value)
    except ValueError:
        return None
    return seconds if 0 <= seconds < math.inf else None


def _until(date: str) -> float:
    """Return how long it is until the date, in seconds; 0 for one that is over. Raises ValueError."""
    from email.utils import parsedate_to_datetime

    then = parsedate_to_datetime(date)
    # A date of HTTP is in GMT, also where it does not say so.
    return max(0.0, then.replace(tzinfo=then.tzinfo or UTC).timestamp() - time.time())


@contextmanager
def failures() -> Iterator[None]:
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
