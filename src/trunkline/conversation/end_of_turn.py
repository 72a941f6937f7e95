"""Is the turn over? How long a silence has to be, by what is known of what was said before it.

    words (Whisper)                 ─┐
    does the last one trail off?    ─┤
    sound (Smart Turn)              ─┼─▶  probability  ─▶  seconds of silence that end the turn  ─▶  TurnTaker.patience
    the agent's question            ─┘

A silence begins with nothing known; each piece of knowledge that comes while it lasts changes the verdict, in either
direction. Words weigh more than sound: on the telephone a pause within a sentence often sounds like its end, but a
sentence that ends in "to the" hasn't ended. `docs/end-of-turn.md` has the measurements behind every figure.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from trunkline.conversation.completeness import DICTATED, Asked, Completeness, completeness
from trunkline.conversation.dictation import symbols
from trunkline.ports import Transcript


@dataclass(frozen=True, slots=True)
class EndOfTurn:
    """Seconds of silence, as the voice detector counts it (it notices silence about 0.1 s late), that end a turn."""

    certain_above: float = 0.8
    """Probability from which the turn is taken for over."""
    likely_above: float = 0.3
    """Probability from which it may well be over: a sentence after which more may come."""
    hopeless_below: float = 0.03
    """Probability below which the person is looking for the next word."""
    certain_seconds: float = 0.1
    undecided_seconds: float = 0.9
    """It may well be over; or nothing was understood, or the words aren't known yet."""
    doubtful_seconds: float = 1.2
    """More is likely to come: as long as people look at the next group of digits."""
    longest_seconds: float = 1.5
    """More must come; and the longest silence of all."""

    def patience(self, finished: float | None, said: Transcript | None, asked: Asked = Asked.UNKNOWN) -> float:
        """Seconds of silence that end the turn.

        `finished`: probability that the sound is that of an end; `said`: the turn so far, without text when nothing
        was understood. `None`: not known, or not yet.
        """
        return min(self._seconds(finished, said, asked), self.longest_seconds)

    def _seconds(self, finished: float | None, said: Transcript | None, asked: Asked) -> float:
        doubtful = max(self.doubtful_seconds, self.undecided_seconds)
        if said is None or not said.text:
            return doubtful if asked in DICTATED else self.undecided_seconds
        probability = probability_of_end(finished, said, asked)
        if probability >= self.certain_above:
            return self.certain_seconds
        if probability >= self.likely_above:
            return self.undecided_seconds
        return self.longest_seconds if probability < self.hopeless_below else doubtful


_FINISHED: Final = (Completeness.WHOLE, Completeness.COMPLETE)
_USUAL_SOUND: Final = 0.8
_USUAL_TRAILING: Final = 0.005
"""In place of answers that aren't known."""
_UNDERSTOOD: Final = 0.55
"""Confidence from which words may be whole or complete: half a sentence misheard often makes a whole one."""
_MANY: Final = 10
"""Words after which a sentence has said its say."""
_MANY_SYMBOLS: Final = 8
_FEW_SYMBOLS: Final = 3
"""No number and hardly a name is this short."""


def signs(finished: float | None, said: Transcript, asked: Asked) -> dict[str, float]:
    """What the probability rests on, by the names of the weights. `said` has text."""
    verdict = completeness(said.text, asked)
    if said.confidence < _UNDERSTOOD and verdict in _FINISHED:
        verdict = Completeness.UNKNOWN
    sound = _USUAL_SOUND if finished is None else min(max(finished, 0.01), 0.99)
    words = said.text.split()
    known = {
        verdict.name: 1.0,
        "last word trails off": math.log((said.trails_off or _USUAL_TRAILING) + 0.001),
        "sounds finished": math.log(sound / (1 - sound)),
        "comma": float(words[-1].endswith(",")),
    }
    if verdict in _FINISHED:
        known["words"] = min(len(words), _MANY) / _MANY
    if verdict is Completeness.DICTATING:
        dictated = symbols(said.text.lower(), letters=asked is Asked.SPELLING)
        known |= {
            "symbols": min(dictated, _MANY_SYMBOLS) / _MANY_SYMBOLS,
            "few symbols": float(dictated <= _FEW_SYMBOLS),
            "birth date": float(asked is Asked.BIRTH_DATE),
            "telephone": float(asked is Asked.PHONE),
        }
    return known


WEIGHTS: Final = MappingProxyType(
    {
        Completeness.WHOLE.name: -0.92,
        Completeness.COMPLETE.name: -3.34,
        Completeness.UNKNOWN.name: -2.01,
        Completeness.OPEN.name: -4.12,
        Completeness.DICTATING.name: -1.83,
        "last word trails off": -0.39,
        "sounds finished": 0.08,
        "comma": -0.64,
        "words": 4.96,
        "symbols": 0.97,
        "few symbols": -1.32,
        "birth date": -1.89,
        "telephone": -1.23,
    }
)
"""A logistic regression on the labelled turns, fitted by `python -m bench.end_of_turn_fit`."""


def probability_of_end(finished: float | None, said: Transcript, asked: Asked = Asked.UNKNOWN) -> float:
    """That the turn is over with what was said; `finished`: that the sound is that of an end, `None`: not known."""
    odds = sum(WEIGHTS[name] * value for name, value in signs(finished, said, asked).items())
    return 1 / (1 + math.exp(-odds))
