"""The listening half of a conversation: frames in, utterances out. Runs on the media clock, does no waiting."""

from __future__ import annotations

import audioop
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from trunkline.audio import FRAME_SECONDS, SAMPLE_BYTES, SAMPLE_RATE, audible_end
from trunkline.conversation.echo import EchoGuard
from trunkline.conversation.nearness import VOICES, Nearness
from trunkline.conversation.turns import CERTAIN, Hearing, TurnTaker, Verdict
from trunkline.ports import VoiceStream
from trunkline.settings import ListeningSettings

RUN_UP_FRAMES = 20
"""Audio kept from before speech was noticed (0.4 s), so that no first consonant is lost."""
MISSING_FRAMES = 3
"""Ticks without a frame (network jitter, a mute phone) before they count as silence."""
ECHO_EVERY = 2
"""Ticks between two looks for our own echo while something is heard; each costs a millisecond."""


@dataclass(slots=True)
class Utterance:
    """What the person said between two silences. Times are on the media clock, in seconds: a sample's time is when it
    would be heard if each frame were played as it arrives, as at the far end."""

    started: float
    audio: bytearray = field(default_factory=bytearray)
    voiced_seconds: float = 0.0
    heard_until: float = 0.0
    """The end of the newest frame."""
    over_at: float = 0.0
    """When the turn was declared over."""
    certain_seconds: float = 0.0
    """Of that, speech beyond doubt."""
    loudest: float = 0.0
    """Root mean square of its loudest 20 ms."""
    began_in_crowd: bool = False
    """Voices that never ceased were heard before it."""
    in_crowd: bool = False
    """Other voices were heard all the while: what it says may be theirs."""
    cut: bool = False
    over_agent: bool = False
    """It began in the agent's turn."""

    @property
    def speech_ended(self) -> float:
        """When the last audible sample was heard."""
        quiet_bytes = len(self.audio) - audible_end(self.audio)
        return self.heard_until - quiet_bytes / (SAMPLE_BYTES * SAMPLE_RATE)


class Ear:
    """Collects the person's audio, asks the voice detector and the turn-taker, reports each change by `report`."""

    def __init__(
        self, manners: ListeningSettings, voice: VoiceStream, report: Callable[[Verdict, Utterance | None], None]
    ) -> None:
        self.turns = TurnTaker(manners)
        self._voice = voice
        self._report = report
        self._echo = EchoGuard()
        self._echo_age = 0
        self._only_echo = False
        self._nearness = Nearness()
        self._inbox: list[bytes] = []
        self._heard_until = 0.0
        self._run_up: deque[bytes] = deque(maxlen=RUN_UP_FRAMES)
        self._utterance: Utterance | None = None
        self._missing = 0

    def frame(self, frame: bytes, now: float) -> None:
        """20 ms from the person have arrived."""
        self._inbox.append(frame)
        self._heard_until = now + FRAME_SECONDS
        self._voice.push(frame)
        self._echo.received(frame)

    def sent(self, frame: bytes, *, silent: bool) -> None:
        """20 ms went out: what may come back as our own echo."""
        self._echo.sent(frame, silent=silent)

    def mistook(self, utterance: Utterance) -> None:
        """It was nobody who wanted to be heard."""
        self._nearness.mistaken(utterance.loudest)

    def forget(self) -> None:
        """What is being heard means nothing."""
        self.turns.forget()
        self._utterance = None

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
        if probability >= self.turns.manners.voice_threshold and self._hears_itself():
            probability = 0.0
        for frame in frames:
            voice = probability >= VOICES
            self._nearness.heard(audioop.rms(frame, SAMPLE_BYTES), voice=voice, of_person=self._alone(agents_turn))
        if probability >= CERTAIN and not agents_turn:
            self._nearness.spoke()
        if self._is_others(agents_turn):
            probability = 0.0
        self._keep(frames, probability)
        seconds = FRAME_SECONDS * max(len(frames), 1)
        verdict = self.turns.hear(probability, seconds, agents_turn=agents_turn, near=self._nearness.near)
        if verdict is not None:
            self._changed(verdict, now, agents_turn)
        return frames

    def _hears_itself(self) -> bool:
        if not self._echo.possible:
            return False
        self._echo_age += 1
        if self._echo_age >= ECHO_EVERY:
            self._echo_age = 0
            self._only_echo = self._echo.hears_itself()
        return self._only_echo

    def _alone(self, agents_turn: bool) -> bool:
        """The person speaks in their own turn, and began where there was no crowd."""
        return not agents_turn and self._utterance is not None and not self._utterance.began_in_crowd

    def _is_others(self, agents_turn: bool) -> bool:
        """Whatever is heard now, it comes from the room. In their own turn a person may speak as softly as they like,
        once they have begun."""
        if self.turns.state is not Hearing.QUIET and not agents_turn:
            return not self._alone(agents_turn) and not self._nearness.above_crowd(going_on=True)
        far = not agents_turn and self._nearness.far
        return far or not self._nearness.above_crowd(going_on=False)

    def _keep(self, frames: list[bytes], probability: float) -> None:
        utterance = self._utterance
        if utterance is None:
            self._run_up += frames
            return
        for frame in frames:
            utterance.audio += frame
        if frames:
            utterance.heard_until = self._heard_until
            if probability >= self.turns.manners.voice_threshold:
                seconds = FRAME_SECONDS * len(frames)
                utterance.voiced_seconds += seconds
                utterance.certain_seconds += seconds if probability >= CERTAIN else 0.0
                utterance.loudest = max(utterance.loudest, self._nearness.loudness)

    def _changed(self, verdict: Verdict, now: float, agents_turn: bool) -> None:
        if verdict is Verdict.SPEECH_STARTED:
            voiced = self.turns.turn
            self._utterance = Utterance(
                started=now - voiced,
                audio=bytearray(b"".join(self._run_up)),
                voiced_seconds=voiced,
                certain_seconds=self.turns.certain,
                loudest=self._nearness.loudness,
                began_in_crowd=self._nearness.crowd,
                heard_until=self._heard_until,
                over_agent=agents_turn,
            )
            self._run_up.clear()
        utterance = self._utterance
        if utterance is not None:
            utterance.in_crowd = self._nearness.in_crowd(utterance.loudest)
        if verdict in {Verdict.TURN_ENDED, Verdict.TURN_CUT} and utterance is not None:
            utterance.over_at = now
            utterance.cut = verdict is Verdict.TURN_CUT
            self._utterance = None
        self._report(verdict, utterance)

    def close(self) -> None:
        self._voice.close()
