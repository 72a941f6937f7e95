"""Turn-taking, without audio, clock or network: told how long there was speech or silence, it says what that means.

    QUIET ──speech lasts──▶ SPEAKING ──short silence──▶ PAUSED ──patience runs out──▶ QUIET   (the turn is over)
                               ▲  │                       │
                               │  └──too long a turn──────┼─────────────────────────▶ QUIET   (the turn is cut)
                               └──────speech again────────┘

Times are seconds of audio; nothing here knows what time it is.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from trunkline.settings import ListeningSettings


class Hearing(enum.Enum):
    """What the person is doing."""

    QUIET = enum.auto()
    SPEAKING = enum.auto()
    PAUSED = enum.auto()


class Verdict(enum.Enum):
    """What the last piece of audio changed."""

    SPEECH_STARTED = enum.auto()
    SPEECH_PAUSED = enum.auto()
    """Perhaps the turn is over: the moment to start work that may be thrown away."""
    SPEECH_RESUMED = enum.auto()
    """It wasn't."""
    TURN_ENDED = enum.auto()
    TURN_CUT = enum.auto()
    """The person spoke for as long as a turn may be."""
    SILENT_TOO_LONG = enum.auto()
    """It is the person's turn and they have said nothing for long."""
    INTERRUPTED = enum.auto()
    """Speech in the agent's turn: it should hold its tongue until it is clear what is meant."""
    INSISTED = enum.auto()
    """And it goes on: that is an interruption."""


RELEASE_BELOW = 0.15
"""Speech goes on until the probability falls this far below the threshold, so that it doesn't flicker."""
CERTAIN = 0.9
"""Probability from which it is speech, and no hum, laugh or cough: what an agent that speaks falls silent for."""


@dataclass(slots=True)
class TurnTaker:
    """One person's turn-taking. `hear()` is fed every piece of audio in order."""

    manners: ListeningSettings
    state: Hearing = Hearing.QUIET
    voiced: float = 0.0
    """Seconds of uninterrupted speech up to now."""
    certain: float = 0.0
    """Seconds of uninterrupted speech, beyond doubt, up to now."""
    silent: float = 0.0
    """Seconds of uninterrupted silence up to now."""
    turn: float = 0.0
    """Seconds since the turn began, pauses included."""
    spoken: float = 0.0
    """Seconds of speech in this turn."""
    patience: float = 0.0
    """Silence that ends the present turn; whoever knows more about the pause may change it while it lasts."""
    _nobody: float = 0.0
    _interrupted: bool = False
    _insisted: bool = False

    def hear(self, probability: float, seconds: float, *, agents_turn: bool, near: bool = True) -> Verdict | None:
        """`seconds` of audio that hold speech with `probability`; at most one thing changes at a time.

        `agents_turn`: the agent speaks or thinks about what to say. `near`: it is loud enough to be the person.
        """
        self.certain = 0.0 if probability < CERTAIN else self.certain + seconds
        threshold = self.manners.voice_threshold
        if probability >= (threshold if self.voiced == 0.0 else max(threshold - RELEASE_BELOW, 0.05)):
            self.voiced += seconds
            self.silent = 0.0
            self.spoken += seconds
        else:
            self.silent += seconds
            self.voiced = 0.0
        self._nobody = 0.0 if agents_turn or self.state is not Hearing.QUIET else self._nobody + seconds
        match self.state:
            case Hearing.QUIET:
                return self._quiet(agents_turn=agents_turn)
            case Hearing.SPEAKING:
                self.turn += seconds
                return self._speaking(agents_turn=agents_turn, near=near)
            case Hearing.PAUSED:
                self.turn += seconds
                return self._paused()

    def forget(self) -> None:
        """What was heard meant nothing: as if it had been silence."""
        self.state = Hearing.QUIET
        self.turn = self.voiced = self.certain = self.spoken = 0.0
        self._interrupted = self._insisted = False

    def _quiet(self, *, agents_turn: bool) -> Verdict | None:
        # Who is interrupted must not wait for two verdicts in a row.
        if self.voiced >= self.manners.start_seconds or (agents_turn and self.certain > 0.0):
            self.state = Hearing.SPEAKING
            self.turn = self.spoken = self.voiced
            self._nobody = 0.0
            return Verdict.SPEECH_STARTED
        if self._nobody >= self.manners.silent_caller_seconds:
            self._nobody = 0.0
            return Verdict.SILENT_TOO_LONG
        return None

    def _speaking(self, *, agents_turn: bool, near: bool) -> Verdict | None:
        if self.turn >= self.manners.max_turn_seconds:
            return self._over(Verdict.TURN_CUT)
        if self.silent >= self.manners.pause_seconds:
            self.state = Hearing.PAUSED
            self.patience = self.manners.end_silence_seconds
            return Verdict.SPEECH_PAUSED
        least = self.manners.interrupt_seconds
        if agents_turn and least:
            if not self._interrupted and near and self.certain >= least:
                self._interrupted = True
                return Verdict.INTERRUPTED
            if self._interrupted and not self._insisted and self.spoken >= self.manners.insist_seconds:
                self._insisted = True
                return Verdict.INSISTED
        return None

    def _paused(self) -> Verdict | None:
        if self.voiced >= self.manners.start_seconds:
            self.state = Hearing.SPEAKING
            return Verdict.SPEECH_RESUMED
        if self.silent >= self.patience:
            return self._over(Verdict.TURN_ENDED)
        return None

    def _over(self, verdict: Verdict) -> Verdict:
        self.forget()
        return verdict
