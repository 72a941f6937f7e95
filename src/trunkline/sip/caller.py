"""The caller's side of one SIP call (RFC 3261 §12, §13, §22): messages in, messages and events out. Pure: the time is
told, no socket is opened.

    CALLING ─401/407→ CALLING (once more, with the digest)
       ├─180/183→ CALLING ─200→ ANSWERED ─BYE→ ENDED
       └─3xx–6xx, nobody answers, CANCEL → ENDED
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from sipmessage import Response

from trunkline.errors import ProtocolError
from trunkline.sip import message as sip_message
from trunkline.sip import sdp
from trunkline.sip.digest import authorization, parse_parameters
from trunkline.sip.message import METHODS, Answer, Header, Incoming, PeerAddress, TraceLine, Transport, respond
from trunkline.sip.transaction import Datagram, SipTimers, Transactions

CHALLENGES = {401: ("WWW-Authenticate", "Authorization"), 407: ("Proxy-Authenticate", "Proxy-Authorization")}
MOST_CHALLENGES = 3
"""A proxy and the server behind it may each ask once, and a nonce may be stale."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who calls whom."""

    target: str
    """SIP URI that is called."""
    caller: str
    """SIP URI we show."""
    username: str
    password: str | None = None
    headers: tuple[Header, ...] = ()
    """What its INVITE has beside the usual ones."""
    contact: str | None = None
    """Contact, where it isn't where we are reached."""


@dataclass(frozen=True, slots=True)
class Answered:
    """200 came and was acknowledged."""

    answer: sdp.AudioOffer


@dataclass(frozen=True, slots=True)
class Refused:
    """A final answer other than 2xx; 408 when nobody answered at all."""

    code: int
    phrase: str
    message: Response | None = field(default=None, compare=False)
    """All of it, where something came."""


@dataclass(frozen=True, slots=True)
class Ringing:
    """The first sign that the call goes on behind the other side (180, 183 …)."""


@dataclass(frozen=True, slots=True)
class HungUp:
    """BYE came."""


@dataclass(frozen=True, slots=True)
class Moved:
    """A re-INVITE named another address for audio."""

    offer: sdp.AudioOffer


CallerEvent = Ringing | Answered | Refused | HungUp | Moved


class _Phase(enum.Enum):
    CALLING = enum.auto()
    ANSWERED = enum.auto()
    ENDED = enum.auto()


class SipCaller:
    """One outgoing call from `address` to `peer`, offering `offer`. `token` gives a new random string at every call."""

    def __init__(
        self,
        identity: Identity,
        address: PeerAddress,
        peer: PeerAddress,
        offer: bytes,
        token: Callable[[], str],
        *,
        transport: Transport = "udp",
    ) -> None:
        self.events: deque[CallerEvent] = deque()
        self.trace: deque[TraceLine] = deque()
        self.call_id = token()
        self.identity = identity
        self._address = address
        self._peer = peer
        self._offer = offer
        self._secure = sdp.parse(offer).secure
        self._token = token
        self._transport = transport
        self._tag = token()
        self._timers = SipTimers()
        self._outbox: deque[Datagram] = deque()
        self._transactions = Transactions(self._timers, self._outbox)
        self._phase = _Phase.CALLING
        self._sequence = 0
        self._challenges = 0
        self._branch = ""
        self._invite = b""
        self._repeat_at: float | None = None
        self._interval = 0.0
        self._provisional = False
        self._rang = False
        self._cancel_wanted = False
        self._answer: Response | None = None

    # ── verbs ──────────────────────────────────────────────────────────────────────────────────────────────────

    def call(self, now: float, proof: tuple[Header, ...] = ()) -> None:
        """INVITE; over UDP repeated until anything is answered."""
        self._sequence += 1
        self._branch = self._new_branch()
        headers = (*self.identity.headers, *proof)
        self._invite = self._request("INVITE", self.identity.target, self._branch, headers=headers, body=self._offer)
        self._send(self._invite)
        self._interval = self._timers.t1
        self._give_up_at = now + self._timers.patience
        self._repeat_at = now + self._interval if self._transport == "udp" else self._give_up_at

    def hang_up(self, now: float) -> None:
        """BYE, or CANCEL before the answer. Harmless when the call is over."""
        if self._phase is _Phase.ANSWERED:
            self._sequence += 1
            branch = self._new_branch()
            bye = self._in_dialog("BYE", branch, self._sequence)
            self._transactions.request(branch, "BYE", self._datagram(bye), now)
            self._phase = _Phase.ENDED
        elif self._phase is _Phase.CALLING:
            self._cancel_wanted = True
            if self._provisional:  # before that it mustn't be sent (RFC 3261 §9.1)
                cancel = self._request("CANCEL", self.identity.target, self._branch)
                self._transactions.request(self._branch, "CANCEL", self._datagram(cancel), now)

    # ── from the network ───────────────────────────────────────────────────────────────────────────────────────

    def receive(self, datagram: bytes, source: PeerAddress, now: float, transport: Transport = "udp") -> None:
        """One message; never raises."""
        try:
            message = sip_message.parse(datagram, source, transport)
        except ProtocolError:
            return
        if message is None or message.call_id != self.call_id:
            return
        self.trace.append(TraceLine(now, "in", sip_message.first_line(datagram.lstrip()), self.call_id))
        if isinstance(message, Incoming):
            self._asked(message, now)
        elif message.cseq_method == "INVITE":
            if message.branch == self._branch:
                self._invite_answered(message, now)
        else:
            self._transactions.answered(message)

    def _invite_answered(self, answer: Answer, now: float) -> None:
        self._repeat_at = None
        if answer.code < 200:
            if answer.code > 100 and not self._rang:
                self._rang = True
                self.events.append(Ringing())
            first, self._provisional = not self._provisional, True
            if first and self._cancel_wanted:
                self.hang_up(now)
            return
        if answer.code < 300:
            self._accepted(answer.message, now)
            return
        self._send(self._request("ACK", self.identity.target, self._branch, to_tag=_tag(answer.message)))
        if self._phase is not _Phase.CALLING:
            return
        proof = self._proof(answer)
        if proof is not None and not self._cancel_wanted:
            self._challenges += 1
            self._provisional = False
            self.call(now, (proof,))
            return
        self._phase = _Phase.ENDED
        self.events.append(Refused(answer.code, answer.message.phrase, answer.message))

    def _accepted(self, response: Response, now: float) -> None:
        if self._answer is None:
            self._answer = response
        self._send(self._in_dialog("ACK", self._new_branch(), self._sequence))  # a repeated 200 gets another ACK
        if self._phase is not _Phase.CALLING:
            return
        self._phase = _Phase.ANSWERED
        try:
            answer = sdp.parse(response.body)
        except ProtocolError:
            answer = None
        if self._cancel_wanted or answer is None or not answer.codecs or bool(answer.crypto) != self._secure:
            self.hang_up(now)
            self.events.append(Refused(488, "The answer has no audio that we offered"))
            return
        self.events.append(Answered(answer))

    def _proof(self, answer: Answer) -> Header | None:
        names = CHALLENGES.get(answer.code)
        if names is None or self.identity.password is None or self._challenges >= MOST_CHALLENGES:
            return None
        asked = parse_parameters(answer.message.headers.get(names[0]) or "")
        if not {"realm", "nonce"} <= asked.keys() or (self._challenges and asked.get("stale", "").lower() != "true"):
            return None
        uri, password = self.identity.target, self.identity.password
        value = authorization(asked, username=self.identity.username, password=password, method="INVITE", uri=uri)
        return names[1], value

    def _asked(self, request: Incoming, now: float) -> None:
        if request.method == "ACK" or (transaction := self._transactions.receive(request)) is None:
            return
        code, phrase, body, headers = 405, "Method Not Allowed", b"", [("Allow", METHODS)]
        if request.method == "BYE":
            code, phrase, headers = 200, "OK", []
            if self._phase is _Phase.ANSWERED:
                self._phase = _Phase.ENDED
                self.events.append(HungUp())
        elif request.method == "OPTIONS":
            code, phrase = 200, "OK"
        elif request.method == "INVITE" and self._phase is _Phase.ANSWERED:
            code, phrase, body, headers = 200, "OK", self._offer, [("Contact", self._contact)]
            self._moved(request)
        response = respond(request, code, phrase, headers=headers, sdp=body)
        self._transactions.respond(transaction, response, code, now)
        if request.method == "INVITE":
            self._transactions.acknowledged(transaction, now)  # a lost 200 is asked for again by the repeated INVITE

    def _moved(self, request: Incoming) -> None:
        try:
            self.events.append(Moved(sdp.parse(request.request.body)))
        except ProtocolError:
            return  # without a description everything stays where it is

    # ── time ───────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def deadline(self) -> float | None:
        """When `expire` has to be called next."""
        times = [self._transactions.deadline, self._repeat_at]
        return min((time for time in times if time is not None), default=None)

    def expire(self, now: float) -> None:
        """Repeat and give up what is due."""
        self._transactions.expire(now)
        if self._repeat_at is None or now < self._repeat_at:
            return
        if now >= self._give_up_at:
            self._repeat_at, self._phase = None, _Phase.ENDED
            self.events.append(Refused(408, "No answer from there"))
            return
        self._interval *= 2
        self._repeat_at = now + self._interval
        self._send(self._invite)

    @property
    def heard(self) -> bool:
        """Anything came from the other side."""
        return any(line.direction == "in" for line in self.trace)

    def quiet(self) -> bool:
        """Nothing is owed."""
        return self._phase is _Phase.ENDED and not self._transactions.own_pending

    def drain(self, now: float) -> Iterator[Datagram]:
        """Everything that has to be sent now."""
        while self._outbox:
            datagram = self._outbox.popleft()
            self.trace.append(TraceLine(now, "out", sip_message.first_line(datagram.data), self.call_id))
            yield datagram

    # ── building ───────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def _contact(self) -> str:
        return self.identity.contact or sip_message.own_uri(self._transport, self._address, user=self.identity.username)

    def _new_branch(self) -> str:
        return f"z9hG4bK{self._token()}"

    def _send(self, data: bytes) -> None:
        self._outbox.append(self._datagram(data))

    def _datagram(self, data: bytes) -> Datagram:
        return Datagram(data, self._peer, self.call_id, self._transport)

    def _in_dialog(self, method: str, branch: str, sequence: int) -> bytes:
        """Along the Record-Route, to the Contact (RFC 3261 §12.2.1.1)."""
        assert self._answer is not None
        recorded = self._answer.headers.getlist("Record-Route")
        # Proxies that the INVITE came through by its own words lie behind us.
        ahead = [value for value in reversed(recorded) if ("Record-Route", value) not in self.identity.headers]
        routes = tuple(("Route", value) for value in ahead)
        contact = self._answer.contact
        uri = str(contact[0].uri) if contact else self.identity.target
        return self._request(method, uri, branch, to_tag=_tag(self._answer), headers=routes, sequence=sequence)

    def _request(
        self,
        method: str,
        uri: str,
        branch: str,
        *,
        to_tag: str = "",
        headers: tuple[Header, ...] = (),
        body: bytes = b"",
        sequence: int | None = None,
    ) -> bytes:
        lines: list[Header] = [
            ("From", f"<{self.identity.caller}>;tag={self._tag}"),
            ("To", f"<{self.identity.target}>" + (f";tag={to_tag}" if to_tag else "")),
            ("Call-ID", self.call_id),
            ("CSeq", f"{sequence or self._sequence} {method}"),
            ("Contact", self._contact),
            ("User-Agent", "Trunkline"),
            *headers,
        ]
        if body:
            lines += [("Allow", METHODS), ("Content-Type", "application/sdp")]
        via = sip_message.own_via(self._transport, self._address, branch)
        return sip_message.request(method, uri, via=via, headers=lines, body=body)


def _tag(response: Response) -> str:
    return response.to_address.parameters.get("tag") or ""
