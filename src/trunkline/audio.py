"""What every room agrees on about sound: 8 kHz, signed 16-bit little-endian, mono, frames of 20 ms."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE: Final = 8000
"""Samples per second on every leg (G.711's rate; what a telephone line carries)."""

SAMPLE_BYTES: Final = 2
FRAME_SECONDS: Final = 0.02
FRAME_SAMPLES: Final = 160
FRAME_BYTES: Final = FRAME_SAMPLES * SAMPLE_BYTES
"""One 20 ms frame: 160 samples, 320 bytes."""

SILENCE: Final = bytes(FRAME_BYTES)

Samples = NDArray[np.int16]


def seconds_of(pcm: bytes | bytearray | memoryview) -> float:
    """Length in seconds of 8 kHz 16-bit audio."""
    return len(pcm) / (SAMPLE_RATE * SAMPLE_BYTES)


def bytes_of(seconds: float) -> int:
    """Bytes of 8 kHz 16-bit audio that last `seconds`, rounded to whole samples."""
    return round(seconds * SAMPLE_RATE) * SAMPLE_BYTES


def to_samples(pcm: bytes | bytearray | memoryview) -> Samples:
    """View of the audio as int16 samples (no copy)."""
    return np.frombuffer(pcm, dtype="<i2")


def from_float(wave: NDArray[np.float32]) -> bytes:
    """Float samples in [-1, 1] to 16-bit PCM, clipped."""
    return bytes((np.clip(wave, -1.0, 1.0) * 32767.0).astype("<i2").tobytes())


def to_float(pcm: bytes | bytearray | memoryview) -> NDArray[np.float32]:
    """16-bit PCM to float samples in [-1, 1)."""
    return to_samples(pcm).astype(np.float32) / np.float32(32768.0)


AUDIBLE: Final = round(32768 * 10 ** (-40 / 20))
"""Magnitude from which a sample is heard as sound on a telephone: -40 dB below full scale."""
_BELOW_LOUDEST: Final = 10 ** (-32 / 20)
"""What is this much weaker than the loudest sample is line noise behind speech, not its end."""
_DENSE, _WITHIN = 8, 320
"""So many loud samples within 40 ms are a sound; fewer are a click."""


def loudness(pcm: bytes | bytearray | memoryview) -> float:
    """Root mean square of 16-bit audio, 0 to 32768."""
    samples = to_samples(pcm).astype(np.float32)
    return float(np.sqrt(np.mean(np.square(samples)))) if len(samples) else 0.0


def audible_start(pcm: bytes | bytearray | memoryview) -> int | None:
    """Byte offset of the first audible sample; `None` where there is none."""
    loud = np.flatnonzero(np.abs(to_samples(pcm).astype(np.int32)) >= AUDIBLE)
    first = np.flatnonzero(loud[_DENSE - 1 :] - loud[: len(loud) - _DENSE + 1] < _WITHIN)
    return int(loud[first[0]]) * SAMPLE_BYTES if len(first) else None


def audible_end(pcm: bytes | bytearray | memoryview) -> int:
    """Byte offset behind the last audible sample; 0 where there is none."""
    magnitudes = np.abs(to_samples(pcm).astype(np.int32))
    if not len(magnitudes):
        return 0
    loud = np.flatnonzero(magnitudes >= max(AUDIBLE, float(magnitudes.max()) * _BELOW_LOUDEST))
    last = np.flatnonzero(loud[_DENSE - 1 :] - loud[: len(loud) - _DENSE + 1] < _WITHIN)
    return (int(loud[last[-1] + _DENSE - 1]) + 1) * SAMPLE_BYTES if len(last) else 0
