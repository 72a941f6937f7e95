"""Whether it is a time at which somebody may be called, by their own clock. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from trunkline.errors import OutsideCallingHours
from trunkline.opening_hours import OpeningHours, parse
from trunkline.phone_numbers import time_zones

STEP: Final = timedelta(minutes=15)
AHEAD: Final = timedelta(days=8)
"""How far ahead the next open moment is looked for: a week, and the day on which a clock is changed."""


def check_hours(number: str, lines: Sequence[str], now: datetime) -> None:
    """`lines` as `mon-fri 09:00-17:00`; none: at any time. Raises `OutsideCallingHours`.

    An area code or a mobile number may be in several time zones: then it has to be open in all of them.
    """
    if not lines:
        return
    clocks = _clocks(time_zones(number), lines, now)
    if not clocks:
        raise OutsideCallingHours(
            f"Nobody knows what time it is at {number}.",
            remedy="Call it by hand, or leave its country out of dialling.hours.",
        )
    if _open(clocks, now):
        return
    times = sorted({f"{now.astimezone(clock.time_zone):%H:%M}" for clock in clocks})
    opens = _next_open(clocks, now)
    when = f"from {opens.isoformat()} on" if opens else "at no time at which all its time zones are open"
    raise OutsideCallingHours(
        f"It is {' or '.join(times)} at {number}, outside the hours in which people there are called.",
        remedy=f"It may be called {when} (dialling.hours).",
        opens=opens.isoformat() if opens else None,
        zones=[clock.time_zone.key for clock in clocks],
    )


def _clocks(zones: Sequence[ZoneInfo], lines: Sequence[str], now: datetime) -> list[OpeningHours]:
    """One for each time it is there at this moment."""
    by_offset = {now.astimezone(zone).utcoffset(): zone for zone in zones}
    return [OpeningHours(zone, parse(lines)) for zone in by_offset.values()]


def _open(clocks: Sequence[OpeningHours], moment: datetime) -> bool:
    return all(clock.open_at(moment) for clock in clocks)


def _next_open(clocks: Sequence[OpeningHours], now: datetime) -> datetime | None:
    moment = now.replace(minute=now.minute - now.minute % 15, second=0, microsecond=0)
    for step in range(1, AHEAD // STEP):
        if _open(clocks, moment + step * STEP):
            return moment + step * STEP
    return None
