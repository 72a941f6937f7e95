"""SIP transactions (RFC 3261 §17, RFC 6026): who still owes whom an answer. Pure: the time is told.

    INVITE server      PROCEEDING ─2xx→ ACCEPTED ─ACK→ CONFIRMED → gone
                            └─3xx–6xx→ COMPLETED ─ACK→ CONFIRMED → gone
    other server       PROCEEDING ─final→ CONFIRMED → gone
    our BYE            PROCEEDING ─final→ gone

ACCEPTED and COMPLETED repeat their response after T1, 2·T1 … at most T2, and give up after 64·T1. Over TCP and TLS only
ACCEPTED does: its ACK travels a way of its own (RFC 3261 §13.3.1.4).
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from trunkline.sip.message import Answer, Incoming, PeerAddress, Transport, reply_address


@dataclass(frozen=True, slots=True)
class SipTimers:
    """RFC 3261 §17.1.1.1, in seconds."""

    t1: float = 0.5
    """Estimate of a round trip."""
    t2: float = 4.0
    """Longest interval between repetitions."""
    t4: float = 5.0
    """How long a message stays in the network."""

    @property
    def patience(self) -> float:
        """64·T1: after this the other side is taken for gone (32 s)."""
        return 64 * self.t1


@dataclass(frozen=True, slots=True)
class Datagram:
    """Bytes to be sent."""

    data: bytes
    to: PeerAddress
    call_id: str
    transport: Transport = "udp"


class State(enum.Enum):
    PROCEEDING = enum.auto()
    ACCEPTED = enum.auto()
    COMPLETED = enum.auto()
    CONFIRMED = enum.auto()


REPEATING = frozenset({State.ACCEPTED, State.COMPLETED})


@dataclass(slots=True, eq=False)
class Transaction:
    """One request and what was answered so far."""

    method: str
    call_id: str
    peer: PeerAddress
    transport: Transport
    state: State = State.PROCEEDING
    message: bytes = b""
    """Newest response (server) or the request (our own)."""
    interval: float = 0.0
    repeat_at: float | None = None
    over_at: float | None = None


@dataclass(slots=True)
class Transactions:
    """All transactions of one side."""

    timers: SipTimers
    outbox: deque[Datagram]
    _server: dict[tuple[str, str], Transaction] = field(default_factory=dict)
    """(branch, method) → transaction; ACK and CANCEL look for INVITE."""
    _own: dict[str, Transaction] = field(default_factory=dict)

    @property
    def own_pending(self) -> bool:
        """One of our own requests waits for its answer."""
        return bool(self._own)

    # ── server side ────────────────────────────────────────────────────────────────────────────────────────────

    def receive(self, incoming: Incoming) -> Transaction | None:
        """A new transaction, or `None` for a repetition, which gets the newest response again."""
        key = (incoming.branch, incoming.method)
        known = self._server.get(key)
        if known is None:
            peer = reply_address(incoming)
            self._server[key] = new = Transaction(incoming.method, incoming.call_id, peer, incoming.transport)
            return new
        swallowed = (State.ACCEPTED, State.CONFIRMED)  # an accepted INVITE's 2xx has its own clock (RFC 6026 §7.1)
        if known.message and not (known.method == "INVITE" and known.state in swallowed):
            self._send(known)
        return None

    def invite_of(self, incoming: Incoming) -> Transaction | None:
        """The INVITE an ACK or CANCEL of the same branch belongs to (RFC 3261 §9.2, §17.2.3)."""
        return self._server.get((incoming.branch, "INVITE"))

    def forget(self, incoming: Incoming) -> None:
        """Behave as if that request had never come."""
        self._server.pop((incoming.branch, incoming.method), None)

    def respond(self, transaction: Transaction, response: bytes, code: int, now: float) -> None:
        """Send a response. A provisional one after a final one is a mistake and is not sent."""
        if transaction.state is not State.PROCEEDING:
            return
        transaction.message = response
        self._send(transaction)
        if code < 200:
            return
        transaction.over_at = now + self.timers.patience
        if transaction.method == "INVITE":
            transaction.state = State.ACCEPTED if code < 300 else State.COMPLETED
            transaction.interval = self.timers.t1
            if transaction.transport == "udp" or transaction.state is State.ACCEPTED:
                transaction.repeat_at = now + self.timers.t1
        else:
            transaction.state = State.CONFIRMED

    def acknowledged(self, transaction: Transaction, now: float) -> None:
        """The ACK came: stop repeating; later ACKs and INVITEs are swallowed for T4."""
        if transaction.state in REPEATING:
            transaction.state = State.CONFIRMED
            transaction.repeat_at = None
            transaction.over_at = now + self.timers.t4

    # ── our own requests ───────────────────────────────────────────────────────────────────────────────────────

    def request(self, branch: str, method: str, datagram: Datagram, now: float) -> None:
        """Send a request other than INVITE; over UDP repeat it until it is answered (RFC 3261 §17.1.2)."""
        own = Transaction(method, datagram.call_id, datagram.to, datagram.transport, message=datagram.data)
        own.interval, own.over_at = self.timers.t1, now + self.timers.patience
        if own.transport == "udp":
            own.repeat_at = now + own.interval
        self._own[branch] = own
        self._send(own)

    def answered(self, answer: Answer) -> bool:
        """Whether `answer` ends one of our requests. Strays and provisionals change nothing."""
        own = self._own.get(answer.branch)
        if own is None or own.method != answer.cseq_method or answer.code < 200:
            return False
        del self._own[answer.branch]
        return True

    # ── time ───────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def deadline(self) -> float | None:
        """When `expire` should next be called."""
        times = [t for tx in self._all() for t in (tx.repeat_at, tx.over_at) if t is not None]
        return min(times, default=None)

    def expire(self, now: float) -> list[Transaction]:
        """Repeat what is due and forget what is over. Returns the ACCEPTED ones whose ACK never came."""
        abandoned = []
        for tx in self._all():
            if tx.over_at is not None and now >= tx.over_at:
                if tx.state is State.ACCEPTED:
                    abandoned.append(tx)
            elif tx.repeat_at is not None and now >= tx.repeat_at:
                tx.interval = min(2 * tx.interval, self.timers.t2)
                tx.repeat_at = now + tx.interval
                self._send(tx)
        self._server = {key: tx for key, tx in self._server.items() if tx.over_at is None or now < tx.over_at}
        self._own = {key: tx for key, tx in self._own.items() if tx.over_at is None or now < tx.over_at}
        return abandoned

    def _all(self) -> Iterator[Transaction]:
        yield from self._server.values()
        yield from self._own.values()

    def _send(self, transaction: Transaction) -> None:
        self.outbox.append(Datagram(transaction.message, transaction.peer, transaction.call_id, transaction.transport))
