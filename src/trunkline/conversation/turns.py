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


ASKED_TO_WAIT = 30.0
"""Seconds of silence after which somebody is asked who wanted to be waited for."""
RELEASE_BELOW = 0.15
"""Speech goes on until the probability falls this far below the threshold, so that it doesn't flicker."""
CERTAIN = 0.7
"""Probability from which it is speech, and hardly a hum or a cough: what an agent that speaks falls silent for."""


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
    patience: float = 0.0
    """Silence that ends the present turn; whoever knows more about the pause may change it while it lasts."""
    told_to_wait: bool = False
    """The person has asked for a moment: nobody wonders soon where they are."""
    _nobody: float = 0.0
    _nobody_before: float = 0.0
    _interrupted: bool = False
    _insisting: float = 0.0
    """Seconds of speech since the interruption."""
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
            self._insisting += seconds if near else 0.0
        else:
            self.silent += seconds
            self.voiced = 0.0
        self._nobody_before += 0.0 if agents_turn else seconds
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

    def unanswered(self) -> None:
        """The turn that ended was none: nobody has said anything since before it."""
        self._nobody = max(self._nobody, self._nobody_before)

    def forget(self) -> None:
        """What was heard meant nothing: as if it had been silence."""
        self.state = Hearing.QUIET
        self.turn = self.voiced = self.certain = 0.0
        self._interrupted = self._insisted = False

    def _quiet(self, *, agents_turn: bool) -> Verdict | None:
        # Who is interrupted must not wait for two verdicts in a row.
        if self.voiced >= self.manners.start_seconds or (agents_turn and self.certain > 0.0):
            self.state = Hearing.SPEAKING
            self.turn = self.voiced
            if not agents_turn:
                self._nobody_before = self._nobody
            return Verdict.SPEECH_STARTED
        least = self.manners.silent_caller_seconds
        if self._nobody >= (max(least, ASKED_TO_WAIT) if self.told_to_wait else least):
            self._nobody = self._nobody_before = 0.0
            self.told_to_wait = False
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
                self._insisting = self.certain
                return Verdict.INTERRUPTED
            if self._interrupted and not self._insisted and self._insisting >= self.manners.insist_seconds:
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
