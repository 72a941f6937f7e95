"""`trunkline doctor` as it is called: what it prints, what it returns, and settings that can't be read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from trunkline.cli import app
from trunkline.cli import doctor as command
from trunkline.cli.doctor import checks, judge_settings
from trunkline.cli.loop_call import judge_sound, strongest, tone
from trunkline.doctor.check import Check, Finding, State, examine, skipped, well, wrong
from trunkline.settings import AgentSettings, N8nSettings, Settings, TrunkSettings


def findings(*more: Finding) -> object:
    async def examine(_checks: Sequence[Check]) -> list[Finding]:
        return [Finding("disk", well("plenty", "A remark."), 0.1), Finding("DNS", skipped("no trunk"), 0), *more]

    return examine


def run(tmp_path: Path, settings: str, *arguments: str) -> tuple[int, str]:
    file = tmp_path / "trunkline.toml"
    file.write_text(settings)
    result = CliRunner().invoke(app, ["--config", str(file), "doctor", *arguments])
    return result.exit_code, result.output


def test_all_is_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "examine", findings())
    status, output = run(tmp_path, "")
    assert status == 0
    assert "✓ disk" in output and "A remark." in output and "– DNS" in output


def test_something_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "examine", findings(Finding("INVITE", wrong("Refused.", "Do this."), 0.2)))
    status, output = run(tmp_path, "")
    assert status == 3
    assert "✗ INVITE" in output and "Do this." in output
    status, output = run(tmp_path, "", "--json")
    told = json.loads(output)
    assert (status, told["healthy"]) == (3, False)
    assert [check["state"] for check in told["checks"]] == ["well", "well", "skipped", "wrong"]
    assert told["checks"][-1]["remedy"] == "Do this."


def test_lines_fit_a_terminal_and_stay_whole_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cause = "The carrier refuses this machine's address, which it sees as 198.51.100.7, before it asks."
    monkeypatch.setattr(command, "examine", findings(Finding("INVITE", wrong(cause, "Add it."), 0.2)))
    assert cause in run(tmp_path, "")[1]
    told = StringIO()
    monkeypatch.setattr(command, "console", Console(file=told, force_terminal=True, color_system=None, width=60))
    run(tmp_path, "")
    lines = told.getvalue().splitlines()
    assert max(map(len, lines)) <= 60 and " ".join(line.strip() for line in lines if line.startswith(" ")).endswith(
        "Add it."
    )
    assert all(line.startswith(("✓ ", "✗ ", "– ", " " * 12)) for line in lines), "one column for what is told"


def test_settings_that_cannot_be_read_are_a_finding(tmp_path: Path) -> None:
    status, output = run(tmp_path, "[trunk]\nport = 0\n", "--json")
    (check,) = json.loads(output)["checks"]
    assert (status, check["name"], check["state"]) == (3, "settings", "wrong")
    assert "trunk.port" in check["text"]


def test_a_trunk_without_caller_ids() -> None:
    assert judge_settings(Settings(trunk=TrunkSettings(host="a.pstn.twilio.com"))).state is State.WRONG
    trunk = TrunkSettings(host="a.pstn.twilio.com", caller_ids=("+14155550100",))
    assert judge_settings(Settings(trunk=trunk)).state is State.WELL
    assert judge_settings(Settings()).remarks


def test_names_are_unique_and_every_workflow_has_its_check() -> None:
    n8n = AgentSettings(brain="n8n", n8n=N8nSettings(webhook_url="http://127.0.0.1/webhook/x"))
    names = [check.name for check in checks(Settings(agents={"a": n8n, "b": n8n, "c": AgentSettings()}))]
    assert len(set(names)) == len(names)
    assert {"n8n (a)", "n8n (b)"} <= set(names) and "n8n (c)" not in names


async def test_a_number_is_called_only_where_it_is_asked_for() -> None:
    assert "call" not in {check.name for check in checks(Settings())}
    (call,) = (check for check in checks(Settings(), "555-0123") if check.name == "call")
    (found,) = await examine([call])
    assert found.verdict.state is State.WRONG and "country code" in found.verdict.text


def test_sound_that_came_and_sound_that_did_not() -> None:
    assert strongest(tone(620.0)) == pytest.approx(620, abs=2)
    assert strongest(bytes(1600)) == strongest(b"") == 0.0
    assert judge_sound(1004.0, 620.0).state is State.WELL
    assert "the far end heard nothing" in judge_sound(1004.0, 0.0).text
    assert "we and the far end heard nothing" in judge_sound(620.0, 0.0).text
