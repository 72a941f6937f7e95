"""One 20 ms clock for every leg: Asterisk plays what it is given at once, so whoever sends must keep the time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from trunkline.audio import FRAME_SECONDS

MAX_FRAMES_AT_ONCE: Final = 3
"""Frames a leg may send in one wake-up: the one that is due and two missed ones, which the far end's jitter buffer
takes in. More would reach the person as skipped audio and lasting delay."""


class Paced(Protocol):
    """Whoever does something every 20 ms."""

    def tick(self) -> None:
        """20 ms of media time passed. Must return at once and must not raise."""


class Timer(Protocol):
    """What an event loop offers for waiting; tests bring their own."""

    def call_later(self, delay: float, callback: Callable[[], None], /) -> Handle: ...


class Handle(Protocol):
    def cancel(self) -> None: ...


class Lateness:
    """Histogram of how late wake-ups came, in buckets of 1 ms; the last one holds everything beyond."""

    __slots__ = ("_counts",)

    def __init__(self, buckets: int = 201) -> None:
        self._counts = [0] * buckets

    def record(self, seconds: float) -> None:
        counts = self._counts
        counts[min(max(int(seconds * 1000), 0), len(counts) - 1)] += 1

    def percentile(self, share: float) -> float:
        """Milliseconds that `share` (0 to 1) of the wake-ups did not exceed, rounded up to the bucket's end."""
        wanted = share * sum(self._counts)
        seen = 0
        for bucket, count in enumerate(self._counts):
            seen += count
            if count and seen >= wanted:
                return bucket + 1.0
        return 0.0


@dataclass(frozen=True, slots=True)
class ClockReport:
    """How well the clock kept time since it was made."""

    ticks: int
    caught_up: int
    """Ticks that were sent late, together with the one that was due."""
    rebased: int
    """Times the clock was too far behind and began anew from now."""
    skipped: int
    """Ticks given up then: so many frames were never sent on each leg."""
    late_ms_p50: float
    late_ms_p99: float


class PacingClock:
    """Ticks every leg each 20 ms on an absolute schedule, so lateness never adds up; rests while there is no leg.

    After a late wake-up the missed ticks follow at once, up to `MAX_FRAMES_AT_ONCE`; beyond that the schedule starts
    anew from now. Each tick runs the hooks before, the legs, and the hooks after.
    """

    def __init__(self, timer: Timer, now: Callable[[], float] = time.monotonic) -> None:
        self._timer = timer
        self._now = now
        self._legs: dict[Paced, None] = {}
        self._order: tuple[Paced, ...] | None = ()
        self._before: list[Callable[[], None]] = []
        self._after: list[Callable[[], None]] = []
        self._watchers: list[Callable[[float], None]] = []
        self._at_rest: list[Callable[[], None]] = []
        self._due = 0.0
        self._wake_up: Handle | None = None
        self._lateness = Lateness()
        self._ticks = self._caught_up = self._rebased = self._skipped = 0

    def add(self, leg: Paced) -> None:
        """Tick `leg` from the next tick on; the first leg starts the clock."""
        self._legs[leg] = None
        self._order = None
        if self._wake_up is None:
            self._due = self._now() + FRAME_SECONDS
            self._sleep()

    def remove(self, leg: Paced) -> None:
        """Never tick `leg` again; harmless when it isn't ticked. The last leg stops the clock."""
        self._legs.pop(leg, None)
        self._order = None
        if not self._legs and self._wake_up is not None:
            self._wake_up.cancel()
            self._wake_up = None
            for hook in self._at_rest:
                hook()

    def before_legs(self, hook: Callable[[], None]) -> None:
        """Run `hook` once per tick, before the legs: what was heard so far can be judged for all of them together."""
        self._before.append(hook)

    def after_legs(self, hook: Callable[[], None]) -> None:
        """Run `hook` once per tick, after the legs: their frames are on the way."""
        self._after.append(hook)

    def watch(self, watcher: Callable[[float], None]) -> None:
        """Tell `watcher` of every wake-up, before its ticks, by how many seconds it came late (0 or more)."""
        self._watchers.append(watcher)

    def at_rest(self, hook: Callable[[], None]) -> None:
        """Run `hook` whenever the last leg has gone."""
        self._at_rest.append(hook)

    def report(self) -> ClockReport:
        return ClockReport(
            ticks=self._ticks,
            caught_up=self._caught_up,
            rebased=self._rebased,
            skipped=self._skipped,
            late_ms_p50=self._lateness.percentile(0.50),
            late_ms_p99=self._lateness.percentile(0.99),
        )

    def _sleep(self) -> None:
        self._wake_up = self._timer.call_later(max(self._due - self._now(), 0.0), self._wake)

    def _wake(self) -> None:
        now = self._now()
        late = max(now - self._due, 0.0)
        owed = 1 + int(late / FRAME_SECONDS)
        ticks = min(owed, MAX_FRAMES_AT_ONCE)
        if owed == ticks:
            self._due += ticks * FRAME_SECONDS
        else:
            self._due = now + FRAME_SECONDS
            self._rebased += 1
            self._skipped += owed - ticks
        self._sleep()  # before the ticks: whatever a hook raises, the clock goes on
        self._lateness.record(late)
        for watcher in self._watchers:
            watcher(late)
        self._ticks += ticks
        self._caught_up += ticks - 1
        if self._order is None:
            self._order = tuple(self._legs)
        legs = self._order
        for _ in range(ticks):
            self._tick(legs)

    def _tick(self, legs: tuple[Paced, ...]) -> None:
        try:
            for hook in self._before:
                hook()
        finally:  # a broken hook silences no call; the event loop reports what it raised
            try:
                for leg in legs:
                    if leg in self._legs:  # it may have been removed since the wake-up
                        leg.tick()
            finally:
                for hook in self._after:
                    hook()
