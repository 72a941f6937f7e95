from __future__ import annotations

import numpy as np
import pytest

from trunkline.speech.log_mel import RATE, log_mel


def sine(hertz: float, seconds: float) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.sin(2 * np.pi * hertz * np.arange(int(seconds * RATE)) / RATE).astype(np.float32)


def test_shape_and_scale() -> None:
    features = log_mel(sine(440, 2.0), 12.0)
    assert features.shape == (1, 80, 1200)
    assert features.dtype == np.float32
    assert features.flags.c_contiguous
    assert features.max() - features.min() == pytest.approx(2.0), "eight decades, divided by four"


def test_silence_behind_the_sound_is_the_floor() -> None:
    features = log_mel(sine(440, 2.0), 12.0)[0]
    assert features[:, 210:].max() == pytest.approx(features.min())
    assert features[:, :190].max() == features.max()


@pytest.mark.parametrize(("hertz", "band"), [(200, 4), (440, 11), (1000, 26), (2000, 45), (3400, 59)])
def test_tones_lie_in_their_mel_band(hertz: float, band: int) -> None:
    """Slaney's scale: 80 bands over 45.2 mel, 15 mel up to 1000 Hz."""
    features = log_mel(sine(hertz, 1.0), 1.0)[0]
    assert abs(int(features[:, 50].argmax()) - band) <= 1


def test_longer_sound_is_cut() -> None:
    assert log_mel(sine(440, 5.0), 3.0).shape == (1, 80, 300)
