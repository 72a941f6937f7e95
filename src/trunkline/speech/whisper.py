"""Speech to text with Whisper (int8, ctranslate2) in worker processes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from trunkline.audio import bytes_of
from trunkline.ports import Transcript
from trunkline.speech.pooled_engine import PooledEngine
from trunkline.speech.utterances import NOTHING, believed, nobody_spoke

_HEARD: Final = 29.0
"""Seconds that fit into Whisper's window beside the silence in front."""


class WhisperSpeechToText(PooledEngine):
    """Fits `ports.SpeechToText`."""

    def __init__(self, find_model: Callable[[], Path], *, workers: int = 1) -> None:
        super().__init__(
            "Speech recognition",
            "trunkline.speech.whisper_worker",
            find_model,
            lambda folder: {"model": str(folder)},
            workers=workers,
        )

    async def transcribe(self, audio: bytes, *, language: str = "en", hint: str = "") -> Transcript:
        """As the port says. `hint` works best as a list: `yes, no, Thursday, half past four`."""
        silent = nobody_spoke(audio)
        pool = await self._ready()
        if silent:
            return NOTHING
        request = {"language": language.lower().partition("-")[0], "hint": hint}
        answer, _ = await pool.ask(request, audio[-bytes_of(_HEARD) :])
        return believed(answer["text"], answer["score"], answer["no_speech"], answer["trails_off"])
