"""Sounds that are no speech, made from nothing but numbers: a cough, a click, music on hold, a hum. Deterministic.

They are like the real ones in what matters to a voice detector: spectrum, length, onset and rhythm.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trunkline.audio import SAMPLE_RATE, from_float

Wave = NDArray[np.float64]
"""8 kHz, −1 to 1."""

PEAK: Final = 10 ** (-9 / 20)
"""All are made this loud, about as loud as the peaks of speech on a telephone."""
_SCALE: Final = (0, 2, 4, 7, 9)
"""A major pentatonic: whatever is played, it sounds like music."""
_BEATS_PER_SECOND: Final = 1.8


@dataclass(frozen=True, slots=True)
class Recipe:
    make: Callable[[float], Wave]
    seconds: float
    """How long it is when nobody says."""


def make_sound(kind: str, seconds: float | None = None) -> bytes:
    """16-bit audio of one of `SOUNDS`."""
    recipe = SOUNDS[kind]
    made = recipe.make(recipe.seconds if seconds is None else seconds)
    loudest = float(np.abs(made).max(initial=0.0)) or 1.0
    return from_float((made * (PEAK / loudest)).astype(np.float32))


def _times(seconds: float) -> Wave:
    return np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE


def _white(count: int, seed: int) -> Wave:
    return np.random.default_rng(seed).standard_normal(count)


def _band(noise: Wave, low: float, high: float) -> Wave:
    """The part of it between two frequencies (Hz)."""
    spectrum = np.fft.rfft(noise)
    frequencies = np.fft.rfftfreq(len(noise), 1 / SAMPLE_RATE)
    spectrum[(frequencies < low) | (frequencies > high)] = 0
    return np.asarray(np.fft.irfft(spectrum, len(noise)))


def _swell(seconds: float, rise: float, fall: float) -> Wave:
    """An envelope that rises and decays exponentially; both times in seconds."""
    t = _times(seconds)
    return np.asarray((1 - np.exp(-t / rise)) * np.exp(-t / fall))


def _cough(seconds: float) -> Wave:
    """Two bursts: a sharp, noisy one, and a weaker one with some voice in it."""
    made = np.zeros(round(seconds * SAMPLE_RATE))
    for number, (begin, loud, voiced) in enumerate(((0.0, 1.0, 0.15), (0.52, 0.7, 0.35))):
        start, length = round(begin * seconds * SAMPLE_RATE), min(0.24, 0.42 * seconds)
        shape = _swell(length, 0.004, 0.06)
        t = _times(length)
        throat = np.sign(np.sin(2 * np.pi * (150 - 120 * t) * t)) * np.exp(-t / 0.08)
        burst = (_band(_white(len(shape), 11 + number), 300, 2600) * shape + voiced * throat * shape) * loud
        made[start : start + len(burst)] += burst[: len(made) - start]
    return made


def _click(seconds: float) -> Wave:
    """A knock on the handset: a few milliseconds, then its ring."""
    t = _times(seconds)
    knock = np.exp(-t / 0.003) * _white(len(t), 21)
    return np.asarray(knock + 0.3 * np.exp(-t / 0.012) * np.sin(2 * np.pi * 900 * t))


def _breath(seconds: float) -> Wave:
    """Blowing into the microphone."""
    count = round(seconds * SAMPLE_RATE)
    return _band(_white(count, 31), 100, 1200) * np.hanning(count)


def _music(seconds: float) -> Wave:
    """Music on hold: a slow melody over chords, four voices with overtones, without end or pause."""
    t = _times(seconds)
    made = np.zeros(len(t))
    random = np.random.default_rng(41)
    beat = 1 / _BEATS_PER_SECOND
    for number in range(int(seconds / beat) + 1):
        start = round(number * beat * SAMPLE_RATE)
        chord = 48 + (0, 5, 7, 0)[number // 4 % 4]
        notes = [60 + int(random.choice(_SCALE)) + 12 * int(random.integers(0, 2)), chord, chord + 4, chord + 7]
        length = min(2 * beat, seconds - number * beat)
        if length <= 0:
            break
        shape = _swell(length, 0.02, 0.5)
        for voice, note in enumerate(notes):
            made[start : start + len(shape)] += _tone(note, length) * shape * (1.0 if voice == 0 else 0.4)
    return made


def _tone(note: int, seconds: float) -> Wave:
    """A MIDI note with three overtones."""
    phase = 2 * np.pi * 440 * 2 ** ((note - 69) / 12) * _times(seconds)
    return np.asarray(sum(np.sin(phase * part) / part**1.5 for part in (1, 2, 3, 4)))


def _beep(seconds: float) -> Wave:
    """After which one may speak, on an answering machine."""
    return np.asarray(np.sin(2 * np.pi * 1000 * _times(seconds)))


def _hum(seconds: float) -> Wave:
    """A closed mouth agreeing: "mm-hm", two hums, the second one higher."""
    made = np.zeros(round(seconds * SAMPLE_RATE))
    for begin, end, pitch in ((0.0, 0.42, 118.0), (0.56, 1.0, 142.0)):
        start, length = round(begin * seconds * SAMPLE_RATE), (end - begin) * seconds
        t = _times(length)
        phase = 2 * np.pi * np.cumsum(pitch * (1 + 0.06 * np.sin(np.pi * t / length))) / SAMPLE_RATE
        # A nasal: strong around 250 Hz, weak above
        hum = sum(np.sin(phase * part) / (1 + ((part * pitch - 250) / 180) ** 2) for part in range(1, 16))
        piece = np.asarray(hum) * np.hanning(len(t)) ** 0.5
        made[start : start + len(piece)] += piece[: len(made) - start]
    return made


SOUNDS: Final[Mapping[str, Recipe]] = {
    "cough": Recipe(_cough, 0.55),
    "click": Recipe(_click, 0.06),
    "breath": Recipe(_breath, 0.8),
    "mm-hm": Recipe(_hum, 0.6),
    "music": Recipe(_music, 8.0),
    "beep": Recipe(_beep, 0.7),
}
