"""Calls, turns and events to keep."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

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

NOON = datetime(2025, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
ANSWERED = CallEnd(Disposition.ANSWERED, "The person hung up.", HangUpBy.PERSON, sip_code=200, q850_cause=16)
LOST = CallEnd(Disposition.FAILED, "The service stopped during the call.", HangUpBy.SYSTEM)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def a_call(**changes: Any) -> CallRecord:
    fields: dict[str, Any] = {
        "id": CallId(str(uuid.uuid4())),
        "direction": Direction.OUTBOUND,
        "number": "+14155550100",
        "agent": "outbound-ai-conversational",
        "state": CallState.QUEUED,
        "created_at": NOON,
        "caller_id": "+14155550199",
        "variables": {"name": "Ada", "day": "Montag – früh ☎"},
        "script": "Hello {name}",
        "callback_url": "http://127.0.0.1:5678/webhook/done",
    }
    return CallRecord(**{**fields, **changes})


def a_turn(number: int = 1, **changes: Any) -> Turn:
    fields: dict[str, Any] = {
        "number": number,
        "speaker": Speaker.AGENT,
        "text": "Does Monday suit you?",
        "started": 1.25,
        "ended": 3.5,
        "timings": TurnTimings(endpointing_ms=500.0, transcription_ms=180.5, gap_ms=812.25),
        "cut_off": True,
        "intended": "Does Monday suit you? Or Tuesday?",
    }
    return Turn(**{**fields, **changes})


def an_event(call_id: CallId, kind: str = "sip-answer", **changes: Any) -> CallEvent:
    fields: dict[str, Any] = {"at": at(1), "text": "486 Busy Here", "data": {"sipCode": 486, "tags": ["a", None, 1.5]}}
    return CallEvent(call_id=call_id, kind=kind, **{**fields, **changes})
