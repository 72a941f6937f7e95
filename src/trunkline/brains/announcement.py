"""Says one thing and hangs up."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from trunkline.ports import BrainAction, BrainSession, CallBriefing, HangUp, PersonTurn, Say


class Announcement:
    """Brain and mind in one: it remembers nothing of a call."""

    def __init__(self, text: str) -> None:
        self._text = text

    async def open(self, briefing: CallBriefing) -> BrainSession:
        return self

    async def greet(self) -> AsyncGenerator[BrainAction, None]:
        yield Say(self._text)
        yield HangUp()

    async def reply(self, turn: PersonTurn) -> AsyncGenerator[BrainAction, None]:
        yield HangUp()

    def turn_ahead(self) -> None: ...

    def fork(self) -> BrainSession | None:
        return None

    async def close(self) -> None: ...
