"""Resolves upstreams' names to the addresses that may be called."""

from __future__ import annotations

import errno
import socket
from collections.abc import Collection
from typing import Final

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from turnout.upstream.addresses import may_be_called

_REFUSED: Final = (
    "its name resolves to an address inside a network; TURNOUT_PRIVATE_UPSTREAMS allows that"
)


class CheckedResolver(AbstractResolver):
    """Leaves out what may not be called; what remains is what is connected to.

    A public name that is made to resolve to an inner address would let whoever did that reach what
    only this process reaches. `private_hosts` may be inside.
    """

    def __init__(
        self, private_hosts: Collection[str], resolver: AbstractResolver | None = None
    ) -> None:
        self._private_hosts = frozenset(private_hosts)
        self._resolver = resolver or ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Raises OSError where the name resolves to none that may be called."""
        found = await self._resolver.resolve(host, port, family)
        inside = host in self._private_hosts
        allowed = [result for result in found if may_be_called(result["host"], inside=inside)]
        if not allowed:
            raise OSError(errno.EACCES, _REFUSED)
        return allowed

    async def close(self) -> None:
        await self._resolver.close()
