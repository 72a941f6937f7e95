"""Deleting what is kept of calls: the statements for it. `SqlCallStore` runs them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, delete, exists, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from trunkline.errors import CallLive, UnknownCall
from trunkline.models import ANONYMOUS, HASHED, REMOVED, CallId, CallState, Part
from trunkline.phone_numbers import with_numbers_masked
from trunkline.store.tables import call_events, calls, dial_attempts, turns

_SAID: Final[ColumnElement[bool]] = or_(
    exists().where(turns.c.call_id == calls.c.id), exists().where(call_events.c.call_id == calls.c.id)
)
_STILL_THERE: Final[dict[Part, ColumnElement[bool]]] = {
    Part.RECORDING: calls.c.recording.is_not(None),
    # Some news of a call come late: they are no reason to keep them.
    Part.TRANSCRIPT: or_(calls.c.forgotten_at.is_(None), _SAID),
    Part.NUMBER: (
        calls.c.recording.is_(None)
        & calls.c.forgotten_at.is_not(None)
        & calls.c.number.not_in((REMOVED, ANONYMOUS))
        & calls.c.number.not_like(f"{HASHED}%")
    ),
    Part.CALL: calls.c.id.is_not(None),
}


def due(part: Part, before: datetime) -> Select[Any]:
    """The ids of ended calls that still have it."""
    return select(calls.c.id).where(calls.c.ended_at < before, _STILL_THERE[part]).order_by(calls.c.ended_at)


async def erase(connection: AsyncConnection, call_id: CallId, part: Part, at: datetime, number: str) -> int:
    """As `ports.CallStore.erase`."""
    found = (await connection.execute(select(calls.c.state, calls.c.reason).where(calls.c.id == call_id))).one_or_none()
    if found is None:
        raise UnknownCall(f"There is no call {call_id}.", remedy="GET /calls lists the calls there are.")
    state, reason = found
    if state != CallState.ENDED.value:
        raise CallLive(f"Call {call_id} has not ended.", remedy="End it first: DELETE /calls/{id} hangs up.")
    this = update(calls).where(calls.c.id == call_id)
    deleted = 0
    if part in (Part.TRANSCRIPT, Part.CALL):
        for table in (turns, call_events):
            deleted += (await connection.execute(delete(table).where(table.c.call_id == call_id))).rowcount
    if part in (Part.NUMBER, Part.CALL):
        # What was dialled still counts for the caps of a day, but for no number.
        attempts = update(dial_attempts).where(dial_attempts.c.call_id == call_id)
        await connection.execute(attempts.values(number=REMOVED))
    match part:
        case Part.RECORDING:
            await connection.execute(this.values(recording=None))
        case Part.TRANSCRIPT:
            # The reason is our own sentence, but may name a number.
            brought: dict[str, Any] = {"variables": {}, "script": None, "callback_url": None}
            await connection.execute(this.values(**brought, forgotten_at=at, reason=with_numbers_masked(reason or "")))
        case Part.NUMBER:
            await connection.execute(this.values(number=number))
        case Part.CALL:
            await connection.execute(delete(calls).where(calls.c.id == call_id))
    return deleted
