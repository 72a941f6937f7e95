"""One OPTIONS request (RFC 3261 §11): is anybody there, and how far away? Pure: the time is told."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sipmessage import Response

from trunkline.errors import ProtocolError
from trunkline.sip import message as sip_message
from trunkline.sip.message import Answer, PeerAddress, Transport
from trunkline.sip.transaction import Datagram, SipTimers, Transactions


@dataclass(frozen=True, slots=True)
class Ponged:
    """A final answer, whatever it says."""

    response: Response
    seconds: float
    """From the first sending of the request."""


class SipPing:
    """Asks `peer` for its options in the name of `host`. `token` gives a new random string at every call."""

    def __init__(
        self,
        host: str,
        address: PeerAddress,
        peer: PeerAddress,
        token: Callable[[], str],
        *,
        transport: Transport = "udp",
    ) -> None:
        self.events: deque[Ponged] = deque()
        self._host = host
        self._address = address
        self._peer = peer
        self._transport = transport
        self._branch, self._tag, self._call_id = f"z9hG4bK{token()}", token(), token()
        self._outbox: deque[Datagram] = deque()
        self._transactions = Transactions(SipTimers(), self._outbox)
        self._asked_at = 0.0

    def ask(self, now: float) -> None:
        request = sip_message.request(
            "OPTIONS",
            f"sip:{self._host}",
            via=sip_message.own_via(self._transport, self._address, self._branch),
            headers=[
                ("From", f"<sip:trunkline@{self._host}>;tag={self._tag}"),
                ("To", f"<sip:{self._host}>"),
                ("Call-ID", self._call_id),
                ("CSeq", "1 OPTIONS"),
                ("Contact", sip_message.own_uri(self._transport, self._address, user="trunkline")),
                ("User-Agent", "Trunkline"),
                ("Accept", "application/sdp"),
            ],
        )
        self._asked_at = now
        datagram = Datagram(request, self._peer, self._call_id, self._transport)
        self._transactions.request(self._branch, "OPTIONS", datagram, now)

    def receive(self, datagram: bytes, source: PeerAddress, now: float, transport: Transport = "udp") -> None:
        """One message; never raises."""
        try:
            message = sip_message.parse(datagram, source)
        except ProtocolError:
            return
        if isinstance(message, Answer) and self._transactions.answered(message):
            self.events.append(Ponged(message.message, now - self._asked_at))

    @property
    def deadline(self) -> float | None:
        return self._transactions.deadline

    def expire(self, now: float) -> None:
        self._transactions.expire(now)

    def quiet(self) -> bool:
        return not self._transactions.own_pending

    def drain(self, _now: float) -> Iterator[Datagram]:
        while self._outbox:
            yield self._outbox.popleft()
