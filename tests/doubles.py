"""Honest doubles of the ports in `trunkline.ports`: no model, no process, no clock; they pass the same contract suites
as the real engines (`tests/speech/contract.py`).
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import AsyncGenerator

import numpy as np

from trunkline.audio import FRAME_BYTES, SAMPLE_BYTES, SAMPLE_RATE, from_float, to_float
from trunkline.errors import SpeechUnavailable
from trunkline.ports import Transcript


def level_of(pcm: bytes) -> float:
    """Root mean square of the audio, 0 to 1."""
    return float(np.sqrt(np.mean(np.square(to_float(pcm))))) if pcm else 0.0


def tone(seconds: float, hertz: float = 440.0, amplitude: float = 0.3) -> bytes:
    """A sine of whole samples, 8 kHz 16-bit."""
    when = np.arange(round(seconds * SAMPLE_RATE), dtype=np.float32) / SAMPLE_RATE
    return from_float((amplitude * np.sin(2 * np.pi * hertz * when)).astype(np.float32))


class FakeVoiceStream:
    """Voice activity by loudness of the newest frame."""

    def __init__(self, threshold: float) -> None:
        self.probability = 0.0
        self.closed = False
        self._threshold = threshold

    def push(self, frame: bytes) -> None:
        if len(frame) != FRAME_BYTES:
            raise ValueError(f"a frame has {FRAME_BYTES} bytes, this one {len(frame)}")
        self.probability = 0.95 if level_of(frame) > self._threshold else 0.02

    def close(self) -> None:
        self.closed = True


class FakeVoiceDetector:
    """Whatever is louder than `threshold` (root mean square, 0 to 1; default −40 dB of full scale) is speech."""

    def __init__(self, threshold: float = 0.01) -> None:
        self.streams: list[FakeVoiceStream] = []
        self._threshold = threshold

    def open(self) -> FakeVoiceStream:
        stream = FakeVoiceStream(self._threshold)
        self.streams.append(stream)
        return stream


class FakeSpeechToText:
    """Understands the scripted texts, one per audible utterance, in order; then, and in silence, nothing.

    `hold()` makes transcriptions wait until `release()`; `fail_with` makes them raise. `heard` keeps the audio of
    every transcription that was begun, `hints` what was hinted at.
    """

    def __init__(self, *texts: str, confidence: float = 0.9, threshold: float = 0.01) -> None:
        self.texts = deque(texts)
        self.heard: list[bytes] = []
        self.hints: list[str] = []
        self.fail_with: Exception | None = None
        self.warmed_up = False
        self.closed = False
        self._confidence = confidence
        self._threshold = threshold
        self._free = asyncio.Event()
        self._free.set()

    def hold(self) -> None:
        self._free.clear()

    def release(self) -> None:
        self._free.set()

    async def warm_up(self) -> None:
        self.warmed_up = True

    async def transcribe(self, audio: bytes, *, language: str = "en", hint: str = "") -> Transcript:
        if self.closed:
            raise SpeechUnavailable("Speech recognition is closed.")
        if len(audio) % 2:
            raise ValueError("audio has whole 16-bit samples")
        self.heard.append(audio)
        self.hints.append(hint)
        await self._free.wait()
        await asyncio.sleep(0)
        if self.fail_with is not None:
            raise self.fail_with
        if level_of(audio) <= self._threshold or not self.texts:
            return Transcript("", 0.0)
        return Transcript(self.texts.popleft(), self._confidence)

    async def close(self) -> None:
        self.closed = True


class FakeTurnEndDetector:
    """Answers the probabilities it was given, in turn, then the last one for ever. `asked` keeps the audio."""

    def __init__(self, *probabilities: float) -> None:
        self.asked: list[bytes] = []
        self.closed = False
        self._answers = deque(probabilities or (0.5,))

    async def warm_up(self) -> None:
        """Nothing to load."""

    async def finished(self, audio: bytes) -> float:
        if len(audio) % SAMPLE_BYTES:
            raise ValueError("audio consists of 16-bit samples: its length is even")
        if self.closed:
            raise SpeechUnavailable("The turn detector is closed.")
        self.asked.append(audio)
        await asyncio.sleep(0)
        return self._answers.popleft() if len(self._answers) > 1 else self._answers[0]

    async def close(self) -> None:
        self.closed = True


class FakeTextToSpeech:
    """Speaks tones: 60 ms per character (divided by `speed`), one piece per sentence, audible from the first sample.

    `said` keeps every text asked for, `synthesised` every sentence whose audio was handed out. `hold()` makes pieces
    wait until `release()`; `fail_with` makes synthesis raise before its first piece.
    """

    def __init__(self, *, seconds_per_character: float = 0.06, hertz: float = 440.0) -> None:
        self.said: list[str] = []
        self.synthesised: list[str] = []
        self.fail_with: Exception | None = None
        self.warmed_up = False
        self.closed = False
        self._seconds = seconds_per_character
        self._hertz = hertz
        self._free = asyncio.Event()
        self._free.set()

    def hold(self) -> None:
        self._free.clear()

    def release(self) -> None:
        self._free.set()

    async def warm_up(self) -> None:
        self.warmed_up = True

    async def synthesise(self, text: str, *, voice: str = "", speed: float = 1.0) -> AsyncGenerator[bytes, None]:
        if self.closed:
            raise SpeechUnavailable("The voice is closed.")
        self.said.append(text)
        for sentence in re.findall(r"[^.!?]*\w[^.!?]*[.!?]*", text):
            await self._free.wait()
            await asyncio.sleep(0)
            if self.fail_with is not None:
                raise self.fail_with
            self.synthesised.append(sentence.strip())
            yield tone(self._seconds * len(sentence.strip()) / speed, self._hertz)

    async def close(self) -> None:
        self.closed = True
