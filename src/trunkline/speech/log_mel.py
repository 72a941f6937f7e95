"""Whisper's features: the logarithm of a mel spectrum (Radford et al. 2022, "Robust Speech Recognition via
Large-Scale Weak Supervision", §2.2).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

RATE: Final = 16_000
"""Samples per second the features are made of."""
FRAMES_PER_SECOND: Final = 100

_BANDS: Final = 80
_WINDOW: Final = 400
_HOP: Final = 160

Floats = NDArray[np.float32]


def _hertz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Slaney's mel scale: linear below 1000 Hz (15 mel), logarithmic above."""
    return np.where(mel < 15, mel * 200 / 3, 1000 * np.exp((mel - 15) * np.log(6.4) / 27))


def _filters() -> Floats:
    """[80 bands, 201 bins]: triangles of equal area between 0 and 8000 Hz."""
    top = 15 + np.log(8) * 27 / np.log(6.4)
    edges = _hertz(np.linspace(0, top, _BANDS + 2))
    low, centre, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    bins = np.linspace(0, RATE / 2, _WINDOW // 2 + 1)
    triangles = np.minimum((bins - low) / (centre - low), (high - bins) / (high - centre))
    return (np.maximum(0, triangles) * 2 / (high - low)).astype(np.float32)


_FILTERS: Final = _filters()
_HANN: Final = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_WINDOW) / _WINDOW)).astype(np.float32)


def log_mel(wave: Floats, seconds: float) -> Floats:
    """[1, 80, 100 × seconds] of 16 kHz samples in [-1, 1], which are cut or padded with silence to that length."""
    frames = round(seconds * FRAMES_PER_SECOND)
    fitted = np.zeros(frames * _HOP, np.float32)
    fitted[: min(len(wave), len(fitted))] = wave[: len(fitted)]
    padded = np.pad(fitted, _WINDOW // 2, mode="reflect")
    windows = sliding_window_view(padded, _WINDOW)[::_HOP][:frames] * _HANN
    spectrum = np.fft.rfft(windows, axis=1)
    power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
    logarithm = np.log10(np.maximum(_FILTERS @ power.T, 1e-10))
    scaled = (np.maximum(logarithm, logarithm.max() - 8) + 4) / 4
    return np.ascontiguousarray(scaled[None], dtype=np.float32)
