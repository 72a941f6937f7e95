"""Settings of who may be called: where, when, how often, at what cost."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints, field_validator

from trunkline import opening_hours
from trunkline.settings.section import Section

HOURS: Final = {"us": "mon-sun 08:00-21:00", "india": "mon-sun 09:00-21:00"}
"""Calling hours by name: 47 CFR 64.1200(c)(1), and TRAI's ban on commercial calls between 9 p.m. and 9 a.m."""
ELSEWHERE: Final = "*"
Deniable = Literal[
    "premium", "shared-cost", "satellite", "personal", "pager", "voicemail", "unknown", "voip", "toll-free", "company"
]
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]


class DiallingSettings(Section):
    """`[dialling]`: who may be called. What is refused is told with a code, and kept for `GET /refusals`."""

    stopped: bool = False
    """Nobody is called while this is true; `trunkline dialling stop` does the same without a restart."""
    countries: tuple[Country, ...] = ()
    """Countries that may be called, as `["US", "CA"]`; +1 is many. Empty: those of `trunk.caller_ids`."""
    denied_types: tuple[Deniable, ...] = (
        "premium",
        "shared-cost",
        "satellite",
        "personal",
        "pager",
        "voicemail",
        "unknown",
    )
    """Kinds of numbers that are not called. `personal` ones are forwarded anywhere, `unknown` ones belong to no range
    of their country's plan; emergency numbers and short codes are never called."""
    hours: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """When people may be called, by their own clock: country → lines as `mon-fri 09:00-17:00`, or `us` or `india`;
    the country `*` stands for all others. Empty: at any time."""
    consent_required: bool = False
    """Whether `variables.consent` has to say how the person agreed to be called."""
    calls_per_number: int | None = Field(None, ge=1)
    """Calls to the same number in 24 hours; empty: any number of them."""
    calls_per_day: int | None = Field(None, ge=1)
    """Calls and transfers in 24 hours; empty: any number of them."""
    spend_per_day: float | None = Field(None, gt=0)
    """What calls and transfers may cost in 24 hours, by `prices`; a call counts as its longest until it has ended."""
    prices: dict[str, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)
    """Price of a minute by the beginning of the number, as `{"+1" = 0.014, "+91" = 0.05}`; the longest that fits
    counts."""
    heed_stop: bool = True
    """Whether people who say "stop calling me" to an agent are put on the do-not-call list."""
    stop_reply: str = "I understand. I've taken note of it, and you won't be called again. Goodbye."
    """What they are told before the agent hangs up."""

    @field_validator("hours")
    @classmethod
    def _hours(cls, hours: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        for country, lines in hours.items():
            if not re.fullmatch(r"[A-Z]{2}|\*", country):
                raise ValueError(f"{country!r} is no country such as US, and not *")
            opening_hours.parse(HOURS.get(line, line) for line in lines)
        return hours

    @field_validator("prices")
    @classmethod
    def _prices(cls, prices: dict[str, float]) -> dict[str, float]:
        for prefix in prices:
            if not re.fullmatch(r"\+[1-9][0-9]{0,14}", prefix):
                raise ValueError(f"{prefix!r} is not the beginning of a number such as +1")
        return prices

    def hours_in(self, country: str) -> tuple[str, ...]:
        """The lines for this country; none: at any time."""
        return tuple(HOURS.get(line, line) for line in self.hours.get(country, self.hours.get(ELSEWHERE, ())))

    def price(self, number: str) -> float | None:
        """Of a minute to this number (E.164), where one is known."""
        fitting = [prefix for prefix in self.prices if number.startswith(prefix)]
        return self.prices[max(fitting, key=len)] if fitting else None
