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

    finished_above: float = 0.5
    """Probability from which the sound counts as finished."""
    agreed_seconds: float = 0.1
    """Words and sound are complete."""
    words_only_seconds: float = 0.2
    """The words are complete, nobody judged the sound (an overloaded machine)."""
    contradicted_seconds: float = 0.45
    """The words are complete, the sound isn't."""
    undecided_seconds: float = 0.7
    """The words don't tell, the sound is complete or unknown."""
    sound_against_seconds: float = 0.9
    """The words don't tell, the sound is not complete."""
    dictating_seconds: float = 1.15
    """Amid a number or letters: as long as people look at the next group of digits."""
    longest_seconds: float = 1.5
    """The words can't end like this: somebody is looking for the next one."""
    no_words_seconds: float = 0.7
    """The words aren't known yet, or nothing was understood."""

    def patience(self, finished: float | None, said: str | None, asked: Asked = Asked.UNKNOWN) -> float:
        """Seconds of silence that end the turn.

        `finished`: probability that the sound is that of an end; `said`: transcript of the turn so far, empty when
        nothing was understood. `None`: not known, or not yet.
        """
        if not said:
            return self.dictating_seconds if asked in DICTATED else self.no_words_seconds
        sound = None if finished is None else finished >= self.finished_above
        match completeness(said, asked):
            case Completeness.COMPLETE:
                by_sound = {True: self.agreed_seconds, None: self.words_only_seconds, False: self.contradicted_seconds}
                return by_sound[sound]
            case Completeness.OPEN:
                return self.longest_seconds
            case Completeness.DICTATING:
                return self.dictating_seconds
            case Completeness.UNKNOWN:
                return self.sound_against_seconds if sound is False else self.undecided_seconds

    def decide(
        self, silence: float, finished: float | None, said: str | None, asked: Asked = Asked.UNKNOWN
    ) -> End | WaitUntil:
        """The verdict after `silence` seconds; to be asked again whenever something becomes known."""
        needed = self.patience(finished, said, asked)
        return End() if silence >= needed - _ROUNDING else WaitUntil(needed)


_ROUNDING: Final = 1e-6
"""Silence is a sum of 0.02 s frames."""
