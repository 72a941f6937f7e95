from __future__ import annotations

from itertools import pairwise

import pytest

from trunkline.conversation.load import CALM, LATE, LONGEST_CALM, MANY, WAITING, WINDOW, LoadGauge
from trunkline.ports import LoadLevel

IN_TIME, A_LITTLE_LATE, VERY_LATE = 0.001, LATE[0] + 0.001, LATE[1] + 0.001


class Queue:
    """Of a speech process."""

    def __init__(self) -> None:
        self.waiting = 0

    def __call__(self) -> int:
        return self.waiting


def wake(gauge: LoadGauge, times: int, late: float = IN_TIME) -> None:
    for _ in range(times):
        gauge.woke(late)


def levels(gauge: LoadGauge, times: int) -> list[LoadLevel]:
    """Of a calm stretch."""
    found = []
    for _ in range(times):
        gauge.woke(IN_TIME)
        found.append(gauge.level)
    return found


def test_a_clock_in_time_leaves_nothing_out() -> None:
    gauge = LoadGauge()
    assert set(levels(gauge, 1000)) == {LoadLevel.NORMAL}


def test_single_late_wake_ups_are_no_load() -> None:
    gauge = LoadGauge()
    for _ in range(20):
        wake(gauge, 1, 0.15)
        wake(gauge, WINDOW // (MANY - 1))
        assert gauge.level is LoadLevel.NORMAL


@pytest.mark.parametrize(
    ("late", "level"), [(A_LITTLE_LATE, LoadLevel.NO_TURN_MODEL), (VERY_LATE, LoadLevel.NO_SPECULATION)]
)
def test_many_late_wake_ups_raise_the_level_step_by_step(late: float, level: LoadLevel) -> None:
    gauge = LoadGauge()
    found = []
    for times in (MANY - 1, 1, WINDOW - 1, 1):
        wake(gauge, times, late)
        found.append(gauge.level)
    # Leaving out the model has a second to help.
    assert found == [LoadLevel.NORMAL, LoadLevel.NO_TURN_MODEL, LoadLevel.NO_TURN_MODEL, level]


def test_a_little_late_and_very_late_add_up() -> None:
    gauge = LoadGauge()
    wake(gauge, MANY - 1, VERY_LATE)
    wake(gauge, 1, A_LITTLE_LATE)
    assert gauge.level is LoadLevel.NO_TURN_MODEL


@pytest.mark.parametrize(
    ("waiting", "level"),
    [
        (0, LoadLevel.NORMAL),
        (WAITING[0] - 1, LoadLevel.NORMAL),
        (WAITING[0], LoadLevel.NO_TURN_MODEL),
        (WAITING[1] - 1, LoadLevel.NO_TURN_MODEL),
        (WAITING[1], LoadLevel.NO_SPECULATION),
    ],
)
def test_a_queue_that_lasts_raises_the_level(waiting: int, level: LoadLevel) -> None:
    queue = Queue()
    gauge = LoadGauge(queue)
    queue.waiting = waiting
    wake(gauge, MANY - 1)
    assert gauge.level == LoadLevel.NORMAL, "a few who pause at the same moment are no load"
    wake(gauge, 1 + WINDOW)
    assert gauge.level == level


def test_it_goes_down_one_level_at_a_time_after_a_calm() -> None:
    gauge = LoadGauge()
    wake(gauge, MANY + WINDOW, VERY_LATE)
    # The late ones count until they have left the window.
    assert set(levels(gauge, CALM)) == {LoadLevel.NO_SPECULATION}
    then = levels(gauge, WINDOW + CALM)
    steps = [after for before, after in pairwise(then) if after is not before]
    assert steps == [LoadLevel.NO_TURN_MODEL, LoadLevel.NORMAL]
    assert then.count(LoadLevel.NO_TURN_MODEL) == CALM


def test_a_calm_that_is_broken_begins_anew() -> None:
    queue = Queue()
    gauge = LoadGauge(queue)
    queue.waiting = WAITING[0]
    wake(gauge, MANY)
    for _ in range(5):
        queue.waiting = 0
        wake(gauge, CALM - 1)
        queue.waiting = WAITING[0]
        wake(gauge, MANY)
    assert gauge.level is LoadLevel.NO_TURN_MODEL


def calm_needed(gauge: LoadGauge, queue: Queue) -> int:
    """Wake-ups from the end of a need, when it has left the window, to the normal level."""
    queue.waiting = WAITING[0]
    wake(gauge, MANY)
    queue.waiting = 0
    found = MANY - WINDOW + 1
    while levels(gauge, 1) == [LoadLevel.NO_TURN_MODEL]:
        found += 1
    return found


def test_who_went_down_too_soon_waits_longer_the_next_time() -> None:
    queue = Queue()
    gauge = LoadGauge(queue)
    waits = [calm_needed(gauge, queue) for _ in range(6)]
    assert waits == [CALM, 2 * CALM, 4 * CALM, 8 * CALM, LONGEST_CALM, LONGEST_CALM]
    wake(gauge, LONGEST_CALM)
    assert calm_needed(gauge, queue) == CALM


def test_after_a_rest_nothing_is_left_out() -> None:
    gauge = LoadGauge()
    wake(gauge, WINDOW, VERY_LATE)
    gauge.rests()
    assert set(levels(gauge, WINDOW)) == {LoadLevel.NORMAL}
    found = []
    for _ in range(MANY):
        wake(gauge, 1, VERY_LATE)
        found.append(gauge.level)
    assert found == [LoadLevel.NORMAL] * (MANY - 1) + [LoadLevel.NO_TURN_MODEL]


def test_time_is_counted_by_level() -> None:
    gauge = LoadGauge()
    wake(gauge, 100)
    wake(gauge, MANY, VERY_LATE)
    wake(gauge, 45)
    assert gauge.seconds == pytest.approx(
        {LoadLevel.NORMAL: 2.08, LoadLevel.NO_TURN_MODEL: 0.92, LoadLevel.NO_SPECULATION: 0.0}
    )
