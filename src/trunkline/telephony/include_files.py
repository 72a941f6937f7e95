"""Puts the include folder into somebody's Asterisk configuration and takes it out again.

Every file is replaced as a whole. A file of the owner's is copied into `trunkline/before/` before our line is added to
it. Whatever moment it is killed at, the next run of either verb finds its way by what is there: the line tells whether
a file was changed, the copy what it was, and `trunkline/unfinished` that nobody has seen Asterisk take it yet.
Blocks: not for the event loop.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from trunkline.errors import PbxUnavailable
from trunkline.telephony.include_folder import FOLDER, NAMES

BEFORE: Final = "before"
UNFINISHED: Final = "unfinished"
_NEW: Final = ".trunkline-new"
_MODE: Final = 0o640
"""There are passwords in them, and Asterisk's group has to read them."""


@dataclass(frozen=True, slots=True)
class Change:
    path: Path
    before: bytes | None
    """`None`: it doesn't exist."""
    after: bytes | None
    """`None`: it is removed."""


class IncludeFiles:
    """The include folder in `folder`, for the files in `places` (by the names of the folder's files).

    `group` is the id of the group Asterisk runs in; `None`: that of the owner's pjsip.conf.
    """

    def __init__(self, folder: Path, places: Mapping[str, Path], group: int | None = None) -> None:
        self.folder = folder
        self.ours = folder / FOLDER
        self._places = places
        self._group = group

    @property
    def unfinished(self) -> bool:
        """Whether a run was cut off before Asterisk had taken what it wrote."""
        return (self.ours / UNFINISHED).exists()

    @property
    def exists(self) -> bool:
        return self.ours.exists() or any(has_line(place, name) for name, place in self._places.items())

    def plan(self, files: Mapping[str, str]) -> list[Change]:
        """What `write` would change; nothing when all is as it should be."""
        folder = [Change(self.ours / name, _bytes(self.ours / name), text.encode()) for name, text in files.items()]
        lines = [
            Change(place, now, with_line(now, name)) for name, place in self._places.items() for now in [_bytes(place)]
        ]
        return [change for change in (*folder, *lines) if change.before != change.after]

    def write(self, changes: Sequence[Change]) -> None:
        """Our files first: a line never names a file that isn't there.

        Raises `PbxUnavailable`, also when a file is another one than when the changes were planned.
        """
        with _told(self.folder):
            for change in changes:
                if _bytes(change.path) != change.before:
                    raise PbxUnavailable(f"{change.path} was changed in the meantime.", remedy="Run it again.")
            self._begin()
            ours = [change for change in changes if change.path.parent == self.ours]
            for change in ours:
                _replace(change.path, change.after or b"", like=self._places["pjsip.conf"], mode=_MODE)
                self._share(change.path)
            for change in changes:
                if change not in ours:
                    self._keep(change.path)
                    like = change.path if change.path.exists() else self._places["pjsip.conf"]
                    _replace(change.path.resolve(), change.after or b"", like=like)

    def finish(self) -> None:
        """Asterisk has taken it."""
        with suppress(FileNotFoundError):
            (self.ours / UNFINISHED).unlink()

    def take_back(self, changes: Sequence[Change]) -> None:
        """The files as they were before `write`, where an earlier version of ours worked."""
        with _told(self.folder):
            for change in reversed(changes):
                if change.before is None:
                    change.path.unlink(missing_ok=True)
                else:
                    ours = change.path.parent == self.ours
                    _replace(change.path if ours else change.path.resolve(), change.before, like=change.path)

    def restore(self) -> tuple[list[Path], list[Path]]:
        """Takes our line out of the owner's files: those that are as they were now, and those edited since.

        Raises `PbxUnavailable`.
        """
        restored: list[Path] = []
        edited: list[Path] = []
        with _told(self.folder):
            self._begin()
            for name, place in self._places.items():
                now = _bytes(place)
                if now is None or not _has_line(now, name):
                    continue
                kept = self.ours / BEFORE / place.name
                before = _bytes(kept)
                if now != with_line(before, name):
                    _replace(place.resolve(), without_line(now, name), like=place)
                    edited.append(place)
                elif before is None:
                    place.unlink()
                    restored.append(place)
                else:
                    _replace(place.resolve(), before, like=kept, times=True)
                    restored.append(place)
        return restored, edited

    def remove(self) -> list[Path]:
        """Deletes our folder, and returns what in it isn't ours and stays. To be done after `restore`."""
        with _told(self.folder):
            for name in NAMES:
                (self.ours / name).unlink(missing_ok=True)
            self._sweep()
            for place in self._places.values():
                (self.ours / BEFORE / place.name).unlink(missing_ok=True)
            with suppress(OSError):
                (self.ours / BEFORE).rmdir()
            (self.ours / UNFINISHED).unlink(missing_ok=True)
            with suppress(OSError):
                self.ours.rmdir()
        return sorted(self.ours.iterdir()) if self.ours.exists() else []

    def _begin(self) -> None:
        owner = self._places["pjsip.conf"] if self._places["pjsip.conf"].exists() else self.folder
        for path in (self.ours, self.ours / BEFORE):
            if path.is_symlink():
                raise PbxUnavailable(f"{path} is a link to somewhere else.", remedy="Remove it.")
            if not path.exists():
                path.mkdir(mode=0o750)
                _own(path, owner)
                self._share(path)
        self._sweep()
        _replace(self.ours / UNFINISHED, b"", like=owner, mode=_MODE)

    def _share(self, path: Path) -> None:
        """Lets Asterisk read it, as far as this user may say so."""
        if self._group is not None:
            with suppress(PermissionError):
                os.chown(path, -1, self._group)

    def _sweep(self) -> None:
        """What a killed run was just writing."""
        places = {path.resolve().parent for path in self._places.values()}
        for folder in {*places, self.ours, self.ours / BEFORE}:
            for left in folder.glob(f".*{_NEW}"):
                left.unlink()

    def _keep(self, place: Path) -> None:
        kept = self.ours / BEFORE / place.name
        content = _bytes(place)
        if content is None:
            kept.unlink(missing_ok=True)
        else:
            _replace(kept, content, like=place, times=True)


def line(name: str) -> str:
    """What is added to the owner's file."""
    return f"#include {FOLDER}/{name} ; added by trunkline pbx install, removed by trunkline pbx uninstall"


def with_line(content: bytes | None, name: str) -> bytes:
    """The file with our line at its end, unless it has it."""
    text = content or b""
    if _has_line(text, name):
        return text
    gap = b"" if text.endswith(b"\n") or not text else b"\n"
    return text + gap + line(name).encode() + b"\n"


def without_line(content: bytes, name: str) -> bytes:
    return _line(name).sub(b"", content)


def has_line(file: Path, name: str) -> bool:
    """Whether our line for that file of the folder is in there."""
    return _has_line(_bytes(file), name)


def _has_line(content: bytes | None, name: str) -> bool:
    return content is not None and _line(name).search(content) is not None


def _line(name: str) -> re.Pattern[bytes]:
    return re.compile(rb"^#include " + re.escape(f"{FOLDER}/{name}".encode()) + rb"\b[^\n]*\n?", re.MULTILINE)


def _bytes(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None


def _replace(path: Path, content: bytes, *, like: Path, mode: int | None = None, times: bool = False) -> None:
    """The file with this content at once, never half of it; owner, mode and attributes are those of `like`.

    A link is replaced: who wants to keep it names what it leads to.
    """
    new = path.with_name(f".{path.name}{_NEW}")
    new.unlink(missing_ok=True)
    # O_EXCL: in a folder that others may write, a link could lie in wait under this name.
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        _own(new, like)
        if mode is None and like.exists():
            shutil.copystat(like, new)
            if not times:
                os.utime(new)
        else:
            new.chmod(_MODE if mode is None else mode)
        os.fsync(stream.fileno())
    new.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _own(path: Path, like: Path) -> None:
    """Gives it to the owner of `like`, as far as this user may."""
    status = like.stat() if like.exists() else path.parent.stat()
    with suppress(PermissionError):
        os.chown(path, status.st_uid, status.st_gid)


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    """Refusals of the file system as a sentence."""
    try:
        yield
    except OSError as error:
        raise PbxUnavailable(
            f"{error.filename or folder} can't be written: {error.strerror}.",
            remedy="Run it as a user who may, as with sudo.",
        ) from error
