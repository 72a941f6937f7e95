"""What starting an Asterisk takes, whether it is ours to watch or left to itself."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import httpx

from trunkline.errors import PbxUnavailable
from trunkline.telephony import pbx_warden
from trunkline.telephony.asterisk_config import ARI_USER, AsteriskInstance
from trunkline.telephony.asterisk_program import AsteriskProgram
from trunkline.telephony.pbx_home import AriAddress, PbxHome

START_SECONDS: Final = 30.0
"""Asterisk boots in a fraction of a second; on a machine that is busy beyond measure it may take this long."""
SHUTDOWN_SECONDS: Final = pbx_warden.GRACE_SECONDS + 3.0
"""The warden has killed whatever doesn't end by then."""


async def occupy(folder: Path) -> PbxHome:
    """The folder, locked; a predecessor that is just shutting down is waited for."""
    home = PbxHome(folder)
    try:
        async with asyncio.timeout(SHUTDOWN_SECONDS):
            while not home.try_lock():  # noqa: ASYNC110 - no event tells when another process lets go of a file lock
                await asyncio.sleep(0.05)
    except TimeoutError:
        home.close()
        raise PbxUnavailable(
            f"Another Trunkline runs its Asterisk in {folder}.",
            remedy="End that one (`trunkline pbx stop` if it was started by hand) or set another service.data_dir.",
        ) from None
    return home


def asterisk_command(program: AsteriskProgram, instance: AsteriskInstance) -> tuple[str, ...]:
    """Asterisk with its configuration; `-f` runs it, `-r` makes a console of it."""
    return (*program.command, "-C", str(instance.folder / "etc" / "asterisk.conf"))


def ari_address(instance: AsteriskInstance) -> AriAddress:
    return AriAddress(f"http://{instance.http_address}:{instance.http_port}/ari", ARI_USER, instance.ari_password)


def warden_command(asterisk: tuple[str, ...], *, attached: bool) -> tuple[str, ...]:
    parent = os.getpid() if attached else 0
    return (sys.executable, "-I", "-S", pbx_warden.__file__, str(parent), *asterisk, "-f")


def warden_options(home: PbxHome) -> dict[str, Any]:
    # A session of its own: Ctrl-C in our terminal must not reach Asterisk before we have said goodbye on the line.
    return {"start_new_session": True, "pass_fds": home.descriptors}


def console_log(folder: Path) -> Path:
    """What Asterisk prints while it starts."""
    return folder / "log" / "console.log"


async def booted(asterisk: tuple[str, ...], instance: AsteriskInstance, has_ended: Callable[[], bool]) -> None:
    """Returns when Asterisk answers and has loaded everything. Raises `PbxUnavailable`."""
    ari = ari_address(instance)
    try:
        async with asyncio.timeout(START_SECONDS), httpx.AsyncClient(trust_env=False) as client:
            while not has_ended():
                if await _answers(client, ari):
                    await console_output(asterisk, "core waitfullybooted")
                    return
                await asyncio.sleep(0.02)
        why = "ended at once"
    except TimeoutError:
        why = f"gave no answer within {START_SECONDS:.0f} s"
    folder = instance.folder
    words = console_log(folder).read_text(errors="replace").split() if console_log(folder).exists() else []
    last_words = " ".join(words[-40:]) or "it said nothing."
    raise PbxUnavailable(f"Asterisk {why}: {last_words}", remedy=f"See {folder / 'log'}.")


async def console_output(asterisk: tuple[str, ...], line: str) -> str:
    """What Asterisk's console prints for one command."""
    process = await asyncio.create_subprocess_exec(
        *(*asterisk, "-rx", line),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    printed, _ = await process.communicate()
    return printed.decode(errors="replace")


async def _answers(client: httpx.AsyncClient, ari: AriAddress) -> bool:
    try:
        response = await client.get(f"{ari.url}/asterisk/info", auth=(ari.user, ari.password))
    except httpx.HTTPError:
        return False
    return response.status_code == httpx.codes.OK
