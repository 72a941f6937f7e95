"""Settings of incoming calls: which agent answers which call, and who is not let in."""

from __future__ import annotations

import re
from datetime import date
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator, model_validator

from trunkline import opening_hours
from trunkline.models import ANONYMOUS
from trunkline.opening_hours import OpeningHours
from trunkline.settings.section import Section

_PATTERN = re.compile(rf"{ANONYMOUS}|\*|\+?[0-9]{{1,15}}\*?")


def _check_patterns(patterns: tuple[str, ...]) -> tuple[str, ...]:
    for pattern in patterns:
        if not _PATTERN.fullmatch(pattern):
            raise ValueError(f"{pattern!r} is neither a number, nor the beginning of some (+1415*), nor {ANONYMOUS}")
    return patterns


class HoursSettings(Section):
    """`[incoming.hours.NAME]`: when somebody is there."""

    time_zone: str = "UTC"
    """Where the clock hangs, as `Europe/Berlin`."""
    open: tuple[str, ...] = ("mon-fri 09:00-17:00",)
    """Days and times, as `mon-fri 09:00-17:00` and `sat,sun 10:00-24:00`."""
    holidays: tuple[date, ...] = ()
    """Days that are closed, as `2026-12-25`."""

    @field_validator("time_zone")
    @classmethod
    def _zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            raise ValueError(f"{name!r} is not a time zone such as Europe/Berlin") from None
        return name

    @field_validator("open")
    @classmethod
    def _lines(cls, lines: tuple[str, ...]) -> tuple[str, ...]:
        opening_hours.parse(lines)
        return lines

    @property
    def times(self) -> OpeningHours:
        return OpeningHours(ZoneInfo(self.time_zone), opening_hours.parse(self.open), frozenset(self.holidays))


class RouteSettings(Section):
    """`[incoming.routes.NAME]`: calls one agent answers. All its conditions must fit; the first that does counts."""

    agent: str
    """Who answers."""
    called: tuple[str, ...] = ()
    """Numbers that were called, or the beginning of some (`+1415*`); empty: any."""
    caller: tuple[str, ...] = ()
    """Numbers that call, the beginning of some, or `anonymous`; empty: any."""
    hours: str = ""
    """Only while these hours are open: the name of an `[incoming.hours.NAME]`; empty: always."""

    _patterns = field_validator("called", "caller")(_check_patterns)


class IncomingSettings(Section):
    """`[incoming]`: calls that come in."""

    agent: str = ""
    """Who answers what no route fits; empty: the default agent, or the first there is."""
    blocked: tuple[str, ...] = ()
    """Callers who are turned away: numbers, the beginning of some (`+1900*`), or `anonymous`."""
    max_calls: int | None = Field(None, ge=0)
    """Incoming calls at the same time; empty: only `service.max_calls` counts."""
    full_message: str = "I'm sorry, all our lines are busy at the moment. Please call again in a few minutes. Goodbye."
    """Said to callers beyond that; empty: they hear the busy tone."""
    routes: dict[str, RouteSettings] = Field(default_factory=dict)
    """Who answers what, by name, in this order."""
    hours: dict[str, HoursSettings] = Field(default_factory=dict)
    """Opening hours by name."""

    _patterns = field_validator("blocked")(_check_patterns)

    @model_validator(mode="after")
    def _known_hours(self) -> IncomingSettings:
        for name, route in self.routes.items():
            if route.hours and route.hours not in self.hours:
                raise ValueError(
                    f"routes.{name}.hours names {route.hours!r}: there is no [incoming.hours.{route.hours}]"
                )
        return self
