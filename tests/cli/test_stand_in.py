"""`trunkline trunk stand-in`: what it prints leads to a trunk, and through it to a person."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.rehearsal.sip_caller import NUMBER, SipCaller, Wording
from typer.testing import CliRunner, Result

from trunkline.cli import app
from trunkline.cli.stand_in import HOST
from trunkline.cli.stand_in import NUMBER as OURS
from trunkline.settings_file import load


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """It runs, and what it told to write is written."""
    for name in [name for name in os.environ if name.startswith("TRUNKLINE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    command = [sys.executable, "-u", "-m", "trunkline", "trunk", "stand-in", "busy"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        try:
            told = ""
            while line := running.stdout.readline():
                told += line
                if "API_KEY_SECRET=" in line:
                    break
            toml, env = told.split("Into .env:")
            Path("trunkline.toml").write_text(toml.partition(":")[2], encoding="utf-8")
            Path(".env").write_text(env, encoding="utf-8")
            yield
        finally:
            running.send_signal(signal.SIGTERM)
        assert running.wait() == 0


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["trunk", *arguments], catch_exceptions=False)


@pytest.mark.usefixtures("settings")
async def test_a_trunk_is_set_up_and_called_through() -> None:
    assert run("plan").exit_code == 2
    assert run("apply", "--yes").exit_code == 0
    assert run("plan").exit_code == 0

    trunk = load(Path("trunkline.toml")).trunk
    assert trunk.password is not None and trunk.proxy is not None
    host, port = re.fullmatch(r"([\d.]+):(\d+)", trunk.proxy).groups()  # type: ignore[union-attr]
    wording = Wording(uri=f"sip:{NUMBER}@{HOST}", caller=f"<sip:{OURS}@{HOST}>")
    async with SipCaller((host, int(port)), wording) as caller:
        await caller.invite_with_password(trunk.username or "trunkline", trunk.password.get_secret_value())
        assert (await caller.response(skip=(100, 180, 183))).code == 486
