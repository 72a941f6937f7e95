"""Supervisors on a call through a real Asterisk, by tones: what they hear, who hears them, what is not recorded."""

from __future__ import annotations

import asyncio
import io
import wave
from collections.abc import AsyncIterator

import numpy as np
import pytest
import pytest_asyncio
from numpy.typing import NDArray
from websockets.asyncio.client import connect

from tests.doubles import FakeTextToSpeech, tone
from tests.real.premises import TIMEOUT, Premises, left_as_found, open_premises
from trunkline.audio import SAMPLE_BYTES, SAMPLE_RATE, to_float
from trunkline.models import CallId
from trunkline.rehearsal.scenario import Scenario

pytestmark = pytest.mark.asyncio(loop_scope="module")

PERSON, AGENT, SUPERVISOR = 500.0, 1240.0, 2000.0
"""Hertz of their voices."""
HEADER = 44
STEREO_SECOND = SAMPLE_RATE * SAMPLE_BYTES * 2
LISTENED, PAUSED = 1.5, 1.5
"""Seconds."""
LONG = "This takes a while to be said. " * 20


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Premises]:
    voice = FakeTextToSpeech(seconds_per_character=0.02, hertz=AGENT)
    async with open_premises(tmp_path_factory.mktemp("house"), voice=voice) as premises:
        yield premises


@pytest_asyncio.fixture(loop_scope="module")
async def office(house: Premises) -> AsyncIterator[Premises]:
    async with left_as_found(house) as office:
        yield office


class Listener:
    """Hears `GET /calls/{id}/audio`."""

    def __init__(self, office: Premises, call_id: CallId) -> None:
        self.heard = bytearray()
        self._office = office
        self._path = f"/calls/{call_id}/audio"

    async def run(self) -> None:
        async with self._office.http.stream("GET", self._path) as answer:
            assert answer.status_code == 200
            async for piece in answer.aiter_bytes():
                self.heard += piece

    async def until(self, seconds: float) -> None:
        """Until so much more has been heard."""
        enough = len(self.heard) + seconds * STEREO_SECOND
        await self._office.until(lambda: len(self.heard) >= enough)


async def test_supervisors_hear_and_are_heard_and_a_pause_is_silent(office: Premises) -> None:
    with wave.open(str(office.folder / "tone.wav"), "wb") as wav:
        wav.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
        wav.writeframes(tone(60.0, PERSON))
    steps: list[object] = [{"wav": "tone.wav"}]
    person = Scenario.model_validate(
        {"name": "tone", "folder": office.folder, "steps": steps, "phone": {"rings_ms": 0}}
    )
    async with office.carrier(person, record=True) as carrier:
        call_id = await office.call()
        await office.until(lambda: _talks(office, call_id))
        listener = Listener(office, call_id)
        listening = asyncio.create_task(listener.run())
        await ask(office, call_id, "say", text=LONG, now=True)
        await listener.until(LISTENED)
        await ask(office, call_id, "recording/pause")
        await listener.until(PAUSED)
        answer = await office.http.delete(f"/calls/{call_id}/recording/pause")
        assert answer.json()["recordingPaused"] is False
        await listener.until(0.5)

        address = str(office.http.base_url).replace("http", "ws", 1).rstrip("/")
        async with connect(f"{address}/calls/{call_id}/takeover", proxy=None) as supervisor, asyncio.timeout(TIMEOUT):
            await supervisor.send(tone(0.4, SUPERVISOR))
            heard = b"".join([bytes(await supervisor.recv()) for _ in range(50)])  # type: ignore[arg-type]
        await listener.until(0.5)
        await office.delete(call_id)
        await asyncio.wait_for(listening, TIMEOUT)
        call = await office.ended(call_id)
        report = await carrier.next_report(TIMEOUT)

    assert loudest(to_float(heard)) == pytest.approx(PERSON, abs=2)
    both = stereo(bytes(listener.heard[HEADER:]))
    assert loudest(both[:SAMPLE_RATE, 0]) == pytest.approx(PERSON, abs=2)
    assert AGENT in tones(both[: int(LISTENED * SAMPLE_RATE), 1])

    recording = stereo((await office.http.get(call["recording"])).content[HEADER:])
    silent = longest_silence(recording)
    assert PAUSED - 0.5 <= silent <= PAUSED + 5.0, "both sides are silent in the recording for as long as it was paused"
    assert longest_silence(both) >= PAUSED - 0.5, "who listens in hears nothing of it either"
    assert {PERSON} <= tones(recording[:, 0])
    assert {AGENT, SUPERVISOR} <= tones(recording[:, 1])

    file = await asyncio.to_thread((office.folder / "carrier" / str(report.recording)).read_bytes)
    with wave.open(io.BytesIO(file)) as wav:
        at_the_ear = stereo(wav.readframes(wav.getnframes()))[:, 1]
    assert {AGENT, SUPERVISOR} <= tones(at_the_ear)

    kinds = [event["kind"] for event in call["events"]]
    assert kinds.index("recording-paused") < kinds.index("recording-resumed") < kinds.index("taken-over")
    assert {"listening-in", "given-back"} <= set(kinds)


def _talks(office: Premises, call_id: CallId) -> bool:
    live = office.house.switchboard.live_calls.get(call_id)
    return live is not None and live.recording is not None


async def ask(office: Premises, call_id: CallId, verb: str, **body: object) -> None:
    answer = await office.http.post(f"/calls/{call_id}/{verb}", json=body)
    assert answer.status_code in (200, 202), answer.text


def stereo(pcm: bytes) -> NDArray[np.float32]:
    return to_float(pcm[: len(pcm) // 4 * 4]).reshape(-1, 2)


def loudest(sound: NDArray[np.float32]) -> float:
    """Its strongest frequency, in hertz."""
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), n=2 * len(sound)))
    return float(np.argmax(spectrum)) * SAMPLE_RATE / (2 * len(sound))


def tones(sound: NDArray[np.float32]) -> set[float]:
    """Whose voices are in it, for at least a tenth of a second."""
    found = set()
    for start in range(0, len(sound), 800):
        part = sound[start : start + 800]
        if len(part) == 800 and float(np.sqrt(np.mean(part**2))) > 0.02:
            hertz = loudest(part)
            found |= {voice for voice in (PERSON, AGENT, SUPERVISOR) if abs(voice - hertz) < 12}
    return found


def longest_silence(both: NDArray[np.float32]) -> float:
    """Seconds in which neither side made any sound at all."""
    loud = np.flatnonzero(np.abs(both).max(axis=1) > 0.0005)
    return float(np.diff(loud).max()) / SAMPLE_RATE if len(loud) > 1 else 0.0
