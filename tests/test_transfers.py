"""Warm transfers from the wish to the end, with a phone system and legs that do what each test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest
from pydantic import ValidationError

from tests.conversation.booth import Mind
from tests.doubles import FakeSpeechToText, tone
from tests.test_switchboard import FakeLeg, Office
from trunkline.audio import FRAME_BYTES, SILENCE
from trunkline.brains.colleague import meant
from trunkline.errors import InvalidNumber, NumberTypeDenied, PbxUnavailable
from trunkline.events import FarEndAnswered, FarEndGone, TurnFinished
from trunkline.models import CallEvent, CallId, CallRecord, Disposition, HangUpBy, Speaker, Turn
from trunkline.ports import BrainAction, PersonTurn, Say, Transfer
from trunkline.settings import Settings, TransferSettings
from trunkline.switchboard import Switchboard
from trunkline.transfers import Target, TransferDesk, gist

ANNA = TransferSettings(to="100@from-internal", mode="warm", ring_seconds=20)
NUMBER = "+14155550100"


class Clerk(Mind):
    """Puts everybody through to Anna at once."""

    def __init__(self, about: str = "a refund", to: str = "Anna") -> None:
        super().__init__()
        self._wish = Transfer(to, about)

    async def greet(self) -> AsyncGenerator[BrainAction, None]:
        yield Say("One moment.")
        yield self._wish


class House(Office):
    """The office, with a colleague in the next room."""

    def make_board(self) -> Switchboard:
        self.settings = self.settings.model_copy(update={"transfers": {"Anna": ANNA}})
        return super().make_board()

    async def asked(self) -> tuple[CallId, FakeLeg, CallId]:
        """Somebody waits on their leg while Anna's phone rings: both calls' ids."""
        self.brain.mind = Clerk()
        record = await self.place()
        leg = FakeLeg(record.id, lambda: self.pbx.report(FarEndGone(record.id, 16)))
        self.legs.expected.pop(record.id)(leg)
        await self.until(lambda: leg._listener is not None)
        while len(self.pbx.dialled) < 2:
            await leg.run(0.1)
        return record.id, leg, self.pbx.dialled[1][0]

    async def picked_up(self, colleague: CallId, *, plays: Callable[[], None] = lambda: None) -> FakeLeg:
        """Anna has picked up, and heard the question."""
        self.pbx.report(FarEndAnswered(colleague))
        leg = FakeLeg(colleague, lambda: None)
        await self.until(lambda: colleague in self.legs.expected)
        self.legs.expected.pop(colleague)(leg)
        await self.until(lambda: leg._listener is not None)
        while not any("press two" in text for text in self.said(colleague)):
            await leg.run(0.5)
        return leg

    def said(self, call_id: CallId) -> list[str]:
        return [
            update.turn.text
            for update in self.updates
            if isinstance(update, TurnFinished) and update.call_id == call_id and update.turn.speaker is Speaker.AGENT
        ]

    async def press(self, leg: FakeLeg, key: str) -> None:
        assert leg._listener is not None
        leg._listener.key_received(key)
        await self.run_until(leg, lambda: leg.closed)

    async def run_until(self, leg: FakeLeg, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                await leg.run(0.1)
                await asyncio.sleep(0)

    async def events(self, call_id: CallId) -> list[CallEvent]:
        return list((await self.ended(call_id)).events)


@pytest.fixture
async def house() -> AsyncGenerator[House, None]:
    before = asyncio.all_tasks()
    house = House()
    async with house.board:
        yield house
    left = {task for task in asyncio.all_tasks() - before if task is not asyncio.current_task()}
    assert not left
    assert not house.legs.expected


async def test_a_colleague_takes_the_person_by_key(house: House) -> None:
    person, leg, colleague = await house.asked()
    assert house.pbx.dialled[1] == (colleague, "100@from-internal", NUMBER)
    assert not leg.closed, "the person waits on their own leg"
    other = await house.picked_up(colleague)
    [question] = house.said(colleague)
    assert f"on the line for you, {NUMBER}. It is about this: a refund." in question
    await house.press(other, "1")
    assert house.pbx.joined == [(colleague, person)]
    await house.until(lambda: leg.closed)
    house.pbx.report(FarEndGone(colleague, 16))
    taken = await house.ended(colleague)
    assert taken.end is not None and taken.end.disposition is Disposition.ANSWERED
    assert taken.variables == {"transfer_of": person}
    ended = await house.ended(person)
    assert ended.end is not None
    assert (ended.end.disposition, ended.end.hung_up_by) == (Disposition.ANSWERED, HangUpBy.AGENT)
    assert ended.end.reason == "The agent transferred the call to Anna."
    assert [(event.kind, event.data.get("callId")) for event in ended.events] == [
        ("transfer", None),
        ("transfer-asked", colleague),
        ("transfer-taken", colleague),
    ]


async def test_the_person_hears_music_meanwhile(house: House) -> None:
    person, leg, colleague = await house.asked()
    assert leg._listener is not None
    assert any(leg._listener.next_frame() != SILENCE for _ in range(100))
    await house.board.hang_up(person)
    await house.ended(person)
    await house.ended(colleague)


async def says(house: House, leg: FakeLeg, text: str) -> None:
    ears = house.senses.speech_to_text
    assert isinstance(ears, FakeSpeechToText) and leg._listener is not None
    ears.texts.append(text)
    sound = tone(0.8)
    for at in range(0, len(sound), FRAME_BYTES):
        leg._listener.audio_received(sound[at : at + FRAME_BYTES])
        leg._listener.next_frame()
        await asyncio.sleep(0)


@pytest.mark.parametrize("words", ["Yes, put them through.", "I'll take it."])
async def test_or_by_voice(house: House, words: str) -> None:
    person, leg, colleague = await house.asked()
    other = await house.picked_up(colleague)
    await says(house, other, words)
    await house.run_until(other, lambda: other.closed)
    assert house.pbx.joined == [(colleague, person)]
    await house.until(lambda: leg.closed)
    await house.ended(person)
    house.pbx.report(FarEndGone(colleague, 16))
    await house.ended(colleague)


async def comes_back(house: House, person: CallId, leg: FakeLeg) -> CallRecord:
    """The agent is with the person again; then they hang up."""
    sorry = "I'm sorry, I can't put you through at the moment."
    await house.run_until(leg, lambda: sorry in house.said(person))
    assert not leg.closed and house.pbx.joined == []
    leg.close()
    return await house.ended(person)


async def test_a_colleague_declines_and_the_agent_is_back(house: House) -> None:
    person, leg, colleague = await house.asked()
    other = await house.picked_up(colleague)
    await house.press(other, "2")
    assert house.said(colleague)[-1] == "All right. Goodbye."
    ended = await comes_back(house, person, leg)
    assert [event.kind for event in ended.events] == ["transfer", "transfer-asked", "transfer-failed"]
    assert ended.end is not None and ended.end.hung_up_by is HangUpBy.PERSON
    house.pbx.report(FarEndGone(colleague, 16))
    await house.ended(colleague)


async def test_nobody_answers_and_the_agent_is_back(house: House) -> None:
    person, leg, colleague = await house.asked()
    house.pbx.report(FarEndGone(colleague, 17, 486, "Busy Here"))
    ended = await comes_back(house, person, leg)
    assert ended.events[-1].kind == "transfer-failed" and "busy" in ended.events[-1].text
    assert (await house.ended(colleague)).end is not None


async def test_a_colleague_who_hangs_up_has_declined(house: House) -> None:
    person, leg, colleague = await house.asked()
    other = await house.picked_up(colleague)
    other.close()
    house.pbx.report(FarEndGone(colleague, 16))
    await house.ended(colleague)
    await comes_back(house, person, leg)


async def test_a_mailbox_does_not_take_anybody(house: House) -> None:
    mailbox = "You have reached the mailbox of Anna yes please leave a message after the tone thank you"
    person, leg, colleague = await house.asked()
    other = await house.picked_up(colleague)
    for answers in (1, 2, 3):
        await says(house, other, mailbox)
        await house.run_until(other, lambda most=answers: len(house.said(colleague)) > most)  # type: ignore[misc]
    await house.run_until(other, lambda: other.closed)
    house.pbx.report(FarEndGone(colleague, 16))
    await comes_back(house, person, leg)
    await house.ended(colleague)


async def test_the_person_hangs_up_while_the_colleague_is_asked(house: House) -> None:
    person, leg, colleague = await house.asked()
    other = await house.picked_up(colleague)
    leg.close()
    ended = await house.ended(person)
    assert ended.end is not None
    assert (ended.end.hung_up_by, ended.end.reason) == (
        HangUpBy.PERSON,
        "The person hung up while Anna was being asked.",
    )
    assert other.closed, "nobody is asked any more"
    end = (await house.ended(colleague)).end
    assert end is not None and end.reason == "The person who was to be put through hung up."


async def test_the_person_hangs_up_while_it_rings_there(house: House) -> None:
    person, leg, colleague = await house.asked()
    leg.close()
    await house.ended(person)
    end = (await house.ended(colleague)).end
    assert end is not None and end.disposition is Disposition.CANCELLED
    assert colleague in house.pbx.hung_up


async def test_the_bridge_cannot_be_made(house: House) -> None:
    person, leg, colleague = await house.asked()
    other = await house.picked_up(colleague)

    async def refuse(one: CallId, other: CallId) -> None:
        raise PbxUnavailable("No bridge.")

    house.pbx.join = refuse  # type: ignore[method-assign]
    await house.press(other, "1")
    await comes_back(house, person, leg)
    assert (await house.ended(colleague)).end is not None


async def test_nobody_can_be_asked_when_all_lines_are_taken() -> None:
    house = House(max_calls=1)
    async with house.board:
        house.brain.mind = Clerk()
        record = await house.place()
        leg = await house.answer(record.id)
        ended = await comes_back(house, record.id, leg)
        assert [event.kind for event in ended.events] == ["transfer", "transfer-failed"]
        assert len(house.pbx.dialled) == 1


async def test_names_go_before_numbers() -> None:
    async def may_dial(to: str) -> str:
        if not to.startswith("+1"):
            raise InvalidNumber("no")
        return to

    async def ask(person: CallRecord, target: Target, about: str) -> None: ...

    abroad = TransferSettings(to="+881600000000")
    desk = TransferDesk({"Anna": ANNA, "Ship": abroad}, may_dial, ask)  # type: ignore[arg-type]
    assert await desk.find(" anna ") == Target("Anna", ANNA)
    assert await desk.find("+14155550177") == Target("+14155550177", TransferSettings(to="+14155550177"))
    for nobody in ("Bert", "Ship", "100@from-internal", "PJSIP/100", "sip:anna@example.com"):
        with pytest.raises(InvalidNumber):
            await desk.find(nobody)


async def test_a_name_dials_no_number_that_may_not_be_dialled() -> None:
    async def refuse(to: str) -> str:
        raise NumberTypeDenied(f"{to} is a premium number.")

    async def ask(person: CallRecord, target: Target, about: str) -> None: ...

    desk = TransferDesk({"Fortune": TransferSettings(to="+19005550100")}, refuse, ask)  # type: ignore[arg-type]
    with pytest.raises(NumberTypeDenied):
        await desk.find("fortune")


def test_what_it_is_about() -> None:
    def turn(speaker: Speaker, text: str) -> Turn:
        return Turn(1, speaker, text, 0.0, 1.0)

    turns = [
        turn(Speaker.PERSON, "Hello."),
        turn(Speaker.AGENT, "What is it?"),
        turn(Speaker.PERSON, "My parcel is broken."),
        turn(Speaker.PERSON, "[not recorded]"),
        turn(Speaker.PERSON, "I want my money back!"),
    ]
    assert gist(" a refund. ", turns) == "a refund"
    assert gist("", turns) == "My parcel is broken. I want my money back"
    assert gist("", []) == ""
    assert len(gist("long " * 200, [])) <= 300


@pytest.mark.parametrize(
    ("said", "takes"),
    [
        (PersonTurn(1, "", b"", "1"), True),
        (PersonTurn(1, "", b"", "2"), False),
        (PersonTurn(1, "", b"", "9"), None),
        (PersonTurn(1, "yeah sure", b""), True),
        (PersonTurn(1, "go ahead", b""), True),
        (PersonTurn(1, "no sorry I'm in a meeting", b""), False),
        (PersonTurn(1, "not now", b""), False),
        (PersonTurn(1, "who is it", b""), None),
        (PersonTurn(1, "", b""), None),
    ],
)
def test_what_a_colleague_means(said: PersonTurn, takes: bool | None) -> None:
    assert meant(said) is takes


@pytest.mark.parametrize(
    "agent",
    [
        {"openai": {"transfers": {"support": "Bert"}}},
        {"n8n": {"transfer_to": "Bert"}},
        {"openai": {"transfer_to": "Bert"}},
    ],
)
def test_a_name_that_stands_for_nobody_is_found_out_at_once(agent: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=r"names 'Bert': there is no \[transfers.Bert\]"):
        Settings.model_validate({"transfers": {"Anna": ANNA}, "agents": {"desk": agent}})
    Settings.model_validate({"transfers": {"Bert": ANNA}, "agents": {"desk": agent}})
