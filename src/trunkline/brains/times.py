"""Times of day as people say them, and how to say them back: "half past three", "15:30", "three in the afternoon"."""

from __future__ import annotations

import re
from datetime import time

from trunkline.brains.days import without_days
from trunkline.brains.mentions import BLANK, Mention, meant, readable, spans
from trunkline.brains.numbers import cardinal_words

_MISHEARD_HOURS = {"tree": 3, "free": 3, "for": 4, "fore": 4, "to": 2, "too": 2, "ate": 8, "won": 1, "tan": 10}
_MISHEARD_HOUR = "|".join(_MISHEARD_HOURS)
_MISHEARD = re.compile(
    rf"(?:(?<=\bat )|(?<=\bpast )|(?<=\bquarter to )|(?<=\bhalf )|(?<=\babout ))(?:{_MISHEARD_HOUR})\b(?! past)"
    rf"|\b(?:{_MISHEARD_HOUR})(?= (?:oclock|am|pm|15|30|45|in the (?:morning|afternoon|evening))\b)"
)
_HOUR = r"(?P<hour>[01]?\d|2[0-4])"
_OTHER_UNIT = r"(?! (?:days?|weeks?|hours?|minutes?|people|persons?|of us)\b)"
_PATTERNS = [
    re.compile(pattern)
    for pattern in (
        r"\b(?P<word>noon|midday|midnight)\b",
        rf"\b(?P<half>half) (?:past )?{_HOUR}\b{_OTHER_UNIT}",
        rf"\b(?:a )?quarter (?P<way>past|after|to|before|of|till?) {_HOUR}\b",
        rf"\b(?P<minutes>\d{{1,2}}) minutes? (?P<way>past|after|to|before) {_HOUR}\b",
        rf"\b(?P<minutes>5|10|20|25) (?P<way>past|after|to|before) {_HOUR}\b",
        rf"\b{_HOUR}[:.](?P<minute>[0-5]\d)\b",
        rf"\b{_HOUR} (?:oh |o )(?P<minute>\d)\b",
        rf"\b{_HOUR} (?P<minute>[0-5]\d)\b{_OTHER_UNIT}",
        rf"\b(?:at|around|about) {_HOUR}(?P<minute>[0-5]\d)\b{_OTHER_UNIT}",
        rf"\b{_HOUR}(?P<minute>[0-5]\d) (?:oclock|am|pm)\b",
        rf"\b{_HOUR} (?:oclock|am|pm)\b",
        rf"\b{_HOUR} (?=in the (?:morning|afternoon|evening)|at night|tonight)",
        rf"\b(?:at|around|about|by|after|before|until|till) (?:about |around )?{_HOUR}\b{_OTHER_UNIT}",
    )
]
_ALONE = re.compile(
    rf"(?:(?:on|at|say|then|make it|better|rather|no|yes|{BLANK}) ?)*"
    rf"{_HOUR}(?: ?(?P<minute>[0-5]\d))?"
    rf"(?: ?(?:then|is good|is fine|would be good|works|sharp|{BLANK}))*"
)
_MORNING = re.compile(r"\d am\b|\bmorning\b")
_LATER = re.compile(r"\d pm\b|\bafternoon\b|\bevening\b|\bat night\b|\btonight\b")


def read_time(
    text: str, *, earliest: time | None = None, latest: time | None = None, asked: bool = True
) -> time | None:
    """The time that is meant. "Three" alone is the three that lies between `earliest` and `latest`; without them
    seven to eleven are in the morning, twelve is noon, one to six in the afternoon. `asked` also takes a bare "three".
    """
    text = readable(text)
    part = "later" if _LATER.search(text) else "morning" if _MORNING.search(text) else None
    text = _MISHEARD.sub(lambda match: str(_MISHEARD_HOURS[match[0]]), without_days(text))
    if asked:
        text = _whole_mishearing(text)
    mentions = [
        Mention(match.start(), match.end(), at)
        for match in spans(_PATTERNS, text)
        if (at := _time(match.groupdict(), part, earliest, latest)) is not None
    ]
    if not mentions and asked:
        for clause in text.split(" ; "):
            if alone := _ALONE.fullmatch(clause.strip()):
                return _time(alone.groupdict(), part, earliest, latest)
    return meant(mentions, text)


def say_time(at: time) -> str:
    """`half past three`, `three o'clock`, `noon`; early and late hours say which half of the day they are in."""
    if at in (time(0), time(12)):
        return "midnight" if at.hour == 0 else "noon"
    half = " in the morning" if at.hour < 8 else " in the evening" if at.hour >= 18 else ""
    hour = cardinal_words((at.hour - 1) % 12 + 1)
    following = cardinal_words(at.hour % 12 + 1)
    match at.minute:
        case 0:
            words = hour if half else f"{hour} o'clock"
        case 15 | 30:
            words = f"{'half' if at.minute == 30 else 'quarter'} past {hour}"
        case 45:
            words = f"quarter to {following}"
        case minute if minute % 5 == 0:
            words = (
                f"{cardinal_words(minute)} past {hour}"
                if minute < 30
                else f"{cardinal_words(60 - minute)} to {following}"
            )
        case minute:
            words = f"{hour} {'oh ' if minute < 10 else ''}{cardinal_words(minute)}"
    return words + half


def _whole_mishearing(text: str) -> str:
    """ "Tree." as the whole answer to "what time?"."""
    return str(_MISHEARD_HOURS.get(text, text))


def _time(found: dict[str, str | None], part: str | None, earliest: time | None, latest: time | None) -> time | None:
    if word := found.get("word"):
        return time(0 if word == "midnight" else 12)
    written = found["hour"] or ""
    hour = int(written)
    if hour > 24:
        return None
    minute = _minute(found)
    if minute < 0:
        hour, minute = hour - 1, minute + 60
    hour %= 24
    if written.startswith("0") or int(written) > 12:
        return time(hour, minute)
    morning, later = time(hour % 12, minute), time(hour % 12 + 12, minute)
    if part is not None:
        return later if part == "later" else morning
    if earliest is not None and latest is not None:
        inside = [at for at in (morning, later) if earliest <= at <= latest]
        if len(inside) == 1:
            return inside[0]
    return morning if 7 <= morning.hour < 12 else later


def _minute(found: dict[str, str | None]) -> int:
    """Minutes past the hour named; negative for "quarter to"."""
    if minute := found.get("minute"):
        return int(minute)
    if way := found.get("way"):
        minutes = int(found.get("minutes") or 15)
        return minutes if way in ("past", "after") else -minutes
    return 30 if found.get("half") else 0
