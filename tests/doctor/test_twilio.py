"""What the doctor says of a Twilio account, as it finds it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest

from tests.carriers.twilio_stage import KEY, stage
from trunkline.carriers.twilio.facts import Alert, Country, Node, Summary, Trunk, open_facts
from trunkline.doctor.account import Account
from trunkline.doctor.check import State, Verdict, examine
from trunkline.doctor.twilio import account_checks, ports_here
from trunkline.doctor.twilio_verdicts import (
    judge_account,
    judge_addresses,
    judge_alerts,
    judge_caller_ids,
    judge_countries,
    judge_credentials,
    judge_numbers,
    judge_origination,
    judge_trunk,
)
from trunkline.errors import CarrierError
from trunkline.rehearsal.twilio_api import Fault
from trunkline.settings import AsteriskSettings, Settings

DOMAIN, ADDRESS, NUMBER = "acme.pstn.twilio.com", "203.0.113.7", "+14155550111"
SIP_PORT = 5060
SETTINGS = Settings.model_validate(
    {
        "asterisk": {"sip_port": SIP_PORT},
        "trunk": {"host": DOMAIN, "username": "trunkline", "password": "x"},
        "twilio": {"numbers": [NUMBER], "origination": {"first": {"sip_url": f"sip:{ADDRESS}"}}},
    }
)
TRUNK = Trunk(
    sid="TK1",
    name="Trunkline (trunkline)",
    domain=DOMAIN,
    secure=False,
    transfer="disable-all",
    recording="do-not-record",
    networks=(IPv4Network(f"{ADDRESS}/32"),),
    users=("trunkline",),
    nodes=(Node("first", f"sip:{ADDRESS}", 10, 10, True),),
    numbers=(NUMBER,),
)
ACCOUNT = Summary("Acme", "active", "Full", "19.32", "USD")
COUNTRY = Country("US", "United States", permitted=True, premium=False, toll_fraud=False)


def judge_everything(trunk: Trunk) -> list[Verdict]:
    return [
        judge_trunk(trunk, SETTINGS, DOMAIN),
        judge_addresses(trunk, SETTINGS, ADDRESS),
        judge_credentials(trunk, SETTINGS),
        judge_origination(trunk, SETTINGS, {"first": SIP_PORT}),
        judge_numbers(trunk, SETTINGS),
    ]


def test_a_trunk_as_it_should_be() -> None:
    for verdict in judge_everything(TRUNK):
        assert (verdict.state, verdict.remarks) == (State.WELL, ()), verdict


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ({"domain": "other.pstn.twilio.com"}, "termination domain is other.pstn.twilio.com"),
        ({"domain": None}, "termination domain is not set"),
        ({"secure": True}, "Secure media is on at Twilio"),
        ({"transfer": "enable-all"}, "Transfers are enable-all"),
        ({"recording": "record-from-answer"}, "recording is record-from-answer"),
        ({"networks": None}, "No IP access control list"),
        ({"networks": ()}, f"Calls from {ADDRESS} are refused"),
        ({"users": None}, "No credential list"),
        ({"users": ("somebody",)}, "The user trunkline"),
        ({"nodes": ()}, "origination URL first is missing"),
        ({"nodes": (Node("first", "sip:198.51.100.1", 10, 10, True),)}, "is sip:198.51.100.1 instead of"),
        ({"nodes": (Node("first", f"sip:{ADDRESS}", 10, 10, False),)}, "switched off"),
        ({"nodes": (Node("first", f"sip:{ADDRESS}", 10, 0, True),)}, "another priority or weight"),
        ({"numbers": ()}, f"{NUMBER} (twilio.numbers) is not attached"),
    ],
)
def test_one_thing_broken_is_named_by_one_check(broken: dict[str, Any], words: str) -> None:
    faults = [one for one in judge_everything(replace(TRUNK, **broken)) if one.state is State.WRONG]
    assert [words in fault.text for fault in faults] == [True], faults
    assert faults[0].remedy == "`trunkline trunk apply` sets it right."


def test_numbers_whose_calls_nobody_is_to_get() -> None:
    """What the settings don't name, `apply` can't set right."""
    nobody = SETTINGS.model_copy(update={"twilio": SETTINGS.twilio.model_copy(update={"origination": {}})})
    verdict = judge_origination(replace(TRUNK, nodes=()), nobody, {})
    assert verdict.state is State.WRONG and verdict.remarks == ()
    assert verdict.remedy.startswith("Name this machine in [twilio.origination.NAME]")


def test_several_things_broken_are_all_named() -> None:
    verdict = judge_trunk(replace(TRUNK, domain=None, transfer="sip-only"), SETTINGS, DOMAIN)
    assert "not set" in verdict.text and "sip-only" in verdict.remarks[0]


def test_a_trunk_made_by_hand_is_told_how_to_be_taken_over() -> None:
    verdict = judge_trunk(replace(TRUNK, name="By hand", transfer="sip-only"), SETTINGS, DOMAIN)
    assert "rename the trunk to 'Trunkline (trunkline)'" in verdict.remedy


def test_no_trunk() -> None:
    verdict = judge_trunk(None, SETTINGS, DOMAIN)
    assert verdict.state is State.WRONG and DOMAIN in verdict.text and "apply" in verdict.remedy


def test_addresses_by_what_is_known_of_them() -> None:
    assert judge_addresses(TRUNK, SETTINGS, "198.51.100.9").state is State.WRONG
    assert judge_addresses(TRUNK, SETTINGS, None).state is State.SKIPPED
    twilio = SETTINGS.twilio.model_copy(update={"addresses": (ADDRESS,)})
    written = SETTINGS.model_copy(update={"twilio": twilio})
    elsewhere = judge_addresses(TRUNK, written, "198.51.100.9")
    assert elsewhere.state is State.WELL and "198.51.100.9" in elsewhere.remarks[0]
    twilio = SETTINGS.twilio.model_copy(update={"addresses": ("203.0.113.0/29",)})
    assert judge_addresses(TRUNK, SETTINGS.model_copy(update={"twilio": twilio}), None).state is State.WRONG


@pytest.mark.parametrize(
    ("broken", "state", "words"),
    [
        ({}, State.WELL, "19.32 USD"),
        ({"status": "suspended"}, State.WRONG, "is suspended"),
        ({"balance": "-0.40"}, State.WRONG, "no funds"),
        ({"balance": "1.20"}, State.WELL, "add funds"),
        ({"kind": "Trial"}, State.WELL, "verified numbers only"),
        ({"balance": None}, State.WELL, "its balance isn't told"),
    ],
)
def test_the_account(broken: dict[str, Any], state: State, words: str) -> None:
    verdict = judge_account(replace(ACCOUNT, **broken))
    assert verdict.state is state and words in " ".join((verdict.text, *verdict.remarks))


@pytest.mark.parametrize(
    ("broken", "state", "words"),
    [
        ({}, State.WELL, "may be called"),
        ({"permitted": False}, State.WRONG, "may not call United States"),
        ({"toll_fraud": True}, State.WRONG, "toll fraud"),
        ({"premium": True}, State.WELL, "dear"),
    ],
)
def test_countries(broken: dict[str, Any], state: State, words: str) -> None:
    verdict = judge_countries([replace(COUNTRY, **broken)])
    assert verdict.state is state and words in " ".join((verdict.text, *verdict.remarks))


@pytest.mark.parametrize(
    ("asterisk", "here", "state", "words"),
    [
        ({"sip_port": 5060}, {"first": 5060}, State.WELL, ADDRESS),
        ({"sip_port": 5060}, {"first": 0}, State.WELL, ADDRESS),
        ({"sip_port": 5060}, {}, State.WELL, "None of them is this machine"),
        ({"sip_port": 5070}, {"first": 5060}, State.WRONG, "listens at 5070"),
        ({"sip_port": 0}, {"first": 5070}, State.WRONG, "listens at 5060"),
        ({"sip_port": 5070, "external_address": ADDRESS}, {"first": 5060}, State.WELL, ADDRESS),
    ],
)
def test_where_incoming_calls_arrive(asterisk: dict[str, Any], here: dict[str, int], state: State, words: str) -> None:
    settings = SETTINGS.model_copy(update={"asterisk": AsteriskSettings.model_validate(asterisk)})
    verdict = judge_origination(TRUNK, settings, here)
    assert verdict.state is state and words in " ".join((verdict.text, *verdict.remarks))


async def test_which_origination_urls_lead_here() -> None:
    places = {
        "here": "sip:127.0.0.1:5070",
        "usual port": "sip:127.0.0.1",
        "by user": "sip:pbx@127.0.0.1;transport=tcp",
        "TLS": "sip:127.0.0.1:5061;transport=tls",
        "SIPS": "sips:127.0.0.1",
        "elsewhere": "sip:198.51.100.1",
        "no port": "sip:127.0.0.1:0",
    }
    nodes = [Node(name, url, 10, 10, True) for name, url in places.items()]
    nodes.append(Node("disabled", "sip:127.0.0.1", 10, 10, False))
    found = await ports_here(nodes, {"127.0.0.1"})
    assert found == {"here": 5070, "usual port": 5060, "by user": 5060, "TLS": 0, "SIPS": 0}


def test_caller_ids() -> None:
    assert judge_caller_ids([NUMBER], frozenset({NUMBER})).state is State.WELL
    strange = judge_caller_ids([NUMBER, "+14155550100"], frozenset({NUMBER}))
    assert strange.state is State.WRONG and strange.text.startswith("+14155550100 ")
    assert judge_caller_ids([], frozenset()).state is State.SKIPPED


def test_alerts_are_counted_and_told_as_sentences() -> None:
    now = datetime.now(UTC)
    verdict = judge_alerts([Alert(32201, now, "CA1"), Alert(11200, now, "CA2"), Alert(32201, now, "CA3")])
    assert verdict.state is State.WELL
    assert "IP access control list" in verdict.remarks[0] and verdict.remarks[0].startswith("2× 32201")
    assert "errors/11200" in verdict.remarks[1]


async def test_a_standard_key_may_read_all_but_the_account(tmp_path: Path) -> None:
    with stage(tmp_path) as twilio:
        settings = twilio.settings()
        twilio.apply()
        twilio.twilio.standard_keys.add(KEY)
        facts = open_facts(settings.twilio)
        assert facts is not None
        found = {
            finding.name: finding.verdict
            for finding in await examine(account_checks(Account(facts, settings), settings))
        }
        assert found["account"].state is State.SKIPPED and "main API key" in found["account"].text
        assert [found[name].state for name in ("trunk", "credentials", "numbers")] == [State.WELL] * 3
        twilio.twilio.users.clear()
        facts = open_facts(settings.twilio)
        assert facts is not None
        with pytest.raises(CarrierError, match="does not accept these credentials"):
            facts.summary()


async def test_a_balance_that_is_not_told(tmp_path: Path) -> None:
    with stage(tmp_path) as twilio:
        refusal = {"code": 20404, "message": "Not found"}
        twilio.api.fault = lambda seen: Fault(404, refusal) if "Balance" in seen.path else None
        facts = open_facts(twilio.settings().twilio)
        assert facts is not None
        summary = facts.summary()
        assert summary is not None and (summary.status, summary.balance) == ("active", None)


async def test_without_an_account_everything_is_skipped() -> None:
    for check in account_checks(None, SETTINGS):
        verdict = await check.run()
        assert verdict.state is State.SKIPPED and "twilio.account_sid" in verdict.text
