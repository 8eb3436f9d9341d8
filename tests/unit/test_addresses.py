"""Where upstreams may be: what a name resolves to is checked before anything is connected to."""

import socket

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from turnout.upstream.addresses import may_be_called
from turnout.upstream.resolver import CheckedResolver

PUBLIC = ("93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "::ffff:93.184.216.34")
INSIDE = (
    "10.0.0.5",
    "172.16.0.1",
    "192.168.1.1",
    "127.0.0.1",
    "100.64.0.1",
    "::1",
    "fd00::1",
    "fd00:ec2::254",
    "::ffff:10.0.0.5",
    "64:ff9b::10.0.0.5",
    "2002:0a00:0005::",
)
NOWHERE = (
    "169.254.169.254",
    "169.254.170.2",
    "fe80::1%eth0",
    "::ffff:169.254.169.254",
    "64:ff9b::169.254.169.254",
    "224.0.0.1",
    "0.0.0.0",
    "::",
)


class Resolves(AbstractResolver):
    """Resolves every name to the same addresses."""

    def __init__(self, *addresses: str) -> None:
        self._addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host=a, port=port, family=family, proto=0, flags=0)
            for a in self._addresses
        ]

    async def close(self) -> None: ...


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_may_be_called(address: str) -> None:
    assert may_be_called(address, inside=False)


@pytest.mark.parametrize("address", INSIDE)
def test_addresses_of_the_own_network_only_for_those_said_to_be_there(address: str) -> None:
    assert not may_be_called(address, inside=False)
    assert may_be_called(address, inside=True)


@pytest.mark.parametrize("address", NOWHERE)
def test_where_clouds_keep_credentials_nobody_is_called(address: str) -> None:
    assert not may_be_called(address, inside=True)


async def test_of_a_names_addresses_those_that_may_be_called_remain() -> None:
    resolver = CheckedResolver((), Resolves("10.0.0.5", PUBLIC[0]))
    assert [found["host"] for found in await resolver.resolve("api.example", 443)] == [PUBLIC[0]]


async def test_a_public_name_made_to_resolve_inside_is_refused_without_its_address() -> None:
    resolver = CheckedResolver({"other.example"}, Resolves("10.0.0.5"))
    with pytest.raises(OSError, match="inside a network") as refused:
        await resolver.resolve("api.example", 443)
    assert "10.0.0.5" not in str(refused.value)


async def test_a_private_host_may_be_inside_but_not_link_local() -> None:
    resolver = CheckedResolver({"llm.corp"}, Resolves("10.0.0.5", "169.254.169.254"))
    assert [found["host"] for found in await resolver.resolve("llm.corp", 443)] == ["10.0.0.5"]
