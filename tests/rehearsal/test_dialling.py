"""People who call, against the stand-in carrier as the phone system that is called."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.rehearsal.sip_caller import NUMBER
from trunkline.errors import NotReady, SettingsError
from trunkline.rehearsal.attempt import Attempt
from trunkline.rehearsal.carrier import StandInCarrier
from trunkline.rehearsal.clip import Clip
from trunkline.rehearsal.config import CarrierConfig
from trunkline.rehearsal.dialling import Destination, destination, dial_all
from trunkline.rehearsal.report import CallReport
from trunkline.rehearsal.scenario import Scenario
from trunkline.rehearsal.studio import Studio, tone
from trunkline.rehearsal.talk import Person
from trunkline.sip.message import Transport

WORD = Clip("[word]", tone((500.0,), 0.3))
WAIT = {"wait_for_agent": {"silence_ms": 250, "timeout_ms": 5000}}
PASSWORD = CarrierConfig().password.get_secret_value()


class Beeps(Studio):
    """Says everything as a tone."""

    async def _speak(self, text: str) -> Clip:
        return replace(WORD, text=text)


def scenario(name: str, *steps: Any, **more: Any) -> Scenario:
    return Scenario.model_validate({"name": name, "steps": list(steps), "stays_ms": 5000} | more)


CALLED = scenario(
    "called", {"pause_ms": 100}, {"say": "Yes?"}, WAIT, {"say": "Goodbye."}, "hang_up", phone={"rings_ms": 0}
)
CALLER = scenario("caller", WAIT, {"say": "Hello."}, WAIT)


@asynccontextmanager
async def switch(
    called: Scenario, transport: Transport = "udp", **config: Any
) -> AsyncGenerator[tuple[StandInCarrier, Destination], None]:
    """A phone system, and how to call it with the right password."""
    content = {"host": "127.0.0.1", "calls_per_second": None} | config
    async with StandInCarrier(CarrierConfig.model_validate(content), [called], studio=Beeps()) as carrier:
        address = f"sip:{NUMBER}@127.0.0.1:{carrier.port_of(transport)};transport={transport}"
        yield carrier, destination(address, "trunk", PASSWORD, "+14155550100")


async def dial(to: Destination, *people: Scenario, **more: Any) -> list[Attempt]:
    prepared = [Person(person, await Beeps().prepare(person)) for person in people]
    async with asyncio.timeout(20):
        return await dial_all(to, prepared, **more)


def of(attempt: Attempt) -> CallReport:
    assert attempt.report is not None
    return attempt.report


async def test_a_person_calls_over_tcp() -> None:
    async with switch(CALLED, "tcp") as (carrier, to):
        (attempt,) = await dial(to, CALLER)
        theirs = await carrier.next_report(5)
    assert (of(attempt).problems, theirs.problems) == ((), ())
    assert len(of(attempt).turns) == len(theirs.turns) - 1 == 1
    assert carrier.agent.lost_acks == 0


async def test_a_person_calls_over_tls_and_what_is_heard_travels_as_srtp(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with switch(CALLED, "tls", secure=True) as (carrier, to):
        authority = tmp_path / "authority.pem"
        authority.write_text(carrier.authority)
        monkeypatch.setenv("SSL_CERT_FILE", str(authority))
        (attempt,) = await dial(to, CALLER)
        theirs = await carrier.next_report(5)
    assert (of(attempt).problems, theirs.problems) == ((), ())
    assert len(of(attempt).turns) == len(theirs.turns) - 1 == 1
    assert (theirs.received.lost, theirs.stray_datagrams, of(attempt).stray_datagrams) == (0, 0, 0)


async def test_a_carrier_whose_authority_is_unknown_is_not_called() -> None:
    async with switch(CALLED, "tls", secure=True) as (_, to):
        (attempt,) = await dial(to, CALLER)
    assert attempt.report is None
    assert "is not accepted" in str(attempt.error)


async def test_a_person_calls_and_both_sides_are_heard_and_timed(tmp_path: Path) -> None:
    async with switch(CALLED) as (carrier, to):
        (attempt,) = await dial(to, CALLER, out_dir=tmp_path)
        theirs = await carrier.next_report(5)
    ours = of(attempt)
    assert (ours.outcome, ours.ended_by, ours.problems) == ("answered", "caller", ())
    assert len(ours.agent_speech) == len(theirs.turns) == 2
    assert (len(ours.turns), ours.turns[0].text) == (1, "Hello.")
    assert ours.gaps_ms[0] == pytest.approx(250, abs=120)  # the other side waits 250 ms
    assert ours.greeting_ms is not None and ours.greeting_ms >= 90
    assert [line.line.split()[0] for line in ours.sip if line.direction == "out"][:3] == ["INVITE", "ACK", "INVITE"]
    assert (tmp_path / str(ours.recording)).exists()
    assert theirs.ended_by == "person"


async def test_who_hangs_up_first_is_told() -> None:
    patient = CALLED.model_copy(update={"steps": CALLED.steps[:2]})
    async with switch(patient) as (carrier, to):
        (attempt,) = await dial(to, scenario("brief", WAIT, "hang_up"))
        theirs = await carrier.next_report(5)
    assert (of(attempt).ended_by, theirs.ended_by) == ("person", "caller")


async def test_keys_are_pressed_into_the_call() -> None:
    async with switch(scenario("called", {"say": "Yes?"}, {"pause_ms": 600}, "hang_up", phone={"rings_ms": 0})) as (
        carrier,
        to,
    ):
        await dial(to, scenario("caller", {"keys": "12"}))
        assert (await carrier.next_report(5)).keys_heard == "12"


@pytest.mark.parametrize(
    ("phone", "outcome"), [({"then": "busy", "rings_ms": 0}, "busy"), ({"then": "declined", "rings_ms": 0}, "declined")]
)
async def test_a_refusal_is_the_outcome(phone: dict[str, Any], outcome: str) -> None:
    async with switch(CALLED.model_copy(update={"phone": scenario("x", phone=phone).phone})) as (_, to):
        (attempt,) = await dial(to, CALLER)
    report = of(attempt)
    assert (report.outcome, report.duration) == (outcome, None)
    assert report.problems[0].startswith("The call was refused: ")


async def test_a_wrong_password_is_tried_once() -> None:
    async with switch(CALLED) as (carrier, to):
        (attempt,) = await dial(replace(to, password="wrong"), CALLER)
        invites = [line.line for line in carrier.agent.trace if line.line.startswith("INVITE")]
    assert of(attempt).problems == ("The call was refused: 403 Forbidden.",)
    assert len(invites) == 2


async def test_without_a_password_the_challenge_is_the_end() -> None:
    async with switch(CALLED) as (_, to):
        (attempt,) = await dial(replace(to, password=None), CALLER)
    assert "407" in of(attempt).problems[0]


async def test_several_call_at_the_same_time() -> None:
    async with switch(CALLED) as (_, to):
        attempts = await dial(to, *(CALLER.model_copy(update={"name": f"caller {n}"}) for n in range(4)), parallel=4)
    assert [of(attempt).outcome for attempt in attempts] == ["answered"] * 4
    assert [of(attempt).person for attempt in attempts] == ["caller 0", "caller 1", "caller 2", "caller 3"]


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("sip:100@192.0.2.1:5070", Destination("100", "192.0.2.1", 5070)),
        ("+14155550123@pbx.example.com", Destination("+14155550123", "pbx.example.com")),
    ],
)
def test_addresses_are_read(address: str, expected: Destination) -> None:
    assert destination(address) == expected


@pytest.mark.parametrize("address", ["100", "sip:@host", "sip:1@host:0", "sip:1@host:99999", "sip:1@ho st", "tel:1"])
def test_bad_addresses_are_explained(address: str) -> None:
    with pytest.raises(SettingsError, match="is no SIP address"):
        destination(address)


async def test_a_host_without_address_is_told() -> None:
    with pytest.raises(NotReady, match=r"nowhere\.invalid has no address"):
        await dial(destination("sip:1@nowhere.invalid"), CALLER)
