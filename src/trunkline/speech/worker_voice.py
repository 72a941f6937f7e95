"""Text to speech in a worker process: pieces as they become ready, short ones remembered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Final

from trunkline.audio import bytes_of
from trunkline.errors import SpeechUnavailable
from trunkline.speech.sound_memory import SoundMemory
from trunkline.speech.worker_pool import WorkerPool
from trunkline.spoken_text import pieces, speakable

_SENTENCE_PAUSE: Final = bytes(bytes_of(0.17))
"""Between sentences; each already ends with 80 ms of near-silence."""
_CLAUSE_PAUSE: Final = bytes(bytes_of(0.05))


class WorkerVoice:
    """A voice engine behind `module`, which answers `{"text", "voice", "speed"}` with 8 kHz audio."""

    def __init__(self, module: str) -> None:
        self._pool = WorkerPool(module, {}, nice=5)
        self._starting = asyncio.Lock()
        self._started = False
        self._closed = False
        self._memory = SoundMemory()

    @property
    def pids(self) -> tuple[int, ...]:
        """The worker processes that are alive."""
        return self._pool.pids

    async def warm_up(self) -> None:
        """Raises `SpeechUnavailable`."""
        async with self._starting:
            if self._closed:
                raise SpeechUnavailable("The voice is closed.")
            if not self._started:
                await self._pool.start()
                self._started = True

    async def synthesise(self, text: str, *, voice: str = "", speed: float = 1.0) -> AsyncGenerator[bytes, None]:
        """One piece per sentence; of a long first sentence its first clause comes as a piece of its own."""
        await self.warm_up()
        ahead = pieces(speakable(text))
        for number, piece in enumerate(ahead, start=1):
            sound = await self._sound(piece, voice, speed)
            if not sound:
                continue
            if number < len(ahead):
                sound += _SENTENCE_PAUSE if piece[-1] in ".!?" else _CLAUSE_PAUSE
            yield sound

    async def close(self) -> None:
        self._closed = True
        await self._pool.close()

    async def _sound(self, piece: str, voice: str, speed: float) -> bytes:
        key = (piece, voice, speed)
        if (known := self._memory.get(key)) is not None:
            return known
        _, sound = await self._pool.ask({"text": piece, "voice": voice, "speed": speed})
        self._memory.put(key, sound)
        return sound
