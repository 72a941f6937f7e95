"""When somebody is there: lines such as `mon-fri 09:00-17:00`, in a time zone, but for holidays. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Final
from zoneinfo import ZoneInfo

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY: Final = "|".join(DAYS)
_LINE: Final = re.compile(
    rf"(?P<days>(?:{_DAY})(?:-(?:{_DAY}))?(?:,(?:{_DAY})(?:-(?:{_DAY}))?)*)"
    r" (?P<opens>[0-2][0-9]:[0-5][0-9])-(?P<closes>[0-2][0-9]:[0-5][0-9])"
)
_MIDNIGHT: Final = "24:00"
MINUTES_OF_A_DAY: Final = 24 * 60


@dataclass(frozen=True, slots=True)
class OpeningHours:
    """`spans`: (day of the week, Monday 0; first minute of the day; first minute behind)."""

    time_zone: ZoneInfo
    spans: tuple[tuple[int, int, int], ...]
    holidays: frozenset[date] = frozenset()

    def open_at(self, moment: datetime) -> bool:
        """`moment` knows its time zone."""
        local = moment.astimezone(self.time_zone)
        if local.date() in self.holidays:
            return False
        minute = _minutes(local.time())
        return any(day == local.weekday() and opens <= minute < closes for day, opens, closes in self.spans)


def parse(lines: Iterable[str]) -> tuple[tuple[int, int, int], ...]:
    """The spans of `mon-fri 09:00-17:00`, `sat,sun 10:00-24:00` and the like. Raises `ValueError`."""
    return tuple(span for line in lines for span in _spans(line))


def _spans(line: str) -> list[tuple[int, int, int]]:
    match = _LINE.fullmatch(line.strip().lower())
    if match is None:
        raise ValueError(f"{line!r} is not a line such as 'mon-fri 09:00-17:00'")
    opens, closes = _clock(match["opens"], line), _clock(match["closes"], line)
    if opens >= closes:
        raise ValueError(f"{line!r} ends before it begins: write a night as two lines, the second from 00:00 on")
    return [(day, opens, closes) for part in match["days"].split(",") for day in _days(part)]


def _days(part: str) -> list[int]:
    first, _, last = part.partition("-")
    begin, end = DAYS.index(first), DAYS.index(last or first)
    return [day % 7 for day in range(begin, end + 1 if begin <= end else end + 8)]


def _clock(text: str, line: str) -> int:
    if text == _MIDNIGHT:
        return MINUTES_OF_A_DAY
    try:
        return _minutes(time.fromisoformat(text))
    except ValueError:
        raise ValueError(f"{line!r}: {text} is no time of the day") from None


def _minutes(of: time) -> int:
    return of.hour * 60 + of.minute
