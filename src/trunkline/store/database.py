"""The database below the store: its address, its connections, and the migrations that bring it up to date."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from trunkline.errors import RecordRefused, SettingsError, StoreError
from trunkline.settings import ServiceSettings
from trunkline.store.tables import storable

WRITING = "trunkline_writing"
"""Execution option of connections that are about to write."""
_BUSY_MS = 5000
"""How long a writer waits for another process (a back-up, the command line) to let go of the SQLite file."""


def address(service: ServiceSettings) -> URL:
    """Where the settings say that calls are kept. Raises `SettingsError`, which never shows the password."""
    if service.database_url is None:
        return URL.create("sqlite", database=str((service.data_dir / "trunkline.db").absolute()))
    try:
        url = make_url(service.database_url.get_secret_value())
    except ArgumentError as error:
        raise SettingsError(
            "service.database_url is not a database address.", remedy="Write it as sqlite:////folder/trunkline.db."
        ) from error
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        raise SettingsError(
            "service.database_url names no SQLite file; this version keeps calls in SQLite only.",
            remedy="Write it as sqlite:////folder/trunkline.db, or leave it out.",
        )
    return url


def make_folder(url: URL) -> None:
    """The folder a SQLite file lies in. Raises `StoreError`."""
    folder = Path(url.database or "").parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"The folder {folder} can't be made: {error.strerror}.", remedy="Set service.data_dir to one that can."
        ) from error


def connect(url: URL) -> AsyncEngine:
    """Connections for the event loop. Opens nothing yet."""
    # Four: one writer and enough readers for a busy API; each is a thread.
    engine = create_async_engine(
        url.set(drivername="sqlite+aiosqlite"), pool_size=4, max_overflow=0, json_serializer=_to_json
    )
    _obey(engine.sync_engine)
    return engine


def connect_blocking(url: URL) -> Engine:
    """The same for a thread."""
    engine = create_engine(url.set(drivername="sqlite+pysqlite"), json_serializer=_to_json)
    _obey(engine)
    return engine


def _to_json(value: object) -> str:
    # NaN is not JSON: PostgreSQL would refuse it, and so would whoever reads our API.
    return storable(json.dumps(value, ensure_ascii=False, allow_nan=False))


def _obey(engine: Engine) -> None:
    """SQLite as we want it: every transaction explicit, schema changes included."""

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # sqlite3 must not begin or commit behind our back
        cursor = connection.cursor()
        for pragma in (
            "journal_mode = WAL",
            # With WAL a commit is in the kernel's hands before it returns: killing the process loses nothing.
            # FULL would wait for the disk as well, which guards against power loss only.
            "synchronous = NORMAL",
            f"busy_timeout = {_BUSY_MS}",
            "foreign_keys = ON",
            # What is deleted is overwritten, not only forgotten about.
            "secure_delete = ON",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A transaction that reads first and then writes fails at once when somebody else wrote in between;
        # one that announces its writing waits its turn.
        writing = connection.get_execution_options().get(WRITING)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


def upgrade(url: URL) -> None:
    """Make the tables what this version expects, all or nothing. Blocks. Raises `StoreError`."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    known = {revision.revision for revision in ScriptDirectory.from_config(config).walk_revisions()}
    engine = connect_blocking(url)
    try:
        with explained(f"open the call store {url.database}"), engine.connect() as plain:
            connection = plain.execution_options(**{WRITING: True})
            # One transaction around it all: a second process that starts now waits and then finds nothing to do.
            with connection.begin():
                if newer := set(MigrationContext.configure(connection).get_current_heads()) - known:
                    raise StoreError(
                        f"The call store {url.database} was written by a newer Trunkline (revision {min(newer)}).",
                        remedy="Install that version again, or set service.data_dir to another folder.",
                    )
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
    finally:
        engine.dispose()


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Turns what the database and its driver raise into a `StoreError` that says what could not be done."""
    try:
        yield
    except (DBAPIError, CommandError, PoolTimeout) as error:
        if isinstance(error, IntegrityError | DataError):
            raise RecordRefused(f"Could not {what}: {_cause(error)}.") from error
        raise StoreError(
            f"Could not {what}: {_cause(error)}.",
            remedy="Check that the file can be written, is a Trunkline database and that its disk has room.",
        ) from error
    except (SQLAlchemyError, OverflowError) as error:
        # What was handed in can't be put into a column: a time without zone, NaN, a number of a hundred digits.
        raise RecordRefused(f"Could not {what}: {_cause(error)}.") from error


def _cause(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error).splitlines()[0].rstrip(".")
