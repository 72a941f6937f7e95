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
        self._stood = 0.0
        self._stands_since: float | None = None

    def tick(self, now: float) -> None:
        """It is `now`: wake whoever's time has come."""
        passed = self._passed(now)
        while self._alarms and self._alarms[0][0] <= passed:
            _, _, alarm = heapq.heappop(self._alarms)
            if not alarm.done():
                alarm.set_result(None)

    async def sleep(self, seconds: float) -> None:
        """Until so much more has been heard and said."""
        alarm = asyncio.get_running_loop().create_future()
        heapq.heappush(self._alarms, (self._passed(self.now()) + seconds, next(self._order), alarm))
        await alarm

    def stand_still(self) -> None:
        """For those who sleep no time passes until `go_on`: they neither hear nor speak."""
        if self._stands_since is None:
            self._stands_since = self.now()

    def go_on(self) -> None:
        if self._stands_since is not None:
            self._stood += self.now() - self._stands_since
            self._stands_since = None

    def _passed(self, now: float) -> float:
        """Seconds that count for those who sleep."""
        return (now if self._stands_since is None else self._stands_since) - self._stood
