"""Calls through an Asterisk that is not ours: what outlives a connection, what a dialplan has, who hears of an end."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from tests.test_switchboard import NUMBER, FakePbx, Office, office
from trunkline import call, outbound_call, switchboard
from trunkline.errors import UnknownAgent
from trunkline.events import FarEndAnswered, FarEndGone, FarEndRinging, PbxLost
from trunkline.models import (
    Arrival,
    CallEnd,
    CallId,
    CallRecord,
    CallRequest,
    CallState,
    Direction,
    Disposition,
    HangUpBy,
)
from trunkline.ports import Extension

__all__ = ["office"]

CONTEXT = "outbound-ai-test"
LOST = PbxLost("it was started anew", "Place the call once more.")


def end_of(record: CallRecord) -> CallEnd:
    assert record.end is not None
    return record.end


async def place_there(office: Office) -> CallRecord:
    office.pbx.dialplan.append(Extension(CONTEXT, "s"))
    record = await office.board.place_call(CallRequest(NUMBER, CONTEXT))
    await office.until(lambda: bool(office.pbx.dialled))
    return record


# ── a context of the dialplan ──────────────────────────────────────────────────────────────────────────────────────


async def test_a_context_of_the_dialplan_has_the_call(office: Office) -> None:
    record = await place_there(office)
    assert office.pbx.dialled_into == [Extension(CONTEXT, "s")]
    office.pbx.report(FarEndRinging(record.id))
    office.pbx.report(FarEndAnswered(record.id))
    office.pbx.report(FarEndGone(record.id, 16))
    ended = await office.ended(record.id)
    assert (ended.agent, ended.turns, ended.recording) == (CONTEXT, (), None)
    assert ended.answered_at is not None
    end = end_of(ended)
    assert (end.disposition, end.sip_code, end.q850_cause) == (Disposition.ANSWERED, 200, 16)
    assert CONTEXT in end.reason
    assert office.brain.briefings == []


async def test_it_may_be_busy(office: Office) -> None:
    record = await place_there(office)
    office.pbx.report(FarEndGone(record.id, 17, 486, "Busy Here"))
    assert end_of(await office.ended(record.id)).disposition is Disposition.BUSY


async def test_it_can_be_hung_up(office: Office) -> None:
    record = await place_there(office)
    office.pbx.report(FarEndAnswered(record.id))
    await office.board.hang_up(record.id)
    end = end_of(await office.ended(record.id))
    assert (end.disposition, end.hung_up_by) == (Disposition.ANSWERED, HangUpBy.OPERATOR)
    assert office.pbx.hung_up == [record.id]


async def test_it_is_ended_when_it_gets_too_long(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    # Counted from the dial: it may ring for 30 s.
    agent = switchboard.DIALPLAN.settings.model_copy(update={"max_call_seconds": -29.9})
    monkeypatch.setattr(switchboard, "DIALPLAN", switchboard.Agent(agent, switchboard.DIALPLAN.brain))
    record = await place_there(office)
    office.pbx.report(FarEndAnswered(record.id))
    end = end_of(await office.ended(record.id))
    assert (end.reason, end.hung_up_by) == ("The call reached its longest length.", HangUpBy.SYSTEM)
    assert office.pbx.hung_up == [record.id]


async def test_an_agent_goes_before_a_context_of_its_name(office: Office) -> None:
    office.pbx.dialplan.append(Extension("me", "s"))
    await office.place()
    assert office.pbx.dialled_into == [None]


async def test_what_is_neither_is_unknown(office: Office) -> None:
    with pytest.raises(UnknownAgent):
        await office.board.place_call(CallRequest(NUMBER, CONTEXT))


# ── Asterisk can't be asked for a while ────────────────────────────────────────────────────────────────────────────


async def test_a_call_whose_end_nobody_saw(office: Office) -> None:
    record = await office.place()
    office.pbx.report(FarEndRinging(record.id))
    office.pbx.report(FarEndGone(record.id, unseen=True))
    end = end_of(await office.ended(record.id))
    assert (end.disposition, end.hung_up_by) == (Disposition.FAILED, HangUpBy.SYSTEM)
    assert "how is not known" in end.reason


@pytest.mark.parametrize(
    ("news", "disposition", "by"),
    [
        (LOST, Disposition.FAILED, HangUpBy.SYSTEM),
        (FarEndGone(CallId(""), unseen=True), Disposition.ANSWERED, HangUpBy.PERSON),
    ],
)
async def test_audio_that_ends_meanwhile_is_explained_when_asterisk_is_back(
    office: Office,
    monkeypatch: pytest.MonkeyPatch,
    news: PbxLost | FarEndGone,
    disposition: Disposition,
    by: HangUpBy,
) -> None:
    monkeypatch.setattr(call, "CAUSE_WAIT", 0.01)
    record = await office.place()
    leg = await office.answer(record.id)
    await leg.run(0.5)
    office.pbx.ready = False
    leg._on_closed = lambda: None
    leg.close()
    await asyncio.sleep(0.05)
    assert record.id in office.board.live_calls
    office.pbx.report(FarEndGone(record.id, unseen=True) if isinstance(news, FarEndGone) else news)
    end = end_of(await office.ended(record.id))
    assert (end.disposition, end.hung_up_by) == (disposition, by)


async def test_an_asterisk_that_never_comes_back_is_lost(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (call, outbound_call):
        monkeypatch.setattr(module, "WORD_WAIT", 0.05)
    monkeypatch.setattr(call, "CAUSE_WAIT", 0.01)
    record = await office.place()
    leg = await office.answer(record.id)
    office.pbx.ready = False
    leg._on_closed = lambda: None
    leg.close()
    end = end_of(await office.ended(record.id))
    assert end.disposition is Disposition.FAILED
    assert "can't be reached" in end.reason


async def test_a_phone_that_rings_where_nobody_can_be_asked(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbound_call, "WORD_WAIT", -29.95)  # it may ring for 30 s
    record = await office.place()
    office.pbx.report(FarEndRinging(record.id))
    end = end_of(await office.ended(record.id))
    assert end.disposition is Disposition.FAILED
    assert "can't be reached" in end.reason


# ── whose end it is ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_call_of_another_asterisk_outlives_ours(office: Office) -> None:
    theirs = FakePbx()
    theirs.on_event(office.pbx.report)
    arrival = Arrival(CallId("3f1d1c1e-0000-4000-8000-000000000001"), NUMBER, "100")
    record = await office.board.take_call(arrival, theirs)
    await office.until(lambda: record.id in office.legs.expected)
    leg = await office.answer(record.id)
    office.pbx.report(LOST)
    await leg.run(0.5)
    assert record.id in office.board.live_calls
    leg.close()
    assert end_of(await office.ended(record.id)).disposition is Disposition.ANSWERED


async def test_what_a_dead_service_left_in_asterisk_is_hung_up() -> None:
    office = Office()
    left = CallId("3f1d1c1e-0000-4000-8000-000000000002")
    await office.store.add(
        CallRecord(left, Direction.OUTBOUND, NUMBER, "me", CallState.RINGING, created_at=datetime.now(UTC))
    )
    async with office.board:
        assert office.pbx.hung_up == [left]
        assert end_of(await office.ended(left)).disposition is Disposition.FAILED
