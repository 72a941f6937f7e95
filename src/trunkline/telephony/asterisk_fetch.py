"""Provides an Asterisk: the one the settings name, the machine's own, the cached one, or one fetched into the cache.

A fetched Asterisk is a folder of unpacked packages, named for its version, that nothing installs and no root touches.
It appears whole or not at all; one process fetches at a time; a broken-off download goes on where it stopped.
"""

from __future__ import annotations

import asyncio
import fcntl
import gzip
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import platformdirs

from trunkline.errors import PbxUnavailable
from trunkline.settings import AsteriskSettings
from trunkline.telephony.asterisk_program import (
    AsteriskProgram,
    missing_libraries,
    program_of_binary,
    program_of_machine,
    program_of_tree,
)
from trunkline.telephony.private_apt import AptFailed, PrivateApt, Progress, Suite, suite_with_asterisk

_SOUND_PACKAGES: Final = ("asterisk-core-sounds-en", "asterisk-core-sounds-en-wav")
_WITH_SRTP: Final = "+srtp"
"""Marks the folder of an Asterisk that has the library of encrypted calls; one without it is fetched again."""
_KEY_MISSING: Final = ("NO_PUBKEY", "Missing key")
"""What gpgv and sqv say when the keyring lacks the suite's key."""


@dataclass(frozen=True, slots=True)
class SoundsFolder:
    """Prompts spoken by a human: WAV, 8 kHz, 16-bit, mono."""

    path: Path

    def texts(self) -> dict[str, str]:
        """Words by recording, `digits/1` for `digits/1.wav`; sounds that hold no words are left out."""
        (listing,) = self.path.glob("core-sounds-en.txt.gz")
        lines = gzip.decompress(listing.read_bytes()).decode().splitlines()
        pairs = (line.split(":", 1) for line in lines if ":" in line and not line.startswith(";"))
        return {
            name.strip(): text.strip()
            for name, text in pairs
            if text.strip() and "[" not in text and self.wav(name.strip()).is_file()
        }

    def wav(self, name: str) -> Path:
        return self.path / f"{name}.wav"


def no_progress(_text: str, _share: float | None) -> None:
    """For callers that show nothing."""


async def find_asterisk(settings: AsteriskSettings) -> AsteriskProgram | None:
    """An Asterisk that is already here. Raises `SettingsError` when the one the settings name won't do."""
    return await asyncio.to_thread(_find, settings)


def _find(settings: AsteriskSettings) -> AsteriskProgram | None:
    if settings.binary is not None:
        return program_of_binary(settings.binary)
    if (program := program_of_machine()) is not None:
        return program
    for tree in _cached(settings, f"asterisk-*{_WITH_SRTP}"):
        return program_of_tree(tree)
    return None


async def provide_asterisk(settings: AsteriskSettings, progress: Progress = no_progress) -> AsteriskProgram:
    """An Asterisk, fetched if there is none yet. Raises `SettingsError`, `PbxUnavailable`."""
    if (program := await find_asterisk(settings)) is not None:
        return program
    async with _alone(settings, progress) as lock:
        # Another process may have fetched it while we waited for the lock.
        if (program := await find_asterisk(settings)) is not None:
            return program
        apt = await _private_apt(settings, lock, progress)
        version = await apt.version("asterisk")
        name = f"asterisk-{version.split(':')[-1]}{_WITH_SRTP}"
        libraries, of_modules = await apt.depends("asterisk"), await apt.depends("asterisk-modules")
        # The modules a call needs get along with the program's own libraries and that of SRTP, so what all 300 modules
        # want stays away. Should that change with a later version, the second attempt brings everything.
        srtp = [library for library in of_modules if library.startswith("libsrtp")]
        attempts = [[*libraries, *srtp], [*libraries, *of_modules]]
        for number, names in enumerate(attempts, start=1):
            needed = await apt.closure(n for n in names if not n.startswith("asterisk") and n != "adduser")
            packages = await apt.download(["asterisk", "asterisk-modules", *needed], f"Asterisk {version}", progress)
            progress("unpacking Asterisk", None)
            async with _new_folder(settings, name) as tree:
                await asyncio.to_thread(_unpack, packages, tree)
                missing = await asyncio.to_thread(missing_libraries, tree)
                if missing and number == len(attempts):
                    raise PbxUnavailable(
                        f"The fetched Asterisk {version} lacks {', '.join(missing)}.",
                        remedy="Install Asterisk 18 or newer and name it in asterisk.binary.",
                    )
            if not missing:
                break
            await asyncio.to_thread(shutil.rmtree, _root(settings) / name)
        return await asyncio.to_thread(program_of_tree, _root(settings) / name)


async def provide_sounds(settings: AsteriskSettings, progress: Progress = no_progress) -> SoundsFolder:
    """Asterisk's English prompts and their words, fetched if they aren't here yet. Raises `PbxUnavailable`."""
    for folder in _cached(settings, "sounds-*"):
        return SoundsFolder(folder)
    async with _alone(settings, progress) as lock:
        for folder in _cached(settings, "sounds-*"):
            return SoundsFolder(folder)
        apt = await _private_apt(settings, lock, progress)
        name = f"sounds-{(await apt.version(_SOUND_PACKAGES[0])).split(':')[-1]}"
        packages = await apt.download(_SOUND_PACKAGES, "recorded prompts", progress)
        progress("unpacking recorded prompts", None)
        async with _new_folder(settings, name) as folder:
            unpacked = folder / "unpacked"
            unpacked.mkdir()
            await asyncio.to_thread(_unpack, packages, unpacked)
            (voice,) = (path.parent for path in unpacked.glob("usr/share/asterisk/sounds/*/vm-goodbye.wav"))
            for path in (*voice.iterdir(), *unpacked.glob("usr/share/doc/*/core-sounds-en.txt.gz")):
                path.rename(folder / path.name)
            await asyncio.to_thread(shutil.rmtree, unpacked)
        return SoundsFolder(_root(settings) / name)


def _root(settings: AsteriskSettings) -> Path:
    cache = settings.cache_dir or platformdirs.user_cache_path("trunkline")
    return cache.absolute() / "asterisk"


def _cached(settings: AsteriskSettings, pattern: str) -> list[Path]:
    """Complete folders of that name, newest first."""
    folders = [path for path in _root(settings).glob(pattern) if path.is_dir()]
    return sorted(folders, key=lambda path: path.stat().st_mtime, reverse=True)


@asynccontextmanager
async def _alone(settings: AsteriskSettings, progress: Progress) -> AsyncIterator[int]:
    """One process at a time fetches; yields the descriptor of the lock."""
    root = _root(settings)
    try:
        root.mkdir(parents=True, exist_ok=True)
        lock = os.open(root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise PbxUnavailable(
            f"The cache folder {root} can't be written: {error.strerror}.",
            remedy="Set asterisk.cache_dir to a folder of yours.",
        ) from error
    try:
        await _lock(lock, progress)
        for leftover in root.glob(".new-*"):
            await asyncio.to_thread(shutil.rmtree, leftover)
        yield lock
        # What was downloaded is kept only for an attempt that failed.
        await asyncio.to_thread(shutil.rmtree, root / "apt", ignore_errors=True)
    finally:
        os.close(lock)


async def _private_apt(settings: AsteriskSettings, lock: int, progress: Progress) -> PrivateApt:
    """An apt that knows the packages of the suite with Asterisk."""
    suite = suite_with_asterisk()
    # It inherits the lock: should we be killed, nobody else starts until our apt has ended.
    apt = PrivateApt(_root(settings) / "apt", held=(lock,))
    progress(f"reading the package index of {suite.origin} {suite.releases[0]}", None)
    mirrors = [settings.apt_mirror] if settings.apt_mirror else await apt.mirrors(suite.origin)
    failure = AptFailed("find a package mirror", "E: this machine has no package source")
    for mirror in mirrors:
        try:
            await _update(apt, mirror, suite)
            return apt
        except AptFailed as error:
            failure = error
    raise failure


async def _update(apt: PrivateApt, mirror: str, suite: Suite) -> None:
    try:
        await apt.update(mirror, suite)
    except AptFailed as error:
        if not any(text in error.output for text in _KEY_MISSING):
            raise
        await apt.renew_keyring(mirror, suite)
        await apt.update(mirror, suite)


async def _lock(descriptor: int, progress: Progress) -> None:
    said = False
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if not said:
                progress("waiting for another Trunkline that is fetching Asterisk", None)
                said = True
            # The kernel wakes a waiting thread, but such a thread can't be cancelled.
            await asyncio.sleep(0.2)


@asynccontextmanager
async def _new_folder(settings: AsteriskSettings, name: str) -> AsyncIterator[Path]:
    """A folder that gets its name when it is complete."""
    new = _root(settings) / f".new-{name}"
    new.mkdir()
    try:
        yield new
        os.utime(new)  # unpacking gave it the package's age; the newest folder is the one that is used
        new.rename(_root(settings) / name)
    finally:
        await asyncio.to_thread(shutil.rmtree, new, ignore_errors=True)


def _unpack(packages: Iterable[Path], folder: Path) -> None:
    """The files of Debian packages: ours, and none of them setuid."""
    extract = ["tar", "--extract", "--no-same-owner", "--no-same-permissions", "--directory", str(folder)]
    for package in packages:
        with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(package)], stdout=subprocess.PIPE) as reading:
            unpacked = subprocess.run(extract, stdin=reading.stdout, stderr=subprocess.PIPE, check=False)
        if reading.returncode != 0 or unpacked.returncode != 0:
            raise PbxUnavailable(
                f"{package.name} could not be unpacked: {unpacked.stderr.decode(errors='replace').strip()[-200:]}",
                remedy="Check the free space of the cache folder and start again.",
            )
