"""Days as people say them, and how to say them back: "next Tuesday", "the twelfth", "Thursday the second of July"."""

from __future__ import annotations

import re
from datetime import date, timedelta

from trunkline.brains.mentions import BLANK, Mention, meant, readable, spans
from trunkline.brains.numbers import ordinal_words
from trunkline.brains.words import likeness, words

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)

_MISHEARD = [
    (re.compile(rf"\b(?:{heard})\b"), meant_by_it)
    for heard, meant_by_it in (
        ("(?:choose|chews|tues|two's|twos) ?day|tues", "tuesday"),
        ("(?:when is|wins|wens|wednes|wedness) ?day|weds?", "wednesday"),
        ("(?:thirst|thurs|3th|3ths|thus) ?day|thurs?|thirsty", "thursday"),
        ("to morrow|tomorr?o|tomm?orow", "tomorrow"),
    )
]
_KNOWN_WORDS = words("today yesterday holiday birthday midday weekday someday everyday monthly sundays")
_NO_WEEKDAY_BEFORE_DAY = words("a one some any every that the this other all each same good what which next")

_DAY = rf"(?P<weekday>{'|'.join(WEEKDAYS)})"
_MONTH = rf"(?P<month>{'|'.join(MONTHS)})"
_NTH = r"(?P<nth>\d{1,2})th"
_NO_DATE = r"(?! (?:thing|1|time|half|option|choice|floor|week|appointment|question|of all)\b)"
_PATTERNS = [
    re.compile(pattern)
    for pattern in (
        r"\b(?P<iso>\d{4}-\d\d-\d\d)\b",
        rf"(?:\b{_DAY} (?:; )?)?(?:\bthe )?\b{_NTH}(?: of)? {_MONTH}\b",
        rf"(?:\b{_DAY} (?:; )?)?\b{_MONTH} (?:the )?(?P<nth>\d{{1,2}})(?:th)?\b(?! (?:am|pm|oclock)|:)",
        rf"(?:\b{_DAY} (?:; )?)?\b(?P<nth>\d{{1,2}}) {_MONTH}\b",
        rf"\b{_DAY} (?:; )?(?:the )?{_NTH}\b",
        rf"\bthe {_NTH}\b{_NO_DATE}",
        r"\b(?:a|(?P<count>\d{1,2})) (?P<unit>day|week)s? from (?:now|today)\b",
        r"\b(?P<after>day after tomorrow)\b",
        r"\b(?P<tomorrow>tomorrow)\b",
        r"\b(?P<today>today|tonight|this (?:morning|afternoon|evening))\b",
        r"\bin (?:a |(?P<count>\d{1,2}) )(?P<unit>day|week)s?\b",
        rf"\b(?P<week>a week) (?:on |from )?{_DAY}\b",
        rf"\b{_DAY} (?P<week>in a week|week)\b",
        rf"\b(?:(?P<which>next|this|coming|following) (?:week )?(?:on )?)?{_DAY}(?: (?P<later>next|this) week)?\b",
    )
]
_ALONE = re.compile(r"(?:(?:on|say) )?(?:(?P<nth>\d{1,2})th|(?P<bare>\d{1,2}))")


def read_day(text: str, today: date, *, asked: bool = True) -> date | None:
    """The day that is meant, counted from `today`; `asked` also takes a bare "twelfth", and "today",
    which otherwise is said of the weather as well.
    """
    text = _repair(readable(text))
    found = [(match, match.groupdict()) for match in spans(_PATTERNS, text)]
    mentions = [
        Mention(match.start(), match.end(), day)
        for match, parts in found
        if (asked or not parts.get("today")) and (day := _day(parts, today)) is not None
    ]
    if not mentions and asked:
        for clause in text.split(" ; "):
            if (alone := _ALONE.fullmatch(clause)) and (
                day := _day_of_month(int(alone["nth"] or alone["bare"]), today)
            ):
                return day
    return meant(mentions, text)


def without_days(text: str) -> str:
    """Readable text with the days blanked out, so that their figures aren't taken for a time."""
    text = _repair(text)
    for match in spans(_PATTERNS, text):
        text = text[: match.start()] + BLANK * (match.end() - match.start()) + text[match.end() :]
    return text


def say_day(day: date, today: date) -> str:
    """`Thursday the twelfth`; with the month when it is more than two weeks off and not this month."""
    spoken = f"{WEEKDAYS[day.weekday()].capitalize()} the {ordinal_words(day.day)}"
    near = abs(day - today) <= timedelta(days=14) or (day.year, day.month) == (today.year, today.month)
    return spoken if near else f"{spoken} of {MONTHS[day.month - 1].capitalize()}"


def _repair(text: str) -> str:
    """Weekdays the transcription got nearly right."""
    for pattern, day in _MISHEARD:
        text = pattern.sub(day, text)
    heard = text.split(" ")
    for place, word in enumerate(heard):
        if word == "day" and place and heard[place - 1] not in _NO_WEEKDAY_BEFORE_DAY:
            if weekday := _weekday_like(heard[place - 1] + "day"):
                heard[place - 1 : place + 1] = ["", weekday]
        elif weekday := _weekday_like(word):
            heard[place] = weekday
    return " ".join(word for word in heard if word)


def _weekday_like(word: str) -> str | None:
    if len(word) < 5 or word in _KNOWN_WORDS or word in WEEKDAYS:
        return word if word in WEEKDAYS else None
    alike, weekday = max((likeness(word, weekday), weekday) for weekday in WEEKDAYS)
    return weekday if alike else None


def _day(found: dict[str, str | None], today: date) -> date | None:
    weekday = WEEKDAYS.index(found["weekday"]) if found.get("weekday") else None
    match found:
        case {"iso": str(iso)}:
            day = _iso(iso)
        case {"nth": str(nth)}:
            month = MONTHS.index(found["month"]) + 1 if found.get("month") else None
            day = _day_of_month(int(nth), today, month=month, weekday=weekday)
        case {"after": str()}:
            day = today + timedelta(days=2)
        case {"tomorrow": str()}:
            day = today + timedelta(days=1)
        case {"unit": str(unit)}:
            day = today + int(found["count"] or 1) * timedelta(days=1 if unit == "day" else 7)
        case _:
            day = today if weekday is None else _coming(weekday, today, found)
    return day


def _iso(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _coming(weekday: int, today: date, found: dict[str, str | None]) -> date:
    """Plain and "this": the nearest one ahead. "Next": the one of the next calendar week (from Monday on)."""
    if "next" in (found.get("which"), found.get("later")) or found.get("which") == "following":
        return today + timedelta(days=7 - today.weekday() + weekday)
    ahead = today + timedelta(days=(weekday - today.weekday() - 1) % 7 + 1)
    return ahead + timedelta(days=7) if found.get("week") else ahead


def _day_of_month(nth: int, today: date, *, month: int | None = None, weekday: int | None = None) -> date | None:
    """The nearest such day, today or later; one that falls on `weekday` if there is one within a year."""
    candidates = []
    for ahead in range(13):
        year, index = divmod(today.year * 12 + today.month - 1 + ahead, 12)
        if month in (None, index + 1):
            try:
                candidates.append(date(year, index + 1, nth))
            except ValueError:
                continue
    candidates = [day for day in candidates if day >= today]
    fitting = [day for day in candidates if weekday is None or day.weekday() == weekday]
    return min(fitting or candidates, default=None)
