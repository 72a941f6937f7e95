"""`trunkline pbx` without an Asterisk; with one: tests/real/test_cli_pbx.py."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from trunkline.cli import pbx
from trunkline.cli.shared import MASK
from trunkline.errors import PbxUnavailable
from trunkline.settings import AsteriskSettings, ServiceSettings, Settings, TrunkSettings
from trunkline.telephony.asterisk_modules import MODULES
from trunkline.telephony.asterisk_program import AsteriskProgram


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    trunk = TrunkSettings.model_validate({"host": "carrier.example", "username": "user", "password": "Secret-12345"})
    settings = Settings(
        service=ServiceSettings(data_dir=tmp_path / "var"),
        asterisk=AsteriskSettings(cache_dir=tmp_path / "cache"),
        trunk=trunk,
    )
    monkeypatch.setattr(pbx, "load_settings", lambda _context: settings)
    return settings


@pytest.fixture
def runner() -> CliRunner:
    return CliRunner()


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsteriskProgram:
    for module in MODULES:
        (tmp_path / f"{module}.so").touch()
    program = AsteriskProgram("22.1.0", ("/opt/asterisk",), tmp_path, tmp_path)

    async def find(_settings: AsteriskSettings) -> AsteriskProgram:
        return program

    monkeypatch.setattr(pbx, "find_asterisk", find)
    return program


def test_nothing_runs(settings: Settings, runner: CliRunner) -> None:
    assert "No Asterisk is running" in runner.invoke(pbx.app, ["stop"], catch_exceptions=False).output
    answer = runner.invoke(pbx.app, ["status"], catch_exceptions=False)
    assert (answer.exit_code, answer.output.strip()) == (1, "No Asterisk is running.")
    with pytest.raises(PbxUnavailable, match="No Asterisk is running"):
        runner.invoke(pbx.app, ["console"], catch_exceptions=False)


def test_render_masks_secrets(settings: Settings, runner: CliRunner, program: AsteriskProgram) -> None:
    answer = runner.invoke(pbx.app, ["render"], catch_exceptions=False)
    assert answer.exit_code == 0
    assert "### pjsip.conf" in answer.output
    assert "from_domain = carrier.example" in answer.output
    assert "Secret-12345" not in answer.output
    assert f"password = {MASK}" in answer.output


def test_render_writes_private_files(
    settings: Settings, runner: CliRunner, program: AsteriskProgram, tmp_path: Path
) -> None:
    assert runner.invoke(pbx.app, ["render", "--to", str(tmp_path / "out")], catch_exceptions=False).exit_code == 0
    written = tmp_path / "out" / "pjsip.conf"
    assert "password = Secret-12345" in written.read_text()
    assert written.stat().st_mode & 0o077 == 0


def test_render_without_asterisk_says_what_to_do(
    settings: Settings, runner: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def find(_settings: AsteriskSettings) -> None:
        return None

    monkeypatch.setattr(pbx, "find_asterisk", find)
    with pytest.raises(PbxUnavailable, match="There is no Asterisk yet"):
        runner.invoke(pbx.app, ["render"], catch_exceptions=False)


def test_every_command_has_a_help() -> None:
    group = typer.main.get_command(pbx.app)
    assert isinstance(group, typer.core.TyperGroup)
    assert set(group.commands) == {"fetch", "start", "stop", "status", "console", "render", "install", "uninstall"}
    assert all(command.help for command in group.commands.values())
