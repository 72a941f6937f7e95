"""What somebody's Asterisk configuration says: its sections, through every #include.

Reads files: not for the event loop. Rules of the format: `configs/samples/extconfig` and `main/config.c` of Asterisk –
comments, block comments, templates, additions to a section, includes with wildcards.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

ENCODING: Final = {"encoding": "utf-8", "errors": "surrogateescape"}
"""Whatever bytes a file holds come out of it as they went in."""
_DEEPEST: Final = 10
"""Asterisk follows includes no deeper."""
_HEAD = re.compile(r"\[(?P<name>[^\]]*)\]\s*(?:\((?P<rest>[^)]*)\))?")
_INCLUDE = re.compile(r"#(?:try)?include\s+[\"<]?(?P<file>[^\">]+)")


@dataclass(frozen=True, slots=True)
class FoundSection:
    name: str
    file: Path
    """Where it begins."""
    options: tuple[tuple[str, str], ...]
    """Those of its templates first."""
    template: bool = False

    def get(self, key: str) -> str | None:
        """The option's value, the last one where it is written several times."""
        return next((value for name, value in reversed(self.options) if name.lower() == key), None)

    def all(self, key: str) -> list[str]:
        """Its values, also where one line holds several."""
        lines = [value for name, value in self.options if name.lower() == key]
        return [part.strip() for line in lines for part in line.split(",") if part.strip()]


@dataclass(frozen=True, slots=True)
class FoundConfig:
    sections: tuple[FoundSection, ...]
    files: tuple[Path, ...]
    """Every file that was read, and every one that is included and missing."""

    def get(self, section: str, key: str) -> str | None:
        values = [found.get(key) for found in self.sections if found.name == section and not found.template]
        return next((value for value in reversed(values) if value is not None), None)

    def of_type(self, kind: str) -> list[FoundSection]:
        """Objects of pjsip.conf of one type, as `endpoint`."""
        return [found for found in self.sections if not found.template and found.get("type") == kind]


def read_config(folder: Path, name: str, *, without: Path | None = None) -> FoundConfig:
    """The file with all it includes; nothing when it is missing. Files below `without` are left out."""
    files: list[Path] = []
    lines = list(_lines(folder, folder / name, without, files, 0))
    return FoundConfig(tuple(_sections(lines)), tuple(files))


def sections_of(text: str, file: Path) -> list[FoundSection]:
    """Sections of one text; its includes are not followed."""
    return _sections([(file, line) for line in uncommented(text)])


def uncommented(text: str) -> Iterator[str]:
    """The lines that mean something, without comments and outer blanks; `\\;` is a semicolon."""
    inside = False
    for line in text.splitlines():
        rest, kept = line, ""
        while rest:
            if inside:
                _, end, rest = rest.partition("--;")
                inside = not end
                continue
            mark = re.search(r"(?<!\\);", rest)
            if mark is None:
                kept, rest = kept + rest, ""
            elif rest.startswith(";--", mark.start()) and not rest.startswith(";---", mark.start()):
                kept, rest, inside = kept + rest[: mark.start()], rest[mark.start() + 3 :], True
            else:
                kept, rest = kept + rest[: mark.start()], ""
        if meaning := kept.strip().replace("\\;", ";"):
            yield meaning


def _lines(folder: Path, file: Path, without: Path | None, files: list[Path], depth: int) -> Iterator[tuple[Path, str]]:
    if depth > _DEEPEST or (without is not None and file.is_relative_to(without)):
        return
    files.append(file)
    try:
        text = file.read_text(**ENCODING)
    except OSError:
        return
    for line in uncommented(text):
        if match := _INCLUDE.match(line):
            for included in _matching(folder, match["file"].strip()):
                yield from _lines(folder, included, without, files, depth + 1)
        else:
            yield file, line


def _matching(folder: Path, pattern: str) -> Sequence[Path]:
    path = folder / pattern  # an absolute one stays what it is
    if not re.search(r"[*?[]", pattern):
        return [path]
    return sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor))))


def _sections(lines: Sequence[tuple[Path, str]]) -> list[FoundSection]:
    found: list[FoundSection] = []
    current = -1
    for file, line in lines:
        if match := _HEAD.match(line):
            rest = [part.strip() for part in (match["rest"] or "").split(",")]
            name = match["name"].strip()
            same = [place for place, section in enumerate(found) if section.name == name]
            if "+" in rest and same:
                current = same[-1]
                continue
            inherited = [option for part in rest for option in _options_of(found, part)]
            found.append(FoundSection(name, file, tuple(inherited), template="!" in rest))
            current = len(found) - 1
        elif found and "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            option = (key.strip(), value.removeprefix(">").strip())
            found[current] = replace(found[current], options=(*found[current].options, option))
    return found


def _options_of(found: Sequence[FoundSection], name: str) -> Sequence[tuple[str, str]]:
    return next((section.options for section in reversed(found) if section.name == name), ())
