"""Fetching Asterisk with real apt from a little signed archive on this disk."""

from __future__ import annotations

import asyncio
import fcntl
import gzip
import platform
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.telephony.debian_archive import DebianArchive
from trunkline.errors import PbxUnavailable, SettingsError
from trunkline.settings import AsteriskSettings
from trunkline.telephony import asterisk_fetch
from trunkline.telephony.asterisk_fetch import find_asterisk, provide_asterisk, provide_sounds
from trunkline.telephony.asterisk_modules import MODULES
from trunkline.telephony.private_apt import AptFailed, PrivateApt, Suite, suite_with_asterisk

pytestmark = pytest.mark.skipif(
    any(shutil.which(tool) is None for tool in ("apt-get", "dpkg-deb", "gpg")),
    reason="apt, dpkg-deb and gpg are not all installed: this is no Debian or Ubuntu",
)

VERSION = "1:22.5.1~dfsg-1"
LIBRARIES = "usr/lib/x-linux-gnu"
# Answers as Asterisk's loader does: with its version, and with libraries that are or aren't in the tree.
LOADER = f"""#!/bin/sh
tree=${{0%/{LIBRARIES}/*}}
case "$*" in
  *" -V") echo "Asterisk 22.5.1~dfsg-1" ;;
  *chan_pjsip.so) [ -e "$tree/{LIBRARIES}/libspecial.so" ] || echo "  libspecial.so => not found" ;;
  *res_srtp.so) [ -e "$tree/{LIBRARIES}/libsrtp.so" ] || echo "  libsrtp.so => not found" ;;
esac
"""


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DebianArchive]:
    archive = DebianArchive(tmp_path_factory.mktemp("archive"))
    archive.key("old")
    archive.key("new")
    modules = {f"{LIBRARIES}/asterisk/modules/{name}.so": "" for name in MODULES}
    common = [
        archive.package(
            "asterisk",
            VERSION,
            {"usr/sbin/asterisk": "", "usr/share/asterisk/rest-api/x": ""},
            f"adduser, asterisk-modules (= {VERSION}), libplain (>= 1) | libother",
        ),
        archive.package("libplain", "1.0-1", {f"{LIBRARIES}/libplain.so": ""}, "libloader"),
        archive.package("libloader", "2.0-1", {f"{LIBRARIES}/ld-linux-x.so.2": LOADER}),
        archive.package("libspecial", "3.0-1", {f"{LIBRARIES}/libspecial.so": ""}),
        archive.package("libsrtp2-1", "2.0-1", {f"{LIBRARIES}/libsrtp.so": ""}),
        archive.package(
            "asterisk-core-sounds-en",
            "1.6.1-1",
            {"usr/share/doc/asterisk-core-sounds-en/core-sounds-en.txt.gz": ""},
        ),
        archive.package(
            "asterisk-core-sounds-en-wav", "1.6.1-1", {"usr/share/asterisk/sounds/en_X/vm-goodbye.wav": ""}
        ),
    ]
    archive.release(
        "forky", "new", *common, archive.package("asterisk-modules", VERSION, modules, "libspecial, libsrtp2-1")
    )
    keys = archive.folder / "new.gpg"
    keyring_package = archive.folder / "build/debian-archive-keyring/usr/share/keyrings/debian-archive-keyring.gpg"
    keyring_package.parent.mkdir(parents=True)
    shutil.copyfile(keys, keyring_package)
    archive.release("bookworm", "old", archive.package("debian-archive-keyring", "2099.1", {}))
    yield archive
    archive.close()


@pytest.fixture(autouse=True)
def bare_machine(archive: DebianArchive, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without Asterisk whose keyring knows the suite."""
    monkeypatch.setattr(asterisk_fetch, "program_of_machine", lambda: None)
    use_keyring(monkeypatch, archive.folder / "new.gpg")


def use_keyring(monkeypatch: pytest.MonkeyPatch, keyring: Path) -> None:
    suite = Suite("Debian", ("forky",), "main", keyring)
    monkeypatch.setattr(asterisk_fetch, "suite_with_asterisk", lambda: suite)


@pytest.fixture
def settings(archive: DebianArchive, tmp_path: Path) -> AsteriskSettings:
    return AsteriskSettings(cache_dir=tmp_path / "cache", apt_mirror=archive.mirror)


async def test_fetching_and_finding_again(settings: AsteriskSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    assert await find_asterisk(settings) is None
    program = await provide_asterisk(settings, lambda text, _share: said.append(text))
    assert program.version == "22.5.1"
    assert program.data_dir.joinpath("rest-api").is_dir()
    assert program.modules() == set(MODULES)
    # chan_pjsip missed a library of asterisk-modules, so the second attempt brought all of those
    assert said.count("unpacking Asterisk") == 2
    monkeypatch.setenv("PATH", "/nowhere")
    assert await provide_asterisk(settings) == program
    assert settings.cache_dir is not None
    assert sorted(path.name for path in (settings.cache_dir / "asterisk").iterdir()) == [
        "asterisk-22.5.1~dfsg-1+srtp",
        "lock",
    ]


async def test_an_asterisk_without_encryption_is_not_taken_from_the_cache(
    settings: AsteriskSettings, tmp_path: Path
) -> None:
    (tmp_path / "cache/asterisk/asterisk-22.5.1~dfsg-1").mkdir(parents=True)
    assert await find_asterisk(settings) is None
    program = await provide_asterisk(settings)
    assert (program.modules_dir.parent.parent / "libsrtp.so").is_file()


async def test_sounds_and_their_words(settings: AsteriskSettings) -> None:
    sounds = await provide_sounds(settings)
    assert sounds.wav("vm-goodbye").is_file()
    listing = "; a comment\nvm-goodbye: Goodbye.\nabsent: Not here.\nbeep: [a tone]\n\n"
    (sounds.path / "core-sounds-en.txt.gz").write_bytes(gzip.compress(listing.encode()))
    assert sounds.texts() == {"vm-goodbye": "Goodbye."}
    assert await provide_sounds(settings) == sounds


async def test_a_suite_with_a_foreign_signature_is_refused(
    archive: DebianArchive, settings: AsteriskSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_keyring(monkeypatch, archive.key("stranger"))
    with pytest.raises(AptFailed, match="not signed"):
        await provide_asterisk(settings)
    assert await find_asterisk(settings) is None


async def test_an_older_keyring_is_renewed_from_the_machines_own_release(
    archive: DebianArchive, settings: AsteriskSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = archive.folder / "keyrings" / "debian-archive-keyring.gpg"
    old.parent.mkdir()
    shutil.copyfile(archive.folder / "old.gpg", old)
    use_keyring(monkeypatch, old)
    monkeypatch.setattr(platform, "freedesktop_os_release", lambda: {"VERSION_CODENAME": "bookworm"})
    assert (await provide_asterisk(settings)).version == "22.5.1"


async def test_a_tampered_package_is_refused(
    archive: DebianArchive, settings: AsteriskSettings, tmp_path: Path
) -> None:
    forged = tmp_path / "mirror"
    shutil.copytree(archive.folder, forged, ignore=shutil.ignore_patterns("gnupg"))
    (package,) = (forged / "pool").glob("asterisk_*")
    data = bytearray(package.read_bytes())
    data[-1] ^= 1
    package.write_bytes(data)
    with pytest.raises(AptFailed):
        await provide_asterisk(settings.model_copy(update={"apt_mirror": f"file:{forged}"}))
    assert await find_asterisk(settings) is None


async def test_a_package_damaged_by_a_crash_is_found_out(archive: DebianArchive, tmp_path: Path) -> None:
    apt = PrivateApt(tmp_path / "apt")
    await apt.update(archive.mirror, archive.suite(archive.folder / "new.gpg"))
    (package,) = await apt.download(["libplain"], "a library", lambda _text, _share: None)
    whole = package.read_bytes()
    package.write_bytes(bytes(len(whole)))
    with pytest.raises(AptFailed, match="damaged"):
        await apt.download(["libplain"], "a library", lambda _text, _share: None)
    (package,) = await apt.download(["libplain"], "a library", lambda _text, _share: None)
    assert package.read_bytes() == whole


async def test_only_one_process_fetches_at_a_time(settings: AsteriskSettings, tmp_path: Path) -> None:
    program = await provide_asterisk(settings)
    cache = tmp_path / "cache" / "asterisk"
    tree = next(cache.glob("asterisk-*"))
    tree.rename(tmp_path / tree.name)
    waiting = asyncio.Event()

    def on_progress(text: str, _share: float | None) -> None:
        assert "reading the package index" not in text, "fetched once more"
        if "waiting for another" in text:
            waiting.set()

    with (cache / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        fetching = asyncio.create_task(provide_asterisk(settings, on_progress))
        async with asyncio.timeout(10):
            await waiting.wait()
        (tmp_path / tree.name).rename(tree)
    async with asyncio.timeout(10):
        assert await fetching == program


async def test_a_cancelled_fetch_leaves_nothing_half_done(settings: AsteriskSettings) -> None:
    reached = asyncio.Event()

    def on_progress(text: str, _share: float | None) -> None:
        if text.startswith("unpacking"):
            reached.set()

    fetching = asyncio.create_task(provide_asterisk(settings, on_progress))
    async with asyncio.timeout(20):
        await reached.wait()
    fetching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fetching
    assert await find_asterisk(settings) is None
    assert (await provide_asterisk(settings)).version == "22.5.1"


async def test_a_mirror_that_is_not_there(settings: AsteriskSettings, tmp_path: Path) -> None:
    nowhere = settings.model_copy(update={"apt_mirror": f"file:{tmp_path}/nowhere"})
    with pytest.raises(AptFailed, match=r"asterisk\.apt_mirror"):
        await provide_asterisk(nowhere)


async def test_a_cache_that_cannot_be_written(settings: AsteriskSettings, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PbxUnavailable, match=r"asterisk\.cache_dir"):
        await provide_asterisk(settings.model_copy(update={"cache_dir": tmp_path / "file"}))


async def test_the_machines_own_mirrors_are_read_from_apt(
    archive: DebianArchive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = tmp_path / "machine"
    (machine / "lists/partial").mkdir(parents=True)
    (machine / "sources.list").write_text(
        "deb https://packages.example/tool stable main\n"
        f"deb [signed-by={archive.folder}/old.gpg] {archive.mirror} bookworm main\n"
    )
    (machine / "apt.conf").write_text(
        f'Dir::Etc::sourcelist "{machine}/sources.list";\nDir::Etc::sourceparts "/dev/null";\n'
        f'Dir::State::lists "{machine}/lists";\n'
    )
    monkeypatch.setenv("APT_CONFIG", str(machine / "apt.conf"))
    apt = PrivateApt(tmp_path / "apt")
    # before the first `apt-get update` nobody knows who is who; the signature will tell
    assert await apt.mirrors("Debian") == ["https://packages.example/tool/", f"{archive.mirror}/"]


def test_machines_without_apt_get_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "freedesktop_os_release", lambda: {"ID": "fedora"})
    with pytest.raises(PbxUnavailable, match=r"asterisk\.binary"):
        suite_with_asterisk()


def test_ubuntu_has_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    release = {"ID": "linuxmint", "ID_LIKE": "ubuntu debian", "UBUNTU_CODENAME": "noble", "VERSION_CODENAME": "wilma"}
    monkeypatch.setattr(platform, "freedesktop_os_release", lambda: release)
    suite = suite_with_asterisk()
    assert (suite.origin, suite.releases) == ("Ubuntu", ("noble", "noble-updates"))
    assert replace(suite, origin="Debian") != suite


async def test_a_named_binary_must_be_asterisk(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="There is no Asterisk"):
        await find_asterisk(AsteriskSettings(binary=tmp_path / "absent"))
    binary = tmp_path / "sbin" / "asterisk"
    binary.parent.mkdir()
    for said, why in (("Hello", "is no Asterisk"), ("Asterisk 16.28.0~dfsg", "is Asterisk 16.28.0")):
        binary.write_text(f"#!/bin/sh\necho '{said}'\n")
        binary.chmod(0o755)
        with pytest.raises(SettingsError, match=why):
            await find_asterisk(AsteriskSettings(binary=binary))
    binary.write_text("#!/bin/sh\necho 'Asterisk 20.9.3'\n")
    with pytest.raises(SettingsError, match="lacks the module"):
        await find_asterisk(AsteriskSettings(binary=binary))
    modules = tmp_path / "lib/asterisk/modules"
    modules.mkdir(parents=True)
    for name in MODULES:
        (modules / f"{name}.so").touch()
    program = await find_asterisk(AsteriskSettings(binary=binary))
    assert program is not None
    assert (program.version, program.modules_dir) == ("20.9.3", modules)
