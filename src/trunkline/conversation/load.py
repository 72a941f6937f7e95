"""How busy the machine is, and what is left out because of it, in a planned order: no frame shall ever be late for work
that only makes an answer come sooner.

Pure: wake-ups of the media clock and the length of a queue go in, a level comes out. Time is counted in wake-ups, of
which there are fifty a second while anybody talks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

from trunkline.audio import FRAME_SECONDS
from trunkline.ports import LoadLevel

WINDOW: Final = 50
"""Wake-ups that are looked at: the last second."""
MANY: Final = 5
"""So many busy ones among them are no accident: a tenth."""
LATE: Final = (0.005, 0.010)
"""Seconds a wake-up is late from which it counts towards level 1, towards level 2. A frame has 20 ms of room, and the
far end's jitter buffer as much again."""
WAITING: Final = (2, 4)
"""Requests that wait for a speech process at a wake-up from which it counts towards level 1, towards level 2: each is a
person who waits."""
CALM: Final = 5 * WINDOW
"""Wake-ups without need after which one level less will do: 5 s."""
LONGEST_CALM: Final = 60 * WINDOW
"""Who went down too soon waits twice as long the next time, up to a minute."""


class LoadGauge:
    """Fits `ports.Load`; `woke` fits `PacingClock.watch`, `rests` fits `PacingClock.at_rest`.

    Goes up at once, but one level at a time, a second apart: what is left out first has to have its chance. Goes down
    one level at a time after a calm.

    `waiting`: how many requests wait for a speech process at the moment.
    """

    def __init__(self, waiting: Callable[[], int] = lambda: 0) -> None:
        self._waiting = waiting
        self._level = LoadLevel.NORMAL
        self._newest: deque[int] = deque([0] * WINDOW, WINDOW)
        self._busy = [WINDOW, 0, 0]
        """At how many of the newest wake-ups the machine was at ease, busy, very busy."""
        self._relaxed = 0
        """Wake-ups in a row for which a lower level would have done."""
        self._patience = CALM
        """How many of them it takes to go down."""
        self._since_fall = LONGEST_CALM
        """Wake-ups since the level went down."""
        self._since_rise = WINDOW
        """The same since it went up."""
        self._wake_ups = dict.fromkeys(LoadLevel, 0)

    @property
    def level(self) -> LoadLevel:
        return self._level

    @property
    def seconds(self) -> Mapping[LoadLevel, float]:
        """How long each level was in force, while anybody talked."""
        return {level: wake_ups * FRAME_SECONDS for level, wake_ups in self._wake_ups.items()}

    def woke(self, late: float) -> None:
        """The media clock woke, so many seconds late."""
        waiting = self._waiting()
        kind = 2 if late >= LATE[1] or waiting >= WAITING[1] else 1 if late >= LATE[0] or waiting >= WAITING[0] else 0
        self._busy[self._newest[0]] -= 1
        self._busy[kind] += 1
        self._newest.append(kind)
        self._since_fall += 1
        self._since_rise += 1
        needed = self._needed()
        self._relaxed = self._relaxed + 1 if needed < self._level else 0
        if needed > self._level:
            if self._since_rise >= WINDOW:
                self._rise()
        elif self._relaxed >= self._patience:
            self._fall()
        self._wake_ups[self._level] += 1

    def rests(self) -> None:
        """Nobody talks any more: the next call begins with nothing left out."""
        self._level = LoadLevel.NORMAL
        self._newest.extend([0] * WINDOW)
        self._busy = [WINDOW, 0, 0]
        self._relaxed = 0
        self._since_rise = WINDOW

    def _needed(self) -> LoadLevel:
        _, busy, very_busy = self._busy
        if very_busy >= MANY:
            return LoadLevel.NO_SPECULATION
        if busy + very_busy >= MANY:
            return LoadLevel.NO_TURN_MODEL
        return LoadLevel.NORMAL

    def _rise(self) -> None:
        self._patience = min(2 * self._patience, LONGEST_CALM) if self._since_fall < self._patience else CALM
        self._level = LoadLevel(self._level + 1)
        self._since_rise = 0

    def _fall(self) -> None:
        self._level = LoadLevel(self._level - 1)
        self._relaxed = self._since_fall = 0
