"""The listening half of a conversation: frames in, utterances out. Runs on the media clock, does no waiting."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from trunkline.audio import FRAME_BYTES, FRAME_SECONDS, SAMPLE_BYTES, SAMPLE_RATE, audible_end
from trunkline.conversation.turns import TurnTaker, Verdict
from trunkline.ports import VoiceStream
from trunkline.settings import ListeningSettings

RUN_UP_FRAMES = 20
"""Audio kept from before speech was noticed (0.4 s), so that no first consonant is lost."""
MISSING_FRAMES = 3
"""Ticks without a frame (network jitter, a mute phone) before they count as silence."""


@dataclass(slots=True)
class Utterance:
    """What the person said between two silences. `started` and `last_frame_at` are on the media clock, in seconds."""

    started: float
    audio: bytearray = field(default_factory=bytearray)
    voiced_seconds: float = 0.0
    last_frame_at: float = 0.0
    over_at: float = 0.0
    """When the turn was declared over."""
    cut: bool = False

    @property
    def speech_ended(self) -> float:
        """When the last audible sample arrived, on the media clock."""
        quiet_bytes = len(self.audio) - audible_end(self.audio)
        return self.last_frame_at - quiet_bytes / (SAMPLE_BYTES * SAMPLE_RATE)


@dataclass(frozen=True, slots=True)
class Heard:
    """Something changed on the person's side."""

    verdict: Verdict
    utterance: Utterance | None


class Ear:
    """Collects the person's audio, asks the voice detector and the turn-taker, reports each change by `report`."""

    def __init__(self, manners: ListeningSettings, voice: VoiceStream, report: Callable[[Heard], None]) -> None:
        self.turns = TurnTaker(manners)
        self._voice = voice
        self._report = report
        self._inbox: list[bytes] = []
        self._run_up = bytearray()
        self._utterance: Utterance | None = None
        self._missing = 0

    def frame(self, frame: bytes) -> None:
        """20 ms from the person have arrived."""
        self._inbox.append(frame)
        self._voice.push(frame)

    def tick(self, now: float, *, agents_turn: bool) -> list[bytes]:
        """Once per 20 ms of the media clock. Returns the frames that came since the last tick."""
        frames, self._inbox = self._inbox, []
        if frames:
            self._missing = 0
        else:
            self._missing += 1
            if self._missing < MISSING_FRAMES:
                return frames
        probability = self._voice.probability if frames else 0.0
        self._keep(frames, now, probability)
        seconds = FRAME_SECONDS * max(len(frames), 1)
        verdict = self.turns.hear(probability, seconds, agents_turn=agents_turn)
        if verdict is not None:
            self._changed(verdict, now)
        return frames

    def _keep(self, frames: list[bytes], now: float, probability: float) -> None:
        utterance = self._utterance
        if utterance is None:
            for frame in frames:
                self._run_up += frame
            if (surplus := len(self._run_up) - RUN_UP_FRAMES * FRAME_BYTES) > 0:
                del self._run_up[:surplus]
            return
        for frame in frames:
            utterance.audio += frame
        if frames:
            utterance.last_frame_at = now
            if probability >= self.turns.manners.voice_threshold:
                utterance.voiced_seconds += FRAME_SECONDS * len(frames)

    def _changed(self, verdict: Verdict, now: float) -> None:
        match verdict:
            case Verdict.SPEECH_STARTED:
                voiced = self.turns.turn
                self._utterance = Utterance(
                    started=now - voiced, audio=self._run_up, voiced_seconds=voiced, last_frame_at=now
                )
                self._run_up = bytearray()
                self._report(Heard(verdict, self._utterance))
            case Verdict.TURN_ENDED | Verdict.TURN_CUT:
                utterance, self._utterance = self._utterance, None
                if utterance is not None:
                    utterance.over_at = now
                    utterance.cut = verdict is Verdict.TURN_CUT
                self._report(Heard(verdict, utterance))
            case _:
                self._report(Heard(verdict, self._utterance))

    def close(self) -> None:
        self._voice.close()
