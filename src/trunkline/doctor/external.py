"""Checks of an Asterisk that is not ours: whether we may use it, what it lacks, whether it can bring us audio."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from typing import Final

from trunkline.doctor.check import Verdict, first_wrong, skipped, well, wrong
from trunkline.doctor.network import trouble_at
from trunkline.settings import Settings
from trunkline.telephony.external_check import Found
from trunkline.telephony.external_pbx import look_at
from trunkline.telephony.phone_system import audio_address

LIMIT: Final = 15.0
NOT_OURS: Final = "calls go through an Asterisk of your own; place one with POST /call"


@dataclass(frozen=True, slots=True)
class ExternalAsterisk:
    settings: Settings
    name: str = "Asterisk"
    limit: float = LIMIT

    async def run(self) -> Verdict:
        return judge_found(await look_at(self.settings), self.settings.asterisk.ari_url)


def judge_found(found: Found, url: str) -> Verdict:
    faults = [wrong(finding.message, finding.remedy) for finding in found.findings if finding.fatal]
    remarks = (f"{finding.message} {finding.remedy}" for finding in found.findings if not finding.fatal)
    return first_wrong(faults, well(f"{found.version} at {url}, with all that a call needs", *remarks))


@dataclass(frozen=True, slots=True)
class AudioPort:
    settings: Settings
    name: str = "audio"
    limit: float = LIMIT

    async def run(self) -> Verdict:
        return await asyncio.to_thread(self._look)

    def _look(self) -> Verdict:
        (host, port), service = audio_address(self.settings), self.settings.service
        if not (trouble := trouble_at(host, port, socket.SOCK_STREAM)):
            return well(f"free: {host}:{port}, which Asterisk's dialplan has to name (`trunkline pbx install`)")
        if service.port and trouble_at(service.host, service.port, socket.SOCK_STREAM):
            return well(f"taken, {host}:{port}: the service seems to run already")
        return wrong(
            f"The audio of calls can't be taken at {host}:{port}: {trouble}.",
            "Stop what else uses the port, or set asterisk.audio_host and audio_port; then `trunkline pbx install`.",
        )


@dataclass(frozen=True, slots=True)
class NotOurs:
    """What only an Asterisk of ours can be asked to do."""

    name: str
    limit: float = LIMIT

    async def run(self) -> Verdict:
        return skipped(NOT_OURS)
