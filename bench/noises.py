"""Sounds that are not speech, as a telephone picks them up: made of noise, pulses and resonances.

Float waves at 8 kHz with a peak near 1. A seed gives the same sound for ever.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trunkline.audio import SAMPLE_RATE

Wave = NDArray[np.float64]
Random = np.random.Generator


def pink(samples: int, random: Random) -> Wave:
    """Noise of a room: as much power in every octave, root mean square 1."""
    spectrum = np.fft.rfft(random.standard_normal(samples))
    spectrum /= np.sqrt(np.maximum(np.arange(len(spectrum)), 1))
    wave = np.fft.irfft(spectrum, samples)
    return np.asarray(wave / np.sqrt(np.mean(np.square(wave))))


def band(wave: Wave, low: float, high: float) -> Wave:
    """What lies between two frequencies (Hz), with soft edges."""
    spectrum = np.fft.rfft(wave)
    hertz = np.fft.rfftfreq(len(wave), 1 / SAMPLE_RATE)
    spectrum *= 1 / np.sqrt((1 + (low / np.maximum(hertz, 1)) ** 8) * (1 + (hertz / high) ** 24))
    return np.asarray(np.fft.irfft(spectrum, len(wave)))


def hum(random: Random, *, syllables: int, rising: bool) -> Wave:
    """ "Mm" or "mm-hm" with closed lips: glottal pulses through a nose, a breath between the syllables."""
    parts = []
    base = random.uniform(95, 230)
    for number in range(syllables):
        seconds = random.uniform(0.14, 0.24)
        climb = 1.25 if rising and number == syllables - 1 else 0.92
        pitch = base * np.linspace(1, climb, _count(seconds))
        parts.append(_voiced(pitch, ((270, 60, 1.0), (1050, 200, 0.10), (2250, 250, 0.05)), random))
        if number < syllables - 1:
            parts.append(_breath(random.uniform(0.04, 0.08), random) * 0.05)
    return _peak(np.concatenate(parts))


def cough(random: Random) -> Wave:
    """A burst, a rough blast, sometimes a voiced end; once or twice."""
    single = []
    for _ in range(int(random.integers(1, 3))):
        burst = _decaying(random.uniform(0.05, 0.09), 0.02, random)
        blast = _shaped(band(random.standard_normal(_count(random.uniform(0.12, 0.25))), 400, 2600), 0.01, 0.1) * 0.35
        tail = _voiced(np.linspace(random.uniform(180, 300), 130, _count(0.09)), _OPEN, random) * 0.3
        single += [burst, blast, tail if random.random() < 0.5 else tail * 0, np.zeros(_count(0.12))]
    return _peak(np.concatenate(single))


def throat(random: Random) -> Wave:
    """Clearing one's throat: irregular low pulses in noise."""
    count = _count(random.uniform(0.25, 0.5))
    pitch = random.uniform(55, 90) * (1 + 0.25 * np.repeat(random.standard_normal(count // 80 + 1), 80)[:count])
    rough = _voiced(np.maximum(pitch, 30), _OPEN, random) + 0.4 * band(random.standard_normal(count), 300, 2500)
    return _peak(_shaped(rough, 0.03, 0.15))


def laugh(random: Random) -> Wave:
    """ "Ha ha ha": breath and a short vowel, five times a second."""
    pitch = random.uniform(150, 300)
    parts = []
    for number in range(int(random.integers(3, 6))):
        parts.append(_breath(0.08, random) * 0.12)
        vowel = _voiced(pitch * np.linspace(1.05, 0.9, _count(random.uniform(0.07, 0.11))), _OPEN, random)
        parts.append(vowel * 0.9**number)
    return _peak(np.concatenate(parts))


def click(random: Random) -> Wave:
    """A tongue, a switch, a bad contact: a few milliseconds."""
    return _peak(_struck(random.uniform(0.01, 0.03), random.uniform(900, 3000), random.uniform(0.001, 0.006), random))


def knock(random: Random) -> Wave:
    """At a door, three times; what passes the telephone's band."""
    hertz = random.uniform(180, 420)
    gap = np.zeros(_count(random.uniform(0.12, 0.2)))
    return _peak(
        np.concatenate(
            [part for _ in range(3) for part in (_struck(0.09, hertz, random.uniform(0.01, 0.03), random), gap)]
        )
    )


def keyboard(random: Random) -> Wave:
    """A second and a half of typing: each key goes down and up."""
    wave = np.zeros(_count(1.6))
    at = 0.0
    while at < 1.4:
        for offset, factor in ((0.0, 1.0), (random.uniform(0.06, 0.1), 0.5)):
            stroke = _struck(0.02, random.uniform(1500, 3200), random.uniform(0.002, 0.005), random)
            start = _count(at + offset)
            wave[start : start + len(stroke)] += stroke * factor * random.uniform(0.5, 1)
        at += random.uniform(0.09, 0.22)
    return _peak(wave)


def breath(random: Random) -> Wave:
    """Into the microphone, half a second and longer."""
    return _peak(_breath(random.uniform(0.4, 0.9), random))


def rustle(random: Random) -> Wave:
    """The handset against cloth or cheek: low noise that swells and bursts."""
    wave = band(random.standard_normal(_count(random.uniform(0.5, 1.0))), 250, random.uniform(900, 2500))
    bursts = np.interp(np.arange(len(wave)), np.linspace(0, len(wave), 12), random.uniform(0.02, 1, 12) ** 2)
    return _peak(_shaped(wave * bursts, 0.02, 0.05))


NOISES: Final[dict[str, Callable[[Random], Wave]]] = {
    "cough": cough,
    "throat": throat,
    "laugh": laugh,
    "click": click,
    "knock": knock,
    "keyboard": keyboard,
    "breath": breath,
    "rustle": rustle,
}

Formants = tuple[tuple[float, float, float], ...]
"""Frequency, bandwidth (Hz) and strength of each."""
_OPEN: Final[Formants] = ((700, 90, 1.0), (1200, 110, 0.6), (2500, 160, 0.25))


def _count(seconds: float) -> int:
    return round(seconds * SAMPLE_RATE)


def _peak(wave: Wave) -> Wave:
    return np.asarray(wave / np.abs(wave).max())


def _shaped(wave: Wave, attack: float, release: float) -> Wave:
    envelope = np.ones(len(wave))
    rise, fall = min(_count(attack), len(wave) // 2), min(_count(release), len(wave) // 2)
    envelope[:rise] = np.linspace(0, 1, rise)
    envelope[len(wave) - fall :] = np.linspace(1, 0, fall)
    return wave * envelope


def _voiced(pitch: Any, formants: Formants, random: Random) -> Wave:
    """Pulses at `pitch` (Hz, one value a sample) through resonances."""
    knots = np.arange(0, len(pitch) + 200, 200)
    drift = np.interp(np.arange(len(pitch)), knots, 0.01 * random.standard_normal(len(knots)))
    phase = np.cumsum(pitch * (1 + drift)) / SAMPLE_RATE
    pulses = np.diff(np.floor(phase), prepend=0.0) + 0.01 * random.standard_normal(len(phase))
    time = np.arange(_count(0.03)) / SAMPLE_RATE
    response = np.sum(
        [
            strength * np.exp(-np.pi * width * time) * np.sin(2 * np.pi * hertz * time)
            for hertz, width, strength in formants
        ],
        axis=0,
    )
    return _peak(_shaped(np.convolve(pulses, response)[: len(phase)], 0.03, 0.05))


def _breath(seconds: float, random: Random) -> Wave:
    return _peak(_shaped(band(random.standard_normal(_count(seconds)), 400, 2500), seconds / 3, seconds / 3))


def _decaying(seconds: float, decay: float, random: Random) -> Wave:
    count = _count(seconds)
    return _peak(band(random.standard_normal(count), 300, 3000) * np.exp(-np.arange(count) / (decay * SAMPLE_RATE)))


def _struck(seconds: float, hertz: float, decay: float, random: Random) -> Wave:
    time = np.arange(_count(seconds)) / SAMPLE_RATE
    ring = np.sin(2 * np.pi * hertz * time + random.uniform(0, 6)) + 0.5 * random.standard_normal(len(time))
    return np.asarray(ring * np.exp(-time / decay))
