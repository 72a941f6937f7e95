"""Where calls are kept: a database for what is known of them, a shelf of WAV files for what was heard."""

from trunkline.settings import ServiceSettings
from trunkline.store.calls import SqlCallStore
from trunkline.store.database import address
from trunkline.store.recordings import WavShelf


async def open_store(service: ServiceSettings) -> SqlCallStore:
    """The call store of these settings, brought up to date. Raises `SettingsError`, `StoreError`."""
    return await SqlCallStore.open(address(service))


async def open_shelf(service: ServiceSettings) -> WavShelf:
    """The recordings of these settings. Raises `StoreError`."""
    return await WavShelf.at(service.data_dir / "recordings")


__all__ = ["SqlCallStore", "WavShelf", "open_shelf", "open_store"]
