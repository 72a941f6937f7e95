"""Where callbacks may go: which addresses are nobody's workflow."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final

_METADATA: Final = frozenset({ip_address("fd00:ec2::254"), ip_address("100.100.100.200"), ip_address("168.63.129.16")})
"""Where clouds tell a machine its secrets, besides 169.254.169.254, which is link-local."""
_NAT64: Final = IPv6Network("64:ff9b::/96")


def off_limits(text: str) -> bool:
    """Whether this IP address is link-local, multicast, unspecified or a cloud's metadata service.

    Loopback and private networks are not: that is where n8n usually runs. Raises `ValueError` for what is no address.
    """
    address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address):
        address = _embedded(address) or address
    return address.is_link_local or address.is_multicast or address.is_unspecified or address in _METADATA


def _embedded(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 one stands for (RFC 4291 §2.5.5.2, RFC 3056 §2, RFC 6052 §2.1)."""
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour
