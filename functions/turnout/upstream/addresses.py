"""Which addresses upstreams may be at: public ones, or inside for those that are said to be there."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final

_TRANSLATED: Final = IPv6Network("64:ff9b::/96")
"""IPv4 addresses as a NAT64 gateway shows them."""


def may_be_called(address: str, *, inside: bool) -> bool:
    """Tell whether an upstream may be at the address; `inside`: also if that is of the own network.

    None may be link-local, where clouds keep credentials. Raises ValueError for what is no address.
    """
    ip = _effective(ip_address(address.partition("%")[0]))
    if ip.is_link_local or ip.is_multicast or ip.is_unspecified:
        return False
    return inside or ip.is_global


def _effective(ip: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Return the IPv4 address that an IPv6 one stands for, where it stands for one."""
    if isinstance(ip, IPv4Address):
        return ip
    if ip in _TRANSLATED:
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or ip
