from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest

from tests.telephony.fake_timer import FakeTimer
from trunkline.audio import FRAME_SECONDS
from trunkline.telephony.pacing_clock import MAX_FRAMES_AT_ONCE, Lateness, PacingClock


class Leg:
    """Notes when it was ticked."""

    def __init__(self, timer: FakeTimer, then: Callable[[], None] = lambda: None) -> None:
        self.times: list[float] = []
        self._timer = timer
        self._then = then

    def tick(self) -> None:
        self.times.append(self._timer.time)
        self._then()


@pytest.fixture
def timer() -> FakeTimer:
    return FakeTimer()


@pytest.fixture
def clock(timer: FakeTimer) -> PacingClock:
    return PacingClock(timer, timer.now)


def test_every_leg_gets_fifty_ticks_a_second_without_drift(timer: FakeTimer, clock: PacingClock) -> None:
    legs = [Leg(timer), Leg(timer)]
    start = timer.time
    for leg in legs:
        clock.add(leg)
    timer.advance(60.0)
    for leg in legs:
        assert len(leg.times) == 3000
        assert leg.times[0] == pytest.approx(start + FRAME_SECONDS)
        assert leg.times[-1] == pytest.approx(start + 60.0)


def test_lateness_does_not_add_up(timer: FakeTimer, clock: PacingClock) -> None:
    leg = Leg(timer)
    start = timer.time
    clock.add(leg)
    for _ in range(100):
        timer.oversleep(0.027)  # 7 ms late at first, then more: never on time
    assert len(leg.times) == int((timer.time - start) / FRAME_SECONDS + 1e-6)
    timer.advance(FRAME_SECONDS)
    assert (leg.times[-1] - start) / FRAME_SECONDS == pytest.approx(len(leg.times))
    assert clock.report().skipped == 0


def test_missed_ticks_follow_at_once_but_never_as_a_burst(timer: FakeTimer, clock: PacingClock) -> None:
    leg = Leg(timer)
    clock.add(leg)
    timer.oversleep(0.065)
    assert len(leg.times) == 3
    report = clock.report()
    assert (report.ticks, report.caught_up, report.rebased, report.skipped) == (3, 2, 0, 0)

    timer.advance(0.015)
    assert len(leg.times) == 4  # the schedule is the old one


def test_a_clock_far_behind_begins_anew_from_now(timer: FakeTimer, clock: PacingClock) -> None:
    leg = Leg(timer)
    clock.add(leg)
    timer.oversleep(1.005)
    assert len(leg.times) == MAX_FRAMES_AT_ONCE
    report = clock.report()
    assert (report.rebased, report.skipped) == (1, 50 - MAX_FRAMES_AT_ONCE)
    assert report.late_ms_p99 >= 200

    timer.advance(0.0199)
    assert len(leg.times) == MAX_FRAMES_AT_ONCE
    timer.advance(0.0002)
    assert len(leg.times) == MAX_FRAMES_AT_ONCE + 1


def test_it_rests_while_there_is_no_leg(timer: FakeTimer, clock: PacingClock) -> None:
    leg = Leg(timer)
    assert not timer.waiting
    clock.add(leg)
    assert len(timer.waiting) == 1
    timer.advance(0.1)
    clock.remove(leg)
    clock.remove(leg)
    assert not timer.waiting

    timer.advance(10.0)
    clock.add(leg)
    timer.advance(FRAME_SECONDS)
    assert len(leg.times) == 6
    assert clock.report().rebased == 0  # the rest was no lateness


def test_a_leg_removed_during_a_tick_is_not_ticked_again(timer: FakeTimer, clock: PacingClock) -> None:
    second = Leg(timer)
    first = Leg(timer, then=lambda: clock.remove(second))
    clock.add(first)
    clock.add(second)
    timer.oversleep(0.045)
    assert (len(first.times), len(second.times)) == (2, 0)


def test_the_last_leg_may_leave_and_another_come_within_a_tick(timer: FakeTimer, clock: PacingClock) -> None:
    newcomer = Leg(timer)

    def change() -> None:
        clock.remove(leaver)
        clock.add(newcomer)

    leaver = Leg(timer, then=change)
    clock.add(leaver)
    timer.advance(FRAME_SECONDS)
    assert len(timer.waiting) == 1
    timer.advance(5 * FRAME_SECONDS)
    assert (len(leaver.times), len(newcomer.times)) == (1, 5)


def test_hooks_run_once_per_tick_around_the_legs(timer: FakeTimer, clock: PacingClock) -> None:
    order: list[str] = []
    clock.before_legs(lambda: order.append("before"))
    clock.after_legs(lambda: order.append("after"))
    for name in ("first", "second"):
        clock.add(Leg(timer, then=lambda name=name: order.append(name)))  # type: ignore[misc]
    timer.advance(FRAME_SECONDS)
    assert order == ["before", "first", "second", "after"]


def test_watchers_are_told_how_late_each_wake_up_was(timer: FakeTimer, clock: PacingClock) -> None:
    late: list[float] = []
    clock.watch(late.append)
    clock.add(Leg(timer))
    timer.advance(2 * FRAME_SECONDS)
    timer.oversleep(0.025)
    assert late == pytest.approx([0.0, 0.0, 0.005], abs=1e-9)


@pytest.mark.parametrize("where", ["before_legs", "after_legs"])
def test_a_broken_hook_is_reported_and_silences_no_leg(timer: FakeTimer, clock: PacingClock, where: str) -> None:
    def broken() -> None:
        raise LookupError("broken hook")

    after: list[float] = []
    getattr(clock, where)(broken)
    clock.after_legs(lambda: after.append(timer.time))
    leg = Leg(timer)
    clock.add(leg)
    for wake_ups in (1, 2):
        with pytest.raises(LookupError, match="broken hook"):
            timer.advance(FRAME_SECONDS)
        assert len(leg.times) == wake_ups


def test_lateness_percentiles() -> None:
    lateness = Lateness()
    assert lateness.percentile(0.99) == 0.0
    for _ in range(98):
        lateness.record(0.0005)
    lateness.record(0.0125)
    lateness.record(7.0)
    assert lateness.percentile(0.50) == 1.0
    assert lateness.percentile(0.99) == 13.0
    assert lateness.percentile(1.0) == 201.0  # the last bucket holds everything beyond


def test_waking_early_counts_as_on_time() -> None:
    lateness = Lateness()
    lateness.record(-0.0009)
    assert lateness.percentile(1.0) == 1.0


async def test_on_an_event_loop_no_tick_comes_early() -> None:
    event_loop = asyncio.get_running_loop()
    tenth = asyncio.Event()
    ticks: list[float] = []

    class Counting:
        def tick(self) -> None:
            ticks.append(time.monotonic())
            if len(ticks) == 10:
                tenth.set()

    real_clock = PacingClock(event_loop)
    start = time.monotonic()
    leg = Counting()
    real_clock.add(leg)
    async with asyncio.timeout(10):
        await tenth.wait()
    real_clock.remove(leg)
    assert ticks[9] - start >= 10 * FRAME_SECONDS - 0.003  # timers have a resolution of 1 ms
    assert real_clock.report().ticks == len(ticks)


def test_a_rest_is_told_when_the_last_leg_has_gone(timer: FakeTimer, clock: PacingClock) -> None:
    rests: list[float] = []
    clock.at_rest(lambda: rests.append(timer.time))
    one, other = Leg(timer), Leg(timer)
    for leg in (one, other):
        clock.add(leg)
    timer.advance(0.1)
    clock.remove(one)
    assert not rests
    clock.remove(other)
    clock.remove(other)
    assert rests == [timer.time]
    clock.add(one)
    clock.remove(one)
    assert len(rests) == 2
