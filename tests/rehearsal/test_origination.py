"""Calls to a trunk's numbers: which node gets them, in which words, and who is next when one doesn't answer."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.rehearsal.sip_caller import CALLER_ID
from tests.rehearsal.sip_node import node
from tests.rehearsal.test_dialling import CALLED, CALLER, Beeps
from tests.rehearsal.twilio_office import DOMAIN, Office
from trunkline.errors import NotReady
from trunkline.rehearsal.carrier import StandInCarrier
from trunkline.rehearsal.config import CarrierConfig
from trunkline.rehearsal.origination import in_order
from trunkline.rehearsal.trunk_rules import OriginationUrl

SILENCE = 0.3
SOMEBODY = "+14155550177"


def twilio(office: Office) -> StandInCarrier:
    return StandInCarrier(CarrierConfig(failover_seconds=SILENCE), [CALLER], account=office.account, studio=Beeps())


@asynccontextmanager
async def switch(transport: str = "udp", **config: Any) -> AsyncGenerator[tuple[StandInCarrier, str], None]:
    """A phone system that answers, and its origination URL."""
    content = {"host": "127.0.0.1", "calls_per_second": None, "username": None} | config
    async with StandInCarrier(CarrierConfig.model_validate(content), [CALLED], studio=Beeps()) as carrier:
        parameter = "" if transport == "udp" else f";transport={transport}"
        yield carrier, f"sip:127.0.0.1:{carrier.port_of(transport)}{parameter}"  # type: ignore[arg-type]


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
async def test_a_person_calls_a_number_and_both_sides_are_heard(transport: str) -> None:
    office = Office()
    async with switch(transport, secure=transport == "tls") as (system, url), twilio(office) as carrier:
        office.origination(url)
        async with asyncio.timeout(20):
            report = await carrier.call_in(CALLER_ID, caller=SOMEBODY)
            theirs = await system.next_report(5)
    assert (report.outcome, report.ended_by, report.problems) == ("answered", "caller", ())
    assert report.agent_heard and report.person_heard and theirs.agent_heard
    assert (theirs.number, theirs.caller_id) == (CALLER_ID, SOMEBODY)
    (call,) = office.get(f"{office.old}/Calls")["calls"]
    assert (call["direction"], call["status"], call["to"], call["from"]) == (
        "trunking-originating",
        "completed",
        CALLER_ID,
        SOMEBODY,
    )
    assert call["trunk_sid"] == office.trunk.rpartition("/")[2]


async def test_the_invite_has_twilios_shape() -> None:
    office = Office()
    async with node(486) as asterisk, twilio(office) as carrier:
        office.origination(asterisk.url)
        report = await carrier.call_in(CALLER_ID, caller=SOMEBODY)
    (invite,) = asterisk.invites
    assert str(invite.uri) == f"sip:{CALLER_ID}@{asterisk.url.removeprefix('sip:')}"
    assert (invite.from_address.uri.user, invite.from_address.uri.host) == (SOMEBODY, DOMAIN)
    assert len(invite.via) == len(invite.headers.getlist("Record-Route")) == 2
    assert [via.host.split(".")[0] for via in invite.via] == ["127", "172"]
    assert invite.contact[0].uri.host.startswith("172.")
    assert CALLER_ID in invite.headers["Diversion"]
    assert invite.headers["X-Twilio-AccountSid"] == office.account.sid
    (call,) = office.get(f"{office.old}/Calls")["calls"]
    assert invite.headers["X-Twilio-CallSid"] == call["sid"]
    assert invite.headers.get("Authorization") is None
    assert (report.outcome, call["status"]) == ("busy", "busy")


@pytest.mark.parametrize("code", [None, 403, 480, 500, 503])
async def test_the_next_node_is_called_after_silence_or_an_error(code: int | None) -> None:
    office = Office()
    async with node(code) as first, switch() as (_, url), twilio(office) as carrier:
        office.origination(first.url, url)
        async with asyncio.timeout(20):
            report = await carrier.call_in(CALLER_ID)
    assert first.invites
    assert report.outcome == "answered"


@pytest.mark.parametrize("code", [400, 404, 405, 410, 416, 482, 484, 486, 600, 603])
async def test_some_answers_are_final(code: int) -> None:
    office = Office()
    async with node(code) as first, node(486) as second, twilio(office) as carrier:
        office.origination(first.url, second.url)
        await carrier.call_in(CALLER_ID)
    assert (len(first.invites), second.invites) == (1, [])


async def test_a_url_that_is_switched_off_gets_no_calls() -> None:
    office = Office()
    async with node(486) as first, node(486) as second, twilio(office) as carrier:
        office.origination(first.url, second.url)
        office.account.all("/OriginationUrls")[0]["enabled"] = False
        await carrier.call_in(CALLER_ID)
    assert (first.invites, len(second.invites)) == ([], 1)


async def test_a_node_that_takes_no_connection_is_passed_over() -> None:
    office = Office()
    async with node(486) as second, twilio(office) as carrier:
        office.origination("sip:127.0.0.1:9;transport=tcp", "nonsense", second.url)
        report = await carrier.call_in(CALLER_ID)
    assert (report.outcome, len(second.invites)) == ("busy", 1)


async def test_nobody_to_be_called_is_told() -> None:
    office = Office()
    async with twilio(office) as carrier:
        with pytest.raises(NotReady, match=f"No origination URL of {DOMAIN} is enabled"):
            await carrier.call_in(CALLER_ID)
        office.delete(office.number)
        with pytest.raises(NotReady, match="lead to no trunk"):
            await carrier.call_in(CALLER_ID)
    assert [call["status"] for call in office.get(f"{office.old}/Calls")["calls"]] == ["failed"]


async def test_a_number_attached_elsewhere_is_that_trunks() -> None:
    office = Office()
    async with node(486) as first, node(486) as second, twilio(office) as carrier:
        office.origination(first.url)
        office.delete(office.number)
        other = office.make("/v1/Trunks", FriendlyName="Second", DomainName="second.pstn.twilio.com")
        office.make(f"{other}/PhoneNumbers", PhoneNumberSid=office.number.rpartition("/")[2])
        form = {"FriendlyName": "n", "SipUrl": second.url, "Priority": "1", "Weight": "1", "Enabled": "true"}
        office.make(f"{other}/OriginationUrls", **form)
        await carrier.call_in(CALLER_ID)
    assert (first.invites, len(second.invites)) == ([], 1)
    assert second.invites[0].from_address.uri.host == "second.pstn.twilio.com"


def test_urls_go_by_priority_then_by_weight() -> None:
    last, often, seldom, never = (
        OriginationUrl("sip:last", 20, 100),
        OriginationUrl("sip:often", 10, 30),
        OriginationUrl("sip:seldom", 10, 10),
        OriginationUrl("sip:never", 10, 0),
    )
    chance = random.Random(7)
    orders = [in_order([last, never, often, seldom], chance) for _ in range(2000)]
    assert {(order[2], order[3]) for order in orders} == {(never, last)}
    firsts = Counter(order[0] for order in orders)
    assert firsts[often] / len(orders) == pytest.approx(0.75, abs=0.05)
