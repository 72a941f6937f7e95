"""Speech engines and a brain that think in no time: what a conversation costs without them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Final

from trunkline.ports import BrainAction, BrainSession, CallBriefing, PersonTurn, Say, Transcript

GREETING: Final = "Hello, this is the agent. Are you there?"
ANSWER: Final = "That is all I have to say to you."


class CannedBrain:
    """Gives the same answer to everything, for ever."""

    async def open(self, briefing: CallBriefing) -> BrainSession:
        return _Mind()

    async def close(self) -> None: ...


class _Mind:
    async def greet(self) -> AsyncGenerator[BrainAction, None]:
        yield Say(GREETING)

    async def reply(self, turn: PersonTurn) -> AsyncGenerator[BrainAction, None]:
        yield Say(ANSWER)

    def turn_ahead(self) -> None: ...

    def fork(self) -> BrainSession | None:
        return self

    async def close(self) -> None: ...


class CannedSpeechToText:
    """Understands the same words whatever is said."""

    waiting = 0

    async def warm_up(self) -> None: ...

    async def transcribe(self, audio: bytes, *, language: str = "en", hint: str = "") -> Transcript:
        return Transcript("Yes, please.", 1.0)

    async def close(self) -> None: ...


class CannedTextToSpeech:
    """Says the same whatever it is given."""

    def __init__(self, pcm: bytes) -> None:
        self._pcm = pcm

    async def warm_up(self) -> None: ...

    async def synthesise(self, text: str, *, voice: str = "", speed: float = 1.0) -> AsyncGenerator[bytes, None]:
        yield self._pcm

    async def close(self) -> None: ...


class CannedTurnEnd:
    """Hears the end of a turn in every pause."""

    waiting = 0

    async def warm_up(self) -> None: ...

    async def finished(self, audio: bytes) -> float:
        return 1.0

    async def close(self) -> None: ...
