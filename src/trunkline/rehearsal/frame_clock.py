"""The carrier's 20 ms clock: one for all lines, exact in the long run, honest about every late wake-up."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from typing import Protocol

from trunkline.audio import FRAME_SECONDS

MOST_AT_ONCE = 2
"""Frames sent in one go after a late wake-up. What is missed beyond that is shifted, not caught up: a burst would fill
the other side's jitter buffer, and what is heard then says nothing of a real line."""
EARLY_WAKE_SECONDS = 0.001
"""Event loops round timers to milliseconds and may wake that much early."""


class Ticking(Protocol):
    def tick(self, now: float, late: float) -> None:
        """One frame is due. `now`: the time; `late`: seconds since it was due. Must not raise, must return at once."""


class FrameClock:
    """Ticks while anybody listens."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.shifted = 0
        """Frames by which the clock was put back after waking far too late."""
        self._listeners: list[Ticking] = []
        self._timer: asyncio.TimerHandle | None = None
        self._next = 0.0
        self._monotonic = monotonic

    def join(self, listener: Ticking) -> None:
        self._listeners.append(listener)
        if self._timer is None:
            self._next = self._monotonic() + FRAME_SECONDS
            self._arm()

    def leave(self, listener: Ticking) -> None:
        """Harmless for somebody who has left already."""
        if listener in self._listeners:
            self._listeners.remove(listener)
        if not self._listeners and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        delay = max(0.0, self._next - self._monotonic())
        self._timer = asyncio.get_running_loop().call_later(delay, self._wake)

    def _wake(self) -> None:
        self._timer = None
        for _ in range(MOST_AT_ONCE):
            if self._monotonic() < self._next - EARLY_WAKE_SECONDS:
                break
            late = max(0.0, self._monotonic() - self._next)
            self._next += FRAME_SECONDS
            for listener in tuple(self._listeners):
                listener.tick(self._monotonic(), late)
        behind = math.ceil((self._monotonic() - self._next) / FRAME_SECONDS)
        if behind > 0:
            self.shifted += behind
            self._next += behind * FRAME_SECONDS
        if self._listeners and self._timer is None:  # a listener that joined just now may have started it
            self._arm()
