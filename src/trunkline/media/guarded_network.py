"""Connections for httpcore that are made only to addresses which have been checked."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

import httpcore

from trunkline.errors import AddressRefused
from trunkline.media.addresses import off_limits, public

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""Addresses of a host name. Raises `OSError`."""
_TRIED: Final = 3
"""Of a name with many addresses, so many are tried."""


async def resolve(host: str, port: int) -> list[str]:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (UnicodeError, OverflowError) as error:
        raise OSError(f"{host[:80]} is no host name") from error
    return [str(address[0]) for *_, address in found]


class GuardedNetwork(httpcore.AnyIOBackend):
    """A name is looked up once; if one of its addresses is refused, all are."""

    def __init__(self, allow_private: bool, resolve: Resolve) -> None:
        self._allow_private = allow_private
        self._resolve = resolve

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Raises `AddressRefused`, `httpcore.ConnectError` or `httpcore.ConnectTimeout`."""
        try:
            async with asyncio.timeout(timeout):
                addresses = await self._resolve(host, port)
                for address in addresses:
                    self._check(host, address)
                return await self._connect(addresses, port, local_address, socket_options)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(str(error)) from error
        except OSError as error:
            raise httpcore.ConnectError(error.strerror or str(error)) from error

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        raise AddressRefused("Nothing is fetched from a socket of this machine.")

    def _check(self, host: str, address: str) -> None:
        if off_limits(address):
            raise AddressRefused(
                f"Nothing is fetched from {host}: {address} belongs to no server of audio.",
                remedy="Give the audio an address on an ordinary server.",
            )
        if not self._allow_private and not public(address):
            raise AddressRefused(
                f"Nothing is fetched from {host}: {address} is in a private network.",
                remedy="Allow private addresses in the settings if the audio is yours, or give it a public address.",
            )

    async def _connect(
        self,
        addresses: list[str],
        port: int,
        local_address: str | None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None,
    ) -> httpcore.AsyncNetworkStream:
        trouble: httpcore.ConnectError = httpcore.ConnectError("it has no address")
        for address in list(dict.fromkeys(addresses))[:_TRIED]:
            try:
                return await super().connect_tcp(
                    address, port, local_address=local_address, socket_options=socket_options
                )
            except httpcore.ConnectError as error:
                trouble = error
        raise trouble
