"""What is kept about dialling, on a SQL database."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from itertools import islice

from sqlalchemy import ColumnElement, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from trunkline.ledger import Attempt, Cap, Caps, Purpose, Refusal, Stop, Unwanted, Usage
from trunkline.models import CallId
from trunkline.store.tables import dial_attempts, dialling_stop, do_not_call, refusals
from trunkline.store.transactions import Tables

KEPT_REFUSALS = 10_000
AT_ONCE = 500
"""Numbers in one statement: SQLite takes 999 parameters at least."""


class SqlLedger:
    """Fits `ledger.Ledger`."""

    def __init__(self, tables: Tables) -> None:
        self._read, self._write = tables.read, tables.write

    async def reserve(self, attempt: Attempt, caps: Caps) -> Cap | None:
        recent = dial_attempts.c.at > caps.since
        same = dial_attempts.c.number == attempt.number

        async def change(connection: AsyncConnection) -> Cap | None:
            if caps.to_number is not None and await _count(connection, recent, same) >= caps.to_number:
                return Cap.TO_NUMBER
            if caps.attempts is not None and await _count(connection, recent) >= caps.attempts:
                return Cap.ATTEMPTS
            if caps.cost is not None:
                spent = await connection.scalar(select(func.sum(dial_attempts.c.cost)).where(recent))
                if (spent or 0.0) + attempt.cost > caps.cost:
                    return Cap.COST
            values = {"at": attempt.at, "number": attempt.number, "cost": attempt.cost, "call_id": attempt.call_id}
            await connection.execute(insert(dial_attempts).values(values))
            await connection.execute(delete(dial_attempts).where(dial_attempts.c.at <= caps.since))
            return None

        return await self._write("count a call", change)

    async def settle(self, call_id: CallId, cost: float) -> None:
        async def change(connection: AsyncConnection) -> None:
            await connection.execute(
                update(dial_attempts).where(dial_attempts.c.call_id == call_id).values({"cost": cost})
            )

        await self._write("keep what a call did cost", change)

    async def usage(self, since: datetime) -> Usage:
        async def read(connection: AsyncConnection) -> Usage:
            wanted = select(func.count(), func.sum(dial_attempts.c.cost)).where(dial_attempts.c.at > since)
            attempts, cost = (await connection.execute(wanted)).one()
            return Usage(attempts, cost or 0.0)

        return await self._read("count calls", read)

    async def put_on_list(self, numbers: Iterable[Unwanted]) -> int:
        async def change(connection: AsyncConnection) -> int:
            added, rest = 0, iter(numbers)
            while some := {each.number: each for each in islice(rest, AT_ONCE)}:
                known = select(do_not_call.c.number).where(do_not_call.c.number.in_(some))
                for number in (await connection.execute(known)).scalars().all():
                    del some[number]
                rows = [{"number": each.number, "at": each.at, "why": each.why} for each in some.values()]
                if rows:
                    await connection.execute(insert(do_not_call), rows)
                added += len(rows)
            return added

        return await self._write("keep the do-not-call list", change)

    async def take_off_list(self, number: str) -> bool:
        async def change(connection: AsyncConnection) -> bool:
            result = await connection.execute(delete(do_not_call).where(do_not_call.c.number == number))
            return result.rowcount > 0

        return await self._write("change the do-not-call list", change)

    async def unwanted(self, number: str) -> Unwanted | None:
        async def read(connection: AsyncConnection) -> Unwanted | None:
            wanted = select(do_not_call).where(do_not_call.c.number == number)
            row = (await connection.execute(wanted)).one_or_none()
            return None if row is None else Unwanted(row.number, row.at, row.why)

        return await self._read("read the do-not-call list", read)

    async def list_unwanted(self, *, limit: int, after: str = "") -> list[Unwanted]:
        async def read(connection: AsyncConnection) -> list[Unwanted]:
            wanted = select(do_not_call).where(do_not_call.c.number > after).order_by(do_not_call.c.number).limit(limit)
            return [Unwanted(row.number, row.at, row.why) for row in await connection.execute(wanted)]

        return await self._read("read the do-not-call list", read)

    async def stop(self) -> Stop | None:
        async def read(connection: AsyncConnection) -> Stop | None:
            row = (await connection.execute(select(dialling_stop))).one_or_none()
            return None if row is None else Stop(row.at, row.why)

        return await self._read("read whether calls may go out", read)

    async def set_stop(self, stop: Stop | None) -> None:
        async def change(connection: AsyncConnection) -> None:
            await connection.execute(delete(dialling_stop))
            if stop is not None:
                await connection.execute(insert(dialling_stop).values({"id": 1, "at": stop.at, "why": stop.why}))

        await self._write("keep whether calls may go out", change)

    async def note_refusal(self, refusal: Refusal) -> None:
        row = {
            "at": refusal.at,
            "number": refusal.number,
            "purpose": refusal.purpose.value,
            "code": refusal.code,
            "message": refusal.message,
        }

        async def change(connection: AsyncConnection) -> None:
            result = await connection.execute(insert(refusals).values(row))
            (number,) = result.inserted_primary_key or (0,)
            await connection.execute(delete(refusals).where(refusals.c.id <= number - KEPT_REFUSALS))

        await self._write("keep a refusal", change)

    async def refusals(self, *, limit: int, before: int | None = None, number: str | None = None) -> list[Refusal]:
        wanted = select(refusals).order_by(refusals.c.id.desc()).limit(limit)
        if before is not None:
            wanted = wanted.where(refusals.c.id < before)
        if number is not None:
            wanted = wanted.where(refusals.c.number == number)

        async def read(connection: AsyncConnection) -> list[Refusal]:
            return [
                Refusal(row.at, row.number, Purpose(row.purpose), row.code, row.message, row.id)
                for row in await connection.execute(wanted)
            ]

        return await self._read("list refusals", read)


async def _count(connection: AsyncConnection, *conditions: ColumnElement[bool]) -> int:
    wanted = select(func.count()).select_from(dial_attempts).where(*conditions)
    return (await connection.execute(wanted)).scalar_one()
