"""A small SIP caller over UDP for tests: says exactly what it is told, and follows Record-Route unless told not to."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, field
from typing import Self

from sipmessage import Message, Request, Response

from trunkline.sip import sdp
from trunkline.sip.digest import authorization, parse_parameters
from trunkline.sip.message import PeerAddress

NUMBER = "+14155550123"
CALLER_ID = "+14155550100"
HOST = "rehearsal.pstn.example.com"


def offer(port: int = 40000, host: str = "127.0.0.1") -> bytes:
    """µ-law, A-law and telephone-event, as Asterisk offers them."""
    return (
        f"v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\nm=audio {port} RTP/AVP 0 8 101\r\n"
        "a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\n"
        "a=ptime:20\r\na=sendrecv\r\n"
    ).encode()


@dataclass
class Wording:
    """The parts of an INVITE that tests vary."""

    uri: str = f"sip:{NUMBER}@{HOST}"
    caller: str = f"<sip:{CALLER_ID}@{HOST}>"
    body: bytes = field(default_factory=offer)
    call_id: str = field(default_factory=lambda: secrets.token_hex(8))
    tag: str = field(default_factory=lambda: secrets.token_hex(4))
    address: PeerAddress = ("127.0.0.1", 5080)

    def request(
        self,
        method: str,
        sequence: int,
        branch: str,
        *,
        uri: str = "",
        to_tag: str = "",
        headers: tuple[str, ...] = (),
        body: bytes | None = None,
    ) -> bytes:
        content = (self.body if method == "INVITE" else b"") if body is None else body
        host, port = self.address
        lines = [
            f"{method} {uri or self.uri} SIP/2.0",
            f"Via: SIP/2.0/UDP {host}:{port};rport;branch={branch}",
            "Max-Forwards: 70",
            f"From: {self.caller};tag={self.tag}",
            f"To: <{self.uri}>" + (f";tag={to_tag}" if to_tag else ""),
            f"Call-ID: {self.call_id}",
            f"CSeq: {sequence} {method}",
            f"Contact: <sip:caller@{host}:{port}>",
            *headers,
            *(["Content-Type: application/sdp"] if content else []),
            f"Content-Length: {len(content)}",
            "",
            "",
        ]
        return "\r\n".join(lines).encode() + content


def new_branch() -> str:
    return f"z9hG4bK{secrets.token_hex(8)}"


class SipCaller(asyncio.DatagramProtocol):
    """One call. `await caller.response()` gives what comes, in order; requests of the carrier land in `requests`."""

    def __init__(self, carrier: PeerAddress, wording: Wording | None = None) -> None:
        self.carrier = carrier
        self.wording = wording or Wording()
        self.requests: asyncio.Queue[Request] = asyncio.Queue()
        self.responses: asyncio.Queue[Response] = asyncio.Queue()
        self.answer: Response
        self.sequence = 0
        self.branch = ""
        self._transport: asyncio.DatagramTransport

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        self._transport = transport
        self.wording.address = transport.get_extra_info("sockname")[:2]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._transport.close()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        message = Message.parse(data)
        if isinstance(message, Response):
            self.responses.put_nowait(message)
            return
        self.requests.put_nowait(message)
        reply = Response(200, "OK")
        for name in ("Via", "From", "To", "Call-ID", "CSeq"):
            reply.headers.setlist(name, message.headers.getlist(name))
        reply.headers.set("Content-Length", "0")
        self.send(bytes(reply))

    def send(self, data: bytes) -> None:
        self._transport.sendto(data, self.carrier)

    async def response(self, *, skip: tuple[int, ...] = (100,)) -> Response:
        """The next response but those to be skipped."""
        async with asyncio.timeout(5):
            while (response := await self.responses.get()).code in skip:
                pass
            return response

    def invite(self, *, headers: tuple[str, ...] = ()) -> None:
        self.sequence += 1
        self.branch = new_branch()
        self.send(self.wording.request("INVITE", self.sequence, self.branch, headers=headers))

    async def invite_with_password(self, username: str = "trunk", password: str = "rehearsal-Password-1") -> None:
        """INVITE, 407, ACK, INVITE with the digest."""
        self.invite()
        challenge = await self.response()
        assert challenge.code == 407
        self.ack_refusal(challenge)
        asked = parse_parameters(challenge.headers["Proxy-Authenticate"])
        proof = authorization(asked, username=username, password=password, method="INVITE", uri=self.wording.uri)
        self.invite(headers=(f"Proxy-Authorization: {proof}",))

    def ack_refusal(self, response: Response) -> None:
        """ACK of a non-2xx: same branch (RFC 3261 §17.1.1.3)."""
        tag = response.to_address.parameters.get("tag") or ""
        self.send(self.wording.request("ACK", self.sequence, self.branch, to_tag=tag))

    def _in_dialog(self, method: str, sequence: int, body: bytes | None = None, *, routed: bool = True) -> bytes:
        tag = self.answer.to_address.parameters.get("tag") or ""
        routes = tuple(f"Route: {value}" for value in self.answer.headers.getlist("Record-Route")) if routed else ()
        uri = str(self.answer.contact[0].uri)
        return self.wording.request(method, sequence, new_branch(), uri=uri, to_tag=tag, headers=routes, body=body)

    def ack(self, answer: Response, *, routed: bool = True) -> None:
        """ACK of a 2xx; `routed` along the Record-Route."""
        self.answer = answer
        self.send(self._in_dialog("ACK", answer.cseq.sequence, routed=routed))

    def bye(self) -> None:
        self.sequence += 1
        self.send(self._in_dialog("BYE", self.sequence))

    def reinvite(self, body: bytes) -> None:
        self.sequence += 1
        self.send(self._in_dialog("INVITE", self.sequence, body))

    def refer(self, to: str) -> None:
        """`to`: value of Refer-To."""
        self.sequence += 1
        tag = self.answer.to_address.parameters.get("tag") or ""
        routes = tuple(f"Route: {value}" for value in self.answer.headers.getlist("Record-Route"))
        headers = (*routes, f"Refer-To: {to}")
        uri = str(self.answer.contact[0].uri)
        self.send(self.wording.request("REFER", self.sequence, new_branch(), uri=uri, to_tag=tag, headers=headers))

    async def transfer_status(self) -> str:
        """What the next NOTIFY says of the transfer."""
        async with asyncio.timeout(10):
            notify = await self.requests.get()
        assert (notify.method, notify.headers["Event"]) == ("NOTIFY", "refer")
        return notify.body.decode().strip() + " " + notify.headers["Subscription-State"].partition(";")[0]

    def cancel(self) -> None:
        self.send(self.wording.request("CANCEL", self.sequence, self.branch))

    @property
    def media(self) -> sdp.AudioOffer:
        """The carrier's side of the audio."""
        return sdp.parse(self.answer.body)
