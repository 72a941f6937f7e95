"""The clock against a world whose time is moved by hand: no test here waits for real time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from trunkline.rehearsal.frame_clock import FrameClock


class World:
    """Monotonic time, and the one timer that is set in it."""

    def __init__(self) -> None:
        self.now = 50.0
        self.wakes: list[tuple[float, Callable[[], None]]] = []

    def monotonic(self) -> float:
        return self.now

    def call_later(self, delay: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        self.wakes.append((self.now + delay, callback))
        return asyncio.TimerHandle(self.now + delay, callback, (), asyncio.get_running_loop())

    def wake(self, *, late: float = 0.0) -> None:
        """Let the timer fire, `late` seconds after it should."""
        ((at, callback),) = self.wakes
        self.wakes.clear()
        self.now = max(self.now, at) + late
        callback()


class Listener:
    def __init__(self) -> None:
        self.ticks: list[tuple[float, float]] = []

    def tick(self, now: float, late: float) -> None:
        self.ticks.append((round(now, 4), round(late, 4)))


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()
    monkeypatch.setattr(asyncio.get_running_loop(), "call_later", world.call_later)
    return world


async def test_it_ticks_every_20_ms_for_everybody(world: World) -> None:
    clock, one, two = FrameClock(world.monotonic), Listener(), Listener()
    clock.join(one)
    clock.join(two)
    for _ in range(3):
        world.wake()
    assert one.ticks == two.ticks == [(50.02, 0), (50.04, 0), (50.06, 0)]


async def test_small_delays_do_not_add_up(world: World) -> None:
    clock, listener = FrameClock(world.monotonic), Listener()
    clock.join(listener)
    for _ in range(4):
        world.wake(late=0.003)
    assert listener.ticks == [(50.023, 0.003), (50.043, 0.003), (50.063, 0.003), (50.083, 0.003)]


async def test_one_missed_frame_is_caught_up(world: World) -> None:
    clock, listener = FrameClock(world.monotonic), Listener()
    clock.join(listener)
    world.wake(late=0.025)
    world.wake()
    assert listener.ticks == [(50.045, 0.025), (50.045, 0.005), (50.06, 0)]
    assert clock.shifted == 0


async def test_a_long_stall_never_becomes_a_burst(world: World) -> None:
    clock, listener = FrameClock(world.monotonic), Listener()
    clock.join(listener)
    world.wake(late=0.205)
    assert len(listener.ticks) == 2
    assert clock.shifted == 9  # of the eleven frames due
    world.wake()
    assert listener.ticks[2] == (50.24, 0)


async def test_waking_a_little_early_is_taken_as_on_time(world: World) -> None:
    clock, listener = FrameClock(world.monotonic), Listener()
    clock.join(listener)
    world.wake(late=-0.0008)
    assert listener.ticks == [(50.0192, 0)]
    world.wake()
    assert listener.ticks[1] == (50.04, 0)


async def test_it_rests_while_nobody_listens(world: World) -> None:
    clock, listener = FrameClock(world.monotonic), Listener()
    clock.join(listener)
    world.wake()
    clock.leave(listener)
    clock.leave(listener)
    world.wake()  # a timer that was already on its way
    assert len(listener.ticks) == 1
    assert world.wakes == []
    clock.join(listener)
    world.wake()
    assert len(listener.ticks) == 2


async def test_a_listener_may_leave_and_another_join_at_a_tick(world: World) -> None:
    clock, second = FrameClock(world.monotonic), Listener()

    class Leaving(Listener):
        def tick(self, now: float, late: float) -> None:
            super().tick(now, late)
            clock.leave(self)
            clock.join(second)

    first = Leaving()
    clock.join(first)
    world.wake()
    world.wake()
    assert (len(first.ticks), len(second.ticks)) == (1, 1)
