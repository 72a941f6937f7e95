"""Is the turn over? How long a silence has to be, by what is known of what was said before it.

    sound (Smart Turn)  ─┐
    words (Whisper)     ─┼─▶  seconds of silence that end the turn  ─▶  TurnTaker.patience
    the agent's question ┘

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

    finished_above: float = 0.7
    """Probability from which the sound counts as finished."""
    understood_above: float = 0.55
    """Confidence from which words that are complete count as such: half a sentence misheard often makes a whole one."""
    agreed_seconds: float = 0.1
    """Words and sound are complete."""
    words_only_seconds: float = 0.2
    """The words are complete, nobody judged the sound (an overloaded machine)."""
    contradicted_seconds: float = 0.45
    """The words are complete, the sound isn't."""
    undecided_seconds: float = 0.6
    """The words don't tell, the sound is complete or unknown."""
    sound_against_seconds: float = 1.1
    """The words don't tell or aren't known, the sound is not complete."""
    dictating_seconds: float = 1.15
    """Amid a number or letters: as long as people look at the next group of digits."""
    longest_seconds: float = 1.5
    """The words can't end like this: somebody is looking for the next one."""
    no_words_seconds: float = 0.9
    """The words aren't known yet, or nothing was understood."""

    def patience(self, finished: float | None, said: Transcript | None, asked: Asked = Asked.UNKNOWN) -> float:
        """Seconds of silence that end the turn.

        `finished`: probability that the sound is that of an end; `said`: the turn so far, without text when nothing
        was understood. `None`: not known, or not yet.
        """
        sound = None if finished is None else finished >= self.finished_above
        if said is None or not said.text:
            unheard = self.sound_against_seconds if sound is False else self.no_words_seconds
            return self.dictating_seconds if asked in DICTATED else unheard
        match completeness(said.text, asked):
            case Completeness.COMPLETE if said.confidence >= self.understood_above:
                by_sound = {True: self.agreed_seconds, None: self.words_only_seconds, False: self.contradicted_seconds}
                return by_sound[sound]
            case Completeness.OPEN:
                return self.longest_seconds
            case Completeness.DICTATING:
                return self.dictating_seconds
            case _:
                return self.sound_against_seconds if sound is False else self.undecided_seconds

    def decide(
        self, silence: float, finished: float | None, said: Transcript | None, asked: Asked = Asked.UNKNOWN
    ) -> End | WaitUntil:
        """The verdict after `silence` seconds; to be asked again whenever something becomes known."""
        needed = self.patience(finished, said, asked)
        return End() if silence >= needed - _ROUNDING else WaitUntil(needed)


_ROUNDING: Final = 1e-6
"""Silence is a sum of 0.02 s frames."""
