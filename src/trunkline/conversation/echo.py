"""Whether what we hear is only ourselves: the line gives our own voice back, weaker and up to 0.35 s late.

Pure: frames sent and frames received go in, a verdict comes out. The echo path is modelled as a delay followed by a
short filter, fitted by least squares to the newest 0.2 s; what the fit can't explain is somebody else's voice.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from trunkline.audio import FRAME_SAMPLES, SAMPLE_RATE, to_samples

WINDOW: Final = 10 * FRAME_SAMPLES
"""Samples of received audio that are judged: 0.2 s."""
LONGEST_DELAY: Final = int(0.35 * SAMPLE_RATE)
"""Samples. Asterisk, the network and the far phone together; measured delays go up to 0.3 s."""
TAPS: Final = 48
"""Length of the echo path's filter in samples (6 ms): a handset's coupling, not a hall."""
LEAD: Final = 8
"""Taps in front of the strongest correlation."""
EXPLAINED: Final = 0.6
"""Share of the received power that our own voice must explain for it to count as echo (4 dB)."""
LEAST_CORRELATION: Final = 0.25
"""Below this normalised correlation no fit is tried: somebody else is speaking."""
_HISTORY: Final = WINDOW + LONGEST_DELAY + TAPS + LEAD
_FFT: Final = 1 << (_HISTORY + WINDOW - 1).bit_length()


class EchoGuard:
    """One call's echo path. `sent` and `received` take every frame of 20 ms; `hears_itself` judges the newest."""

    def __init__(self) -> None:
        self._sent: NDArray[np.float32] = np.zeros(_HISTORY, np.float32)
        self._received: NDArray[np.float32] = np.zeros(WINDOW, np.float32)
        self._loud_for = 0

    def sent(self, frame: bytes, *, silent: bool) -> None:
        """20 ms went out. `silent` frames are cheap: after half a second of them nothing is kept."""
        if silent:
            if self._loud_for == 0:
                return
            self._loud_for -= 1
        else:
            self._loud_for = _HISTORY // FRAME_SAMPLES + 1
        self._sent[:-FRAME_SAMPLES] = self._sent[FRAME_SAMPLES:]
        self._sent[-FRAME_SAMPLES:] = to_samples(frame)

    def received(self, frame: bytes) -> None:
        """20 ms came in. Only kept while an echo is possible."""
        if self._loud_for:
            self._received[:-FRAME_SAMPLES] = self._received[FRAME_SAMPLES:]
            self._received[-FRAME_SAMPLES:] = to_samples(frame)

    @property
    def possible(self) -> bool:
        """We have been audible within the longest delay."""
        return self._loud_for > 0

    def hears_itself(self) -> bool:
        """Whether the newest 0.2 s of received audio are our own voice and nothing else."""
        return self.possible and self.explained() >= EXPLAINED

    def explained(self) -> float:
        """Share of the received power, 0 to 1, that our own voice explains."""
        heard = self._received - self._received.mean()
        power = float(heard @ heard)
        if power < WINDOW * 4.0:  # below two units of 16-bit amplitude: nothing is heard at all
            return 1.0
        ours = self._sent
        products = np.fft.irfft(np.fft.rfft(ours, _FFT) * np.conj(np.fft.rfft(heard, _FFT)), _FFT)
        # products[k]: the received window laid at offset k of what was sent; the newest possible offset is no delay
        last = _HISTORY - WINDOW
        correlation = products[: last + 1]
        squares = np.concatenate(([0.0], np.cumsum(np.square(ours, dtype=np.float64))))
        powers = squares[WINDOW : WINDOW + last + 1] - squares[: last + 1]
        # Echo of a near-silent stretch can't be loud; such stretches would make the division blow up.
        likeness = np.abs(correlation) / np.sqrt(np.maximum(powers, powers.max() * 1e-3 + 1.0) * power)
        best = int(likeness.argmax())
        if likeness[best] < LEAST_CORRELATION:
            return 0.0
        first = min(max(best + LEAD - TAPS + 1, 0), last - TAPS + 1)
        columns = np.lib.stride_tricks.sliding_window_view(ours, WINDOW)[first : first + TAPS].astype(np.float64)
        gram = columns @ columns.T
        gram[np.diag_indices(TAPS)] += gram.trace() * 1e-5 / TAPS
        aims = columns @ heard
        filters = np.linalg.solve(gram, aims)
        rest = heard - filters @ columns
        return max(0.0, 1.0 - float(rest @ rest) / power)
