"""Calls from the dial to the end, with a phone system and legs that do what each test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime

import pytest

from tests.conversation.booth import Mind
from tests.doubles import FakeSpeechToText, FakeTextToSpeech, FakeVoiceDetector
from tests.doubles_ledger import MemoryLedger
from tests.doubles_store import MemoryCallStore, MemoryShelf
from trunkline import outbound_call
from trunkline.audio import SILENCE
from trunkline.call import Line
from trunkline.conversation.conversation import Senses
from trunkline.conversation.load import LoadGauge
from trunkline.dialling.guards import Guards
from trunkline.errors import (
    BrainError,
    CallEnded,
    CallerIdNotAllowed,
    InvalidNumber,
    PbxUnavailable,
    TooManyCalls,
    TrunkNotConfigured,
    UnknownAgent,
    UnknownCall,
)
from trunkline.events import CallUpdate, FarEndAnswered, FarEndGone, FarEndProgress, FarEndRinging, PbxEvent, PbxLost
from trunkline.models import CallId, CallRecord, CallRequest, CallState, Direction, Disposition, HangUpBy
from trunkline.ports import BrainAction, BrainSession, CallBriefing, CallLeg, Extension, LegListener, Say, Transfer
from trunkline.settings import AgentSettings, ServiceSettings, Settings, TrunkSettings
from trunkline.switchboard import Agent, Switchboard

NUMBER = "+14155550100"


class FakePbx:
    def __init__(self) -> None:
        self.ready = True
        self.dialled: list[tuple[CallId, str, str | None]] = []
        self.answered: list[CallId] = []
        self.hung_up: list[CallId] = []
        self.causes: list[int | None] = []
        self.pressed: list[str] = []
        self.next: list[tuple[CallId, str]] = []
        self.joined: list[tuple[CallId, CallId]] = []
        self.refuse: PbxUnavailable | None = None
        self.dialplan: list[Extension] = []
        self.dialled_into: list[Extension | None] = []
        self._listener: Callable[[PbxEvent], None] = lambda event: None

    def on_event(self, listener: Callable[[PbxEvent], None]) -> None:
        self._listener = listener

    def report(self, event: PbxEvent) -> None:
        self._listener(event)

    async def dial(
        self,
        call_id: CallId,
        to: str,
        *,
        caller_id: str | None,
        ring_timeout: float,
        extension: Extension | None = None,
    ) -> None:
        if self.refuse is not None:
            raise self.refuse
        self.dialled.append((call_id, to, caller_id))
        self.dialled_into.append(extension)

    async def find_extension(self, context: str, number: str) -> Extension | None:
        return next((found for found in self.dialplan if found.context == context), None)

    async def press_key(self, call_id: CallId, key: str, *, seconds: float) -> None:
        self.pressed.append(key)

    async def connect_next(self, call_id: CallId, to: str, *, ring_timeout: float) -> None:
        self.next.append((call_id, to))

    async def join(self, one: CallId, other: CallId) -> None:
        self.joined.append((one, other))

    async def answer(self, call_id: CallId) -> None:
        if self.refuse is not None:
            raise self.refuse
        self.answered.append(call_id)

    async def hang_up(self, call_id: CallId, *, cause: int | None = None) -> None:
        self.hung_up.append(call_id)
        self.causes.append(cause)
        self.report(FarEndGone(call_id, 16))


class FakeLeg:
    """Plays silence from the person until it is closed."""

    def __init__(self, call_id: CallId, on_closed: Callable[[], None]) -> None:
        self.call_id = call_id
        self.closed = False
        self._on_closed = on_closed
        self._listener: LegListener | None = None

    def attach(self, listener: LegListener) -> None:
        self._listener = listener

    def close(self, *, broken: bool = False) -> None:
        if not self.closed:
            self.closed = True
            if self._listener is not None:
                self._listener.leg_closed("closed", broken=broken)
            self._on_closed()

    async def run(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.02)):
            if self.closed or self._listener is None:
                return
            self._listener.audio_received(SILENCE)
            self._listener.next_frame()
            await asyncio.sleep(0)


class FakeLegs:
    def __init__(self) -> None:
        self.expected: dict[CallId, Callable[[CallLeg], None]] = {}

    def expect(self, call_id: CallId, on_leg: Callable[[CallLeg], None]) -> None:
        if call_id in self.expected:
            raise ValueError(f"call {call_id} is expected already")
        self.expected[call_id] = on_leg

    def forget(self, call_id: CallId) -> None:
        self.expected.pop(call_id, None)


class OneMind:
    """A brain that gives every call the same mind, or fails."""

    def __init__(self, mind: Mind) -> None:
        self.mind = mind
        self.error: BrainError | None = None
        self.briefings: list[CallBriefing] = []

    async def open(self, briefing: CallBriefing) -> BrainSession:
        if self.error is not None:
            raise self.error
        self.briefings.append(briefing)
        return self.mind

    async def close(self) -> None: ...


class Office:
    """A switchboard with everything around it made for the test."""

    def __init__(self, *, agent: AgentSettings | None = None, **service: int) -> None:
        self.agent = agent or AgentSettings()
        self.pbx = FakePbx()
        self.legs = FakeLegs()
        self.shelf = MemoryShelf()
        self.store = MemoryCallStore()
        self.brain = OneMind(Mind("Hello."))
        self.updates: list[CallUpdate] = []
        self.settings = Settings(
            service=ServiceSettings(**service),
            trunk=TrunkSettings(host="trunk.example.com", caller_ids=("+14155550111",), ring_timeout=30),
            agents={"me": AgentSettings()},
        )
        self.senses = Senses(FakeVoiceDetector(), FakeSpeechToText(), FakeTextToSpeech())
        self.ledger = MemoryLedger()
        self.guards = Guards(self.settings, self.ledger)
        self.board = self.make_board()

    def make_board(self) -> Switchboard:
        line = Line(self.pbx, self.legs, self.senses, self.shelf, LoadGauge())
        board = Switchboard(self.settings, {"me": Agent(self.agent, self.brain)}, line, self.store, self.guards)
        board.watch(self.updates.append)
        return board

    async def place(self) -> CallRecord:
        record = await self.board.place_call(CallRequest(NUMBER, "me"))
        await self.until(lambda: bool(self.pbx.dialled) or record.id not in self.board.live_calls)
        return record

    async def answer(self, call_id: CallId) -> FakeLeg:
        leg = FakeLeg(call_id, lambda: self.pbx.report(FarEndGone(call_id, 16)))
        self.legs.expected.pop(call_id)(leg)
        await self.until(lambda: leg._listener is not None)
        return leg

    async def ended(self, call_id: CallId) -> CallRecord:
        await self.until(lambda: call_id not in self.board.live_calls)
        await self.board.settled()
        record = await self.store.get(call_id)
        assert record is not None
        assert record.state is CallState.ENDED
        return record

    @staticmethod
    async def until(condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not condition():
                await asyncio.sleep(0)


@pytest.fixture
async def office() -> AsyncGenerator[Office, None]:
    before = asyncio.all_tasks()
    office = Office()
    async with office.board:
        yield office
    left = {task for task in asyncio.all_tasks() - before if task is not asyncio.current_task()}
    assert not left
    assert not office.legs.expected


async def test_a_call_from_dial_to_goodbye(office: Office) -> None:
    record = await office.place()
    assert office.pbx.dialled == [(record.id, NUMBER, "+14155550111")]
    office.pbx.report(FarEndRinging(record.id))
    assert office.board.live_calls[record.id].state is CallState.RINGING
    office.pbx.report(FarEndProgress(record.id))
    assert office.board.live_calls[record.id].state is CallState.EARLY_MEDIA
    office.pbx.report(FarEndAnswered(record.id))
    leg = await office.answer(record.id)
    await leg.run(2.0)
    leg.close()
    ended = await office.ended(record.id)
    assert ended.end is not None
    assert (ended.end.disposition, ended.end.hung_up_by, ended.end.sip_code) == (
        Disposition.ANSWERED,
        HangUpBy.PERSON,
        200,
    )
    assert [turn.text for turn in ended.turns] == ["Hello."]
    assert ended.recording == f"{record.id}.wav"
    assert ended.dialled_at
    assert ended.ringing_at
    assert ended.answered_at
    assert ended.greeting_ms is not None
    assert office.brain.mind.closed
    assert office.shelf.recorders[record.id].closed


async def test_the_greeting_is_synthesised_while_the_phone_rings(office: Office) -> None:
    record = await office.place()
    voice = office.senses.text_to_speech
    assert isinstance(voice, FakeTextToSpeech)
    await office.until(lambda: voice.synthesised[:1] == ["Hello."])
    assert office.board.live_calls[record.id].state is CallState.DIALLING
    office.pbx.report(FarEndRinging(record.id))
    await office.board.hang_up(record.id)
    await office.ended(record.id)


@pytest.mark.parametrize(
    ("code", "reason", "disposition", "words"),
    [
        (486, "Busy Here", Disposition.BUSY, "busy"),
        (603, "Decline", Disposition.REJECTED, "declined"),
        (403, "Forbidden", Disposition.REJECTED, "access control list"),
        (403, "Caller ID is unauthorized", Disposition.REJECTED, "caller ID"),
        (400, "Invalid Phone Number", Disposition.REJECTED, "E.164"),
        (503, "Trunk CPS limit exceeded", Disposition.REJECTED, "per second"),
        (408, "Request Timeout", Disposition.FAILED, "trunk.host"),
        (499, "Odd", Disposition.REJECTED, "499 Odd"),
    ],
)
async def test_a_refusal_has_its_disposition_code_and_sentence(
    office: Office, code: int, reason: str, disposition: Disposition, words: str
) -> None:
    record = await office.place()
    office.pbx.report(FarEndGone(record.id, 21, code, reason))
    ended = await office.ended(record.id)
    assert ended.end is not None
    assert (ended.end.disposition, ended.end.sip_code, ended.end.sip_reason) == (disposition, code, reason)
    assert words in ended.end.reason
    assert [event.text for event in ended.events] == [f"{code} {reason}"]
    assert office.brain.mind.closed


@pytest.mark.parametrize(("rang", "disposition"), [(True, Disposition.NO_ANSWER), (False, Disposition.FAILED)])
async def test_nobody_answers(office: Office, rang: bool, disposition: Disposition) -> None:
    record = await office.place()
    if rang:
        office.pbx.report(FarEndRinging(record.id))
    office.pbx.report(FarEndGone(record.id, 19))
    ended = await office.ended(record.id)
    assert ended.end is not None
    assert ended.end.disposition is disposition


async def test_cancelled_while_it_rings(office: Office) -> None:
    record = await office.place()
    office.pbx.report(FarEndRinging(record.id))
    await office.board.hang_up(record.id)
    ended = await office.ended(record.id)
    assert ended.end is not None
    assert (ended.end.disposition, ended.end.hung_up_by) == (Disposition.CANCELLED, HangUpBy.OPERATOR)
    assert office.pbx.hung_up == [record.id]
    with pytest.raises(CallEnded):
        await office.board.hang_up(record.id)


async def test_a_cancelled_call_is_not_taken_back_before_the_far_end_gave_a_sign(office: Office) -> None:
    record = await office.place()
    await office.board.hang_up(record.id)
    for _ in range(20):
        await asyncio.sleep(0)
    assert office.pbx.hung_up == []
    office.pbx.report(FarEndProgress(record.id))
    ended = await office.ended(record.id)
    assert ended.end is not None
    assert ended.end.disposition is Disposition.CANCELLED
    assert office.pbx.hung_up == [record.id]


async def test_a_cancelled_call_without_a_sign_is_taken_back_all_the_same(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbound_call, "SIGN_WAIT", 0.05)
    record = await office.place()
    await office.board.hang_up(record.id)
    ended = await office.ended(record.id)
    assert ended.end is not None
    assert ended.end.disposition is Disposition.CANCELLED
    assert office.pbx.hung_up == [record.id]


async def test_answered_while_it_is_cancelled(office: Office) -> None:
    record = await office.place()
    await office.board.hang_up(record.id)
    office.pbx.report(FarEndAnswered(record.id))
    ended = await office.ended(record.id)
    assert ended.end is not None
    assert ended.end.disposition is Disposition.ANSWERED
    assert office.pbx.hung_up == [record.id]


async def test_the_person_picks_up_and_hangs_up_at_once(office: Office) -> None:
    record = await office.place()
    office.pbx.report(FarEndRinging(record.id))
    office.pbx.report(FarEndAnswered(record.id))
    office.pbx.report(FarEndGone(record.id, 16))
    ended = await office.ended(record.id)
    assert ended.end is not None
    assert (ended.end.disposition, ended.end.hung_up_by) == (Disposition.ANSWERED, HangUpBy.PERSON)
    assert "before anything was said" in ended.end.reason


async def test_asterisk_can_not_connect_the_audio(office: Office) -> None:
    record = await office.place()
    office.pbx.report(FarEndAnswered(record.id))
    office.pbx.report(FarEndGone(record.id))
    ended = await office.ended(record.id)
    assert ended.end is not None
    assert (ended.end.disposition, ended.end.hung_up_by) == (Disposition.FAILED, HangUpBy.SYSTEM)


async def test_the_person_hangs_up_while_the_greeting_is_still_being_made(office: Office) -> None:
    voice = office.senses.text_to_speech
    assert isinstance(voice, FakeTextToSpeech)
    voice.hold()
    record = await office.place()
    leg = FakeLeg(record.id, lambda: office.pbx.report(FarEndGone(record.id, 16)))
    office.legs.expected.pop(record.id)(leg)
    leg.close()
    ended = await office.ended(record.id)
    assert ended.end is not None
    assert (ended.end.disposition, ended.end.hung_up_by) == (Disposition.ANSWERED, HangUpBy.PERSON)
    assert office.brain.mind.closed


async def test_broken_audio_is_no_hang_up(office: Office) -> None:
    record = await office.place()
    leg = await office.answer(record.id)
    await leg.run(0.1)
    leg.close(broken=True)
    ended = await office.ended(record.id)
    assert ended.end is not None
    assert (ended.end.disposition, ended.end.hung_up_by) == (Disposition.FAILED, HangUpBy.SYSTEM)
    assert "audio broke off" in ended.end.reason


async def test_a_far_end_that_falls_silent_for_good_has_not_hung_up(office: Office) -> None:
    record = await office.place()
    leg = await office.answer(record.id)
    leg._on_closed = lambda: office.pbx.report(FarEndGone(record.id, 44))
    leg.close()
    ended = await office.ended(record.id)
    assert ended.end is not None
    assert (ended.end.disposition, ended.end.hung_up_by) == (Disposition.ANSWERED, HangUpBy.CARRIER)


async def test_hung_up_on_request_in_the_conversation(office: Office) -> None:
    record = await office.place()
    leg = await office.answer(record.id)
    await leg.run(0.2)
    await office.board.hang_up(record.id)
    assert leg.closed
    ended = await office.ended(record.id)
    assert ended.end is not None
    assert (ended.end.disposition, ended.end.hung_up_by) == (Disposition.ANSWERED, HangUpBy.OPERATOR)


async def transferred(office: Office) -> CallId:
    """A call whose agent has put the person through: its audio is closed, its channel lives on."""

    class Clerk(Mind):
        async def greet(self) -> AsyncGenerator[BrainAction, None]:
            yield Say("One moment.")
            yield Transfer("+1 415 555 0177")

    office.brain.mind = Clerk()
    record = await office.place()
    leg = FakeLeg(record.id, lambda: None)
    office.legs.expected.pop(record.id)(leg)
    await office.until(lambda: leg._listener is not None)
    while not leg.closed:
        await leg.run(0.1)
    assert office.pbx.next == [(record.id, "+14155550177")]
    for _ in range(20):
        await asyncio.sleep(0)
    assert record.id in office.board.live_calls, "the person is still on the line"
    return record.id


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("ANSWER", "The agent transferred the call to +14155550177."),
        ("BUSY", "The agent transferred the call to +14155550177, but nobody answered there (BUSY)."),
    ],
)
async def test_a_transferred_call_lasts_as_long_as_the_person_stays(office: Office, status: str, reason: str) -> None:
    call_id = await transferred(office)
    office.pbx.report(FarEndGone(call_id, 16, transfer=status))
    end = (await office.ended(call_id)).end
    assert end is not None
    assert (end.disposition, end.hung_up_by, end.reason) == (Disposition.ANSWERED, HangUpBy.AGENT, reason)


async def test_nobody_takes_the_transferred_person_who_comes_back(office: Office) -> None:
    call_id = await transferred(office)
    leg = await office.answer(call_id)
    async with asyncio.timeout(5):
        while "I'm sorry, I can't put you through at the moment." not in str(office.updates):
            await leg.run(0.1)
            await asyncio.sleep(0.01)
    leg.close()
    ended = await office.ended(call_id)
    assert ended.end is not None and ended.end.hung_up_by is HangUpBy.PERSON
    assert [event.kind for event in ended.events] == ["transfer", "transfer-failed"]


async def test_a_transferred_call_that_came_back_can_be_hung_up(office: Office) -> None:
    call_id = await transferred(office)
    leg = await office.answer(call_id)
    await office.board.hang_up(call_id)
    assert leg.closed
    end = (await office.ended(call_id)).end
    assert end is not None and end.hung_up_by is HangUpBy.OPERATOR


async def test_a_transferred_call_can_be_hung_up(office: Office) -> None:
    call_id = await transferred(office)
    await office.board.hang_up(call_id)
    end = (await office.ended(call_id)).end
    assert end is not None and end.hung_up_by is HangUpBy.OPERATOR
    assert office.pbx.hung_up == [call_id]


async def test_asterisk_dies_in_the_conversation(office: Office) -> None:
    record = await office.place()
    leg = await office.answer(record.id)
    leg._on_closed = lambda: office.pbx.report(PbxLost("killed"))
    leg.close()
    ended = await office.ended(record.id)
    assert ended.end is not None
    assert (ended.end.disposition, ended.end.hung_up_by) == (Disposition.FAILED, HangUpBy.SYSTEM)
    assert "killed" in ended.end.reason


async def test_asterisk_dies_while_it_rings_and_the_next_call_works(office: Office) -> None:
    record = await office.place()
    office.pbx.report(PbxLost("killed"))
    assert (await office.ended(record.id)).end is not None
    office.pbx.dialled.clear()
    second = await office.place()
    leg = await office.answer(second.id)
    leg.close()
    await office.ended(second.id)


async def test_asterisk_refuses_to_dial(office: Office) -> None:
    office.pbx.refuse = PbxUnavailable("Asterisk said no.")
    record = await office.place()
    ended = await office.ended(record.id)
    assert ended.end is not None
    assert ended.end.disposition is Disposition.FAILED
    assert "Asterisk said no." in ended.end.reason


async def test_nobody_is_rung_when_there_is_nothing_to_say(office: Office) -> None:
    office.brain.error = BrainError("The brain is out.")
    record = await office.board.place_call(CallRequest(NUMBER, "me"))
    ended = await office.ended(record.id)
    assert ended.end is not None
    assert "out" in ended.end.reason
    assert office.pbx.hung_up == [record.id]


async def test_the_service_stops_in_the_middle_of_a_call() -> None:
    office = Office()
    async with office.board:
        record = await office.place()
        leg = await office.answer(record.id)
        await leg.run(0.1)
    assert leg.closed
    stored = await office.store.get(record.id)
    assert stored is not None
    assert stored.end is not None
    assert stored.end.hung_up_by is HangUpBy.SYSTEM


async def test_calls_a_dead_service_left_open_are_closed_at_the_next_start() -> None:
    office = Office()
    left_open = CallRecord(
        id=CallId("11111111-0000-4000-8000-000000000000"),
        direction=Direction.OUTBOUND,
        number=NUMBER,
        agent="me",
        state=CallState.ANSWERED,
        created_at=datetime.now(UTC),
    )
    await office.store.add(left_open)
    async with office.board:
        stored = await office.store.get(left_open.id)
    assert stored is not None
    assert stored.end is not None
    assert stored.end.disposition is Disposition.FAILED


async def test_what_cannot_be_called_is_refused_and_nothing_is_dialled() -> None:
    office = Office(max_calls=1)
    async with office.board:
        board = office.board
        with pytest.raises(UnknownAgent) as unknown:
            await board.place_call(CallRequest(NUMBER, "nobody"))
        assert "me" in str(unknown.value)
        with pytest.raises(InvalidNumber):
            await board.place_call(CallRequest("0123", "me"))
        with pytest.raises(CallerIdNotAllowed):
            await board.place_call(CallRequest(NUMBER, "me", caller_id="+14155550199"))
        with pytest.raises(UnknownCall):
            await board.hang_up(CallId("nobody"))
        office.pbx.ready = False
        with pytest.raises(PbxUnavailable):
            await board.place_call(CallRequest(NUMBER, "me"))
        office.pbx.ready = True
        assert not office.pbx.dialled
        first = await office.place()
        with pytest.raises(TooManyCalls):
            await board.place_call(CallRequest(NUMBER, "me"))
        office.pbx.report(FarEndRinging(first.id))
        await board.hang_up(first.id)
        await office.ended(first.id)


async def test_without_a_trunk_no_call_is_placed() -> None:
    office = Office()
    office.settings = Settings()
    async with office.make_board() as board:
        with pytest.raises(TrunkNotConfigured):
            await board.place_call(CallRequest(NUMBER, "me"))
