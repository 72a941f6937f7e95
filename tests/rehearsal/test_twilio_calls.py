"""A call that the SIP side refuses can be read by REST: what it was, and why it failed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest

from tests.rehearsal.sip_caller import CALLER_ID, NUMBER, SipCaller, Wording
from tests.rehearsal.test_dialling import Beeps, scenario
from tests.rehearsal.twilio_office import DOMAIN, PASSWORD, USER, Office
from trunkline.rehearsal.carrier import StandInCarrier
from trunkline.rehearsal.config import CarrierConfig
from trunkline.rehearsal.termination import ANSWERS, Cause
from trunkline.rehearsal.twilio_calls import TwilioCalls
from trunkline.rehearsal.twilio_trunks import TwilioTrunks


def wording() -> Wording:
    return Wording(uri=f"sip:{NUMBER}@{DOMAIN}", caller=f"<sip:{CALLER_ID}@{DOMAIN}>")


def refuse(office: Office, *causes: Cause) -> None:
    rules = TwilioTrunks(office.account).trunk(DOMAIN)
    assert rules is not None
    for cause in causes:
        TwilioCalls(office.account).refused(rules, NUMBER, CALLER_ID, ANSWERS[cause])


async def test_a_refused_invite_leaves_its_call_and_its_alert() -> None:
    office = Office()
    people = [scenario("somebody", phone={"rings_ms": 0})]
    async with StandInCarrier(CarrierConfig(), people, account=office.account, studio=Beeps()) as carrier:
        office.post(office.address, IpAddress="203.0.113.7")
        async with SipCaller((carrier.host, carrier.port), wording()) as caller:
            caller.invite()
            assert (await caller.response()).code == 403
        office.post(office.address, IpAddress="127.0.0.1")
        async with SipCaller((carrier.host, carrier.port), wording()) as caller:
            await caller.invite_with_password(USER, PASSWORD)
            caller.ack(await caller.response(skip=(100, 180)))
            caller.bye()
            assert (await carrier.next_report(5)).outcome == "answered"
    second, first = office.get(f"{office.old}/Calls")["calls"]
    trunk = office.trunk.rpartition("/")[2]
    assert [(call["status"], call["trunk_sid"]) for call in (first, second)] == [
        ("failed", trunk),
        ("completed", trunk),
    ]
    (alert,) = office.get("/v1/Alerts")["alerts"]
    assert (alert["error_code"], alert["resource_sid"], alert["log_level"]) == ("32201", first["sid"], "error")
    asked = parse_qs(office.get(f"/v1/Alerts/{alert['sid']}")["request_variables"])
    assert (asked["To"], asked["From"], asked["SipResponseCode"]) == ([NUMBER], [CALLER_ID], ["403"])


@pytest.mark.parametrize("cause", [cause for cause in Cause if cause not in (Cause.EDGE_ADDRESS, Cause.SIP_DOMAIN)])
def test_every_refusal_with_a_number_of_twilios_is_an_alert(cause: Cause) -> None:
    office, number = Office(), ANSWERS[cause].twilio_error.split(" ")[0]
    refuse(office, cause)
    assert [alert["error_code"] for alert in office.get("/v1/Alerts")["alerts"]] == ([number] if number else [])
    assert [call["to"] for call in office.get(f"{office.old}/Calls")["calls"]] == [NUMBER]


HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ["32201", "32001"]),
        ({"LogLevel": "error"}, ["32201"]),
        ({"LogLevel": "warning"}, ["32001"]),
        ({"StartDate": -HOUR}, ["32201", "32001"]),
        ({"StartDate": HOUR}, []),
        ({"EndDate": HOUR}, ["32201", "32001"]),
        ({"EndDate": -HOUR}, []),
    ],
)
def test_alerts_are_filtered(query: dict[str, Any], found: list[str]) -> None:
    office, now = Office(), datetime.now(UTC)
    refuse(office, Cause.TOO_FAST, Cause.NOT_IN_ACL)
    asked = {
        name: f"{now + value:%Y-%m-%dT%H:%M:%SZ}" if isinstance(value, timedelta) else value
        for name, value in query.items()
    }
    assert [alert["error_code"] for alert in office.get("/v1/Alerts", **asked)["alerts"]] == found


def test_a_date_alone_is_its_whole_day() -> None:
    office = Office()
    refuse(office, Cause.NOT_IN_ACL)
    day = office.get("/v1/Alerts")["alerts"][0]["date_generated"][:10]
    assert len(office.get("/v1/Alerts", StartDate=day, EndDate=day)["alerts"]) == 1


def test_alerts_come_in_pages_newest_first() -> None:
    office = Office()
    refuse(office, *[Cause.NOT_IN_ACL] * 2, *[Cause.COUNTRY] * 3)
    page = office.get("/v1/Alerts", PageSize="2", LogLevel="error")
    assert [alert["error_code"] for alert in page["alerts"]] == ["32205", "32205"]
    following = page["meta"]["next_page_url"]
    assert following == "https://monitor.twilio.com/v1/Alerts?LogLevel=error&PageSize=2&Page=1"
    last = office.get("/v1/Alerts", PageSize="2", Page="2")
    assert ([alert["error_code"] for alert in last["alerts"]], last["meta"]["next_page_url"]) == (["32201"], None)


def test_calls_are_filtered_and_paged_in_the_old_style() -> None:
    office = Office()
    refuse(office, *[Cause.COUNTRY] * 3)
    page = office.get(f"{office.old}/Calls.json", To=NUMBER, PageSize="2")
    assert (len(page["calls"]), page["start"], page["end"]) == (2, 0, 1)
    assert page["next_page_uri"].endswith("/Calls.json?To=%2B14155550123&PageSize=2&Page=1")
    assert office.get(f"{office.old}/Calls", To=CALLER_ID)["calls"] == []
    assert office.get(f"{office.old}/Calls", Status="completed")["calls"] == []
