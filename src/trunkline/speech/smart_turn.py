"""Whether a person has finished speaking, by the sound of it: Smart Turn v3.2 in a worker process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

from trunkline.audio import SAMPLE_BYTES, bytes_of
from trunkline.errors import SpeechUnavailable
from trunkline.settings import SpeechSettings
from trunkline.speech.model_sources import sources
from trunkline.speech.models import SMART_TURN, Report, default_models_dir, provide, refetch
from trunkline.speech.worker_pool import WorkerPool

MODEL_FILE: Final = "smart-turn-v3.2-cpu.onnx"
_HEARD: Final = bytes_of(8.0)
_TIME_LIMIT: Final = 5.0
"""Seconds; a worker that takes longer is replaced. An answer takes 0.03 s and is worth nothing after two."""


class SmartTurnDetector:
    """`find_model` brings the folder of the verified model and may take long (it is called in a thread)."""

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

    async def finished(self, audio: bytes) -> float:
        """As the port says; only the last 8 s are listened to."""
        if len(audio) % SAMPLE_BYTES:
            raise ValueError("audio consists of 16-bit samples: its length is even")
        pool = await self._ready()
        answer, _ = await pool.ask({}, audio[-_HEARD:])
        return float(answer["finished"])

    async def close(self) -> None:
        self._closed = True
        if self._pool is not None:
            await self._pool.close()

    async def _ready(self) -> WorkerPool:
        async with self._starting:
            if self._closed:
                raise SpeechUnavailable("The turn detector is closed.")
            if self._pool is None:
                folder = await asyncio.to_thread(self._find_model)
                config = {"model": str(folder / MODEL_FILE)}
                module = "trunkline.speech.smart_turn_worker"
                pool = WorkerPool(module, config, size=self._workers, time_limit=_TIME_LIMIT)
                await pool.start()
                self._pool = pool
            return self._pool


def smart_turn_model(settings: SpeechSettings, report: Report | None = None, *, replace: bool = False) -> Path:
    """The folder of the verified model. Blocks while it is fetched; `replace` mends a damaged one."""
    bring = refetch if replace else provide
    folder = settings.models_dir or default_models_dir()
    return bring(SMART_TURN, folder, sources(offline=settings.offline), report or _silently)


def _silently(_what: str, _done: int, _total: int) -> None:
    """Nobody watches."""
