"""Trunkline put into a running Asterisk of somebody else's, and taken out again."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner, Result

from tests.real.conftest import NOBODY
from tests.real.premises import AGENT, NUMBER, open_premises
from tests.real.sip_peer import OK, SipPeer
from tests.real.their_asterisk import KEPT
from tests.telephony.etc_asterisk import FILES, furnish, picture
from trunkline.cli import pbx
from trunkline.cli import pbx_install as command_line
from trunkline.errors import PbxUnavailable
from trunkline.rehearsal.dialling import Destination, dial_all
from trunkline.rehearsal.studio import Studio
from trunkline.settings import ServiceSettings, Settings, TrunkSettings
from trunkline.telephony import pbx_install
from trunkline.telephony.agi_protocol import Asked
from trunkline.telephony.agi_server import AgiConnection, AgiServer
from trunkline.telephony.asterisk_config import render
from trunkline.telephony.asterisk_config.transports import TlsFiles
from trunkline.telephony.asterisk_modules import MODULES
from trunkline.telephony.asterisk_program import AsteriskProgram
from trunkline.telephony.include_check import read_existing
from trunkline.telephony.include_files import IncludeFiles
from trunkline.telephony.include_folder import NAMES, Guest, render_folder
from trunkline.telephony.pbx_boot import asterisk_command
from trunkline.telephony.pbx_home import PbxHome
from trunkline.telephony.running_asterisk import RunningAsterisk

BOOT_SECONDS = 60.0
WAIT = {"wait_for_agent": {"silence_ms": 200}}
PASSWORD = "Secret-of-the-trunk-12345"
ARI_PASSWORD = "Secret-of-ari-12345"
TRUNK = TrunkSettings(
    host="example.pstn.twilio.com",
    username="trunk",
    password=SecretStr(PASSWORD),
    caller_ids=("+14155550100", "+14155550101"),
    qualify_seconds=0,
)
LOGGER = "[general]\n[logfiles]\nfull => notice,warning,error,verbose\n"


@dataclass(frozen=True)
class Office:
    """Somebody's Asterisk, running with the configuration in `etc`."""

    etc: Path
    log: Path
    address: str
    command: tuple[str, ...]

    def says(self, line: str) -> str:
        return subprocess.run(
            (*self.command, "-rx", line), capture_output=True, text=True, timeout=BOOT_SECONDS, check=False
        ).stdout

    def settings(self, trunk: TrunkSettings = TRUNK) -> Settings:
        machine = Settings()
        asterisk = machine.asterisk.model_copy(update={"ari_password": SecretStr(ARI_PASSWORD)})
        return machine.model_copy(update={"trunk": trunk, "asterisk": asterisk})

    def until(self, line: str, text: str) -> None:
        """Until the console's answer holds the text."""
        give_up = time.monotonic() + BOOT_SECONDS
        while text not in (said := self.says(line)):
            assert time.monotonic() < give_up, said
            time.sleep(0.05)


@pytest.fixture(scope="module")
def running(asterisk_program: AsteriskProgram, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    folder = tmp_path_factory.mktemp("office")
    home = PbxHome(folder)
    plan = home.plan(asterisk_program, Settings(service=ServiceSettings(data_dir=folder)), NOBODY)
    instance = replace(
        plan, modules=(*MODULES, "res_speech", "res_agi", "func_strings", "app_verbose", "res_clioriginate")
    )
    for name in ("lib", "spool", "log", "run"):
        (folder / name).mkdir(exist_ok=True)
    instance.run_dir.mkdir(parents=True, exist_ok=True)
    theirs = {name: text for name, text in render(instance).items() if name in KEPT}
    etc = furnish(folder / "etc", {**FILES, **theirs, "logger.conf": LOGGER}, address=instance.sip_address)
    command = asterisk_command(asterisk_program, instance)
    office = Office(etc, folder / "log" / "full", instance.sip_address, command)
    with (folder / "console.log").open("wb") as console:
        process = subprocess.Popen((*command, "-f"), stdin=subprocess.DEVNULL, stdout=console, stderr=console)
    try:
        office.until("core waitfullybooted", "fully booted")
        office.says("core set verbose 3")
        yield office
        office.says("core stop now")
        process.wait(BOOT_SECONDS)
    finally:
        process.kill()
        process.wait()
        home.close()


@pytest.fixture
def office(running: Office, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    """Left as it was found, whatever a test does."""
    monkeypatch.setattr(command_line, "load_settings", lambda _context: running.settings())
    before = picture(running.etc)
    yield running
    uninstall(running)
    assert picture(running.etc) == before
    assert "Objects found: 1" in running.says("pjsip show endpoints")


def run(office: Office, *arguments: str) -> Result:
    conf = str(office.etc / "asterisk.conf")
    # The program whose console is asked is this Asterisk's own: its configuration says where it listens.
    return CliRunner().invoke(pbx.app, [*arguments, "--asterisk-conf", conf, "--yes"])


def install(office: Office, *arguments: str) -> Result:
    return run(office, "install", "--into", str(office.etc), *arguments)


def uninstall(office: Office) -> Result:
    return run(office, "uninstall", "--from", str(office.etc))


def test_it_is_taken_and_is_gone_again_byte_for_byte(office: Office) -> None:
    before = picture(office.etc)
    done = install(office)
    assert done.exit_code == 0, done.output
    assert "Asterisk has taken it." in done.output
    assert PASSWORD not in done.output and ARI_PASSWORD not in done.output
    endpoint = office.says("pjsip show endpoint trunkline-trunk")
    assert "transport-udp" in endpoint and "54.172.60.0/30" in endpoint
    assert "Objects found: 2" in office.says("pjsip show endpoints")
    for context in ("from-twilio", "outbound-ai-conversational", "trunkline-pstn"):
        assert f"[ Context '{context}' created by 'pbx_config' ]" in office.says(f"dialplan show {context}")
    assert "trunkline" in office.says("ari show user trunkline")
    assert "username: trunkline" in office.says("manager show user trunkline")

    installed = picture(office.etc)
    again = install(office)
    assert "Nothing to do" in again.output
    assert picture(office.etc) == installed

    undone = uninstall(office)
    assert undone.exit_code == 0, undone.output
    assert picture(office.etc) == before
    assert "Unable to find object" in office.says("pjsip show endpoint trunkline-trunk")
    assert "no existence" in office.says("dialplan show from-twilio")
    assert "nothing of Trunkline" in uninstall(office).output


def test_a_dry_run_writes_nothing(office: Office) -> None:
    before = picture(office.etc)
    shown = install(office, "--dry-run")
    assert shown.exit_code == 2
    assert "+#include trunkline/pjsip.conf" in shown.output
    assert PASSWORD not in shown.output
    assert picture(office.etc) == before


@pytest.fixture
def edited(office: Office) -> Iterator[Path]:
    """The owner's pjsip.conf, for a test to change."""
    path = office.etc / "pjsip.conf"
    was, times = path.read_bytes(), path.stat()
    yield path
    uninstall(office)
    path.write_bytes(was)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def test_a_configuration_that_asterisk_does_not_take_is_taken_back(office: Office, edited: Path) -> None:
    """It ends inside a comment, so that our line is one."""
    edited.write_bytes(edited.read_bytes() + b"\n;-- and here its owner had begun to explain\n")
    before = picture(office.etc)
    error = install(office).exception
    assert isinstance(error, PbxUnavailable)
    assert "didn't take trunkline/pjsip.conf [trunkline-trunk]" in error.message
    assert picture(office.etc) == before
    assert "no existence" in office.says("dialplan show from-twilio")


def test_an_upgrade_that_asterisk_does_not_take_leaves_what_was_there(office: Office) -> None:
    assert install(office).exit_code == 0
    place = place_in(office)
    files = {name: (office.etc / "trunkline" / name).read_text() for name in NAMES}
    before = {name: content for name, content in picture(office.etc).items() if name != "trunkline"}
    wrong = {**files, "pjsip.conf": files["pjsip.conf"].replace("ulaw,alaw", "no-such-codec")}
    asterisk = RunningAsterisk(office.command)
    with pytest.raises(PbxUnavailable, match="as it was before") as told:
        asyncio.run(pbx_install.install(place, wrong, place.plan(wrong), asterisk))
    assert "no-such-codec" in str(told.value)
    assert files == {name: (office.etc / "trunkline" / name).read_text() for name in NAMES}
    assert set(before) == {name for name in picture(office.etc) if name != "trunkline"}
    assert "Unable to find" not in office.says("pjsip show endpoint trunkline-trunk")


def test_an_edit_of_the_owner_stays(office: Office, edited: Path) -> None:
    assert install(office).exit_code == 0
    with edited.open("a") as stream:
        stream.write("[6002]\ntype = aor\n")
    undone = uninstall(office)
    assert "edited since" in undone.output
    assert edited.read_text().endswith("max_contacts = 1\n[6002]\ntype = aor\n")


def test_a_cut_off_run_is_completed(office: Office) -> None:
    assert install(office, "--no-reload").exit_code == 0
    assert "Unable to find object" in office.says("pjsip show endpoint trunkline-trunk")
    done = install(office)
    assert "Asterisk has taken it." in done.output
    assert "Unable to find object" not in office.says("pjsip show endpoint trunkline-trunk")


def test_what_only_the_running_asterisk_knows_is_a_clash(office: Office) -> None:
    office.says("dialplan add extension s,1,NoOp() into from-twilio")
    try:
        refused = install(office)
    finally:
        office.says("dialplan remove context from-twilio")
    assert refused.exit_code == 1
    assert "Asterisk knows from-twilio already." in refused.output


def test_a_module_that_is_missing_is_named(office: Office) -> None:
    office.says("module unload func_uri.so")
    try:
        refused = install(office)
    finally:
        office.says("module load func_uri.so")
    assert "doesn't run its module func_uri. Load it" in refused.output
    assert isinstance(refused.exception, PbxUnavailable)


def test_another_asterisks_folder_is_refused(office: Office, tmp_path: Path) -> None:
    refused = run(office, "install", "--into", str(furnish(tmp_path / "etc")))
    assert f"has its configuration in {office.etc}" in refused.output


def place_in(office: Office) -> IncludeFiles:
    existing = read_existing(office.etc)
    return IncludeFiles(office.etc, {name: existing.place(name) for name in NAMES})


# ── calls through it ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("kind", "transport"), [({"transport": "tcp"}, "tcp"), ({"secure": True, "carrier": "registration"}, "tls")]
)
def test_a_transport_of_ours_comes_goes_and_comes_again(
    office: Office, monkeypatch: pytest.MonkeyPatch, kind: dict[str, object], transport: str
) -> None:
    settings = office.settings(TRUNK.model_copy(update={"host": "127.0.0.1", **kind}))
    asterisk = settings.asterisk.model_copy(update={"address": office.address})
    settings = settings.model_copy(update={"asterisk": asterisk})
    monkeypatch.setattr(command_line, "load_settings", lambda _context: settings)
    for _ in range(2):
        done = install(office)
        assert "Asterisk has taken it." in done.output, done.exception or done.output
        assert f"trunkline-{transport}" in office.says("pjsip show transports")
        assert "Objects found: 2" in office.says("pjsip show endpoints")
        assert uninstall(office).exit_code == 0
        assert f"trunkline-{transport}" not in office.says("pjsip show transports")


async def placed(office: Office, agi: str, trunk: TrunkSettings = TRUNK) -> None:
    existing = read_existing(office.etc)
    files = render_folder(
        Guest(office.settings(trunk), agi, NOBODY, ARI_PASSWORD, TlsFiles(), existing.transport(office.settings()))
    )
    place = place_in(office)
    await pbx_install.install(place, files, place.plan(files), RunningAsterisk(office.command))


async def test_a_call_goes_out_with_our_number_and_its_agent_is_asked_for(office: Office) -> None:
    asked: asyncio.Queue[Asked] = asyncio.Queue()

    async def note(_: AgiConnection, question: Asked) -> None:
        asked.put_nowait(question)

    door = AgiServer(note, (), max_connections=10)
    host, port = await door.start("127.0.0.1", 0)
    carrier = await SipPeer.open(OK)
    try:
        trunk = TRUNK.model_copy(update={"host": "{}:{}".format(*carrier.address)})
        await placed(office, f"{host}:{port}", trunk)
        # Whatever a dialled string holds beside a number never reaches Dial().
        await asyncio.to_thread(
            office.says,
            "channel originate Local/+14155550123&x@trunkline-pstn extension +14155550123@outbound-ai-conversational",
        )
        invite = await carrier.request("INVITE")
        question = await asyncio.wait_for(asked.get(), BOOT_SECONDS)
    finally:
        carrier.close()
        await door.close()
    assert invite.startswith("INVITE sip:+14155550123@{}:{}".format(*carrier.address))
    assert re.search(r"^From: (\"[^\"]*\" )?<sip:\+14155550100@", invite, re.MULTILINE)
    assert question.agent == "outbound-ai-conversational"
    assert question.parameters == {"direction": "outbound", "number": "+14155550123"}
    await asyncio.to_thread(office.until, "core show channels count", "0 active channels")


async def test_a_call_from_the_trunk_reaches_its_agent(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRUNKLINE_AGI__ENABLED", "true")
    monkeypatch.setenv("TRUNKLINE_AGI__PORT", "0")
    async with open_premises(tmp_path) as premises:
        assert premises.house.agi is not None
        trunk = TRUNK.model_copy(update={"identify": ("127.0.0.1/32",)})
        await placed(office, "{}:{}".format(*premises.house.agi), trunk)
        premises.ears.texts.append("no")
        person = premises.person(WAIT, {"wav": "hm.wav", "text": "hm"}, WAIT)
        to = Destination("+14155550100", office.address, caller=NUMBER)
        (attempt,) = await dial_all(to, [await Studio().person(person)])
        assert attempt.report is not None
        assert attempt.report.problems == ()
        (call_id,) = premises.updates
        call = await premises.ended(call_id)
    assert (call["direction"], call["number"], call["callerId"]) == ("inbound", NUMBER, "+14155550100")
    assert (call["agent"], call["disposition"]) == (AGENT, "answered")
    assert [turn["text"] for turn in call["turns"]] == ["Hi. Yes?", "no", "Bye."]


async def test_without_an_agent_the_dialplan_goes_on_and_says_why(office: Office) -> None:
    await placed(office, "127.0.0.1:9")
    office.says("channel originate Local/s@outbound-ai-conversational application Wait 5")
    await asyncio.to_thread(office.until, "core show channels count", "0 active channels")
    assert "No agent at agi://127.0.0.1:9/outbound-ai-conversational (FAILURE)" in office.log.read_text()
