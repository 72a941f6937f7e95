"""Where calls are kept: a database for what is known of them, a shelf of WAV files for what was heard."""

import asyncio
import stat
from pathlib import Path

from trunkline.errors import SettingsError
from trunkline.settings import PrivacySettings, ServiceSettings
from trunkline.settings.privacy import recording_key
from trunkline.store.calls import SqlCallStore
from trunkline.store.database import address
from trunkline.store.playback import Recordings
from trunkline.store.recordings import WavShelf
from trunkline.store.sealing import Keyring


async def open_store(service: ServiceSettings) -> SqlCallStore:
    """The call store of these settings, brought up to date. Raises `SettingsError`, `StoreError`."""
    return await SqlCallStore.open(address(service))


async def open_shelf(service: ServiceSettings, keys: Keyring | None = None) -> WavShelf:
    """Where recordings are written, encrypted if there is a key. Raises `StoreError`."""
    return await WavShelf.at(service.data_dir / "recordings", keys)


def open_recordings(service: ServiceSettings, keys: Keyring) -> Recordings:
    """The finished ones."""
    return Recordings(service.data_dir / "recordings", keys)


async def open_keyring(privacy: PrivacySettings) -> Keyring:
    """The keys of recordings. Raises `SettingsError` for a key's file that is none, or that others may read."""
    current = None if privacy.recording_key is None else recording_key(privacy.recording_key.get_secret_value())
    if privacy.recording_key_file is not None:
        current = await asyncio.to_thread(_key_in, privacy.recording_key_file)
    return Keyring(current, tuple(recording_key(key.get_secret_value()) for key in privacy.old_recording_keys))


def _key_in(file: Path) -> bytes:
    try:
        if stat.S_IMODE(file.stat().st_mode) & 0o077:
            raise SettingsError(
                f"Others than its owner may read {file}, the key of recordings.", remedy=f"chmod 600 {file}"
            )
        return recording_key(file.read_text(encoding="ascii"))
    except OSError as error:
        raise SettingsError(
            f"The key of recordings, {file}, can't be read: {error.strerror}.",
            remedy="Correct privacy.recording_key_file.",
        ) from error
    except ValueError as error:
        raise SettingsError(f"{file} holds no key: {error}.", remedy="Correct privacy.recording_key_file.") from error


__all__ = [
    "Keyring",
    "Recordings",
    "SqlCallStore",
    "WavShelf",
    "open_keyring",
    "open_recordings",
    "open_shelf",
    "open_store",
]
