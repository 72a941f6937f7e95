"""What day and time readers share: the text they read, and which of several mentions is meant.

"Not Thursday, Friday" and "I can't do Thursday but Friday" mean Friday; "Thursday, no, Friday" too: what is denied
doesn't count, and of the rest the last one does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from trunkline.brains.numbers import digitise
from trunkline.brains.words import expand

BLANK = "\x00"
"""Stands in for words another reader has used up."""

T = TypeVar("T")

_FILLER = re.compile(r"\b(?:uh|um|er|erm|hm+|mm+|please|like|maybe|perhaps|let us say)\b")
_GREETING = re.compile(r"\bgood (?:morning|afternoon|evening|day|night)\b")
_HALF_OF_DAY = re.compile(r"(?<=\d)\s*([ap])\.?\s?m\b\.?")
_CLAUSE_END = re.compile(r"[,.;!?…]+(?!\d)|\s[-–—]+\s")

_DENIED_BEFORE = re.compile(
    r"(?:\bnot|\bbusy|\baway|\bworking|\binstead of|\brather than|\bexcept|\bno longer)"
    r"(?: (?:do|make|come|manage|it|free|available|there|really|be|on|at|for|this|the|a))*[ \x00]*(?:at |on |the )?$"
)
_DENIED_AFTER = re.compile(
    r"[ \x00]*(?:at \d\S* )?(?:(?:is|are|does|do|will|would|can) not\b"
    r"|i (?:can|will|do) not\b|i am (?:not|busy|away|working|at work|out)\b|i work\b"
    r"|(?:is|was) (?:no good|bad|out|full|impossible|difficult|wrong|too (?:early|late)))"
)


@dataclass(frozen=True, slots=True)
class Mention(Generic[T]):
    start: int
    end: int
    value: T


def readable(text: str) -> str:
    """Lower-case text with figures for number words and ` ; ` between clauses."""
    text = _FILLER.sub(" ", digitise(_GREETING.sub(" ", expand(text))))
    text = _CLAUSE_END.sub(" ; ", _HALF_OF_DAY.sub(r" \1m", text))
    text = re.sub(r"(?<=\d)(?:st|nd|rd)\b", "th", text)
    text = re.sub(r"(?<!\d)-|-(?!\d)|[^a-z0-9:;.\-']", " ", text)
    return re.sub(r"(?:\s*;)*\s*;\s*|\s+", lambda gap: " ; " if ";" in gap[0] else " ", text).strip(" ;")


def spans(patterns: Iterable[re.Pattern[str]], text: str) -> list[re.Match[str]]:
    """Where the patterns fit, in order; an earlier pattern takes what a later one would overlap."""
    found: list[re.Match[str]] = []
    for pattern in patterns:
        for match in pattern.finditer(text):
            if all(match.end() <= other.start() or match.start() >= other.end() for other in found):
                found.append(match)
    return sorted(found, key=lambda match: match.start())


def meant(mentions: Iterable[Mention[T]], text: str) -> T | None:
    """The value of the last mention that isn't denied."""
    kept = [mention.value for mention in mentions if not _denied(text, mention.start, mention.end)]
    return kept[-1] if kept else None


def _denied(text: str, start: int, end: int) -> bool:
    clause = text[:start].rpartition(";")[2]
    return bool(_DENIED_BEFORE.search(clause) or _DENIED_AFTER.match(text[end:]))
