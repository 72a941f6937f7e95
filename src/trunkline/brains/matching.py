"""Which intent a sentence means, judged by sample phrases. Made for telephone transcripts: word order, endings,
fillers and misheard words matter little; rare words and negations matter much.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from rapidfuzz import fuzz

from trunkline.brains.words import BARE, NEGATIONS, PARTICLES, STOP_WORDS, clauses, expand, likeness, stem, tokens

THRESHOLD = 0.65
"""Least score of a match. A single telling word is enough (0.7); a bare "okay" in a longer sentence isn't."""

_COVERED = 0.75
"""Least share of a phrase's weight that must have been said."""

_BARE_PENALTY = 0.15
"""What a sentence says counts more than a bare "yes", "no" or "it is" in it ("No, that's fine")."""

_BARE_COVERED = 0.95
"""Of a phrase without a telling word nothing may be missing: "that's not me" isn't said by "that's not bad"."""

_LIGHT = 0.3
"""Weight of a word that tells nearly nothing."""

_LONGEST = 60
"""Words of a turn that are looked at: ten seconds hold about thirty."""


@dataclass(frozen=True, slots=True)
class Match:
    intent: str
    score: float
    """0 to 1."""
    clause: int | None
    """Which clause said it; `None`: the sentence as a whole."""


@dataclass(frozen=True, slots=True)
class _Phrase:
    intent: str
    words: tuple[str, ...]
    negated: bool
    bare: bool
    weight: float


class Phrasebook:
    """The sample phrases of all intents of a script."""

    def __init__(self, phrases: Mapping[str, Sequence[str]]) -> None:
        spoken = {intent: [tokens(expand(text)) for text in texts] for intent, texts in phrases.items()}
        self._stems = {stem(word): word for texts in spoken.values() for words in texts for word in words}
        self._weights = {
            part: _weight(self._stems[part], sum(_contains(texts, part) for texts in spoken.values()), len(spoken))
            for part in self._stems
        }
        self._phrases = [self._phrase(intent, words) for intent, texts in spoken.items() for words in texts if words]

    def matches(self, text: str, among: Collection[str]) -> list[Match]:
        """The best match of each intent of `among` that reaches the threshold, best first."""
        parts: list[tuple[int | None, tuple[str, ...]]] = [*enumerate(clauses(text))]
        whole = tokens(expand(text))[:_LONGEST]
        if len(parts) != 1:
            parts.append((None, whole))
        best: dict[str, Match] = {}
        for place, words in parts:
            heard = [self._sounds_like(word) for word in words[:_LONGEST]]
            clause = None if words == whole else place
            for phrase in self._phrases:
                if phrase.intent not in among:
                    continue
                score = self._score(phrase, words, heard)
                known = best.get(phrase.intent)
                if score >= THRESHOLD and (known is None or score > known.score):
                    best[phrase.intent] = Match(phrase.intent, score, clause)
        return sorted(best.values(), key=lambda match: -match.score)

    def _phrase(self, intent: str, words: tuple[str, ...]) -> _Phrase:
        return _Phrase(
            intent,
            tuple(stem(word) for word in words),
            _negated(words),
            all(word in BARE for word in words) or all(word in STOP_WORDS for word in words),
            sum(self._weights[stem(word)] for word in words),
        )

    def _sounds_like(self, word: str) -> dict[str, float]:
        """Stems of the phrasebook this word may be, with their likeness. A word the phrasebook knows is itself."""
        if (part := stem(word)) in self._stems:
            return {part: 1.0}
        return {other: alike for other, known in self._stems.items() if (alike := likeness(word, known))}

    def _score(self, phrase: _Phrase, words: tuple[str, ...], heard: list[dict[str, float]]) -> float:
        """Share of the phrase that was said, a little less the more else was said with it; of a bare one, much less."""
        score = 0.0
        covered = _BARE_COVERED if phrase.bare else _COVERED
        if _cover(phrase, heard, self._weights)[0] >= covered:
            beside = [
                _LIGHT
                if word in STOP_WORDS or word in PARTICLES
                else max(map(self._weights.__getitem__, like), default=1.0)
                for word, like in zip(words, heard, strict=False)
            ]
            reach = len(phrase.words) + 2
            for start in range(max(1, len(heard) - reach + 1)):
                cover, used = _cover(phrase, heard[start : start + reach], self._weights)
                if cover < covered or 2 * len(used) < len(phrase.words) or _denied(phrase, words, start, used):
                    continue
                matched = cover * phrase.weight
                rest = sum(beside) - sum(beside[start + place] for place in used)
                share = matched / (matched + rest)
                score = max(score, cover * (0.4 + 0.6 * share if phrase.bare else 0.7 + 0.3 * share))
        joined = "".join(words)
        if not score and len(joined) >= 6 and len(words) + len(phrase.words) > 2 and _negated(words) == phrase.negated:
            # "good morning" heard as "goodmorning", "suits me" as "suit smee"
            squeezed = fuzz.ratio(joined, "".join(self._stems[part] for part in phrase.words)) / 100
            score = squeezed if squeezed >= 0.85 else 0.0
        return max(0.0, score - _BARE_PENALTY) if phrase.bare else score


def _weight(word: str, intents_with_it: int, intents: int) -> float:
    """A word that few intents use tells more; "the" tells nearly nothing."""
    return (1 + math.log(intents / intents_with_it)) * (_LIGHT if word in STOP_WORDS else 1.0)


def _contains(texts: Sequence[tuple[str, ...]], part: str) -> bool:
    return any(stem(word) == part for words in texts for word in words)


def _negated(words: Sequence[str]) -> bool:
    return any(word in NEGATIONS or word == "no" for word in words)


def _cover(phrase: _Phrase, heard: list[dict[str, float]], weights: Mapping[str, float]) -> tuple[float, list[int]]:
    """Share of the phrase's weight found in `heard`, and where; each heard word counts once."""
    used: list[int] = []
    found = 0.0
    for part in phrase.words:
        likes = [(like.get(part, 0.0), -place) for place, like in enumerate(heard) if place not in used]
        alike, place = max(likes, default=(0.0, 0))
        if alike:
            used.append(-place)
            found += alike * weights[part]
    return found / phrase.weight, used


def _denied(phrase: _Phrase, words: tuple[str, ...], start: int, used: list[int]) -> bool:
    """What was said is the opposite of the phrase: "I can not make it" of "I can make it", and the other way round.

    A "no" at the head is an answer and negates nothing.
    """
    places = [start + place for place in used]
    if phrase.negated and not _negated([words[place] for place in places]):
        return True
    around = range(max(0, min(places) - 3), max(places))
    return any(words[place] in NEGATIONS or (words[place] == "no" and place) for place in around if place not in places)
