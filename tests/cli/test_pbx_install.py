"""`trunkline pbx install` and `uninstall` without an Asterisk; with one: tests/real/test_pbx_install.py."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from pydantic import SecretStr
from tests.telephony.etc_asterisk import furnish, picture
from typer.testing import CliRunner, Result

from trunkline.cli import pbx, pbx_install
from trunkline.cli.shared import MASK
from trunkline.errors import PbxUnavailable
from trunkline.settings import Settings, TrunkSettings

NAME = "TRUNKLINE_ASTERISK__ARI_PASSWORD"
TRUNK = TrunkSettings(
    host="example.pstn.twilio.com", username="u", password=SecretStr("Secret-12345"), caller_ids=("+14155550100",)
)


class Desk:
    """An operator with a folder like /etc/asterisk."""

    def __init__(self, folder: Path) -> None:
        self.etc = furnish(folder / "etc")
        self.env = folder / ".env"
        self.settings = Settings().model_copy(update={"trunk": TRUNK})

    def run(self, *arguments: str, answer: str | None = None) -> Result:
        return CliRunner().invoke(pbx.app, [*arguments, "--no-reload"], input=answer)

    def install(self, *more: str, answer: str | None = None) -> Result:
        return self.run("install", "--into", str(self.etc), *more, answer=answer)

    def uninstall(self) -> Result:
        return self.run("uninstall", "--from", str(self.etc), "--yes")

    def take_password(self) -> str:
        """From `.env` into the settings, as they are read the next time."""
        password = self.env.read_text().partition(f"{NAME}=")[2].strip()
        asterisk = self.settings.asterisk.model_copy(update={"ari_password": SecretStr(password)})
        self.settings = self.settings.model_copy(update={"asterisk": asterisk})
        return password


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.chdir(tmp_path)
    desk = Desk(tmp_path)
    monkeypatch.setattr(pbx_install, "load_settings", lambda _context: desk.settings)
    return desk


def test_the_password_is_made_kept_and_shown_nowhere(desk: Desk) -> None:
    before = picture(desk.etc)
    done = desk.install("--yes")
    assert done.exit_code == 0, done.output
    assert desk.env.stat().st_mode & 0o777 == 0o600
    password = desk.take_password()
    assert len(password) >= 24
    for name, key in (("ari.conf", "password"), ("manager.conf", "secret")):
        assert f"{key} = {password}\n" in (desk.etc / "trunkline" / name).read_text()
    assert password not in done.output and "Secret-12345" not in done.output
    assert MASK in done.output
    assert "Asterisk was not reloaded" in done.output

    assert "Nothing to do" in desk.install("--yes").output
    assert desk.take_password() == password
    undone = desk.uninstall()
    assert f"{desk.etc / 'pjsip.conf'} is as it was before" in re.sub(r"\s+", " ", undone.output)
    assert picture(desk.etc) == before
    assert "nothing of Trunkline" in desk.uninstall().output


def test_a_dry_run_makes_no_password(desk: Desk) -> None:
    before = picture(desk.etc)
    shown = desk.install("--dry-run")
    assert shown.exit_code == 2
    assert "+#include trunkline/extensions.conf" in shown.output
    assert not desk.env.exists()
    assert picture(desk.etc) == before


def test_no_is_an_answer(desk: Desk) -> None:
    before = picture(desk.etc)
    assert desk.install(answer="n\n").exit_code == 1
    assert picture(desk.etc) == before
    assert not desk.env.exists()


def test_whatever_stands_in_the_way_is_told_at_once_and_nothing_written(desk: Desk) -> None:
    with (desk.etc / "extensions.conf").open("a") as stream:
        stream.write("\n[from-twilio]\n[outbound-ai-conversational]\n")
    before = picture(desk.etc)
    refused = desk.install("--yes")
    assert isinstance(refused.exception, PbxUnavailable)
    assert "2 things stand in the way" in refused.exception.message
    assert "[from-twilio] already" in refused.output and "[outbound-ai-conversational] already" in refused.output
    assert picture(desk.etc) == before


def test_a_folder_of_something_else(desk: Desk, tmp_path: Path) -> None:
    refused = desk.run("install", "--into", str(tmp_path))
    assert isinstance(refused.exception, PbxUnavailable)
    assert "is no Asterisk configuration" in refused.exception.message


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to others")
def test_by_sudo_the_password_stays_readable_for_who_runs_the_service(desk: Desk, tmp_path: Path) -> None:
    os.chown(tmp_path, 12345, 12346)
    os.chown(desk.etc / "pjsip.conf", 12345, 12347)
    assert desk.install("--yes").exit_code == 0
    assert (desk.env.stat().st_uid, desk.env.stat().st_gid) == (12345, 12346)
    ours = (desk.etc / "trunkline" / "pjsip.conf").stat()
    assert (ours.st_uid, ours.st_gid, ours.st_mode & 0o777) == (12345, 12347, 0o640)
    assert desk.uninstall().exit_code == 0
    restored = (desk.etc / "pjsip.conf").stat()
    assert (restored.st_uid, restored.st_gid) == (12345, 12347)
