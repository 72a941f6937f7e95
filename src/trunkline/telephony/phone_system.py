"""The Asterisk that carries the calls, and where their audio comes: started, or attached to, as the settings say."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from trunkline.settings import Settings
from trunkline.telephony.ari import AriPbx
from trunkline.telephony.asterisk_fetch import provide_asterisk
from trunkline.telephony.audiosocket_server import AudioSocketServer
from trunkline.telephony.external_pbx import ExternalPbx, client_tls
from trunkline.telephony.pacing_clock import PacingClock
from trunkline.telephony.pbx import PrivateAsterisk

ANY = "0.0.0.0"
LOOPBACK = "127.0.0.1"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PhoneSystem:
    pbx: AriPbx
    audio: AudioSocketServer
    audio_port: int
    version: str
    """Of Asterisk, as `22.10.1`."""
    private: PrivateAsterisk | None
    """`None` where we are attached to one that isn't ours."""


@asynccontextmanager
async def open_phone_system(settings: Settings, clock: PacingClock) -> AsyncIterator[PhoneSystem]:
    """Calls can be placed and taken inside the block.

    Raises `PbxUnavailable`, `NotReady` (the audio's port is taken), `SettingsError`.
    """
    asterisk = settings.asterisk
    audio = AudioSocketServer(clock, (*asterisk.audio_allowed, *settings.agi.allowed))
    host, port = await audio.start(*audio_address(settings))
    try:
        if asterisk.mode == "external":
            async with ExternalPbx(settings, await client_tls(asterisk)) as pbx:
                log.info(
                    "Attached to Asterisk %s at %s; audio is taken at %s:%d", pbx.version, asterisk.ari_url, host, port
                )
                yield PhoneSystem(pbx, audio, port, pbx.version, None)
        else:
            program = await provide_asterisk(asterisk, lambda what, _: log.info("%s", what))
            ours = f"{LOOPBACK if host == ANY else host}:{port}"
            async with (
                PrivateAsterisk(program, settings, audiosocket=ours) as private,
                AriPbx(private.ari, settings.trunk) as pbx,
            ):
                yield PhoneSystem(pbx, audio, port, program.version, private)
    finally:
        await audio.close()


def audio_address(settings: Settings) -> tuple[str, int]:
    """Where the audio of calls is taken; port 0: a free one.

    An Asterisk whose dialplan hands us calls by AGI brings their audio to the address at which it found us.
    """
    asterisk, agi = settings.asterisk, settings.agi
    external = asterisk.mode == "external"
    hosts = {asterisk.audio_host if external else LOOPBACK, *((agi.host,) if agi.enabled else ())}
    # A door on another address is open to loopback only where it is open to all.
    return hosts.pop() if len(hosts) == 1 else ANY, asterisk.audio_port if external else 0
