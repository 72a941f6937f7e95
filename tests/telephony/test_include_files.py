"""Our folder in somebody's configuration: put in, killed, put in again, taken out, byte for byte."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.telephony.etc_asterisk import FREEPBX, furnish, picture
from trunkline.errors import PbxUnavailable
from trunkline.telephony.include_check import read_existing
from trunkline.telephony.include_files import IncludeFiles, with_line, without_line
from trunkline.telephony.include_folder import NAMES

FILES = {name: f"; one\n[ours-in-{name}]\npassword = secret\n" for name in NAMES}
NEWER = {name: text.replace("one", "two") for name, text in FILES.items()}
KILLED = 9
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
STEPS = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "os.chown", "os.utime", "os.setxattr"}


def place(folder: Path) -> IncludeFiles:
    existing = read_existing(folder)
    return IncludeFiles(folder, {name: existing.place(name) for name in NAMES})


def put_in(folder: Path, files: Mapping[str, str] = FILES) -> None:
    found = place(folder)
    found.write(found.plan(files))
    found.finish()


def take_out(folder: Path) -> tuple[list[Path], list[Path], list[Path]]:
    found = place(folder)
    restored, edited = found.restore()
    return restored, edited, found.remove()


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    return furnish(tmp_path / "etc")


def test_in_and_out_again(etc: Path) -> None:
    before = picture(etc)
    put_in(etc)
    for name in NAMES:
        assert (etc / "trunkline" / name).read_text() == FILES[name]
        assert (etc / "trunkline" / name).stat().st_mode & 0o777 == 0o640
        assert (etc / name).read_text().splitlines()[-1].startswith(f"#include trunkline/{name} ;")
        assert (etc / name).stat().st_mode == before[name][2]  # type: ignore[index]
    restored, edited, left = take_out(etc)
    assert (set(restored), edited, left) == ({etc / name for name in NAMES}, [], [])
    assert picture(etc) == before


def test_the_second_time_nothing_is_written(etc: Path) -> None:
    put_in(etc)
    once = picture(etc)
    assert place(etc).plan(FILES) == []
    put_in(etc)
    # But for the mark of a run that is under way, which comes and goes.
    assert picture(etc) == once


def test_an_upgrade_changes_only_what_is_ours(etc: Path) -> None:
    before = picture(etc)
    put_in(etc)
    changes = place(etc).plan(NEWER)
    assert {change.path.parent for change in changes} == {etc / "trunkline"}
    place(etc).write(changes)
    assert place(etc).plan(NEWER) == []
    place(etc).take_back(changes)
    assert place(etc).plan(FILES) == []
    take_out(etc)
    assert picture(etc) == before


def test_edits_of_the_owner_are_kept(etc: Path) -> None:
    put_in(etc)
    with (etc / "pjsip.conf").open("a") as stream:
        stream.write("[6002]\ntype = aor\n")
    (etc / "ari.conf").write_text("[general]\n")  # our line is gone already
    (etc / "trunkline" / "mine.conf").write_text("; kept here by the owner\n")
    wanted = without_line((etc / "pjsip.conf").read_bytes(), "pjsip.conf")
    restored, edited, left = take_out(etc)
    assert set(restored) == {etc / "extensions.conf", etc / "manager.conf"}
    assert (edited, left) == ([etc / "pjsip.conf"], [etc / "trunkline" / "mine.conf"])
    assert (etc / "pjsip.conf").read_bytes() == wanted
    assert (etc / "pjsip.conf").read_text().endswith("max_contacts = 1\n[6002]\ntype = aor\n")
    assert (etc / "ari.conf").read_text() == "[general]\n"


def test_what_is_edited_before_the_line_comes_back_is_kept_as_it_was_then(etc: Path) -> None:
    put_in(etc)
    (etc / "ari.conf").write_text("[general]\n; rewritten\n")
    put_in(etc)
    take_out(etc)
    assert (etc / "ari.conf").read_text() == "[general]\n; rewritten\n"


def test_freepbx_gets_the_line_where_it_never_writes(tmp_path: Path) -> None:
    etc = furnish(tmp_path / "etc", FREEPBX)
    before = picture(etc)
    put_in(etc)
    assert "#include trunkline/pjsip.conf" in (etc / "pjsip_custom.conf").read_text()
    assert "#include trunkline/ari.conf" in (etc / "ari_additional_custom.conf").read_text()
    assert all(picture(etc)[name] == before[name] for name in NAMES)
    take_out(etc)
    assert picture(etc) == before


def test_a_file_that_is_a_link_stays_one(etc: Path) -> None:
    target = etc.parent / "elsewhere.conf"
    (etc / "ari.conf").rename(target)
    (etc / "ari.conf").symlink_to(target)
    before = picture(etc.parent)
    put_in(etc)
    assert (etc / "ari.conf").is_symlink()
    assert "#include trunkline/ari.conf" in target.read_text()
    take_out(etc)
    assert picture(etc.parent) == before


def test_a_folder_of_ours_that_leads_elsewhere_is_not_followed(etc: Path) -> None:
    (etc.parent / "victim").mkdir()
    (etc / "trunkline").symlink_to(etc.parent / "victim")
    with pytest.raises(PbxUnavailable, match="link"):
        put_in(etc)
    assert list((etc.parent / "victim").iterdir()) == []


def test_nor_is_a_file_of_ours_that_leads_elsewhere(etc: Path) -> None:
    victim = etc.parent / "victim"
    victim.write_text("untouched")
    (etc / "trunkline").mkdir()
    (etc / "trunkline" / "ari.conf").symlink_to(victim)
    put_in(etc)
    assert victim.read_text() == "untouched"
    assert (etc / "trunkline" / "ari.conf").read_text() == FILES["ari.conf"]


def test_what_is_edited_while_the_operator_thinks_is_not_overwritten(etc: Path) -> None:
    found = place(etc)
    changes = found.plan(FILES)
    (etc / "ari.conf").write_text("[general]\n; edited\n")
    before = picture(etc)
    with pytest.raises(PbxUnavailable, match="changed in the meantime"):
        found.write(changes)
    assert picture(etc) == before


def test_a_link_that_lies_in_wait_is_not_written_through(etc: Path) -> None:
    victim = etc.parent / "victim"
    victim.write_text("untouched")
    (etc / ".pjsip.conf.trunkline-new").symlink_to(victim)
    put_in(etc)
    assert victim.read_text() == "untouched"


def test_a_folder_that_cannot_be_written_is_told(etc: Path) -> None:
    (etc / "trunkline").write_text("a file in the way")
    with pytest.raises(PbxUnavailable, match="can't be written"):
        put_in(etc)


@pytest.mark.parametrize("content", [b"", b"a\n", b"a", b"; \xff\x00", b"a\r\n"])
def test_a_line_and_back(content: bytes) -> None:
    once = with_line(content, "pjsip.conf")
    assert with_line(once, "pjsip.conf") == once
    assert without_line(once, "pjsip.conf").removesuffix(b"\n") == content.removesuffix(b"\n")


@pytest.fixture
def without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is killed leaves what it wrote to the kernel: only a power cut would need the disk."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


# ── killed ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def killed(at: int, act: Callable[[], object]) -> bool:
    """Does it in a child that dies before its `at`th change of a file; whether it came that far."""
    child = os.fork()
    if child == 0:
        counted = 0

        def count(event: str, arguments: tuple[Any, ...]) -> None:
            nonlocal counted
            if event in STEPS or (event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING):
                counted += 1
                if counted > at:
                    os._exit(KILLED)

        sys.addaudithook(count)
        try:
            act()
        except BaseException:  # noqa: BLE001 - the child must not come back as a second test run
            os._exit(1)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, KILLED)
    return status == KILLED


def is_sound(etc: Path) -> bool:
    """Whether Asterisk could start: whatever is included is there, whole."""
    return all(
        (etc / "trunkline" / name).read_text() in (FILES[name], NEWER[name])
        for name in NAMES
        if f"#include trunkline/{name} " in (etc / name).read_text()
    )


def every_step(etc: Path, act: Callable[[Path], object], after: Callable[[Path, int], None]) -> int:
    """Kills the act at each step, in a copy of the folder each time; how many there were."""
    at = 0
    while True:
        copy = etc.parent / "copy"
        shutil.copytree(etc, copy)
        was_killed = killed(at, lambda copy=copy: act(copy))  # type: ignore[misc]
        assert is_sound(copy), at
        after(copy, at)
        shutil.rmtree(copy)
        if not was_killed:
            return at
        at += 1


@pytest.mark.usefixtures("without_waiting")
def test_killed_anywhere_it_can_be_undone(etc: Path) -> None:
    before = picture(etc)

    def undo(copy: Path, at: int) -> None:
        take_out(copy)
        assert picture(copy) == before, at

    assert every_step(etc, put_in, undo) > 40


@pytest.mark.usefixtures("without_waiting")
def test_killed_anywhere_it_can_be_completed_and_undone(etc: Path) -> None:
    before = picture(etc)

    def complete(copy: Path, at: int) -> None:
        put_in(copy)
        assert place(copy).plan(FILES) == []
        assert not [name for name in picture(copy) if "trunkline-new" in name]
        take_out(copy)
        assert picture(copy) == before, at

    every_step(etc, put_in, complete)


@pytest.mark.usefixtures("without_waiting")
def test_undoing_killed_anywhere_can_be_completed(etc: Path) -> None:
    before = picture(etc)
    put_in(etc)

    def complete(copy: Path, at: int) -> None:
        take_out(copy)
        assert picture(copy) == before, at

    assert every_step(etc, take_out, complete) > 20


@pytest.mark.usefixtures("without_waiting")
def test_an_upgrade_killed_anywhere_can_be_completed(etc: Path) -> None:
    before = picture(etc)
    put_in(etc)

    def complete(copy: Path, at: int) -> None:
        put_in(copy, NEWER)
        assert place(copy).plan(NEWER) == []
        take_out(copy)
        assert picture(copy) == before, at

    every_step(etc, lambda copy: put_in(copy, NEWER), complete)
