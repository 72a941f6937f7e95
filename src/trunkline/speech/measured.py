"""Counts what is asked of each engine, how long its first answer takes and how often it has none."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field

from trunkline.errors import SpeechUnavailable
from trunkline.ports import SpeechToText, TextToSpeech, Transcript


@dataclass(slots=True)
class EngineUse:
    answered: int = 0
    failed: int = 0
    seconds: float = 0.0
    """From the request to the words, or to the first sound, of all that were answered."""


@dataclass(slots=True)
class EngineCounters:
    uses: dict[tuple[str, str], EngineUse] = field(default_factory=dict)
    """By task (`stt`, `tts`) and engine, since the start."""

    @contextmanager
    def request(self, task: str, engine: str) -> Iterator[_Request]:
        request = _Request(self.uses.setdefault((task, engine), EngineUse()))
        try:
            yield request
        except SpeechUnavailable:
            request.use.failed += 1
            raise


class _Request:
    def __init__(self, use: EngineUse) -> None:
        self.use = use
        self._begun = time.monotonic()
        self._answered = False

    def answered(self) -> None:
        """Here is its answer, or the next part of it."""
        if not self._answered:
            self._answered = True
            self.use.answered += 1
            self.use.seconds += time.monotonic() - self._begun


class MeasuredEars:
    def __init__(self, engine: SpeechToText, name: str, counters: EngineCounters) -> None:
        self._engine = engine
        self._name = name
        self._counters = counters

    async def warm_up(self) -> None:
        await self._engine.warm_up()

    async def transcribe(self, audio: bytes, *, language: str = "en", hint: str = "") -> Transcript:
        with self._counters.request("stt", self._name) as request:
            transcript = await self._engine.transcribe(audio, language=language, hint=hint)
            request.answered()
        return transcript

    async def close(self) -> None:
        await self._engine.close()


class MeasuredVoice:
    def __init__(self, engine: TextToSpeech, name: str, counters: EngineCounters) -> None:
        self._engine = engine
        self._name = name
        self._counters = counters

    async def warm_up(self) -> None:
        await self._engine.warm_up()

    async def synthesise(self, text: str, *, voice: str = "", speed: float = 1.0) -> AsyncGenerator[bytes, None]:
        with self._counters.request("tts", self._name) as request:
            async with aclosing(self._engine.synthesise(text, voice=voice, speed=speed)) as pieces:
                async for piece in pieces:
                    request.answered()
                    yield piece

    async def close(self) -> None:
        await self._engine.close()
