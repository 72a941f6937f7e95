"""From an empty Twilio account to a call; then each single thing broken in the account is named by the doctor and by a
failed call, and repaired by `trunk apply` where that can be.

One account behind REST and SIP, one house with a real Asterisk, for the whole table.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from typer.testing import CliRunner

from tests.carriers.test_twilio_account import only, recording, remove, trunk_deleted, update
from tests.carriers.twilio_stage import KEY, NUMBERS, PASSWORD, SECRET, Stage
from tests.doubles import FakeSpeechToText, FakeTextToSpeech, FakeVoiceDetector
from tests.real.premises import AGENT, NUMBER, SCRIPT, TIMEOUT, Premises
from trunkline.app import bind, open_house, serving
from trunkline.carriers.twilio.facts import open_facts
from trunkline.cli import app
from trunkline.conversation.conversation import Senses
from trunkline.doctor.account import Account
from trunkline.doctor.check import Check, Finding, State, examine
from trunkline.doctor.real_call import RealCall
from trunkline.doctor.trunk import sip_checks
from trunkline.doctor.twilio import account_checks
from trunkline.rehearsal.carrier import StandInCarrier
from trunkline.rehearsal.config import CarrierConfig
from trunkline.rehearsal.dialling_permissions import FRAUD, LOW, SPECIAL
from trunkline.rehearsal.scenario import Scenario
from trunkline.rehearsal.twilio_account import TwilioAccount
from trunkline.rehearsal.twilio_api import TwilioApi
from trunkline.settings import Settings
from trunkline.telephony.asterisk_program import AsteriskProgram

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATIENT = "+14155550177"
"""Stays on the line for a while."""
APPLY = "`trunkline trunk apply`"
STATE = ("status", "kind", "balance", "taken_domains", "blocked_numbers", "calls_per_second", "dialling", "passwords")


@dataclass
class Scene:
    """The account, and a house whose calls go through it."""

    stage: Stage
    settings: Settings
    premises: Premises

    @property
    def account(self) -> TwilioAccount:
        return self.stage.twilio

    def apply(self) -> int:
        return self.stage.apply(self.settings)

    async def doctor(self) -> dict[str, Finding]:
        """What it finds, by the names of its checks."""
        over_sip, in_account = self._checks()
        return await _examined([*over_sip, *in_account])

    async def calls_and_doctor(self, *numbers: str) -> tuple[list[dict[str, Any]], dict[str, Finding]]:
        """The doctor looks at the account when the calls have left their alerts, and asks over SIP meanwhile."""
        over_sip, in_account = self._checks()
        asked = asyncio.create_task(_examined(over_sip))
        calls = await self.calls(*numbers)
        return calls, await _examined(in_account) | await asked

    def _checks(self) -> tuple[list[Check], list[Check]]:
        """Over SIP, and in the account."""
        facts = open_facts(self.settings.twilio)
        assert facts is not None
        account = Account(facts, self.settings)
        over_sip = sip_checks(self.settings.trunk, account, self.settings.asterisk.tls_ca)
        # Asked by itself: SIP's question about the trunk comes before the calls, and is kept.
        return over_sip, account_checks(Account(facts, self.settings), self.settings)

    async def calls(self, *numbers: str) -> list[dict[str, Any]]:
        """To these numbers, at the same time."""
        placed = await asyncio.gather(*map(self.premises.call, numbers))
        return [await self.premises.ended(call_id) for call_id in placed]

    async def reasons(self, calls: list[dict[str, Any]]) -> str:
        """As `GET /calls/{id}` has them at this moment."""
        answers = [await self.premises.http.get(f"/calls/{call['id']}") for call in calls]
        return " ".join(answer.json()["reason"] for answer in answers)

    @contextmanager
    def as_it_was(self) -> Iterator[None]:
        """Whatever is done to the account inside is undone."""
        record = self.stage.folder / "trunk.json"
        before = copy.deepcopy({name: getattr(self.account, name) for name in (*STATE, "records")})
        kept = record.read_bytes()
        try:
            yield
        finally:
            for name, value in before.items():
                setattr(self.account, name, value)
            record.write_bytes(kept)


async def _examined(checks: list[Check]) -> dict[str, Finding]:
    return {finding.name: finding for finding in await examine(checks)}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scene(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    async with open_scene(tmp_path_factory.mktemp("matrix")) as scene:
        yield scene


@asynccontextmanager
async def open_scene(folder: Path, *, secure: bool = False) -> AsyncIterator[Scene]:
    (folder / "brief.yaml").write_text(SCRIPT, encoding="utf-8")
    account = TwilioAccount(users={KEY: SECRET}, calls_per_second=None)
    for number in NUMBERS:
        account.buy(number)
    api = TwilioApi(account)
    doubles = (FakeVoiceDetector(), FakeSpeechToText(), FakeTextToSpeech(seconds_per_character=0.02))
    with api.serving() as url, bind("127.0.0.1", 0) as sock:
        stage = Stage(api, url, folder)
        people = [
            Scenario.model_validate({"phone": {"rings_ms": 0}, "steps": [{"pause_ms": stays}, "hang_up"], **who})
            for stays, who in ((50, {"name": "somebody"}), (1500, {"name": "patient", "numbers": [PATIENT]}))
        ]
        async with StandInCarrier(CarrierConfig(), people, account=account) as carrier:
            settings = _settings(stage, carrier, secure)
            web = "http://{}:{}".format(*sock.getsockname())
            async with (
                open_house(settings, senses=Senses(*doubles)) as house,
                serving(house, sock),
                httpx.AsyncClient(base_url=web, trust_env=False, timeout=TIMEOUT) as http,
            ):
                premises = Premises(house, http, doubles, trunk=(carrier.host, carrier.port), folder=folder)
                yield Scene(stage, settings, premises)


def _settings(stage: Stage, carrier: StandInCarrier, secure: bool) -> Settings:
    authority = stage.folder / "authority.pem"
    authority.write_text(carrier.authority, encoding="utf-8")
    origin = "sip:203.0.113.{}:5061;transport=tls" if secure else "sip:203.0.113.{}:5060"
    # Whoever asks that service for an address gets none: nobody asks the network for the real one.
    settings = stage.settings(
        secure=secure,
        addresses=("127.0.0.0/8",),
        address_service=f"{stage.url}/nothing",
        origination={name: {"sip_url": origin.format(host)} for name, host in (("first", 7), ("second", 8))},
    )
    proxy = f"{carrier.host}:{carrier.port_of('tls' if secure else 'udp')}"
    trunk = {"proxy": proxy, "caller_ids": NUMBERS[:1], "qualify_seconds": 0, "ring_timeout": 5.0}
    agent = {"brain": "scripted", "script": str(stage.folder / "brief.yaml")}
    return settings.model_copy(
        update={
            "trunk": settings.trunk.model_copy(update=trunk),
            "asterisk": settings.asterisk.model_copy(update={"tls_ca": authority}),
            "agents": {AGENT: settings.agents[next(iter(settings.agents))].model_copy(update=agent)},
            "service": settings.service.model_copy(update={"port": 0}),
        }
    )


async def test_from_an_empty_account_to_a_call(scene: Scene) -> None:
    before = await scene.doctor()
    assert "has no trunk" in before["trunk"].verdict.text
    assert scene.apply() > 0
    (call,) = await scene.calls(NUMBER)
    assert call["disposition"] == "answered"
    assert scene.apply() == 0, "the second run writes nothing"
    found = await scene.doctor()
    assert not [finding for finding in found.values() if finding.verdict.state is not State.WELL]
    assert found["alerts"].verdict.text == "none in the last hour", "its own questions don't count"
    assert found["INVITE"].verdict.text == "407: termination host and address list are right"


# ── each single thing ──────────────────────────────────────────────────────────────────────────────────────────────


def user_renamed(it: Stage) -> None:
    remove(it, "/Credentials")
    path = next(path for path in it.twilio.records if path.endswith("/Credentials"))
    it.twilio.add(path, {"Username": "somebody", "Password": PASSWORD})


def sold(it: Stage) -> None:
    it.twilio.answer("DELETE", only(it, "/IncomingPhoneNumbers"), {}, {})


def crowded(it: Stage) -> None:
    """Four calls at once, as a trial account has them."""
    it.twilio.kind = "Trial"
    it.twilio.verify(PATIENT)


def account(**changes: object) -> Callable[[Stage], None]:
    def change(it: Stage) -> None:
        for name, value in changes.items():
            setattr(it.twilio, name, value)

    return change


def united_states(*switches: str) -> Callable[[Stage], None]:
    return lambda it: it.twilio.dialling.enabled.update(US=set(switches))


@dataclass(frozen=True)
class Row:
    name: str
    breaks: Callable[[Stage], None]
    check: str
    """Of the doctor, which names it."""
    found: str
    remedy: str = APPLY
    call: str = ""
    """Of the reason of a call that fails of it; empty: calls go out all the same."""
    numbers: tuple[str, ...] = (NUMBER,)
    remark: bool = False
    """Nothing is wrong with it by itself."""


ACL, LIST = "missing from the trunk's IP access control list", "refused user name or password"
SILENCE = "termination host to the letter"
CONSOLE = "console"
ROWS = [
    Row("domain changed", lambda it: update(it, "/v1/Trunks", DomainName="b.pstn.twilio.com"), "trunk",
        "termination domain is b.pstn.twilio.com", call=SILENCE),
    Row("trunk deleted", trunk_deleted, "trunk", "has no trunk", call=SILENCE),
    Row("address removed", lambda it: remove(it, "/IpAddresses"), "addresses", "Calls from 127.0.0.0/8", call=ACL),
    Row("address changed", lambda it: update(it, "/IpAddresses", IpAddress="198.51.100.1", CidrPrefixLength="32"),
        "addresses", "Calls from 127.0.0.0/8", call=ACL),
    Row("address list unlinked", lambda it: remove(it, r"Trunks/\w+/IpAccessControlLists"), "addresses",
        "No IP access control list"),
    Row("password changed", lambda it: update(it, "/Credentials", Password="Somebody-Else-1"), "password", LIST,
        "credential list", LIST),
    Row("credentials unlinked", lambda it: remove(it, r"Trunks/\w+/CredentialLists"), "credentials",
        "No credential list"),
    Row("user deleted", lambda it: remove(it, "/Credentials"), "credentials", "The user trunkline", call=LIST),
    Row("user renamed", user_renamed, "credentials", "The user trunkline", call=LIST),
    Row("caller ID sold", sold, "caller IDs", NUMBERS[0], "Buy or verify", "caller ID"),
    Row("country not permitted", united_states(), "countries", "may not call", CONSOLE, "geographic permissions"),
    Row("toll fraud permitted", united_states(LOW, FRAUD), "countries", "toll fraud", CONSOLE),
    Row("premium numbers permitted", united_states(LOW, SPECIAL), "countries", "dear", "", remark=True),
    Row("too fast", account(calls_per_second=1.0), "alerts", "More calls per second", "", "calls per second",
        (NUMBER, NUMBER), True),
    Row("too many at once", crowded, "alerts", "More simultaneous calls", "", "simultaneous calls",
        (PATIENT,) * 5, True),
    Row("trial", account(kind="Trial"), "account", "verified numbers only", "", "trial account", remark=True),
    Row("destination blocked", account(blocked_numbers={NUMBER}), "alerts", "blocked this destination", "",
        "blocked this destination", remark=True),
    Row("secure media on", lambda it: update(it, "/v1/Trunks", Secure="true"), "trunk", "Secure media is on",
        call="without TLS"),
    Row("suspended", account(status="suspended"), "account", "not active", CONSOLE, "The account is suspended"),
    Row("no funds", account(balance="0.00"), "account", "no funds", CONSOLE, "has no funds"),
    Row("transfer mode", lambda it: update(it, "/v1/Trunks", TransferMode="enable-all"), "trunk", "enable-all"),
    Row("recording mode", recording, "trunk", "record-from-answer"),
    Row("origination moved", lambda it: update(it, "/OriginationUrls", SipUrl="sip:198.51.100.1"), "origination",
        "sip:198.51.100.1 instead of"),
    Row("origination disabled", lambda it: update(it, "/OriginationUrls", Enabled="false"), "origination",
        "switched off"),
    Row("origination weight", lambda it: update(it, "/OriginationUrls", Weight="77"), "origination", "weight"),
    Row("origination deleted", lambda it: remove(it, "/OriginationUrls"), "origination", "is missing"),
    Row("number detached", lambda it: remove(it, "/PhoneNumbers"), "numbers", "is not attached"),
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
async def test_a_thing_that_is_broken(scene: Scene, row: Row) -> None:
    if not scene.account.all("/v1/Trunks"):
        scene.apply()
    with scene.as_it_was():
        row.breaks(scene.stage)
        calls, found = await scene.calls_and_doctor(*row.numbers)
        if row.call:
            assert any(call["disposition"] != "answered" for call in calls)
            async with asyncio.timeout(TIMEOUT):
                # The sentence of a plain 403 names several causes, until the alert decides.
                while row.call not in (told := await scene.reasons(calls)) or "tells which" in told:
                    await asyncio.sleep(0.1)
        else:
            assert [call["disposition"] for call in calls] == ["answered"]
        verdict = found[row.check].verdict
        assert verdict.state is (State.WELL if row.remark else State.WRONG), verdict
        assert row.found in " ".join((verdict.text, *verdict.remarks)) and row.remedy in verdict.remedy, verdict
        if row.remedy == APPLY or row.name == "password changed":
            assert scene.apply() > 0
            calls, found = await scene.calls_and_doctor(*(row.numbers if row.call else ()))
            assert found[row.check].verdict.state is State.WELL, found
            assert not [call for call in calls if call["disposition"] != "answered"]


async def test_a_secure_trunk_whose_other_side_is_not(tmp_path: Path) -> None:
    async with open_scene(tmp_path, secure=True) as scene:
        assert scene.apply() > 0
        (call,), found = await scene.calls_and_doctor(NUMBER)
        assert call["disposition"] == "answered"
        assert not [finding for finding in found.values() if finding.verdict.state is State.WRONG]
        update(scene.stage, "/v1/Trunks", Secure="false")
        calls, found = await scene.calls_and_doctor(NUMBER)
        assert "Secure media is off at Twilio" in found["trunk"].verdict.text
        async with asyncio.timeout(TIMEOUT):
            while "Switch secure media on" not in await scene.reasons(calls):
                await asyncio.sleep(0.1)
        assert scene.apply() > 0
        (call,) = await scene.calls(NUMBER)
        assert call["disposition"] == "answered"


async def test_the_terminal_tells_by_the_alert(scene: Scene) -> None:
    file, web = scene.stage.folder / "terminal.toml", str(scene.premises.http.base_url)
    file.write_text(f'[twilio]\naccount_sid = "{scene.account.sid}"\n', encoding="utf-8")
    arguments = ["--config", str(file), "call", NUMBER, "--agent", AGENT, "--service", web]
    with scene.as_it_was():
        update(scene.stage, "/Credentials", Password="Somebody-Else-1")
        result = await asyncio.to_thread(CliRunner().invoke, app, arguments, env={"COLUMNS": "400"})
    assert result.exit_code == 3, result.output
    assert LIST in result.output.rpartition("✗")[2]


async def test_the_doctors_own_call_tells_by_the_alert(scene: Scene, asterisk_program: AsteriskProgram) -> None:
    call = RealCall(scene.settings, NUMBER, open_facts(scene.settings.twilio))
    with scene.as_it_was():
        update(scene.stage, "/Credentials", Password="Somebody-Else-1")
        verdict = await call.place(asterisk_program, NUMBER, b"")
    assert verdict.state is State.WRONG
    assert "403 Forbidden" in verdict.text and LIST in verdict.remedy


async def test_no_secret_in_anything_that_is_told(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    with scene.as_it_was():
        update(scene.stage, "/Credentials", Password="Somebody-Else-1")
        calls = await scene.calls(NUMBER)
        findings = [finding.as_json() for finding in (await scene.doctor()).values()]
    told = caplog.text + str(findings) + str(calls) + await scene.reasons(calls)
    assert len(told) > 1000
    assert not [secret for secret in (PASSWORD, SECRET, "Somebody-Else-1") if secret in told]
