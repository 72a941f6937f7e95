"""SIP over real TCP and TLS on the loopback."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator

import pytest
import trustme

from trunkline.errors import NotReady
from trunkline.sip.message import PeerAddress
from trunkline.sip.wire import StreamWire, UdpWire, Wire, reach

HOST = "127.0.0.1"
NAME = "trunk.example.com"
MESSAGE = b"OPTIONS sip:a SIP/2.0\r\nContent-Length: 0\r\n\r\n"
TIMEOUT = 5.0


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
async def tls_wire(authority: trustme.CA) -> AsyncIterator[StreamWire]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(NAME).configure_cert(context)
    wire = await StreamWire.listen(HOST, tls=context)
    yield wire
    wire.close()


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


class Heard:
    """What comes on a wire."""

    def __init__(self, wire: Wire) -> None:
        self._queue: asyncio.Queue[tuple[bytes, PeerAddress]] = asyncio.Queue()
        wire.on_message = lambda message, source: self._queue.put_nowait((message, source))

    async def next(self) -> tuple[bytes, PeerAddress]:
        async with asyncio.timeout(TIMEOUT):
            return await self._queue.get()


async def both_ways(server: Wire, client: Wire) -> None:
    """A message there and one back over the same connection, one of them in two pieces."""
    at_server, at_client = Heard(server), Heard(client)
    client.send(MESSAGE[:9], server.address)
    client.send(MESSAGE[9:] + MESSAGE, server.address)
    assert await at_server.next() == (MESSAGE, client.address)
    assert await at_server.next() == (MESSAGE, client.address)
    server.send(MESSAGE, client.address)
    assert await at_client.next() == (MESSAGE, server.address)


async def test_tcp_goes_both_ways_over_one_connection() -> None:
    server = await StreamWire.listen(HOST)
    client = await reach("tcp", HOST, server.address)
    await both_ways(server, client)
    assert len(server.connections) == 1
    client.close()
    server.close()


async def test_tls_goes_both_ways_where_the_certificate_is_trusted(tls_wire: StreamWire, authority: trustme.CA) -> None:
    client = await reach("tls", HOST, tls_wire.address, tls=trusting(authority), server_name=NAME)
    await both_ways(tls_wire, client)
    client.close()


async def test_tls_refuses_an_unknown_authority(tls_wire: StreamWire) -> None:
    with pytest.raises(NotReady, match=r"certificate of .* is not accepted"):
        await reach("tls", HOST, tls_wire.address, server_name=NAME)


async def test_tls_refuses_a_certificate_for_another_name(tls_wire: StreamWire, authority: trustme.CA) -> None:
    with pytest.raises(NotReady, match=r"other\.example\.com"):
        await reach("tls", HOST, tls_wire.address, tls=trusting(authority), server_name="other.example.com")


async def test_who_speaks_no_tls_is_told_so(authority: trustme.CA) -> None:
    server = await StreamWire.listen(HOST)
    with pytest.raises(NotReady, match=r"does not speak TLS|takes no TLS"):
        await reach("tls", HOST, server.address, tls=trusting(authority), server_name=NAME)
    server.close()


async def test_nobody_there_is_told_so() -> None:
    server = await StreamWire.listen(HOST)
    peer = server.address
    server.close()
    with pytest.raises(NotReady, match="takes no TCP connection: Connection refused"):
        await reach("tcp", HOST, peer)


async def test_a_stream_that_is_no_sip_is_closed_and_the_next_connection_works() -> None:
    server = await StreamWire.listen(HOST)
    reader, writer = await asyncio.open_connection(*server.address)
    writer.write(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
    async with asyncio.timeout(TIMEOUT):
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""
    writer.close()
    assert server.malformed == 1
    client = await reach("tcp", HOST, server.address)
    await both_ways(server, client)
    client.close()
    server.close()


async def test_what_is_sent_to_a_connection_that_is_gone_is_lost() -> None:
    server = await StreamWire.listen(HOST)
    client = await reach("tcp", HOST, server.address)
    gone = client.address
    heard = Heard(server)
    client.send(MESSAGE, server.address)
    await heard.next()
    client.close()
    async with asyncio.timeout(TIMEOUT):
        while server.connections:
            await asyncio.sleep(0)
    server.send(MESSAGE, gone)
    server.close()


async def test_udp_is_a_wire_as_well() -> None:
    server = await UdpWire.open(HOST)
    client = await reach("udp", HOST, server.address)
    heard = Heard(server)
    client.send(MESSAGE, server.address)
    assert await heard.next() == (MESSAGE, client.address)
    client.close()
    server.close()
