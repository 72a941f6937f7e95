"""Address, migrations, and what a killed process leaves behind."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import URL

from tests.store.records import ANSWERED, a_call, a_turn, an_event, at
from trunkline.errors import SettingsError, StoreError
from trunkline.models import CallId, CallState
from trunkline.settings import ServiceSettings
from trunkline.store import SqlCallStore, open_store
from trunkline.store.database import address, connect_blocking, upgrade
from trunkline.store.tables import metadata


@pytest.fixture
def url(tmp_path: Path) -> URL:
    return address(ServiceSettings(data_dir=tmp_path))


def execute(url: URL, statement: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(str(url.database))
    try:
        with connection:
            return connection.execute(statement).fetchall()
    finally:
        connection.close()


def test_the_migrations_make_the_tables_the_code_expects(url: URL) -> None:
    upgrade(url)
    engine = connect_blocking(url)
    try:
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, metadata) == []
    finally:
        engine.dispose()


def test_upgrading_twice_changes_nothing(url: URL) -> None:
    upgrade(url)
    before = execute(url, "SELECT * FROM sqlite_master ORDER BY name")
    upgrade(url)
    assert execute(url, "SELECT * FROM sqlite_master ORDER BY name") == before


def test_a_migration_that_fails_leaves_nothing_half_done(url: URL) -> None:
    execute(url, "CREATE TABLE turns (somebody_elses TEXT)")  # the second table of the first migration
    with pytest.raises(StoreError, match="turns already exists"):
        upgrade(url)
    assert execute(url, "SELECT name FROM sqlite_master") == [("turns",)]


def test_a_database_newer_than_the_code_is_left_alone(url: URL) -> None:
    upgrade(url)
    execute(url, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreError, match=r"newer Trunkline \(revision 9999\)") as caught:
        upgrade(url)
    assert caught.value.remedy and "data_dir" in caught.value.remedy
    assert execute(url, "SELECT version_num FROM alembic_version") == [("9999",)]


def test_a_file_that_is_no_database_is_left_alone(url: URL) -> None:
    file = Path(str(url.database))
    file.write_bytes(b"these are my notes, not a database" * 100)
    with pytest.raises(StoreError, match="not a database"):
        upgrade(url)
    assert file.read_bytes().startswith(b"these are my notes")


async def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("a file is in the way")
    with pytest.raises(StoreError, match="can't be made"):
        await open_store(ServiceSettings(data_dir=tmp_path / "var" / "data"))


@pytest.mark.parametrize(
    "database_url", ["nonsense", "sqlite://", "sqlite:///:memory:", "postgresql://ada:s3cret@db.example/calls"]
)
def test_addresses_that_name_no_sqlite_file(database_url: str) -> None:
    with pytest.raises(SettingsError, match=r"service\.database_url") as caught:
        address(ServiceSettings.model_validate({"database_url": database_url}))
    assert "s3cret" not in str(caught.value)


def test_an_address_may_be_given(tmp_path: Path) -> None:
    service = ServiceSettings.model_validate({"database_url": f"sqlite:///{tmp_path}/calls.db"})
    assert address(service).database == f"{tmp_path}/calls.db"


async def test_deleting_a_call_takes_what_hangs_on_it(url: URL) -> None:
    store = await SqlCallStore.open(url)
    call = a_call()
    await store.add(call)
    await store.add_turn(call.id, a_turn())
    await store.add_event(an_event(call.id))
    engine = connect_blocking(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM calls")
    engine.dispose()
    await store.close()
    assert execute(url, "SELECT (SELECT count(*) FROM turns) + (SELECT count(*) FROM call_events)") == [(0,)]


async def test_a_write_is_finished_though_its_task_is_cancelled(url: URL) -> None:
    store = await SqlCallStore.open(url)
    call = a_call()
    await store.add(call)
    other = sqlite3.connect(str(url.database))
    other.execute("BEGIN IMMEDIATE")  # holds the write lock, so that the store has to wait
    ending = asyncio.create_task(store.end(call.id, ANSWERED, at(60)))
    await store.get(call.id)
    ending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await ending
    other.close()
    await store.close()

    again = await SqlCallStore.open(url)
    kept = await again.get(call.id)
    await again.close()
    assert kept is not None
    assert kept.end == ANSWERED


async def test_a_file_that_somebody_else_keeps_locked(url: URL, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trunkline.store.database._BUSY_MS", 50)
    store = await SqlCallStore.open(url)
    other = sqlite3.connect(str(url.database))
    other.execute("BEGIN EXCLUSIVE")
    call = a_call()
    with pytest.raises(StoreError, match="locked") as caught:
        await store.add(call)
    assert caught.value.retryable
    other.close()
    await store.add(call)  # and it recovers
    assert await store.get(call.id) == call
    await store.close()


DYING = """
import asyncio, sys
from pathlib import Path
from tests.store.records import ANSWERED, a_call, a_turn, an_event, at
from trunkline.audio import SILENCE
from trunkline.settings import ServiceSettings
from trunkline.store import open_shelf, open_store

async def main() -> None:
    service = ServiceSettings(data_dir=Path(sys.argv[1]))
    store, shelf = await open_store(service), await open_shelf(service)
    ended, live = a_call(), a_call(created_at=at(1))
    for call in (ended, live):
        await store.add(call)
        await store.add_turn(call.id, a_turn())
        await store.add_event(an_event(call.id))
    recorder = shelf.open(live.id)
    for _ in range(500):
        recorder.write(SILENCE, SILENCE)
    finished = shelf.open(ended.id)
    finished.write(SILENCE, SILENCE)
    await finished.close()
    await store.end(ended.id, ANSWERED, at(60), recording=finished.path.name)
    print(ended.id, live.id, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_what_was_written_survives_a_killed_process(url: URL, tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", DYING, str(tmp_path), stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    assert process.stdout is not None
    ended, live = (CallId(name) for name in (await asyncio.wait_for(process.stdout.readline(), 60)).decode().split())
    process.send_signal(signal.SIGKILL)
    await process.wait()

    store = await SqlCallStore.open(url)
    kept, open_still = await store.get(ended), await store.get(live)
    await store.close()
    assert kept is not None and open_still is not None
    assert (kept.state, kept.end, len(kept.turns), len(kept.events)) == (CallState.ENDED, ANSWERED, 1, 1)
    assert (open_still.state, len(open_still.turns)) == (CallState.QUEUED, 1)
    assert (tmp_path / "recordings" / f"{ended}.wav").stat().st_size == 44 + 640
    assert (tmp_path / "recordings" / f"{live}.wav").stat().st_size == 44 + 500 * 640
