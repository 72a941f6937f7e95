"""An Asterisk program that can be started: the machine's own, one the settings name, or an unpacked private tree.

Looking takes tens of milliseconds and blocks: not for the event loop.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from trunkline.errors import PbxUnavailable, SettingsError
from trunkline.telephony.asterisk_modules import REQUIRED, SECURE

MINIMUM: Final = 18
"""First major version with AudioSocket."""

_SYSTEM_BINARIES: Final = ("/usr/sbin/asterisk", "/usr/local/sbin/asterisk", "/opt/asterisk/sbin/asterisk")
_SYSTEM_CONFIG: Final = Path("/etc/asterisk/asterisk.conf")
_LIBRARY_FOLDERS: Final = ("usr/lib", "lib")


@dataclass(frozen=True, slots=True)
class AsteriskProgram:
    version: str
    """As `22.10.1`."""
    command: tuple[str, ...]
    """What to execute; Asterisk's own arguments follow."""
    modules_dir: Path
    data_dir: Path
    """Holds `documentation` and `rest-api`."""

    def modules(self) -> frozenset[str]:
        """Names of the modules that exist, without `.so`."""
        return frozenset(path.stem for path in self.modules_dir.glob("*.so"))


def program_of_machine() -> AsteriskProgram | None:
    """The machine's own Asterisk, when it is new enough and complete."""
    found = shutil.which("asterisk")
    for binary in (*([found] if found else []), *_SYSTEM_BINARIES):
        if Path(binary).is_file():
            try:
                return program_of_binary(Path(binary))
            except SettingsError:
                continue  # too old or incomplete: as good as none
    return None


def program_of_binary(binary: Path) -> AsteriskProgram:
    """The Asterisk an operator names. Raises `SettingsError` when it won't do."""
    remedy = f"Name an Asterisk {MINIMUM} or newer in asterisk.binary, or leave it empty."
    if not binary.is_file():
        raise SettingsError(f"There is no Asterisk at {binary}.", remedy=remedy)
    version = _version_of((str(binary),))
    if version is None or int(version.split(".")[0]) < MINIMUM:
        raise SettingsError(
            f"{binary} is {'no Asterisk' if version is None else 'Asterisk ' + version}.", remedy=remedy
        )
    prefix = binary.resolve().parent.parent
    modules = _first_folder([_configured("astmoddir"), *_module_folders(prefix)])
    data = _first_folder([_configured("astdatadir"), prefix / "share/asterisk", Path("/var/lib/asterisk")])
    program = AsteriskProgram(version, (str(binary),), modules or prefix, data or prefix)
    if missing := sorted(REQUIRED - program.modules()):
        raise SettingsError(f"{binary} lacks the module {missing[0]}.", remedy="Install all of Asterisk's modules.")
    return program


def program_of_tree(tree: Path) -> AsteriskProgram:
    """The Asterisk of unpacked packages, run through their own loader. Raises `PbxUnavailable` when it won't run."""
    loaders = [path for folder in _LIBRARY_FOLDERS for path in sorted((tree / folder).glob("*/ld*linux*.so.*"))]
    libraries = _library_path(tree)
    binary = tree / "usr/sbin/asterisk"
    modules = _first_folder((tree / "usr/lib").glob("*/asterisk/modules"))
    if not loaders or not binary.is_file() or modules is None:
        raise PbxUnavailable(f"The Asterisk in {tree} is incomplete.", remedy="Delete that folder and start again.")
    command = (str(loaders[0]), "--library-path", libraries, "--argv0", "asterisk", str(binary))
    version = _version_of(command)
    if version is None:
        raise PbxUnavailable(f"The Asterisk in {tree} doesn't run.", remedy="Delete that folder and start again.")
    return AsteriskProgram(version, command, modules, tree / "usr/share/asterisk")


def missing_libraries(tree: Path) -> list[str]:
    """Libraries and modules that a call needs and the tree lacks; empty when it is complete."""
    program = program_of_tree(tree)
    wanted = REQUIRED | SECURE
    missing = {f"{name}.so" for name in wanted - program.modules()}
    loader = program.command[0]
    for module in sorted(wanted & program.modules()):
        listing = _output(
            loader, "--library-path", _library_path(tree), "--list", str(program.modules_dir / f"{module}.so")
        )
        missing.update(re.findall(r"(\S+) => not found", listing))
    return sorted(missing)


def _library_path(tree: Path) -> str:
    return ":".join(str(path) for folder in _LIBRARY_FOLDERS for path in sorted((tree / folder).glob("*-linux-*")))


def _module_folders(prefix: Path) -> list[Path]:
    return [
        *sorted((prefix / "lib").glob("*/asterisk/modules")),
        prefix / "lib/asterisk/modules",
        prefix / "lib64/asterisk/modules",
    ]


def _first_folder(folders: Iterable[Path | None]) -> Path | None:
    return next((folder for folder in folders if folder is not None and folder.is_dir()), None)


def _configured(directory: str) -> Path | None:
    """What the machine's own asterisk.conf says of a directory."""
    try:
        text = _SYSTEM_CONFIG.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    match = re.search(rf"^\s*{directory}\s*=>?\s*([^;\s]+)", text, re.MULTILINE)
    return Path(match[1]) if match else None


def _version_of(command: tuple[str, ...]) -> str | None:
    match = re.match(r"Asterisk (?:certified[/-])?(\d+[\d.]*)", _output(*command, "-V"))
    return match[1].rstrip(".") if match else None


def _output(*command: str) -> str:
    """What a short command prints; empty when it can't be executed."""
    try:
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False
        ).stdout
    except OSError:
        return ""
