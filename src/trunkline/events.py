"""What travels between the rooms: facts in the past tense. Frozen, typed, no dicts beyond the edge.

Two families: `LegEvent`s, which telephony reports of a leg while it is being set up and torn down, and `CallUpdate`s,
which the heart and the switchboard publish for everyone who watches a call (store, live view, metrics).
Audio and keys do not travel as events: they reach a `LegListener` by plain calls, fifty times a second.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from trunkline.models import Arrival, CallEnd, CallEvent, CallId, CallRecord, CallState, Speaker, Turn

# ── what telephony reports of the far leg ──────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class FarEndRinging:
    """180 Ringing came."""

    call_id: CallId


@dataclass(frozen=True, slots=True)
class FarEndProgress:
    """183 Session Progress came: early media may be heard."""

    call_id: CallId


@dataclass(frozen=True, slots=True)
class FarEndAnswered:
    """200 OK came."""

    call_id: CallId


@dataclass(frozen=True, slots=True)
class FarEndGone:
    """The channel is destroyed. `sip_code` is the final status of our INVITE, absent after a normal BYE."""

    call_id: CallId
    q850_cause: int | None = None
    sip_code: int | None = None
    sip_reason: str | None = None
    """Reason phrase as the carrier sent it."""
    transfer: str | None = None
    """How the transfer went, where there was one: Asterisk's DIALSTATUS (`ANSWER`, `BUSY`, `NOANSWER` …)."""
    unseen: bool = False
    """It ended while the connection to Asterisk was broken: nobody knows how."""


@dataclass(frozen=True, slots=True)
class CallArrived:
    """Somebody calls: their phone rings back to them until the call is answered or refused."""

    arrival: Arrival


@dataclass(frozen=True, slots=True)
class PbxLost:
    """Asterisk went away; every channel it had is gone with it."""

    why: str
    remedy: str = "It is started again by itself: place the call once more."


@dataclass(frozen=True, slots=True)
class PbxReady:
    """Asterisk answers (again)."""

    version: str


LegEvent = FarEndRinging | FarEndProgress | FarEndAnswered | FarEndGone
PbxEvent = LegEvent | CallArrived | PbxLost | PbxReady

# ── what everyone who watches a call sees ──────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class CallCreated:
    call: CallRecord


@dataclass(frozen=True, slots=True)
class CallStateChanged:
    """`end` and `recording` (file name) come with `CallState.ENDED` only."""

    call_id: CallId
    state: CallState
    at: datetime
    end: CallEnd | None = None
    recording: str | None = None


@dataclass(frozen=True, slots=True)
class GreetingStarted:
    """The greeting's first audible sample went out, so long after the answer."""

    call_id: CallId
    greeting_ms: float


@dataclass(frozen=True, slots=True)
class SpeechHeard:
    """The person began to speak, or stopped."""

    call_id: CallId
    speaking: bool


@dataclass(frozen=True, slots=True)
class SentenceStarted:
    """The first sample of an agent's sentence went out. `gap_ms` only on the first sentence of a reply."""

    call_id: CallId
    speaker: Speaker
    text: str
    gap_ms: float | None = None


@dataclass(frozen=True, slots=True)
class TurnFinished:
    call_id: CallId
    turn: Turn


@dataclass(frozen=True, slots=True)
class CallNoted:
    """A line for the call's history (a SIP answer, a key, a retry, a failure with its remedy)."""

    call_id: CallId
    event: CallEvent


CallUpdate = CallCreated | CallStateChanged | GreetingStarted | SpeechHeard | SentenceStarted | TurnFinished | CallNoted
