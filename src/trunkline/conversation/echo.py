"""Whether what we hear is only ourselves: the line gives our own voice back, weaker and up to 0.35 s late.

Pure: frames sent and frames received go in, a verdict comes out. The echo path is modelled as one to three reflections,
each a delay followed by a short filter, fitted by least squares to the newest 0.2 s. What the fit can't explain and
what isn't the line's own noise is somebody else's voice.

A line's path stays what it is. One that has explained nearly everything is remembered and tried first: it costs a tenth
of a fit, and having nothing left to adjust it explains nobody else's voice by chance.
"""

from __future__ import annotations

import audioop
from collections import deque
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trunkline.audio import FRAME_SAMPLES, SAMPLE_BYTES, SAMPLE_RATE, SILENCE, to_samples

WINDOW: Final = 10 * FRAME_SAMPLES
"""Samples of received audio that are judged: 0.2 s."""
LONGEST_DELAY: Final = int(0.35 * SAMPLE_RATE)
"""Samples. Asterisk, the network and the far phone together; measured delays go up to 0.3 s."""
TAPS: Final = 48
"""Length of a reflection's filter in samples (6 ms): a handset's coupling."""
LEAD: Final = 8
"""Taps in front of the strongest correlation."""
REFLECTIONS: Final = 3
"""A room's walls, or a second echo from the other end of the line."""
EXPLAINED: Final = (0.6, 0.85, 0.85)
"""Share of the received power that our own voice must explain for it to count as echo, by number of reflections: two
or three can be fitted to a stranger's voice as well (at most 0.8 was seen)."""
REMEMBERED: Final = 0.85
"""A path that explains this much is this line's."""
LEAST_CORRELATION: Final = 0.25
"""Below this normalised correlation no fit is tried: somebody else is speaking."""
NOTHING_LEFT: Final = 2.0
"""What is left of the received audio is the line's noise when it is no louder than this, relative to that noise."""
_FLOOR_RISE: Final = (1.02, 1.004)
"""Of the line's noise per frame (9 and 2 dB/s): while we are silent, and while what comes in may be our echo.
Downwards it is followed at once."""
_FLOORS: Final = (20.0, 260.0)
"""−64 dB of full scale, root mean square of 16-bit samples: what μ-law makes of silence; and −42 dB: what
is louder may as well be somebody who speaks without a pause."""
_HISTORY: Final = WINDOW + LONGEST_DELAY + TAPS + LEAD
_SENT_FRAMES: Final = _HISTORY // FRAME_SAMPLES + 1
_RECEIVED_FRAMES: Final = WINDOW // FRAME_SAMPLES
_LAST: Final = _HISTORY - WINDOW
"""Offset, in what was sent, of audio that comes back without any delay."""
_FFT: Final = 1 << (_HISTORY + WINDOW - 1).bit_length()

Wave = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Path:
    """Where in the sent audio each reflection begins, and its filter."""

    firsts: tuple[int, ...]
    filters: Wave
    """One row of `TAPS` for each."""

    def echo(self, ours: Wave) -> Wave:
        """What it makes of our own voice: `WINDOW` samples."""
        echo = np.zeros(WINDOW)
        for first, taps in zip(self.firsts, self.filters, strict=True):
            echo += np.correlate(ours[first : first + TAPS + WINDOW - 1], taps)
        return echo


class EchoGuard:
    """One call's echo path. `sent` and `received` take every frame of 20 ms; `hears_itself` judges the newest."""

    def __init__(self) -> None:
        # Frames as they come: joined when somebody asks, which is seldom beside fifty of them a second.
        self._sent = deque([SILENCE] * _SENT_FRAMES, _SENT_FRAMES)
        self._received = deque([SILENCE] * _RECEIVED_FRAMES, _RECEIVED_FRAMES)
        self._loud_for = 0
        self._floor = _FLOORS[1]
        self._known: _Path | None = None

    def sent(self, frame: bytes, *, silent: bool) -> None:
        """20 ms went out. `silent` frames are cheap: after half a second of them nothing is kept."""
        if silent:
            if self._loud_for == 0:
                return
            self._loud_for -= 1
        else:
            self._loud_for = _SENT_FRAMES
        self._sent.append(frame)

    def received(self, frame: bytes) -> None:
        """20 ms came in. Only kept while an echo is possible."""
        level = audioop.rms(frame, SAMPLE_BYTES)
        self._floor = min(max(min(self._floor * _FLOOR_RISE[self.possible], level), _FLOORS[0]), _FLOORS[1])
        if self._loud_for:
            self._received.append(frame)

    @property
    def possible(self) -> bool:
        """We have been audible within the longest delay."""
        return self._loud_for > 0

    def hears_itself(self) -> bool:
        """Whether the newest 0.2 s of received audio are our own voice and the line's noise, and nothing else."""
        if not self.possible:
            return False
        heard = to_samples(b"".join(self._received)).astype(np.float64)
        heard -= heard.mean()
        power = float(heard @ heard)
        noise = WINDOW * (NOTHING_LEFT * self._floor) ** 2
        if power <= noise:
            return True
        ours = to_samples(b"".join(self._sent))[-_HISTORY:].astype(np.float64)
        if self._known is not None:
            left = heard - self._known.echo(ours)
            if float(left @ left) <= max((1 - EXPLAINED[0]) * power, noise):
                return True
        return self._fits(heard, ours, power, noise)

    def _fits(self, heard: Wave, ours: Wave, power: float, noise: float) -> bool:
        """Look for a path, reflection by reflection; keep one that is beyond doubt."""
        spectrum = np.fft.rfft(ours, _FFT)
        squares = np.concatenate(([0.0], np.cumsum(np.square(ours))))
        powers = squares[WINDOW : WINDOW + _LAST + 1] - squares[: _LAST + 1]
        # Echo of a near-silent stretch can't be loud; such stretches would make the division blow up.
        powers = np.maximum(powers, powers.max() * 1e-3 + 1.0)
        windows = np.lib.stride_tricks.sliding_window_view(ours, WINDOW)
        firsts: tuple[int, ...] = ()
        left = heard
        while len(firsts) < REFLECTIONS:
            # products[k]: what is left of the received window, laid at offset k of what was sent
            products = np.fft.irfft(spectrum * np.conj(np.fft.rfft(left, _FFT)), _FFT)[: _LAST + 1]
            likeness = np.abs(products) / np.sqrt(powers * float(left @ left))
            best = int(likeness.argmax())
            if not firsts and likeness[best] < LEAST_CORRELATION:
                return False
            firsts += (min(max(best + LEAD - TAPS + 1, 0), _LAST - TAPS + 1),)
            columns = np.concatenate([windows[first : first + TAPS] for first in firsts])
            filters = _least_squares(columns, heard)
            left = heard - filters @ columns
            rest = float(left @ left)
            if rest <= (1 - REMEMBERED) * power:
                self._known = _Path(firsts, filters.reshape(len(firsts), TAPS))
            if rest <= max((1 - EXPLAINED[len(firsts) - 1]) * power, noise):
                return True
        return False


def _least_squares(columns: Wave, aim: Wave) -> Wave:
    """Factors of the columns that come closest to `aim`; columns that say the same are no trouble."""
    gram = columns @ columns.T
    gram[np.diag_indices(len(gram))] += gram.trace() * 1e-5 / len(gram)
    return np.asarray(np.linalg.solve(gram, columns @ aim))
