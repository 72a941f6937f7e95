"""Calls of the whole product through a real Asterisk that end before anybody speaks, each for its own reason.

Whatever the reason: disposition, SIP code and a helpful sentence are in the store, in the API and in the log, and
nothing of the call is left on either side.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
import pytest_asyncio

from tests.doubles import FakeSpeechToText
from tests.real.premises import AGENT, NUMBER, OTHER_CALLER_ID, TIMEOUT, Premises, left_as_found, open_premises
from tests.real.sip_peer import Answer, SipPeer
from trunkline.models import CallState
from trunkline.rehearsal.carrier import StandInCarrier
from trunkline.rehearsal.termination import Cause
from trunkline.settings import DiallingSettings

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Premises]:
    async with open_premises(tmp_path_factory.mktemp("house")) as premises:
        yield premises


@pytest_asyncio.fixture(loop_scope="module")
async def office(house: Premises, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Premises]:
    caplog.set_level(logging.INFO, "trunkline")
    async with left_as_found(house) as office:
        yield office


@dataclass(frozen=True)
class Row:
    name: str
    disposition: str
    code: int | None
    words: str
    """Of the sentence that is to help."""
    cause: Cause | None = None
    by: str = "carrier"
    config: dict[str, Any] = field(default_factory=dict)
    phone: dict[str, Any] = field(default_factory=dict)


ROWS = [
    Row("wrong password", "rejected", 403, "trunk.password", Cause.BAD_CREDENTIALS, config={"password": "another"}),
    Row(
        "source not in the ACL",
        "rejected",
        403,
        "IP access control list",
        Cause.NOT_IN_ACL,
        config={"acl": ["203.0.113.0/24"]},
    ),
    Row(
        "caller ID not allowed",
        "rejected",
        403,
        "trunk.caller_ids",
        Cause.CALLER_ID_NOT_ALLOWED,
        config={"caller_ids": [OTHER_CALLER_ID]},
    ),
    Row(
        "number not verified",
        "rejected",
        400,
        "Verify this one",
        Cause.UNVERIFIED_CALLEE,
        config={"verified_callees": [OTHER_CALLER_ID]},
    ),
    Row("destination blocked", "rejected", 403, "blocked", Cause.BLOCKED, config={"blocked_numbers": [NUMBER]}),
    Row("account suspended", "rejected", 603, "no funds", Cause.SUSPENDED, config={"suspended": True}),
    Row("busy", "busy", 486, "Try again later", phone={"then": "busy", "rings_ms": 50}),
    Row("declined", "rejected", 603, "declined", phone={"then": "declined", "rings_ms": 50}),
]


def check(call: dict[str, Any], row: Row, log: str) -> None:
    """The API and the log tell the same, and it helps."""
    assert (call["state"], call["disposition"], call["sipCode"]) == ("ended", row.disposition, row.code)
    assert call["hungUpBy"] == row.by
    assert row.words in call["reason"]
    assert call["endedAt"] is not None
    assert call["answeredAt"] is None
    assert call["recording"] is None
    code = "" if row.code is None else f" ({row.code}"
    line = next(line for line in log.splitlines() if f"Call {call['id']} ended" in line)
    assert f"ended: {row.disposition}{code}" in line
    assert call["reason"] in line
    assert "WARNING" in line


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
async def test_a_call_that_the_far_end_refuses(office: Premises, row: Row, caplog: pytest.LogCaptureFixture) -> None:
    async with office.carrier(office.person(phone=row.phone), **row.config) as carrier:
        call = await office.ended(await office.call())
        assert carrier.refused == ([(NUMBER, row.cause)] if row.cause else [])
        assert carrier.live_calls == 0
    check(call, row, caplog.text)
    assert [event["data"]["sipCode"] for event in call["events"]] == [row.code]


async def test_a_number_the_carrier_does_not_accept(office: Premises, caplog: pytest.LogCaptureFixture) -> None:
    # Not the stand-in carrier: it takes every number that our own check lets through.
    peer = SipPeer([Answer(400, "Invalid Phone Number")])
    await asyncio.get_running_loop().create_datagram_endpoint(lambda: peer, local_addr=office.trunk)
    call = await office.ended(await office.call())
    peer.close()
    check(call, Row("", "rejected", 400, "E.164"), caplog.text)
    assert call["sipReason"] == "Invalid Phone Number"


async def test_a_number_that_is_none_is_never_dialled(office: Premises) -> None:
    async with office.carrier(office.person()) as carrier:
        answer = await office.http.post("/call", json={"phoneNumber": "+1415555012", "context": "brief"})
        assert answer.status_code == 422
        assert answer.json()["error"]["code"] == "invalid_number"
        assert not carrier.agent.trace
    assert not office.updates


async def test_whoever_asks_not_to_be_called_again_is_not(office: Premises) -> None:
    assert isinstance(office.ears, FakeSpeechToText)
    office.ears.texts.append("No. Please stop calling me.")
    async with office.carrier(
        office.person({"wait_for_agent": {"silence_ms": 200}}, {"wav": "hm.wav", "text": "stop"})
    ) as carrier:
        call = await office.ended(await office.call())
        assert (call["hungUpBy"], call["turns"][-1]["text"]) == ("agent", DiallingSettings().stop_reply)
        assert "do-not-call" in [event["kind"] for event in call["events"]]
        before = len(carrier.agent.trace)
        refused = await office.http.post("/call", json={"phoneNumber": NUMBER, "context": AGENT})
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "do_not_call")
        assert len(carrier.agent.trace) == before
    assert (await office.http.delete(f"/do-not-call/{NUMBER}")).status_code == 204


async def test_nobody_has_this_number(office: Premises, caplog: pytest.LogCaptureFixture) -> None:
    async with office.carrier(office.person(numbers=["+14155550124"])) as carrier:
        call = await office.ended(await office.call())
        assert carrier.refused == [(NUMBER, Cause.NOBODY)]
    check(call, Row("", "rejected", 404, "does not know this number"), caplog.text)


async def test_more_calls_in_a_second_than_the_trunk_allows(office: Premises, caplog: pytest.LogCaptureFixture) -> None:
    async with office.carrier(office.person({"pause_ms": 100}, "hang_up"), calls_per_second=1) as carrier:
        both = await asyncio.gather(office.call(), office.call())
        ends = {call["disposition"]: call for call in [await office.ended(call_id) for call_id in both]}
        assert carrier.refused == [(NUMBER, Cause.TOO_FAST)]
    assert set(ends) == {"answered", "rejected"}
    check(ends["rejected"], Row("", "rejected", 503, "calls per second"), caplog.text)
    assert ends["answered"]["hungUpBy"] == "person"


async def test_early_media_and_then_an_answer(office: Premises) -> None:
    person = office.person({"pause_ms": 1500}, "hang_up", phone={"rings_ms": 300, "early_media": True})
    async with office.carrier(person) as carrier:
        call_id = await office.call()
        await office.until(lambda: office.reached(call_id, CallState.EARLY_MEDIA))
        assert not office.reached(call_id, CallState.ANSWERED)
        assert (await office.get(call_id))["state"] in {"ringing", "early-media"}
        call = await office.ended(call_id)
        report = await carrier.next_report(TIMEOUT)
    assert (call["disposition"], call["sipCode"], call["hungUpBy"]) == ("answered", 200, "person")
    assert call["createdAt"] <= call["dialledAt"] <= call["ringingAt"] < call["answeredAt"] < call["endedAt"]
    # What was said before the answer was said to nobody: the greeting begins behind it, whole.
    assert call["turns"][0]["text"] == "Hi. Yes?"
    assert report.greeting_ms is not None and report.greeting_ms > 0


@pytest.mark.parametrize("order", ["DELETE", "POST /hangup"])
async def test_cancelled_while_it_rings(office: Premises, order: str, caplog: pytest.LogCaptureFixture) -> None:
    async with office.carrier(office.person(phone={"then": "no-answer"})) as carrier:
        call_id = await office.call()
        await office.until(lambda: office.reached(call_id, CallState.RINGING))
        if order == "DELETE":
            await office.delete(call_id)
        else:
            assert (await office.http.post("/hangup", json={"sessionId": call_id})).status_code == 202
        call = await office.ended(call_id)
        report = await carrier.next_report(TIMEOUT)
        again = await office.http.delete(f"/calls/{call_id}")
    check(call, Row("", "cancelled", None, "Cancelled before it was answered.", by="operator"), caplog.text)
    assert (report.outcome, report.ended_by) == ("no-answer", "caller")
    assert any(line.line.startswith("CANCEL") for line in report.sip)
    assert (again.status_code, again.json()["error"]["code"]) == (409, "call_ended")


class LongWay(asyncio.DatagramProtocol):
    """A road of 0.1 s each way to where the carrier really is."""

    def __init__(self, carrier: StandInCarrier) -> None:
        self._carrier = (carrier.host, carrier.port)
        self._caller = ("", 0)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if addr != self._carrier:
            self._caller = addr
        to = self._caller if addr == self._carrier else self._carrier
        asyncio.get_running_loop().call_later(0.1, self._transport.sendto, data, to)


def count(carrier: StandInCarrier, beginning: str) -> int:
    return sum(line.line.startswith(beginning) for line in carrier.agent.trace)


async def test_cancelled_while_the_trunk_asks_for_the_password(office: Premises) -> None:
    """No phone may ring on for a call that was taken back before the trunk's 407 came."""
    person = office.person(phone={"then": "no-answer"})
    async with office.carrier(person, listen_host="127.0.0.1", listen_port=0) as carrier:
        road, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: LongWay(carrier), local_addr=office.trunk
        )
        call_id = await office.call()
        await office.delete(call_id)
        call = await office.ended(call_id)
        report = await carrier.next_report(TIMEOUT)
        refusals = ("SIP/2.0 407", "SIP/2.0 487")
        await office.until(lambda: count(carrier, "ACK") == sum(count(carrier, refusal) for refusal in refusals))
        road.close()
    assert (call["disposition"], call["hungUpBy"]) == ("cancelled", "operator")
    assert (report.outcome, report.ended_by) == ("no-answer", "caller")


# ── a house that loses patience after a second ─────────────────────────────────────────────────────────────────────


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def impatient_house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Premises]:
    async with open_premises(tmp_path_factory.mktemp("impatient"), ring_timeout=1.0) as premises:
        yield premises


@pytest_asyncio.fixture(loop_scope="module")
async def impatient(impatient_house: Premises, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Premises]:
    caplog.set_level(logging.INFO, "trunkline")
    async with left_as_found(impatient_house) as office:
        yield office


async def test_nobody_answers(impatient: Premises, caplog: pytest.LogCaptureFixture) -> None:
    async with impatient.carrier(impatient.person(phone={"then": "no-answer"})) as carrier:
        call = await impatient.ended(await impatient.call())
        report = await carrier.next_report(TIMEOUT)
    check(call, Row("", "no-answer", None, "Nobody answered within 1 seconds."), caplog.text)
    assert any(line.line.startswith("CANCEL") for line in report.sip)


async def take_back(office: Premises) -> None:
    """Asterisk repeats an unanswered INVITE for 32 s (RFC 3261 §17.1.1.2), and keeps two sockets for it so long, though
    the call is over. It can take it back (CANCEL) as soon as anybody says anything: here a trunk without a password.
    """
    async with office.carrier(office.person(phone={"then": "no-answer"}), username=None) as carrier:
        await office.until(lambda: any(line.line.startswith("CANCEL") for line in carrier.agent.trace))
        await office.until(carrier.agent.quiet)


async def test_a_wrong_host_is_answered_by_nobody(impatient: Premises, caplog: pytest.LogCaptureFixture) -> None:
    async with impatient.carrier(impatient.person(), host="another.pstn.example.com") as carrier:
        call = await impatient.ended(await impatient.call())
        assert {line.direction for line in carrier.agent.trace} == {"in"}
    await take_back(impatient)
    check(call, Row("", "failed", None, "check that trunk.host"), caplog.text)


async def test_cancelled_before_the_trunk_gives_a_sign(impatient: Premises, caplog: pytest.LogCaptureFixture) -> None:
    async with impatient.carrier(impatient.person(), host="another.pstn.example.com") as carrier:
        call_id = await impatient.call()
        await impatient.until(lambda: any(line.line.startswith("INVITE") for line in carrier.agent.trace))
        await impatient.delete(call_id)
        call = await impatient.ended(call_id)
    await take_back(impatient)
    check(call, Row("", "cancelled", None, "Cancelled before it was answered.", by="operator"), caplog.text)
