"""Whether a person has finished speaking, by the sound of it: Smart Turn v3.2 in a worker process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from trunkline.audio import SAMPLE_BYTES, bytes_of
from trunkline.settings import SpeechSettings
from trunkline.speech.model_sources import sources
from trunkline.speech.models import SMART_TURN, Report, default_models_dir, provide, refetch
from trunkline.speech.pooled_engine import PooledEngine

MODEL_FILE: Final = "smart-turn-v3.2-cpu.onnx"
_HEARD: Final = bytes_of(8.0)
_TIME_LIMIT: Final = 5.0
"""Seconds; a worker that takes longer is replaced. An answer takes 0.03 s and is worth nothing after two."""


class SmartTurnDetector(PooledEngine):
    """Fits `ports.TurnEndDetector`."""

    def __init__(self, find_model: Callable[[], Path], *, workers: int = 1) -> None:
        super().__init__(
            "The turn detector",
            "trunkline.speech.smart_turn_worker",
            find_model,
            lambda folder: {"model": str(folder / MODEL_FILE)},
            workers=workers,
            time_limit=_TIME_LIMIT,
        )

    async def finished(self, audio: bytes) -> float:
        """As the port says; only the last 8 s are listened to."""
        if len(audio) % SAMPLE_BYTES:
            raise ValueError("audio consists of 16-bit samples: its length is even")
        pool = await self._ready()
        answer, _ = await pool.ask({}, audio[-_HEARD:])
        return float(answer["finished"])


def smart_turn_model(settings: SpeechSettings, report: Report | None = None, *, replace: bool = False) -> Path:
    """The folder of the verified model. Blocks while it is fetched; `replace` mends a damaged one."""
    bring = refetch if replace else provide
    folder = settings.models_dir or default_models_dir()
    return bring(SMART_TURN, folder, sources(offline=settings.offline), report or _silently)


def _silently(_what: str, _done: int, _total: int) -> None:
    """Nobody watches."""
