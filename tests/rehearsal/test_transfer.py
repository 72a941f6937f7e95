"""A caller has the person put through (REFER): to somebody else behind the carrier, or to another phone system."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.rehearsal.sip_caller import NUMBER, Wording
from tests.rehearsal.talking_caller import GREETING, TalkingCaller, talking_caller
from tests.rehearsal.test_dialling import Beeps, scenario
from trunkline.rehearsal.carrier import StandInCarrier
from trunkline.rehearsal.config import CarrierConfig
from trunkline.rehearsal.scenario import Scenario

COLLEAGUE = "+14155550199"
TO_COLLEAGUE = f"<sip:{COLLEAGUE}@pstn.example.com>"
WAIT = {"wait_for_agent": {"silence_ms": 250, "timeout_ms": 8000}}
TALK = [WAIT, {"say": "Hello."}, WAIT]
AT_ONCE = {"rings_ms": 0}


def person(*steps: Any, **more: Any) -> Scenario:
    return scenario("person", *steps, numbers=[NUMBER], phone=AT_ONCE, **more)


def colleague(*steps: Any, **phone: Any) -> Scenario:
    return scenario("colleague", *steps, numbers=[COLLEAGUE], phone=AT_ONCE | phone)


@asynccontextmanager
async def in_a_call(*people: Scenario, **config: Any) -> AsyncIterator[tuple[StandInCarrier, TalkingCaller]]:
    """The first of them has been called and has answered."""
    content = {"calls_per_second": None, "transfer": "enable-all"} | config
    async with (
        StandInCarrier(CarrierConfig.model_validate(content), people, studio=Beeps()) as carrier,
        talking_caller(carrier, Wording()) as caller,
    ):
        await caller.connect()
        yield carrier, caller


async def test_the_person_speaks_with_a_colleague_while_the_caller_is_gone() -> None:
    asks = colleague({"pause_ms": 300}, {"say": "Yes?"}, WAIT, {"say": "Goodbye."}, "hang_up")
    async with in_a_call(person(*TALK), asks) as (carrier, caller):
        caller.sip.refer(TO_COLLEAGUE)
        assert (await caller.sip.response()).code == 202
        assert await caller.sip.transfer_status() == "SIP/2.0 100 Trying active"
        assert await caller.sip.transfer_status() == "SIP/2.0 200 OK terminated"
        caller.sip.bye()
        assert (await caller.sip.response()).code == 200
        report = await carrier.next_report(10)
    assert report.problems == ()
    assert report.ended_by == "target"
    assert len(report.turns) == 1
    assert len(report.agent_speech) == 2  # "Yes?" and "Goodbye.", for which the colleague had to hear the person


async def test_the_caller_may_go_on_sending_and_is_not_heard() -> None:
    async with in_a_call(person({"pause_ms": 1500}, stays_ms=0), colleague({"pause_ms": 5000})) as (carrier, caller):
        caller.sip.refer(TO_COLLEAGUE)
        assert await caller.sip.transfer_status() == "SIP/2.0 100 Trying active"
        assert await caller.sip.transfer_status() == "SIP/2.0 200 OK terminated"
        await caller.say(GREETING)
        caller.sip.bye()
        report = await carrier.next_report(10)
    assert report.agent_speech == ()


async def test_the_person_is_called_to_another_phone_system() -> None:
    here = scenario("here", {"pause_ms": 300}, {"say": "Yes?"}, WAIT, {"say": "Goodbye."}, "hang_up", phone=AT_ONCE)
    office = CarrierConfig(host="127.0.0.1", username=None)
    async with (
        StandInCarrier(office, [here], studio=Beeps()) as there,
        in_a_call(person(*TALK), transfer="sip-only") as (carrier, caller),
    ):
        caller.sip.refer(f"<sip:{COLLEAGUE}@127.0.0.1:{there.port_of('tcp')};transport=tcp>")
        assert await caller.sip.transfer_status() == "SIP/2.0 100 Trying active"
        assert await caller.sip.transfer_status() == "SIP/2.0 200 OK terminated"
        caller.sip.bye()
        report, theirs = await carrier.next_report(10), await there.next_report(10)
    assert (report.problems, theirs.problems) == ((), ())
    assert (report.ended_by, theirs.ended_by) == ("target", "person")
    assert len(report.agent_speech) == len(theirs.turns) == 2


@pytest.mark.parametrize(
    ("target", "answer"),
    [(TO_COLLEAGUE, "486 Busy Here"), ("<sip:+14155550111@pstn.example.com>", "404 Not Found")],
    ids=["busy", "nobody"],
)
async def test_who_cannot_be_put_through_stays_with_the_caller(target: str, answer: str) -> None:
    async with in_a_call(person(*TALK), colleague(then="busy")) as (carrier, caller):
        caller.sip.refer(target)
        assert await caller.sip.transfer_status() == "SIP/2.0 100 Trying active"
        assert await caller.sip.transfer_status() == f"SIP/2.0 {answer} terminated"
        await caller.say(GREETING)
        await caller.heard()
        caller.sip.bye()
        report = await carrier.next_report(10)
    assert (report.ended_by, len(report.agent_speech), len(report.turns)) == ("caller", 1, 1)


async def test_a_caller_who_stays_is_hung_up_on_and_the_person_stays_put_through() -> None:
    asks = colleague({"pause_ms": 2500}, "hang_up")
    async with in_a_call(person({"pause_ms": 8000}), asks, t1=0.02) as (carrier, caller):
        caller.sip.refer(TO_COLLEAGUE)
        assert await caller.sip.transfer_status() == "SIP/2.0 100 Trying active"
        assert await caller.sip.transfer_status() == "SIP/2.0 200 OK terminated"
        await caller.bye_received()
        assert carrier.live_calls == 1
        assert (await carrier.next_report(10)).ended_by == "target"


async def test_a_caller_who_hangs_up_before_it_is_answered_gives_it_up() -> None:
    async with in_a_call(person({"pause_ms": 8000}), colleague(rings_ms=8000)) as (carrier, caller):
        caller.sip.refer(TO_COLLEAGUE)
        assert await caller.sip.transfer_status() == "SIP/2.0 100 Trying active"
        caller.sip.bye()
        assert (await carrier.next_report(5)).ended_by == "caller"
        assert carrier.live_calls == 0


async def test_where_nobody_listens_is_told() -> None:
    async with in_a_call(person({"pause_ms": 8000})) as (carrier, caller):
        reader = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
        port = reader.sockets[0].getsockname()[1]
        reader.close()
        caller.sip.refer(f"<sip:anna@127.0.0.1:{port};transport=tcp>")
        assert await caller.sip.transfer_status() == "SIP/2.0 100 Trying active"
        assert await caller.sip.transfer_status() == "SIP/2.0 503 Service Unavailable terminated"
        assert carrier.live_calls == 1
