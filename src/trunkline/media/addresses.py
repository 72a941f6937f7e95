"""Where we may connect to: which IP addresses are the machine's own, its network's, or nobody's."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final

_METADATA: Final = frozenset({ip_address("fd00:ec2::254"), ip_address("100.100.100.200"), ip_address("168.63.129.16")})
"""Where clouds tell a machine its secrets, besides 169.254.169.254, which is link-local."""
_NAT64: Final = IPv6Network("64:ff9b::/96")
_GLOBAL_UNICAST: Final = IPv6Network("2000::/3")


def off_limits(text: str) -> bool:
    """Whether this IP address is link-local, multicast, unspecified or a cloud's metadata service.

    Loopback and private networks are not: that is where n8n usually runs. Raises `ValueError` for what is no address.
    """
    address = _meant(text)
    return address.is_link_local or address.is_multicast or address.is_unspecified or address in _METADATA


def public(text: str) -> bool:
    """Whether this IP address is one of the Internet's: no private, loopback, shared (RFC 6598) or reserved one.

    Raises `ValueError` for what is no address.
    """
    address = _meant(text)
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return False
    return address.is_global and not off_limits(text)


def _meant(text: str) -> IPv4Address | IPv6Address:
    """The address, or the IPv4 one it stands for (RFC 4291 §2.5.5.2, RFC 3056 §2, RFC 6052 §2.1)."""
    address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address
