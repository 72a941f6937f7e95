"""The call store on a SQL database."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import URL, delete, func, insert, literal, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from trunkline.errors import RecordRefused, UnknownCall
from trunkline.models import REMOVED, CallEnd, CallEvent, CallId, CallRecord, CallState, Part, Turn
from trunkline.store import erasing
from trunkline.store.rows import call_row, end_row, event_row, to_call, to_event, to_turn, turn_row
from trunkline.store.tables import call_events, calls, turns
from trunkline.store.transactions import Tables

_STAMPS = {
    CallState.DIALLING: calls.c.dialled_at,
    CallState.RINGING: calls.c.ringing_at,
    CallState.EARLY_MEDIA: calls.c.ringing_at,
    CallState.ANSWERED: calls.c.answered_at,
}


class SqlCallStore:
    """Fits `ports.CallStore`. What is told of a call that was never added raises `UnknownCall`.

    An ended call stays as it ended: later states and ends change nothing, so that telling it twice is harmless.
    """

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self._read, self._write = tables.read, tables.write

    @classmethod
    async def open(cls, url: URL) -> SqlCallStore:
        """The store at `url`, its folder and tables made if need be. Raises `StoreError`."""
        return cls(await Tables.open(url))

    async def add(self, call: CallRecord) -> None:
        async def change(connection: AsyncConnection) -> None:
            await connection.execute(insert(calls), call_row(call))
            if call.turns:
                await connection.execute(insert(turns), [turn_row(call.id, turn) for turn in call.turns])
            if call.events:
                await connection.execute(insert(call_events), [event_row(event) for event in call.events])

        await self._write(f"keep call {call.id}", change)

    async def set_state(self, call_id: CallId, state: CallState, at: datetime) -> None:
        if state is CallState.ENDED:
            raise RecordRefused("A call is ended by end(), which says how.")
        values: dict[Any, Any] = {calls.c.state: state.value}
        if (stamp := _STAMPS.get(state)) is not None:
            values[stamp] = func.coalesce(stamp, literal(at, stamp.type))  # 180 after 183 is no second ringing
        await self._change_open_call(call_id, values)

    async def set_greeting(self, call_id: CallId, greeting_ms: float) -> None:
        await self._change_call(call_id, {"greeting_ms": greeting_ms})

    async def add_turn(self, call_id: CallId, turn: Turn) -> None:
        async def change(connection: AsyncConnection) -> None:
            await _known(connection, call_id)
            await connection.execute(delete(turns).where(turns.c.call_id == call_id, turns.c.number == turn.number))
            await connection.execute(insert(turns), turn_row(call_id, turn))

        await self._write(f"keep a turn of call {call_id}", change)

    async def add_event(self, event: CallEvent) -> None:
        async def change(connection: AsyncConnection) -> None:
            await _known(connection, event.call_id)
            await connection.execute(insert(call_events), event_row(event))

        await self._write(f"keep an event of call {event.call_id}", change)

    async def end(self, call_id: CallId, end: CallEnd, at: datetime, *, recording: str | None = None) -> None:
        values = end_row(end) | {"state": CallState.ENDED.value, "ended_at": at, "recording": recording}
        await self._change_open_call(call_id, values)

    async def explain(self, call_id: CallId, reason: str) -> None:
        await self._change_call(call_id, {"reason": reason})

    async def get(self, call_id: CallId) -> CallRecord | None:
        async def read(connection: AsyncConnection) -> CallRecord | None:
            row = (await connection.execute(select(calls).where(calls.c.id == call_id))).mappings().one_or_none()
            if row is None:
                return None
            said = select(turns).where(turns.c.call_id == call_id).order_by(turns.c.number)
            noted = select(call_events).where(call_events.c.call_id == call_id).order_by(call_events.c.id)
            return to_call(
                row,
                tuple(to_turn(turn) for turn in (await connection.execute(said)).mappings()),
                tuple(to_event(event) for event in (await connection.execute(noted)).mappings()),
            )

        return await self._read(f"read call {call_id}", read)

    async def recent(
        self,
        *,
        limit: int = 50,
        before: CallId | None = None,
        state: CallState | None = None,
        number: str | None = None,
    ) -> list[CallRecord]:
        if limit < 1:
            raise RecordRefused(f"A page of {limit} calls is impossible.", remedy="Ask for at least one.")
        newest_first = calls.c.created_at.desc(), calls.c.id.desc()
        wanted = select(calls).order_by(*newest_first).limit(limit)
        if state is not None:
            wanted = wanted.where(calls.c.state == state.value)
        if number is not None:
            wanted = wanted.where(calls.c.number == number)

        async def read(connection: AsyncConnection) -> list[CallRecord]:
            page = wanted
            if before is not None:
                created_at = await _known(connection, before)
                page = page.where(tuple_(calls.c.created_at, calls.c.id) < tuple_(created_at, before))
            return [to_call(row) for row in (await connection.execute(page)).mappings()]

        return await self._read("list calls", read)

    async def close_orphans(
        self, end: CallEnd, at: datetime, *, recordings: Mapping[CallId, str] | None = None
    ) -> list[CallId]:
        async def change(connection: AsyncConnection) -> list[CallId]:
            still_open = select(calls.c.id).where(calls.c.state != CallState.ENDED.value)
            oldest_first = still_open.order_by(calls.c.created_at, calls.c.id)
            orphans = [CallId(call_id) for call_id in (await connection.execute(oldest_first)).scalars()]
            for orphan in orphans:
                values = end_row(end) | {"state": CallState.ENDED.value, "ended_at": at}
                values["recording"] = (recordings or {}).get(orphan)
                await connection.execute(update(calls).where(calls.c.id == orphan).values(values))
            return orphans

        return await self._write("end the calls of a dead process", change)

    async def due(self, part: Part, before: datetime) -> list[CallId]:
        async def read(connection: AsyncConnection) -> list[CallId]:
            return [CallId(call_id) for call_id in (await connection.execute(erasing.due(part, before))).scalars()]

        return await self._read(f"find what is due of calls ({part})", read)

    async def erase(self, call_id: CallId, part: Part, at: datetime, *, number: str = REMOVED) -> int:
        async def change(connection: AsyncConnection) -> int:
            return await erasing.erase(connection, call_id, part, at, number)

        return await self._write(f"delete the {part} of call {call_id}", change)

    async def scrub(self) -> None:
        await self.tables.scrub()

    async def close(self) -> None:
        """Waits for the writes under way. Closing twice is harmless; nothing else works afterwards."""
        await self.tables.close()

    async def _change_call(self, call_id: CallId, values: Mapping[str, Any]) -> None:
        async def change(connection: AsyncConnection) -> None:
            await _known(connection, call_id)
            await connection.execute(update(calls).where(calls.c.id == call_id).values(values))

        await self._write(f"keep more of call {call_id}", change)

    async def _change_open_call(self, call_id: CallId, values: Mapping[Any, Any]) -> None:
        async def change(connection: AsyncConnection) -> None:
            still_open = calls.c.id == call_id, calls.c.state != CallState.ENDED.value
            result = await connection.execute(update(calls).where(*still_open).values(values))
            if result.rowcount == 0:
                await _known(connection, call_id)

        await self._write(f"keep the state of call {call_id}", change)


async def _known(connection: AsyncConnection, call_id: CallId) -> datetime:
    """When the call was created. Raises `UnknownCall`."""
    created_at: datetime | None = await connection.scalar(select(calls.c.created_at).where(calls.c.id == call_id))
    if created_at is None:
        raise UnknownCall(f"There is no call {call_id}.")
    return created_at
