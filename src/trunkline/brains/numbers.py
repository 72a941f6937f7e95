"""Numbers as they are spoken: "twenty-five", "four one five, double five", "the twelfth"; and said back in words."""

from __future__ import annotations

import re

_UNITS = [
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_ORDINALS = [
    *("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh"),
    *("twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth", "eighteenth", "nineteenth"),
]
_ORDINAL_TENS = {"twentieth": 20, "thirtieth": 30}

CARDINALS = {word: value for value, word in enumerate(_UNITS)} | {word: 20 + 10 * n for n, word in enumerate(_TENS)}
ORDINALS = {word: value for value, word in enumerate(_ORDINALS, 1)} | _ORDINAL_TENS
_CARDINAL = re.compile(rf"\b(?:({'|'.join(_TENS)})[ -]({'|'.join(_UNITS[1:10])})|({'|'.join(CARDINALS)}))\b")
_ORDINAL = re.compile(
    rf"\b(?:({'|'.join(_TENS)})[ -]({'|'.join(_ORDINALS[:9])})|({'|'.join(_ORDINALS)}|{'|'.join(_ORDINAL_TENS)}))\b"
)
_HUNDREDS = re.compile(r"\b(\d{1,2}|a) hundred(?: and)?(?: (\d{1,2})\b)?")
_THOUSANDS = re.compile(r"\b(\d{1,3}|a) thousand(?: and)?(?: (\d{1,3})\b)?")
_AMOUNTS = {
    "half a dozen": 6,
    "a dozen": 12,
    "a couple": 2,
    "just me": 1,
    "nobody": 0,
    "none": 0,
    "once": 1,
    "twice": 2,
}
_ZEROS = frozenset(("oh", "o", "nought"))
_DIGIT_HOMOPHONES = {"for": "4", "fore": "4", "to": "2", "too": "2", "ate": "8", "won": "1", "tree": "3", "free": "3"}


def digitise(text: str) -> str:
    """Number words of lower-case text become figures: "three thirty" → "3 30", "the twenty first" → "the 21th"."""

    def ordinal(match: re.Match[str]) -> str:
        ten, one, alone = match.groups()
        return f"{CARDINALS[ten] + ORDINALS[one] if ten else ORDINALS[alone]}th"

    def cardinal(match: re.Match[str]) -> str:
        ten, one, alone = match.groups()
        return str(CARDINALS[ten] + CARDINALS[one] if ten else CARDINALS[alone])

    return _CARDINAL.sub(cardinal, _ORDINAL.sub(ordinal, text))


def quantity(text: str) -> int | None:
    """The first number said: "there will be twenty-five of us" → 25."""

    def hundreds(match: re.Match[str]) -> str:
        return str((1 if match[1] == "a" else int(match[1])) * 100 + int(match[2] or 0))

    def thousands(match: re.Match[str]) -> str:
        return str((1 if match[1] == "a" else int(match[1])) * 1000 + int(match[2] or 0))

    text = re.sub(r"(?<=\d),(?=\d{3}\b)", "", text.lower())
    for words, value in _AMOUNTS.items():
        text = re.sub(rf"\b{words}\b", str(value), text)
    text = _THOUSANDS.sub(thousands, _HUNDREDS.sub(hundreds, digitise(text)))
    found = re.search(r"(?<![\w.])\d{1,9}(?!\w)", text)
    return int(found[0]) if found else None


def digits(text: str) -> str:
    """All digits said, one by one or in groups: "four one five, double five, 0100" → "415550100"."""
    words = re.findall(r"[a-z]+|\d+", digitise(text.lower()))
    found = ""
    repeat = 1
    for before, word, after in zip(["", *words], words, [*words[1:], ""], strict=False):
        if word in ("double", "triple", "treble"):
            repeat = 2 if word == "double" else 3
            continue
        figure = word if word.isdigit() else ""
        if word in _ZEROS and (before.isdigit() or after.isdigit() or repeat > 1):
            figure = "0"
        elif word in _DIGIT_HOMOPHONES and before.isdigit() and after.isdigit():
            figure = _DIGIT_HOMOPHONES[word]
        found += figure * repeat if len(figure) == 1 else figure
        repeat = 1
    return found


def cardinal_words(number: int) -> str:
    """0 to 99 in words."""
    if number < 20:
        return _UNITS[number]
    return _TENS[number // 10 - 2] + (f"-{_UNITS[number % 10]}" if number % 10 else "")


def ordinal_words(number: int) -> str:
    """1 to 39 in words."""
    if number < 20:
        return _ORDINALS[number - 1]
    if number % 10:
        return f"{_TENS[number // 10 - 2]}-{_ORDINALS[number % 10 - 1]}"
    return next(word for word, value in _ORDINAL_TENS.items() if value == number)


def digit_words(figures: str) -> str:
    """Digits to be read out, in groups of three: "four one five, five five five"."""
    groups = [figures[place : place + 3] for place in range(0, len(figures), 3)]
    if len(groups) > 1 and len(groups[-1]) == 1:
        groups[-2:] = [groups[-2] + groups[-1]]
    return ", ".join(" ".join(_UNITS[int(figure)] for figure in group) for group in groups)
