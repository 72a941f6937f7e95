"""Between the models and the rows they are kept in."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from sqlalchemy import RowMapping

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
    TurnTimings,
)

Row = RowMapping | dict[str, Any]

# Columns of `calls` that are fields of `CallRecord` under the same name.
_PLAIN = (
    "id", "number", "agent", "created_at", "caller_id", "variables", "script", "callback_url", "dialled_at",
    "ringing_at", "answered_at", "ended_at", "greeting_ms", "recording", "forgotten_at",
)  # fmt: skip


def call_row(call: CallRecord) -> dict[str, Any]:
    """A row of `calls`; turns and events have tables of their own."""
    row = {name: getattr(call, name) for name in _PLAIN}
    row |= {"direction": call.direction.value, "state": call.state.value}
    return row | (end_row(call.end) if call.end is not None else {})


def end_row(end: CallEnd) -> dict[str, Any]:
    """The columns of `calls` that tell how a call ended."""
    return {
        "disposition": end.disposition.value,
        "reason": end.reason,
        "hung_up_by": end.hung_up_by.value,
        "sip_code": end.sip_code,
        "sip_reason": end.sip_reason,
        "q850_cause": end.q850_cause,
    }


def turn_row(call_id: CallId, turn: Turn) -> dict[str, Any]:
    timings = None
    if turn.timings is not None:
        timings = {step: ms for step, ms in asdict(turn.timings).items() if ms is not None}
    return {
        "call_id": call_id,
        "number": turn.number,
        "speaker": turn.speaker.value,
        "text": turn.text,
        "started": turn.started,
        "ended": turn.ended,
        "timings": timings,
        "confidence": turn.confidence,
        "keys": turn.keys,
        "cut_off": turn.cut_off,
        "intended": turn.intended,
    }


def event_row(event: CallEvent) -> dict[str, Any]:
    return {"call_id": event.call_id, "at": event.at, "kind": event.kind, "text": event.text, "data": event.data}


def to_call(row: Row, turns: tuple[Turn, ...] = (), events: tuple[CallEvent, ...] = ()) -> CallRecord:
    end = None
    if row["disposition"] is not None:
        end = CallEnd(
            disposition=Disposition(row["disposition"]),
            reason=row["reason"],
            hung_up_by=HangUpBy(row["hung_up_by"]),
            sip_code=row["sip_code"],
            sip_reason=row["sip_reason"],
            q850_cause=row["q850_cause"],
        )
    return CallRecord(
        **{name: row[name] for name in _PLAIN},
        direction=Direction(row["direction"]),
        state=CallState(row["state"]),
        end=end,
        turns=turns,
        events=events,
    )


def to_turn(row: Row) -> Turn:
    return Turn(
        number=row["number"],
        speaker=Speaker(row["speaker"]),
        text=row["text"],
        started=row["started"],
        ended=row["ended"],
        timings=None if row["timings"] is None else TurnTimings(**row["timings"]),
        confidence=row["confidence"],
        keys=row["keys"],
        cut_off=row["cut_off"],
        intended=row["intended"],
    )


def to_event(row: Row) -> CallEvent:
    return CallEvent(call_id=CallId(row["call_id"]), at=row["at"], kind=row["kind"], text=row["text"], data=row["data"])
