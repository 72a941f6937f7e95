from __future__ import annotations

import numpy as np
import pytest

from trunkline.audio import SAMPLE_BYTES, audible_end, audible_start, bytes_of, from_float, seconds_of, to_float


def sound(*parts: tuple[float, float]) -> bytes:
    """(seconds, amplitude) of 300 Hz, one after the other."""
    waves = []
    for seconds, amplitude in parts:
        when = np.arange(round(seconds * 8000)) / 8000
        waves.append((amplitude * np.sin(2 * np.pi * 300 * when)).astype(np.float32))
    return from_float(np.concatenate(waves))


@pytest.mark.parametrize("amplitude", [0.05, 0.3, 1.0])
def test_where_sound_begins_and_ends(amplitude: float) -> None:
    pcm = sound((0.25, 0.0), (0.5, amplitude), (0.125, 0.0))
    start = audible_start(pcm)
    assert start is not None
    assert start / SAMPLE_BYTES == pytest.approx(2000, abs=10)
    assert audible_end(pcm) / SAMPLE_BYTES == pytest.approx(6000, abs=10)


def test_silence_and_faint_noise_hold_no_sound() -> None:
    assert audible_start(b"") is None
    assert audible_end(b"") == 0
    faint = sound((0.5, 0.005))
    assert audible_start(faint) is None
    assert audible_end(faint) == 0


def test_a_click_is_no_sound() -> None:
    samples = np.zeros(4000, "<i2")
    samples[2000:2004] = 20000
    assert audible_start(samples.tobytes()) is None


def test_noise_far_below_the_speech_is_not_its_end() -> None:
    assert audible_end(sound((0.25, 0.9), (0.25, 0.012))) / SAMPLE_BYTES == pytest.approx(2000, abs=10)


def test_lengths_and_samples_there_and_back() -> None:
    assert seconds_of(bytes(bytes_of(1.25))) == 1.25
    wave = np.array([-1.5, -1.0, 0.0, 0.5, 1.0], np.float32)
    assert to_float(from_float(wave)) == pytest.approx([-1.0, -1.0, 0.0, 0.5, 1.0], abs=1e-3)
