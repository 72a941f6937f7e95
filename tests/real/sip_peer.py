"""The least of a SIP trunk that tests of the control side need: one UDP socket that answers as it is told.

No authentication, no RTP, no retransmission: the loopback loses nothing. The stand-in carrier is the real thing.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

SDP = (
    "v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
    "m=audio {port} RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n"
)


@dataclass(frozen=True, slots=True)
class Answer:
    """One response to an INVITE."""

    code: int
    reason: str
    headers: tuple[str, ...] = ()
    sdp: bool = False


RINGING = Answer(180, "Ringing")
PROGRESS = Answer(183, "Session Progress", sdp=True)
OK = Answer(200, "OK", sdp=True)


class SipPeer(asyncio.DatagramProtocol):
    """Answers every INVITE with `answers` in turn; keeps every message it got."""

    def __init__(self, answers: Sequence[Answer]) -> None:
        self.answers = list(answers)
        self.received: list[str] = []
        self._changed = asyncio.Condition()
        self._invite: tuple[str, tuple[str, int]] | None = None
        self._transport: asyncio.DatagramTransport | None = None

    @classmethod
    async def open(cls, *answers: Answer) -> SipPeer:
        peer = cls(answers)
        await asyncio.get_running_loop().create_datagram_endpoint(lambda: peer, local_addr=("127.0.0.1", 0))
        return peer

    def close(self) -> None:
        assert self._transport is not None
        self._transport.close()

    @property
    def address(self) -> tuple[str, int]:
        assert self._transport is not None
        host, port = self._transport.get_extra_info("sockname")
        return str(host), int(port)

    async def request(self, method: str, *, timeout: float = 10.0) -> str:
        """The first request of that kind, as soon as it is there."""

        def found() -> list[str]:
            return [message for message in self.received if message.startswith(f"{method} ")]

        async with asyncio.timeout(timeout), self._changed:
            await self._changed.wait_for(found)
        return found()[0]

    def answer(self, answer: Answer) -> None:
        """One more response to the INVITE that is here."""
        assert self._invite is not None
        message, source = self._invite
        self._respond(message, source, answer)

    def send_bye(self) -> None:
        """Hangs up the answered call as the callee."""
        assert self._invite is not None and self._transport is not None
        message, source = self._invite
        host, port = self.address
        contact = re.search(r"^Contact: <([^>]+)>", message, re.MULTILINE)
        assert contact is not None
        lines = [
            f"BYE {contact[1]} SIP/2.0",
            f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bKbye",
            "Max-Forwards: 70",
            f"From: {_header(message, 'To')};tag=peer",
            f"To: {_header(message, 'From')}",
            f"Call-ID: {_header(message, 'Call-ID')}",
            "CSeq: 1 BYE",
            "Reason: Q.850;cause=16",
            "Content-Length: 0",
        ]
        self._transport.sendto(("\r\n".join(lines) + "\r\n\r\n").encode(), source)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        message = data.decode()
        self.received.append(message)
        method = message.split(" ", 1)[0]
        if method == "INVITE":
            self._invite = (message, addr)
            for answer in self.answers:
                self._respond(message, addr, answer)
        elif method == "CANCEL" and self._invite is not None:
            self._respond(message, addr, Answer(200, "OK"))
            self._respond(*self._invite, Answer(487, "Request Terminated"))
        elif method in ("OPTIONS", "BYE"):
            self._respond(message, addr, Answer(200, "OK"))
        asyncio.get_running_loop().create_task(self._tell())

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    def _respond(self, request: str, source: tuple[str, int], answer: Answer) -> None:
        assert self._transport is not None
        host, port = self.address
        body = SDP.format(host=host, port=port + 1) if answer.sdp else ""
        lines = [
            f"SIP/2.0 {answer.code} {answer.reason}",
            *(f"Via: {via}" for via in re.findall(r"^Via: (.+?)\r?$", request, re.MULTILINE)),
            f"From: {_header(request, 'From')}",
            f"To: {_header(request, 'To')};tag=peer",
            f"Call-ID: {_header(request, 'Call-ID')}",
            f"CSeq: {_header(request, 'CSeq')}",
            f"Contact: <sip:peer@{host}:{port}>",
            *answer.headers,
            *(["Content-Type: application/sdp"] if body else []),
            f"Content-Length: {len(body)}",
        ]
        self._transport.sendto(("\r\n".join(lines) + "\r\n\r\n" + body).encode(), source)


def _header(message: str, name: str) -> str:
    match = re.search(rf"^{name}: (.+?)\r?$", message, re.MULTILINE)
    assert match is not None, f"no {name} in {message}"
    return match[1]
