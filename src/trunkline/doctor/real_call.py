"""A real call to one number through the trunk, which costs what calls cost: only where somebody asked for it."""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np

from trunkline.audio import seconds_of, to_float
from trunkline.carriers import diagnosis
from trunkline.carriers.twilio.facts import Facts
from trunkline.carriers.twilio.failed_calls import Alerts, FailedCall
from trunkline.dialling.guards import Guards
from trunkline.doctor.check import Verdict, skipped, well, wrong
from trunkline.doctor.one_call import OurEnd, call_once
from trunkline.errors import CarrierError
from trunkline.events import FarEndGone
from trunkline.models import CallId
from trunkline.phone_numbers import to_e164
from trunkline.ports import TextToSpeech
from trunkline.settings import Settings
from trunkline.speech import make_text_to_speech
from trunkline.store import open_store
from trunkline.store.ledger import SqlLedger
from trunkline.telephony.asterisk_config.carriers import carrier_of
from trunkline.telephony.asterisk_fetch import find_asterisk
from trunkline.telephony.asterisk_program import AsteriskProgram

SENTENCE: Final = "Hello. This is a test call of Trunkline. Please say something. Thank you, and goodbye."
LISTENING: Final = 4.0
"""Seconds the line stays open behind the sentence, for whoever answers slowly."""
AUDIBLE: Final = 0.01
"""Loudest sample from which the far end counts as heard: -40 dBFS. Comfort noise is below."""
LOOKS, PAUSE = 8, 1.5
"""How often, and every how many seconds, Twilio is asked why the call failed."""


@dataclass(frozen=True, slots=True)
class RealCall:
    """Through an Asterisk of its own, beside whatever is running; `facts` may tell why the call failed."""

    settings: Settings
    number: str
    facts: Facts | None = None
    name: str = "call"

    @property
    def limit(self) -> float:
        return self.settings.trunk.ring_timeout + 90.0

    async def run(self) -> Verdict:
        to_e164(self.number)
        if self.settings.trunk.host is None:
            return skipped("no trunk is configured (trunk.host)")
        number = await self._admitted()
        program = await find_asterisk(self.settings.asterisk)
        if program is None:
            return skipped("there is no Asterisk yet")
        voice = make_text_to_speech(self.settings.speech.model_copy(update={"offline": True}))
        try:
            said = await _synthesised(voice)
        finally:
            await voice.close()
        return await self.place(program, number, said)

    async def _admitted(self) -> str:
        """The number in E.164. Raises `InvalidNumber`, `DiallingRefused`: what holds for calls holds for this one."""
        store = await open_store(self.settings.service)
        try:
            return await Guards(self.settings, SqlLedger(store.tables)).admit_test(self.number, longest=self.limit)
        finally:
            await store.close()

    async def place(self, program: AsteriskProgram, number: str, said: bytes) -> Verdict:
        """`said`: what the far end hears, 8 kHz 16 bit."""
        end = OurEnd(said, seconds_of(said) + LISTENING)
        dialled = datetime.now(UTC)
        with tempfile.TemporaryDirectory(prefix="trunkline-doctor-", ignore_cleanup_errors=True) as name:
            limit = self.settings.trunk.ring_timeout + seconds_of(said) + LISTENING + 10.0
            await call_once(program, beside(self.settings, Path(name)), number, end, limit)
        gone = end.over.result()
        if gone is None:
            return judge_heard(end.heard)
        if not isinstance(gone, FarEndGone):
            return wrong(f"Asterisk was lost during the call: {gone.why}.", "Try again; its log says more.")
        answer = f" ({gone.sip_code} {gone.sip_reason or ''}".rstrip() + ")" if gone.sip_code else ""
        why = await self._why(gone, number, end.rang, dialled)
        return wrong(f"The call to {number} failed{answer}.", why)

    async def _why(self, gone: FarEndGone, number: str, rang: bool, dialled: datetime) -> str:
        if gone.sip_code and diagnosis.is_ambiguous(gone.sip_code, gone.sip_reason):
            call = FailedCall(CallId(""), number, dialled, datetime.now(UTC), gone.sip_code)
            if (error := await self._alert_of(call)) is not None:
                return diagnosis.of_error(error)
        return diagnosis.explain(
            sip_code=gone.sip_code,
            sip_reason=gone.sip_reason,
            q850_cause=gone.q850_cause,
            rang=rang,
            ring_timeout=self.settings.trunk.ring_timeout,
        ).reason

    async def _alert_of(self, call: FailedCall) -> int | None:
        """Twilio's number for why it failed, once there is an alert; `None`: nobody tells."""
        if self.facts is None:
            return None
        alerts = Alerts(self.facts)
        for _ in range(LOOKS):
            await asyncio.sleep(PAUSE)
            with suppress(CarrierError):
                if found := await alerts.find([call]):
                    return found[call].error
        return None


def judge_heard(heard: bytes) -> Verdict:
    """Of an answered call: whether anything came from the far end."""
    sound = to_float(heard)
    if len(sound) and float(np.abs(sound).max()) >= AUDIBLE:
        return well(f"answered, and the far end was heard; the line was open for {seconds_of(heard):.0f} s")
    return wrong(
        "The call was answered, but nothing was heard of the far end.",
        "If they spoke: see the check NAT, and let the carrier's media through to the RTP ports (UDP "
        "asterisk.rtp_port_first to rtp_port_last).",
    )


def beside(settings: Settings, folder: Path) -> Settings:
    """The same, for an Asterisk that runs beside whatever has the settings' folder, port and registration."""
    trunk, carrier = settings.trunk, carrier_of(settings.trunk)
    if carrier.registers:
        # A second registration would take the calls that come in from the first.
        trunk = trunk.model_copy(update={"carrier": "ip", "caller_id_header": carrier.caller_id_header})
    return settings.model_copy(
        update={
            "service": settings.service.model_copy(update={"data_dir": folder}),
            "asterisk": settings.asterisk.model_copy(update={"sip_port": 0}),
            "trunk": trunk,
        }
    )


async def _synthesised(voice: TextToSpeech) -> bytes:
    await voice.warm_up()
    return b"".join([piece async for piece in voice.synthesise(SENTENCE)])
