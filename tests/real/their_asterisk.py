"""An Asterisk that is not ours: somebody's own, with people and contexts of theirs and our include folder in it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from pathlib import Path

import trustme

from tests.real.conftest import NOBODY
from tests.real.premises import POLL, TIMEOUT
from tests.telephony.etc_asterisk import FILES, furnish
from trunkline.settings import ServiceSettings, Settings
from trunkline.telephony.asterisk_config import render
from trunkline.telephony.asterisk_config.transports import TlsFiles
from trunkline.telephony.asterisk_modules import MODULES
from trunkline.telephony.asterisk_program import AsteriskProgram
from trunkline.telephony.include_check import read_existing
from trunkline.telephony.include_files import IncludeFiles
from trunkline.telephony.include_folder import NAMES, Guest, render_folder
from trunkline.telephony.pbx_boot import asterisk_command, console_output
from trunkline.telephony.pbx_home import PbxHome

PASSWORD = "Secret-of-ari-12345"
CONTEXT = "outbound-ai-test"
HTTPS_PORT = 8089
BOOT_SECONDS = 60.0
KEPT = ("asterisk.conf", "modules.conf", "rtp.conf", "indications.conf", "logger.conf", "websocket_client.conf")
"""Of a private Asterisk's files, those that somebody needn't have written himself."""
MORE_MODULES = ("res_speech", "res_agi", "func_strings", "app_verbose", "res_ari_endpoints")
DIALPLAN = f"\n\n[{CONTEXT}]\nexten = s,1,Answer()\n same = n,Wait(1)\n same = n,Hangup()\n"
HTTP = """\
[general]
enabled = yes
bindaddr = {address}
bindport = 8088
tlsenable = yes
tlsbindaddr = {address}:8089
"""


@dataclass
class TheirAsterisk:
    """Not running before `start`."""

    folder: Path
    program: AsteriskProgram
    address: str = ""
    ca: Path = Path()
    """Who signed its certificate, which is for 127.0.0.1."""
    _home: PbxHome | None = None
    _command: tuple[str, ...] = ()
    _process: asyncio.subprocess.Process | None = field(default=None, repr=False)

    def furnish(self, settings: Settings, *, agi: str, audiosocket: str) -> None:
        """Its files, and ours for these settings."""
        folder = self.folder
        self._home = PbxHome(folder)
        plan = self._home.plan(self.program, Settings(service=ServiceSettings(data_dir=folder)), NOBODY)
        instance = replace(plan, modules=(*MODULES, *MORE_MODULES))
        for name in ("lib", "spool", "log", "run"):
            (folder / name).mkdir(exist_ok=True)
        instance.run_dir.mkdir(parents=True, exist_ok=True)
        self.address = instance.sip_address
        certificate = self._certify()
        files = {
            **FILES,
            **{name: text for name, text in render(instance).items() if name in KEPT},
            "extensions.conf": FILES["extensions.conf"] + DIALPLAN,
            "http.conf": f"{HTTP}tlscertfile = {certificate}\ntlsprivatekey = {certificate}\n",
        }
        etc = furnish(folder / "etc", files, address=self.address, manager=instance.manager_port)
        existing = read_existing(etc)
        place = IncludeFiles(etc, {name: existing.place(name) for name in NAMES})
        guest = Guest(settings, agi, audiosocket, PASSWORD, TlsFiles(), existing.transport(settings))
        place.write(place.plan(render_folder(guest)))
        self._command = asterisk_command(self.program, instance)

    def _certify(self) -> Path:
        authority = trustme.CA()
        self.ca, certificate = self.folder / "ca.pem", self.folder / "certificate.pem"
        authority.cert_pem.write_to_path(self.ca)
        authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(certificate)
        return certificate

    async def start(self) -> None:
        """Returns when it has booted."""
        with (self.folder / "console.log").open("ab") as console:
            self._process = await asyncio.create_subprocess_exec(
                *self._command, "-f", stdin=asyncio.subprocess.DEVNULL, stdout=console, stderr=console
            )
        async with asyncio.timeout(BOOT_SECONDS):
            while "fully booted" not in await self.says("core waitfullybooted"):
                await asyncio.sleep(POLL)

    async def kill(self) -> None:
        """As if its machine had lost power."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def close(self) -> None:
        await self.kill()
        if self._home is not None:
            self._home.close()

    async def says(self, line: str) -> str:
        return await console_output(self._command, line)

    async def until_no_channels(self) -> None:
        async with asyncio.timeout(TIMEOUT):
            while "0 active channels" not in await self.says("core show channels count"):
                await asyncio.sleep(POLL)
