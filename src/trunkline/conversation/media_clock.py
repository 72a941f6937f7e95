"""The conversation's own time: what the leg's 20 ms ticks say. Whoever waits, waits for audio."""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Callable
from itertools import count


class MediaClock:
    """`tick()` once per frame; between two ticks no time passes for those who `sleep`."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self.now = now
        """Seconds, monotonic; finer than the ticks, for measuring."""
        self._alarms: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = count()

    def tick(self, now: float) -> None:
        """It is `now`: wake whoever's time has come."""
        while self._alarms and self._alarms[0][0] <= now:
            _, _, alarm = heapq.heappop(self._alarms)
            if not alarm.done():
                alarm.set_result(None)

    async def sleep(self, seconds: float) -> None:
        """Until so much more has been heard and said."""
        alarm = asyncio.get_running_loop().create_future()
        heapq.heappush(self._alarms, (self.now() + seconds, next(self._order), alarm))
        await alarm
