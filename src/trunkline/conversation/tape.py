"""Both sides of a call, lined up on the media clock, on their way to the recorder."""

from __future__ import annotations

from trunkline.audio import FRAME_BYTES
from trunkline.ports import Recorder

CHUNK_BYTES = 50 * FRAME_BYTES
"""Handed on once a second: a dead process loses less than that."""
SLACK_BYTES = 5 * FRAME_BYTES
"""How far the person's side may lag behind (network jitter) before it counts as silence: 0.1 s."""


class Tape:
    """The agent's side is the clock: one frame each tick. The person's side is padded or trimmed to stay beside it."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._person = bytearray()
        self._agent = bytearray()

    def tick(self, person: list[bytes], agent: bytes) -> None:
        """What came since the last tick, and what goes out now."""
        self._agent += agent
        for frame in person:
            self._person += frame
        ahead = len(self._person) - len(self._agent)
        if ahead < -SLACK_BYTES:
            self._person += bytes(-ahead)
        elif ahead > SLACK_BYTES:
            del self._person[len(self._agent) :]
        if len(self._agent) >= CHUNK_BYTES + SLACK_BYTES:
            self._hand_on(CHUNK_BYTES)

    def _hand_on(self, size: int) -> None:
        size = min(size, len(self._agent))
        self._recorder.write(bytes(self._person[:size].ljust(size, b"\0")), bytes(self._agent[:size]))
        del self._person[:size], self._agent[:size]

    async def close(self) -> None:
        """The last piece; returns when the file is complete."""
        self._hand_on(len(self._agent))
        await self._recorder.close()
