"""What was said and where the time went, turn by turn."""

from __future__ import annotations

from itertools import pairwise

from trunkline.conversation.listening import Guess, Keyed
from trunkline.conversation.speaking import Answer
from trunkline.events import TurnFinished
from trunkline.models import CallId, Speaker, Turn, TurnTimings
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

    def __init__(self, call_id: CallId, publish: Watcher) -> None:
        self._call_id = call_id
        self._publish = publish
        self._number = 0
        self.answered_at = 0.0

    def spoken(self, guess: Guess, words: Transcript) -> None:
        """The person's turn in words is over."""
        utterance = guess.utterance
        ended = utterance.speech_ended
        self._finish(Speaker.PERSON, words.text, utterance.started, ended, confidence=words.confidence)

    def keyed(self, turn: Keyed) -> None:
        """The person's turn in keys is over."""
        self._finish(Speaker.PERSON, "", turn.at, turn.at, keys=turn.keys)

    def agent(self, answer: Answer, guess: Guess | None) -> None:
        """The agent's turn is over, whether it came to its end or not. Nothing is noted when no word was heard."""
        first = answer.first
        if first is None or first.started_at is None or (answer.cut_off and answer.text and not answer.heard):
            return
        self._finish(
            Speaker.AGENT,
            answer.heard if answer.cut_off else answer.text,
            first.started_at,
            answer.ended_at,
            timings=timings(guess, answer) if guess is not None else None,
            cut_off=answer.cut_off,
            intended=answer.text if answer.cut_off else None,
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
        self._number += 1
        turn = Turn(
            number=self._number,
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
        self._publish(TurnFinished(self._call_id, turn))
