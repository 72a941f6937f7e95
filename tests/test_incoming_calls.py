"""Incoming calls at the switchboard: answered when the greeting is ready, refused with a cause, and written down."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator

import pytest

from tests.test_switchboard import NUMBER, Office, office
from trunkline.errors import BrainError, CallerBlocked, PbxUnavailable, TooManyCalls
from trunkline.events import CallArrived, FarEndAnswered, FarEndGone, PbxLost
from trunkline.models import Arrival, CallId, CallState, Direction, Disposition, HangUpBy
from trunkline.settings import IncomingSettings

__all__ = ["office"]
OURS = "+14155550111"


def arrival(number: str = NUMBER) -> Arrival:
    return Arrival(CallId(str(uuid.uuid4())), number, OURS, variables={"name": "Ada"})


async def ring(office: Office, number: str = NUMBER) -> CallId:
    """Somebody calls on the trunk."""
    call = arrival(number)
    office.pbx.report(CallArrived(call))
    await office.until(lambda: bool(office.pbx.answered or office.pbx.hung_up))
    return call.id


@pytest.fixture
async def small_office() -> AsyncGenerator[Office, None]:
    """Takes one incoming call, and is rid of one caller."""
    office = Office()
    incoming = IncomingSettings(max_calls=1, blocked=("+14155550666",), full_message="")
    office.settings = office.settings.model_copy(update={"incoming": incoming})
    office.board = office.make_board()
    async with office.board:
        yield office


async def test_a_call_from_the_ring_to_goodbye(office: Office) -> None:
    call_id = await ring(office)
    assert office.pbx.answered == [call_id]
    assert "Hello." in office.senses.text_to_speech.said  # type: ignore[attr-defined]
    assert office.board.live_calls[call_id].state is CallState.RINGING
    office.pbx.report(FarEndAnswered(call_id))
    leg = await office.answer(call_id)
    await leg.run(2.0)
    leg.close()
    ended = await office.ended(call_id)
    assert (ended.direction, ended.number, ended.caller_id, ended.agent) == (Direction.INBOUND, NUMBER, OURS, "me")
    assert ended.variables == {"name": "Ada"}
    assert ended.end is not None
    assert (ended.end.disposition, ended.end.hung_up_by) == (Disposition.ANSWERED, HangUpBy.PERSON)
    assert [turn.text for turn in ended.turns] == ["Hello."]
    assert ended.ringing_at and ended.answered_at and not ended.dialled_at
    (briefing,) = office.brain.briefings
    assert (briefing.direction, briefing.number, briefing.caller_id) == (Direction.INBOUND, NUMBER, OURS)


async def test_the_caller_gives_up_before_the_answer(office: Office) -> None:
    office.senses.text_to_speech.hold()  # type: ignore[attr-defined]
    call = arrival()
    office.pbx.report(CallArrived(call))
    await office.until(lambda: call.id in office.board.live_calls)
    office.pbx.report(FarEndGone(call.id, 16))
    ended = await office.ended(call.id)
    assert ended.end is not None
    assert (ended.end.disposition, ended.end.hung_up_by) == (Disposition.NO_ANSWER, HangUpBy.PERSON)
    assert not office.pbx.answered


async def test_nothing_to_say_is_no_answer(office: Office) -> None:
    office.brain.error = BrainError("The workflow is not there.")
    call_id = await ring(office)
    ended = await office.ended(call_id)
    assert ended.end is not None
    assert (ended.end.disposition, ended.end.hung_up_by) == (Disposition.FAILED, HangUpBy.SYSTEM)
    assert (office.pbx.answered, office.pbx.causes) == ([], [42])


async def test_asterisk_can_not_answer(office: Office) -> None:
    office.pbx.refuse = PbxUnavailable("The call is over.")
    call_id = await ring(office)
    ended = await office.ended(call_id)
    assert ended.end is not None and ended.end.disposition is Disposition.FAILED


async def test_asterisk_dies_while_it_rings(office: Office) -> None:
    call_id = await ring(office)
    office.pbx.report(PbxLost("gone"))
    ended = await office.ended(call_id)
    assert ended.end is not None and "before the call was answered" in ended.end.reason


async def test_a_blocked_caller_is_rejected_and_written_down(small_office: Office) -> None:
    call_id = await ring(small_office, "+14155550666")
    assert (small_office.pbx.hung_up, small_office.pbx.causes) == ([call_id], [21])
    ended = await small_office.ended(call_id)
    assert ended.end is not None and ended.end.disposition is Disposition.REJECTED
    with pytest.raises(CallerBlocked):
        await small_office.board.take_call(arrival("+14155550666"), small_office.pbx)


async def test_one_more_than_allowed_hears_the_busy_tone(small_office: Office) -> None:
    first = await ring(small_office)
    second = arrival()
    with pytest.raises(TooManyCalls):
        await small_office.board.take_call(second, small_office.pbx)
    ended = await small_office.ended(second.id)
    assert ended.end is not None and ended.end.disposition is Disposition.BUSY
    third = arrival()
    small_office.pbx.report(CallArrived(third))
    await small_office.until(lambda: third.id in small_office.pbx.hung_up)
    assert small_office.pbx.causes == [17]
    small_office.pbx.report(FarEndGone(first, 16))
    await small_office.ended(first)


async def test_one_more_than_allowed_is_told_so(small_office: Office) -> None:
    incoming = small_office.settings.incoming.model_copy(update={"full_message": "All lines are busy."})
    small_office.settings = small_office.settings.model_copy(update={"incoming": incoming})
    async with small_office.make_board() as board:
        small_office.board = board
        first = await ring(small_office)
        second = arrival()
        await board.take_call(second, small_office.pbx)
        await small_office.until(lambda: second.id in small_office.pbx.answered)
        leg = await small_office.answer(second.id)
        async with asyncio.timeout(10):
            while not leg.closed:
                await leg.run(0.1)
                await asyncio.sleep(0.01)
        ended = await small_office.ended(second.id)
        assert [turn.text for turn in ended.turns] == ["All lines are busy."]
        assert ended.end is not None and ended.end.hung_up_by is HangUpBy.AGENT
        small_office.pbx.report(FarEndGone(first, 16))
        await small_office.ended(first)


async def test_no_call_is_taken_while_the_service_stops(office: Office) -> None:
    await office.board.end_calls()
    call_id = await ring(office)
    await asyncio.sleep(0)
    assert (office.pbx.hung_up, office.pbx.causes) == ([call_id], [42])
    assert not office.board.live_calls
