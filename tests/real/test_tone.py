"""Tones through a real Asterisk between our AudioSocket leg and the stand-in carrier: what goes in comes out unchanged.

G.711 has no sample in between its steps, so a tone that consists of such steps must arrive bit by bit.
"""

from __future__ import annotations

import asyncio
import uuid
import wave
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from tests.real.conftest import PrivateAsteriskFactory
from trunkline.audio import FRAME_BYTES, SAMPLE_RATE, SILENCE, from_float, to_float
from trunkline.events import FarEndGone, PbxEvent
from trunkline.models import CallId
from trunkline.ports import CallLeg
from trunkline.rehearsal import rtp
from trunkline.rehearsal.carrier import StandInCarrier
from trunkline.rehearsal.config import CarrierConfig
from trunkline.rehearsal.scenario import Scenario
from trunkline.settings import AsteriskSettings, TrunkSettings
from trunkline.sip.message import Transport
from trunkline.telephony.ari import AriPbx
from trunkline.telephony.audiosocket_server import AudioSocketServer
from trunkline.telephony.pacing_clock import PacingClock
from trunkline.telephony.pbx import PrivateAsterisk

Codec = Literal["ulaw", "alaw"]
TransferMode = Literal["disable-all", "enable-all", "sip-only"]

NUMBER, COLLEAGUE = "+14155550123", "+14155550199"
TIMEOUT = 20.0
PERSONS_HERTZ, OUR_HERTZ = 1004, 620
TONE_SECONDS = 1.0


def tone(hertz: float, codec: Codec) -> bytes:
    """−10 dB of full scale, rounded to the codec's steps."""
    when = np.arange(round(TONE_SECONDS * SAMPLE_RATE)) / SAMPLE_RATE
    wave_form = (np.sqrt(2) * 10 ** (-10 / 20) * np.sin(2 * np.pi * hertz * when + 0.3)).astype(np.float32)
    return rtp.decode(rtp.encode(from_float(wave_form), codec), codec)


def hertz_and_level(pcm: bytes) -> tuple[float, float]:
    """Strongest frequency, and root mean square in dB of full scale, of the sounding part."""
    sound = to_float(pcm)
    (sounding,) = np.nonzero(np.abs(sound) > 0.05)
    assert len(sounding), "nothing but silence"
    sound = sound[sounding[0] : sounding[-1] + 1]
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), n=8 * SAMPLE_RATE))
    return float(np.argmax(spectrum)) / 8, float(10 * np.log10(np.mean(np.square(sound))))


def frames_of(pcm: bytes) -> list[bytes]:
    return [pcm[at : at + FRAME_BYTES] for at in range(0, len(pcm), FRAME_BYTES)]


class Telephonist:
    """Plays audio into a leg and keeps what comes out."""

    def __init__(self, says: bytes = b"") -> None:
        self.heard: list[bytes] = []
        self.keys = ""
        self.leg: asyncio.Future[CallLeg] = asyncio.get_running_loop().create_future()
        self.closed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._says = iter(frames_of(says))
        self._changed = asyncio.Event()

    def take(self, leg: CallLeg) -> None:
        leg.attach(self)
        self.leg.set_result(leg)

    def audio_received(self, frame: bytes) -> None:
        self.heard.append(frame)
        self._changed.set()

    def next_frame(self) -> bytes:
        return next(self._says, SILENCE)

    def key_received(self, digit: str) -> None:
        self.keys += digit
        self._changed.set()

    def leg_closed(self, why: str, *, broken: bool) -> None:
        self.closed.set_result(why)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(TIMEOUT):
            while not condition():
                self._changed.clear()
                await self._changed.wait()


@dataclass
class House:
    """Carrier, Asterisk and our two ends of it."""

    carrier: StandInCarrier
    asterisk: PrivateAsterisk
    ari: AriPbx
    legs: AudioSocketServer
    gone: asyncio.Queue[FarEndGone] = field(default_factory=asyncio.Queue)

    def note(self, event: PbxEvent) -> None:
        if isinstance(event, FarEndGone):
            self.gone.put_nowait(event)

    async def call(self, telephonist: Telephonist) -> CallLeg:
        call_id = CallId(str(uuid.uuid4()))
        self.legs.expect(call_id, telephonist.take)
        await self.ari.dial(call_id, NUMBER, caller_id="+14155550100", ring_timeout=30)
        async with asyncio.timeout(TIMEOUT):
            return await telephonist.leg

    async def nothing_is_left(self) -> FarEndGone:
        """How the call ended."""
        async with asyncio.timeout(TIMEOUT):
            gone = await self.gone.get()
        assert "0 active channels" in await self.asterisk.command("core show channels count")
        assert self.legs.counters.legs_open == 0
        return gone


HouseWith = Callable[..., AbstractAsyncContextManager[House]]


@pytest.fixture
def house(private_asterisk: PrivateAsteriskFactory, tmp_path: Path) -> HouseWith:
    @asynccontextmanager
    async def build(
        person: Scenario,
        codec: Codec = "ulaw",
        transport: Transport = "udp",
        others: Sequence[Scenario] = (),
        transfer: TransferMode = "enable-all",
    ) -> AsyncIterator[House]:
        legs = AudioSocketServer(PacingClock(asyncio.get_running_loop()))
        host, port = await legs.start()
        config = CarrierConfig(secure=transport == "tls", transfer=transfer, calls_per_second=None)
        async with StandInCarrier(config, [person, *others], out_dir=tmp_path / "carrier") as carrier:
            ours = {"codecs": [codec], "refer": True}
            trunk = TrunkSettings.model_validate({**carrier.trunk_settings(transport), **ours})
            trusted = tmp_path / "authority.pem"
            trusted.write_text(carrier.authority)
            settings = AsteriskSettings(tls_ca=trusted)
            async with (
                private_asterisk(trunk, audiosocket=f"{host}:{port}", asterisk=settings) as asterisk,
                AriPbx(asterisk.ari, trunk) as ari,
            ):
                house = House(carrier, asterisk, ari, legs)
                ari.on_event(house.note)
                yield house
        await legs.close()

    return build


@pytest.mark.parametrize(
    ("codec", "transport"), [("ulaw", "udp"), ("alaw", "udp"), ("ulaw", "tcp"), ("ulaw", "tls"), ("alaw", "tls")]
)
async def test_tones_are_carried_unchanged_in_both_directions(
    house: HouseWith, tmp_path: Path, codec: Codec, transport: Transport
) -> None:
    """Over TLS the audio is SRTP: the carrier takes nothing else then."""
    persons, ours = tone(PERSONS_HERTZ, codec), tone(OUR_HERTZ, codec)
    with wave.open(str(tmp_path / "tone.wav"), "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(SAMPLE_RATE)
        wav.writeframes(persons)
    person = Scenario.model_validate({"name": "tone", "steps": [{"wav": "tone.wav"}], "folder": tmp_path})

    async with house(person, codec, transport) as it:
        us = Telephonist(says=ours)
        leg = await it.call(us)
        await us.until(lambda: len(us.heard) >= 1.5 * TONE_SECONDS * 50)
        leg.close()
        report = await it.carrier.next_report(TIMEOUT)
        await it.nothing_is_left()
    assert (report.codec, report.problems, report.received.lost) == (codec, (), 0)
    assert report.stray_datagrams == 0

    heard_by_us = b"".join(us.heard)
    assert hertz_and_level(heard_by_us) == pytest.approx((PERSONS_HERTZ, -10), abs=0.25)
    assert persons in heard_by_us

    with wave.open(str(tmp_path / "carrier" / str(report.recording))) as wav:
        both = np.frombuffer(wav.readframes(wav.getnframes()), dtype="<i2").reshape(-1, 2)
    heard_by_person = both[:, 1].tobytes()
    # The recording lies on the carrier's clock: where that had to wait for a busy machine, two frames may overlap.
    assert hertz_and_level(heard_by_person) == pytest.approx((OUR_HERTZ, -10), abs=2)
    arrived = in_order(frames_of(ours), heard_by_person)
    assert arrived >= 0.97 * len(frames_of(ours))


def in_order(frames: list[bytes], audio: bytes) -> int:
    """How many frames are in the audio, bit by bit, one behind the other."""
    found = at = 0
    for frame in frames:
        place = audio.find(frame, at)
        if place >= 0:
            found, at = found + 1, place + FRAME_BYTES
    return found


async def test_keys_of_the_person_arrive_in_order(house: HouseWith) -> None:
    person = Scenario.model_validate({"name": "keys", "steps": [{"pause_ms": 200}, {"keys": "159#*0D"}]})
    async with house(person) as it:
        us = Telephonist()
        leg = await it.call(us)
        await us.until(lambda: len(us.keys) == 7)
        assert us.keys == "159#*0D"
        leg.close()
        await it.nothing_is_left()


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
async def test_the_person_hangs_up(house: HouseWith, transport: Transport) -> None:
    person = Scenario.model_validate({"name": "short", "steps": [{"pause_ms": 300}, "hang_up"]})
    async with house(person, transport=transport) as it:
        us = Telephonist()
        await it.call(us)
        async with asyncio.timeout(TIMEOUT):
            assert await us.closed == "the other side closed the connection"
        await it.nothing_is_left()
        assert (await it.carrier.next_report(TIMEOUT)).ended_by == "person"


def colleague_with_a_tone(folder: Path) -> Scenario:
    """Picks up at once, sounds, and hangs up."""
    with wave.open(str(folder / "tone.wav"), "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(SAMPLE_RATE)
        wav.writeframes(tone(OUR_HERTZ, "ulaw"))
    steps = [{"pause_ms": 500}, {"wav": "tone.wav"}, "hang_up"]
    return Scenario.model_validate(
        {"name": "colleague", "numbers": [COLLEAGUE], "steps": steps, "folder": folder, "phone": {"rings_ms": 0}}
    )


PATIENT = {"name": "person", "numbers": [NUMBER], "stays_ms": TIMEOUT * 1000}


async def put_through(it: House) -> FarEndGone:
    """The person of a call, to the colleague, until all is over."""
    us = Telephonist()
    leg = await it.call(us)
    await us.until(lambda: len(us.heard) > 10)
    await it.ari.connect_next(leg.call_id, COLLEAGUE, ring_timeout=30)
    leg.close()
    return await it.nothing_is_left()


def requests(it: House, *methods: str) -> list[tuple[str, str]]:
    """Those the carrier got and sent, in order."""
    lines = [(line.direction, line.line.split(" ")[0]) for line in it.carrier.agent.trace]
    return [line for line in lines if line[1] in methods]


@pytest.mark.parametrize("transport", ["udp", "tls"])
async def test_the_carrier_puts_the_person_through_and_the_call_leaves_us(
    house: HouseWith, tmp_path: Path, transport: Transport
) -> None:
    """REFER, both NOTIFYs and BYE of a real Asterisk; over TLS the colleague is on plain RTP behind the carrier."""
    person = Scenario.model_validate(PATIENT)
    async with house(person, transport=transport, others=[colleague_with_a_tone(tmp_path)]) as it:
        gone = await put_through(it)
        report = await it.carrier.next_report(TIMEOUT)
    assert requests(it, "REFER", "NOTIFY", "BYE") == [
        ("in", "REFER"),
        ("out", "NOTIFY"),
        ("out", "NOTIFY"),
        ("in", "BYE"),
    ]
    assert (gone.transfer, report.ended_by) == ("REFERRED", "target")
    (speech,) = report.agent_speech
    assert speech.ended - speech.began == pytest.approx(TONE_SECONDS, abs=0.1)


async def test_where_the_carrier_refers_nobody_asterisk_dials(house: HouseWith, tmp_path: Path) -> None:
    person = Scenario.model_validate(PATIENT)
    async with house(person, others=[colleague_with_a_tone(tmp_path)], transfer="disable-all") as it:
        gone = await put_through(it)
        found = [await it.carrier.next_report(TIMEOUT) for _ in range(2)]
    assert requests(it, "REFER", "NOTIFY") == [("in", "REFER")]
    assert gone.transfer == "ANSWER"
    by_number = {report.number: report for report in found}
    assert (by_number[COLLEAGUE].ended_by, by_number[NUMBER].ended_by) == ("person", "caller")
    # Ringback before it: the tone is what ends the call.
    last = by_number[NUMBER].agent_speech[-1]
    assert last.ended - last.began == pytest.approx(TONE_SECONDS, abs=0.1)


async def test_we_hang_up(house: HouseWith) -> None:
    async with house(Scenario(name="patient")) as it:
        us = Telephonist()
        leg = await it.call(us)
        await us.until(lambda: len(us.heard) > 10)
        leg.close()
        async with asyncio.timeout(TIMEOUT):
            assert await us.closed == "closed by the call"
        await it.nothing_is_left()
        assert (await it.carrier.next_report(TIMEOUT)).ended_by == "caller"
