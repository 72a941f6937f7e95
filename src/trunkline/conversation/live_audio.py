"""Those who are in a call beside person and agent: who listens in, who speaks in the agent's place.

None of them can make a call wait: what they don't take in time is lost to them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from typing import Final

from trunkline.audio import FRAME_BYTES, SILENCE

LISTENER_FRAMES: Final = 5
"""Handed to who listens in at a time: 0.1 s."""
_MOST_PIECES: Final = 50
"""That wait for a slow listener: 5 s."""
_MOST_FRAMES: Final = 25
"""That wait in either direction of a supervisor: half a second."""
_RUN_UP: Final = 3
"""Frames of a supervisor that are gathered before the first is heard: networks deliver in bursts."""


class LiveAudio:
    """Somebody who listens in. Fits `tape.Sink`."""

    def __init__(self) -> None:
        self._pieces: deque[tuple[bytes, bytes]] = deque(maxlen=_MOST_PIECES)
        self._news = asyncio.Event()
        self._over = False

    def write(self, person: bytes, agent: bytes) -> None:
        if person:
            self._pieces.append((person, agent))
            self._news.set()

    async def close(self) -> None:
        self.end()

    def end(self) -> None:
        """Nothing more comes."""
        self._over = True
        self._news.set()

    async def pieces(self) -> AsyncGenerator[tuple[bytes, bytes], None]:
        """Person and agent, of equal length, as they speak; to the end of the conversation."""
        while True:
            while self._pieces:
                yield self._pieces.popleft()
            if self._over:
                return
            self._news.clear()
            await self._news.wait()


class TakenOver:
    """A supervisor on the line."""

    def __init__(self, since: float) -> None:
        self.since = since
        """On the media clock."""
        self._said: deque[bytes] = deque(maxlen=_MOST_FRAMES)
        self._rest = b""
        self._gathering = True
        self._heard: deque[bytes] = deque(maxlen=_MOST_FRAMES)
        self._news = asyncio.Event()
        self._over = False

    def say(self, pcm: bytes) -> None:
        """Audio for the person, 8 kHz s16le mono, in pieces of any length; of more than half a second the end."""
        pcm = self._rest + pcm
        whole = len(pcm) // FRAME_BYTES * FRAME_BYTES
        self._said.extend(pcm[at : at + FRAME_BYTES] for at in range(0, whole, FRAME_BYTES))
        self._rest = pcm[whole:]

    def next_frame(self) -> bytes:
        """What the person hears."""
        if self._gathering and len(self._said) < _RUN_UP:
            return SILENCE
        self._gathering = not self._said
        return self._said.popleft() if self._said else SILENCE

    def overhear(self, frame: bytes) -> None:
        """The person speaks."""
        self._heard.append(frame)
        self._news.set()

    async def heard(self) -> AsyncGenerator[bytes, None]:
        """The person, frame by frame, to the end."""
        while not self._over:
            while self._heard:
                yield self._heard.popleft()
            self._news.clear()
            await self._news.wait()

    def close(self) -> None:
        """It is over, by whoever's doing."""
        self._over = True
        self._news.set()
