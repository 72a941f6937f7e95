"""Numbers, letters and dates as people dictate them and recognisers write them down: is this one finished?

Knows the North American telephone number (10 digits, 11 with the leading 1), numbers with a country code, e-mail
addresses, times and dates. The length of any other number is unknown, so it is never finished by itself.
"""

from __future__ import annotations

import enum
import re
from typing import Final


class Dictation(enum.Enum):
    GOING_ON = enum.auto()
    DONE = enum.auto()


_UNITS: Final = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
_TEENS: Final = [
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_TENS: Final = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_ONE_DIGIT: Final = frozenset((*_UNITS, "oh", "o", "niner"))
_TWO_DIGITS: Final = frozenset((*_TEENS, *_TENS))
_SOUNDS_LIKE_A_DIGIT: Final = frozenset(["for", "to", "too", "won", "ate", "tree", "fife", "nein"])
"""What recognisers make of 4, 2, 1, 8, 3, 5 and 9; a digit only beside another one."""
_BETWEEN: Final = frozenset(["dash", "hyphen", "minus", "space", "hundred", "thousand", "and", "then", "plus"])
_REPEATS: Final = {"double": 1, "triple": 2}
"""Digits that these add to the one that follows."""
_NATO: Final = frozenset(
    [
        "alpha",
        "alfa",
        "bravo",
        "charlie",
        "delta",
        "echo",
        "foxtrot",
        "golf",
        "hotel",
        "india",
        "juliet",
        "juliett",
        "kilo",
        "lima",
        "mike",
        "november",
        "oscar",
        "papa",
        "quebec",
        "romeo",
        "sierra",
        "tango",
        "uniform",
        "victor",
        "whiskey",
        "whisky",
        "xray",
        "yankee",
        "zulu",
    ]
)

_OTHER_NUMBER: Final = re.compile(r"\b(?:account|card|order|policy|reference|customer|tracking)\b")
_INTRODUCES_A_NUMBER: Final = re.compile(
    r"\b(?:number|digits|code|account|zip|pin|extension|area|policy|reference|order)\b|\b(?:reach|call|ring|text) me\b"
)
_NUMBER: Final = "|".join((*_UNITS[1:], *_TEENS, *_TENS, r"\d{1,2}"))
MONTH: Final = "january|february|march|april|may|june|july|august|september|october|november|december"
"""Names of months, as a part of a pattern."""
_WEEKDAY: Final = "monday|tuesday|wednesday|thursday|friday|saturday|sunday"
_DAY_OF_MONTH: Final = (
    r"(?:\d{1,2}(?:st|nd|rd|th)?|(?:(?:twenty|thirty) )?(?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth)"
    r"|tenth|eleventh|twelfth|thirteenth|fourteenth|fifteenth|sixteenth|seventeenth|eighteenth|nineteenth|twentieth"
    r"|thirtieth)"
)
_YEAR: Final = rf"(?:(?:19|20)\d\d|(?:nineteen|twenty) (?:oh )?(?:{_NUMBER})(?: (?:{_NUMBER}))?|two thousand[\w ]*)"
_TIME_OR_DATE: Final = re.compile(
    rf"(?:^|\s)(?:"
    rf"(?:{_NUMBER})(?: (?:\d\d|fifteen|thirty|forty five))? (?:am|pm|a m|p m|o'clock)(?: sharp)?"
    rf"|(?:at|around|by|past|before|after|until) (?:{_NUMBER})(?: (?:\d\d|fifteen|thirty|forty five))?"
    rf"|(?:on|next|this|last|every) (?:\w+day|week|month|weekend|morning|afternoon|evening)"
    rf"|^(?:on |maybe )?(?:{_WEEKDAY}|tomorrow|today)"
    rf"|(?:\w+day|tomorrow) (?:morning|afternoon|evening|night)|tonight|noon|midnight"
    rf"|{_DAY_OF_MONTH}(?: of)? (?:{MONTH})(?: {_YEAR})?|(?:{MONTH}) (?:the )?{_DAY_OF_MONTH}(?: {_YEAR})?"
    rf"|(?:{MONTH}) {_YEAR}|\d{{1,2}} \d{{1,2}} (?:19|20)\d\d)$"
)
_ENDS_IN_YEAR: Final = re.compile(
    rf"(?:^|\s)(?:{_YEAR}|\d{{1,2}} \d{{1,2}} \d\d|(?:{'|'.join(_TENS)})(?: (?:{'|'.join(_UNITS[1:])}))?|[3-9]\d)$"
)
"""People say "seventy two" for 1972; as a number it needs two digits."""
_DATE_WORD: Final = re.compile(rf"\b(?:{MONTH})\b|\b\d{{1,2}}(?:st|nd|rd|th)\b|\w(?:th|first|second|third)$")
_DOMAIN_ENDS: Final = re.compile(
    r"(?:\.|\bdot )(?:com|org|net|edu|gov|info|io|eu|de|fr|in|us|ca|co\.? ?(?:dot )?uk)\.?$"
)
_ADDRESS_BEGUN: Final = re.compile(r"@|\b(?:dot|underscore)\b|\bat (?:gmail|yahoo|hotmail|outlook|icloud|aol)\b")
_LETTERS_AT_END: Final = re.compile(
    r"(?:(?<!')\b[a-z](?:[-. ,]+(?:double[- ]|triple[- ])?[a-z])+|\b(?:double|triple)[- ][a-z]?)[.,]*$"
)
_LETTER_AS_IN: Final = re.compile(r"(?<!')\b[a-hj-z],? (?:as in|for|like)(?: \w+)?[.,]?$")
_MEASURES: Final = re.compile(
    r"(?:\b[ap]\.? ?m\.?|[$£€%]|\b(?:dollars|euros|pounds|percent|people|minutes|hours|days))$"
)
_TOKEN: Final = re.compile(r"\d+|[a-z]+(?:'[a-z]+)*")


def is_time_or_date(words: str) -> bool:
    """Whether lower-case `words` without punctuation end in a time of day, a day or a date that can stand so."""
    return bool(_TIME_OR_DATE.search(words))


def ends_in_year(words: str) -> bool:
    """Whether lower-case `words` without punctuation end in what can be a year of birth."""
    return bool(_ENDS_IN_YEAR.search(words))


def has_date_word(words: str) -> bool:
    """Whether a month or a day of one is among them."""
    return bool(_DATE_WORD.search(words))


def symbols(text: str, *, letters: bool = False) -> int:
    """How many digits and letters have been dictated in lower-case `text`: "my number is 415" has three.

    `letters`: they were asked for, so that a word may be what the recogniser made of them.
    """
    words = _TOKEN.findall(text)
    said = sum(_size(word) or int(word in _NATO or _is_letter(word, letters=letters)) for word in words)
    return max(map(len, words), default=0) if letters and said < 2 else said


def _is_letter(word: str, *, letters: bool) -> bool:
    return len(word) == 1 and (letters or word not in ("a", "i"))


def dictation(text: str, *, letters: bool = False, digits: bool = False, of_phone: bool = True) -> Dictation | None:
    """How far a dictation at the end of lower-case `text` has come; `None` where there is none.

    `letters`, `digits`: that is what was asked for, so that one of them is enough to know. `of_phone`: a number may be
    that of a telephone, whose length is known.
    """
    spelled = _letters(text, asked=letters)
    return spelled if spelled is not None else _digits(text, asked=digits or letters, of_phone=of_phone)


def _letters(text: str, *, asked: bool) -> Dictation | None:
    if _DOMAIN_ENDS.search(text):
        return Dictation.DONE
    if _ADDRESS_BEGUN.search(text):
        return Dictation.GOING_ON
    words = _TOKEN.findall(text)
    nato = [word in _NATO for word in words[-2:]]
    if _MEASURES.search(text) or not words:
        return None
    if _LETTERS_AT_END.search(text) or _LETTER_AS_IN.search(text) or (len(nato) == 2 and all(nato)):
        return Dictation.GOING_ON
    # Recognisers make one word of the letters they hear.
    said = [word for word in words if word not in ("it's", "its", "that's", "it", "is")]
    if asked and (len(said) <= 2 or any(nato[-1:]) or len(words[-1]) == 1):
        return Dictation.GOING_ON
    return None


def _digits(text: str, *, asked: bool, of_phone: bool) -> Dictation | None:
    words = _TOKEN.findall(text)
    run = _run_of_digits(words)
    if not run:
        # "It's four one time": the last digit was misheard, and there are more to come.
        return Dictation.GOING_ON if asked and any(map(_size, words)) else None
    if not asked and (_MEASURES.search(text) or not _looks_dictated(text, run)):
        return None
    return Dictation.DONE if of_phone and _is_whole_phone_number(text, sum(run), asked=asked) else Dictation.GOING_ON


def _is_whole_phone_number(text: str, digits: int, *, asked: bool) -> bool:
    if _OTHER_NUMBER.search(text):
        return False
    first = next((word for word in _TOKEN.findall(text) if _size(word)), "")
    if "+" in text or "plus " in text or first.startswith("1") or first == "one":
        return digits >= 11
    # One digit is easily heard twice.
    return digits == 10 or (asked and digits > 10)


def _looks_dictated(text: str, run: list[int]) -> bool:
    """Rather than a time, an amount or a year."""
    if is_time_or_date(" ".join(_TOKEN.findall(text))):
        return False
    return bool(_INTRODUCES_A_NUMBER.search(text)) or sum(size == 1 for size in run) >= 3 or sum(run) >= 5


def _run_of_digits(words: list[str]) -> list[int]:
    """How many digits each number word at the end of `words` stands for."""
    run: list[int] = []
    for at in range(len(words) - 1, -1, -1):
        word = words[at]
        size = _size(word)
        if size == 0 and word in _SOUNDS_LIKE_A_DIGIT and (run or (at > 0 and _size(words[at - 1]))):
            # "number is for one five": a digit only where its neighbours are.
            size = 1 if at == 0 or _size(words[at - 1]) or words[at - 1] in ("is", "it's") else 0
        if size:
            unit_of_tens = bool(run) and word in _TENS and run[-1] == 1 and words[at + 1] in _UNITS[1:]
            if unit_of_tens:
                run[-1] = 2
            else:
                run.append(size)
        elif word in _REPEATS and run:
            run[-1] += _REPEATS[word]
        elif not (word in _BETWEEN and run):
            break
    return run


def _size(word: str) -> int:
    if word.isdecimal():
        return len(word)
    return 1 if word in _ONE_DIGIT else 2 if word in _TWO_DIGITS else 0
