"""What a transcript's words come down to: lower case, no contractions, no "um"; and which words sound alike."""

from __future__ import annotations

import re
from functools import lru_cache

from rapidfuzz import fuzz


def words(text: str) -> frozenset[str]:
    """A set of words, written readably."""
    return frozenset(text.split())


FILLERS = words("uh um er erm ah hm hmm mm oh eh well please just actually basically maybe so")
PARTICLES = words(
    "yes yeah yep yup ya yea no nope nah ok okay sure right alright mhm uhuh hello hi hey "
    "exactly absolutely definitely certainly indeed correct sorry"
)
"""Words that answer on their own; at the head of a sentence they are a clause of their own."""

BARE = PARTICLES | words("what pardon fine good great perfect")
"""Words that tell little as soon as others stand beside them: "that's fine" does, "I'd be fine on Friday" doesn't."""

STOP_WORDS = words(
    "i you he she it we they me my your our a an the is am are was be been do does did to of in on at for with from by "
    "that this then and or if as will would can could shall should have has had not get got let like"
)
NEGATIONS = words("not never without nothing neither nor")

_CONTRACTIONS = [
    (re.compile(pattern), plain)
    for pattern, plain in (
        (r"\bcan'?t\b|\bcannot\b", "can not"),
        (r"\bwon'?t\b", "will not"),
        (r"\bshan'?t\b", "shall not"),
        (r"\bain'?t\b", "is not"),
        (r"\b(do|does|did|is|are|was|were|could|would|should|have|has|had)n'?t\b", r"\1 not"),
        (r"\b(i)'?m\b", r"\1 am"),
        (r"\b(you|we|they)'re\b", r"\1 are"),
        (r"\b(i|you|we|they)'ve\b", r"\1 have"),
        (r"\b(i|you|he|she|it|we|they|that|there)'ll\b", r"\1 will"),
        (r"\b(i|you|he|she|we|they)'d\b", r"\1 would"),
        (r"\b(that|it|he|she|there|what|who|where|when|how|here)'?s\b", r"\1 is"),
        (r"\banymore\b", "any more"),
        (r"\bdunno\b", "do not know"),
        (r"\bgonna\b", "going to"),
        (r"\bwanna\b", "want to"),
        (r"\bgotta\b", "have to"),
        (r"\bgood[ -]?bye\b|\bbye[ -]bye\b", "goodbye"),
        (r"\b(?:mm+|uh+|um+|m+)[ -]?(?:hm+|huh|mm+)\b", "mhm"),
        (r"\b(?:uh|nuh)[ -]uh\b", "uhuh"),
        (r"\bo'? ?clock\b", "oclock"),
    )
]
_CLAUSE_END = re.compile(r"(?:[,.;:!?…]+(?!\d)|\s[-–—]+\s)\s*|\b(?:but|and|so|because|though|although)\b")
_WORD = re.compile(r"[a-z0-9]+(?:'[a-z]+)?")


def expand(text: str) -> str:
    """Lower case, straight quotes, contractions written out."""
    text = text.lower().replace("’", "'").replace("ʼ", "'")
    for pattern, plain in _CONTRACTIONS:
        text = pattern.sub(plain, text)
    return text


def tokens(text: str) -> tuple[str, ...]:
    """Words of expanded text without fillers (they stay when there is nothing else)."""
    words = _WORD.findall(text)
    return tuple(word for word in words if word not in FILLERS) or tuple(words)


def clauses(text: str) -> list[tuple[str, ...]]:
    """Words of each clause. "No I can't" counts as `no`, `i can not` and `no i can not`, with a comma or without."""
    found: list[tuple[str, ...]] = []
    for piece in _CLAUSE_END.split(expand(text)):
        words = rest = tokens(piece)
        while len(rest) > 1 and rest[0] in PARTICLES:
            found.append(rest[:1])
            rest = rest[1:]
        found += [part for part in dict.fromkeys((rest, words)) if part]
    return found


def stem(word: str) -> str:
    """The word without the endings that don't matter here: moving, moved, moves and move are one."""
    for ending in ("ing", "ed", "es", "s", "e"):
        if len(word) - len(ending) >= 3 and word.endswith(ending) and not word.endswith("ss"):
            word = word[: -len(ending)]
            if len(word) > 3 and word[-1] == word[-2]:
                word = word[:-1]
            break
    return word


_SOUNDS = [
    (re.compile(pattern), sound)
    for pattern, sound in (
        (r"^(?:kn|gn)", "n"),
        (r"^wr", "r"),
        (r"ph", "f"),
        (r"th", "0"),
        (r"gh|ck|q", "k"),
        (r"c(?=[eiy])|z|x", "s"),
        (r"c|g", "k"),
        (r"d", "t"),
        (r"b", "p"),
        (r"v", "f"),
        (r"(?<!^)[aeiouyhw]", ""),
        (r"(.)\1+", r"\1"),
    )
]


@lru_cache(maxsize=4096)
def sound(word: str) -> str:
    """Consonant skeleton, so that what the ear confuses is equal: thirsty and Thursday, council and cancel."""
    for pattern, plain in _SOUNDS:
        word = pattern.sub(plain, word)
    return word


@lru_cache(maxsize=16384)
def likeness(heard: str, meant: str) -> float:
    """How likely `heard` is a transcription of `meant`, 0 to 1. Short words must be equal."""
    if heard == meant:
        return 1.0
    if min(len(heard), len(meant)) < 4:
        return 0.0
    letters = fuzz.ratio(heard, meant) / 100
    if letters >= 0.8:
        return letters
    return 0.85 if letters >= 0.6 and sound(heard) == sound(meant) else 0.0
