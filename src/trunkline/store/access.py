"""API keys and the audit log, on a SQL database."""

from __future__ import annotations

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from trunkline.access import ApiKey, AuditLine, Scope, name_taken
from trunkline.store.tables import api_keys, audit_lines
from trunkline.store.transactions import Tables

KEPT_LINES = 100_000


class SqlAccessBook:
    """Fits `access.AccessBook`."""

    def __init__(self, tables: Tables) -> None:
        self._read, self._write = tables.read, tables.write

    async def keys(self) -> list[ApiKey]:
        async def read(connection: AsyncConnection) -> list[ApiKey]:
            return [
                ApiKey(row.name, row.digest, frozenset(map(Scope, row.scopes.split())), row.created_at)
                for row in await connection.execute(select(api_keys).order_by(api_keys.c.name))
            ]

        return await self._read("read the API keys", read)

    async def add_key(self, key: ApiKey) -> None:
        row = {
            "name": key.name,
            "digest": key.digest,
            "scopes": " ".join(sorted(key.scopes)),
            "created_at": key.created_at,
        }

        async def change(connection: AsyncConnection) -> None:
            if await connection.scalar(select(api_keys.c.name).where(api_keys.c.name == key.name)) is not None:
                raise name_taken(key.name)
            await connection.execute(insert(api_keys).values(row))

        await self._write("keep an API key", change)

    async def revoke(self, name: str) -> bool:
        async def change(connection: AsyncConnection) -> bool:
            return (await connection.execute(delete(api_keys).where(api_keys.c.name == name))).rowcount > 0

        return await self._write("revoke an API key", change)

    async def note(self, line: AuditLine) -> None:
        row = {
            "at": line.at,
            "key": line.key,
            "request": line.request,
            "number": line.number,
            "status": line.status,
            "code": line.code,
        }

        async def change(connection: AsyncConnection) -> None:
            result = await connection.execute(insert(audit_lines).values(row))
            (number,) = result.inserted_primary_key or (0,)
            await connection.execute(delete(audit_lines).where(audit_lines.c.id <= number - KEPT_LINES))

        await self._write("write the audit log", change)

    async def audit(self, *, limit: int, key: str | None = None) -> list[AuditLine]:
        wanted = select(audit_lines).order_by(audit_lines.c.id.desc()).limit(limit)
        if key is not None:
            wanted = wanted.where(audit_lines.c.key == key)

        async def read(connection: AsyncConnection) -> list[AuditLine]:
            return [
                AuditLine(row.at, row.key, row.request, row.number, row.status, row.code)
                for row in await connection.execute(wanted)
            ]

        return await self._read("read the audit log", read)
