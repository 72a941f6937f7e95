"""Whether it is the person at the telephone who speaks, or somebody farther off in their room.

Pure: the loudness of frames goes in. Who holds the telephone is some 25 dB louder than who talks behind them.
"""

from __future__ import annotations

from collections import deque
from typing import Final

FARTHER: Final = 0.1
"""Loudness relative to the person's own (−20 dB) below which it is somebody else."""
_UNKNOWN: Final = 6500.0
"""−14 dB of full scale: the loudest 20 ms of somebody who speaks into a telephone, until we know better."""
_FORGETS: Final = 0.998
"""Per frame of speech: a person who moved away from the telephone is known again after half a minute."""
_FRAMES: Final = 5
"""A word is as near as its loudest 20 ms in the newest 0.1 s: many begin softly."""


class Nearness:
    """One call. Loudness is the root mean square of a frame of 16-bit samples."""

    def __init__(self) -> None:
        self._newest: deque[float] = deque([0.0], _FRAMES)
        self._loudest = _UNKNOWN
        self._known = False

    def heard(self, loudness: float) -> None:
        """20 ms came in."""
        self._newest.append(loudness)

    def spoke(self) -> None:
        """The newest 20 ms were speech in the person's own turn."""
        self._loudest = max(self._newest[-1], self._loudest * _FORGETS if self._known else 0.0)
        self._known = True

    @property
    def near(self) -> bool:
        """The newest audio is loud enough to be the person."""
        return max(self._newest) >= self._loudest * FARTHER
