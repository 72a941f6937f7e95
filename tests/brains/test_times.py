from __future__ import annotations

from datetime import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.brains.times import read_time, say_time


@pytest.mark.parametrize(
    ("said", "at"),
    [
        ("half past three", (15, 30)),
        ("at half three", (15, 30)),
        ("three thirty", (15, 30)),
        ("3:30", (15, 30)),
        ("3.30 would be good", (15, 30)),
        ("at 330", (15, 30)),
        ("330", (15, 30)),
        ("15:30", (15, 30)),
        ("1530", (15, 30)),
        ("fifteen thirty", (15, 30)),
        ("three in the afternoon", (15, 0)),
        ("3 p.m.", (15, 0)),
        ("3pm", (15, 0)),
        ("three p m", (15, 0)),
        ("at three.", (15, 0)),
        ("Three.", (15, 0)),
        ("around three, maybe", (15, 0)),
        ("three o'clock", (15, 0)),
        ("nine", (9, 0)),
        ("nine in the evening", (21, 0)),
        ("tomorrow morning at ten", (10, 0)),
        ("tonight at eight", (20, 0)),
        ("noon", (12, 0)),
        ("twelve", (12, 0)),
        ("midday, please", (12, 0)),
        ("midnight", (0, 0)),
        ("12 a.m.", (0, 0)),
        ("quarter past two", (14, 15)),
        ("a quarter to three", (14, 45)),
        ("quarter to one", (12, 45)),
        ("ten past four", (16, 10)),
        ("twenty-five to five", (16, 35)),
        ("seven minutes past three", (15, 7)),
        ("three oh five", (15, 5)),
        ("07:45", (7, 45)),
        ("Thursday the twelfth at three", (15, 0)),
        ("March 2nd at ten thirty", (10, 30)),
        ("not at three, at four", (16, 0)),
        ("Thursday at three", (15, 0)),
        ("at three, no, at half past four", (16, 30)),
        # as a telephone transcript has it
        ("thirsty at tree", (15, 0)),
        ("Tree.", (15, 0)),
        ("at ate", (8, 0)),
        ("for o'clock", (16, 0)),
        ("too thirty", None),
        ("half past for", (16, 30)),
    ],
)
def test_times_that_are_meant(said: str, at: tuple[int, int] | None) -> None:
    assert read_time(said) == (time(*at) if at else time(14, 30))


@pytest.mark.parametrize(
    "said",
    [
        "",
        "in the morning",
        "Thursday the twelfth",
        "I need half an hour",
        "one moment",
        "that one is fine",
        "in two weeks",
        "at 25:00",
        "not at three",
        "we are four people",
        "my number is four one five five five five",
    ],
)
def test_what_is_no_time(said: str) -> None:
    assert read_time(said) is None


def test_a_bare_hour_counts_only_when_asked_for() -> None:
    assert read_time("Three.", asked=False) is None
    assert read_time("No, four.", asked=True) == time(16)


def test_opening_hours_decide_between_morning_and_evening() -> None:
    assert read_time("at eight", earliest=time(17), latest=time(23)) == time(20)
    assert read_time("at six", earliest=time(5), latest=time(12)) == time(6)


@pytest.mark.parametrize(
    ("at", "words"),
    [
        ((15, 30), "half past three"),
        ((15, 0), "three o'clock"),
        ((12, 0), "noon"),
        ((0, 0), "midnight"),
        ((12, 30), "half past twelve"),
        ((12, 45), "quarter to one"),
        ((9, 15), "quarter past nine"),
        ((7, 30), "half past seven in the morning"),
        ((20, 0), "eight in the evening"),
        ((14, 40), "twenty to three"),
        ((14, 5), "five past two"),
        ((14, 7), "two oh seven"),
        ((14, 52), "two fifty-two"),
    ],
)
def test_times_said_back(at: tuple[int, int], words: str) -> None:
    assert say_time(time(*at)) == words


@given(hour=st.integers(6, 22), minute=st.sampled_from(range(0, 60, 5)))
def test_what_is_said_back_is_understood_again(hour: int, minute: int) -> None:
    at = time(hour, minute)
    assert read_time(f"at {say_time(at)}", earliest=time(6), latest=time(17, 59)) == at or at.hour >= 18
    assert read_time(say_time(at)) in (at, time((hour + 12) % 24, minute))
