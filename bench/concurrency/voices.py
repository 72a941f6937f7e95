"""Human voices for both sides of the measured calls, from Asterisk's recorded prompts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from trunkline.audio import FRAME_SAMPLES, SAMPLE_BYTES, SAMPLE_RATE, from_float, to_samples
from trunkline.rehearsal.clip import Clip
from trunkline.rehearsal.measurement import magnitude_of
from trunkline.rehearsal.studio import read_wav
from trunkline.telephony.asterisk_fetch import SoundsFolder

LONGEST_PAUSE: Final = 0.14
"""Within what is said, in seconds: shorter than what may end a turn, so that a turn has one end."""
NOISE: Final = 10 ** (-58 / 20)
"""−58 dB of full scale: the background of an ordinary line."""
_AUDIBLE: Final = magnitude_of(-40)


def fluent_speech(sounds: SoundsFolder, least: float, most: float) -> Iterator[Clip]:
    """Prompts of `least` to `most` seconds without a long pause, cut to what is audible; always the same ones."""
    for name, text in sorted(sounds.texts().items()):
        pcm = read_wav(sounds.wav(name))
        span = Clip(text, pcm).audible(_AUDIBLE)
        if span is None or not least <= (span[1] - span[0]) / SAMPLE_RATE <= most:
            continue
        spoken = pcm[span[0] * SAMPLE_BYTES : span[1] * SAMPLE_BYTES]
        if longest_pause(spoken) <= LONGEST_PAUSE:
            yield Clip(text, spoken)


def longest_pause(pcm: bytes) -> float:
    """Seconds without a sample that is audible."""
    samples = to_samples(pcm)
    frames = np.abs(samples[: len(samples) // FRAME_SAMPLES * FRAME_SAMPLES].astype(np.int32)).reshape(
        -1, FRAME_SAMPLES
    )
    loud = np.flatnonzero(np.concatenate(([True], frames.max(axis=1) >= _AUDIBLE, [True])))
    return float((np.diff(loud).max() - 1) * FRAME_SAMPLES / SAMPLE_RATE)


def background(seconds: float) -> bytes:
    """Noise of the line; always the same."""
    wave = np.random.default_rng(1).normal(0.0, NOISE, round(seconds * SAMPLE_RATE))
    return from_float(wave.astype(np.float32))
