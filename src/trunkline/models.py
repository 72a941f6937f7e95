"""The things Trunkline is about: calls, turns and what became of them. Plain frozen data."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from datetime import datetime
from typing import NewType

CallId = NewType("CallId", str)
"""Our id of a call: a UUID in text, also the AudioSocket UUID and the Asterisk channel id of the far leg."""


ANONYMOUS = "anonymous"
"""Stands for the number of a caller who shows none."""
REMOVED = "removed"
"""Stands for a number that was deleted."""
HASHED = "hash:"
"""What a number begins with that was replaced by its hash."""
NOT_RECORDED = "[not recorded]"
"""Stands for words and keys that may not be kept."""


class Direction(enum.StrEnum):
    OUTBOUND = "outbound"
    INBOUND = "inbound"


class CallState(enum.StrEnum):
    """Where a call is. `call_states.py` holds the table of transitions."""

    QUEUED = "queued"
    DIALLING = "dialling"
    RINGING = "ringing"
    EARLY_MEDIA = "early-media"
    ANSWERED = "answered"
    ENDED = "ended"


class Disposition(enum.StrEnum):
    """How a call ended."""

    ANSWERED = "answered"
    BUSY = "busy"
    NO_ANSWER = "no-answer"
    REJECTED = "rejected"
    """The carrier or the person refused: SIP 4xx and 6xx but busy and no answer."""
    CANCELLED = "cancelled"
    """We gave up before an answer, because somebody asked us to."""
    FAILED = "failed"
    """Something broke: no route, no Asterisk, our own fault."""


class HangUpBy(enum.StrEnum):
    PERSON = "person"
    AGENT = "agent"
    OPERATOR = "operator"
    CARRIER = "carrier"
    SYSTEM = "system"


class Part(enum.StrEnum):
    """Of what is kept of a call."""

    RECORDING = "recording"
    TRANSCRIPT = "transcript"
    """Turns and events, and what was brought to the call: variables, script, the address to call back."""
    NUMBER = "number"
    """The person's; what stands in its place tells nobody who they were."""
    CALL = "call"
    """The call itself, and all of the above."""


class Speaker(enum.StrEnum):
    PERSON = "person"
    AGENT = "agent"


@dataclass(frozen=True, slots=True)
class CallRequest:
    """A call somebody wants placed. `number` is E.164 (`+` and digits), already validated."""

    number: str
    agent: str
    caller_id: str | None = None
    script: str | None = None
    """Replaces the agent's greeting."""
    callback_url: str | None = None
    variables: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Arrival:
    """A call that is there already and waits to be answered."""

    id: CallId
    number: str
    """Who calls: digits, with plus or without as the carrier or phone shows them, or `ANONYMOUS`."""
    called: str
    """What was called: a number of ours, an extension."""
    agent: str | None = None
    """Who was asked for; `None`: the routes decide."""
    direction: Direction = Direction.INBOUND
    """Outbound where somebody else, as a dialplan, has placed it."""
    variables: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TurnTimings:
    """Where a turn gap went, in milliseconds; `None` where the step did not happen.

    All are counted on the media clock (20 ms frames sent and received). `gap_ms` is what the person hears: from
    their last speech sample to our first one.
    """

    endpointing_ms: float | None = None
    """End of the person's speech → the turn was declared over."""
    transcription_ms: float | None = None
    """Turn over → its words are known."""
    brain_ms: float | None = None
    """Words known → first sentence of the answer."""
    synthesis_ms: float | None = None
    """First sentence → its first audio."""
    playout_ms: float | None = None
    """First audio → its first audible sample left."""
    gap_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """What one side said. Times are seconds since the answer, on the media clock."""

    number: int
    """1, 2, 3 … over both sides, in order of beginning."""
    speaker: Speaker
    text: str
    started: float
    ended: float
    timings: TurnTimings | None = None
    """Only on the agent's replies."""
    confidence: float | None = None
    """Of the transcription, 0 to 1; only on the person's turns."""
    keys: str = ""
    """DTMF digits pressed in this turn."""
    cut_off: bool = False
    """The agent was interrupted; `text` is what was heard."""
    intended: str | None = None
    """Where `cut_off`: what the agent meant to say."""


@dataclass(frozen=True, slots=True)
class CallEvent:
    """One line of a call's history, for people: `kind` is stable, `text` a sentence, `data` small JSON."""

    call_id: CallId
    at: datetime
    kind: str
    text: str
    data: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CallEnd:
    """Why and how a call ended."""

    disposition: Disposition
    reason: str
    """A sentence that helps: what happened and, if something is wrong, what to do."""
    hung_up_by: HangUpBy
    sip_code: int | None = None
    """Final SIP status of the far leg, where there was one."""
    sip_reason: str | None = None
    q850_cause: int | None = None


@dataclass(frozen=True, slots=True)
class CallRecord:
    """Everything known of a call; what the store keeps and `GET /calls/{id}` shows. Times are UTC."""

    id: CallId
    direction: Direction
    number: str
    agent: str
    state: CallState
    created_at: datetime
    caller_id: str | None = None
    variables: dict[str, str] = field(default_factory=dict)
    script: str | None = None
    callback_url: str | None = None
    dialled_at: datetime | None = None
    ringing_at: datetime | None = None
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    greeting_ms: float | None = None
    """Answer → first audible sample of the greeting left, in milliseconds."""
    end: CallEnd | None = None
    recording: str | None = None
    """File name below the recordings folder: stereo WAV, left the person, right the agent."""
    forgotten_at: datetime | None = None
    """When what was said and noted was deleted."""
    turns: tuple[Turn, ...] = ()
    events: tuple[CallEvent, ...] = ()
