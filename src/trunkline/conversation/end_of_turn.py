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

from dataclasses import dataclass
from typing import Final

from trunkline.conversation.completeness import DICTATED, Asked, Completeness, completeness
from trunkline.ports import Transcript


@dataclass(frozen=True, slots=True)
class End:
    """The turn is over."""


@dataclass(frozen=True, slots=True)
class WaitUntil:
    """It isn't yet. `silence`: seconds of silence at which it will be, if nothing else becomes known."""

    silence: float


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
    """The words are complete, nothing speaks against it."""
    contradicted_seconds: float = 0.45
    """The words are complete, the sound isn't."""
    trailing_seconds: float = 0.8
    """The words are complete, but the last one trails off."""
    undecided_seconds: float = 0.6
    """The words don't tell, nothing speaks against it."""
    doubtful_seconds: float = 1.1
    """The words don't tell or aren't known, and the sound isn't complete or the last word trails off."""
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
        trails_off = said.trails_off >= self.trailing_above
        match completeness(said.text, asked):
            case Completeness.OPEN:
                return self.longest_seconds
            case Completeness.DICTATING:
                return self.dictating_seconds
            case Completeness.COMPLETE if said.confidence >= self.understood_above:
                agreed = self.contradicted_seconds if contradicted else self.agreed_seconds
                return self.trailing_seconds if trails_off else agreed
            case _:
                return self.doubtful_seconds if contradicted or trails_off else self.undecided_seconds

    def by_sound(self, finished: float | None) -> float:
        """The same where words will never be known."""
        contradicted = finished is not None and finished < self.finished_above
        return self.doubtful_seconds if contradicted else self.undecided_seconds

    def decide(
        self, silence: float, finished: float | None, said: Transcript | None, asked: Asked = Asked.UNKNOWN
    ) -> End | WaitUntil:
        """The verdict after `silence` seconds; to be asked again whenever something becomes known."""
        needed = self.patience(finished, said, asked)
        return End() if silence >= needed - _ROUNDING else WaitUntil(needed)


_ROUNDING: Final = 1e-6
"""Silence is a sum of 0.02 s frames."""
