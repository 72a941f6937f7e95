"""`trunkline trunk` against the stand-in of Twilio's REST API."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from tests.carriers.twilio_stage import KEY, SECRET, Stage, stage
from typer.testing import CliRunner, Result

from trunkline.cli import app
from trunkline.errors import CarrierError, SettingsError
from trunkline.rehearsal.twilio_api import Fault, Seen
from trunkline.settings_file import load


@pytest.fixture
def twilio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    for name in [name for name in os.environ if name.startswith("TRUNKLINE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    with stage(tmp_path) as stage_:
        write_settings(stage_, 'addresses = ["203.0.113.7"]')
        (tmp_path / ".env").write_text(f"# mine\nTRUNKLINE_TWILIO__API_KEY_SECRET={SECRET}\n", encoding="utf-8")
        yield stage_


def write_settings(twilio: Stage, *lines: str, host: str = "acme.pstn.twilio.com") -> None:
    text = f"""
[trunk]
host = "{host}"
[twilio]
account_sid = "{twilio.twilio.sid}"
api_key_sid = "{KEY}"
api_url = "{twilio.url}"
numbers = ["+14155550111"]
""" + "\n".join(lines)
    Path("trunkline.toml").write_text(text, encoding="utf-8")


def run(*arguments: str, answer: str | None = None) -> Result:
    return CliRunner().invoke(app, ["trunk", *arguments], input=answer, catch_exceptions=False)


def test_plan_changes_nothing(twilio: Stage) -> None:
    result = run("plan")
    assert result.exit_code == 2
    assert "+ trunk Trunkline (trunkline)\n" in result.output
    assert "    domain: acme.pstn.twilio.com\n" in result.output
    assert "Calls may come from 203.0.113.7/32 (twilio.addresses)." in result.output
    assert "Plan: 8 to create, 0 to update, 0 to delete." in result.output
    assert twilio.api.writes == []
    assert "PASSWORD" not in Path(".env").read_text(encoding="utf-8")


def test_apply_then_nothing_to_do(twilio: Stage) -> None:
    first = run("apply", "--yes")
    assert first.exit_code == 0
    assert "acme.pstn.twilio.com is ready" in first.output
    writes = len(twilio.api.writes)
    second = run("apply")
    assert (second.exit_code, len(twilio.api.writes)) == (0, writes)
    assert "Nothing to do" in second.output
    assert run("plan").exit_code == 0


def test_the_password_is_made_kept_used_and_never_shown(twilio: Stage) -> None:
    outputs = [run("apply", "--yes").output, run("show").output, run("plan").output, run("destroy", "--yes").output]
    trunk = load().trunk
    assert trunk.password is not None
    password = trunk.password.get_secret_value()
    assert trunk.username == "trunkline"
    assert len(password) == 32
    assert not [output for output in outputs if password in output or SECRET in output]
    env = Path(".env")
    assert env.stat().st_mode & 0o777 == 0o600
    assert env.read_text(encoding="utf-8").startswith(f"# mine\nTRUNKLINE_TWILIO__API_KEY_SECRET={SECRET}\n")
    twilio.twilio.taken_domains.clear()
    run("apply", "--yes")
    assert list(twilio.twilio.passwords.values())[-1] == password, "kept for the next time"


def test_the_password_goes_through_no_link_and_into_no_file_that_was_lying_there(twilio: Stage) -> None:
    other = Path("other")
    other.write_text("somebody's", encoding="utf-8")
    Path("..env.new").symlink_to(other)
    assert run("apply", "--yes").exit_code == 0
    assert other.read_text(encoding="utf-8") == "somebody's"
    assert "PASSWORD" in Path(".env").read_text(encoding="utf-8") and not Path(".env").is_symlink()


def test_interrupted_before_the_credential_the_password_stays_the_same(twilio: Stage) -> None:
    twilio.api.fault = lambda request: Fault(done=True) if request.path.endswith("/Credentials.json") and (
        request.method == "POST"
    ) else None  # fmt: skip
    with pytest.raises(CarrierError):
        run("apply", "--yes")
    kept = Path(".env").read_text(encoding="utf-8")
    twilio.api.fault = lambda _request: None
    assert run("apply", "--yes").exit_code == 0
    assert Path(".env").read_text(encoding="utf-8") == kept
    (password,) = twilio.twilio.passwords.values()
    assert password in kept


@pytest.mark.parametrize("write", [1, 4, 6])
def test_killed_and_run_again(twilio: Stage, write: int) -> None:
    """`kill -9` when Twilio has done a write and not answered: a list, the credential, a link."""
    started, seen = threading.Event(), list[str]()

    def kill(_request: Seen) -> Fault | None:
        if len(twilio.api.writes) != write:
            return None
        started.wait()
        seen.append(Path(f"/proc/{process.pid}/cmdline").read_text(encoding="utf-8"))
        process.kill()
        return Fault(done=True)

    twilio.api.fault = kill
    with subprocess.Popen([sys.executable, "-m", "trunkline", "trunk", "apply", "--yes"]) as process:
        started.set()
        assert process.wait() == -signal.SIGKILL
    twilio.api.fault = lambda _request: None
    assert run("apply", "--yes").exit_code == 0
    assert len(twilio.twilio.all("/SIP/CredentialLists")) == len(twilio.twilio.all("/SIP/IpAccessControlLists")) == 1
    assert len(twilio.twilio.all("/Credentials")) == len(twilio.twilio.all("/v1/Trunks")) == 1
    (password,) = twilio.twilio.passwords.values()
    assert password in Path(".env").read_text(encoding="utf-8")
    assert "apply" in seen[0] and password not in seen[0] and SECRET not in seen[0]
    assert "Nothing to do" in run("apply").output


def test_no_is_no(twilio: Stage) -> None:
    result = run("apply", answer="n\n")
    assert result.exit_code == 1
    assert twilio.api.writes == []
    assert "PASSWORD" not in Path(".env").read_text(encoding="utf-8")


def test_how_far_it_came(twilio: Stage) -> None:
    twilio.api.fault = lambda request: Fault(500) if len(twilio.api.writes) == 3 else None
    result = CliRunner().invoke(app, ["trunk", "apply", "--yes"])
    assert isinstance(result.exception, CarrierError)
    assert "2 of 8 steps are done; this one failed: create credential list Trunkline (trunkline)" in result.output


def test_destroy_warns_and_asks(twilio: Stage) -> None:
    run("apply", "--yes")
    writes = len(twilio.api.writes)
    result = run("destroy", answer="n\n")
    assert (result.exit_code, len(twilio.api.writes)) == (1, writes)
    assert "30 days" in result.output
    assert run("destroy", "--yes").exit_code == 0
    assert twilio.twilio.all("/v1/Trunks") == []
    assert len(twilio.twilio.all("/IncomingPhoneNumbers")) == 2
    assert "Nothing to do" in run("destroy").output


def test_show(twilio: Stage) -> None:
    assert "There is nothing named 'Trunkline (trunkline)'" in run("show").output
    run("apply", "--yes")
    shown = run("show").output
    assert "Account Stand-in: active, Full, balance 19.32 USD" in shown
    assert "number: +14155550111" in shown


def test_show_with_a_standard_key_and_a_name_in_brackets(twilio: Stage) -> None:
    twilio.twilio.standard_keys.add(KEY)
    run("apply", "--yes")
    (trunk,) = twilio.twilio.all("/v1/Trunks")
    node = {"FriendlyName": "[red]", "SipUrl": "sip:192.0.2.1", "Priority": "1", "Weight": "1", "Enabled": "true"}
    twilio.twilio.add(f"/v1/Trunks/{trunk['sid']}/OriginationUrls", node)
    result = run("show")
    assert result.exit_code == 0
    assert "origination: [red] OU" in result.output and "main API key" in result.output


def test_the_address_is_found_and_shown(twilio: Stage) -> None:
    class Mirror(BaseHTTPRequestHandler):
        answer = b"198.51.100.23\n"

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(self.answer)))
            self.end_headers()
            self.wfile.write(self.answer)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    with HTTPServer(("127.0.0.1", 0), Mirror) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        service = f"http://127.0.0.1:{server.server_port}/"
        write_settings(twilio, f'address_service = "{service}"')
        assert f"Calls may come from 198.51.100.23/32 (as {service} sees this machine)" in run("plan").output
        Mirror.answer = b"<html>"
        with pytest.raises(CarrierError, match="public address could not be found") as refused:
            run("plan")
        assert "addresses =" in (refused.value.remedy or "")
        server.shutdown()


def test_settings_that_lack_something(twilio: Stage) -> None:
    write_settings(twilio, host="sip.example.com")
    with pytest.raises(SettingsError, match="no termination domain"):
        run("plan")
    Path(".env").unlink()
    Path("trunkline.toml").write_text('[trunk]\nhost = "acme.pstn.twilio.com"\n', encoding="utf-8")
    with pytest.raises(SettingsError, match="account_sid is not set"):
        run("show")
    sid = twilio.twilio.sid
    Path("trunkline.toml").write_text(f'[twilio]\naccount_sid = "{sid}"\n', encoding="utf-8")
    with pytest.raises(SettingsError, match="no key") as refused:
        run("show")
    assert "API_KEY_SECRET" in (refused.value.remedy or "")
