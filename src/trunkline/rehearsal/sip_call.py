"""The dialog of one call at the carrier, and what its SIP side reports of it (RFC 3261 §12).

OFFERED ─180/183→ EARLY ─200→ ANSWERED ─ACK→ CONFIRMED
    └────────┴─ CANCEL, refusal ─┴─ BYE, no ACK ─┴─ BYE → ENDED
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from trunkline.rehearsal.referral import Target
from trunkline.rehearsal.termination import Accept, Cause
from trunkline.rehearsal.trunk_rules import TrunkRules
from trunkline.sip import message as sip_message
from trunkline.sip.message import Header, Incoming, PeerAddress
from trunkline.sip.sdp import AudioOffer
from trunkline.sip.transaction import Transaction


class Phase(enum.StrEnum):
    OFFERED = "offered"
    EARLY = "early"
    ANSWERED = "answered"
    CONFIRMED = "confirmed"
    ENDED = "ended"


@dataclass(slots=True, eq=False)
class SipCall:
    """The dialog of a call that was let through (RFC 3261 §12)."""

    accept: Accept
    invite: Incoming
    transaction: Transaction
    to_tag: str
    contact: str
    """Our Contact: a private address nobody can reach but by way of Record-Route."""
    phase: Phase = Phase.OFFERED
    answer_sdp: bytes = b""
    hang_up_wanted: bool = False
    """We want to end it but the ACK hasn't come: BYE has to wait for it (RFC 3261 §15)."""
    reinvites: dict[int, Transaction] = field(default_factory=dict)
    referred: bool = False
    """A REFER is being followed."""
    sequence: int = 0
    """CSeq of our newest request."""

    @property
    def call_id(self) -> str:
        return self.invite.call_id

    def request(self, method: str, via: str, headers: tuple[Header, ...] = (), body: bytes = b"") -> bytes:
        """A request of ours within the dialog, back along the caller's Record-Route (RFC 3261 §12.2.1.1)."""
        self.sequence += 1
        asked = self.invite.request.headers
        lines: list[Header] = [("Route", value) for value in asked.getlist("Record-Route")]
        lines += [
            ("From", f"{asked['To']};tag={self.to_tag}"),
            ("To", asked["From"]),
            ("Call-ID", self.call_id),
            ("CSeq", f"{self.sequence} {method}"),
            *headers,
        ]
        target = str(self.invite.contact or self.invite.caller.uri)
        return sip_message.request(method, target, via=via, headers=lines, body=body)


@dataclass(frozen=True, slots=True)
class CallOffered:
    call: SipCall


@dataclass(frozen=True, slots=True)
class CallRefused:
    """An INVITE was turned away (or challenged: then `cause` is `None`)."""

    call_id: str
    number: str
    source: PeerAddress
    cause: Cause | None
    caller_id: str = ""
    trunk: TrunkRules | None = None
    """Whose call that was, where it is known."""


@dataclass(frozen=True, slots=True)
class CallConfirmed:
    """The ACK came, along the Record-Route."""

    call: SipCall


@dataclass(frozen=True, slots=True)
class CallEnded:
    """`how`: cancelled · caller hung up · no ACK."""

    call: SipCall
    how: str


@dataclass(frozen=True, slots=True)
class MediaMoved:
    """A re-INVITE named another address for audio."""

    call: SipCall
    offer: AudioOffer


@dataclass(frozen=True, slots=True)
class CallReferred:
    """A REFER was accepted: the person is to be put through. `notify` tells how that went."""

    call: SipCall
    target: Target


AgentEvent = CallOffered | CallRefused | CallConfirmed | CallEnded | MediaMoved | CallReferred
