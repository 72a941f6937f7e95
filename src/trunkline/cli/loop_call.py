"""A call on this machine alone: our audio server, a private Asterisk and the stand-in carrier; a tone each way."""

from __future__ import annotations

import asyncio
import tempfile
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from trunkline.audio import SAMPLE_RATE, from_float, to_float
from trunkline.doctor.check import Verdict, skipped, well, wrong
from trunkline.doctor.one_call import OurEnd, call_once
from trunkline.events import FarEndGone
from trunkline.rehearsal.carrier import StandInCarrier
from trunkline.rehearsal.config import CarrierConfig
from trunkline.rehearsal.scenario import Scenario
from trunkline.settings import AsteriskSettings, ServiceSettings, Settings, TrunkSettings
from trunkline.telephony.asterisk_fetch import find_asterisk
from trunkline.telephony.asterisk_program import AsteriskProgram

NUMBER: Final = "+14155550123"
TONE_SECONDS: Final = 0.6
PERSON_HERTZ, OUR_HERTZ = 1004.0, 620.0
NEAR_HERTZ: Final = 5.0
CALL_SECONDS: Final = 10.0
REMEDY: Final = "See that nothing on this machine filters loopback traffic, and try `make demo`, which logs every step."


@dataclass(frozen=True, slots=True)
class LoopCall:
    settings: Settings
    name: str = "loop call"
    limit: float = 30.0

    async def run(self) -> Verdict:
        program = await find_asterisk(self.settings.asterisk)
        if program is None:
            return skipped("there is no Asterisk yet")
        with tempfile.TemporaryDirectory(prefix="trunkline-doctor-", ignore_cleanup_errors=True) as name:
            heard = await _call(program, self.settings, Path(name))
        if isinstance(heard, str):
            return wrong(f"A call on this machine failed: {heard}", REMEDY)
        return judge_sound(*heard)


def judge_sound(by_us: float, by_person: float) -> Verdict:
    """The strongest frequency (Hz) each side heard; 0: silence."""
    deaf = [
        side
        for side, heard, sent in (("we", by_us, PERSON_HERTZ), ("the far end", by_person, OUR_HERTZ))
        if abs(heard - sent) > NEAR_HERTZ
    ]
    if deaf:
        return wrong(f"A call on this machine connected, but {' and '.join(deaf)} heard nothing of it.", REMEDY)
    return well("answered, and both sides heard the other's tone")


def strongest(pcm: bytes) -> float:
    """Strongest frequency in Hz of 8 kHz 16-bit audio; 0 where it is silent."""
    sound = to_float(pcm)
    if not len(sound) or float(np.abs(sound).max()) < 0.05:
        return 0.0
    return float(np.argmax(np.abs(np.fft.rfft(sound, n=8 * SAMPLE_RATE)))) / 8


def tone(hertz: float) -> bytes:
    when = np.arange(round(TONE_SECONDS * SAMPLE_RATE)) / SAMPLE_RATE
    return from_float((0.4 * np.sin(2 * np.pi * hertz * when)).astype(np.float32))


async def _call(program: AsteriskProgram, settings: Settings, folder: Path) -> tuple[float, float] | str:
    """What each side heard, or why there was no call."""
    await asyncio.to_thread(_write, folder / "tone.wav", tone(PERSON_HERTZ))
    steps = [{"wav": "tone.wav"}, {"pause_ms": 300}]
    person = Scenario.model_validate({"name": "tone", "folder": folder, "phone": {"rings_ms": 0}, "steps": steps})
    async with StandInCarrier(CarrierConfig(), [person], out_dir=folder / "carrier") as carrier:
        trunk = TrunkSettings.model_validate(
            carrier.trunk_settings() | {"qualify_seconds": 0, "ring_timeout": CALL_SECONDS}
        )
        # A copy: new settings would read the environment again, and this call may lead to this carrier alone.
        here = {"service": ServiceSettings(data_dir=folder), "asterisk": AsteriskSettings(), "trunk": trunk}
        end = OurEnd(tone(OUR_HERTZ), 2 * TONE_SECONDS)
        try:
            await call_once(program, settings.model_copy(update=here), NUMBER, end, CALL_SECONDS)
        except TimeoutError:
            return f"it had no end within {CALL_SECONDS:g} s"
        gone = end.over.result()
        if isinstance(gone, FarEndGone):
            return f"the far end answered {gone.sip_code} {gone.sip_reason}"
        if gone is not None:
            return f"Asterisk was lost ({gone.why})"
        report = await carrier.next_report(CALL_SECONDS)
        if report.recording is None:
            return "the far end recorded nothing"
        by_person = await asyncio.to_thread(_agent_side, folder / "carrier" / report.recording)
        return strongest(end.heard), strongest(by_person)


def _write(path: Path, pcm: bytes) -> None:
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
        file.writeframes(pcm)


def _agent_side(path: Path) -> bytes:
    """The right channel."""
    with wave.open(str(path)) as file:
        both = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
    return both[:, 1].tobytes()
