"""The doctor's own SIP against the stand-in carrier: what is broken is named, and nobody's telephone ever rings."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from trunkline.doctor import probe
from trunkline.doctor.check import State, Verdict, well
from trunkline.doctor.probe import NOBODY, Reply, find_way, invite, next_hop
from trunkline.doctor.trunk import (
    NOT_CONFIRMED,
    PROVES_NOTHING,
    Dns,
    judge_credentials,
    judge_invite,
    sip_checks,
)
from trunkline.errors import NotReady
from trunkline.rehearsal.carrier import StandInCarrier
from trunkline.rehearsal.config import CarrierConfig
from trunkline.rehearsal.scenario import Scenario
from trunkline.settings import TrunkSettings
from trunkline.sip.message import Transport

SOMEBODY = Scenario.model_validate({"name": "somebody", "phone": {"rings_ms": 0}})


@asynccontextmanager
async def carrier_and_trunk(
    carrier: dict[str, Any] | None = None, **trunk: Any
) -> AsyncIterator[tuple[StandInCarrier, TrunkSettings]]:
    """A carrier, and the settings that fit it but for what is broken."""
    async with StandInCarrier(CarrierConfig.model_validate(carrier or {}), [SOMEBODY]) as running:
        yield running, TrunkSettings.model_validate(running.trunk_settings() | trunk)
        assert not running.live_calls and not running.reports


async def ask(name: str, trunk: TrunkSettings, authorities: Path | None = None) -> Verdict:
    (check,) = (check for check in sip_checks(trunk, authorities=authorities) if check.name == name)
    return await check.run()


def told(verdict: Verdict) -> tuple[State, str]:
    return verdict.state, f"{verdict.text} {verdict.remedy}"


async def test_a_trunk_as_it_should_be() -> None:
    async with carrier_and_trunk() as (carrier, trunk):
        assert "127.0.0.1" in (await Dns(trunk).run()).text
        for name, words in (("INVITE", "407"), ("password", "user name and password are right")):
            state, text = told(await ask(name, trunk))
            assert state is State.WELL and words in text
        options = await ask("OPTIONS", trunk)
        assert options.state is State.WELL and options.text.startswith("200 ")
        assert options.remarks == (PROVES_NOTHING,)
        # Every final answer to an INVITE was acknowledged, and no INVITE named a number.
        lines = [line.line for line in carrier.agent.trace if line.direction == "in"]
        assert [line.split("@")[0] for line in lines if line.startswith("INVITE")] == [f"INVITE sip:{NOBODY}"] * 3
        assert sum(line.startswith("ACK") for line in lines) == 3


@pytest.mark.parametrize("transport", ["tcp", "tls"])
async def test_other_transports(transport: Transport, tmp_path: Path) -> None:
    async with StandInCarrier(CarrierConfig(secure=transport == "tls"), [SOMEBODY]) as carrier:
        trunk = TrunkSettings.model_validate(carrier.trunk_settings(transport))
        authority = tmp_path / "authority.pem"
        authority.write_text(carrier.authority)
        for name, words in (("OPTIONS", "200"), ("INVITE", "407"), ("password", "are right")):
            state, text = told(await ask(name, trunk, authority))
            assert state is State.WELL and words in text, (name, text)
        if transport == "tls":
            with pytest.raises(NotReady):
                await ask("OPTIONS", trunk)


@pytest.mark.parametrize(
    ("carrier", "trunk", "words"),
    [
        ({"acl": ["203.0.113.0/24"]}, {}, "IP access control list"),
        ({}, {"host": "somebody.sip.twilio.com"}, "not a SIP domain"),
        ({}, {"host": "127.0.0.1"}, "termination host, not an address"),
        ({"suspended": True}, {}, "The account is suspended"),
        ({}, {"username": None, "password": None}, "asks for a password"),
    ],
)
async def test_what_the_first_invite_reveals(carrier: dict[str, Any], trunk: dict[str, Any], words: str) -> None:
    async with carrier_and_trunk(carrier, **trunk) as (_, settings):
        state, text = told(await ask("INVITE", settings))
        assert (state, words in text) == (State.WRONG, True), text
        assert (await ask("password", settings)).state is State.SKIPPED


async def test_an_unknown_host_is_not_answered_and_options_says_nothing_of_it() -> None:
    async with carrier_and_trunk(host="other.pstn.example.com") as (_, trunk):
        assert (await ask("OPTIONS", trunk)).state is State.WELL
        reply = await invite(trunk, await find_way(trunk), patience=0.2)
        assert reply is None
        state, text = told(judge_invite(reply, trunk))
    assert state is State.WRONG and "other.pstn.example.com" in text and "to the letter" in text


async def test_a_wrong_password() -> None:
    async with carrier_and_trunk(password="wrong") as (_, trunk):
        assert (await ask("INVITE", trunk)).state is State.WELL
        state, text = told(await ask("password", trunk))
    assert state is State.WRONG and "refused user name or password" in text
    assert "wrong" not in text


async def test_an_address_list_alone() -> None:
    async with carrier_and_trunk({"username": None}, username="trunk", password="x") as (_, trunk):
        verdict = await ask("INVITE", trunk)
        assert verdict.state is State.WELL and "without a password" in verdict.text
        assert "nobody asked for it" in verdict.remarks[0]
        assert (await ask("password", trunk)).state is State.SKIPPED


@pytest.mark.parametrize(
    ("phone", "code", "ended_with"),
    [({"rings_ms": 5000}, 180, "CANCEL"), ({"rings_ms": 0, "ringing": False}, 200, "BYE")],
)
async def test_a_carrier_that_connects_whatever_is_called(
    phone: dict[str, Any], code: int, ended_with: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "NOBODY", "+14155550123")
    person = Scenario.model_validate({"name": "somebody", "phone": phone})
    async with StandInCarrier(CarrierConfig(username=None), [person]) as carrier:
        trunk = TrunkSettings.model_validate(carrier.trunk_settings())
        reply = await invite(trunk, await find_way(trunk))
        assert reply is not None and reply.code == code
        async with asyncio.timeout(5):  # the last datagrams are on their way
            while not {"INVITE", ended_with, "ACK"} <= {line.line.split()[0] for line in carrier.agent.trace}:
                await asyncio.sleep(0)
        assert (await carrier.next_report(5)).ended_by == "caller"
        assert not carrier.live_calls
    assert judge_invite(reply, trunk).state is State.WELL


async def test_nobody_there_at_all() -> None:
    async with carrier_and_trunk() as (carrier, trunk):
        way = await find_way(trunk)
    assert carrier.live_calls == 0
    assert await invite(trunk, way, patience=0.2) is None


async def test_a_name_without_an_address() -> None:
    trunk = TrunkSettings(host="nobody.invalid")
    for check in sip_checks(trunk):
        assert (await check.run()).state is State.SKIPPED


def test_where_requests_go() -> None:
    assert next_hop(TrunkSettings(host="a.example.com")) == ("a.example.com", 5060)
    assert next_hop(TrunkSettings(host="a.example.com:5070", port=5061)) == ("a.example.com", 5070)
    assert next_hop(TrunkSettings(host="a.example.com", proxy="192.0.2.1", port=5061)) == ("192.0.2.1", 5061)
    assert next_hop(TrunkSettings(host="[2001:db8::1]")) == ("2001:db8::1", 5060)


async def test_without_a_trunk_there_is_nothing_to_ask() -> None:
    trunk = TrunkSettings()
    for check in (Dns(trunk), *sip_checks(trunk)):
        assert (await check.run()).state is State.SKIPPED


def test_the_address_the_carrier_saw_is_named() -> None:
    verdict = judge_invite(Reply(403, "Forbidden", seen_from="198.51.100.7"), TrunkSettings(host="a.pstn.twilio.com"))
    assert "198.51.100.7" in verdict.text


def test_answers_behind_the_password() -> None:
    assert judge_credentials(Reply(400, "Invalid Phone Number", 32101)).state is State.WELL
    assert "suspended" in judge_credentials(Reply(603, "Decline", 10001)).text
    assert "799" in judge_credentials(Reply(799, "Odd")).text


def test_what_being_asked_for_a_password_proves() -> None:
    trunk, asked = TrunkSettings(host="a.pstn.twilio.com", username="u", password=SecretStr("p")), Reply(407)
    assert judge_invite(asked, trunk, True) == well("407: termination host and address list are right")
    assert judge_invite(asked, trunk, None).remarks == (NOT_CONFIRMED,)
    assert "some other trunk" in judge_invite(asked, trunk, False).text
