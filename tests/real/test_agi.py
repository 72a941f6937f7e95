"""Calls that the dialplan of another Asterisk hands to an agent by `AGI()`: by AudioSocket, and turn by turn."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio

from tests.real.conftest import NOBODY
from tests.real.premises import AGENT, LONG, NUMBER, PERSON_HERTZ, TIMEOUT, Premises, left_as_found, open_premises
from tests.real.test_tone import hertz_and_level
from trunkline.events import CallCreated
from trunkline.models import CallId
from trunkline.rehearsal.dialling import Destination, dial_all
from trunkline.rehearsal.report import CallReport
from trunkline.rehearsal.scenario import Scenario
from trunkline.rehearsal.studio import Studio
from trunkline.settings import ServiceSettings, Settings, TrunkSettings
from trunkline.telephony.agi_protocol import Asked
from trunkline.telephony.agi_server import AgiConnection, AgiServer
from trunkline.telephony.asterisk_program import AsteriskProgram
from trunkline.telephony.pbx import PrivateAsterisk

pytestmark = pytest.mark.asyncio(loop_scope="module")

AGENT_HERTZ = 440.0
MODULES = ("res_speech", "res_agi", "format_wav")
"""What a usual Asterisk has beside those that a call over ARI needs."""
WAIT = {"wait_for_agent": {"silence_ms": 200}}
SPEAK = {"wav": "hm.wav", "text": "hm"}
FULL, TURNS, STRANGER = "700", "701", "702"
DIALPLAN = """
[from-twilio]
exten = 700,1,Set(TRUNKLINE_VARIABLES=order)
 same = n,Set(TRUNKLINE_ORDER=A-17)
 same = n,AGI(agi://{door}/brief?name=Ada)
 same = n,Set(WENT_ON=yes)
exten = 701,1,AGI(agi://{door}/brief?mode=record)
 same = n,Set(WENT_ON=yes)
exten = 702,1,AGI(agi://{door}/nobody)
 same = n,Set(WENT_ON=yes)
exten = h,1,AGI(agi://{results}/)
"""


@dataclass
class Office:
    """The other Asterisk, and what the calls in its dialplan ended with."""

    premises: Premises
    asterisk: PrivateAsterisk
    results: asyncio.Queue[dict[str, str]]

    async def call_in(self, called: str, *steps: object) -> CallReport:
        """Somebody calls an extension of it."""
        instance = self.asterisk.instance
        to = Destination(called, instance.sip_address, instance.sip_port, caller=NUMBER)
        person: Scenario = self.premises.person(*steps)
        (attempt,) = await dial_all(to, [await Studio().person(person)], out_dir=self.ear)
        assert attempt.report is not None
        return attempt.report

    @property
    def ear(self) -> Path:
        """Where callers keep what they heard."""
        return self.premises.folder / "callers"

    async def check_sound(self, report: CallReport) -> None:
        """The person's tone reached the agent, and the agent's the person."""
        heard = self.premises.ears.heard[0]
        assert report.recording is not None
        recording = await asyncio.to_thread((self.ear / report.recording).read_bytes)
        caller = np.frombuffer(recording[44:], "<i2").reshape(-1, 2)
        for sound, hertz in ((heard, PERSON_HERTZ), (caller[:, 1].tobytes(), AGENT_HERTZ)):
            assert hertz_and_level(sound)[0] == pytest.approx(hertz, abs=2)

    async def told(self) -> dict[str, str]:
        """What the dialplan knows behind the call."""
        async with asyncio.timeout(TIMEOUT):
            return await self.results.get()

    async def the_call(self) -> dict[str, Any]:
        """What our API tells of the one call there was."""
        (call_id,) = (
            CallId(call_id)
            for call_id, updates in self.premises.updates.items()
            if any(isinstance(update, CallCreated) for _, update in updates)
        )
        return await self.premises.ended(call_id)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def building(
    tmp_path_factory: pytest.TempPathFactory, asterisk_program: AsteriskProgram
) -> AsyncIterator[Office]:
    results: asyncio.Queue[dict[str, str]] = asyncio.Queue()

    async def note(connection: AgiConnection, asked: Asked) -> None:
        names = ("DISPOSITION", "REASON", "HANGUP_BY", "CALL_ID")
        told = {name: (await connection.command("GET VARIABLE", f"TRUNKLINE_{name}")).value for name in names}
        told["WENT_ON"] = (await connection.command("GET VARIABLE", "WENT_ON")).value
        results.put_nowait({name: value or "" for name, value in told.items()})

    folder = tmp_path_factory.mktemp("agi")
    listener = AgiServer(note, (), max_connections=10)
    host, port = await listener.start("127.0.0.1", 0)
    settings = Settings(
        service=ServiceSettings(data_dir=folder / "office"),
        trunk=TrunkSettings(host="office.example", identify=("127.0.0.1",), qualify_seconds=0),
    )
    (folder / "house").mkdir()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("TRUNKLINE_AGI__ENABLED", "true")
        environment.setenv("TRUNKLINE_AGI__PORT", "0")
        async with (
            open_premises(folder / "house") as premises,
            PrivateAsterisk(asterisk_program, settings, audiosocket=NOBODY) as asterisk,
        ):
            assert premises.house.agi is not None
            for module in MODULES:
                await asterisk.command(f"module load {module}.so")
            dialplan = asterisk.instance.folder / "etc" / "extensions.conf"
            door = "{}:{}".format(*premises.house.agi)
            dialplan.write_text(dialplan.read_text() + DIALPLAN.format(door=door, results=f"{host}:{port}"))
            await asterisk.command("dialplan reload")
            yield Office(premises, asterisk, results)
    await listener.close()


@pytest_asyncio.fixture(loop_scope="module")
async def office(building: Office) -> AsyncIterator[Office]:
    async with left_as_found(building.premises):
        yield building
        async with asyncio.timeout(TIMEOUT):
            while "0 active channels" not in await building.asterisk.command("core show channels count"):
                await asyncio.sleep(0.05)


async def test_a_whole_conversation_over_audiosocket(office: Office) -> None:
    office.premises.ears.texts.extend(["yes", "no"])
    report = await office.call_in(FULL, WAIT, SPEAK, WAIT, SPEAK, WAIT)
    assert (report.ended_by, report.problems) == ("caller", ())
    await office.check_sound(report)
    told, call = await office.told(), await office.the_call()
    assert told == {
        "DISPOSITION": "ANSWERED",
        "REASON": "The conversation came to its end.",
        "HANGUP_BY": "agent",
        "CALL_ID": call["id"],
        "WENT_ON": "yes",
    }
    assert (call["direction"], call["number"], call["agent"], call["callerId"]) == ("inbound", NUMBER, AGENT, FULL)
    assert [turn["text"] for turn in call["turns"]] == ["Hi. Yes?", "yes", "I see.", "no", "Bye."]
    assert call["variables"] == {"name": "Ada", "order": "A-17"}


async def test_a_whole_conversation_turn_by_turn(office: Office) -> None:
    office.premises.ears.texts.extend(["yes", "no"])
    report = await office.call_in(TURNS, WAIT, SPEAK, WAIT, SPEAK, WAIT)
    assert (report.ended_by, report.problems) == ("caller", ())
    await office.check_sound(report)
    told, call = await office.told(), await office.the_call()
    assert (told["DISPOSITION"], told["HANGUP_BY"], told["WENT_ON"]) == ("ANSWERED", "agent", "yes")
    assert [turn["text"] for turn in call["turns"]] == ["Hi. Yes?", "yes", "I see.", "no", "Bye."]
    assert (await office.premises.http.get(call["recording"])).status_code == 200
    assert not list((office.premises.folder / "data" / "agi").iterdir())


async def test_an_asterisk_without_audiosocket_is_spoken_with_turn_by_turn(office: Office) -> None:
    await office.asterisk.command("module unload app_audiosocket.so")
    try:
        office.premises.ears.texts.append("no")
        report = await office.call_in(FULL, WAIT, SPEAK, WAIT)
        assert (report.ended_by, report.problems) == ("caller", ())
        assert [turn["text"] for turn in (await office.the_call())["turns"]] == ["Hi. Yes?", "no", "Bye."]
        assert (await office.told())["WENT_ON"] == "yes"
    finally:
        await office.asterisk.command("module load app_audiosocket.so")


async def test_an_agent_that_does_not_exist(office: Office) -> None:
    report = await office.call_in(STRANGER)
    assert report.outcome != "answered"
    told = await office.told()
    assert (told["DISPOSITION"], told["WENT_ON"]) == ("FAILED", "yes")
    assert "no agent 'nobody'" in told["REASON"]


@pytest.mark.parametrize(
    ("called", "steps"),
    [
        (FULL, (WAIT, "hang_up")),
        (FULL, (WAIT, SPEAK, {"pause_ms": 1500}, "hang_up")),  # while the agent speaks
        (TURNS, ({"pause_ms": 200}, "hang_up")),  # at the greeting
        (TURNS, (WAIT, {"pause_ms": 300}, "hang_up")),  # while the person is recorded
        (TURNS, (WAIT, SPEAK, {"pause_ms": 2500}, "hang_up")),  # while a file is played
    ],
)
async def test_the_person_hangs_up(office: Office, called: str, steps: tuple[object, ...]) -> None:
    office.premises.ears.texts.append("tell me more")
    await office.call_in(called, *steps)
    told, call = await office.told(), await office.the_call()
    assert (told["HANGUP_BY"], told["WENT_ON"], call["hungUpBy"]) == ("person", "", "person")
    # Whoever hangs up at the greeting may be gone before Asterisk has said that the call is answered.
    assert told["DISPOSITION"] in (("ANSWERED",) if WAIT in steps else ("ANSWERED", "NO-ANSWER"))
    assert call["disposition"].upper() == told["DISPOSITION"]
    assert all(len(turn["text"]) < len(LONG) for turn in call["turns"])  # nobody heard the end of that


async def test_the_person_hangs_up_while_the_agent_thinks(office: Office) -> None:
    office.premises.ears.hold()
    office.premises.ears.texts.append("yes")
    try:
        await office.call_in(TURNS, WAIT, SPEAK, {"pause_ms": 1800}, "hang_up")
        assert (await office.told())["HANGUP_BY"] == "person"
    finally:
        office.premises.ears.release()
    assert (await office.the_call())["hungUpBy"] == "person"


async def test_keys_turn_by_turn(office: Office) -> None:
    await office.call_in(TURNS, WAIT, {"keys": "42#"}, WAIT, "hang_up")
    turns = (await office.the_call())["turns"]
    assert [turn["keys"] for turn in turns if turn["keys"]] == ["42"]
    await office.told()


async def test_an_operator_hangs_up(office: Office) -> None:
    calling = asyncio.create_task(office.call_in(FULL, {"pause_ms": 10_000}, "hang_up"))
    await office.premises.until(
        lambda: any(call.answered_at for call in office.premises.house.switchboard.live_calls.values())
    )
    (call_id,) = office.premises.house.switchboard.live_calls
    await office.premises.delete(call_id)
    assert (await calling).ended_by == "caller"
    told = await office.told()
    assert (told["HANGUP_BY"], told["WENT_ON"]) == ("operator", "")
