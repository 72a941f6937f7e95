"""An Asterisk that runs already, spoken to by its console: what it is, what it lacks, whether it took a change."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import psutil

from trunkline.errors import PbxUnavailable
from trunkline.settings import AsteriskSettings
from trunkline.telephony.asterisk_fetch import find_asterisk
from trunkline.telephony.asterisk_program import MINIMUM
from trunkline.telephony.existing_config import sections_of
from trunkline.telephony.include_check import Finding
from trunkline.telephony.include_folder import FOLDER
from trunkline.telephony.pbx_boot import console_output

SECONDS: Final = 60.0
"""A command takes milliseconds; a reload of a large dialplan takes its time."""
_CHANNEL: Final = "trunkline-install"
"""A log of Asterisk's that exists while it reloads."""
_NEEDED: Final = (
    *("res_pjsip", "res_pjsip_session", "res_pjsip_sdp_rtp", "res_pjsip_endpoint_identifier_ip", "chan_pjsip"),
    *("res_rtp_asterisk", "pbx_config", "res_agi", "app_dial", "app_stack", "app_verbose"),
    *("func_callerid", "func_strings", "func_uri"),
)
_NEEDED_FOR: Final = {
    "type = auth": "res_pjsip_outbound_authenticator_digest",
    "type = registration": "res_pjsip_outbound_registration",
    "media_encryption = sdes": "res_srtp",
}
"""By what stands in pjsip.conf."""
_WANTED: Final = {
    "app_audiosocket": "agents hear a call's recordings only, with a pause after each turn",
    "res_ari_channels": "no calls can be placed over ARI",
}
_RELOADS: Final = (
    "module reload res_pjsip.so",
    "module reload res_pjsip_endpoint_identifier_ip.so",
    "module reload res_pjsip_outbound_registration.so",
    "dialplan reload",
    "module reload res_ari.so",
    "manager reload",
)
_NO_CONSOLE: Final = "Unable to connect to remote"
_NOT_THERE: Final = re.compile(r"Unable to find object|not found|There is no (existence|manager)|No such command")
_ERROR: Final = re.compile(r" ERROR\[\d+\]\S* \S*(?:config|sorcery|pbx_)\S*\.c: (.+)")
"""Of a log, what comes from the parts of Asterisk that read files; others speak of the network."""
_KIND: Final = {"extensions.conf": "dialplan show", "ari.conf": "ari show user", "manager.conf": "manager show user"}


async def console_of(settings: AsteriskSettings, asterisk_conf: Path | None) -> tuple[str, ...] | None:
    """Asterisk's program for its console: the one of the settings, of this machine, or one we fetched."""
    places = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"))
    binary = settings.binary or shutil.which("asterisk", path=places)
    program = None if binary else await find_asterisk(settings)
    command = (str(binary),) if binary else program.command if program else None
    return (*command, "-C", str(asterisk_conf)) if command and asterisk_conf else command


class RunningAsterisk:
    """`command` is Asterisk's program with its arguments, as `("/usr/sbin/asterisk", "-C", "/etc/…/asterisk.conf")`."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = tuple(command)

    async def says(self, line: str) -> str:
        """What its console prints for one command. Raises `PbxUnavailable` when there is none."""
        try:
            async with asyncio.timeout(SECONDS):
                said = await console_output(self._command, line)
            why = said.strip() if said.startswith(_NO_CONSOLE) else None
        except (TimeoutError, OSError) as error:
            why = str(error) or "it took too long."
        if why is not None:
            raise PbxUnavailable(
                f"Asterisk's console gave no answer to {line!r}: {why}",
                remedy="See whether it runs and this user may reach it; --asterisk-conf names its asterisk.conf.",
            )
        return said

    async def version(self) -> str | None:
        """As `22.10.1`; `None` when none runs, or this user can't reach it."""
        try:
            match = re.match(r"Asterisk (?:certified[/-])?(\d+[\d.]*)", await self.says("core show version"))
        except PbxUnavailable:
            return None
        return match[1].rstrip(".") if match else None

    async def folders(self) -> Mapping[str, Path]:
        """Its directories, by the words of `core show settings`, as `Configuration directory`."""
        found = re.findall(r"^ *([A-Z]\w+ directory): +(/.*?) *$", await self.says("core show settings"), re.MULTILINE)
        return {name: Path(path) for name, path in found}

    async def group(self) -> int | None:
        """Id of the group it runs in; `None` when that can't be seen."""
        match = re.search(r"PID file: +(/.*?) *$", await self.says("core show settings"), re.MULTILINE)
        return await asyncio.to_thread(_group_of, Path(match[1])) if match else None

    async def objections(self, folder: Path, files: Mapping[str, str]) -> list[Finding]:
        """Why it can't do with these files."""
        version = await self.version() or "0"
        if int(version.split(".")[0]) < MINIMUM:
            return [Finding(f"This is Asterisk {version}.", f"Update it to {MINIMUM} or newer; 20 and 22 get fixes.")]
        etc = (await self.folders()).get("Configuration directory", folder)
        if not await asyncio.to_thread(_same, etc, folder):
            message = f"The running Asterisk has its configuration in {etc}."
            return [Finding(message, "Name that folder, or its own asterisk.conf with --asterisk-conf.")]
        running = await self._modules()
        needed = [*_NEEDED, *(module for mark, module in _NEEDED_FOR.items() if mark in files["pjsip.conf"])]
        return [
            *(
                Finding(f"Asterisk doesn't run its module {module}.", _how_to_load(module))
                for module in needed
                if module not in running
            ),
            *(
                Finding(f"Asterisk doesn't run its module {module}: {loss}.", _how_to_load(module), fatal=False)
                for module, loss in _WANTED.items()
                if module not in running
            ),
        ]

    async def reload(self) -> list[str]:
        """Has everything read again, and returns what it then found wrong with its files.

        Nothing where its log can't be read; an object it refuses stays as it was before.
        """
        log = (await self.folders()).get("Log directory", Path("/var/log/asterisk")) / _CHANNEL
        await self.says(f"logger add channel {_CHANNEL} error")
        try:
            for command in _RELOADS:
                await self.says(command)
        finally:
            await self.says(f"logger remove channel {_CHANNEL}")
        return await asyncio.to_thread(_errors, log)

    async def lacks(self, files: Mapping[str, str]) -> list[str]:
        """What these files define and it doesn't know, as `context from-twilio`."""
        modules = await self._modules()
        missing = []
        for name, text in files.items():
            if name == "ari.conf" and "res_ari" not in modules:
                continue
            for section in sections_of(text, Path(name)):
                what = _KIND.get(name) or f"pjsip show {section.get('type')}"
                if _NOT_THERE.search(await self.says(f"{what} {section.name}")):
                    missing.append(f"{FOLDER}/{name} [{section.name}]")
        return list(dict.fromkeys(missing))

    async def knows(self, files: Mapping[str, str]) -> list[str]:
        """Contexts and objects of pjsip.conf of these names that it has, wherever they come from."""
        found = []
        for name in ("pjsip.conf", "extensions.conf"):
            for section in sections_of(files[name], Path(name)):
                what = _KIND.get(name) or f"pjsip show {section.get('type')}"
                if not _NOT_THERE.search(await self.says(f"{what} {section.name}")):
                    found.append(section.name)
        return list(dict.fromkeys(found))

    async def _modules(self) -> frozenset[str]:
        lines = (await self.says("module show")).splitlines()
        return frozenset(line.split(".so")[0] for line in lines if ".so " in line and " Running " in line)


def _group_of(pid_file: Path) -> int | None:
    try:
        return psutil.Process(int(pid_file.read_text())).gids().effective
    except (OSError, ValueError, psutil.Error):
        return None


def _same(one: Path, other: Path) -> bool:
    return one.resolve() == other.resolve()


def _errors(log: Path) -> list[str]:
    """What a log says of configuration files; the log is removed."""
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
        log.unlink()
    except OSError:
        return []
    return list(dict.fromkeys(_ERROR.findall(text)))


def _how_to_load(module: str) -> str:
    return f"Load it (`module load {module}.so`), and let modules.conf load it from now on; noload lines keep it out."
