"""A call that is placed and then left to a context of the phone system's own dialplan: nobody of ours speaks in it."""

from __future__ import annotations

import asyncio
from typing import Any

from trunkline.errors import PbxUnavailable
from trunkline.events import FarEndGone
from trunkline.models import CallEnd, CallState, Disposition, HangUpBy
from trunkline.outbound_call import OutboundCall
from trunkline.ports import CallLeg


class DialplanCall(OutboundCall):
    """Its record names the context in place of an agent, and says when it was answered and how it ended."""

    async def _live(self) -> CallEnd:
        context, pbx = self.record.agent, self._line.pbx
        if (extension := await pbx.find_extension(context, self.record.number)) is None:
            raise PbxUnavailable(f"Asterisk's dialplan has no context {context} any more.")
        await self._dial(extension)
        news: set[asyncio.Future[Any]] = {self._gone, self._end_asked}
        longest = self._ring_timeout + self._agent.max_call_seconds
        await asyncio.wait(news, timeout=longest, return_when=asyncio.FIRST_COMPLETED)
        if not any(each.done() for each in news):
            return CallEnd(Disposition.ANSWERED, "The call reached its longest length.", HangUpBy.SYSTEM, sip_code=200)
        gone = self._gone.result() if self._gone.done() else None
        if self.record.state is CallState.ANSWERED and isinstance(gone, FarEndGone) and not gone.unseen:
            why = f"The call is over; the context {context} of the dialplan had it."
            return CallEnd(Disposition.ANSWERED, why, HangUpBy.SYSTEM, sip_code=200, q850_cause=gone.q850_cause)
        return await self._unanswered()

    def _answered(self) -> None:
        self._change(CallState.ANSWERED)

    def _on_leg(self, leg: CallLeg) -> None:
        leg.close()
