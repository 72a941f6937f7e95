"""The old way, for comparison: a dialplan that records until 2 s of silence and then plays a ready file.

No recognition, no brain, no synthesis: what is left is what `Record()` alone costs the person's patience. The hand-made
set-up that Trunkline grew out of added the upload, the workflow and the download to it.
"""

from __future__ import annotations

import asyncio
import uuid
import wave
from pathlib import Path

import httpx

from trunkline.audio import SAMPLE_RATE
from trunkline.ports import TextToSpeech
from trunkline.rehearsal.carrier import StandInCarrier
from trunkline.rehearsal.config import CarrierConfig
from trunkline.rehearsal.scenario import load_scenario
from trunkline.rehearsal.studio import Studio
from trunkline.settings import ServiceSettings, Settings, SpeechSettings, TrunkSettings
from trunkline.speech import make_text_to_speech
from trunkline.telephony.asterisk_config import dial_string
from trunkline.telephony.asterisk_fetch import provide_asterisk, provide_sounds
from trunkline.telephony.pbx import PrivateAsterisk

NUMBER = "+14155550123"
REPLY = "We are open Monday to Friday, from eight in the morning until six in the evening."
CONTEXT = "old-way"
CALL_SECONDS = 120.0
MODULES = ("app_record", "app_playback", "format_wav", "func_callerid")


async def record_and_play(folder: Path, calls: int) -> list[float]:
    """Turn gaps in ms of that many calls to the `short` person."""
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    voice = make_text_to_speech(SpeechSettings())
    try:
        await _speak(voice, folder / "reply.wav")
        studio = Studio(voice, await provide_sounds(Settings().asterisk))
        async with StandInCarrier(
            CarrierConfig(calls_per_second=None), [load_scenario("short")], studio=studio
        ) as carrier:
            trunk = TrunkSettings.model_validate(carrier.trunk_settings())
            settings = Settings(service=ServiceSettings(data_dir=folder), trunk=trunk)
            program = await provide_asterisk(settings.asterisk)
            async with PrivateAsterisk(program, settings, audiosocket="127.0.0.1:9") as asterisk:
                await _write_dialplan(asterisk, folder)
                return await _call(asterisk, carrier, trunk, calls)
    finally:
        await voice.close()


async def _call(asterisk: PrivateAsterisk, carrier: StandInCarrier, trunk: TrunkSettings, calls: int) -> list[float]:
    gaps: list[float] = []
    ari = asterisk.ari
    async with httpx.AsyncClient(base_url=ari.url, auth=(ari.user, ari.password), trust_env=False) as http:
        for _ in range(calls):
            await http.post(
                "/channels",
                params={
                    "endpoint": dial_string(trunk, NUMBER),
                    "channelId": str(uuid.uuid4()),
                    "callerId": trunk.caller_ids[0] if trunk.caller_ids else NUMBER,
                    "context": CONTEXT,
                    "extension": "s",
                    "priority": "1",
                },
            )
            report = await carrier.next_report(CALL_SECONDS)
            gaps += report.gaps_ms
    return gaps


async def _write_dialplan(asterisk: PrivateAsterisk, folder: Path) -> None:
    for module in MODULES:
        await asterisk.command(f"module load {module}")
    steps = (
        f"Playback({folder / 'reply'})",
        f"Record({folder / 'turn'}-${{UNIQUEID}}.wav,2,10,qk)",
        f"Playback({folder / 'reply'})",
        "Goto(2)",
    )
    for priority, step in enumerate(steps, start=1):
        await asterisk.command(f"dialplan add extension s,{priority},{step} into {CONTEXT}")


async def _speak(voice: TextToSpeech, file: Path) -> None:
    audio = b"".join([piece async for piece in voice.synthesise(REPLY)])
    with wave.open(str(file), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(SAMPLE_RATE)
        out.writeframes(audio)
