"""A call to a colleague who is asked whether they take somebody: a call like any other until they do."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import Final

from trunkline.brains.colleague import ColleagueAsked
from trunkline.call import settle
from trunkline.conversation.conversation import Ending
from trunkline.errors import PbxUnavailable
from trunkline.models import ANONYMOUS, CallId, CallRecord, CallState, Direction, HangUpBy
from trunkline.outbound_call import OutboundCall
from trunkline.ports import CallLeg
from trunkline.settings import E164, AgentSettings
from trunkline.transfers import Target

TRANSFER_OF: Final = "transfer_of"
"""Variable of the colleague's call with the id of the person's."""
KEY_WAIT: Final = 0.3
"""Seconds after a key in which another one might follow: one is all that is asked for."""


class ColleagueCall(OutboundCall):
    """`taken` tells the person's call what became of it."""

    @cached_property
    def taken(self) -> asyncio.Future[bool]:
        return asyncio.get_running_loop().create_future()

    async def run(self) -> None:
        try:
            await super().run()
        finally:
            settle(self.taken, False)

    async def transfer(self, to: str, about: str) -> str:
        """The colleague said yes. Nothing is arranged before they have heard the last word: they may still hang up."""
        return to

    async def _put_through(self, leg: CallLeg, ending: Ending) -> CallLeg | Ending:
        """Both meet as soon as neither has us on their line."""
        person = CallId(ending.transferred_to or "")
        try:
            await self._line.pbx.join(self.record.id, person)
        except PbxUnavailable as error:
            leg.close()
            return Ending(HangUpBy.SYSTEM, f"The person of call {person} could not be put through: {error}")
        leg.close()
        settle(self.taken, True)
        await self._until()
        return Ending(ending.by, f"Took the person of call {person}.", person)


def record_for(person: CallRecord, target: Target, caller_ids: Sequence[str]) -> CallRecord:
    """The call, before it is dialled. Behind the carrier they see the first of `caller_ids`, our numbers; in the house
    the person's own, where one is shown.
    """
    in_the_house = not E164.fullmatch(target.to) and E164.fullmatch(person.number)
    return CallRecord(
        id=CallId(str(uuid.uuid4())),
        direction=Direction.OUTBOUND,
        number=target.to,
        agent=person.agent,
        state=CallState.QUEUED,
        created_at=datetime.now(UTC),
        caller_id=person.number if in_the_house else next(iter(caller_ids), None),
        variables={TRANSFER_OF: person.id},
    )


def mind_for(person: CallRecord, target: Target, about: str) -> ColleagueAsked:
    """What asks, in the words of the settings."""
    number = "" if person.number == ANONYMOUS else person.number
    values: Mapping[str, str] = {**person.variables, "number": number or "no number shown", "about": about}
    return ColleagueAsked(target.manners, person.id, values)


def manners_for(agent: AgentSettings, target: Target) -> AgentSettings:
    """The agent's own voice and ears, and little patience."""
    manners = target.manners
    return agent.model_copy(
        update={
            "transcribe": True,
            "max_call_seconds": manners.answer_seconds,
            "farewell_time": manners.declined,
            "farewell_silent": manners.declined,
            "ask_again": manners.ask_again,
            "listening": agent.listening.model_copy(update={"keys_gap_seconds": KEY_WAIT}),
        }
    )
