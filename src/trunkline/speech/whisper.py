"""Speech to text with Whisper (int8, ctranslate2) in worker processes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

from trunkline.audio import bytes_of
from trunkline.errors import SpeechUnavailable
from trunkline.ports import Transcript
from trunkline.speech.utterances import NOTHING, believed, nobody_spoke
from trunkline.speech.worker_pool import WorkerPool

_HEARD: Final = 29.0
"""Seconds that fit into Whisper's window beside the silence in front."""


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
        silent = nobody_spoke(audio)
        pool = await self._ready()
        if silent:
            return NOTHING
        request = {"language": language.lower().partition("-")[0], "hint": hint}
        answer, _ = await pool.ask(request, audio[-bytes_of(_HEARD) :])
        return believed(answer["text"], answer["score"], answer["no_speech"], answer["trails_off"])

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
