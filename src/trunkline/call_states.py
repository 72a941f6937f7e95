"""The states of a call, and which may follow which.

QUEUED → DIALLING → RINGING ⇄ EARLY_MEDIA → ANSWERED → ENDED      (ENDED can follow any of them)
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from trunkline.models import CallEnd, CallRecord, CallState

TRANSITIONS: Final[dict[CallState, frozenset[CallState]]] = {
    CallState.QUEUED: frozenset({CallState.DIALLING, CallState.ENDED}),
    CallState.DIALLING: frozenset({CallState.RINGING, CallState.EARLY_MEDIA, CallState.ANSWERED, CallState.ENDED}),
    CallState.RINGING: frozenset({CallState.EARLY_MEDIA, CallState.ANSWERED, CallState.ENDED}),
    CallState.EARLY_MEDIA: frozenset({CallState.RINGING, CallState.ANSWERED, CallState.ENDED}),
    CallState.ANSWERED: frozenset({CallState.ENDED}),
    CallState.ENDED: frozenset(),
}

STAMPS: Final = {
    CallState.DIALLING: "dialled_at",
    CallState.RINGING: "ringing_at",
    CallState.EARLY_MEDIA: "ringing_at",
    CallState.ANSWERED: "answered_at",
    CallState.ENDED: "ended_at",
}
"""Which time of the record a state sets, the first time it is reached."""


def advanced(record: CallRecord, state: CallState, at: datetime, end: CallEnd | None = None) -> CallRecord | None:
    """The record in its next state; `None` where the table has no such step: a late 180 behind an answer is no news."""
    if state not in TRANSITIONS[record.state]:
        return None
    stamp = STAMPS.get(state)
    stamps: dict[str, Any] = {stamp: at} if stamp is not None and getattr(record, stamp) is None else {}
    return replace(record, state=state, end=end, **stamps)
