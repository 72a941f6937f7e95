"""Recognition and a voice that work as long as one of their engines does."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Generic, Protocol, TypeVar

from trunkline.errors import SpeechUnavailable
from trunkline.ports import SpeechToText, TextToSpeech, Transcript

log = logging.getLogger(__name__)


class _Started(Protocol):
    async def warm_up(self) -> None: ...

    async def close(self) -> None: ...


_Engine = TypeVar("_Engine", bound=_Started)


class _Fallback(Generic[_Engine]):
    """`engines`, the best one first."""

    def __init__(self, engines: Sequence[_Engine]) -> None:
        self._engines = tuple(engines)

    async def warm_up(self) -> None:
        """Warms up the first engine that works; the others start when they are needed. Raises `SpeechUnavailable`."""
        troubles: list[SpeechUnavailable] = []
        for engine in self._engines:
            try:
                return await engine.warm_up()
            except SpeechUnavailable as error:
                log.warning("a speech engine is missing: %s", error)
                troubles.append(error)
        raise troubles[0]

    async def close(self) -> None:
        for engine in self._engines:
            await engine.close()


class FallbackEars(_Fallback[SpeechToText]):
    """Asks `engines` in order until one answers."""

    async def transcribe(self, audio: bytes, *, language: str = "en", hint: str = "") -> Transcript:
        troubles: list[SpeechUnavailable] = []
        for engine in self._engines:
            try:
                return await engine.transcribe(audio, language=language, hint=hint)
            except SpeechUnavailable as error:
                log.info("another recogniser is asked, because: %s", error)
                troubles.append(error)
        raise troubles[0]


class FallbackVoice(_Fallback[TextToSpeech]):
    """Tries `engines` in order, first with the wanted voice, then with their own default voices."""

    async def synthesise(self, text: str, *, voice: str = "", speed: float = 1.0) -> AsyncGenerator[bytes, None]:
        """Changes the engine only before its first piece: nobody is to hear a sentence twice."""
        troubles: list[SpeechUnavailable] = []
        for name in dict.fromkeys((voice, "")):
            for engine in self._engines:
                begun = False
                try:
                    async with aclosing(engine.synthesise(text, voice=name, speed=speed)) as pieces:
                        async for piece in pieces:
                            begun = True
                            yield piece
                except SpeechUnavailable as error:
                    if begun:
                        raise
                    troubles.append(error)
                    continue
                if troubles:
                    log.info("spoken by a fallback voice, because: %s", troubles[0])
                return
        raise troubles[0]
