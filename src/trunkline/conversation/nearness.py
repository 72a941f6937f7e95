"""Whether it is the person at the telephone who speaks, or others in their room: somebody farther off, or a crowd.

Pure: the loudness of frames goes in. Who holds the telephone is some 25 dB louder than who talks behind them, and
louder than a crowd around them. Voices that never cease are a crowd, or music: nobody talks for two seconds without a
tenth of a second that is much softer than the rest.
"""

from __future__ import annotations

from collections import deque
from typing import Final

FARTHER: Final = 0.1
"""Loudness relative to the person's own loudest (−20 dB) below which it is somebody else."""
_INTERRUPTS: Final = 0.2
"""Relative to it (−14 dB), with which somebody interrupts."""
_UNKNOWN: Final = 650.0
"""−34 dB of full scale: with which somebody interrupts of whom we don't know how loud they are."""
_FORGETS: Final = 0.998
"""Per frame of speech: a person who moved away from the telephone is known again after half a minute."""
_FRAMES: Final = 5
"""A word is as near as its loudest 20 ms in the newest 0.1 s: many begin softly."""
_BLOCK: Final = 10
"""Frames (0.2 s) of which the softest 0.1 s is kept."""
_BLOCKS: Final = 10
"""What went on during the last two seconds is the background."""
_FEWEST: Final = 5
"""Blocks after which it is known whether voices cease; before that they may not."""
_VOICES: Final = 0.4
"""Share of those two seconds that has to sound like voices."""
VOICES: Final = 0.15
"""Probability of speech from which it does: six people at once are hardly speech to the voice detector at first, but a
hiss never is (0.03)."""
_SOFTEST_CROWD: Final = 60.0
"""−55 dB of full scale: what never gets louder than this disturbs nobody."""
_BEGINS: Final = 4.0
"""Loudness relative to the softest 0.1 s of a crowd (12 dB) with which a person begins to be heard in it: five of six
of its own swells stay below."""
_GOES_ON: Final = 2.0
"""With which they go on to be heard (6 dB): the end of their turn is when the crowd is as it was."""
_AMONG: Final = 16.0
"""A crowd that is this much softer (24 dB) can't be what was understood. Who talks alone is softer than that, for a
tenth of a second at least, every other second."""
_MISTAKEN: Final = 1.6
"""Loudness relative to a swell of the crowd that was taken for a person (4 dB), for the next one not to be."""
_BEGINS_AT_MOST: Final = 6.0
"""But with so much (16 dB) above the softest of it a person is heard always, whatever was mistaken."""
_CALMS: Final = 0.9995
"""Per frame: that is forgotten with 0.2 dB a second."""
_NOT_YET_OPEN: Final = (5, 20.0)
"""A line may begin with so many frames of silence (−64 dB of full scale) that tell nothing about the room."""


class Nearness:
    """One call. Loudness is the root mean square of a frame of 16-bit samples."""

    def __init__(self) -> None:
        self._newest: deque[float] = deque([0.0], _FRAMES)
        self._loudest = 0.0
        self._softest: deque[float] = deque(maxlen=_BLOCKS)
        self._voiced: deque[int] = deque(maxlen=_BLOCKS)
        self._frames = 0
        self._silent_at_first = 0
        self._swell = 0.0

    def heard(self, loudness: float, *, voice: bool, of_person: bool = False) -> None:
        """20 ms came in. `voice`: the detector takes them for speech, whosever it is. `of_person`: it is the person's,
        and tells nothing about the room."""
        self._newest.append(loudness)
        self._swell *= _CALMS
        if of_person:
            return
        if not self._softest and self._silent_at_first < _NOT_YET_OPEN[0] and loudness < _NOT_YET_OPEN[1]:
            self._silent_at_first += 1
            return
        loudest = max(self._newest)
        if not self._frames:
            self._softest.append(loudest)
            self._voiced.append(0)
        elif loudest < self._softest[-1]:
            self._softest[-1] = loudest
        self._voiced[-1] += voice
        self._frames = (self._frames + 1) % _BLOCK

    def spoke(self) -> None:
        """The newest 20 ms were speech in the person's own turn."""
        self._loudest = max(self._newest[-1], self._loudest * _FORGETS)

    def mistaken(self, loudness: float) -> None:
        """A sound whose loudest 20 ms were like this was taken for the person and wasn't."""
        if self.crowd:
            self._swell = max(self._swell, loudness * _MISTAKEN)

    @property
    def near(self) -> bool:
        """The newest audio is loud enough to be the person who interrupts."""
        return max(self._newest) >= (self._loudest * _INTERRUPTS or _UNKNOWN)

    @property
    def far(self) -> bool:
        """The newest audio is so soft that it is somebody else than who spoke before."""
        return max(self._newest) < self._loudest * FARTHER

    @property
    def loudness(self) -> float:
        """The loudest 20 ms of the newest 0.1 s."""
        return max(self._newest)

    def in_crowd(self, loudness: float) -> bool:
        """Whether what was as loud as this was said among voices that never cease, and not far above them."""
        return self.crowd and loudness < min(self._softest) * _AMONG

    @property
    def crowd(self) -> bool:
        """Voices haven't ceased for two seconds, or since the call began."""
        blocks = len(self._voiced)
        if not blocks or min(self._softest) < _SOFTEST_CROWD:
            return False
        if blocks < _FEWEST:
            return True
        return sum(self._voiced) >= _VOICES * ((blocks - 1) * _BLOCK + (self._frames or _BLOCK))

    def above_crowd(self, *, going_on: bool) -> bool:
        """The newest audio is louder than voices that never cease around the person. `going_on`: they speak already."""
        if not self.crowd:
            return True
        background = min(self._softest)
        begins = min(max(background * _BEGINS, self._swell), background * _BEGINS_AT_MOST)
        return max(self._newest) >= (background * _GOES_ON if going_on else begins)
