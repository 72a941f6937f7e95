"""What a turn detector promises, and what is particular to Smart Turn."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio

from tests.doubles import FakeTurnEndDetector
from tests.speech.conftest import Speak, noise
from trunkline.audio import SAMPLE_RATE, bytes_of
from trunkline.errors import ModelRefused, SpeechUnavailable
from trunkline.ports import TurnEndDetector
from trunkline.settings import SpeechSettings
from trunkline.speech.smart_turn import MODEL_FILE, SmartTurnDetector, smart_turn_model
from trunkline.speech.smart_turn_worker import features

LAPSE = bytes(bytes_of(0.15))
"""Silence that has passed when the question is asked."""


@pytest.fixture(scope="module")
def folder() -> Path:
    """The verified model from the user's cache: `make parts` puts it there, tests fetch nothing."""
    return smart_turn_model(SpeechSettings(offline=True))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def detector(folder: Path) -> AsyncIterator[SmartTurnDetector]:
    engine = SmartTurnDetector(lambda: folder)
    await engine.warm_up()
    yield engine
    await engine.close()


@pytest.mark.asyncio(loop_scope="module")
async def test_a_sentence_is_finished_and_half_of_one_is_not(detector: SmartTurnDetector, speak: Speak) -> None:
    whole = await detector.finished(speak("I would like to move my appointment to Friday.") + LAPSE)
    half = await detector.finished(speak("It's because") + LAPSE)
    assert whole > 0.9
    assert half < 0.3


@pytest.mark.asyncio(loop_scope="module")
async def test_only_the_last_eight_seconds_count(detector: SmartTurnDetector, speak: Speak) -> None:
    sentence = speak("That works for me, thank you.") + LAPSE
    quiet = noise(9.0, 0.001)
    long = quiet + sentence
    assert await detector.finished(long) == await detector.finished(long[-bytes_of(8.0) :])
    assert await detector.finished(long + sentence) == await detector.finished((long + sentence)[-bytes_of(8.0) :])


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("audio", [b"", bytes(2), bytes(bytes_of(1.0)), noise(1.0, 0.1)])
async def test_any_audio_gets_a_probability(detector: SmartTurnDetector, audio: bytes) -> None:
    assert 0.0 <= await detector.finished(audio) <= 1.0


@pytest.mark.asyncio(loop_scope="module")
async def test_half_a_sample_is_refused(detector: SmartTurnDetector) -> None:
    with pytest.raises(ValueError, match="even"):
        await detector.finished(bytes(321))


@pytest.mark.asyncio(loop_scope="module")
async def test_the_work_is_done_elsewhere(detector: SmartTurnDetector) -> None:
    """The loop goes on while the answer is made, and questions that come together are all answered."""
    assert os.getpid() not in detector.pids
    asked = [asyncio.create_task(detector.finished(noise(2.0, 0.1, seed))) for seed in range(4)]
    turns = 0
    while not all(task.done() for task in asked):
        await asyncio.sleep(0)
        turns += 1
    assert turns > 100
    assert len({task.result() for task in asked}) == 4


@pytest.mark.asyncio(loop_scope="module")
async def test_a_cancelled_question_leaves_the_worker_usable(detector: SmartTurnDetector) -> None:
    question = asyncio.create_task(detector.finished(noise(2.0, 0.1)))
    await asyncio.sleep(0)
    question.cancel()
    with pytest.raises(asyncio.CancelledError):
        await question
    assert 0.0 <= await detector.finished(noise(2.0, 0.1)) <= 1.0


async def test_a_killed_worker_is_replaced(folder: Path) -> None:
    engine = SmartTurnDetector(lambda: folder)
    await engine.warm_up()
    try:
        (first,) = engine.pids
        os.kill(first, signal.SIGKILL)
        assert 0.0 <= await engine.finished(noise(1.0, 0.1)) <= 1.0
        assert engine.pids != (first,)
    finally:
        await engine.close()


async def test_closed_means_closed(folder: Path) -> None:
    engine = SmartTurnDetector(lambda: folder)
    await engine.warm_up()
    await engine.close()
    await engine.close()
    with pytest.raises(SpeechUnavailable):
        await engine.finished(bytes(320))


async def test_what_is_no_model_is_refused_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / MODEL_FILE).write_bytes(b"not a model")
    engine = SmartTurnDetector(lambda: tmp_path)
    with pytest.raises(SpeechUnavailable, match="did not start"):
        await engine.warm_up()
    await engine.close()


def test_a_changed_model_is_not_loaded(folder: Path, tmp_path: Path) -> None:
    damaged = tmp_path / folder.name
    damaged.mkdir()
    for file in folder.iterdir():
        (damaged / file.name).write_bytes(file.read_bytes())
    with (damaged / MODEL_FILE).open("r+b") as model:
        model.seek(1000)
        model.write(b"\0\0\0\0")
    with pytest.raises(ModelRefused, match="SHA-256"):
        smart_turn_model(SpeechSettings(offline=True, models_dir=tmp_path))


def test_the_licence_lies_beside_the_model(folder: Path) -> None:
    assert "BSD 2-Clause License" in (folder / "LICENSE").read_text()


def test_features_end_with_the_sound_and_are_padded_in_front() -> None:
    second = (np.sin(2 * np.pi * 440 * np.arange(SAMPLE_RATE) / SAMPLE_RATE) * 8000).astype("<i2").tobytes()
    found = features(second)
    assert found.shape == (1, 80, 800)
    assert found.dtype == np.float32
    assert found[0, :, :695].max() < found[0, :, 705:].max() - 1.0, "silence in front, the tone at the end"
    louder = (np.frombuffer(second, "<i2") * 3).astype("<i2").tobytes()
    assert np.allclose(features(louder), found, atol=0.01), "loudness does not matter"


async def test_the_double_keeps_the_same_promises() -> None:
    fake: TurnEndDetector = FakeTurnEndDetector(0.2, 0.9)
    await fake.warm_up()
    assert [await fake.finished(bytes(320)) for _ in range(3)] == [0.2, 0.9, 0.9]
    with pytest.raises(ValueError, match="even"):
        await fake.finished(bytes(3))
    await fake.close()
    with pytest.raises(SpeechUnavailable):
        await fake.finished(bytes(320))
