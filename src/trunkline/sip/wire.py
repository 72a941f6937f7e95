"""What SIP messages travel on: a UDP socket, or connections of TCP or TLS (RFC 3261 §18)."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Callable
from typing import Final, Protocol, cast

from trunkline.errors import NotReady, ProtocolError
from trunkline.sip.message import PeerAddress, Transport
from trunkline.sip.stream import StreamSplitter

CONNECT_SECONDS: Final = 5.0
CLOSING_SECONDS: Final = 1.0
"""How long the other side may take to say good-bye to TLS."""


class Wire(Protocol):
    """One socket's worth of SIP."""

    transport: Transport
    on_message: Callable[[bytes, PeerAddress], None]
    """Is given every message with the address it came from; whoever wants to hear sets it."""

    @property
    def address(self) -> PeerAddress:
        """Ours."""
        ...

    def send(self, data: bytes, to: PeerAddress) -> None: ...

    def close(self) -> None: ...


def _unheard(_message: bytes, _source: PeerAddress) -> None:
    """Before anybody listens: SIP repeats itself."""


class UdpWire(asyncio.DatagramProtocol):
    """A UDP socket. A datagram is a message."""

    def __init__(self) -> None:
        self.transport: Transport = "udp"
        self.on_message: Callable[[bytes, PeerAddress], None] = _unheard
        self._socket: asyncio.DatagramTransport

    @classmethod
    async def open(cls, host: str, port: int = 0) -> UdpWire:
        """Raises `OSError` when the address is taken or not ours."""
        _, wire = await asyncio.get_running_loop().create_datagram_endpoint(cls, local_addr=(host, port))
        return wire

    @property
    def address(self) -> PeerAddress:
        host, port = self._socket.get_extra_info("sockname")[:2]
        return host, port

    def send(self, data: bytes, to: PeerAddress) -> None:
        self._socket.sendto(data, to)

    def close(self) -> None:
        self._socket.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._socket = cast(asyncio.DatagramTransport, transport)  # neither loop's class is a subclass of it

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.on_message(data, (addr[0], addr[1]))

    def error_received(self, exc: Exception) -> None:
        """An ICMP error: the transaction's own repetitions and its patience deal with it."""


class StreamWire:
    """All connections of one transport, TCP or TLS. Answers and requests go back over the one the dialog came on
    (RFC 5923): its far end is the address they are sent to. What is sent to a connection that is gone is lost.
    """

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.on_message: Callable[[bytes, PeerAddress], None] = _unheard
        self.malformed = 0
        """Connections that were closed because no SIP could be made out."""
        self.connections: dict[PeerAddress, asyncio.Transport] = {}
        """By the address of the far end."""
        self._address: PeerAddress = ("", 0)
        self._server: asyncio.Server | None = None

    @classmethod
    async def listen(cls, host: str, port: int = 0, *, tls: ssl.SSLContext | None = None) -> StreamWire:
        """Take connections. Raises `OSError` when the address is taken or not ours."""
        wire = cls("tcp" if tls is None else "tls")
        farewell = None if tls is None else CLOSING_SECONDS
        wire._server = await asyncio.get_running_loop().create_server(
            lambda: _Connection(wire), host, port, ssl=tls, ssl_shutdown_timeout=farewell
        )
        wire._address = wire._server.sockets[0].getsockname()[:2]
        return wire

    @classmethod
    async def connect(
        cls, own: str, peer: PeerAddress, *, tls: ssl.SSLContext | None = None, server_name: str | None = None
    ) -> StreamWire:
        """One connection from `own` to `peer`; with `tls` its certificate has to be for `server_name`.

        Raises `NotReady` when nobody takes it, or not with that certificate.
        """
        wire = cls("tcp" if tls is None else "tls")
        place = f"{peer[0]}:{peer[1]}"
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                transport, _ = await asyncio.get_running_loop().create_connection(
                    lambda: _Connection(wire),
                    *peer,
                    local_addr=(own, 0),
                    ssl=tls,
                    server_hostname=None if tls is None else server_name or peer[0],
                    ssl_shutdown_timeout=None if tls is None else CLOSING_SECONDS,
                )
        except ssl.SSLCertVerificationError as error:
            raise NotReady(
                f"The certificate of {place} is not accepted: {error.verify_message}.",
                remedy="Name the trunk's host as its certificate does, and the authority that issued it.",
            ) from error
        except ssl.SSLError as error:
            raise NotReady(
                f"{place} does not speak TLS: {error.reason}.", remedy="Check port and transport; TLS has 5061."
            ) from error
        except (OSError, TimeoutError) as error:
            why = os.strerror(error.errno) if error.errno else "no answer"
            raise NotReady(
                f"{place} takes no {wire.transport.upper()} connection: {why}.",
                remedy="Check port and transport, and that no firewall is between.",
            ) from error
        wire._address = transport.get_extra_info("sockname")[:2]
        return wire

    @property
    def address(self) -> PeerAddress:
        return self._address

    def send(self, data: bytes, to: PeerAddress) -> None:
        if (connection := self.connections.get(to)) is not None:
            connection.write(data)

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for connection in self.connections.values():
            connection.close()


class _Connection(asyncio.Protocol):
    def __init__(self, wire: StreamWire) -> None:
        self._wire = wire
        self._splitter = StreamSplitter()
        self._peer: PeerAddress
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        host, port = transport.get_extra_info("peername")[:2]
        self._peer = (host, port)
        self._wire.connections[self._peer] = self._transport

    def data_received(self, data: bytes) -> None:
        try:
            for message in self._splitter.feed(data):
                self._wire.on_message(message, self._peer)
        except ProtocolError:
            self._wire.malformed += 1
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._wire.connections.pop(self._peer, None)


async def reach(
    transport: Transport,
    own: str,
    peer: PeerAddress,
    *,
    tls: ssl.SSLContext | None = None,
    server_name: str | None = None,
) -> Wire:
    """A wire from our address to `peer`. For TLS without a context the machine's own authorities are trusted.

    Raises `NotReady` when there is no connection to be had.
    """
    if transport == "udp":
        return await UdpWire.open(own)
    if transport == "tls" and tls is None:
        tls = ssl.create_default_context()
    return await StreamWire.connect(own, peer, tls=tls if transport == "tls" else None, server_name=server_name)
