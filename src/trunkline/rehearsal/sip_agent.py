"""The carrier's SIP side: messages in, messages and call events out. Pure: the time is told, no socket is opened.

OFFERED ─180/183→ EARLY ─200→ ANSWERED ─ACK→ CONFIRMED
    └────────┴─ CANCEL, refusal ─┴─ BYE, no ACK ─┴─ BYE → ENDED
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping

from trunkline.errors import ProtocolError
from trunkline.rehearsal.referral import refusal, target_of
from trunkline.rehearsal.sip_call import (
    AgentEvent,
    CallConfirmed,
    CallEnded,
    CallOffered,
    CallReferred,
    CallRefused,
    MediaMoved,
    Phase,
    SipCall,
)
from trunkline.rehearsal.termination import ANSWERS, Accept, Challenge, Ignore, Refuse, Termination
from trunkline.sip import message as sip_message
from trunkline.sip import sdp
from trunkline.sip.message import METHODS, Answer, Header, Incoming, PeerAddress, TraceLine, Transport, respond
from trunkline.sip.transaction import Datagram, State, Transaction, Transactions

SERVER: Header = ("Server", "Trunkline stand-in carrier")
HANG_UP_REASON: Header = ("Reason", "Q.850;cause=16")
"""Normal call clearing, as Twilio writes it into its BYE."""
TRACE_LINES = 4000


class SipAgent:
    """Answers as the carrier would.

    A `CallOffered` waits for the phone's verbs: `ring`, `progress`, `answer`, `refuse`, `hang_up`; a
    `CallReferred` for `notify`.
    """

    def __init__(
        self, termination: Termination, addresses: Mapping[Transport, PeerAddress], token: Callable[[], str]
    ) -> None:
        """`addresses`: where we are reached. `token`: a new random string for tags and branches at every call."""
        self.events: deque[AgentEvent] = deque()
        self.trace: deque[TraceLine] = deque(maxlen=TRACE_LINES)
        self.malformed = 0
        """Messages that were no readable SIP."""
        self.lost_acks = 0
        """ACKs that did not follow the Record-Route."""
        self._termination = termination
        self._addresses = addresses
        self._token = token
        self._outbox: deque[Datagram] = deque()
        self._transactions = Transactions(termination.config.timers, self._outbox)
        self._calls: dict[tuple[str, str], SipCall] = {}
        """(Call-ID, our tag) → dialog."""

    # ── from the network ───────────────────────────────────────────────────────────────────────────────────────

    def receive(self, datagram: bytes, source: PeerAddress, now: float, transport: Transport = "udp") -> None:
        """One message; never raises. What follows from it is in `drain` and `events`."""
        try:
            message = sip_message.parse(datagram, source, transport)
        except ProtocolError:
            self.malformed += 1
            return
        if message is None:
            return
        self.trace.append(TraceLine(now, "in", sip_message.first_line(datagram.lstrip()), message.call_id))
        if isinstance(message, Answer):
            self._transactions.answered(message)
        elif message.method == "ACK":
            self._ack(message, now)
        elif (transaction := self._transactions.receive(message)) is None:
            return
        elif message.method == "CANCEL":
            self._cancel(message, transaction, now)
        elif message.to_tag:
            self._within_call(message, transaction, now)
        elif message.method == "INVITE":
            self._invite(message, transaction, now)
        elif message.method == "OPTIONS":
            # Answered without authentication, even on a wrong host: a reachable trunk proves nothing else.
            self._respond(message, transaction, 200, "OK", now, headers=[("Allow", METHODS)])
        elif message.method == "BYE":
            self._respond(message, transaction, 481, "Call/Transaction Does Not Exist", now)
        else:
            self._respond(message, transaction, 405, "Method Not Allowed", now, headers=[("Allow", METHODS)])

    def _invite(self, invite: Incoming, transaction: Transaction, now: float) -> None:
        verdict = self._termination.judge(invite, now=now, live_calls=len(self._calls))
        if isinstance(verdict, Ignore):
            self._transactions.forget(invite)
            return
        self._transactions.respond(transaction, respond(invite, 100, "trying"), 100, now)
        number = invite.request.uri.user or ""
        match verdict:
            case Challenge(header):
                self._respond(
                    invite,
                    transaction,
                    407,
                    "Proxy Authentication required",
                    now,
                    headers=[("Proxy-Authenticate", header)],
                )
                self.events.append(CallRefused(invite.call_id, number, invite.source, None))
            case Refuse(cause, trunk):
                answer, caller = ANSWERS[cause], invite.caller.uri.user or ""
                self._respond(invite, transaction, answer.code, answer.phrase, now, headers=answer.headers)
                self.events.append(CallRefused(invite.call_id, number, invite.source, cause, caller, trunk))
            case Accept():
                token = self._token()
                private = f"172.{16 + int(token[:1], 16)}.{int(token[1:3], 16)}.{int(token[3:5], 16)}"
                contact = f"sip:{number}@{private}:5060;transport={invite.transport}"
                call = SipCall(verdict, invite, transaction, token, contact)
                self._calls[(invite.call_id, token)] = call
                self.events.append(CallOffered(call))

    def _ack(self, ack: Incoming, now: float) -> None:
        invite = self._transactions.invite_of(ack)
        if invite is not None and invite.state is State.COMPLETED:
            self._transactions.acknowledged(invite, now)
            return
        call = self._calls.get((ack.call_id, ack.to_tag))
        if call is None:
            return
        top = ack.route[0] if ack.route else None
        ours = self._addresses[call.invite.transport]
        if top is None or (top.host, top.port or 5060) != ours or ack.raw_uri != call.contact:
            self.lost_acks += 1
            return
        if (reinvite := call.reinvites.pop(ack.sequence, None)) is not None:
            self._transactions.acknowledged(reinvite, now)
        elif ack.sequence == call.invite.sequence and call.phase is Phase.ANSWERED:
            self._transactions.acknowledged(call.transaction, now)
            call.phase = Phase.CONFIRMED
            self.events.append(CallConfirmed(call))
            if call.hang_up_wanted:
                self._bye(call, now)

    def _cancel(self, cancel: Incoming, transaction: Transaction, now: float) -> None:
        invite = self._transactions.invite_of(cancel)
        if invite is None:
            self._respond(cancel, transaction, 481, "Call/Transaction Does Not Exist", now)
            return
        self._respond(cancel, transaction, 200, "OK", now)
        call = next((call for call in self._calls.values() if call.transaction is invite), None)
        if call is not None and invite.state is State.PROCEEDING:
            self._answer_invite(call, 487, "Request Terminated", now)
            self._end(call, "cancelled")

    def _within_call(self, request: Incoming, transaction: Transaction, now: float) -> None:
        call = self._calls.get((request.call_id, request.to_tag))
        if call is None or request.from_tag != call.invite.from_tag:
            self._respond(request, transaction, 481, "Call/Transaction Does Not Exist", now)
        elif request.method == "BYE":
            self._respond(request, transaction, 200, "OK", now)
            self._transactions.acknowledged(call.transaction, now)
            self._end(call, "caller hung up")
        elif request.method == "INVITE":
            self._reinvite(call, request, transaction, now)
        elif request.method == "OPTIONS":
            self._respond(request, transaction, 200, "OK", now, headers=[("Allow", METHODS)])
        elif request.method == "REFER":
            self._refer(call, request, transaction, now)
        else:
            self._respond(request, transaction, 405, "Method Not Allowed", now, headers=[("Allow", METHODS)])

    def _refer(self, call: SipCall, refer: Incoming, transaction: Transaction, now: float) -> None:
        """RFC 3515 §2.4. One at a time: what comes while one is followed is refused."""
        try:
            target = target_of(refer)
        except ProtocolError:
            self._respond(refer, transaction, 400, "Bad Request", now)
            return
        refused = refusal(call.accept.trunk.transfer, target)
        if refused is None and (call.phase is not Phase.CONFIRMED or call.referred):
            refused = 491, "Request Pending"
        if refused is not None:
            self._respond(refer, transaction, *refused, now, headers=[("Allow", METHODS)])
            return
        call.referred = True
        self._respond(refer, transaction, 202, "Accepted", now)
        self.notify(call, 100, "Trying", now)
        self.events.append(CallReferred(call, target))

    def _reinvite(self, call: SipCall, request: Incoming, transaction: Transaction, now: float) -> None:
        try:
            offer = sdp.parse(request.request.body) if request.request.body else call.accept.offer
        except ProtocolError:
            offer = None
        if call.phase is not Phase.CONFIRMED or offer is None or call.accept.codec not in offer.codecs:
            self._respond(request, transaction, 488, "Not Acceptable Here", now)
            return
        headers = [("Contact", f"<{call.contact}>")]
        response = respond(request, 200, "OK", headers=headers, sdp=call.answer_sdp)
        self._transactions.respond(transaction, response, 200, now)
        call.reinvites[request.sequence] = transaction
        self.events.append(MediaMoved(call, offer))

    # ── the phone's verbs; on a call that is past them they do nothing ──────────────────────────────────────────

    def ring(self, call: SipCall, now: float) -> None:
        """180 Ringing."""
        if call.phase in {Phase.OFFERED, Phase.EARLY}:
            call.phase = Phase.EARLY
            self._answer_invite(call, 180, "Ringing", now)

    def progress(self, call: SipCall, description: bytes, now: float) -> None:
        """183 with a session description: early media follows."""
        if call.phase in {Phase.OFFERED, Phase.EARLY}:
            call.phase = Phase.EARLY
            self._answer_invite(call, 183, "Session Progress", now, description)

    def answer(self, call: SipCall, description: bytes, now: float) -> None:
        """200, repeated until its ACK comes."""
        if call.phase in {Phase.OFFERED, Phase.EARLY}:
            call.phase, call.answer_sdp = Phase.ANSWERED, description
            self._answer_invite(call, 200, "OK", now, description)

    def refuse(self, call: SipCall, code: int, phrase: str, now: float) -> None:
        """A final answer other than 2xx."""
        if call.phase in {Phase.OFFERED, Phase.EARLY}:
            self._answer_invite(call, code, phrase, now)
            self._end(call, None)

    def notify(self, call: SipCall, code: int, phrase: str, now: float) -> None:
        """How a transfer goes (RFC 3515 §2.4.4); a final `code` ends the subscription."""
        if call.phase is not Phase.CONFIRMED:
            return
        call.referred = code < 200
        state = "active;expires=60" if call.referred else "terminated;reason=noresource"
        headers: tuple[Header, ...] = (
            ("Contact", f"<{call.contact}>"),
            ("Event", "refer"),
            ("Subscription-State", state),
            ("Content-Type", "message/sipfrag;version=2.0"),
            SERVER,
        )
        self._request(call, "NOTIFY", now, headers, f"SIP/2.0 {code} {phrase}\r\n".encode())

    def hang_up(self, call: SipCall, now: float) -> None:
        """BYE, as soon as it may be sent; before the answer 480."""
        if call.phase is Phase.CONFIRMED:
            self._bye(call, now)
        elif call.phase is Phase.ANSWERED:
            call.hang_up_wanted = True
        else:
            self.refuse(call, 480, "Temporarily Unavailable", now)

    # ── time ───────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def deadline(self) -> float | None:
        """When `expire` has to be called next."""
        return self._transactions.deadline

    def quiet(self) -> bool:
        """Nothing is owed: no dialog is open, and none of our requests waits for its answer."""
        return not self._calls and not self._transactions.own_pending

    def expire(self, now: float) -> None:
        """Repeat and give up what is due."""
        for abandoned in self._transactions.expire(now):
            for call in [call for call in self._calls.values() if call.transaction is abandoned]:
                self._bye(call, now)
                self.events.append(CallEnded(call, "no ACK"))

    def drain(self, now: float) -> Iterator[Datagram]:
        """Everything that has to be sent now."""
        while self._outbox:
            datagram = self._outbox.popleft()
            self.trace.append(TraceLine(now, "out", sip_message.first_line(datagram.data), datagram.call_id))
            yield datagram

    # ── building ───────────────────────────────────────────────────────────────────────────────────────────────

    def _respond(
        self,
        incoming: Incoming,
        transaction: Transaction,
        code: int,
        phrase: str,
        now: float,
        *,
        headers: list[Header] | None = None,
    ) -> None:
        response = respond(incoming, code, phrase, to_tag=self._token(), headers=[*(headers or []), SERVER])
        self._transactions.respond(transaction, response, code, now)

    def _answer_invite(self, call: SipCall, code: int, phrase: str, now: float, description: bytes = b"") -> None:
        transport = call.invite.transport
        route = sip_message.own_uri(transport, self._addresses[transport], more=";lr")
        headers: list[Header] = [("Record-Route", route)]
        headers += [("Record-Route", value) for value in call.invite.request.headers.getlist("Record-Route")]
        headers += [("Contact", f"<{call.contact}>"), ("Allow", METHODS), SERVER]
        response = respond(call.invite, code, phrase, to_tag=call.to_tag, headers=headers, sdp=description)
        self._transactions.respond(call.transaction, response, code, now)

    def _bye(self, call: SipCall, now: float) -> None:
        self._request(call, "BYE", now, (HANG_UP_REASON, SERVER))
        self._end(call, None)

    def _request(self, call: SipCall, method: str, now: float, headers: tuple[Header, ...], body: bytes = b"") -> None:
        """Back over the wire the call came on."""
        transport, branch = call.invite.transport, f"z9hG4bK{self._token()}"
        via = sip_message.own_via(transport, self._addresses[transport], branch)
        request = call.request(method, via, headers, body)
        self._transactions.request(branch, method, Datagram(request, call.invite.source, call.call_id, transport), now)

    def _end(self, call: SipCall, how: str | None) -> None:
        """`how` is `None` when we ended it ourselves: whoever asked for it knows."""
        call.phase = Phase.ENDED
        self._calls.pop((call.call_id, call.to_tag), None)
        if how is not None:
            self.events.append(CallEnded(call, how))
