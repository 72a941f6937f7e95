"""Speech to text with Whisper (int8, ctranslate2) in worker processes."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np

from trunkline.audio import FRAME_SAMPLES, SAMPLE_BYTES, bytes_of, to_float
from trunkline.errors import SpeechUnavailable
from trunkline.ports import Transcript
from trunkline.speech.worker_pool import WorkerPool

NOTHING: Final = Transcript("", 0.0)

_SHORTEST: Final = 0.1
_LONGEST: Final = 30.0
_HEARD: Final = 29.0
"""Seconds that fit into Whisper's window beside the silence in front."""
_SILENT: Final = 10 ** (-60 / 20)
"""No 20 ms louder than −60 dB of full scale: nobody spoke, whatever Whisper would make of it."""
_LEAST_SCORE: Final = -1.0
"""Below it half the words or more were wrong in 46 of 46 measured utterances."""
_LEAST_SCORE_WITHOUT_NO_SPEECH: Final = -1.2
"""The score less the probability of no speech: noise, tones and music stay below, right words above."""


class WhisperSpeechToText:
    """`find_model` brings the folder of a verified model and may take long (it is called in a thread)."""

    def __init__(self, find_model: Callable[[], Path], *, workers: int = 1) -> None:
        self._find_model = find_model
        self._workers = workers
        self._starting = asyncio.Lock()
        self._pool: WorkerPool | None = None
        self._closed = False

    @property
    def pids(self) -> tuple[int, ...]:
        """The worker processes that are alive."""
        return self._pool.pids if self._pool else ()

    @property
    def waiting(self) -> int:
        """Requests that wait for a worker to become free."""
        return self._pool.waiting if self._pool else 0

    async def warm_up(self) -> None:
        """Raises `SpeechUnavailable` or `ModelRefused`."""
        await self._ready()

    async def transcribe(self, audio: bytes, *, language: str = "en", hint: str = "") -> Transcript:
        """As the port says. `hint` works best as a list: `yes, no, Thursday, half past four`."""
        if len(audio) % SAMPLE_BYTES:
            raise ValueError("audio consists of 16-bit samples: its length is even")
        if len(audio) > bytes_of(_LONGEST):
            raise ValueError(f"an utterance lasts at most {_LONGEST:.0f} s")
        pool = await self._ready()
        if len(audio) < bytes_of(_SHORTEST) or loudest(audio) < _SILENT:
            return NOTHING
        request = {"language": language.lower().partition("-")[0], "hint": hint}
        answer, _ = await pool.ask(request, audio[-bytes_of(_HEARD) :])
        score, no_speech = answer["score"], answer["no_speech"]
        words = any(character.isalnum() for character in answer["text"])
        if not words or score < _LEAST_SCORE or score - no_speech < _LEAST_SCORE_WITHOUT_NO_SPEECH:
            return NOTHING
        return Transcript(answer["text"], min(1.0, math.exp(score)), answer["trails_off"])

    async def close(self) -> None:
        self._closed = True
        if self._pool is not None:
            await self._pool.close()

    async def _ready(self) -> WorkerPool:
        async with self._starting:
            if self._closed:
                raise SpeechUnavailable("Speech recognition is closed.")
            if self._pool is None:
                folder = await asyncio.to_thread(self._find_model)
                pool = WorkerPool("trunkline.speech.whisper_worker", {"model": str(folder)}, size=self._workers)
                await pool.start()
                self._pool = pool
            return self._pool


def loudest(audio: bytes) -> float:
    """Root mean square, 0 to 1, of the loudest 20 ms."""
    frames = len(audio) // (FRAME_SAMPLES * SAMPLE_BYTES)
    wave = to_float(audio)[: frames * FRAME_SAMPLES].reshape(frames, FRAME_SAMPLES)
    return float(np.sqrt(np.max(np.mean(np.square(wave), axis=1))))
