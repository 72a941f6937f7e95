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


_BLOCK = 40
"""Samples (5 ms) over which loudness is judged."""
AUDIBLE = 10 ** (-42 / 20) * 32768
"""Quietest root-mean-square level that a listener on a telephone hears as sound: -42 dB below full scale."""


def loudness(pcm: bytes | bytearray | memoryview) -> float:
    """Root mean square of 16-bit audio, 0 to 32768."""
    samples = to_samples(pcm).astype(np.float32)
    return float(np.sqrt(np.mean(np.square(samples)))) if len(samples) else 0.0


def _audible_blocks(pcm: bytes | bytearray | memoryview) -> NDArray[np.intp]:
    samples = to_samples(pcm)
    blocks = len(samples) // _BLOCK
    if blocks == 0:
        return np.empty(0, np.intp)
    squares = np.square(samples[: blocks * _BLOCK].astype(np.float32)).reshape(blocks, _BLOCK).mean(axis=1)
    # Relative to the loudest part, so that line noise behind loud speech is not taken for speech.
    floor = max(AUDIBLE, float(np.sqrt(squares.max())) * 10 ** (-32 / 20))
    return np.flatnonzero(squares >= floor * floor)


def audible_start(pcm: bytes | bytearray | memoryview) -> int | None:
    """Byte offset of the first audible sound, to 5 ms; `None` where there is none."""
    blocks = _audible_blocks(pcm)
    return int(blocks[0]) * _BLOCK * SAMPLE_BYTES if len(blocks) else None


def audible_end(pcm: bytes | bytearray | memoryview) -> int:
    """Byte offset behind the last audible sound, to 5 ms; 0 where there is none."""
    blocks = _audible_blocks(pcm)
    return (int(blocks[-1]) + 1) * _BLOCK * SAMPLE_BYTES if len(blocks) else 0
