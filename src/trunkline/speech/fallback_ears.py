"""Recognition that works as long as one of its engines does."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from trunkline.errors import SpeechUnavailable
from trunkline.ports import SpeechToText, Transcript

log = logging.getLogger(__name__)


class FallbackEars:
    """Asks `engines` in order until one answers."""

    def __init__(self, engines: Sequence[SpeechToText]) -> None:
        self._engines = tuple(engines)

    async def warm_up(self) -> None:
        """Warms up the first engine that works; the others start when they are needed. Raises `SpeechUnavailable`."""
        troubles: list[SpeechUnavailable] = []
        for engine in self._engines:
            try:
                return await engine.warm_up()
            except SpeechUnavailable as error:
                log.warning("a recogniser is missing: %s", error)
                troubles.append(error)
        raise troubles[0]

    async def transcribe(self, audio: bytes, *, language: str = "en", hint: str = "") -> Transcript:
        troubles: list[SpeechUnavailable] = []
        for engine in self._engines:
            try:
                return await engine.transcribe(audio, language=language, hint=hint)
            except SpeechUnavailable as error:
                log.info("another recogniser is asked, because: %s", error)
                troubles.append(error)
        raise troubles[0]

    async def close(self) -> None:
        for engine in self._engines:
            await engine.close()
