"""A third Asterisk: the office, with people on its extensions, a queue, call records and a dialplan of its own.

The people are a stand-in carrier's; behind whom the agent speaks is a workflow that tests give its lines.
"""

from __future__ import annotations

import asyncio
import csv
import wave
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.brains.n8n_server import N8nServer, Play, reply
from tests.real.conftest import NOBODY
from tests.real.far_end import free_port, running
from tests.real.premises import (
    CALLER_ID,
    NUMBER,
    PERSON_HERTZ,
    POLL,
    TIMEOUT,
    Premises,
    an_address,
    open_premises,
    trunk_to,
)
from tests.real.test_ari_connection import Relay
from tests.real.their_asterisk import PASSWORD, TheirAsterisk
from tests.real.tones import Ears, tones
from trunkline.events import CallCreated
from trunkline.models import CallId
from trunkline.rehearsal.carrier import StandInCarrier
from trunkline.rehearsal.config import CarrierConfig
from trunkline.rehearsal.dialling import Destination, dial_all
from trunkline.rehearsal.report import CallReport
from trunkline.rehearsal.scenario import Scenario
from trunkline.rehearsal.studio import Studio
from trunkline.settings import ENV_PREFIX, ServiceSettings, Settings, TransferSettings
from trunkline.telephony.asterisk_config import AsteriskInstance
from trunkline.telephony.asterisk_program import AsteriskProgram
from trunkline.telephony.pbx_boot import console_output
from trunkline.telephony.pbx_home import PbxHome

AGENT_HERTZ = 440.0
LISTEN = {"wait_for_agent": {"silence_ms": 200}}
SPEAK = {"wav": "hm.wav", "text": "hm"}
ANNA, BEN, CARL = "101", "102", "103"
AGI_PORT = 4573
LOOPBACK = "127.0.0.1"
QUEUE, AGI_FULL, AGI_TURNS = "600", "700", "701"
PREFIX = "+14155559"
"""Of the numbers behind which the office's extensions are."""
MODULES = (
    *(
        "app_queue",
        "app_verbose",
        "cdr_csv",
        "format_wav",
        "func_logic",
        "func_module",
        "res_agi",
        "res_clioriginate",
        "res_speech",
    ),
)

PJSIP = """
[global]
type = global
endpoint_identifier_order = ip
[only]
type = transport
protocol = udp
bind = {address}:{port}
[everybody](!)
type = endpoint
context = office
disallow = all
allow = ulaw
direct_media = no
media_address = {address}
bind_rtp_to_media_address = yes
[lines](everybody)
[lines]
type = identify
endpoint = lines
match = 127.0.0.0/8
[phones](everybody)
"""
DIALPLAN = """
[general]
[globals]
PHONES = nobody
[office]
exten = _[1-3]XX,1,Dial(PJSIP/phones/sip:{prefix}${{EXTEN}}@${{PHONES}},20)
 same = n,Hangup(${{HANGUPCAUSE}})
exten = {queue},1,Answer()
 same = n,Queue(desk,nr,,,10)
 same = n,Hangup()
exten = {full},1,Set(MODE=full)
 same = n,Goto(agent,1)
exten = {turns},1,Set(MODE=record)
 same = n,Goto(agent,1)
exten = agent,1,AGI(agi://{door}/brief?mode=${{MODE}})
 same = n,GotoIf($["${{TRUNKLINE_NEXT}}" = ""]?over)
 same = n,Dial(Local/${{TRUNKLINE_NEXT:{cut}}}@office/n,${{TRUNKLINE_NEXT_SECONDS}})
 same = n,GotoIf($["${{DIALSTATUS}}" != "ANSWER"]?agent,1)
 same = n(over),Hangup()
"""
PEER = """
[{name}](phone)
aors = {name}
direct_media = no
media_address = {address}
[{name}]
type = aor
contact = {contact}
"""
QUEUES = "[general]\n[desk]\nstrategy = ringall\nmember = Local/102@office/n\n"
CDR = "[general]\nenable = yes\n[csv]\nusegmtime = yes\n"
COLUMNS = {"from": 1, "to": 2, "talk": 13, "disposition": 14}
"""Of Asterisk's Master.csv: who called which extension, seconds from its answer to its end, and how it ended."""


@dataclass
class Office:
    """The office's Asterisk and what is around it."""

    premises: Premises
    workflow: N8nServer
    ears: Ears
    ours: TheirAsterisk
    relay: Relay
    """Between Trunkline and the ARI of our Asterisk."""
    instance: AsteriskInstance
    command: tuple[str, ...]

    async def console(self, line: str) -> str:
        return await console_output(self.command, line)

    # ── people ─────────────────────────────────────────────────────────────────────────────────────────────────

    def person(self, *steps: object, hertz: float = PERSON_HERTZ, says: tuple[str, ...] = (), **more: Any) -> Scenario:
        """Somebody who is heard as a tone, and understood as what they say."""
        self.ears.lines[hertz] = deque(says)
        return self.premises.person(*steps, hertz=hertz, **more)

    def colleague(self, extension: str, *steps: object, **more: Any) -> Scenario:
        """Somebody at an extension."""
        return self.person(*steps, hertz=hertz_of(extension), numbers=[number_of(extension)], **more)

    @asynccontextmanager
    async def staffed(self, *colleagues: Scenario) -> AsyncIterator[StandInCarrier]:
        """With these people at its extensions."""
        config = CarrierConfig(host=LOOPBACK, username=None, calls_per_second=None)
        async with StandInCarrier(config, colleagues, out_dir=self.premises.folder / "phones") as phones:
            await self.console(f"dialplan set global PHONES {phones.host}:{phones.port}")
            yield phones

    def heard(self, report: CallReport, where: str) -> list[float]:
        """Tones in what that person heard, in order."""
        assert report.recording is not None
        with wave.open(str(self.premises.folder / where / report.recording)) as wav:
            both = np.frombuffer(wav.readframes(wav.getnframes()), "<i2").reshape(-1, 2)
        return tones(both[:, 1])

    # ── calls ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def call_trunk(self, person: Scenario) -> CallReport:
        """Somebody calls our number, by way of the carrier."""
        config = CarrierConfig(origination=(f"sip:{self.ours.address}:5060",))
        async with StandInCarrier(config, [person], out_dir=self.premises.folder / "callers") as carrier:
            return await carrier.call_in(CALLER_ID, caller=NUMBER)

    async def call_in(self, extension: str, person: Scenario) -> CallReport:
        """Somebody calls an extension of the office, on its own line."""
        to = Destination(extension, self.instance.sip_address, self.instance.sip_port, caller=NUMBER)
        out_dir = self.premises.folder / "callers"
        (attempt,) = await dial_all(to, [await Studio().person(person)], out_dir=out_dir)
        assert attempt.report is not None
        return attempt.report

    async def calls(self, many: int) -> list[dict[str, Any]]:
        """So many calls, as the API tells of them when all are over; the first one first."""

        def found() -> list[CallId]:
            updates = (update for all_of in self.premises.updates.values() for _, update in all_of)
            return [update.call.id for update in updates if isinstance(update, CallCreated)]

        await self.premises.until(lambda: len(found()) >= many)
        assert len(found()) == many
        return [await self.premises.ended(call_id) for call_id in found()]

    # ── the office's own records ───────────────────────────────────────────────────────────────────────────────

    async def records(self, many: int) -> list[dict[str, str]]:
        """So many call records of the office, as soon as they are written; those of the queue's own halves left out."""
        async with asyncio.timeout(TIMEOUT):
            while len(found := await asyncio.to_thread(self._records)) < many:
                await asyncio.sleep(POLL)
        return found

    def _records(self) -> list[dict[str, str]]:
        with self._file.open(newline="") as file:
            return [{name: row[place] for name, place in COLUMNS.items()} for row in csv.reader(file)]

    def forget_records(self) -> None:
        self._file.write_text("")

    @property
    def _file(self) -> Path:
        return self.instance.folder / "log" / "cdr-csv" / "Master.csv"

    async def two_in_touch(self) -> None:
        """Until our Asterisk has two people in one bridge."""
        async with asyncio.timeout(TIMEOUT):
            while " 2 stasis" not in await self.ours.says("bridge show all"):
                await asyncio.sleep(POLL)
                await asyncio.sleep(POLL)

    @asynccontextmanager
    async def ari_cut(self) -> AsyncIterator[None]:
        """Trunkline and our Asterisk don't reach each other by it inside the block, but by all else."""
        self.relay.closed = True
        self.relay.cut()
        await self._health(503)
        try:
            yield
        finally:
            self.relay.closed = False
        await self._health(200)

    async def _health(self, status: int) -> None:
        async with asyncio.timeout(TIMEOUT):
            while (await self.premises.http.get("/health")).status_code != status:
                await asyncio.sleep(POLL)

    async def nothing_is_left(self) -> None:
        """No call, in either Asterisk or in Trunkline."""
        await self.ours.until_no_channels()
        async with asyncio.timeout(TIMEOUT):
            while "0 active channels" not in await self.console("core show channels count"):
                await asyncio.sleep(POLL)
        assert not self.premises.house.switchboard.live_calls
        assert self.premises.house.audio.counters.legs_open == 0
        assert all(stream.closed for stream in self.premises.detector.streams)


def hertz_of(extension: str) -> float:
    """The tone of whoever is there: 101 is 600 Hz."""
    return 100.0 * (int(extension) - 95)


def number_of(extension: str) -> str:
    """By which a dialplan of the office's reaches it."""
    return f"{PREFIX}{extension}"


def transfer(to: str) -> Play:
    """What the workflow answers to put the person through."""
    return reply({"text_response": "One moment.", "transfer": to})


def goodbye() -> Play:
    return reply({"text_response": "Goodbye.", "hangup": True})


@dataclass(frozen=True, slots=True)
class Building:
    """Where an office will be, before it is opened: others must know its address."""

    program: AsteriskProgram
    instance: AsteriskInstance

    def address_of(self, extension: str) -> str:
        return f"sip:{extension}@{self.instance.sip_address}:{self.instance.sip_port}"

    @asynccontextmanager
    async def open(
        self, premises: Premises, workflow: N8nServer, ears: Ears, ours: TheirAsterisk, relay: Relay
    ) -> AsyncIterator[Office]:
        instance = self.instance
        (instance.folder / "log" / "cdr-csv").mkdir(parents=True)
        door = "nobody" if premises.house.agi is None else "{}:{}".format(*premises.house.agi)
        extensions = {"queue": QUEUE, "full": AGI_FULL, "turns": AGI_TURNS}
        files = {
            "pjsip.conf": PJSIP.format(address=instance.sip_address, port=instance.sip_port),
            "extensions.conf": DIALPLAN.format(prefix=PREFIX, cut=len(PREFIX), door=door, **extensions),
            "queues.conf": QUEUES,
            "cdr.conf": CDR,
        }
        async with running(self.program, instance, files, MODULES) as command:
            office = Office(premises, workflow, ears, ours, relay, instance, command)
            office.forget_records()
            yield office

    def peers(self, address: str) -> dict[str, str]:
        """What the files of our Asterisk say of it: all of it, and Carl's telephone; `address` is our Asterisk's."""
        at = f"{self.instance.sip_address}:{self.instance.sip_port}"
        return {
            "pjsip.conf": "".join(
                PEER.format(name=name, contact=contact, address=address)
                for name, contact in (("office", f"sip:{at}"), ("carl", f"sip:{CARL}@{at}"))
            ),
            "internal.conf": "exten => _X0X,1,Dial(PJSIP/${EXTEN}@office,20)\n same => n,Hangup(${HANGUPCAUSE})\n",
        }


@asynccontextmanager
async def building(program: AsteriskProgram, folder: Path) -> AsyncIterator[Building]:
    """A place for an office."""
    home = PbxHome(folder)
    try:
        instance = home.furnish(program, Settings(service=ServiceSettings(data_dir=folder)), NOBODY)
        yield Building(program, replace(instance, sip_port=free_port(instance.sip_address)))
    finally:
        home.close()


@asynccontextmanager
async def attached(
    ours: TheirAsterisk, place: Building, folder: Path, transfers: Mapping[str, TransferSettings], **house: Any
) -> AsyncIterator[tuple[Premises, Relay]]:
    """A house that is attached to that Asterisk, from which the office can be reached, by a relay; with an AGI door."""
    carrier, (host, port) = an_address(), an_address()
    given = {
        "ASTERISK__MODE": "external",
        "ASTERISK__ARI_PASSWORD": PASSWORD,
        "ASTERISK__AUDIO_HOST": host,
        "ASTERISK__AUDIO_PORT": port,
        "AGI__ENABLED": True,
        "AGI__HOST": host,
        "AGI__PORT": AGI_PORT,
    }
    with pytest.MonkeyPatch.context() as environment:
        for name, value in given.items():
            environment.setenv(f"{ENV_PREFIX}{name}", str(value))
        settings = Settings(trunk=trunk_to(carrier), transfers=dict(transfers))
        ours.furnish(settings, agi=f"{host}:{AGI_PORT}", audiosocket=f"{host}:{port}")
        for name, text in place.peers(ours.address).items():
            with (ours.folder / "etc" / name).open("a") as file:
                file.write(text)
        relay = Relay(ours.address, 8088)
        server = await asyncio.start_server(relay.serve, LOOPBACK, 0)
        environment.setenv(
            f"{ENV_PREFIX}ASTERISK__ARI_URL", "http://{}:{}/ari".format(*server.sockets[0].getsockname())
        )
        try:
            await ours.start()
            async with open_premises(folder, carrier=carrier, transfers=transfers, **house) as premises:
                yield premises, relay
        finally:
            server.close()
            await ours.close()
