"""`trunkline dnc`, `trunkline dialling` and `trunkline keys`: what they write, the service finds."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.store.records import at
from typer.testing import CliRunner, Result

from trunkline.access import AuditLine, digest
from trunkline.cli import app
from trunkline.cli.shared import opened_access_book, opened_ledger
from trunkline.settings import ServiceSettings, Settings

NUMBER = "+14155550100"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRUNKLINE_SERVICE__DATA_DIR", str(tmp_path / "data"))
    return Settings(service=ServiceSettings(data_dir=tmp_path / "data"))


async def _in_a_thread(*words: str) -> Result:
    """The commands run loops of their own."""
    return await asyncio.to_thread(trunkline, *words)


def trunkline(*words: str) -> Result:
    return CliRunner().invoke(app, words)


def test_the_list(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text(f"name,phone\nAnn,{NUMBER}\nBob,(415) 555-0101\nEve,nobody\n", encoding="utf-8-sig")
    imported = trunkline("dnc", "import", str(file), "--prefix", "+1", "--why", "national list")
    assert imported.exit_code == 3
    assert "2 numbers are new" in imported.output and "line 4" in imported.output
    assert trunkline("dnc", "add", "+1 415 555 0102").exit_code == 0
    assert trunkline("dnc", "remove", NUMBER).exit_code == 0
    lines = trunkline("dnc", "list").output.splitlines()
    assert [line.split(",")[0] for line in lines] == ["number", "+14155550101", "+14155550102"]
    assert '"national list"' in lines[1]
    again = trunkline("dnc", "remove", NUMBER)
    assert again.exit_code == 1 and "not on the do-not-call list" in str(again.exception)


def test_a_list_that_is_none(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "picture").write_bytes(b"\x89PNG\xff\xfe")
    for name in ("picture", "nothing"):
        assert "can't be read" in str(trunkline("dnc", "import", str(tmp_path / name)).exception)


async def test_the_switch(settings: Settings) -> None:
    async with opened_ledger(settings) as ledger:
        await _in_a_thread("dialling", "stop", "complaints")
        assert (found := await ledger.stop()) is not None and found.why == "complaints"
        assert "complaints" in (await _in_a_thread("dialling", "status")).output
        await _in_a_thread("dialling", "resume")
        assert await ledger.stop() is None
        assert "may go out" in (await _in_a_thread("dialling", "status")).output


async def test_keys_come_and_go(settings: Settings) -> None:
    made = (await _in_a_thread("keys", "create", "n8n", "--scope", "read")).stdout.strip()
    assert "n8n" in (await _in_a_thread("keys", "list")).output
    async with opened_access_book(settings) as book:
        assert [key.digest for key in await book.keys()] == [digest(made.encode())]
    assert "already" in str((await _in_a_thread("keys", "create", "n8n", "--scope", "call")).exception)
    assert (await _in_a_thread("keys", "create", "n8n")).exit_code == 2
    assert "no name" in str((await _in_a_thread("keys", "create", "a b", "--scope", "call")).exception)
    assert (await _in_a_thread("keys", "revoke", "n8n")).exit_code == 0
    assert "no key" in str((await _in_a_thread("keys", "revoke", "n8n")).exception)


async def test_the_audit_log_is_shown(settings: Settings) -> None:
    async with opened_access_book(settings) as book:
        await book.note(AuditLine(at(0), "n8n", "POST /call", "+1415•••0100", 403, "do_not_call"))
        await book.note(AuditLine(at(1), "", "DELETE /calls/x", None, 202, None))
    shown = (await _in_a_thread("keys", "audit")).output.splitlines()
    assert shown[0].split()[2:] == ["n8n", "POST", "/call", "+1415•••0100", "403", "do_not_call"]
    assert "(no key)" in shown[1]
    assert len((await _in_a_thread("keys", "audit", "--key", "n8n")).output.splitlines()) == 1
