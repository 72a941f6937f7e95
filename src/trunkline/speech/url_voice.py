"""Text to speech by a server of OpenAI's audio protocol."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any, Final

from trunkline.audio import audible_start, bytes_of
from trunkline.errors import MediaError, SpeechUnavailable
from trunkline.media.containers import wav_head
from trunkline.media.decoding import decode
from trunkline.speech.sound_memory import SoundMemory
from trunkline.speech.speech_server import SpeechServer
from trunkline.spoken_text import pieces, speakable

_PCM_RATE: Final = 24_000
"""OpenAI's `pcm`: 24 kHz, 16-bit little-endian, mono, without a head."""
_FILES: Final = (b"RIFF", b"ID3", b"OggS", b"fLaC")
"""How audio files begin: some servers send one whatever they are asked for."""
_LONGEST: Final = 120.0
_LEAD: Final = bytes_of(0.01)


class UrlVoice:
    """Voices: the server's."""

    def __init__(self, server: SpeechServer) -> None:
        self._server = server
        self._memory = SoundMemory()

    async def warm_up(self) -> None:
        """Raises `SpeechUnavailable`."""
        await self._server.reach()

    async def synthesise(self, text: str, *, voice: str = "", speed: float = 1.0) -> AsyncGenerator[bytes, None]:
        """Sentence by sentence, each as it arrives."""
        for sentence in pieces(speakable(text)):
            if not any(character.isalnum() for character in sentence):
                continue
            known = self._memory.get((sentence, voice, speed))
            if known is not None:
                yield known
                continue
            whole = bytearray()
            async with aclosing(self._spoken(sentence, voice, speed)) as sound:
                async for piece in sound:
                    whole += piece
                    yield piece
            if not whole:
                raise SpeechUnavailable(
                    f"A speech server sends silence for {sentence[:60]!r}.", remedy="Look at that server's voice."
                )
            self._memory.put((sentence, voice, speed), bytes(whole))

    async def close(self) -> None:
        await self._server.close()

    async def _spoken(self, sentence: str, voice: str, speed: float) -> AsyncGenerator[bytes, None]:
        settings = self._server.settings
        fields: dict[str, Any] = {
            "model": settings.tts_model,
            "input": sentence,
            "voice": voice or settings.voice,
            "response_format": settings.tts_format,
        }
        if speed != 1.0:
            fields["speed"] = speed
        try:
            async with (
                self._server.speech(fields) as body,
                aclosing(decode(_file(body, settings.tts_format), max_seconds=_LONGEST)) as sound,
                aclosing(_without_lead(sound)) as heard,
            ):
                async for piece in heard:
                    yield piece
        except MediaError as error:
            raise SpeechUnavailable(
                f"What a speech server sends can't be played: {error.message}",
                remedy="Try another tts_format: wav, or mp3.",
            ) from error


async def _file(body: AsyncIterator[bytes], wanted: str) -> AsyncIterator[bytes]:
    """The audio as a file, also where it comes as bare samples."""
    start, known = b"", False
    async for piece in body:
        start = start + piece
        if not known and len(start) < max(map(len, _FILES)):
            continue
        if not known and wanted == "pcm" and not start.startswith(_FILES):
            yield wav_head(_PCM_RATE)
        known = True
        yield start
        start = b""


async def _without_lead(sound: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """`sound` from where it can be heard; what comes before would be silence on the line."""
    waiting = b""
    begun = False
    async for piece in sound:
        if begun:
            yield piece
            continue
        waiting += piece
        start = audible_start(waiting)
        if start is not None:
            begun = True
            yield waiting[max(start - _LEAD, 0) :]
