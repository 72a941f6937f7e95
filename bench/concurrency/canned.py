"""Speech engines and a brain that think in no time: what a conversation costs without them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Final

from trunkline.ports import Transcript

SCRIPT: Final = """
about: Answers everything at once, for ever.
greeting: "Hello, this is the agent. Are you there?"
steps:
  talk:
    ask: "Yes?"
    on:
      yes: {say: "That is all I have to say to you.", quiet: true}
      no: part
  part:
    say: "Goodbye."
    end: true
"""


class CannedSpeechToText:
    """Understands the same words whatever is said."""

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

    async def warm_up(self) -> None: ...

    async def finished(self, audio: bytes) -> float:
        return 1.0

    async def close(self) -> None: ...
