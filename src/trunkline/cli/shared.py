"""What every command needs: the settings, and errors told as a sentence instead of a traceback."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from trunkline.access import AccessBook
from trunkline.ledger import Ledger
from trunkline.settings import Settings
from trunkline.settings_file import load

if TYPE_CHECKING:
    from trunkline.store.transactions import Tables

AUDIOSOCKET = "127.0.0.1:9092"
SECRETS_FILE = Path(".env")
MASK = "••••••••"


def load_settings(context: typer.Context) -> Settings:
    """The settings as `--config` and the environment say. Raises `SettingsError`."""
    root = context.find_root()
    config = root.params.get("config")
    return load(Path(str(config)) if config else None)


@asynccontextmanager
async def opened_ledger(settings: Settings) -> AsyncIterator[Ledger]:
    """What is kept about dialling, whether the service runs or not. Raises `StoreError`."""
    from trunkline.store.ledger import SqlLedger  # noqa: PLC0415  # as below

    async with _tables(settings) as tables:
        yield SqlLedger(tables)


@asynccontextmanager
async def opened_access_book(settings: Settings) -> AsyncIterator[AccessBook]:
    """The API keys, likewise."""
    from trunkline.store.access import SqlAccessBook  # noqa: PLC0415  # as below

    async with _tables(settings) as tables:
        yield SqlAccessBook(tables)


@asynccontextmanager
async def _tables(settings: Settings) -> AsyncIterator[Tables]:
    # A database takes longer to import than most commands take to run.
    from trunkline.store.database import address  # noqa: PLC0415
    from trunkline.store.transactions import Tables  # noqa: PLC0415

    tables = await Tables.open(address(settings.service))
    try:
        yield tables
    finally:
        await tables.close()
