"""What was said and where the time went, turn by turn."""

from __future__ import annotations

from itertools import pairwise

from trunkline.conversation.discretion import Discretion
from trunkline.conversation.heard import Guess, Keyed
from trunkline.conversation.speaking import Answer
from trunkline.events import TurnFinished
from trunkline.models import NOT_RECORDED, CallId, Speaker, Turn, TurnTimings
from trunkline.ports import Transcript, Watcher


def timings(guess: Guess, answer: Answer) -> TurnTimings | None:
    """Where the gap between the end of the person's speech and our first sound went; the steps add up to it."""
    first = answer.first
    if first is None or first.started_at is None:
        return None
    heard = first.started_at
    moments = [guess.utterance.speech_ended]
    for moment in (guess.utterance.over_at, guess.known_at, answer.known_at, first.ready_at, heard):
        # What was begun before the turn was over cost nothing; a filler is heard before the words are even known.
        moments.append(min(max(moment if moment is not None else heard, moments[-1]), heard))
    endpointing, transcription, brain, synthesis, playout = (
        round((end - start) * 1000, 1) for start, end in pairwise(moments)
    )
    gap = round((heard - moments[0]) * 1000, 1)
    return TurnTimings(endpointing, transcription, brain, synthesis, playout, gap)


class TurnLog:
    """Numbers the turns of one call and publishes each as it is finished. `answered_at` is the media clock's zero."""

    def __init__(self, call_id: CallId, publish: Watcher, discretion: Discretion) -> None:
        self._call_id = call_id
        self._publish = publish
        self._discretion = discretion
        self.turns: list[Turn] = []
        """All so far."""
        self.answered_at = 0.0

    def spoken(self, guess: Guess, words: Transcript) -> None:
        """The person's turn in words is over."""
        utterance = guess.utterance
        ended = utterance.speech_ended
        text = NOT_RECORDED if self._discretion.covers(utterance.started) else words.text
        self._finish(Speaker.PERSON, text, utterance.started, ended, confidence=words.confidence)

    def keyed(self, turn: Keyed) -> None:
        """The person's turn in keys is over."""
        text, keys = (NOT_RECORDED, "") if self._discretion.covers(turn.since) else ("", turn.keys)
        self._finish(Speaker.PERSON, text, turn.at, turn.at, keys=keys)

    def agent(self, answer: Answer, guess: Guess | None) -> None:
        """The agent's turn is over, whether it came to its end or not. Nothing is noted when no word was heard."""
        first = answer.first
        if first is None or first.started_at is None or (answer.cut_off and answer.text and not answer.told_heard):
            return
        cut_off = answer.cut_off or answer.muted
        self._finish(
            Speaker.AGENT,
            answer.told_heard if cut_off else answer.told,
            first.started_at,
            answer.ended_at,
            timings=timings(guess, answer) if guess is not None else None,
            cut_off=cut_off,
            intended=answer.told if cut_off else None,
        )

    def _finish(
        self,
        speaker: Speaker,
        text: str,
        started: float,
        ended: float,
        *,
        timings: TurnTimings | None = None,
        confidence: float | None = None,
        keys: str = "",
        cut_off: bool = False,
        intended: str | None = None,
    ) -> None:
        turn = Turn(
            number=len(self.turns) + 1,
            speaker=speaker,
            text=text,
            started=round(max(started - self.answered_at, 0.0), 3),
            ended=round(max(ended - self.answered_at, 0.0), 3),
            timings=timings,
            confidence=confidence,
            keys=keys,
            cut_off=cut_off,
            intended=intended,
        )
        self.turns.append(turn)
        self._publish(TurnFinished(self._call_id, turn))
