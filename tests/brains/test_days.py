from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.brains.days import read_day, say_day

TODAY = date(2026, 2, 9)  # a Monday


@pytest.mark.parametrize(
    ("said", "day"),
    [
        ("Thursday.", (2, 12)),
        ("on thursday please", (2, 12)),
        ("Monday", (2, 16)),  # today is one: the coming one is meant
        ("this Friday", (2, 13)),
        ("next Tuesday", (2, 17)),
        ("next week Tuesday", (2, 17)),
        ("Tuesday next week", (2, 17)),
        ("next week on Tuesday", (2, 17)),
        ("Tuesday week", (2, 17)),
        ("a week on Thursday", (2, 19)),
        ("the following Wednesday", (2, 18)),
        ("tomorrow", (2, 10)),
        ("the day after tomorrow", (2, 11)),
        ("today, if that's possible", (2, 9)),
        ("in three days", (2, 12)),
        ("in a week", (2, 16)),
        ("in two weeks", (2, 23)),
        ("a week from today", (2, 16)),
        ("the twelfth", (2, 12)),
        ("the 12th.", (2, 12)),
        ("the eighth", (3, 8)),
        ("the thirty-first", (3, 31)),
        ("the twenty first", (2, 21)),
        ("Twelfth.", (2, 12)),
        ("Thursday the twelfth", (2, 12)),
        ("Thursday, the twelfth", (2, 12)),
        ("Friday the first", (5, 1)),  # the first that is a Friday
        ("Thursday the eleventh", (6, 11)),
        ("the second of March", (3, 2)),
        ("March 2nd", (3, 2)),
        ("March the second", (3, 2)),
        ("on March second", (3, 2)),
        ("2 March", (3, 2)),
        ("the 3rd of June", (6, 3)),
        ("2026-03-04", (3, 4)),
        ("I can't do Thursday, but Friday", (2, 13)),
        ("Not Thursday. Friday.", (2, 13)),
        ("Thursday, no, Friday", (2, 13)),
        ("Friday instead of Thursday", (2, 13)),
        ("Thursday doesn't work, how about Wednesday?", (2, 11)),
        # as a telephone transcript has it
        ("thirsty", (2, 12)),
        ("Thirst day", (2, 12)),
        ("choose day", (2, 10)),
        ("chews day at four", (2, 10)),
        ("Wensday", (2, 11)),
        ("when's day", (2, 11)),
        ("fry day", (2, 13)),
        ("Satur day", (2, 14)),
        ("uh, um, Thurs", (2, 12)),
    ],
)
def test_days_that_are_meant(said: str, day: tuple[int, int]) -> None:
    assert read_day(said, TODAY) == date(2026, *day)


@pytest.mark.parametrize(
    "said",
    [
        "",
        "any day",
        "one day",
        "some day next month",
        "the first thing in the morning",
        "the second one",
        "I can't do Thursday",
        "Thursday is bad",
        "I'm away on Friday",
        "good day",
        "my birthday",
        "it was a fruit",
        "start again",
        "the thirtieth of February",
        "2026-02-30",
        "half past three",
    ],
)
def test_what_is_no_day(said: str) -> None:
    assert read_day(said, TODAY) is None


@pytest.mark.parametrize("said", ["the weather is nice today", "twelve", "12"])
def test_unasked_less_counts_as_a_day(said: str) -> None:
    assert read_day(said, TODAY, asked=False) is None
    assert read_day(said, TODAY, asked=True) is not None


def test_next_week_begins_on_monday() -> None:
    sunday = date(2026, 2, 15)
    assert read_day("next Tuesday", sunday) == date(2026, 2, 17)
    assert read_day("Tuesday", sunday) == date(2026, 2, 17)


def test_a_leap_day_is_one_in_a_leap_year() -> None:
    assert read_day("the 29th of February", date(2027, 3, 1)) == date(2028, 2, 29)
    assert read_day("the 29th of February", date(2026, 2, 9)) is None


@pytest.mark.parametrize(
    ("day", "words"),
    [
        ((2026, 2, 12), "Thursday the twelfth"),
        ((2026, 2, 28), "Saturday the twenty-eighth"),
        ((2026, 3, 2), "Monday the second of March"),
        ((2026, 2, 20), "Friday the twentieth"),
        ((2026, 3, 31), "Tuesday the thirty-first of March"),
        ((2026, 4, 30), "Thursday the thirtieth of April"),
    ],
)
def test_days_said_back(day: tuple[int, int, int], words: str) -> None:
    assert say_day(date(*day), TODAY) == words


@given(today=st.dates(date(2024, 1, 1), date(2040, 1, 1)), ahead=st.integers(1, 330))
def test_what_is_said_back_is_understood_again(today: date, ahead: int) -> None:
    day = today + timedelta(days=ahead)
    assert read_day(say_day(day, today), today) == day
