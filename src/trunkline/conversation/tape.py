"""Both sides of a call, lined up on the media clock, on their way to the recorder."""

from __future__ import annotations

from typing import Protocol

from trunkline.audio import FRAME_SECONDS, SILENCE

CHUNK_FRAMES = 50
"""Handed on once a second: a dead process loses less than that."""
SLACK_FRAMES = 5
"""How far the person's side may lag behind (network jitter) before it counts as silence: 0.1 s."""


class Sink(Protocol):
    """Where a tape goes: a recorder, somebody who listens in."""

    def write(self, person: bytes, agent: bytes) -> None:
        """Equal lengths of both sides."""

    async def close(self) -> None: ...


class Tape:
    """The agent's side is the clock: one frame each tick. The person's side is padded or trimmed to stay beside it."""

    def __init__(self, recorder: Sink, *, chunk: int = CHUNK_FRAMES) -> None:
        """`chunk`: frames that are handed on at a time."""
        self._recorder = recorder
        self._chunk = chunk
        self.withheld = False
        """Silence is handed on in place of both sides."""
        # Lists, not one growing piece of audio: that would be moved in memory again and again, for every call.
        self._person: list[bytes] = []
        self._agent: list[bytes] = []

    def tick(self, person: list[bytes], agent: bytes) -> None:
        """What came since the last tick, and what goes out now: frames of 20 ms."""
        if self.withheld:
            person, agent = [SILENCE] * len(person), SILENCE
        self._agent.append(agent)
        self._person += person
        due = len(self._agent)
        ahead = len(self._person) - due
        if ahead < -SLACK_FRAMES:
            self._person += [SILENCE] * -ahead
        elif ahead > SLACK_FRAMES:
            del self._person[due:]
        if due >= self._chunk + SLACK_FRAMES:
            self._hand_on(self._chunk)

    def _hand_on(self, frames: int) -> None:
        person, agent = self._person[:frames], self._agent[:frames]
        person += [SILENCE] * (len(agent) - len(person))
        self._recorder.write(b"".join(person), b"".join(agent))
        del self._person[:frames], self._agent[:frames]

    def pause(self, seconds: float) -> None:
        """For so long nothing of the call was heard here."""
        self._hand_on(len(self._agent))
        for _ in range(round(seconds / FRAME_SECONDS / CHUNK_FRAMES)):
            self._recorder.write(SILENCE * CHUNK_FRAMES, SILENCE * CHUNK_FRAMES)

    async def close(self) -> None:
        """The last piece; returns when the file is complete."""
        self._hand_on(len(self._agent))
        await self._recorder.close()
