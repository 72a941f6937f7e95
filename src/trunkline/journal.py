"""Writes every call's updates to the store, in order, without ever making a call wait."""

from __future__ import annotations

import asyncio
import logging

from trunkline.errors import TrunklineError
from trunkline.events import CallNoted, CallStateChanged, CallUpdate, GreetingStarted, TurnFinished
from trunkline.models import CallState
from trunkline.ports import CallStore

log = logging.getLogger(__name__)

FIRST_RETRY, LONGEST_RETRY = 0.1, 5.0
"""Seconds between tries while the store can't be written."""


class Journal:
    """A watcher of calls. `run()` it as a task; `drain()` before the store is closed."""

    def __init__(self, store: CallStore) -> None:
        self._store = store
        self._queue: asyncio.Queue[CallUpdate | asyncio.Future[None]] = asyncio.Queue()

    def note(self, update: CallUpdate) -> None:
        """Keep this. Returns at once; the order of calls is the order on disk."""
        self._queue.put_nowait(update)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            update = await self._queue.get()
            if not isinstance(update, asyncio.Future):
                await self._write_at_last(update)
            elif not update.done():
                update.set_result(None)

    async def drain(self) -> None:
        """Until everything noted so far is on disk."""
        reached = asyncio.get_running_loop().create_future()
        self._queue.put_nowait(reached)
        await reached

    async def _write_at_last(self, update: CallUpdate) -> None:
        pause = FIRST_RETRY
        while True:
            try:
                await self._write(update)
                return
            except TrunklineError as error:
                if not error.retryable:
                    log.error("The call store refuses %s: %s", type(update).__name__, error)
                    return
                log.error("The call store can't be written, trying again in %.1f s: %s", pause, error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_RETRY)

    async def _write(self, update: CallUpdate) -> None:
        match update:
            case CallStateChanged(call_id, CallState.ENDED, at, end, recording) if end is not None:
                await self._store.end(call_id, end, at, recording=recording)
            case CallStateChanged(call_id, state, at):
                await self._store.set_state(call_id, state, at)
            case GreetingStarted(call_id, greeting_ms):
                await self._store.set_greeting(call_id, greeting_ms)
            case TurnFinished(call_id, turn):
                await self._store.add_turn(call_id, turn)
            case CallNoted(_, event):
                await self._store.add_event(event)
            case _:
                pass  # passing moments: a call's creation is stored before it is dialled
