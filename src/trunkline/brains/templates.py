"""Sentences with blanks: `Hello[ {name}], this is {business}.`

`{name}` is a blank. What stands in square brackets is left out when a blank in it has no value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

BLANK = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_OPTIONAL = re.compile(r"\[([^\[\]]*)\]")
_SENTENCE_END = re.compile(r"(?<=[.?!])[\"'”’)]*\s+(?=\S)")
_ABBREVIATION = re.compile(r"(?:^|[\s.])(?:dr|mr|mrs|ms|st|no|prof|jr|sr|vs|e\.g|i\.e|[a-z])\.$", re.IGNORECASE)


def blanks(template: str, *, optional: bool = True) -> set[str]:
    """Names of the blanks; with `optional=False` only of those outside square brackets."""
    return set(BLANK.findall(template if optional else _OPTIONAL.sub("", template)))


def mistake(template: str) -> str | None:
    """What is wrong with the way it is written, or `None`."""
    rest = BLANK.sub("", template)
    if "{" in rest or "}" in rest:
        return "a blank is written {like_this}: a lower-case name in curly brackets"
    if "[" in (rest := _OPTIONAL.sub("", rest)) or "]" in rest:
        return "square brackets come in pairs, and not within each other"
    return None


def render(template: str, values: Mapping[str, str]) -> str:
    """Fill the blanks. A blank without a value becomes nothing: the person must never hear a bracket."""

    def optional(match: re.Match[str]) -> str:
        return match[1] if all(values.get(name) for name in BLANK.findall(match[1])) else ""

    text = BLANK.sub(lambda match: values.get(match[1], ""), _OPTIONAL.sub(optional, template))
    return re.sub(r"\s+([,.?!;])", r"\1", re.sub(r"\s+", " ", text)).strip()


def sentences(text: str) -> list[str]:
    """Split where a voice would pause, so that the first sentence sounds while the next is being synthesised."""
    found: list[str] = []
    start = 0
    for end in _SENTENCE_END.finditer(text):
        if not _ABBREVIATION.search(text[start : end.start()]):
            found.append(text[start : end.end()].strip())
            start = end.end()
    return [*found, rest] if (rest := text[start:].strip()) else found
