"""Calls that come by AGI at the switchboard: what the dialplan says and is told, and a hang-up at every command."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from typing import cast, get_args

import pytest
from pydantic import ValidationError

from tests.agi_asterisk import AgiAsterisk, HangUp
from tests.conversation.booth import Mind
from tests.doubles import FakeSpeechToText, FakeTextToSpeech
from tests.test_switchboard import Office, office
from trunkline.agi_door import AgiDoor
from trunkline.audio import FRAME_BYTES, FRAME_SECONDS, bytes_of
from trunkline.errors import WrongMoment
from trunkline.events import SentenceStarted
from trunkline.models import NOT_RECORDED, CallId, CallRecord, Direction, Disposition, HangUpBy
from trunkline.ports import RESULT, BrainAction, Discreet, Note, Say, SendKeys, Transfer
from trunkline.ports import HangUp as Goodbye
from trunkline.settings import AgentSettings, AgiSettings, IncomingSettings, NoticeSettings
from trunkline.telephony.agi_server import AgiServer
from trunkline.telephony.agi_turns import SharedFolder

__all__ = ["office"]

NUMBER = "+14155550123"
COLLEAGUE = "+14155550177"
TURNS = "me?mode=record"


class Clerk(Mind):
    """Greets with these actions."""

    def __init__(self, *actions: BrainAction) -> None:
        super().__init__()
        self.actions = actions

    async def greet(self) -> AsyncGenerator[BrainAction, None]:
        for action in self.actions:
            yield action


@dataclass
class Door:
    office: Office
    server: AgiServer
    address: tuple[str, int]

    async def handed_over(self, asterisk: AgiAsterisk) -> CallRecord:
        """The call, when the dialplan has gone on."""
        async with asyncio.timeout(20):
            await asterisk.run()
        return await self.office.ended(CallId(asterisk.variables["TRUNKLINE_CALL_ID"]))

    @property
    def ears(self) -> FakeSpeechToText:
        return cast(FakeSpeechToText, self.office.senses.speech_to_text)


@asynccontextmanager
async def opened(office: Office, folder: Path) -> AsyncIterator[Door]:
    shared = SharedFolder(folder, str(folder))
    server = AgiServer(AgiDoor(office.board, office.settings, shared, 9092).receive, (), max_connections=10)
    address = await server.start("127.0.0.1", 0)
    yield Door(office, server, address)
    await server.close()
    assert server.connections == 0
    assert not await asyncio.to_thread(lambda: list(folder.iterdir()))


@pytest.fixture
async def door(office: Office, tmp_path: Path) -> AsyncIterator[Door]:
    (tmp_path / "agi").mkdir()
    async with opened(office, tmp_path / "agi") as door:
        yield door


# ── over AudioSocket ───────────────────────────────────────────────────────────────────────────────────────────


async def test_what_the_dialplan_says_reaches_the_agent_and_what_it_found_out_comes_back(door: Door) -> None:
    door.office.settings.agents["me"] = AgentSettings(variables={"name": "nobody", "town": "none"})
    door.office.brain.mind = Clerk(
        Say("Good."), Note(RESULT, "", {"Day of week": "Monday", "n": 4, "who": 'A" & ${EXTEN}'}), Goodbye()
    )
    async with AgiAsterisk.calling(door.address, "me?town=Rome", dnid="+14155550100", arg_1="order=A-17") as asterisk:
        asterisk.variables = {
            "TRUNKLINE_NAME": 'Ada "the first"',
            "TRUNKLINE_VARIABLES": "mood, x y",
            "TRUNKLINE_MOOD": "fine",
            "TRUNKLINE_NEXT": COLLEAGUE,  # of an agent who had the call before
        }
        dialplan = asyncio.create_task(door.handed_over(asterisk))
        call_id, address = (await asterisk.audiosocket).split(",")
        assert (address, str(uuid.UUID(call_id))) == ("127.0.0.1:9092", call_id)
        leg = await door.office.answer(CallId(call_id))
        while not leg.closed:
            await leg.run(1.0)
        asterisk.audiosocket_over.set()
        call = await dialplan
    assert call.variables == {"name": 'Ada "the first"', "town": "Rome", "mood": "fine", "order": "A-17"}
    assert (call.direction, call.number, call.caller_id) == (Direction.INBOUND, NUMBER, "+14155550100")
    told = asterisk.variables
    assert (told["TRUNKLINE_DISPOSITION"], told["TRUNKLINE_HANGUP_BY"]) == ("ANSWERED", "agent")
    assert (told["TRUNKLINE_RESULT_DAY_OF_WEEK"], told["TRUNKLINE_RESULT_N"]) == ("Monday", "4")
    assert told["TRUNKLINE_RESULT_WHO"].split() == ["A", "EXTEN"]
    assert told["TRUNKLINE_NEXT"] == ""
    assert "HANGUP" not in asterisk.said


async def test_a_call_that_the_dialplan_placed_is_outbound(door: Door) -> None:
    async with AgiAsterisk.calling(
        door.address, f"me?direction=outbound&number={NUMBER}&mode=record", callerid="unknown"
    ) as asterisk:
        door.office.brain.mind = Clerk(Goodbye())
        call = await door.handed_over(asterisk)
    assert (call.direction, call.number) == (Direction.OUTBOUND, NUMBER)


async def test_asterisk_can_not_bring_its_audio(door: Door) -> None:
    async with AgiAsterisk.calling(door.address, "me") as asterisk:
        asterisk.audiosocket_over.set()
        call = await door.handed_over(asterisk)
    assert call.end is not None and call.end.disposition is Disposition.FAILED
    assert "could not connect its audio" in asterisk.variables["TRUNKLINE_REASON"]


@pytest.mark.parametrize("knows_ifmodule", [True, False])
async def test_without_audiosocket_they_speak_turn_by_turn(door: Door, knows_ifmodule: bool) -> None:
    async with AgiAsterisk.calling(door.address, "me") as asterisk:
        asterisk.modules, asterisk.knows_ifmodule = set(), knows_ifmodule
        door.office.brain.mind = Clerk(Say("Hello."), Goodbye())
        await door.handed_over(asterisk)
    assert any(said.startswith("STREAM FILE") for said in asterisk.said)


# ── turn by turn ───────────────────────────────────────────────────────────────────────────────────────────────


async def test_turns_are_played_and_recorded(door: Door) -> None:
    door.ears.texts.extend(["I need a table", "Bye"])
    mind = door.office.brain.mind = Mind("Hello.", [Say("For when?")], [Say("Goodbye."), Goodbye()])
    async with AgiAsterisk.calling(door.address, TURNS) as asterisk:
        asterisk.utterances.extend([0.0, 0.5, 0.5])
        call = await door.handed_over(asterisk)
    assert [turn.text for turn in call.turns] == ["Hello.", "I need a table", "For when?", "Bye", "Goodbye."]
    assert [turn.text for turn in mind.turns] == ["I need a table", "Bye"]
    assert [turn.timings is not None for turn in call.turns] == [False, False, True, False, True]
    recorder = door.office.shelf.recorders[call.id]
    assert any(recorder.person) and any(recorder.agent)


async def test_keys_interrupt_what_is_played_and_are_a_turn(door: Door) -> None:
    mind = door.office.brain.mind = Mind("Hello there, this is a long greeting.", [Say("Thank you."), Goodbye()])
    async with AgiAsterisk.calling(door.address, TURNS) as asterisk:
        asterisk.playing_seconds = 0.5
        asterisk.keys.extend("42#")
        call = await door.handed_over(asterisk)
    assert [turn.keys for turn in mind.turns] == ["42"]
    assert call.turns[0].cut_off
    assert [turn.keys for turn in call.turns[1:]] == ["42", ""]


async def test_what_a_person_has_to_be_told_is_played_again_after_a_key(tmp_path: Path) -> None:
    told = "This call is recorded."
    office = Office(agent=AgentSettings(notices=NoticeSettings(countries={"US": told})))
    async with office.board, opened(office, tmp_path) as door:
        mind = office.brain.mind = Mind("Hello there.", [Say("Thank you."), Goodbye()])
        async with AgiAsterisk.calling(door.address, TURNS) as asterisk:
            asterisk.playing_seconds = 0.3
            asterisk.keys.extend("5")
            call = await door.handed_over(asterisk)
    assert [turn.text for turn in call.turns][:2] == [told, "Hello there."]
    assert not call.turns[0].cut_off
    assert [event.kind for event in call.events] == ["notice"]
    # Twice the notice, the greeting, the answer, and a breath behind the last word.
    assert sum(said.startswith("STREAM FILE") for said in asterisk.said) == 5
    assert [turn.keys for turn in mind.turns] == ["5"]
    agent = office.shelf.recorders[call.id].agent
    assert any(agent) and not any(agent[: bytes_of(0.3)])


async def test_a_key_ends_a_recording(door: Door) -> None:
    mind = door.office.brain.mind = Mind("Hello.", [Say("Thank you."), Goodbye()])
    async with AgiAsterisk.calling(door.address, TURNS) as asterisk:
        asterisk.utterances.extend(["7"])
        await door.handed_over(asterisk)
    assert [turn.keys for turn in mind.turns] == ["7"]


async def test_a_person_who_says_nothing_is_asked_then_left(door: Door) -> None:
    manners = AgentSettings()
    async with AgiAsterisk.calling(door.address, TURNS) as asterisk:
        call = await door.handed_over(asterisk)
    asked = [manners.ask_again] * manners.listening.silent_caller_asks
    assert [turn.text for turn in call.turns] == ["Hello.", *asked, manners.farewell_silent]
    assert call.end is not None and call.end.reason == "The person stayed silent."


async def test_the_agent_presses_keys_and_transfers(door: Door) -> None:
    door.office.brain.mind = Clerk(Say("Hold on."), SendKeys("1w2"), Transfer(COLLEAGUE))
    async with AgiAsterisk.calling(door.address, TURNS) as asterisk:
        call = await door.handed_over(asterisk)
    assert [said for said in asterisk.said if "SendDTMF" in said] == [f'EXEC SendDTMF "{key},,100"' for key in "12"]
    assert asterisk.variables["TRUNKLINE_NEXT"] == COLLEAGUE
    assert asterisk.variables["TRUNKLINE_NEXT_SECONDS"] == "30"
    assert call.end is not None and COLLEAGUE in call.end.reason


async def test_what_may_not_be_kept_of_a_recorded_turn_is_not(door: Door) -> None:
    door.ears.texts.extend(["I'll pay", "four one one one"])
    ask: list[BrainAction | Exception] = [Discreet(True), Say("Your number?")]
    mind = door.office.brain.mind = Mind("Hello.", ask, [Discreet(False), Say("Goodbye."), Goodbye()])
    async with AgiAsterisk.calling(door.address, TURNS) as asterisk:
        asterisk.utterances.extend([0.5, 0.6])
        call = await door.handed_over(asterisk)
    assert mind.turns[1].text == "four one one one"
    assert [turn.text for turn in call.turns] == ["Hello.", "I'll pay", NOT_RECORDED, NOT_RECORDED, "Goodbye."]
    loud = [any(door.office.shelf.recorders[call.id].person[at : at + FRAME_BYTES]) for at in _frames(door, call)]
    assert 0.4 < sum(loud) * FRAME_SECONDS < 0.6, "the first turn alone"


def _frames(door: Door, call: CallRecord) -> range:
    return range(0, len(door.office.shelf.recorders[call.id].person), FRAME_BYTES)


async def test_an_operator_has_a_call_of_turns_end_politely_but_nobody_can_come_in_between(door: Door) -> None:
    async with AgiAsterisk.calling(door.address, TURNS) as asterisk:
        dialplan = asyncio.create_task(door.handed_over(asterisk))
        await door.office.until(lambda: any(isinstance(update, SentenceStarted) for update in door.office.updates))
        live = await door.office.board.live_call(next(iter(door.office.board.live_calls)))
        for verb in (live.controls.hold, live.controls.mute, live.controls.take_over, live.controls.listen_in):
            with pytest.raises(WrongMoment):
                verb()
        live.controls.end("Bye now.")
        call = await dialplan
    assert call.turns[-1].text == "Bye now."
    assert call.end is not None and call.end.hung_up_by is HangUpBy.OPERATOR


async def test_a_folder_that_asterisk_does_not_share_is_named(door: Door) -> None:
    async with AgiAsterisk.calling(door.address, TURNS) as asterisk:
        asterisk.cannot_play = True
        call = await door.handed_over(asterisk)
    assert call.end is not None and call.end.hung_up_by is HangUpBy.SYSTEM
    assert "agi.folder" in asterisk.variables["TRUNKLINE_REASON"]


# ── no agent ───────────────────────────────────────────────────────────────────────────────────────────────────


async def refused(office: Office, script: str, folder: Path) -> dict[str, str]:
    await asyncio.to_thread(folder.mkdir)
    async with office.board, opened(office, folder) as door, AgiAsterisk.calling(door.address, script) as asterisk:
        async with asyncio.timeout(20):
            await asterisk.run()
    assert not any(said.startswith(("ANSWER", "EXEC", "HANGUP")) for said in asterisk.said)
    return asterisk.variables


async def test_an_unknown_agent(tmp_path: Path) -> None:
    told = await refused(Office(), "nobody", tmp_path / "agi")
    assert told["TRUNKLINE_DISPOSITION"] == "FAILED"
    assert "no agent 'nobody'" in told["TRUNKLINE_REASON"]


async def test_too_many_calls_are_busy(tmp_path: Path) -> None:
    office = Office()
    office.settings = office.settings.model_copy(update={"incoming": IncomingSettings(max_calls=0, full_message="")})
    office.board = office.make_board()
    assert (await refused(office, "me", tmp_path / "agi"))["TRUNKLINE_DISPOSITION"] == "BUSY"


async def test_a_blocked_caller_is_rejected(tmp_path: Path) -> None:
    office = Office()
    office.settings = office.settings.model_copy(update={"incoming": IncomingSettings(blocked=(NUMBER,))})
    office.board = office.make_board()
    assert (await refused(office, "me", tmp_path / "agi"))["TRUNKLINE_DISPOSITION"] == "REJECTED"


# ── the end comes from elsewhere ───────────────────────────────────────────────────────────────────────────────


async def test_an_operator_hangs_the_channel_up(door: Door) -> None:
    async with AgiAsterisk.calling(door.address, "me") as asterisk:
        dialplan = asyncio.create_task(door.handed_over(asterisk))
        call_id = CallId((await asterisk.audiosocket).split(",")[0])
        await door.office.answer(call_id)
        await door.office.board.hang_up(call_id)
        asterisk.audiosocket_over.set()
        await dialplan
    assert asterisk.said[-1] == "HANGUP"
    assert asterisk.variables["TRUNKLINE_HANGUP_BY"] == "operator"


async def test_the_caller_gives_up_before_the_answer(door: Door) -> None:
    cast(FakeTextToSpeech, door.office.senses.text_to_speech).hold()
    async with AgiAsterisk.calling(door.address, "me") as asterisk:
        dialplan = asyncio.create_task(door.handed_over(asterisk))
        await door.office.until(lambda: bool(door.office.board.live_calls))
        asterisk.hang_up()
        await dialplan
    assert "ANSWER" not in asterisk.said
    assert asterisk.variables["TRUNKLINE_DISPOSITION"] == "NO-ANSWER"


async def commands_of_a_call(door: Door, at: int | None, how: HangUp, script: str) -> AgiAsterisk:
    """A conversation by the same script, in which the person hangs up at the command with that number."""
    door.ears.texts.clear()
    door.ears.texts.extend(["yes", "no"])
    door.office.brain.mind = Mind("Hello.", [Say("Good."), SendKeys("1")], [Say("Bye."), Goodbye()])
    async with AgiAsterisk.calling(door.address, script) as asterisk:
        asterisk.hang_up_at, asterisk.hang_up_how = at, how
        asterisk.utterances.extend([0.3, 0.3])
        async with asyncio.timeout(20):
            await asterisk.run()
    await door.office.until(lambda: not door.office.board.live_calls and not door.server.connections)
    return asterisk


@pytest.mark.parametrize("how", get_args(HangUp))
async def test_a_hang_up_at_every_command_ends_the_call(door: Door, how: HangUp) -> None:
    whole = await commands_of_a_call(door, None, how, TURNS)
    answered = whole.said.index("ANSWER") + 1
    over = next(number for number, said in enumerate(whole.said, 1) if said.startswith("SET VARIABLE"))
    for at in range(1, len(whole.said) + 1, 1 if how == "hang up" else 3):
        before = {call.id for call in await door.office.store.recent(limit=200)}
        asterisk = await commands_of_a_call(door, at, how, TURNS)
        calls = [call for call in await door.office.store.recent(limit=200) if call.id not in before]
        if not calls:
            assert at < answered  # gone while the dialplan's variables were read
            continue
        end = (await door.office.ended(calls[0].id)).end
        assert end is not None
        if how == "hang up":
            wanted = ("answered" if at > answered else "no-answer", "agent" if at >= over else "person")
            assert (str(end.disposition), str(end.hung_up_by)) == wanted, whole.said[at - 1]
            assert asterisk.variables["TRUNKLINE_DISPOSITION"] == wanted[0].upper()
        elif answered < at < over:
            assert (end.disposition, end.hung_up_by) == (Disposition.FAILED, HangUpBy.SYSTEM)


# ── settings ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"host": "0.0.0.0"}, "first name the Asterisk machines in agi.networks"),
        ({"host": "10.0.0.4"}, "first name the Asterisk machines in agi.networks"),
        ({"host": "pbx.example.com"}, "no IPv4 address"),
        ({"networks": ["everybody"]}, "no IPv4 network"),
        ({"folder_there": "sounds"}, "the whole path"),
    ],
)
def test_settings_that_let_anybody_in_are_refused(settings: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        AgiSettings.model_validate(settings)


def test_named_networks_open_the_door_beyond_this_machine() -> None:
    settings = AgiSettings.model_validate({"host": "10.0.0.4", "networks": ["10.0.0.0/24"]})
    assert settings.allowed == (IPv4Network("10.0.0.0/24"),)
