"""What a person hears who has to wait: four soft chords, made here, so that nobody has to be paid for them."""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np

from trunkline.audio import FRAME_BYTES, FRAME_SECONDS, SAMPLE_RATE, from_float

_CHORDS: Final = ((220.0, 261.6, 329.6), (174.6, 220.0, 261.6), (261.6, 329.6, 392.0), (196.0, 246.9, 293.7))
"""A minor, F, C, G; in hertz."""
_CHORD_SECONDS: Final = 2.0
_LOUDNESS: Final = 0.04
"""Amplitude of one voice: about −26 dB of full scale for a chord."""


@cache
def tune() -> bytes:
    """Eight seconds, 8 kHz s16le, whole frames, that can be repeated without a seam."""
    when = np.arange(round(_CHORD_SECONDS * SAMPLE_RATE), dtype=np.float32) / SAMPLE_RATE
    swell = np.sin(np.pi * when / _CHORD_SECONDS)
    chords = [sum(np.sin(2 * np.pi * hertz * when) for hertz in chord) * swell for chord in _CHORDS]
    return from_float((_LOUDNESS * np.concatenate(chords)).astype(np.float32))


class HoldMusic:
    """One person's wait."""

    def __init__(self) -> None:
        self.seconds = 0.0
        """Heard so far."""
        self._tune = tune()
        self._at = 0

    def next_frame(self) -> bytes:
        frame = self._tune[self._at : self._at + FRAME_BYTES]
        self._at = (self._at + FRAME_BYTES) % len(self._tune)
        self.seconds += FRAME_SECONDS
        return frame
