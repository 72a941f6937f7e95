"""Sounds for the speech tests: what a person says, heard through a telephone; and what is not speech."""

from __future__ import annotations

import asyncio
import audioop
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
import uvloop
from numpy.typing import NDArray

from tests.speech.audio_server import AudioServer, audio_server_apart
from trunkline.audio import FRAME_BYTES, SAMPLE_BYTES, SAMPLE_RATE, from_float
from trunkline.settings import SpeechSettings
from trunkline.speech import whisper_model
from trunkline.speech.hibari_worker import Voices

Speak = Callable[..., bytes]


def through_telephone(audio: bytes) -> bytes:
    """8 kHz audio as G.711 μ-law leaves it."""
    return audioop.ulaw2lin(audioop.lin2ulaw(audio, SAMPLE_BYTES), SAMPLE_BYTES)


def noise(seconds: float, level: float, seed: int = 1) -> bytes:
    """White noise of that root mean square (0 to 1), through the telephone."""
    wave = np.random.default_rng(seed).standard_normal(round(seconds * SAMPLE_RATE)).astype(np.float32)
    return through_telephone(from_float((wave * level).astype(np.float32)))


def mixed(*sounds: bytes) -> bytes:
    """Sounds on top of each other, as long as the longest."""
    total: NDArray[np.int32] = np.zeros(max(len(sound) for sound in sounds) // SAMPLE_BYTES, np.int32)
    for sound in sounds:
        total[: len(sound) // SAMPLE_BYTES] += np.frombuffer(sound, "<i2")
    return bytes(np.clip(total, -32768, 32767).astype("<i2").tobytes())


def frames(audio: bytes) -> list[bytes]:
    """Whole 20 ms frames; what is left over is dropped."""
    return [audio[start : start + FRAME_BYTES] for start in range(0, len(audio) - FRAME_BYTES + 1, FRAME_BYTES)]


@pytest.fixture(scope="session")
def speak() -> Speak:
    """Says a text with hibari, heard through the telephone."""
    voices = Voices()

    def say(text: str, voice: str = "", speed: float = 1.0) -> bytes:
        return through_telephone(voices.say(text, voice, speed))

    return say


@pytest.fixture(scope="session")
def studio() -> Iterator[AudioServer]:
    """A server of OpenAI's audio protocol."""
    with audio_server_apart() as server:
        yield server


@pytest.fixture(scope="session")
def whisper_folder() -> Path:
    """The verified model from the user's cache: `make parts` puts it there, tests fetch nothing."""
    return whisper_model(SpeechSettings(offline=True))


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The product runs on uvloop, the command line on asyncio's own loop: processes are watched differently there."""
    if item.path.name == "test_worker_pool.py":
        return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
    return {"asyncio": asyncio.new_event_loop}
