"""The port to an upstream: one call out, one reply in chunks of bytes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from turnout.chat import Caller, Format, Native

MOST_REPLY_BYTES: Final = 32 << 20


class CallFailed(Exception):
    """A call that gave no reply to pass on; the message names no key and no address.

    `status` is the upstream's, None when none came. `try_another` tells whether the next candidate
    should be tried. `retry_after_s` is how long the upstream asks to be left alone, if it does.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        try_another: bool = True,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.try_another = try_another
        self.retry_after_s = retry_after_s


class CallTimedOut(CallFailed):
    """The upstream was silent past the deadline."""


@dataclass(frozen=True, slots=True)
class Target:
    """A candidate to call: its catalogue id, its upstream, and its id there."""

    model: str
    upstream: str
    model_id: str


@dataclass(frozen=True, slots=True)
class Call:
    """One call of one model for one caller, who may bring a key for it. `deadline` is in the event
    loop's time; `why` tells why the model was chosen; `asks` is the format of the
    body, `native` the same request as it came, where that is another."""

    model: str
    model_id: str
    body: Mapping[str, Any] = field(repr=False)
    stream: bool
    deadline: float
    caller: Caller
    brings_key: bool = False
    why: str = ""
    asks: Format = "chat"
    native: Native | None = None


class Reply(Protocol):
    """An upstream's reply, its body still to be read. Close it whatever happens."""

    @property
    def status(self) -> int: ...

    @property
    def content_type(self) -> str: ...

    @property
    def format(self) -> Format:
        """What it is written in, if its status is 200."""

    @property
    def retry_after_s(self) -> float | None:
        """What the upstream's `Retry-After` says, in seconds."""

    def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes, never held back. Raises CallFailed when it breaks off."""

    async def close(self) -> None: ...


async def whole_body(reply: Reply) -> bytes:
    """Return the reply's whole body. Raises CallFailed for one over MOST_REPLY_BYTES."""
    body = bytearray()
    async for chunk in reply.chunks():
        body += chunk
        if len(body) > MOST_REPLY_BYTES:
            raise CallFailed(f"the reply is over {MOST_REPLY_BYTES >> 20} MiB", status=502)
    return bytes(body)


class Upstream(Protocol):
    """Something that answers chat completions in OpenAI's format, and perhaps more."""

    @property
    def takes(self) -> frozenset[Format]:
        """The formats that it can be asked in."""

    def serves(self, caller: Caller) -> bool:
        """Tell whether there is a key to call with for this caller, or none is needed."""

    async def open(self, call: Call) -> Reply:
        """Send the call and return once the response's head has come. Raises CallFailed."""

    async def close(self) -> None: ...
