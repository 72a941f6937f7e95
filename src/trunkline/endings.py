"""How a call ended that was answered, or that we ended: whose doing it was, in a sentence. Pure."""

from __future__ import annotations

from typing import Final

from trunkline.conversation.conversation import Ending
from trunkline.events import FarEndGone, PbxLost
from trunkline.models import CallEnd, Disposition, HangUpBy

RTP_TIMEOUT_CAUSE: Final = 44
"""Q.850 cause Asterisk gives a channel that it ends because no RTP came any more."""
ENDED_BY: Final = {
    HangUpBy.PERSON: "The person who was to be put through hung up.",
    HangUpBy.OPERATOR: "Hung up on request.",
    HangUpBy.SYSTEM: "The service was stopped during the call.",
}
CANCELLED_BY: Final = {
    HangUpBy.PERSON: "The person who was to be put through hung up.",
    HangUpBy.OPERATOR: "Cancelled before it was answered.",
    HangUpBy.SYSTEM: "The service was stopped before the call was answered.",
}
PUT_THROUGH: Final = ("ANSWER", "REFERRED")
"""What Asterisk says of a transfer that somebody took: itself, or the carrier."""

UNREACHABLE: Final = PbxLost("it can't be reached", "Place the call once more when it is back.")


def told(end: CallEnd) -> str:
    """For the log."""
    code = f" ({end.sip_code} {end.sip_reason or ''})".replace(" )", ")") if end.sip_code else ""
    return f"{end.disposition}{code}. {end.reason}"


def broken(reason: str) -> CallEnd:
    return CallEnd(Disposition.FAILED, reason, HangUpBy.SYSTEM)


def lost(gone: PbxLost, when: str) -> CallEnd:
    return broken(f"Asterisk was lost {when} ({gone.why}). {gone.remedy}")


def taken_back(by: HangUpBy, *, answered: bool) -> CallEnd:
    """We gave it up before there was a conversation."""
    if answered:
        return CallEnd(Disposition.ANSWERED, ENDED_BY[by], by, sip_code=200)
    return CallEnd(Disposition.CANCELLED, CANCELLED_BY[by], by)


def answered_in_vain(gone: FarEndGone) -> CallEnd:
    """Somebody picked up, and it was over before there was a conversation."""
    if gone.q850_cause is None:
        return broken("The call was answered, but Asterisk could not connect its audio; its log says why.")
    why = "The person hung up before anything was said."
    return CallEnd(Disposition.ANSWERED, why, HangUpBy.PERSON, sip_code=200, q850_cause=gone.q850_cause)


def after(ending: Ending, gone: FarEndGone | PbxLost | None, asked: HangUpBy | None) -> CallEnd:
    """Behind a conversation. `gone`: Asterisk's word on the channel, if it came; `asked`: who of us wanted the end."""
    if isinstance(gone, PbxLost):
        return lost(gone, "during the call")
    cause = gone.q850_cause if gone else None
    by, why = ending.by, ending.reason
    if asked is not None:
        by, why = asked, ENDED_BY[asked]
    elif by is HangUpBy.PERSON and cause == RTP_TIMEOUT_CAUSE:
        by, why = HangUpBy.CARRIER, "The far end sent no sound any more; its hang-up was probably lost on the way."
    if ending.transferred_to is not None and gone is not None and gone.transfer not in (None, *PUT_THROUGH):
        why = f"{why.rstrip('.')}, but nobody answered there ({gone.transfer})."
    return CallEnd(Disposition.ANSWERED, why, by, sip_code=200, q850_cause=cause)
