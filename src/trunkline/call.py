"""One call to its end: what the far end does, when the conversation runs, where the person is put through.

How a call begins is told by its kinds: `outbound_call.py` dials, `incoming_call.py` answers.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, ClassVar

from trunkline import endings
from trunkline.call_states import advanced
from trunkline.conversation.conversation import Conversation, Ending, Senses
from trunkline.conversation.prompts import Notice
from trunkline.errors import ProtocolError, TrunklineError
from trunkline.events import (
    CallNoted,
    CallStateChanged,
    FarEndAnswered,
    FarEndGone,
    FarEndProgress,
    FarEndRinging,
    LegEvent,
    PbxLost,
)
from trunkline.models import CallEnd, CallEvent, CallRecord, CallState, Disposition, HangUpBy
from trunkline.ports import (
    Brain,
    BrainSession,
    CallBriefing,
    CallLeg,
    ChannelControl,
    LegSource,
    Load,
    Pbx,
    RecordingShelf,
    Watcher,
)
from trunkline.settings import AgentSettings
from trunkline.transfers import ASKED, CALL_ID, Target, TransferDesk, Waiting, gist

log = logging.getLogger(__name__)

LATE_GREETING = 0.3
"""Seconds an answered call waits for a greeting that is not ready; then the conversation begins without it."""
KEY_SECONDS = KEY_GAP = 0.1
PAUSE_SECONDS = 0.5
"""Of a `w` or a comma among keys that the agent sends."""
CAUSE_WAIT = 1.0
"""Seconds we wait for Asterisk's word on a channel whose audio has ended."""
WORD_WAIT = 30.0
"""The same while the connection to it is broken: only behind that is it known who or what ended it."""
MEDIA_WAIT = 5.0
"""Seconds between an answer and its audio before the call counts as failed."""


@dataclass(frozen=True, slots=True)
class Line:
    """What every call of this service shares."""

    pbx: Pbx
    legs: LegSource
    senses: Senses
    recordings: RecordingShelf
    load: Load


class Call(ABC):
    """`run()` is one task; the switchboard hands in what happens outside: `far_end`, `pbx_lost`, `hang_up`."""

    CAUSE: ClassVar[int | None] = None
    """Why it is ended without an answer (Q.850), for the far end."""

    def __init__(
        self,
        record: CallRecord,
        agent: AgentSettings,
        brain: Brain,
        line: Line,
        channel: ChannelControl,
        *,
        ring_timeout: float,
        publish: Watcher,
        desk: TransferDesk,
    ) -> None:
        """`channel`: who controls the far end; `ring_timeout`: seconds a phone may ring."""
        loop = asyncio.get_running_loop()
        self.record = record
        self._agent = agent
        self._brain = brain
        self._line = line
        self._channel = channel
        self._ring_timeout = ring_timeout
        self._publish = publish
        self.desk = desk
        self._next: tuple[Target, str] | None = None
        self.conversation: Conversation | None = None
        """As soon as it is being prepared."""
        self._leg: asyncio.Future[CallLeg] = loop.create_future()
        self._talking: CallLeg | None = None
        self._gone: asyncio.Future[FarEndGone | PbxLost] = loop.create_future()
        self._end_asked: asyncio.Future[HangUpBy] = loop.create_future()
        self._media_due: asyncio.TimerHandle | None = None
        self._keys = asyncio.Lock()

    # ── what happens outside ───────────────────────────────────────────────────────────────────────────────────

    def far_end(self, event: LegEvent) -> None:
        """What telephony reports of the far leg."""
        match event:
            case FarEndRinging():
                self._change(CallState.RINGING)
            case FarEndProgress():
                self._change(CallState.EARLY_MEDIA)
            case FarEndAnswered():
                self._answered()
            case FarEndGone():
                settle(self._gone, event)

    def pbx_lost(self, event: PbxLost) -> None:
        """Asterisk is gone and the channel with it; one that only hangs would keep the leg open for ever.

        Not where the call has come through another Asterisk than the one we place calls on.
        """
        if self._channel is not self._line.pbx:
            return
        settle(self._gone, event)
        self._close_leg()

    def hang_up(self, by: HangUpBy) -> None:
        """End the call, whatever it is doing."""
        settle(self._end_asked, by)
        self._close_leg()

    def _close_leg(self) -> None:
        if self._talking is not None:
            self._talking.close()
        if self._leg.done() and not self._leg.exception():
            self._leg.result().close()

    def _answered(self) -> None:
        self._change(CallState.ANSWERED)
        if not self._leg.done() and self._media_due is None:
            self._media_due = asyncio.get_running_loop().call_later(MEDIA_WAIT, self._no_media)

    def _on_leg(self, leg: CallLeg) -> None:
        if self._leg.done() or self._end_asked.done():
            leg.close()
            return
        self._answered()
        if self._media_due is not None:
            self._media_due.cancel()
        self._leg.set_result(leg)

    def _no_media(self) -> None:
        if not self._leg.done():
            self._leg.set_exception(ProtocolError("The call was answered, but Asterisk connected no audio."))

    # ── what the agent does with its call (`ports.CallControl`) ────────────────────────────────────────────────

    async def send_keys(self, keys: str) -> None:
        async with self._keys:
            for key in keys.upper():
                if key not in "W,":
                    await self._channel.press_key(self.record.id, key, seconds=KEY_SECONDS)
                await asyncio.sleep(PAUSE_SECONDS if key in "W," else KEY_SECONDS + KEY_GAP)

    async def transfer(self, to: str, about: str) -> str:
        target = await self.desk.find(to)
        self._next = target, about
        if not self._asked_first(target):
            ring_timeout = target.manners.ring_seconds or self._ring_timeout
            await self._channel.connect_next(self.record.id, target.to, ring_timeout=ring_timeout)
        return target.name

    def _asked_first(self, target: Target) -> bool:
        """Whether they can be: in a dialplan of somebody else's, where the person stays, nobody could meet them."""
        return target.manners.mode == "warm" and self._channel is self._line.pbx

    # ── the call's way ─────────────────────────────────────────────────────────────────────────────────────────

    async def run(self) -> None:
        """The outermost frame of a call: whatever goes wrong in it ends it, truthfully, and no other."""
        end = endings.broken("The service was stopped during the call.")
        self._line.legs.expect(self.record.id, self._on_leg)
        try:
            end = await self._live()
        except TrunklineError as error:
            end = endings.broken(str(error))
        except Exception:
            log.exception("Call %s broke", self.record.id)
            end = endings.broken("Something in Trunkline broke; the log says what.")
        finally:
            self._line.legs.forget(self.record.id)
            if self._media_due is not None:
                self._media_due.cancel()
            try:
                if not self._gone.done():
                    unanswered = self.record.state is not CallState.ANSWERED
                    await self._channel.hang_up(self.record.id, cause=self.CAUSE if unanswered else None)
            finally:
                self._change(CallState.ENDED, end)

    @abstractmethod
    async def _begin(self, preparing: asyncio.Future[Conversation]) -> None:
        """Do what leads to an answer. Its error ends the call."""

    @abstractmethod
    async def _give_up(self) -> None:
        """Nobody wants the call any more before there was a conversation: end it, as may be done at this moment."""

    @abstractmethod
    def _never_answered(self, gone: FarEndGone) -> CallEnd:
        """How a call ended that nobody answered."""

    async def _live(self) -> CallEnd:
        """From the beginning to the end."""
        preparing = asyncio.create_task(self._prepare(), name=f"greeting {self.record.id}")
        try:
            await self._begin(preparing)
            conversation = await self._until_answered(preparing)
            if conversation is None:
                return await self._unanswered()
            self._talking = self._leg.result()
            recorder = self._line.recordings.open(self.record.id)
            self.record = replace(self.record, recording=recorder.path.name)
            ending = await conversation.hold(self._talking, recorder)
            while ending.transferred_to is not None:
                outcome = await self._put_through(self._talking, ending)
                if isinstance(outcome, Ending):
                    ending = outcome
                    break
                self._talking = outcome
                ending = await conversation.resume(outcome)
            return await self._after(ending)
        finally:
            preparing.cancel()
            for prepared in await asyncio.gather(preparing, return_exceptions=True):
                if isinstance(prepared, Conversation):
                    await prepared.close()

    async def _prepare(self) -> Conversation:
        """Brain and greeting, while the phone rings."""
        mind = await self._brain.open(self.briefing)
        self.conversation = conversation = self._converse(mind)
        try:
            await conversation.prepare()
        except BaseException:
            await conversation.close()
            raise
        return conversation

    @property
    def briefing(self) -> CallBriefing:
        """What a brain is told of it."""
        return CallBriefing.of(self.record)

    def _converse(self, mind: BrainSession) -> Conversation:
        """What the agent holds with the person."""
        line = self._line
        return Conversation(
            self.record.id,
            self._agent,
            mind,
            line.senses,
            publish=self._publish,
            control=self,
            load=line.load,
            notice=self._notice(),
        )

    def _notice(self) -> Notice | None:
        """What the person has to be told first."""
        notices = self._agent.notices
        text = "" if notices is None else notices.text_for(self.record.number)
        return None if notices is None or not text else Notice(text, notices.record_after)

    async def _until_answered(self, preparing: asyncio.Task[Conversation]) -> Conversation | None:
        """Until there are a leg and something to say, or the call has ended: `None`."""
        waiting: set[asyncio.Future[Any]] = {self._leg, self._gone, self._end_asked, preparing}
        while True:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if preparing in done:
                preparing.result()  # raises where there is nothing to say: nobody shall be rung for that
            if self._gone.done() or self._end_asked.done():
                return None
            if self._leg in done:
                self._leg.result()
            if self._leg.done() and preparing.done():
                return preparing.result()
            if self._leg.done() and self.conversation is not None:
                # The phone was picked up before the greeting is there: the conversation bridges what is still missing.
                late: set[asyncio.Future[Any]] = {preparing, self._gone, self._end_asked}
                await asyncio.wait(late, timeout=LATE_GREETING)
                if not preparing.done() and not self._gone.done() and not self._end_asked.done():
                    return self.conversation
                waiting = late

    async def _unanswered(self) -> CallEnd:
        """The far end, the carrier or somebody at our side ended it before there was a conversation."""
        if self._end_asked.done() and not self._gone.done():
            await self._give_up()
            return endings.taken_back(self._end_asked.result(), answered=self.record.state is CallState.ANSWERED)
        gone = self._gone.result()
        if isinstance(gone, PbxLost):
            return endings.lost(gone, "before the call was answered")
        if gone.unseen:
            return endings.broken("The call ended while Asterisk could not be asked about it: how is not known.")
        if self.record.state is CallState.ANSWERED:
            return endings.answered_in_vain(gone)
        return self._never_answered(gone)

    async def _put_through(self, leg: CallLeg, ending: Ending) -> CallLeg | Ending:
        """Behind a conversation whose agent wants that: the person's leg if they are still ours, else how it ended."""
        assert self._next is not None
        target, about = self._next
        if self._asked_first(target):
            return await self._ask(leg, ending, target, about)
        if self._channel is not self._line.pbx:
            # A dialplan that isn't ours does with them as it likes, and brings nobody back to this call.
            leg.close()
            await self._until()
            return ending
        # Where nobody takes the person, the dialplan brings them back to us.
        self._leg = asyncio.get_running_loop().create_future()
        self._line.legs.expect(self.record.id, self._on_leg)
        leg.close()
        await self._until(self._leg)
        if not self._leg.done() or self._end_asked.done():
            return ending
        self._note("transfer-failed", f"Nobody took the call at {target.name}: the agent goes on.")
        return self._leg.result()

    async def _ask(self, leg: CallLeg, ending: Ending, target: Target, about: str) -> CallLeg | Ending:
        """The same where a colleague is asked first, while the person waits on their leg."""
        waiting = Waiting(music=target.manners.hold == "music")
        leg.attach(waiting)
        try:
            turns = () if self.conversation is None else self.conversation.turns
            asked = await self.desk.ask(self.record, target, gist(about, turns))
        except TrunklineError as error:
            self._note("transfer-failed", f"{target.name} could not be asked: {error}")
            return leg
        told = {"to": target.name, CALL_ID: asked.record.id}
        self._note(ASKED, f"{target.name} is asked.", **told)
        await self._until(asked.taken, waiting.left)
        if not asked.taken.done():
            asked.hang_up(HangUpBy.PERSON)
            return Ending(HangUpBy.PERSON, f"The person hung up while {target.name} was being asked.")
        if not asked.taken.result():
            why = asked.record.end.reason if asked.record.end is not None else ""
            self._note("transfer-failed", f"{target.name} did not take the call. {why}".strip(), **told)
            return leg
        self._note("transfer-taken", f"{target.name} takes the call.", **told)
        leg.close()
        await self._until()
        return ending

    async def _until(self, *news: asyncio.Future[Any]) -> None:
        """Until one of these is there, the far end is gone, or somebody wants the call to end."""
        await asyncio.wait({*news, self._gone, self._end_asked}, return_when=asyncio.FIRST_COMPLETED)

    async def _after(self, ending: Ending) -> CallEnd:
        """The conversation is over: wait for Asterisk's word, then say whose doing it was."""
        if ending.transferred_to is None:
            await asyncio.wait({self._gone}, timeout=CAUSE_WAIT)
            if ending.by is HangUpBy.PERSON and self._pbx_is_silent():
                news: set[asyncio.Future[Any]] = {self._gone, self._end_asked}
                await asyncio.wait(news, timeout=WORD_WAIT, return_when=asyncio.FIRST_COMPLETED)
                if self._pbx_is_silent():
                    settle(self._gone, endings.UNREACHABLE)
        gone = self._gone.result() if self._gone.done() else None
        return endings.after(ending, gone, self._end_asked.result() if self._end_asked.done() else None)

    def _pbx_is_silent(self) -> bool:
        """It has told nothing of the channel's end, and can't at the moment."""
        ours = self._channel is self._line.pbx
        return ours and not self._line.pbx.ready and not self._gone.done() and not self._end_asked.done()

    def _change(self, state: CallState, end: CallEnd | None = None) -> None:
        now = datetime.now(UTC)
        if (record := advanced(self.record, state, now, end)) is None:
            return
        self.record = record
        self._publish(CallStateChanged(self.record.id, state, now, end, self.record.recording if end else None))
        if end is not None:
            level = logging.INFO if end.disposition is Disposition.ANSWERED else logging.WARNING
            log.log(level, "Call %s ended: %s", self.record.id, endings.told(end))

    def _note(self, kind: str, text: str, **data: object) -> None:
        self._publish(CallNoted(self.record.id, CallEvent(self.record.id, datetime.now(UTC), kind, text, data)))


def settle(future: asyncio.Future[Any], value: Any) -> None:
    if not future.done():
        future.set_result(value)
