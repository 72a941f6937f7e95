"""Ten calls at the same time: all are answered, all end as they should, and nobody hears anybody else."""

from __future__ import annotations

import asyncio
import io
import re
import wave
from collections.abc import AsyncGenerator
from pathlib import Path

import numpy as np

from tests.doubles import FakeTextToSpeech, tone
from tests.real.premises import TIMEOUT, TOGETHER, Premises, open_premises
from trunkline.audio import SAMPLE_RATE
from trunkline.models import CallState
from trunkline.rehearsal.scenario import Scenario

AGENTS = [400.0 + 150 * number for number in range(TOGETHER)]
PERSONS = [hertz + 75 for hertz in AGENTS]


class TuningFork(FakeTextToSpeech):
    """Sounds as its text says: "At 440 hertz?"."""

    async def synthesise(self, text: str, *, voice: str = "", speed: float = 1.0) -> AsyncGenerator[bytes, None]:
        if (wanted := re.search(r"(\d+) hertz", text)) is None:
            async for piece in super().synthesise(text, voice=voice, speed=speed):
                yield piece
        else:
            yield tone(0.5, float(wanted[1]))


def number_of(line: int) -> str:
    return f"+141555501{line:02}"


def sounds_of(wav: bytes) -> list[float]:
    """Of each side, the frequency that is heard there; fails where there is another one beside it."""
    with wave.open(io.BytesIO(wav)) as file:
        both = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2).astype(np.float64)
    found = []
    for side in both.T:
        power = np.abs(np.fft.rfft(side)) ** 2
        hertz = np.fft.rfftfreq(len(side), 1 / SAMPLE_RATE)
        strongest = float(hertz[power.argmax()])
        beside = power[np.abs(hertz - strongest) > 40].sum() / power.sum()
        assert beside < 0.03, f"{beside:.1%} of the sound is not at {strongest:.0f} Hz"
        found.append(strongest)
    return found


def person(office: Premises, line: int) -> Scenario:
    steps = ({"wait_for_agent": {"silence_ms": 200}}, {"wav": "hm.wav", "text": "hm"}, {"pause_ms": 800}, "hang_up")
    return office.person(*steps, hertz=PERSONS[line], numbers=[number_of(line)])


async def test_ten_calls_at_once(tmp_path: Path) -> None:
    async with open_premises(tmp_path, voice=TuningFork(seconds_per_character=0.02)) as office:
        before = office.inventory()
        people = [person(office, line) for line in range(TOGETHER)]
        async with office.carrier(*people, record=True) as carrier:
            scripts = [f"At {hertz:.0f} hertz?" for hertz in AGENTS]
            calls = await asyncio.gather(
                *(office.call(number_of(line), script=script) for line, script in enumerate(scripts))
            )
            await office.until(lambda: all(office.reached(call, CallState.ANSWERED) for call in calls))
            assert len(office.house.switchboard.live_calls) == carrier.live_calls == TOGETHER
            ends = [await office.ended(call) for call in calls]
            reports = {report.number: report for report in [await carrier.next_report(TIMEOUT) for _ in calls]}
        for line, end in enumerate(ends):
            assert (end["disposition"], end["hungUpBy"], end["sipCode"]) == ("answered", "person", 200)
            assert [turn["text"] for turn in end["turns"]] == [scripts[line]]
            report = reports[number_of(line)]
            assert (report.problems, report.received.lost) == ((), 0)
            ours = await office.http.get(f"/calls/{end['id']}/recording")
            theirs = tmp_path / "carrier" / str(report.recording)
            for wav in (ours.content, theirs.read_bytes()):
                assert np.allclose(sounds_of(wav), (PERSONS[line], AGENTS[line]), atol=5)
        await office.nothing_is_left(before)
