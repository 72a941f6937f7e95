"""`trunkline speech` as a user runs it."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.speech.test_speech_to_text import words
from trunkline.cli.speech import app, telephone_audio
from trunkline.errors import RequestError

runner = CliRunner()


@pytest.fixture(autouse=True)
def nothing_is_fetched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, whisper_folder: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRUNKLINE_SPEECH__OFFLINE", "true")


def test_fetch_tells_where_the_model_is(whisper_folder: Path) -> None:
    result = runner.invoke(app, ["fetch"])
    assert result.exit_code == 0
    assert str(whisper_folder) in result.output.replace("\n", "")


def test_what_is_said_is_understood(tmp_path: Path) -> None:
    said = runner.invoke(app, ["say", "I would like to cancel, please.", "-o", "said.wav"])
    assert said.exit_code == 0, said.output
    with wave.open(str(tmp_path / "said.wav")) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (8000, 1, 2)
    heard = runner.invoke(app, ["transcribe", "said.wav"])
    assert heard.exit_code == 0, heard.output
    assert words(heard.output.splitlines()[0]) == "i would like to cancel please"
    assert "confidence 0." in heard.output


def test_any_16_bit_wav_is_heard_as_a_telephone_would(tmp_path: Path) -> None:
    when = np.arange(44100) / 44100
    left = (8000 * np.sin(2 * np.pi * 440 * when)).astype("<i2")
    with wave.open(str(tmp_path / "stereo.wav"), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(44100)
        file.writeframes(np.stack([left, np.zeros_like(left)], axis=1).tobytes())
    samples = np.frombuffer(telephone_audio(tmp_path / "stereo.wav"), "<i2")
    assert len(samples) == 8000
    assert np.abs(np.fft.rfft(samples)).argmax() == 440


def test_what_is_no_such_wav_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("no sound")
    with pytest.raises(RequestError, match="not a WAV file"):
        telephone_audio(tmp_path / "text.wav")
    with wave.open(str(tmp_path / "eight.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(8000)
        file.writeframes(bytes(800))
    with pytest.raises(RequestError, match="8-bit samples"):
        telephone_audio(tmp_path / "eight.wav")
    with wave.open(str(tmp_path / "long.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(16000 * 31))
    result = runner.invoke(app, ["transcribe", "long.wav"])
    assert isinstance(result.exception, RequestError)
    assert "at most 30 s" in str(result.exception)
