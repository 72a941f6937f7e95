"""An origination node that takes no call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from sipmessage import Message, Request, Response


class Node(asyncio.DatagramProtocol):
    """An Asterisk that says one thing to every INVITE, or nothing at all."""

    def __init__(self, code: int | None) -> None:
        self.code = code
        self.invites: list[Request] = []
        self.transport: asyncio.DatagramTransport

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    @property
    def url(self) -> str:
        return f"sip:127.0.0.1:{self.transport.get_extra_info('sockname')[1]}"

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        message = Message.parse(data)
        if not isinstance(message, Request) or message.method != "INVITE":
            return
        self.invites.append(message)
        if self.code is not None:
            answer = Response(self.code, "As told")
            for name in ("Via", "From", "To", "Call-ID", "CSeq"):
                answer.headers.setlist(name, message.headers.getlist(name))
            answer.headers.set("Content-Length", "0")
            self.transport.sendto(bytes(answer), addr)


@asynccontextmanager
async def node(code: int | None) -> AsyncGenerator[Node, None]:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(lambda: Node(code), local_addr=("127.0.0.1", 0))
    try:
        yield protocol
    finally:
        transport.close()
