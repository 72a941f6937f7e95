"""Opening hours: what the lines mean, in the time zone they are meant in."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from trunkline.opening_hours import OpeningHours, parse

BERLIN = ZoneInfo("Europe/Berlin")
OFFICE = OpeningHours(BERLIN, parse(["mon-fri 09:00-17:00", "sat 10:00-12:00"]), frozenset({date(2026, 12, 25)}))


@pytest.mark.parametrize(
    ("moment", "open_"),
    [
        ("2026-11-23 08:59", False),  # a Monday
        ("2026-11-23 09:00", True),
        ("2026-11-23 16:59", True),
        ("2026-11-23 17:00", False),
        ("2026-11-28 11:00", True),
        ("2026-11-28 13:00", False),
        ("2026-11-29 11:00", False),
        ("2026-12-25 11:00", False),  # a Friday, and a holiday
    ],
)
def test_an_office_in_berlin(moment: str, open_: bool) -> None:
    there = datetime.fromisoformat(moment).replace(tzinfo=BERLIN)
    assert OFFICE.open_at(there) is open_
    assert OFFICE.open_at(there.astimezone(UTC)) is open_


def test_summer_time_is_the_clock_on_the_wall() -> None:
    assert OFFICE.open_at(datetime(2026, 7, 1, 7, 30, tzinfo=UTC))
    assert not OFFICE.open_at(datetime(2026, 12, 1, 7, 30, tzinfo=UTC))


@pytest.mark.parametrize(
    ("line", "days"),
    [
        ("mon 09:00-10:00", {0}),
        ("Sat-Mon 09:00-10:00", {5, 6, 0}),
        ("mon,wed-thu 09:00-10:00", {0, 2, 3}),
        ("sun-sat 00:00-24:00", {0, 1, 2, 3, 4, 5, 6}),
        ("mon-sun 00:00-24:00", {0, 1, 2, 3, 4, 5, 6}),
    ],
)
def test_days(line: str, days: set[int]) -> None:
    spans = parse([line])
    assert {day for day, _, _ in spans} == days
    assert len(spans) == len(days)


@pytest.mark.parametrize(
    "line",
    ["", "monday 9-17", "mon 9:00-17:00", "mon 17:00-09:00", "mon 09:00-25:00", "mon 24:00-24:00", "foo 09:00-1"],
)
def test_what_is_no_such_line(line: str) -> None:
    with pytest.raises(ValueError, match=r"mon-fri 09:00-17:00|begins|no time"):
        parse([line])
