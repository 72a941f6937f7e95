"""Is the turn over? How long a silence has to be, by what is known of what was said before it.

    words (Whisper)                 ─┐
    does the last one trail off?    ─┤
    sound (Smart Turn)              ─┼─▶  seconds of silence that end the turn  ─▶  TurnTaker.patience
    the agent's question            ─┘

A silence begins with nothing known; each piece of knowledge that comes while it lasts changes the verdict, in either
direction. Words weigh more than sound: on the telephone a pause within a sentence often sounds like its end, but a
sentence that ends in "to the" hasn't ended. `docs/end-of-turn.md` has the measurements behind every figure.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from trunkline.conversation.completeness import DICTATED, Asked, Completeness, completeness
from trunkline.ports import Transcript


@dataclass(frozen=True, slots=True)
class EndOfTurn:
    """Seconds of silence, as the voice detector counts it (it notices silence about 0.1 s late), that end a turn."""

    finished_above: float = 0.3
    """Probability from which the sound doesn't contradict."""
    trailing_above: float = 0.02
    """Probability from which the last word trails off. It is small even where somebody hesitates."""
    understood_above: float = 0.55
    """Confidence from which words that are complete count as such: half a sentence misheard often makes a whole one."""
    agreed_seconds: float = 0.1
    """A whole answer, or a sentence that is certainly over."""
    contradicted_seconds: float = 0.45
    """A whole answer that doesn't sound like one."""
    likely_seconds: float = 0.9
    """A sentence after which more may come."""
    undecided_seconds: float = 0.9
    """The words don't tell, nothing speaks against it."""
    doubtful_seconds: float = 1.1
    """The words don't tell or aren't known, and the sound isn't complete or the last word trails off; or a sentence
    after which more usually comes."""
    certain_above: float = 0.87
    """Probability that a sentence was the end, from which it is taken for it."""
    likely_above: float = 0.5
    """The same, for `likely_seconds`."""
    no_words_seconds: float = 0.9
    """The words aren't known yet, or nothing was understood."""
    dictating_seconds: float = 1.15
    """Amid a number or letters: as long as people look at the next group of digits."""
    longest_seconds: float = 1.5
    """The words can't end like this: somebody is looking for the next one."""

    def patience(self, finished: float | None, said: Transcript | None, asked: Asked = Asked.UNKNOWN) -> float:
        """Seconds of silence that end the turn.

        `finished`: probability that the sound is that of an end; `said`: the turn so far, without text when nothing
        was understood. `None`: not known, or not yet.
        """
        contradicted = finished is not None and finished < self.finished_above
        if said is None or not said.text:
            unheard = self.doubtful_seconds if contradicted else self.no_words_seconds
            return self.dictating_seconds if asked in DICTATED else unheard
        understood = said.confidence >= self.understood_above
        match completeness(said.text, asked):
            case Completeness.OPEN:
                seconds = self.longest_seconds
            case Completeness.DICTATING:
                seconds = self.dictating_seconds
            case Completeness.WHOLE if understood:
                seconds = self.contradicted_seconds if contradicted else self.agreed_seconds
            case Completeness.COMPLETE if understood:
                seconds = self._behind_a_sentence(probability_of_end(finished, said))
            case _:
                doubtful = contradicted or said.trails_off >= self.trailing_above
                seconds = self.doubtful_seconds if doubtful else self.undecided_seconds
        return seconds

    def _behind_a_sentence(self, probability: float) -> float:
        if probability >= self.certain_above:
            return self.agreed_seconds
        return self.likely_seconds if probability >= self.likely_above else self.doubtful_seconds


_BIAS: Final = -2.55
_TRAILING: Final = -0.71
_SOUND: Final = 0.11
_WORDS: Final = 1.91
_QUESTION: Final = -0.76
_COMMA: Final = -2.13
"""Fitted once, to the pauses and ends behind sentences in `tuning` and `once_held_out` of `bench/end_of_turn.yaml`
(528; area under the curve 0.80, each sixth of the turns left out of the fit in turn).
"""


def probability_of_end(finished: float | None, said: Transcript) -> float:
    """Of a sentence, that the turn is over with it: a logistic regression on the labelled turns.

    A last word that trails off speaks most against it, then a sentence of few words: long ones have said their say.
    """
    sound = 0.8 if finished is None else min(max(finished, 0.01), 0.99)
    words = said.text.split()
    odds = (
        _BIAS
        + _TRAILING * math.log(said.trails_off + 0.001)
        + _SOUND * math.log(sound / (1 - sound))
        + _WORDS * min(len(words), 10) / 10
        + (_QUESTION if words[-1].endswith("?") else 0.0)
        + (_COMMA if words[-1].endswith(",") else 0.0)
    )
    return 1 / (1 + math.exp(-odds))
