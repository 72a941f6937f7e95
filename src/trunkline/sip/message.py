"""SIP messages: bytes to requests and back (RFC 3261 §7, §8.2.6, §18; RFC 3581). Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from sipmessage import URI, Address, Message, Request, Response

from trunkline.errors import ProtocolError

PeerAddress = tuple[str, int]
"""IP address and port."""

Transport = Literal["udp", "tcp", "tls"]

Header = tuple[str, str]

_FOLD = re.compile(rb"\r\n[ \t]+")
_TOP_VIA = re.compile(r'((?:[^,"]|"[^"]*")+)')
_RPORT = re.compile(r"(?i);\s*rport\s*(?=;|$)")
METHODS = "INVITE, ACK, CANCEL, BYE, OPTIONS"


@dataclass(frozen=True, slots=True)
class Incoming:
    """A request in which everything needed for an answer is present and readable."""

    request: Request
    source: PeerAddress
    """Where it came from: for TCP and TLS the far end of the connection."""
    transport: Transport
    """What it came on."""
    raw_uri: str
    """Request-URI as it was written: what a digest covers."""
    branch: str
    """Transaction: `branch` of the top Via with its `sent-by` (RFC 3261 §17.2.3)."""
    sequence: int
    cseq_method: str
    from_tag: str
    to_tag: str
    caller: Address
    """From."""
    contact: URI | None
    route: tuple[URI, ...]

    @property
    def method(self) -> str:
        return self.request.method

    @property
    def call_id(self) -> str:
        return self.request.call_id


@dataclass(frozen=True, slots=True)
class Answer:
    """A response to one of our own requests, reduced to what a client transaction asks."""

    code: int
    branch: str
    cseq_method: str
    call_id: str
    message: Response
    """All of it, for who has to follow it: a challenge, a route, a session description."""


@dataclass(frozen=True, slots=True)
class TraceLine:
    """One message as a trace shows it."""

    at: float
    direction: str
    """`in` or `out`."""
    line: str
    call_id: str


def parse(datagram: bytes, source: PeerAddress, transport: Transport = "udp") -> Incoming | Answer | None:
    """What one message says; `None` for a keep-alive (RFC 5626 §3.5.1). Raises `ProtocolError` for everything else."""
    content = datagram.lstrip(b"\r\n\0")
    if not content:
        return None
    try:
        message = Message.parse(_FOLD.sub(b" ", content))
        via = message.via[0]
        if not 0 < (via.port or 5060) < 65536:
            raise ValueError(f"port {via.port} in Via")
        cseq = message.cseq
        branch = f"{via.parameters.get('branch') or ''}|{via.host}:{via.port or 5060}"
        if isinstance(message, Response):
            return Answer(message.code, via.parameters.get("branch") or "", cseq.method, message.call_id, message)
        length = message.content_length
        if length is not None:
            if not 0 <= length <= len(message.body):
                raise ValueError(f"Content-Length is {length}, but {len(message.body)} bytes followed")
            message.body = message.body[:length]
        contact = message.contact
        incoming = Incoming(
            request=message,
            source=source,
            transport=transport,
            raw_uri=content.split(b" ", 2)[1].decode(),
            branch=branch,
            sequence=cseq.sequence,
            cseq_method=cseq.method,
            from_tag=message.from_address.parameters.get("tag") or "",
            to_tag=message.to_address.parameters.get("tag") or "",
            caller=message.from_address,
            contact=contact[0].uri if contact else None,
            route=tuple(address.uri for address in message.route),
        )
        if not message.call_id or cseq.method != message.method:
            raise ValueError("Call-ID is empty, or CSeq names another method")
    except (ValueError, KeyError, IndexError, TypeError) as error:
        # TypeError: the library passes parameter names on as keyword arguments, and `self` is one it can't take.
        raise ProtocolError(f"A message from {source[0]} is not readable SIP: {error}.") from error
    return incoming


def respond(
    incoming: Incoming, code: int, phrase: str, *, to_tag: str = "", headers: Iterable[Header] = (), sdp: bytes = b""
) -> bytes:
    """A response to `incoming` (RFC 3261 §8.2.6.2). Via, From, To and Call-ID are given back as they were written."""
    asked = incoming.request.headers
    response = Response(code, phrase, sdp)
    vias = asked.getlist("Via")
    response.headers.setlist("Via", [_via_seen_from(incoming.source, vias[0]), *vias[1:]])
    response.headers.add("From", asked["From"])
    response.headers.add("To", asked["To"] + (f";tag={to_tag}" if to_tag and not incoming.to_tag else ""))
    response.headers.add("Call-ID", asked["Call-ID"])
    response.headers.add("CSeq", asked["CSeq"])
    for name, value in headers:
        response.headers.add(name, value)
    if sdp:
        response.headers.add("Content-Type", "application/sdp")
    response.headers.add("Content-Length", str(len(sdp)))
    return bytes(response)


def reply_address(incoming: Incoming) -> PeerAddress:
    """Where the answer goes: back over the connection; over UDP to the source port with `rport`, else to the Via's
    port (RFC 3581 §4, RFC 3261 §18.2.2).
    """
    via = incoming.request.via[0]
    host, port = incoming.source
    if incoming.transport != "udp" or "rport" in via.parameters:
        return host, port
    return host, via.port or 5060


def own_via(transport: Transport, own: PeerAddress, branch: str) -> str:
    """Via of a request of our own (RFC 3261 §18.1.1)."""
    return f"SIP/2.0/{transport.upper()} {own[0]}:{own[1]};branch={branch};rport"


def own_uri(transport: Transport, own: PeerAddress, *, user: str = "", more: str = "") -> str:
    """A SIP URI that leads to us on that transport, in angle brackets: for Contact, Route and Record-Route."""
    name = f"{user}@" if user else ""
    parameter = "" if transport == "udp" else f";transport={transport}"
    return f"<sip:{name}{own[0]}:{own[1]}{parameter}{more}>"


def request(method: str, uri: str, *, via: str, headers: Iterable[Header], body: bytes = b"") -> bytes:
    """A request of our own, `headers` in the given order after Via and Max-Forwards."""
    lines = [f"{method} {uri} SIP/2.0", f"Via: {via}", "Max-Forwards: 70"]
    lines += [f"{name}: {value}" for name, value in headers]
    lines += [f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


def first_line(message: bytes) -> str:
    """Request or status line, for traces."""
    return message.partition(b"\r\n")[0].decode(errors="replace")[:200]


def _via_seen_from(source: PeerAddress, via: str) -> str:
    """The top Via with `received` and `rport` filled in, whatever else its header line holds left alone."""
    match = _TOP_VIA.match(via)
    top, rest = (match[1], via[match.end() :]) if match else (via, "")
    top = _RPORT.sub(f";rport={source[1]}", top.rstrip())
    return f"{top};received={source[0]}{rest}"
