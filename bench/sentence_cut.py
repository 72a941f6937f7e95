"""Where in a spoken sentence its first words end, so that a pause can be put there, amid the sentence's own melody."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from trunkline.audio import SAMPLE_BYTES, SAMPLE_RATE, to_float

_HOP: Final = SAMPLE_RATE // 100
_WINDOW: Final = 256
_BANDS: Final = 24
_SEARCH: Final = 8
"""Hops (0.08 s) around the place found, within which the quietest moment is taken."""

Floats = np.ndarray[Any, np.dtype[np.float64]]


def end_of_beginning(beginning: bytes, sentence: bytes) -> int:
    """Byte offset in `sentence` at which the words of `beginning`, spoken by the same voice, end. 8 kHz, 16 bit.

    Dynamic time warping from the common start to whatever place in the sentence fits best (Sakoe and Chiba 1978).
    """
    distances = np.linalg.norm(_bands(beginning)[:, None] - _bands(sentence)[None], axis=2)
    rows, columns = distances.shape
    cost = np.cumsum(distances[0])
    for row in range(1, rows):
        best_before = np.minimum(cost, np.concatenate([[np.inf], cost[:-1]]))
        above, cost = best_before + distances[row], np.empty(columns)
        running = np.inf
        for column in range(columns):
            running = min(above[column], running + distances[row, column])
            cost[column] = running
    found = int(np.argmin(cost))
    energy = np.square(to_float(sentence))
    near = range(max(found - _SEARCH, 1), min(found + _SEARCH, columns - 1))
    quietest = min(near, key=lambda hop: float(energy[(hop - 1) * _HOP : (hop + 1) * _HOP].sum()))
    return quietest * _HOP * SAMPLE_BYTES


def _bands(pcm: bytes) -> Floats:
    """Logarithmic power in bands, one row per 10 ms."""
    frames = sliding_window_view(np.pad(to_float(pcm), (0, _WINDOW)), _WINDOW)[::_HOP] * np.hanning(_WINDOW)
    power = np.square(np.abs(np.fft.rfft(frames, axis=1)))[:, 1 : 1 + 5 * _BANDS]
    return np.asarray(np.log(power.reshape(len(frames), _BANDS, 5).sum(axis=2) + 1e-4))
