"""Checks of this machine: Asterisk's program, room on the disk, the clock."""

from __future__ import annotations

import asyncio
import ctypes
import os
import shutil
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from trunkline.doctor.check import Verdict, well, wrong
from trunkline.settings import Settings
from trunkline.telephony.asterisk_fetch import find_asterisk
from trunkline.telephony.asterisk_modules import REQUIRED
from trunkline.telephony.encryption import check_encrypts, tls_files

LIMIT: Final = 10.0
FETCH: Final = "Fetch one with `trunkline pbx fetch`, or leave asterisk.binary empty."
UNSUPPORTED: Final = frozenset({18, 19, 21})
"""Major versions of Asterisk that get no fixes any more."""
ARI_WANTS_CLIENT: Final = ((20, 16), (22, 6), (23, 0))
"""From these versions on (of their major) res_ari does not load without res_websocket_client."""
LEAST_BYTES: Final = 500_000_000
FEW_BYTES: Final = 5_000_000_000
BYTES_PER_HOUR: Final = 115_200_000
"""A stereo recording, 8 kHz and 16 bit."""
NOT_EARLIER: Final = 2025
_TIME_ERROR: Final = 5
_TIMEX_BYTES: Final = 512
"""More than `struct timex` has on any machine."""


@dataclass(frozen=True, slots=True)
class Asterisk:
    settings: Settings
    name: str = "Asterisk"
    limit: float = LIMIT

    async def run(self) -> Verdict:
        program = await find_asterisk(self.settings.asterisk)
        if program is None:
            return wrong("There is no Asterisk yet.", "Fetch one with `trunkline pbx fetch`.")
        if self.settings.trunk.secure:
            check_encrypts(program)
            await asyncio.to_thread(tls_files, self.settings.asterisk)
        return judge_asterisk(program.version, await asyncio.to_thread(program.modules))


def judge_asterisk(version: str, modules: frozenset[str]) -> Verdict:
    """What is known of that version with these modules; `version` as `22.10.1`."""
    major, minor = (int(part) for part in (*version.split("."), "0")[:2])
    wanted = set(REQUIRED)
    if major > ARI_WANTS_CLIENT[-1][0] or any((major == m and minor >= n) for m, n in ARI_WANTS_CLIENT):
        wanted.add("res_websocket_client")
    if missing := sorted(wanted - modules):
        return wrong(f"Asterisk {version} lacks {', '.join(missing)}.", f"Install all of its modules. {FETCH}")
    old = (f"Asterisk {major} gets no fixes any more: 20 or 22 does.",) if major in UNSUPPORTED else ()
    return well(f"{version}, with every module that a call needs", *old)


@dataclass(frozen=True, slots=True)
class Disk:
    settings: Settings
    name: str = "disk"
    limit: float = LIMIT

    async def run(self) -> Verdict:
        return await asyncio.to_thread(self._look)

    def _look(self) -> Verdict:
        folder = self.settings.service.data_dir.absolute()
        there = next(parent for parent in (folder, *folder.parents) if parent.exists())
        if not os.access(there, os.W_OK | os.X_OK):
            return wrong(f"{there} can't be written.", "Set service.data_dir to a folder of this user.")
        return judge_space(folder, shutil.disk_usage(there).free)


def judge_space(folder: Path, free: int) -> Verdict:
    """Whether calls can be written down below `folder` with so many bytes free."""
    room = f"{free / 1e9:.1f} GB free for {folder}, {free // BYTES_PER_HOUR} hours of recordings"
    if free < LEAST_BYTES:
        return wrong(f"Only {room}.", "Make room, or set service.data_dir to another disk.")
    return well(room, *(("That is soon full: move old recordings away.",) if free < FEW_BYTES else ()))


@dataclass(frozen=True, slots=True)
class Clock:
    name: str = "clock"
    limit: float = LIMIT

    async def run(self) -> Verdict:
        return judge_clock(datetime.now(UTC), synchronised())


def judge_clock(now: datetime, synchronised: bool | None) -> Verdict:
    """`synchronised`: what the kernel says of it; `None`: nothing."""
    if now.year < NOT_EARLIER:
        return wrong(f"This machine's clock says {now:%d %B %Y}.", "Set it, and let it be kept by NTP.")
    shown = f"{now:%Y-%m-%d %H:%M:%S} UTC, {time.tzname[0]} here"
    if synchronised:
        return well(f"{shown}; kept by a time server")
    return well(shown, "The kernel knows of no time server: certificates and calling hours depend on this clock.")


def synchronised() -> bool | None:
    """adjtimex(2): whether something keeps the kernel's clock; changes nothing."""
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    except (OSError, AttributeError):
        return None
    return None if state < 0 else state != _TIME_ERROR
