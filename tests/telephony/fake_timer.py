"""Time that passes when a test says so; fits `pacing_clock.Timer`."""

from __future__ import annotations

from collections.abc import Callable


class FakeHandle:
    def __init__(self, when: float, callback: Callable[[], object]) -> None:
        self.when = when
        self.callback = callback
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class FakeTimer:
    def __init__(self) -> None:
        self.time = 1000.0
        self._handles: list[FakeHandle] = []

    def now(self) -> float:
        return self.time

    def call_later(self, delay: float, callback: Callable[[], object], /) -> FakeHandle:
        handle = FakeHandle(self.time + delay, callback)
        self._handles.append(handle)
        return handle

    @property
    def waiting(self) -> list[FakeHandle]:
        self._handles = [handle for handle in self._handles if not handle.cancelled]
        return self._handles

    def advance(self, seconds: float) -> None:
        """Let time pass; every timer wakes up when it is due."""
        end = self.time + seconds
        while due := [handle for handle in self.waiting if handle.when <= end + 1e-9]:
            first = min(due, key=lambda handle: handle.when)
            self.time = max(self.time, first.when)
            self._wake(first)
        self.time = end

    def oversleep(self, seconds: float) -> None:
        """Let time pass while the machine is busy: timers wake up only at the end."""
        self.time += seconds
        for handle in [handle for handle in self.waiting if handle.when <= self.time]:
            self._wake(handle)

    def _wake(self, handle: FakeHandle) -> None:
        self._handles.remove(handle)
        if not handle.cancelled:
            handle.callback()
