"""What was said and where the time went, turn by turn."""

from __future__ import annotations

from dataclasses import dataclass

from trunkline.conversation.ear import Utterance
from trunkline.conversation.speaking import Answer
from trunkline.events import TurnFinished
from trunkline.models import CallId, Speaker, Turn, TurnTimings
from trunkline.ports import PersonTurn, Watcher


@dataclass(slots=True)
class Stopwatch:
    """The moments of one turn gap, on the media clock in seconds. Each follows the one above it."""

    speech_ended: float
    turn_over: float
    words_known: float | None = None
    sentence_known: float | None = None
    audio_ready: float | None = None
    heard: float | None = None

    def timings(self) -> TurnTimings:
        """The steps between the moments; together they are the gap."""
        return TurnTimings(
            endpointing_ms=_ms(self.speech_ended, self.turn_over),
            transcription_ms=_ms(self.turn_over, self.words_known),
            brain_ms=_ms(self.words_known, self.sentence_known),
            synthesis_ms=_ms(self.sentence_known, self.audio_ready),
            playout_ms=_ms(self.audio_ready, self.heard),
            gap_ms=_ms(self.speech_ended, self.heard),
        )


def _ms(start: float | None, end: float | None) -> float | None:
    return None if start is None or end is None else round((end - start) * 1000, 1)


class TurnLog:
    """Numbers the turns of one call and publishes each as it is finished. `answered_at` is the media clock's zero."""

    def __init__(self, call_id: CallId, publish: Watcher) -> None:
        self._call_id = call_id
        self._publish = publish
        self._number = 0
        self.answered_at = 0.0

    def person(self, turn: PersonTurn, utterance: Utterance | None, confidence: float | None, now: float) -> None:
        """The person's turn is over; `utterance` is absent when only keys were pressed."""
        started = utterance.started if utterance else now
        ended = utterance.speech_ended if utterance else now
        self._finish(Speaker.PERSON, turn.text, started, ended, confidence=confidence, keys=turn.keys)

    def agent(self, answer: Answer, stopwatch: Stopwatch | None, now: float) -> None:
        """The agent's turn is over, whether it came to its end or not. Nothing is noted when nothing was heard."""
        started = answer.started_at
        if started is None:
            return
        ended = max((s.ended_at for s in answer.sentences if s.ended_at is not None), default=now)
        self._finish(
            Speaker.AGENT,
            answer.heard if answer.cut_off else answer.text,
            started,
            ended,
            timings=stopwatch.timings() if stopwatch else None,
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
