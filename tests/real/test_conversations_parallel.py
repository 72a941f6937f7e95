"""A dozen conversations at the same time, several turns each: everybody is answered in turn, nothing of the sound is
lost, and nobody hears, is understood as, or is answered like anybody else.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np

from tests.doubles import FakeSpeechToText
from tests.real.premises import TIMEOUT, Premises, open_premises
from tests.real.test_calls_parallel import TuningFork, number_of, sounds_of
from trunkline.audio import SAMPLE_RATE, to_samples
from trunkline.ports import Transcript
from trunkline.rehearsal.scenario import Scenario

NAMES = ["apple", "banana", "cherry", "grape", "lemon", "mango", "melon", "olive", "orange", "peach", "plum", "quince"]
PERSONS = {name: 425.0 + 100 * line for line, name in enumerate(NAMES)}
AGENTS = {name: 475.0 + 100 * line for line, name in enumerate(NAMES)}
TURNS = 3


class Tuner(FakeSpeechToText):
    """Knows people by their sound."""

    async def transcribe(self, audio: bytes, *, language: str = "en", hint: str = "") -> Transcript:
        power = np.abs(np.fft.rfft(to_samples(audio).astype(np.float64))) ** 2
        hertz = float(np.fft.rfftfreq(len(audio) // 2, 1 / SAMPLE_RATE)[power.argmax()])
        return Transcript(min(PERSONS, key=lambda name: abs(PERSONS[name] - hertz)), 0.9)


def script_of(folder: Path) -> Path:
    """Answers each name with a sound of its own, for ever."""
    lines = ["about: Knows everybody by name.", 'greeting: "Hi."', "intents:"]
    lines += [f"  {name}: [{name}]" for name in NAMES]
    lines += ["steps:", "  talk:", '    ask: "Yes?"', "    on:"]
    lines += [f'      {name}: {{say: "{said(name)}", quiet: true}}' for name in NAMES]
    lines += ["      no: part", "  part:", '    say: "Bye."', "    end: true"]
    file = folder / "names.yaml"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def said(name: str) -> str:
    return f"At {AGENTS[name]:.0f} hertz?"


def person(office: Premises, line: int) -> Scenario:
    turn = ({"wait_for_agent": {"silence_ms": 200 + 10 * line}}, {"wav": "hm.wav", "text": NAMES[line]})
    end = ({"wait_for_agent": {"silence_ms": 200}}, "hang_up")
    return office.person(*turn * TURNS, *end, hertz=PERSONS[NAMES[line]], numbers=[number_of(line)])


async def test_a_dozen_conversations_at_once(tmp_path: Path) -> None:
    voice, ears = TuningFork(seconds_per_character=0.02), Tuner()
    async with open_premises(tmp_path, voice=voice, ears=ears, script=str(script_of(tmp_path))) as office:
        people = [person(office, line) for line in range(len(NAMES))]
        async with office.carrier(*people, record=True) as carrier:
            calls = await asyncio.gather(
                *(office.call(number_of(line), script=said(name)) for line, name in enumerate(NAMES))
            )
            ends = [await office.ended(call) for call in calls]
            reports = {report.number: report for report in [await carrier.next_report(TIMEOUT) for _ in calls]}
        for line, (name, end) in enumerate(zip(NAMES, ends, strict=True)):
            assert (end["disposition"], end["hungUpBy"]) == ("answered", "person")
            assert [turn["text"] for turn in end["turns"]] == [said(name), *[name, said(name)] * TURNS]
            report = reports[number_of(line)]
            assert (report.problems, report.received.lost) == ((), 0)
            assert len(report.turns) == TURNS
            assert None not in [turn.gap_ms for turn in report.turns], "every turn was answered before the next"
            ours = await office.http.get(f"/calls/{end['id']}/recording")
            theirs = tmp_path / "carrier" / str(report.recording)
            for wav in (ours.content, theirs.read_bytes()):
                assert np.allclose(sounds_of(wav), (PERSONS[name], AGENTS[name]), atol=5)
        counted = office.house.audio.counters
        assert (counted.malformed, counted.stalled, counted.listener_errors) == (0, 0, 0)
