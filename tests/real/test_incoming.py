"""Calls that come in on the trunk through a real Asterisk, placed by SIP user agents of our own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.real.premises import AGENT, CALLER_ID, NUMBER, Premises, left_as_found, open_premises
from tests.rehearsal.sip_node import node
from tests.rehearsal.twilio_office import Office as Twilio
from trunkline.events import CallCreated
from trunkline.models import CallId, Direction
from trunkline.rehearsal.attempt import Attempt
from trunkline.rehearsal.carrier import StandInCarrier
from trunkline.rehearsal.config import CarrierConfig
from trunkline.rehearsal.dialling import Destination, dial_all
from trunkline.rehearsal.scenario import Scenario
from trunkline.rehearsal.studio import Studio
from trunkline.settings import IncomingSettings

pytestmark = pytest.mark.asyncio(loop_scope="module")

BLOCKED = "+14155550666"
WAIT = {"wait_for_agent": {"silence_ms": 200}}
TALK = (WAIT, {"wav": "hm.wav", "text": "hm"}, WAIT, "hang_up")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Premises]:
    incoming = IncomingSettings(blocked=(BLOCKED,), max_calls=1, full_message="")
    async with open_premises(tmp_path_factory.mktemp("house"), incoming=incoming) as premises:
        yield premises


@pytest_asyncio.fixture(loop_scope="module")
async def office(house: Premises) -> AsyncIterator[Premises]:
    async with left_as_found(house) as office:
        office.ears.texts.extend(["yes"] * 4)
        yield office


async def call_in(office: Premises, *people: Scenario, caller: str = NUMBER, called: str = CALLER_ID) -> list[Attempt]:
    """They call our Asterisk as the trunk does, all at once."""
    instance = office.house.asterisk.instance
    to = Destination(called, instance.sip_address, instance.sip_port, caller=caller)
    studio = Studio()
    return await dial_all(to, [await studio.person(person) for person in people], parallel=len(people))


async def the_call(office: Premises) -> dict[str, Any]:
    """What the API tells of the one call there was."""
    (call_id,) = (
        CallId(call_id)
        for call_id, updates in office.updates.items()
        if any(isinstance(update, CallCreated) for _, update in updates)
    )
    return await office.ended(call_id)


async def test_somebody_calls_and_talks_with_the_agent(office: Premises) -> None:
    (attempt,) = await call_in(office, office.person(*TALK))
    assert attempt.report is not None
    assert (attempt.report.outcome, attempt.report.ended_by, attempt.report.problems) == ("answered", "person", ())
    assert len(attempt.report.agent_speech) >= 2  # the greeting, and an answer to what was said
    call = await the_call(office)
    assert (call["direction"], call["number"], call["callerId"]) == (Direction.INBOUND, NUMBER, CALLER_ID)
    assert (call["agent"], call["disposition"], call["hungUpBy"]) == (AGENT, "answered", "person")
    assert [turn["speaker"] for turn in call["turns"]][:3] == ["agent", "person", "agent"]
    assert (await office.http.get(call["recording"])).status_code == 200


async def test_the_carrier_calls_and_passes_over_a_node_that_is_down(office: Premises) -> None:
    """As Twilio words it: two proxies, a Contact nobody can reach, headers of its own."""
    instance, twilio = office.house.asterisk.instance, Twilio()
    config = CarrierConfig(failover_seconds=0.5)
    async with node(None) as silent, StandInCarrier(config, [office.person(*TALK)], account=twilio.account) as carrier:
        twilio.origination(silent.url, f"sip:{instance.sip_address}:{instance.sip_port}")
        report = await carrier.call_in(CALLER_ID, caller=NUMBER)
    assert len(silent.invites) >= 1
    assert (report.outcome, report.ended_by, report.problems) == ("answered", "person", ())
    call = await the_call(office)
    assert (call["number"], call["callerId"], call["disposition"]) == (NUMBER, CALLER_ID, "answered")
    (kept,) = twilio.get(f"{twilio.old}/Calls")["calls"]
    assert (kept["direction"], kept["status"]) == ("trunking-originating", "completed")


async def test_a_withheld_number_is_anonymous(office: Premises) -> None:
    await call_in(office, office.person(*TALK), caller="anonymous")
    assert (await the_call(office))["number"] == "anonymous"


async def test_a_blocked_caller_hears_a_refusal(office: Premises) -> None:
    (attempt,) = await call_in(office, office.person(*TALK), caller=BLOCKED)
    assert attempt.report is not None
    assert attempt.report.problems == ("The call was refused: 403 Forbidden.",)
    assert (await the_call(office))["disposition"] == "rejected"


async def test_one_more_than_allowed_hears_the_busy_tone(office: Premises) -> None:
    people = [office.person(*TALK, hertz=hertz, name=f"{hertz}") for hertz in (400.0, 500.0)]
    attempts = await call_in(office, *people)
    reports = [attempt.report for attempt in attempts if attempt.report is not None]
    assert sorted(report.outcome for report in reports) == ["answered", "busy"]
    dispositions = {(await office.ended(call_id))["disposition"] for call_id in office.updates}
    assert dispositions == {"answered", "busy"}


async def test_what_is_no_number_leads_nowhere(office: Premises) -> None:
    (attempt,) = await call_in(office, office.person(*TALK), called="trunkline-call")
    assert attempt.report is not None
    assert attempt.report.problems == ("The call was refused: 404 Not Found.",)
    assert not office.updates
