"""`trunkline store`, as somebody types it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.store.records import ANSWERED, a_call, a_turn
from typer.testing import CliRunner, Result

from trunkline.cli import app
from trunkline.errors import CallLive, InvalidNumber, TrunklineError, UnknownCall
from trunkline.models import CallRecord, CallState
from trunkline.settings import ServiceSettings
from trunkline.store import open_store

NUMBER = "+14155550100"


def keep(folder: Path, *calls: CallRecord) -> None:
    async def add() -> None:
        store = await open_store(ServiceSettings(data_dir=folder))
        for call in calls:
            await store.add(call)
            (folder / "recordings").mkdir(exist_ok=True)
            (folder / "recordings" / f"{call.id}.wav").write_bytes(b"RIFF")
        await store.close()

    asyncio.run(add())


def kept(folder: Path) -> list[str]:
    async def read() -> list[str]:
        store = await open_store(ServiceSettings(data_dir=folder))
        calls = await store.recent()
        await store.close()
        return [call.id for call in calls]

    return asyncio.run(read())


def ended(days_ago: float) -> CallRecord:
    call = a_call(state=CallState.ENDED, end=ANSWERED, ended_at=datetime.now(UTC) - timedelta(days=days_ago))
    return replace(call, number=NUMBER, recording=f"{call.id}.wav", turns=(a_turn(1),))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "trunkline.toml").write_text('[service]\ndata_dir = "."\n[privacy]\nkeep_calls_days = 30\n')
    return tmp_path


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["store", *words])


def test_what_is_due_is_told_and_then_deleted(folder: Path) -> None:
    old, new = ended(31), ended(29)
    keep(folder, old, new)
    told = run("purge", "--dry-run")
    assert told.output == "To be deleted: calls: 1, recordings: 0, transcripts: 0, numbers: 0.\n"
    assert len(kept(folder)) == 2
    assert run("purge").output == "Deleted: calls: 1, recordings: 0, transcripts: 0, numbers: 0.\n"
    assert kept(folder) == [new.id]
    assert [path.stem for path in (folder / "recordings").iterdir()] == [new.id]


def test_a_number_or_a_call_is_forgotten(folder: Path) -> None:
    calls = [ended(1), ended(2), replace(ended(3), number="+14155550199")]
    keep(folder, *calls)
    assert run("forget", "+1 415 555 0100").output == "Deleted: calls: 2, recordings: 2, transcripts: 2, numbers: 2.\n"
    assert kept(folder) == [calls[2].id]
    assert run("forget", calls[2].id).output.startswith("Deleted: calls: 1")
    assert not list((folder / "recordings").iterdir())


@pytest.mark.parametrize(
    ("whom", "error"), [("nobody", UnknownCall), ("+1", InvalidNumber), ("../etc", UnknownCall), (NUMBER, CallLive)]
)
def test_what_cannot_be_forgotten(folder: Path, whom: str, error: type[TrunklineError]) -> None:
    live = a_call(state=CallState.ANSWERED, number=NUMBER)
    keep(folder, live)
    assert isinstance(run("forget", whom).exception, error)
    assert kept(folder) == [live.id]
