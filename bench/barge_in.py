"""`python -m bench.barge_in`: how fast the agent falls silent when it is interrupted, and for what it shouldn't have.

The real conversation, voice detector and echo guard at a leg without a network; the media clock runs as fast as it can,
so that every figure is exact. Words come from the labels, or from Whisper (`--whisper`), always after 0.3 s.

*Hesitated*: fell silent for something that wasn't meant, and went on where it was. *Gave up*: what it had to say was
dropped for it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from rich.console import Console, Group
from rich.progress import track
from rich.table import Table

from bench.barge_in_data import Sound, labelled_sounds
from bench.barge_in_line import Labels, Line, Outcome
from bench.noises import Wave
from trunkline.audio import SAMPLE_RATE, to_float
from trunkline.ports import Transcript
from trunkline.rehearsal.studio import read_wav
from trunkline.settings import Settings
from trunkline.speech import make_speech_to_text
from trunkline.speech.hibari_worker import Voices
from trunkline.telephony.asterisk_fetch import provide_sounds

HALVES: Final = ("tuning", "held_out")
Results = dict[str, dict[str, dict[str, Any]]]
"""By half and kind; `table` shows them."""
console = Console(highlight=False)


async def measure(
    folder: Path,
    *,
    halves: Iterable[str] = ("held_out",),
    whisper: bool = False,
    kinds: str = "",
    room: Path | None = None,
) -> Results:
    """All labelled sounds of these halves (a minute and a half each). `kinds`: only those with this in their name;
    `room`: instead of them, WAV files of what may be heard around somebody who says nothing."""
    settings = Settings()
    prompts = await provide_sounds(settings.asterisk)
    sounds = [sound for sound in labelled_sounds(prompts) if sound.half in halves and kinds in sound.kind]
    if room is not None:
        sounds = list(_behind(room, sounds[0]))
    voices = Voices()
    agents = {sound.agent: voices.say(sound.agent, "", 1.0) for sound in sounds}
    engine = make_speech_to_text(settings.speech) if whisper else None

    async def listen(audio: bytes) -> Transcript:
        assert engine is not None
        return await engine.transcribe(audio)

    outcomes = []
    for sound in track(sounds, "listening", console=console, transient=True):
        line = Line(sound, agents[sound.agent], listen if whisper else Labels(sound))
        outcomes.append(await line.outcome())
    if engine is not None:
        await engine.close()
    await asyncio.to_thread(_write, folder / "barge_in.json", outcomes)
    return {half: _results([outcome for outcome in outcomes if outcome.half == half]) for half in halves}


def _behind(room: Path, sound: Sound) -> Iterator[Sound]:
    """Each file of a folder at two levels, behind what the agent says."""
    for file in sorted(room.glob("*.wav")):
        wave: Wave = to_float(read_wav(file)).astype(np.float64)[: 30 * SAMPLE_RATE]
        for decibels in (-22, -32):
            level = 10 ** (decibels / 20) / max(float(np.sqrt(np.mean(np.square(wave)))), 1e-6)
            yield replace(
                sound,
                name=f"{file.stem} {decibels} dB",
                kind=file.stem,
                meant=False,
                audio=np.zeros(0),
                words="",
                room=wave * level,
                echo=None,
                moment=0.0,
            )


def _write(file: Path, outcomes: list[Outcome]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps([asdict(outcome) for outcome in outcomes], indent=1) + "\n", encoding="utf-8")


def _results(outcomes: list[Outcome]) -> dict[str, dict[str, Any]]:
    by_kind: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        by_kind.setdefault(outcome.kind, []).append(outcome)
    by_kind["all meant"] = [outcome for outcome in outcomes if outcome.meant]
    by_kind["all not meant"] = [outcome for outcome in outcomes if not outcome.meant]
    return {kind: _account(group) for kind, group in by_kind.items() if group}


def _account(group: list[Outcome]) -> dict[str, Any]:
    if group[0].meant:
        stops = [1000 * outcome.stopped for outcome in group if outcome.stopped is not None]
        p50, p95 = (round(float(np.percentile(stops, share)), 1) if stops else None for share in (50, 95))
        return {"n": len(group), "silent_ms_p50": p50, "silent_ms_p95": p95, "missed": sum(not o.lost for o in group)}
    held = [outcome.held for outcome in group if outcome.holds > outcome.lost]
    return {
        "n": len(group),
        "hesitated": len(held),
        "times": sum(max(outcome.holds - outcome.lost, 0) for outcome in group),
        "seconds": round(float(np.median(held)), 2) if held else None,
        "gave_up": sum(outcome.lost for outcome in group),
    }


def table(results: Results) -> Group:
    """A table for each half."""
    shown = []
    for half, kinds in results.items():
        columns = ("kind", "n", "silent after p50", "p95", "missed", "hesitated", "times", "for", "gave up")
        made = Table(*columns, box=None, title=half)
        for kind, found in kinds.items():
            p50, p95 = (f"{found[key]:.0f} ms" if found.get(key) else "" for key in ("silent_ms_p50", "silent_ms_p95"))
            seconds = f"{found['seconds']:.2f} s" if found.get("seconds") else ""
            missed, hesitated, times, lost = (
                str(found.get(key, "")) for key in ("missed", "hesitated", "times", "gave_up")
            )
            made.add_row(kind, str(found["n"]), p50, p95, missed, hesitated, times, seconds, lost)
        shown.append(made)
    return Group(*shown)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.barge_in", description=__doc__)
    parser.add_argument("--half", choices=(*HALVES, "both"), default="both")
    parser.add_argument("--kinds", default="", help="only kinds with this in their name")
    parser.add_argument("--room", type=Path, help="a folder of WAV files that are heard behind a silent person")
    parser.add_argument("--whisper", action="store_true", help="words from Whisper instead of the labels")
    parser.add_argument("--output", type=Path, default=Path("var/bench"))
    given = parser.parse_args()
    chosen = HALVES if given.half == "both" else (given.half,)
    measured = measure(
        given.output.absolute(), halves=chosen, whisper=given.whisper, kinds=given.kinds, room=given.room
    )
    console.print(table(asyncio.run(measured)))
