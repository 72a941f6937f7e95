"""How many of the words that were said arrived: the recall of one text in another. English."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import Final

_UNITS: Final = tuple(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "  # noqa: SIM905
    "eighteen nineteen".split()
)
_TENS: Final = ["", "", *["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]]
_ORDINALS: Final = {
    "first": "one", "second": "two", "third": "three", "fifth": "five", "eighth": "eight", "ninth": "nine",
    "twelfth": "twelve", "twentieth": "twenty", "thirtieth": "thirty",
}  # fmt: skip


def plain_words(text: str, *, digit_by_digit: bool = False) -> list[str]:
    """The words as they sound: lower case, no punctuation, numbers written out ("26th" and "twenty-sixth" alike).

    "415" is four hundred fifteen, or four one five where it is read `digit_by_digit`.
    """
    text = text.lower().replace("’", "'").replace("%", " percent")
    text = re.sub(r"(\d+)(?:st|nd|rd|th)\b", r"\1", text)
    text = re.sub(r"\d+", lambda digits: f" {_number(digits.group(), apart=digit_by_digit)} ", text)
    words = re.findall(r"[a-z']+", text.replace("-", " "))
    return [_cardinal(word.strip("'").replace("o'clock", "oclock")) for word in words if word.strip("'")]


def share_heard(said: str, heard: str) -> float:
    """Share of the words of `said` that stand in `heard` in their order, 0 to 1; 1 when nothing was said."""
    return _share(plain_words(said), plain_words(heard))


def share_in(phrase: str, heard: str) -> float:
    """How much of `phrase` stands together somewhere in `heard`: the best share of any passage of about its length.

    A long text holds most short words somewhere; only together do they make the phrase. Numbers may be read either way.
    """
    readings = (
        (plain_words(phrase, digit_by_digit=apart), plain_words(heard, digit_by_digit=apart)) for apart in (False, True)
    )
    return max(_best_passage(wanted, found) for wanted, found in readings)


def _best_passage(wanted: list[str], found: list[str]) -> float:
    room = len(wanted) + max(1, len(wanted) // 3)
    starts = range(max(1, len(found) - len(wanted) + 1))
    return max(_share(wanted, found[start : start + room]) for start in starts)


def _share(wanted: list[str], found: list[str]) -> float:
    if not wanted:
        return 1.0
    matches = SequenceMatcher(None, wanted, found, autojunk=False).get_matching_blocks()
    return sum(match.size for match in matches) / len(wanted)


def _cardinal(word: str) -> str:
    if len(word) > 5 and word.endswith("our"):  # harbour and harbor are the same word
        word = word.removesuffix("our") + "or"
    if word in _ORDINALS:
        return _ORDINALS[word]
    stem = word.removesuffix("th")
    return stem if word != stem and stem in {*_UNITS, *_TENS} else word


def _number(digits: str, *, apart: bool) -> str:
    value = int(digits)
    if apart or digits.startswith("0") or value >= 10000:
        return " ".join(_UNITS[int(digit)] for digit in digits)
    words = []
    for size, name in ((1000, "thousand"), (100, "hundred")):
        if value >= size:
            words += [_UNITS[value // size], name]
            value %= size
    if value >= 20:
        words.append(_TENS[value // 10])
        value %= 10
    if value or not words:
        words.append(_UNITS[value])
    return " ".join(words)
