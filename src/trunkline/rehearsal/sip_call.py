"""The dialog of one call at the carrier, and what its SIP side reports of it (RFC 3261 §12).

OFFERED ─180/183→ EARLY ─200→ ANSWERED ─ACK→ CONFIRMED
    └────────┴─ CANCEL, refusal ─┴─ BYE, no ACK ─┴─ BYE → ENDED
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from trunkline.rehearsal.termination import Accept, Cause
from trunkline.rehearsal.trunk_rules import TrunkRules
from trunkline.sip.message import Incoming, PeerAddress
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

    @property
    def call_id(self) -> str:
        return self.invite.call_id


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


AgentEvent = CallOffered | CallRefused | CallConfirmed | CallEnded | MediaMoved
