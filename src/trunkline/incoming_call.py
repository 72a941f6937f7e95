"""A call that has come in: it rings until the greeting is ready, then it is answered."""

from __future__ import annotations

import asyncio
from typing import Any

from trunkline.call import Call
from trunkline.conversation.conversation import Conversation
from trunkline.events import FarEndGone
from trunkline.models import CallEnd, Disposition, HangUpBy

TEMPORARY_FAILURE = 42
"""Q.850 cause that Asterisk makes a 503 of; a carrier then tries the next one who could take the call."""
GREETING_WAIT = 4.0
"""Seconds a caller hears ringing while brain and greeting are made ready; then the conversation bridges the rest."""


class IncomingCall(Call):
    """Its record is `RINGING` from the beginning."""

    CAUSE = TEMPORARY_FAILURE

    async def _begin(self, preparing: asyncio.Future[Conversation]) -> None:
        news: set[asyncio.Future[Any]] = {preparing, self._gone, self._end_asked}
        await asyncio.wait(news, timeout=GREETING_WAIT, return_when=asyncio.FIRST_COMPLETED)
        if preparing.done():
            preparing.result()  # raises where there is nothing to say: the caller had better hear that nobody is there
        if not self._gone.done() and not self._end_asked.done():
            await self._channel.answer(self.record.id)

    async def _give_up(self) -> None:
        await self._channel.hang_up(self.record.id)

    def _never_answered(self, gone: FarEndGone) -> CallEnd:
        why = "The caller hung up before the call was answered."
        return CallEnd(Disposition.NO_ANSWER, why, HangUpBy.PERSON, q850_cause=gone.q850_cause)
