"""`trunkline rehearse` as the process it is: started, called over UDP, read line by line."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import wave
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.rehearsal.sip_caller import SipCaller
from tests.rehearsal.talking_caller import GREETING, REPLY, talking_caller
from typer.testing import CliRunner

from trunkline.cli import app, rehearse
from trunkline.errors import NotReady, TrunklineError
from trunkline.rehearsal.carrier import StandInCarrier
from trunkline.rehearsal.config import CarrierConfig
from trunkline.rehearsal.scenario import Scenario
from trunkline.rehearsal.studio import tone

SCENARIO = """
phone: {rings_ms: 0}
steps:
  - wait_for_agent: {silence_ms: 250, timeout_ms: 3000}
  - wav: line.wav
  - wait_for_agent: {silence_ms: 250, timeout_ms: 3000}
  - hang_up
"""


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    with wave.open(str(tmp_path / "line.wav"), "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(8000)
        wav.writeframes(tone((1000.0,), 0.3))
    file = tmp_path / "person.yaml"
    file.write_text(SCENARIO, encoding="utf-8")
    return file


@asynccontextmanager
async def started(folder: Path, *arguments: str) -> AsyncGenerator[asyncio.subprocess.Process, None]:
    """`trunkline rehearse ARGUMENTS` in a folder of the test; killed if it is still there at the end."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "trunkline", "rehearse", *arguments),
        cwd=folder,
        env={key: value for key, value in os.environ.items() if not key.startswith("TRUNKLINE_")},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=1 << 22,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def line(process: asyncio.subprocess.Process) -> dict[str, Any]:
    assert process.stdout is not None
    async with asyncio.timeout(30):
        content: dict[str, Any] = json.loads(await process.stdout.readline())
    return content


async def ended(process: asyncio.subprocess.Process) -> tuple[int, str, str]:
    async with asyncio.timeout(30):
        out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


async def test_a_rehearsed_call_is_told_in_json_lines(scenario: Path) -> None:
    async with started(scenario.parent, str(scenario), "--json", "-o", "out") as process:
        listening = await line(process)
        assert listening["event"] == "carrier_listening"
        assert listening["trunk"]["proxy"] == f"127.0.0.1:{listening['port']}"
        carrier: Any = SimpleNamespace(host=listening["host"], port=listening["port"])
        async with talking_caller(carrier) as caller:
            await caller.connect()
            await caller.say(GREETING)
            await caller.heard()
            await caller.say(REPLY)
            await caller.bye_received()
        status, out, _ = await ended(process)
    events = [json.loads(text) for text in out.splitlines()]
    kinds = ["phone_rang", "phone_answered", "agent_spoke", "person_spoke", "agent_spoke", "call_over"]
    assert [event["event"] for event in events] == kinds
    assert status == 0
    report = events[-1]["report"]
    assert events[4]["gap_ms"] == report["turns"][0]["gap_ms"]
    assert (scenario.parent / "out" / report["recording"]).exists()


@pytest.fixture
def impatient(scenario: Path) -> Path:
    scenario.write_text(SCENARIO.replace("3000", "300"), encoding="utf-8")
    return scenario


async def test_an_agent_that_is_not_heard_makes_it_fail(impatient: Path) -> None:
    async with started(impatient.parent, str(impatient), "--listen", "127.0.0.1:0", "--json") as process:
        listening = await line(process)
        carrier: Any = SimpleNamespace(host=listening["host"], port=listening["port"])
        async with talking_caller(carrier) as caller:
            await caller.connect()
            await caller.bye_received()
        status, _, err = await ended(process)
    assert status == rehearse.FAILED
    assert "the agent said nothing" in err
    assert "The agent was not heard." in " ".join(err.split())


def test_people_are_told_how_to_point_a_trunk_at_it(scenario: Path) -> None:
    carrier_file = scenario.parent / "carrier.yaml"
    carrier_file.write_text("caller_ids: ['+14155550111']\nusername: somebody\n", encoding="utf-8")
    arguments = [str(scenario), "--carrier", str(carrier_file), "--host", "other.pstn.example.com", "--timeout", "1"]
    result = CliRunner().invoke(app, ["rehearse", *arguments, "-o", str(scenario.parent / "out")])
    assert 'host = "other.pstn.example.com"' in result.output
    assert 'username = "somebody"' in result.output
    assert 'caller_ids = ["+14155550111"]' in result.output
    assert isinstance(result.exception, NotReady)
    assert result.exception.message == "No call came to an end within 1 s."


async def test_sigterm_ends_a_call_in_order(scenario: Path) -> None:
    async with started(scenario.parent, str(scenario), "--json") as process:
        listening = await line(process)
        async with SipCaller((listening["host"], listening["port"])) as caller:
            await caller.invite_with_password()
            caller.ack(await caller.response(skip=(100, 180)))
            while (await line(process))["event"] != "phone_answered":
                pass
            process.terminate()
            async with asyncio.timeout(10):
                assert (await caller.requests.get()).method == "BYE"
        status, _, _ = await ended(process)
    assert status == rehearse.TERMINATED


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nowhere.yaml"], "one of: appointment"),
        (["person.yaml", "--listen", "somewhere"], "--listen 'somewhere' is no address."),
        (["person.yaml", "--listen", "0.0.0.0:5060"], "name the address under which callers reach this machine"),
        (["person.yaml", "--carrier", "none.yaml"], "can't be read"),
        ([], "Nobody was named."),
        (["--suite", "slow"], "There is no suite 'slow'"),
        (["person.yaml", "--line", "loud"], "--line 'loud' is no condition."),
        (["person.yaml", "--dial", "nowhere"], "'nowhere' is no SIP address."),
        (["busy", "--dial", "sip:1@127.0.0.1"], "None of these people ever answers"),
        (["person.yaml", "--call", "--built-in"], "exclude each other"),
        (["person.yaml", "--call", "--service", "http://127.0.0.1:9"], "can't be reached"),
    ],
)
def test_mistakes_are_told_in_a_sentence(
    scenario: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], told: str
) -> None:
    monkeypatch.chdir(scenario.parent)
    result = CliRunner().invoke(app, ["rehearse", *arguments])
    assert isinstance(result.exception, TrunklineError)
    assert told in str(result.exception)


@pytest.fixture
def expectant(scenario: Path) -> Path:
    answered = SCENARIO.replace("line.wav\n", "line.wav\n    within_ms: 5000\n")
    scenario.write_text(answered + "expect: {ended_by: agent}\n", encoding="utf-8")
    return scenario


async def test_a_person_calls_in_and_is_judged(expectant: Path) -> None:
    scenario = expectant
    called = {"name": "called", "folder": scenario.parent, "phone": {"rings_ms": 0}}
    steps = [{"wav": "line.wav"}, {"wait_for_agent": {"silence_ms": 250}}, {"wav": "line.wav"}]
    person = Scenario.model_validate(called | {"steps": steps, "stays_ms": 5000})
    config = CarrierConfig(host="127.0.0.1", calls_per_second=None)
    async with StandInCarrier(config, [person]) as carrier:
        address = f"sip:+14155550123@127.0.0.1:{carrier.port}"
        secret = config.password.get_secret_value()
        who = ("--user", "trunk", "--password", secret, "--caller", "+14155550100")
        async with started(scenario.parent, str(scenario), "--dial", address, *who, "-o", "out") as process:
            status, out, _ = await ended(process)
    assert status == rehearse.FAILED  # the person hangs up themselves
    assert "The call, ended_by: wanted agent, got person" in out
    assert "✗ person 2 of 3 as expected" in out or "? " in out  # the latter on a busy machine
    results = json.loads((scenario.parent / "out" / "rehearsal.json").read_text("utf-8"))
    verdicts = {finding["expectation"]: finding["verdict"] for finding in results["calls"][0]["findings"]}
    assert (verdicts["the script"], verdicts["ended_by"]) == ("met", "failed")
    assert verdicts["within_ms"] in {"met", "not judged"}
    assert (scenario.parent / "out" / "rehearsal.html").exists()


async def test_nothing_is_judged_where_only_measuring_is_wanted(scenario: Path) -> None:
    async with started(scenario.parent, str(scenario), "--json", "--measure-only", "-o", "out") as process:
        listening = await line(process)
        carrier: Any = SimpleNamespace(host=listening["host"], port=listening["port"])
        async with talking_caller(carrier) as caller:
            await caller.connect()
            await caller.say(GREETING)
            await caller.heard()
            await caller.say(REPLY)
            await caller.bye_received()
        status, _, _ = await ended(process)
    assert status == 0
    assert {file.suffix for file in (scenario.parent / "out").iterdir()} == {".json", ".wav"}
