"""A second Asterisk, as a carrier: it registers customers, asks for passwords, encrypts, and takes or places calls.

It is written by hand and not by the product's rendering: what both got wrong would otherwise fit together.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, replace
from pathlib import Path

from trunkline.models import CallId
from trunkline.settings import ServiceSettings, Settings
from trunkline.telephony.asterisk_config import AsteriskInstance, render
from trunkline.telephony.asterisk_program import AsteriskProgram
from trunkline.telephony.pbx_boot import asterisk_command, booted, console_output
from trunkline.telephony.pbx_home import PbxHome

USER, PASSWORD = "4930123456", "Secret-12345"
MODULES = ("res_pjsip_registrar", "res_pjsip_endpoint_identifier_user", "app_verbose", "res_clioriginate", "pbx_config")
STOP_SECONDS = 20.0

DIALPLAN = """
[general]
[customers]
exten = _[+0-9]!,1,Set(pai=${{PJSIP_HEADER(read,P-Asserted-Identity)}})
 same = n,Log(NOTICE,called ${{EXTEN}} from ${{PJSIP_HEADER(read,From)}} pai ${{pai}})
 same = n,Answer()
 same = n,Goto(talk,s,1)
[talk]
exten = s,1,AudioSocket({call_id},{audiosocket})
 same = n,Hangup()
"""

PJSIP = """
[global]
type = global
endpoint_identifier_order = username,ip
[only]
type = transport
protocol = {transport}
bind = {address}:{port}
{tls}
[{user}]
type = endpoint
context = customers
disallow = all
allow = ulaw
direct_media = no
aors = {user}
auth = {user}
media_encryption = {encryption}
media_address = {address}
bind_rtp_to_media_address = yes
[{user}]
type = aor
max_contacts = 1
[{user}]
type = auth
username = {user}
password = {password}
{identify}
"""


@dataclass(frozen=True, slots=True)
class Manner:
    """How the carrier wants it."""

    transport: str = "udp"
    certificate: Path | None = None
    """With TLS: one file with certificate and key."""
    by_address: bool = False
    """Customers are known by where they call from, and by their password, not by the user in From."""


@dataclass(frozen=True, slots=True)
class FarEnd:
    instance: AsteriskInstance
    command: tuple[str, ...]

    @property
    def address(self) -> str:
        """As in `trunk.host`."""
        return f"{self.instance.sip_address}:{self.instance.sip_port}"

    async def console(self, line: str) -> str:
        return await console_output(self.command, line)

    def log(self) -> str:
        return (self.instance.folder / "log/messages.log").read_text()


@asynccontextmanager
async def far_end(
    program: AsteriskProgram, folder: Path, call_id: CallId, audiosocket: str, manner: Manner
) -> AsyncIterator[FarEnd]:
    """Its calls' audio goes to that AudioSocket server under that id."""
    settings = Settings(service=ServiceSettings(data_dir=folder))
    home = PbxHome(folder)
    instance = home.furnish(program, settings, audiosocket)
    instance = replace(instance, sip_port=free_port(instance.sip_address))
    files = {
        "pjsip.conf": _pjsip(instance, manner),
        "extensions.conf": DIALPLAN.format(call_id=call_id, audiosocket=audiosocket),
    }
    try:
        async with running(program, instance, files, MODULES) as command:
            yield FarEnd(instance, command)
    finally:
        home.close()


@asynccontextmanager
async def running(
    program: AsteriskProgram, instance: AsteriskInstance, files: Mapping[str, str], modules: Sequence[str]
) -> AsyncIterator[tuple[str, ...]]:
    """An Asterisk with these files in place of the product's, and these modules as well; its command."""
    more = "".join(f"load = {module}.so\n" for module in modules)
    for name, text in {**files, "modules.conf": render(instance)["modules.conf"] + more}.items():
        (instance.folder / "etc" / name).write_text(text)
    command = asterisk_command(program, instance)
    process = await asyncio.create_subprocess_exec(*command, "-f", stdin=asyncio.subprocess.DEVNULL)
    try:
        await booted(command, instance, lambda: process.returncode is not None)
        yield command
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                async with asyncio.timeout(STOP_SECONDS):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()


def _pjsip(instance: AsteriskInstance, manner: Manner) -> str:
    file = manner.certificate
    return PJSIP.format(
        transport=manner.transport,
        address=instance.sip_address,
        port=instance.sip_port,
        tls=f"cert_file = {file}\npriv_key_file = {file}\nmethod = tlsv1_2" if file is not None else "",
        encryption="no" if file is None else "sdes",
        user=USER,
        password=PASSWORD,
        identify=f"[{USER}]\ntype = identify\nendpoint = {USER}\nmatch = 127.0.0.0/8" if manner.by_address else "",
    )


def free_port(address: str) -> int:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])
