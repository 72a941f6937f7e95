"""Slots: what a script wants to know, read out of a sentence or typed keys by rules, one reader per kind."""

from __future__ import annotations

import re
from datetime import date, datetime, time
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, model_validator

from trunkline.brains.days import WEEKDAYS, read_day, say_day
from trunkline.brains.numbers import CARDINALS, digit_words, digits, quantity
from trunkline.brains.times import read_time, say_time
from trunkline.brains.words import FILLERS, PARTICLES, STOP_WORDS, words

SlotValue = str | int | date | time
Kind = Literal["name", "day", "time", "number", "digits", "yes_no", "text"]

_NAME_LEAD = re.compile(
    r"\b(?:my name is|my name's|the name is|the name's|name is|this is|i am|i'm|it is|it's|call me|speaking is)\s+",
    re.IGNORECASE,
)
_NAME_WORD = re.compile(r"[A-Za-zÀ-ÖØ-öø-ÿ]+(?:['’\-][A-Za-zÀ-ÖØ-öø-ÿ]+)*")
_TITLE = re.compile(r"\b(Dr|Mr|Mrs|Ms|Prof)\.")
_NO_NAMES = (
    frozenset(CARDINALS)
    | FILLERS
    | PARTICLES
    | STOP_WORDS
    | words(
        "what who why when where how not speaking here goodbye bye thanks thank calling busy sorry afraid fine good "
        "hello number wrong stop wait moment repeat again know want need but because very too about i'm it's"
    )
)


class Entry(BaseModel):
    """An entry of a script file."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Several = Annotated[tuple[str, ...], BeforeValidator(lambda value: (value,) if isinstance(value, str) else value)]
"""One text, or a list of them. Of sentences they are variants, and one is picked."""


def _time_of_day(value: object) -> object:
    if isinstance(value, time):
        return value
    if isinstance(value, str) and re.fullmatch(r"([01]?\d|2[0-3]):[0-5]\d", value):
        hour, minute = value.split(":")
        return time(int(hour), int(minute))
    raise ValueError(f"{value!r} is not a time of day; write it as 15:30")


TimeOfDay = Annotated[time, BeforeValidator(_time_of_day)]
Weekday = Annotated[
    Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"],
    BeforeValidator(lambda value: value.lower() if isinstance(value, str) else value),
]


class Slot(Entry):
    """One thing to be found out, as a script declares it."""

    kind: Kind
    earliest: TimeOfDay | None = None
    """Of a time: earlier ones are refused."""
    latest: TimeOfDay | None = None
    only: Annotated[
        tuple[Weekday, ...], BeforeValidator(lambda value: (value,) if isinstance(value, str) else value)
    ] = ()
    """Of a day: other weekdays are refused."""
    least: int | None = None
    """Of a number: smallest; of digits: fewest."""
    most: int | None = None
    instead_of: str | None = None
    """Variable this takes the place of: a value equal to it is no news ("Yes, Thursday is fine")."""
    refuse: Several = ()
    """Said when a value lies outside these limits."""

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: object) -> object:
        return {"kind": value} if isinstance(value, str) else value

    def accepts(self, value: SlotValue, today: date) -> bool:
        match value:
            case time():
                return (self.earliest is None or value >= self.earliest) and (
                    self.latest is None or value <= self.latest
                )
            case date():
                return value >= today and (not self.only or WEEKDAYS[value.weekday()] in self.only)
            case int() | str() if self.kind in ("number", "digits"):
                size = value if isinstance(value, int) else len(value)
                return (self.least is None or size >= self.least) and (self.most is None or size <= self.most)
        return True

    def read(self, text: str, now: datetime, *, asked: bool) -> SlotValue | None:
        """The value said in `text`. `asked`: the agent has just asked for it, so that less will do."""
        value: SlotValue | None = None
        match self.kind:
            case "day":
                value = read_day(text, now.date(), asked=asked)
            case "time":
                value = read_time(text, earliest=self.earliest, latest=self.latest, asked=asked)
            case "name":
                value = read_name(text, asked=asked)
            case "number" if asked:
                value = quantity(text)
            case "digits" if asked:
                value = digits(text) or None
            case "text" if asked:
                value = text.strip() or None
        return value

    def typed(self, keys: str) -> SlotValue | None:
        """The value of pressed keys: `1530` is a time, `4#` a number. `None`: this kind can't be typed."""
        figures = keys.rstrip("#")
        if not figures.isdigit():
            return None
        match self.kind:
            case "digits":
                return figures
            case "number":
                return int(figures)
            case "time":
                return read_time(figures, earliest=self.earliest, latest=self.latest)
            case _:
                return None

    def spoken(self, value: SlotValue, today: date) -> str:
        """How the agent says it."""
        match value:
            case time():
                return say_time(value)
            case date():
                return say_day(value, today)
            case str() if self.kind == "digits":
                return digit_words(value)
        return str(value)


def read_name(text: str, *, asked: bool = True) -> str | None:
    """A name of up to four words: after "my name is" and its like; when asked for, also the bare answer."""
    text = _TITLE.sub(r"\1", text)
    led = [text[lead.end() :] for lead in _NAME_LEAD.finditer(text)]
    for candidate in [*reversed(led), *(re.split(r"[,.;!?]+", text) if asked else ())]:
        if (name := _leading_name(candidate)) and (asked or name[0].isupper()):
            return " ".join(word if word[0].isupper() else word.capitalize() for word in name.split())
    return None


def _leading_name(text: str) -> str | None:
    """The words at the head of `text` that can be a name."""
    words: list[str] = []
    for piece in text.split():
        word = piece.strip(',.:;!?"')
        if not _NAME_WORD.fullmatch(word) or word.lower() in _NO_NAMES:
            break
        words.append(word)
        if piece[-1] in ",.;!?":
            break
    return " ".join(words) if 0 < len(words) <= 4 else None
