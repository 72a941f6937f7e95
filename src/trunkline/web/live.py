"""What happens in calls, for those who look on: every update of a call in order, from its beginning, then as it comes.

A spectator holds a place in a list that all share, so a slow one costs nothing but its own delay.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator

from trunkline.events import CallCreated, CallStateChanged, CallUpdate
from trunkline.models import CallId, CallState

KEPT = 50
"""Ended calls that are remembered, so that nobody who was just looking on misses the end."""


class CallHistory:
    """The updates of one call."""

    def __init__(self) -> None:
        self.updates: list[CallUpdate] = []
        self.finished = False
        self._news = asyncio.Event()

    def add(self, update: CallUpdate) -> None:
        self.updates.append(update)
        self.finished |= isinstance(update, CallStateChanged) and update.state is CallState.ENDED
        self._news.set()
        self._news = asyncio.Event()

    async def follow(self, start: int, heartbeat: float) -> AsyncGenerator[tuple[int, CallUpdate] | None]:
        """Updates from number `start` on, each with its number, to the call's end.

        `None` when nothing happened for `heartbeat` seconds.
        """
        number = start
        while True:
            news = self._news
            while number < len(self.updates):
                yield number, self.updates[number]
                number += 1
            if self.finished:
                return
            try:
                async with asyncio.timeout(heartbeat):
                    await news.wait()
            except TimeoutError:
                yield None


class CallFeed:
    """Remembers the updates of live calls and of the last ended ones. A watcher of the switchboard."""

    def __init__(self) -> None:
        self._live: dict[CallId, CallHistory] = {}
        self._ended: OrderedDict[CallId, CallHistory] = OrderedDict()

    def watch(self, update: CallUpdate) -> None:
        call_id = update.call.id if isinstance(update, CallCreated) else update.call_id
        if isinstance(update, CallCreated):
            self._live[call_id] = CallHistory()
        history = self.history(call_id)
        if history is None:
            return
        history.add(update)
        if history.finished and call_id in self._live:
            self._ended[call_id] = self._live.pop(call_id)
            if len(self._ended) > KEPT:
                self._ended.popitem(last=False)

    def forget(self, call_id: CallId) -> None:
        """Of an ended call; harmless where nothing is known of it."""
        self._ended.pop(call_id, None)

    def history(self, call_id: CallId) -> CallHistory | None:
        return self._live.get(call_id) or self._ended.get(call_id)
