"""Reading and writing the database: one writer at a time, and whatever was begun is finished."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any, TypeVar

from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from trunkline.errors import StoreError
from trunkline.store import database

log = logging.getLogger(__name__)
T = TypeVar("T")


class Tables:
    """An open database, for all who keep something in it.

    A write that was begun is finished even when the task that asked for it is cancelled: a hang-up cancels, and what
    was said until then must not be lost with it.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._writes: set[asyncio.Task[Any]] = set()
        self._closed = False
        # SQLite has one writer at a time. Waiting for it here costs nothing; inside the driver it is a busy wait.
        sqlite = engine.dialect.name == "sqlite"
        self._turn_to_write: AbstractAsyncContextManager[Any] = asyncio.Lock() if sqlite else nullcontext()

    @classmethod
    async def open(cls, url: URL) -> Tables:
        """Those at `url`, made if need be, with their folder. Raises `StoreError`."""
        await asyncio.to_thread(database.make_folder, url)
        await asyncio.to_thread(database.upgrade, url)
        return cls(database.connect(url))

    async def read(self, what: str, read: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """`what` it is for, as "list calls". Raises `StoreError`."""
        self._require_open(what)
        with database.explained(what):
            async with self._engine.connect() as connection:
                return await read(connection)

    async def write(self, what: str, change: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """All of the change or nothing, safe when it returns. Raises `StoreError`."""
        self._require_open(what)
        task = asyncio.create_task(self._commit(what, change))
        self._writes.add(task)
        task.add_done_callback(self._writes.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(_log_failure)  # nobody else is there to hear of it
            raise

    async def scrub(self) -> None:
        """Let go of what was deleted. SQLite has overwritten it in its file, but its log of changes holds copies."""
        what = "let go of what was deleted"
        self._require_open(what)
        if self._engine.dialect.name != "sqlite":
            return
        async with self._turn_to_write:
            with database.explained(what):
                async with self._engine.connect() as connection:
                    # Outside of any transaction: inside one it is refused.
                    driver: Any = (await connection.get_raw_connection()).driver_connection
                    await driver.execute_fetchall("PRAGMA wal_checkpoint(TRUNCATE)")

    async def close(self) -> None:
        """Waits for the writes under way. Closing twice is harmless; nothing else works afterwards."""
        self._closed = True
        while self._writes:
            await asyncio.wait(self._writes)
        await self._engine.dispose()

    async def _commit(self, what: str, change: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        async with self._turn_to_write:
            with database.explained(what):
                async with self._engine.connect() as plain:
                    connection = await plain.execution_options(**{database.WRITING: True})
                    async with connection.begin():
                        return await change(connection)

    def _require_open(self, what: str) -> None:
        if self._closed:
            raise StoreError(f"Could not {what}: the call store is closed.")


def _log_failure(task: asyncio.Task[Any]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("%s", error)
