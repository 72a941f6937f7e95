"""`trunkline trunk stand-in`: what it prints leads to a trunk, and through it to a person."""

from __future__ import annotations

import asyncio
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
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[str]]:
    """It runs, and what it told to write is written."""
    for name in [name for name in os.environ if name.startswith("TRUNKLINE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    command = [sys.executable, "-u", "-m", "trunkline", "trunk", "stand-in", "busy"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        try:
            told = ""
            while line := running.stdout.readline():
                told += line
                if line.startswith("Enter"):
                    break
            toml, env = told.split("Into .env:")
            Path("trunkline.toml").write_text(toml.partition(":")[2], encoding="utf-8")
            Path(".env").write_text(env.partition("Enter")[0], encoding="utf-8")
            yield running
        finally:
            running.send_signal(signal.SIGTERM)
        assert running.wait() == 0


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["trunk", *arguments], catch_exceptions=False)


@pytest.mark.usefixtures("running")
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


async def test_calls_go_out_from_the_address_that_is_let_in(running: subprocess.Popen[str]) -> None:
    """A private Asterisk takes an address of its own on loopback where the settings name none."""
    assert run("apply", "--yes").exit_code == 0
    settings = load(Path("trunkline.toml"))
    assert settings.asterisk.address == settings.twilio.addresses[0]
    assert settings.asterisk.tls_ca is not None and settings.asterisk.tls_ca.read_text().startswith("-----BEGIN")


async def test_enter_has_somebody_call_in(running: subprocess.Popen[str]) -> None:
    assert run("apply", "--yes").exit_code == 0
    settings = load(Path("trunkline.toml")).asterisk
    loop = asyncio.get_running_loop()
    heard: asyncio.Future[bytes] = loop.create_future()

    class Listener(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: object) -> None:
            if not heard.done():
                heard.set_result(data)

    address = (settings.address or "", settings.sip_port)
    transport, _ = await loop.create_datagram_endpoint(Listener, local_addr=address)
    try:
        assert running.stdin is not None
        running.stdin.write("\n")
        running.stdin.flush()
        async with asyncio.timeout(30):
            assert (await heard).startswith(f"INVITE sip:{OURS}@".encode())
    finally:
        transport.close()
