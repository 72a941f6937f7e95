"""What clients get: the JSON of calls, camelCase outside, and how it is made from the models."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from trunkline.models import (
    CallEnd,
    CallEvent,
    CallId,
    CallRecord,
    CallState,
    Direction,
    Disposition,
    HangUpBy,
    Speaker,
    Turn,
)

# Fields of `CallEnd` and of `CallRecord` that answers show under the same names.
_END = ("disposition", "reason", "hung_up_by", "sip_code", "sip_reason", "q850_cause")
_PLAIN = (
    "id", "direction", "number", "agent", "state", "caller_id", "created_at", "dialled_at", "ringing_at", "answered_at",
    "ended_at", "greeting_ms", "forgotten_at",
)  # fmt: skip


class Answer(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        alias_generator=to_camel,
        populate_by_name=True,
        from_attributes=True,
        use_attribute_docstrings=True,
    )


class Timings(Answer):
    """Where the silence before a reply went, in milliseconds; null where the step did not happen."""

    endpointing_ms: float | None
    """End of the person's speech → the turn was declared over."""
    transcription_ms: float | None
    """Turn over → its words are known."""
    brain_ms: float | None
    """Words known → first sentence of the answer."""
    synthesis_ms: float | None
    """First sentence → its first audio."""
    playout_ms: float | None
    """First audio → its first audible sample left."""
    gap_ms: float | None
    """The turn gap: from the person's last sound to the first of ours, as heard on the line."""


class TurnAnswer(Answer):
    """What one side said."""

    number: int
    """1, 2, 3 … over both sides."""
    speaker: Speaker
    text: str
    started: float
    """Seconds since the answer."""
    ended: float
    """Seconds since the answer."""
    timings: Timings | None
    """Only on the agent's replies."""
    confidence: float | None
    """Of the transcription, 0 to 1; only on the person's turns."""
    keys: str
    """Keys pressed on the telephone."""
    cut_off: bool
    """The agent was interrupted; `text` is what was heard."""
    intended: str | None
    """Where `cutOff`: what the agent meant to say."""


class EventAnswer(Answer):
    """One line of a call's history."""

    at: datetime
    kind: str
    """For programs, as `sip-answer`."""
    text: str
    """For people."""
    data: dict[str, object]


class CallSummary(Answer):
    """A call without what was said in it."""

    id: str = Field(examples=["6f1c1b9e-4c3a-4e3f-9a53-0f2f8f6b7f10"])
    direction: Direction
    number: str = Field(examples=["+14155550100"])
    agent: str
    state: CallState
    caller_id: str | None
    created_at: datetime
    dialled_at: datetime | None
    ringing_at: datetime | None
    answered_at: datetime | None
    ended_at: datetime | None
    duration_seconds: float | None
    """From the answer to the end."""
    greeting_ms: float | None
    """From the answer to the greeting's first sound."""
    disposition: Disposition | None
    """How it ended."""
    reason: str | None
    """Why it ended, in a sentence, with what to do where something is wrong."""
    hung_up_by: HangUpBy | None
    sip_code: int | None
    """Final SIP status of the far end."""
    sip_reason: str | None
    """Its reason phrase as the carrier sent it."""
    q850_cause: int | None
    recording: str | None = Field(examples=["/calls/6f1c1b9e-4c3a-4e3f-9a53-0f2f8f6b7f10/recording"])
    """Where the WAV file is: stereo, left the person, right the agent."""
    forgotten_at: datetime | None
    """When the transcript and what belongs to it was deleted, because its time was over."""


class CallDetail(CallSummary):
    """Everything known of a call."""

    variables: dict[str, str]
    script: str | None
    callback_url: str | None
    transcript: str
    """The conversation as text, a line per turn."""
    turns: tuple[TurnAnswer, ...]
    events: tuple[EventAnswer, ...]


class CallList(Answer):
    calls: tuple[CallSummary, ...]
    """Newest first."""
    next: str | None
    """Give it as `before` to get the next page; null on the last one."""


class Accepted(Answer):
    """The call was taken on."""

    message: str = Field(examples=["Calling +14155550100."])
    phone_number: str = Field(examples=["+14155550100"])
    session_id: str = Field(examples=["6f1c1b9e-4c3a-4e3f-9a53-0f2f8f6b7f10"])
    """The call's id."""
    status: CallState


class StandingAnswer(Answer):
    """How things are with a live call."""

    held: bool
    """The person hears music; the agent neither hears nor speaks."""
    agent_muted: bool
    """The person doesn't hear the agent."""
    person_muted: bool
    """The agent doesn't hear the person."""
    recording_paused: bool
    """Nothing that is said or keyed is kept."""
    taken_over: bool
    """A supervisor speaks in the agent's place."""
    listeners: int
    """How many listen in."""


class Line(Answer):
    """A line of a conversation."""

    role: Literal["assistant", "user"]
    content: str
    timestamp: datetime | None
    """When it began."""


class ConversationAnswer(Answer):
    """A call as a conversation."""

    session_id: str
    phone_number: str
    status: CallState
    conversation: tuple[Line, ...]


class ErasedAnswer(Answer):
    """How much was deleted."""

    calls: int
    recordings: int
    transcripts: int
    numbers: int
    """Calls that named the person's number."""


class Problem(Answer):
    code: str
    """Stable; for programs."""
    message: str
    """What is wrong."""
    remedy: str | None
    """What to do about it."""
    details: dict[str, object]


class ErrorAnswer(Answer):
    """Every error looks like this."""

    error: Problem


class PartAnswer(Answer):
    model_config = ConfigDict(extra="allow")
    ready: bool


class HealthAnswer(Answer):
    status: Literal["ok", "unavailable"]
    version: str
    parts: dict[str, PartAnswer]


def recording_path(call_id: CallId) -> str:
    return f"/calls/{call_id}/recording"


def summary(call: CallRecord) -> CallSummary:
    return CallSummary(**_summary_fields(call))


def detail(call: CallRecord) -> CallDetail:
    return CallDetail(
        **_summary_fields(call),
        variables=call.variables,
        script=call.script,
        callback_url=call.callback_url,
        transcript="\n".join(f"{turn.speaker.value.capitalize()}: {turn.text or turn.keys}" for turn in call.turns),
        turns=tuple(turn_answer(turn) for turn in call.turns),
        events=tuple(event_answer(event) for event in call.events),
    )


def turn_answer(turn: Turn) -> TurnAnswer:
    return TurnAnswer.model_validate(turn)


def event_answer(event: CallEvent) -> EventAnswer:
    return EventAnswer.model_validate(event)


def conversation(call: CallRecord) -> ConversationAnswer:
    """The seed's shape of a call."""
    answered = call.answered_at
    return ConversationAnswer(
        session_id=call.id,
        phone_number=call.number,
        status=call.state,
        conversation=tuple(
            Line(
                role="assistant" if turn.speaker is Speaker.AGENT else "user",
                content=turn.text or turn.keys,
                timestamp=None if answered is None else answered + timedelta(seconds=turn.started),
            )
            for turn in call.turns
        ),
    )


def end_fields(end: CallEnd) -> dict[str, object]:
    """How a call ended, as JSON."""
    return {to_camel(name): getattr(end, name) for name in _END}


def _summary_fields(call: CallRecord) -> dict[str, Any]:
    seconds = None
    if call.answered_at is not None and call.ended_at is not None:
        seconds = (call.ended_at - call.answered_at).total_seconds()
    return {
        **{name: getattr(call, name) for name in _PLAIN},
        **{name: None if call.end is None else getattr(call.end, name) for name in _END},
        "duration_seconds": seconds,
        "recording": None if call.recording is None else recording_path(call.id),
    }
