"""A call that is placed: dial, ring, and what it means when nobody answers."""

from __future__ import annotations

import asyncio
from typing import Any

from trunkline.call import WORD_WAIT, Call, settle
from trunkline.carriers import diagnosis
from trunkline.conversation.conversation import Conversation
from trunkline.endings import UNREACHABLE
from trunkline.events import FarEndGone, FarEndProgress, FarEndRinging, LegEvent
from trunkline.models import CallEnd, CallState
from trunkline.ports import Extension
from trunkline.settings import E164

SIGN_WAIT = 1.0
"""Seconds after dialling in which we wait for a sign of the far end before we cancel: if Asterisk cancels while the
trunk's 407 is on its way, it answers that with a second INVITE and forgets it: a phone rings with nobody behind it."""


class OutboundCall(Call):
    """Brain and greeting are made ready while the phone rings."""

    _rang = False
    _dialled_at = 0.0
    _sign: asyncio.Future[None] | None = None
    _overdue: asyncio.TimerHandle | None = None

    async def run(self) -> None:
        try:
            await super().run()
        finally:
            if self._overdue is not None:
                self._overdue.cancel()

    def far_end(self, event: LegEvent) -> None:
        if self._sign is not None:
            settle(self._sign, None)
        self._rang = self._rang or isinstance(event, FarEndRinging | FarEndProgress)
        super().far_end(event)

    async def _begin(self, preparing: asyncio.Future[Conversation]) -> None:
        await self._dial()

    async def _dial(self, extension: Extension | None = None) -> None:
        loop = asyncio.get_running_loop()
        self._sign = loop.create_future()
        self._change(CallState.DIALLING)
        self._dialled_at = loop.time()
        await self._line.pbx.dial(
            self.record.id,
            self.record.number,
            caller_id=self.record.caller_id,
            ring_timeout=self._ring_timeout,
            extension=extension,
        )
        # Asterisk lets it ring no longer; if it can't say so, somebody has to.
        self._overdue = loop.call_later(self._ring_timeout + WORD_WAIT, self._no_word)

    def _no_word(self) -> None:
        if self.record.state is not CallState.ANSWERED:
            settle(self._gone, UNREACHABLE)

    async def _give_up(self) -> None:
        assert self._sign is not None
        waited = asyncio.get_running_loop().time() - self._dialled_at
        signs: set[asyncio.Future[Any]] = {self._sign, self._gone}
        await asyncio.wait(signs, timeout=max(0.0, SIGN_WAIT - waited), return_when=asyncio.FIRST_COMPLETED)
        await self._channel.hang_up(self.record.id)

    def _never_answered(self, gone: FarEndGone) -> CallEnd:
        if gone.sip_code is not None:
            self._note("sip-answer", f"{gone.sip_code} {gone.sip_reason or ''}".strip(), sipCode=gone.sip_code)
        return diagnosis.explain(
            sip_code=gone.sip_code,
            sip_reason=gone.sip_reason,
            q850_cause=gone.q850_cause,
            rang=self._rang,
            ring_timeout=self._ring_timeout,
            by_trunk=E164.fullmatch(self.record.number) is not None,
        )
