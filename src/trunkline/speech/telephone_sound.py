"""A voice engine's output → sound for a telephone line: 8 kHz, trimmed, at a level that carries."""

from __future__ import annotations

from typing import Final

import numpy as np
import soxr
from numpy.typing import NDArray

from trunkline.audio import SAMPLE_RATE, from_float

_BLOCK: Final = 40
"""5 ms at 8 kHz."""
_LEVEL: Final = 10 ** (-20 / 20)
"""Root mean square of active speech, relative to full scale: −20 dB, as recorded telephone prompts have it."""
_PEAK: Final = 10 ** (-1 / 20)
_MOST_GAIN: Final = 10 ** (12 / 20)
_AUDIBLE: Final = 10 ** (-50 / 20)
"""Softer blocks at either end are silence to whoever is on the phone."""
_ACTIVE: Final = 10 ** (-25 / 20)
"""Blocks within 25 dB of the loudest count as speech (in the spirit of ITU-T P.56)."""
_LEAD: Final = 80
_TAIL: Final = 640
"""Samples kept in front (10 ms, faded in) and behind (80 ms, faded out) the audible part."""

Wave = NDArray[np.float32]


def telephone_sound(wave: Wave, rate: float) -> bytes:
    """8 kHz 16-bit audio of `wave` (samples in [-1, 1], `rate` per second); empty when nothing in it is audible."""
    sound: Wave = soxr.resample(wave, rate, SAMPLE_RATE)
    blocks = len(sound) // _BLOCK
    if blocks == 0:
        return b""
    loudness = np.sqrt(np.mean(np.square(sound[: blocks * _BLOCK].reshape(blocks, _BLOCK)), axis=1))
    top = float(loudness.max())
    if top < _AUDIBLE / _MOST_GAIN:
        return b""
    active = loudness[loudness > top * _ACTIVE]
    gain = min(_LEVEL / float(np.sqrt(np.mean(np.square(active)))), _MOST_GAIN, _PEAK / float(np.abs(sound).max()))
    audible = np.flatnonzero(loudness * gain > _AUDIBLE)
    if not len(audible):
        return b""
    first = max(int(audible[0]) * _BLOCK - _LEAD, 0)
    last = min((int(audible[-1]) + 1) * _BLOCK + _TAIL, len(sound))
    kept = sound[first:last] * np.float32(gain)
    fade = min(_LEAD, len(kept) // 2)
    kept[:fade] *= np.linspace(0, 1, fade, dtype=np.float32)
    kept[-fade:] *= np.linspace(1, 0, fade, dtype=np.float32)
    return from_float(kept)
