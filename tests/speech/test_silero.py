from __future__ import annotations

import random
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from tests.doubles import tone
from tests.speech.conftest import Speak, frames, mixed, noise
from tests.speech.test_voice_detector import listen
from trunkline.audio import FRAME_SAMPLES, SILENCE, to_float
from trunkline.errors import ModelRefused, SpeechUnavailable
from trunkline.speech import silero
from trunkline.speech.silero import SileroDetector

WORDS = (
    "Yes.",
    "No, thank you.",
    "Half past four would be perfect.",
    "Speaking. What is it about?",
    "Thursday works, but only in the afternoon.",
)


@pytest.fixture
def dialogue(speak: Speak) -> bytes:
    """Five things that are said, two seconds of silence around each."""
    pause = SILENCE * 100
    return pause + b"".join(b"".join(frames(speak(words))) + pause for words in WORDS)


def reference(audio: bytes) -> list[float]:
    """Each window through the model as its authors do it: context, state, nothing else."""
    session = onnxruntime.InferenceSession(silero._model(), providers=["CPUExecutionProvider"])
    wave = to_float(audio)
    state, context = np.zeros((2, 1, 128), np.float32), np.zeros(32, np.float32)
    found = []
    for start in range(0, len(wave) - 255, 256):
        window = np.concatenate([context, wave[start : start + 256]])
        context = window[-32:]
        probability, state = session.run(None, {"input": window[None], "state": state, "sr": np.array(8000)})
        found.append(float(probability[0, 0]))
    return found


def test_windows_are_what_the_model_expects(speak: Speak) -> None:
    audio = speak("The order number is seven eight nine zero two.")
    heard = listen(SileroDetector(gate=False).open(), audio)
    windows = [
        heard[frame] for frame in range(len(heard)) if (frame + 1) * FRAME_SAMPLES // 256 > frame * FRAME_SAMPLES // 256
    ]
    assert windows == pytest.approx(reference(audio)[: len(windows)], abs=1e-5)


def test_many_calls_together_hear_what_each_hears_alone(dialogue: bytes) -> None:
    audio = frames(dialogue)
    starts = random.Random(4).sample(range(len(audio) // 2), 9)
    alone = [listen(SileroDetector().open(), b"".join(audio[start : start + 200])) for start in starts]

    together = SileroDetector()
    streams = [together.open() for _ in starts]
    for tick in range(200):
        for stream, start in zip(streams, starts, strict=True):
            stream.push(audio[start + tick])
        together.run_pending()
        for stream, expected in zip(streams, alone, strict=True):
            assert stream.probability == pytest.approx(expected[tick], abs=1e-4)


def test_with_a_clock_the_model_runs_once_per_tick(speak: Speak) -> None:
    detector = SileroDetector(gate=False)
    streams = [detector.open() for _ in range(4)]
    detector.run_pending()
    for stream in streams:
        for frame in frames(speak("Hello there."))[:2]:
            stream.push(frame)
    assert detector.windows_run == 0
    detector.run_pending()
    assert detector.windows_run == 4


def test_frames_that_come_in_bursts_are_heard_as_if_they_came_singly(dialogue: bytes) -> None:
    audio = frames(dialogue)
    singly = SileroDetector()
    alone = listen(singly.open(), dialogue)

    detector = SileroDetector()
    stream = detector.open()
    detector.run_pending()
    heard: list[float] = []
    expected: list[float] = []
    sizes, at = random.Random(5), 0
    while at < len(audio):
        burst = audio[at : at + sizes.choice((0, 1, 1, 2, 3))]
        for frame in burst:
            stream.push(frame)
        detector.run_pending()
        at += len(burst)
        heard.append(stream.probability)
        expected.append(alone[at - 1] if at else 0.0)
    speech = np.array(expected) > 0.5
    assert np.mean((np.array(heard) > 0.5) == speech) > 0.99
    # The gate hears of speech a burst later, so a window more or less may pass it.
    assert detector.windows_run == pytest.approx(singly.windows_run, rel=0.05)


def test_a_clock_that_stops_is_noticed(speak: Speak) -> None:
    detector = SileroDetector(gate=False)
    stream = detector.open()
    detector.run_pending()
    heard = listen(stream, speak("Could you repeat that, please?"))
    assert max(heard) > 0.9


@pytest.mark.parametrize("background", [0.0, 0.003, 0.02])
def test_the_gate_changes_no_decision_on_speech(dialogue: bytes, background: float) -> None:
    audio = mixed(dialogue, noise(len(dialogue) / 16000, background))
    open_ = np.array(listen(SileroDetector(gate=False).open(), audio)) > 0.5
    gated = np.array(listen(SileroDetector().open(), audio)) > 0.5
    assert len(turns(gated)) == len(turns(open_)) >= len(WORDS)
    for (begin, end), (expected_begin, expected_end) in zip(turns(gated), turns(open_), strict=True):
        assert -8 <= begin - expected_begin <= 2, "heard as soon, or sooner: the model is fresh after a silence"
        assert abs(end - expected_end) <= 6
    assert np.mean(open_ & ~gated) < 0.005, "nothing of it is lost"


def turns(speech: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and last frame of each stretch of speech, gaps below 0.4 s bridged."""
    active = np.flatnonzero(speech)
    gaps = np.flatnonzero(np.diff(active) > 20)
    return list(zip(active[[0, *(gaps + 1)]].tolist(), active[[*gaps, -1]].tolist(), strict=True))


@pytest.mark.parametrize("level", [0.0, 0.0003, 0.003, 0.03])
def test_silence_costs_nothing(level: float) -> None:
    detector = SileroDetector()
    stream = detector.open()
    listen(stream, noise(4.0, level, seed=2))
    learnt = detector.windows_run
    listen(stream, noise(20.0, level, seed=3))
    assert detector.windows_run - learnt < 0.02 * 20 / 0.032


def test_the_gate_opens_on_a_soft_voice(speak: Speak) -> None:
    soft = (np.frombuffer(speak("Can I talk to a real person?"), "<i2") // 16).astype("<i2").tobytes()  # -44 dB
    stream = SileroDetector().open()
    listen(stream, SILENCE * 100)
    assert max(listen(stream, soft)) > 0.8


def test_what_is_loud_but_no_speech_is_no_speech() -> None:
    for sound in (tone(1.0), tone(1.0, hertz=1000), noise(1.0, 0.1), noise(0.05, 0.5)):
        stream = SileroDetector().open()
        listen(stream, SILENCE * 50)
        assert max(listen(stream, sound + SILENCE * 25)) < 0.5


def test_another_model_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "silero_vad.onnx").write_bytes(b"something else")
    spec = SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: spec)
    with pytest.raises(ModelRefused, match="not Silero VAD v6"):
        SileroDetector()
    (tmp_path / "data" / "silero_vad.onnx").unlink()
    with pytest.raises(SpeechUnavailable, match="can't be read"):
        SileroDetector()
