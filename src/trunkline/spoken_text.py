"""Text as it is written → text as it is spoken, in pieces a voice can begin with at once. Pure."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_LONG_SENTENCE: Final = 60
"""Characters (about 4 s) above which the first sentence is begun before it has been synthesised as a whole."""
_SHORTEST_CLAUSE: Final = 14
"""A shorter beginning would be heard as a stumble."""
_LONGEST_PIECE: Final = 240

_ABBREVIATIONS: Final = {
    "jan.": "January", "feb.": "February", "mar.": "March", "apr.": "April", "aug.": "August", "sept.": "September",
    "sep.": "September", "oct.": "October", "nov.": "November", "dec.": "December",
    "mon.": "Monday", "tue.": "Tuesday", "wed.": "Wednesday", "thu.": "Thursday", "fri.": "Friday",
    "approx.": "approximately", "appt.": "appointment", "ext.": "extension", "e.g.": "for example", "i.e.": "that is",
    "etc.": "et cetera", "vs.": "versus",
}  # fmt: skip
_ABBREVIATION: Final = re.compile(
    r"(?<![\w.])(?:" + "|".join(re.escape(word) for word in _ABBREVIATIONS) + r")(?=\s|,|$)", re.IGNORECASE
)
_NO_END: Final = re.compile(r"(?:\b(?:Dr|Mr|Mrs|Ms|Prof|St|No|Ave|Jr|Sr)|\b[A-Z]|\b[ap]\.m)\.$", re.IGNORECASE)
"""A full stop after one of these does not end a sentence (but see `_sentences` for "p.m.")."""

_LINKS: Final = (
    (re.compile(r"```.*?```", re.DOTALL), " "),
    (re.compile(r"!?\[([^\]]*)\]\([^)]*\)"), r"\1"),  # links and pictures: their words
    (re.compile(r"<(https?://[^>]+)>"), r"\1"),
)
_MARKUP: Final = (
    (re.compile(r"</?[A-Za-z][^>]*>"), " "),
    (re.compile(r"^\s{0,3}(?:#{1,6}|>+)\s*", re.MULTILINE), ""),
    (re.compile(r"^\s*(?:[-*+•]|\d{1,2}[.)])\s+(.*?)[.;,]?\s*$", re.MULTILINE), r"\1."),  # list items: sentences
    (re.compile(r"^\s*[-*_=|:\s]{3,}$", re.MULTILINE), ""),  # rules, lines under a table's head
    (re.compile(r"(\*{1,3}|_{2,3}|~~|`+)(?=\S)(.+?)(?<=\S)\1"), r"\2"),
    (re.compile(r"(?<!\w)_(?=\S)(.+?)(?<=\S)_(?!\w)"), r"\1"),
    (re.compile(r"[*`#~|\\^]+"), " "),
)
_URL: Final = re.compile(
    r"\b(?:https?://(?:www\.)?|www\.)([\w-]+(?:\.[\w-]+)*)(?:[/:?#]\S*?)?(?=[.,;:!?)\]]*(?:\s|$))", re.I
)
_EMAIL: Final = re.compile(r"\b([\w.+-]+)@([\w-]+(?:\.[\w-]+)+)\b")
_NUMBER: Final = re.compile(
    r"(?<![\w.,])(?:\+\d[\d\s().-]{5,}\d|\(?\d{3}\)?[\s.-]\d{3}[\s.-]\d{4}|\d{7,})(?![\w,]|\.\d)"
)
"""Telephone numbers and other long rows of digits: nobody wants them read as billions."""
_MUTE: Final = {"So", "Sk", "Cc", "Cf", "Cs", "Co", "Cn", "Me"}
"""Unicode categories: symbols, modifiers, control and format characters, unassigned ones, enclosing marks."""


def speakable(text: str) -> str:
    """`text` without what can't be spoken: markdown, emoji, addresses. Line ends remain."""
    for pattern, replacement in _LINKS:
        text = pattern.sub(replacement, text)
    text = _URL.sub(lambda match: _dotted(match[1]), text)
    text = _EMAIL.sub(lambda match: f"{_dotted(match[1])} at {_dotted(match[2])}", text)
    for pattern, replacement in _MARKUP:
        text = pattern.sub(replacement, text)
    text = _NUMBER.sub(_digit_by_digit, text)
    text = _ABBREVIATION.sub(lambda match: _ABBREVIATIONS[match[0].lower()], text)
    text = text.replace("&", " and ").replace("…", "...")
    text = re.sub(r"\s*[—–]\s*(?=\D)|\s--\s", ", ", text)  # but not in "9–12"
    text = "".join(character for character in text if not _mute(character))
    text = re.sub(r"[^\S\n]+", " ", text)
    text = re.sub(r" +([,.;:!?])", r"\1", text)
    return re.sub(r"\s*\n\s*", "\n", text).strip()


def pieces(text: str) -> list[str]:
    """Sentences of speakable text; of a long first one its first clause comes alone, so that it is heard early."""
    found = [piece for sentence in _sentences(text) for piece in _short_enough(sentence)]
    if found and len(found[0]) > _LONG_SENTENCE:
        found[:1] = _first_clause(found[0])
    return found


def _sentences(text: str) -> list[str]:
    sentences: list[str] = []
    for line in text.split("\n"):
        start = 0
        for match in re.finditer(r"[.!?]+[\"'”’)\]]*\s+", line):
            sentence = line[start : match.end()].strip()
            following = line[match.end() : match.end() + 1]
            noon = sentence.lower().endswith(".m.") and following.isupper()
            if following.islower() or (_NO_END.search(sentence) and not noon):
                continue
            sentences.append(sentence)
            start = match.end()
        sentences.append(line[start:].strip())
    return [sentence for sentence in sentences if any(character.isalnum() for character in sentence)]


def _short_enough(sentence: str) -> list[str]:
    """Cut at clauses, or at words where there are none."""
    parts: list[str] = []
    while len(sentence) > _LONGEST_PIECE:
        ends = [match.end() for match in re.finditer(r"[,;:]\s", sentence[:_LONGEST_PIECE])]
        cut = next((end for end in reversed(ends) if end >= _SHORTEST_CLAUSE), None)
        cut = cut or sentence.rfind(" ", 1, _LONGEST_PIECE) + 1 or _LONGEST_PIECE
        parts.append(sentence[:cut].strip())
        sentence = sentence[cut:].strip()
    return [*parts, sentence]


def _first_clause(sentence: str) -> list[str]:
    for match in re.finditer(r"[,;:]\s", sentence):
        if match.end() >= _SHORTEST_CLAUSE and len(sentence) - match.end() >= _SHORTEST_CLAUSE:
            return [sentence[: match.end()].strip(), sentence[match.end() :].strip()]
    return [sentence]


def _digit_by_digit(match: re.Match[str]) -> str:
    """`+14155550100` → `1, 4 1 5, 5 5 5, 0 1 0 0`: in groups, as people say it."""
    digits = re.sub(r"\D", "", match[0])
    groups = []
    tail = [digits[-10:-7], digits[-7:-4], digits[-4:]] if len(digits) >= 10 else []
    rest = digits[:-10] if tail else digits
    if len(rest) > 4:
        head = len(rest) % 3
        groups = [rest[:head]] + [rest[index : index + 3] for index in range(head, len(rest), 3)]
    else:
        groups = [rest]
    return ", ".join(" ".join(group) for group in [*groups, *tail] if group)


def _dotted(name: str) -> str:
    return re.sub(r"[_-]+", " ", name).replace(".", " dot ")


def _mute(character: str) -> bool:
    """Emoji, dingbats, control characters and what joins them."""
    if character == "\n":
        return False
    return unicodedata.category(character) in _MUTE or character in "\ufe0e\ufe0f"
