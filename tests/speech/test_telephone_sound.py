from __future__ import annotations

import numpy as np
import pytest

from trunkline.audio import seconds_of, to_float
from trunkline.speech.telephone_sound import Wave, telephone_sound

RATE = 24_000


def sine(hertz: float, seconds: float, amplitude: float) -> Wave:
    when = np.arange(round(seconds * RATE), dtype=np.float32) / RATE
    return (amplitude * np.sin(2 * np.pi * hertz * when)).astype(np.float32)


def padded(wave: Wave, before: float, after: float) -> Wave:
    return np.concatenate(
        [np.zeros(round(before * RATE), np.float32), wave, np.zeros(round(after * RATE), np.float32)]
    ).astype(np.float32)


def level(wave: Wave) -> float:
    """Decibels relative to full scale."""
    return float(20 * np.log10(np.sqrt(np.mean(np.square(wave)))))


def test_dead_air_is_cut_off_and_a_little_left_behind() -> None:
    sound = telephone_sound(padded(sine(500, 0.5, 0.2), before=0.3, after=0.5), RATE)
    assert seconds_of(sound) == pytest.approx(0.5 + 0.01 + 0.08, abs=0.012)
    wave = to_float(sound)
    assert np.flatnonzero(np.abs(wave) > 0.01)[0] < 0.02 * 8000, "audible within 20 ms"
    assert np.abs(wave[-8:]).max() < 0.001, "and it ends without a click"


@pytest.mark.parametrize("amplitude", [0.05, 0.2, 0.9])
def test_soft_and_loud_voices_come_out_at_the_same_level(amplitude: float) -> None:
    wave = to_float(telephone_sound(sine(500, 1.0, amplitude), RATE))
    assert level(wave[800:-800]) == pytest.approx(-20, abs=0.5)


def test_nothing_is_clipped() -> None:
    spiky = sine(500, 1.0, 0.01)
    spiky[12000:12060] = 1.0
    wave = to_float(telephone_sound(spiky, RATE))
    assert np.abs(wave).max() <= 0.9


def test_what_the_line_cannot_carry_is_gone() -> None:
    wave = to_float(telephone_sound(sine(500, 1.0, 0.1) + sine(5500, 1.0, 0.1), RATE))
    spectrum = np.abs(np.fft.rfft(wave * np.hanning(len(wave))))
    hertz = np.fft.rfftfreq(len(wave), 1 / 8000)
    wanted = spectrum[np.abs(hertz - 500) < 20].max()
    folded = spectrum[np.abs(hertz - 2500) < 20].max()
    assert folded < wanted * 10 ** (-60 / 20), "5500 Hz would fold down to 2500 Hz"


@pytest.mark.parametrize("nothing", [np.zeros(0), np.zeros(RATE), np.full(RATE, 1e-5), np.zeros(5)])
def test_silence_is_no_sound(nothing: Wave) -> None:
    assert telephone_sound(nothing.astype(np.float32), RATE) == b""
