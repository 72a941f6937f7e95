"""A real Asterisk for tests, fetched once into the cache (`TRUNKLINE_ASTERISK__CACHE_DIR` or the user's)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from trunkline.settings import AsteriskSettings, ServiceSettings, Settings, TransferSettings, TrunkSettings
from trunkline.telephony.asterisk_fetch import SoundsFolder, provide_asterisk, provide_sounds
from trunkline.telephony.asterisk_program import AsteriskProgram
from trunkline.telephony.pbx import PrivateAsterisk

NOBODY = "127.0.0.1:9"
"""An AudioSocket address where nothing listens."""

PrivateAsteriskFactory = Callable[..., AbstractAsyncContextManager[PrivateAsterisk]]


@pytest.fixture(scope="session")
def asterisk_program() -> AsteriskProgram:
    return asyncio.run(provide_asterisk(Settings().asterisk))


@pytest.fixture(scope="session")
def asterisk_sounds() -> SoundsFolder:
    """Recordings of a human speaker, with their words."""
    return asyncio.run(provide_sounds(Settings().asterisk))


@pytest.fixture
def private_asterisk(asterisk_program: AsteriskProgram, tmp_path: Path) -> PrivateAsteriskFactory:
    """`async with private_asterisk(TrunkSettings(...), audiosocket="host:port") as pbx:`; boots in a quarter second."""

    def make(
        trunk: TrunkSettings | None = None,
        *,
        audiosocket: str = NOBODY,
        folder: Path = tmp_path,
        asterisk: AsteriskSettings | None = None,
        transfers: Mapping[str, TransferSettings] | None = None,
    ) -> PrivateAsterisk:
        settings = Settings(
            service=ServiceSettings(data_dir=folder),
            trunk=trunk or TrunkSettings(),
            asterisk=asterisk or AsteriskSettings(),
            transfers=dict(transfers or {}),
        )
        return PrivateAsterisk(asterisk_program, settings, audiosocket=audiosocket)

    return make
