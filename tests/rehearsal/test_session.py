"""Rehearsals from end to end, the service being a socket that calls when it is asked to."""

from __future__ import annotations

import asyncio
import json
import wave
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.rehearsal.sip_caller import HOST, NUMBER, SipCaller, Wording
from tests.rehearsal.talking_caller import GREETING, REPLY, talking_caller
from trunkline.errors import NotReady, RequestError, SettingsError
from trunkline.rehearsal.config import CarrierConfig
from trunkline.rehearsal.placing import Service
from trunkline.rehearsal.progress import CallOver, CallPlaced, CarrierListening, Progress
from trunkline.rehearsal.scenario import Scenario
from trunkline.rehearsal.session import Plan, rehearse, several
from trunkline.rehearsal.studio import tone
from trunkline.settings import Settings

WAIT = {"wait_for_agent": {"silence_ms": 250}}


@pytest.fixture
def person(tmp_path: Path) -> Scenario:
    with wave.open(str(tmp_path / "line.wav"), "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(8000)
        wav.writeframes(tone((1000.0,), 0.3))
    steps = [WAIT, {"wav": "line.wav"}, WAIT, "hang_up"]
    return Scenario.model_validate({"name": "one", "folder": tmp_path, "phone": {"rings_ms": 0}, "steps": steps})


class Watcher:
    """Knows where the carrier listens as soon as it does."""

    def __init__(self) -> None:
        self.events: list[Progress] = []
        self.listening: asyncio.Future[CarrierListening] = asyncio.get_running_loop().create_future()

    def __call__(self, event: Progress) -> None:
        self.events.append(event)
        if isinstance(event, CarrierListening):
            self.listening.set_result(event)


async def converse(carrier: Any, number: str = NUMBER) -> None:
    """The agent's side of the call."""
    async with talking_caller(carrier, Wording(uri=f"sip:{number}@{HOST}")) as caller:
        await caller.connect()
        await caller.say(GREETING)
        await caller.heard()
        await caller.say(REPLY)
        await caller.bye_received()


async def do_nothing(_carrier: Any, _number: str) -> None: ...


async def call_with_wrong_password(carrier: Any, number: str) -> None:
    async with SipCaller((carrier.host, carrier.port), Wording(uri=f"sip:{number}@{HOST}")) as caller:
        await caller.invite_with_password(password="wrong")
        await caller.response()


@asynccontextmanager
async def service(
    watcher: Watcher,
    act: Callable[[Any, str], Awaitable[None]],
    *,
    status: str = "202 Accepted",
    body: str | None = None,
    ending: str | None = None,
) -> AsyncGenerator[tuple[Service, list[str]], None]:
    """An HTTP server that answers one request per connection and acts on what is posted; calls end as `ending`."""
    asked: list[str] = []
    acting: list[asyncio.Future[None]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        posted = head.startswith("POST")
        length = int(head.lower().partition("content-length: ")[2].split()[0]) if posted else 0
        content = body if body is not None else json.dumps({"sessionId": "call-1"})
        line = status if posted else "200 OK"
        if posted:
            asked.append(head + (await reader.readexactly(length)).decode())
        else:
            content = json.dumps({"disposition": ending})
        answer = f"HTTP/1.1 {line}\r\nContent-Length: {len(content)}\r\nConnection: close\r\n\r\n{content}"
        writer.write(answer.encode())
        await writer.drain()
        writer.close()
        if posted:
            number = json.loads(asked[-1].partition("\r\n\r\n")[2])["phoneNumber"]
            acting.append(asyncio.ensure_future(act(await watcher.listening, number)))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield Service(f"http://127.0.0.1:{port}", "receptionist", "key-1"), asked
        await asyncio.gather(*acting)


async def test_a_call_that_comes_by_itself_is_judged(person: Scenario, tmp_path: Path) -> None:
    watcher = Watcher()
    plan = Plan((person,), CarrierConfig(), timeout=20, out_dir=tmp_path / "out")
    rehearsal = asyncio.ensure_future(rehearse(plan, Settings(), watcher))
    await converse(await watcher.listening)
    (outcome,) = await rehearsal
    assert outcome.complaints == ()
    assert outcome.attempt.report is not None and len(outcome.attempt.report.gaps_ms) == 1
    assert sorted(file.suffix for file in (tmp_path / "out").iterdir()) == [".json", ".wav"]
    assert isinstance(watcher.events[-1], CallOver)


@pytest.mark.parametrize("parallel", [1, 2])
async def test_the_service_is_asked_for_every_call(person: Scenario, parallel: int) -> None:
    watcher = Watcher()
    async with service(watcher, converse, ending="answered") as (receptionist, asked):
        plan = Plan(
            (person,),
            CarrierConfig(calls_per_second=None),
            repeat=2,
            parallel=parallel,
            timeout=20,
            service=receptionist,
        )
        outcomes = await rehearse(plan, Settings(), watcher)
    assert [outcome.complaints for outcome in outcomes] == [(), ()]
    assert [outcome.attempt.scenario.name for outcome in outcomes] == ["one", "one (2)"]
    assert [outcome.attempt.disposition for outcome in outcomes] == ["answered", "answered"]
    assert asked[0].startswith("POST /call HTTP/1.1")
    assert "authorization: bearer key-1" in asked[0].lower()
    bodies = [json.loads(request.partition("\r\n\r\n")[2]) for request in asked]
    assert [body["context"] for body in bodies] == ["receptionist", "receptionist"]
    numbers = [body["phoneNumber"] for body in bodies]
    assert len(set(numbers)) == 2
    assert CallPlaced(numbers[0], "call-1") in watcher.events


async def test_a_call_the_service_gives_up_is_not_waited_for(person: Scenario) -> None:
    watcher = Watcher()
    async with service(watcher, do_nothing, ending="failed") as (receptionist, _):
        plan = Plan((person,), CarrierConfig(), timeout=60, service=receptionist)
        with pytest.raises(NotReady, match="The service gave the call up"):
            await rehearse(plan, Settings(), watcher)


async def test_one_call_that_fails_does_not_spoil_the_others(person: Scenario) -> None:
    watcher = Watcher()

    async def only_the_first(carrier: Any, number: str) -> None:
        if number.endswith("0101"):
            await converse(carrier, number)
        else:
            await call_with_wrong_password(carrier, number)

    async with service(watcher, only_the_first) as (receptionist, _):
        plan = Plan((person,), CarrierConfig(calls_per_second=None), repeat=2, timeout=30, service=receptionist)
        good, bad = await rehearse(plan, Settings(), watcher)
    assert good.complaints == ()
    assert bad.attempt.report is None
    assert "The carrier refused the call" in bad.complaints[0]


def test_a_person_with_a_number_cannot_be_several(person: Scenario) -> None:
    numbered = person.model_copy(update={"numbers": (NUMBER,)})
    assert several([numbered], 1)[0].numbers == (NUMBER,)
    with pytest.raises(SettingsError, match="has a number"):
        several([numbered], 2)
    seeds = [copy.line.seed for copy in several([person], 3)]
    assert len(set(seeds)) == 3


async def test_a_refused_call_is_not_waited_for(person: Scenario) -> None:
    watcher = Watcher()
    async with service(watcher, call_with_wrong_password) as (receptionist, _):
        plan = Plan((person,), CarrierConfig(), timeout=60, service=receptionist)
        with pytest.raises(NotReady, match="The carrier refused the call: bad credentials"):
            await rehearse(plan, Settings(), watcher)


async def test_a_service_that_refuses_is_quoted(person: Scenario) -> None:
    watcher = Watcher()
    answer = '{"code": "unknown_agent"}'
    async with service(watcher, do_nothing, status="422 Unprocessable", body=answer) as (receptionist, _):
        plan = Plan((person,), CarrierConfig(), service=receptionist)
        with pytest.raises(RequestError, match=r"refused the call \(422\).*unknown_agent"):
            await rehearse(plan, Settings(), watcher)


async def test_a_service_that_is_not_there_is_told(person: Scenario) -> None:
    plan = Plan((person,), CarrierConfig(), service=Service("http://127.0.0.1:9", "a"))
    with pytest.raises(NotReady, match="can't be reached"):
        await rehearse(plan, Settings(), Watcher())


async def test_a_call_that_never_comes_is_told(person: Scenario) -> None:
    with pytest.raises(NotReady, match=r"No call came to an end within 0\.05 s"):
        await rehearse(Plan((person,), CarrierConfig(), timeout=0.05), Settings(), Watcher())


async def test_two_people_for_the_same_call_are_refused(person: Scenario) -> None:
    for other in (person, person.model_copy(update={"name": "two"})):
        with pytest.raises(SettingsError, match="Two scenarios have the same"):
            await rehearse(Plan((person, other), CarrierConfig()), Settings(), Watcher())
