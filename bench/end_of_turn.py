"""How well, and how soon, the end of a turn is recognised: `python -m bench.end_of_turn` fills `docs/end-of-turn.md`.

A simulation on the media clock: the evidence (what was heard, and what the models make of it) is real, the time the
models take is a figure below, so that the result doesn't depend on what else the machine does.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bench.end_of_turn_data import PORTIONS, LabelledTurn, labelled_turns
from bench.end_of_turn_evidence import ASK_SECONDS, LATER_SECONDS, Heard, Silence, Witness
from trunkline.audio import FRAME_SECONDS
from trunkline.conversation.completeness import DICTATED, Asked, what_was_asked
from trunkline.conversation.end_of_turn import EndOfTurn
from trunkline.ports import Transcript
from trunkline.settings import ListeningSettings
from trunkline.settings_file import load
from trunkline.speech import whisper_model
from trunkline.speech.smart_turn import SmartTurnDetector, smart_turn_model
from trunkline.speech.whisper import WhisperSpeechToText
from trunkline.telephony.asterisk_fetch import provide_sounds

SMART_TURN_SECONDS: Final = 0.04
WHISPER_SECONDS: Final = 0.17
"""From asking to the answer, on a core that is free: a little more than the CPU time that was measured."""
PAGE: Final = Path("docs/end-of-turn.md")
PICTURE: Final = Path("docs/end-of-turn.svg")
FOLDER: Final = Path("var/bench")
_START_SECONDS: Final = ListeningSettings().start_seconds
console = Console(highlight=False)

Policy = Callable[[Silence, Asked], float]
"""Seconds of silence, as the voice detector counts it, after which the turn is taken for over; ∞ is never."""


def fixed(seconds: float) -> Policy:
    """Silence alone."""
    return lambda silence, asked: seconds


def smart_turn(threshold: float, longest: float) -> Policy:
    """Smart Turn is asked at 0.2 s of silence; below the threshold the turn ends at `longest`."""

    def policy(silence: Silence, asked: Asked) -> float:
        if silence.finished_later is not None and silence.finished_later >= threshold:
            return LATER_SECONDS + SMART_TURN_SECONDS
        return longest

    return policy


def rules(end: EndOfTurn, *, sound: bool = True, late: float = 0.0) -> Policy:
    """Ours: words and sound, both asked for at once; `late` seconds more for the words."""

    def policy(silence: Silence, asked: Asked) -> float:
        finished = silence.finished if sound else None
        known: list[tuple[float, float | None, Transcript | None]] = [(0.0, None, None)]
        if silence.words is not None:
            known += [(ASK_SECONDS + SMART_TURN_SECONDS, finished, None)] if sound else []
            known += [
                (
                    ASK_SECONDS + WHISPER_SECONDS + late,
                    finished,
                    Transcript(silence.words, silence.confidence, silence.trails_off),
                )
            ]
        untils = [*(at for at, _, _ in known[1:]), math.inf]
        for (at, probability, words), until in zip(known, untils, strict=True):
            ends = max(at, end.patience(probability, words, asked))
            if ends < until:
                return ends
        return math.inf

    return policy


@dataclass(frozen=True, slots=True)
class Result:
    """What a policy did to a set of turns. Latencies: last audible sample → decision, in milliseconds."""

    turns: int
    cut: float
    """Share of turns that were taken for over where more had to come."""
    answered_early: float
    """Share of turns that were taken for over where the question was answered, but more came."""
    p50: float
    p95: float
    p95_not_dictated: float
    """Without answers that are numbers, letters or dates of birth."""


def play(policy: Policy, heard: Iterable[Heard]) -> Result:
    cut = early = total = 0
    latencies: list[tuple[float, Asked]] = []
    for one in heard:
        total += 1
        asked = what_was_asked(one.turn.asked)
        silence, decided = _first_end(policy, one.silences, asked)
        if silence.resumes is None:
            latencies.append((round(1000 * (decided - one.turn.ends), 1), asked))
        elif answered(one.turn, silence):
            early += 1
        else:
            cut += 1
    every = [latency for latency, _ in latencies]
    others = [latency for latency, asked in latencies if asked not in DICTATED]
    p50, p95 = np.percentile(every, [50, 95])
    return Result(total, cut / total, early / total, float(p50), float(p95), float(np.percentile(others, 95)))


def _first_end(policy: Policy, silences: Sequence[Silence], asked: Asked) -> tuple[Silence, float]:
    """The silence in which the policy ended the turn, and when."""
    for silence in silences:
        frames = math.ceil(round(policy(silence, asked) / FRAME_SECONDS, 6))
        decided = silence.begins + frames * FRAME_SECONDS
        if silence.resumes is None or decided < silence.resumes - _START_SECONDS:
            return silence, decided
    raise ValueError("the policy never ended a turn")


def answered(turn: LabelledTurn, silence: Silence) -> bool:
    """Whether it is a pause at which nobody could know that more would come."""
    middle = (silence.begins + (silence.resumes or silence.begins)) / 2
    return any(pause.answered and pause.begins <= middle <= pause.ends for pause in turn.pauses)


OURS: Final = "**words and Smart Turn**"
POLICIES: Final[dict[str, Policy]] = {
    **{f"silence of {seconds} s": fixed(seconds) for seconds in (0.3, 0.5, 0.7, 1.0)},
    "Smart Turn ≥ 0.5, else 1.0 s": smart_turn(0.5, 1.0),
    "Smart Turn ≥ 0.9, else 1.2 s": smart_turn(0.9, 1.2),
    "words": rules(EndOfTurn(), sound=False),
    OURS: rules(EndOfTurn()),
    "the same, words 0.4 s late (a busy machine)": rules(EndOfTurn(), late=0.4),
}


async def gather(evidence: Path, portions: Collection[str] = PORTIONS) -> list[Heard]:
    settings = load()
    sounds = await provide_sounds(settings.asterisk)
    detector = SmartTurnDetector(lambda: smart_turn_model(settings.speech))
    whisper = WhisperSpeechToText(lambda: whisper_model(settings.speech))
    await detector.warm_up()
    await whisper.warm_up()
    try:
        with Progress(console=console, transient=True) as progress:
            task = progress.add_task("listening to the turns", total=None)
            heard = []
            async for one in Witness(detector, whisper, evidence).testify(labelled_turns(sounds, portions)):
                heard.append(one)
                progress.update(task, completed=len(heard))
            return heard
    finally:
        await detector.close()
        await whisper.close()


# ── what is shown ──────────────────────────────────────────────────────────────────────────────────────────────

_HEAD: Final = ("", "cut", "answered early", "p50 ms", "p95 ms", "p95 ms, not dictated")


def rows(heard: Sequence[Heard]) -> list[tuple[str, ...]]:
    return [(name, *_figures(play(policy, heard))) for name, policy in POLICIES.items()]


def groups(heard: Sequence[Heard]) -> list[tuple[str, ...]]:
    """The recommended policy, by line, voice and manner."""
    policy = POLICIES[OURS]
    noises = {"quiet line": None, "20 dB noise": 20.0, "10 dB noise": 10.0}
    parts = {name: [one for one in heard if one.turn.noise == noise] for name, noise in noises.items()}
    voices = {"hibari": "hibari", "espeak-ng": "espeak", "a human (prompts)": "human"}
    parts |= {name: [one for one in heard if one.turn.voice.startswith(voice)] for name, voice in voices.items()}
    with_pauses = [one for one in heard if one.turn.pauses]
    manners = {f"with pauses, spoken {name}": name for name in ("as a whole", "in parts")}
    manners |= {"with pauses, recorded": "recorded"}
    parts |= {name: [one for one in with_pauses if one.turn.manner == manner] for name, manner in manners.items()}
    parts["without pauses"] = [one for one in heard if not one.turn.pauses]
    return [(f"{name} ({len(part)} turns)", *_figures(play(policy, part))) for name, part in parts.items() if part]


def _figures(result: Result) -> tuple[str, ...]:
    shares = (f"{100 * share:.1f} %" for share in (result.cut, result.answered_early))
    return (*shares, *(f"{value:.0f}" for value in (result.p50, result.p95, result.p95_not_dictated)))


def markdown(table: Sequence[Sequence[str]]) -> str:
    lines = [_HEAD, ("---",) * len(_HEAD), *table]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def costs(heard: Sequence[Heard]) -> str:
    asked = [silence for one in heard for silence in one.silences if silence.words is not None]
    sound, words = (
        np.mean([getattr(silence, name) for silence in asked]) for name in ("smart_turn_cpu", "whisper_cpu")
    )
    return (
        f"{len(heard)} turns; {len(asked) / len(heard):.2f} times a turn the models were asked;"
        f" CPU each time: Smart Turn {1000 * sound:.0f} ms, Whisper base {1000 * words:.0f} ms."
    )


def draw(heard: Sequence[Heard], file: Path) -> None:
    """Turns cut against latency: each policy a line over its one parameter."""
    lines: dict[str, list[tuple[str, Policy]]] = {
        "silence": [(f"{s / 10:.1f} s", fixed(s / 10)) for s in range(2, 15)],
        "Smart Turn, else 1.2 s": [("", smart_turn(t, 1.2)) for t in (0.1, 0.3, 0.5, 0.7, 0.9, 0.95, 0.99)],
        "words": [("", rules(EndOfTurn(), sound=False))],
        "words and Smart Turn": [("", rules(EndOfTurn()))],
    }
    mpl.rcParams.update({"svg.hashsalt": "end-of-turn", "font.size": 9})
    figure = Figure(figsize=(8, 4.2), layout="constrained")
    for axes, key, title in zip(figure.subplots(1, 2, sharey=True), ("p50", "p95"), ("median", "95 %"), strict=True):
        for (name, policies), marker in zip(lines.items(), "osD*", strict=True):
            results = [play(policy, heard) for _, policy in policies]
            across, up = [getattr(result, key) for result in results], [100 * result.cut for result in results]
            axes.plot(across, up, marker=marker, label=name, markersize=11 if marker == "*" else 4)
        axes.set(title=f"{title} of finished turns", xlabel="last sample → decision, ms")
        axes.grid(alpha=0.3)
    figure.axes[0].set_ylabel("turns cut, %")
    figure.axes[0].legend()
    figure.savefig(file, metadata={"Date": None})


def fill(page: Path, name: str, content: str) -> None:
    """Replace what stands between `<!-- name -->` and `<!-- end -->`."""
    text = page.read_text(encoding="utf-8")
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f"{page} has no part {name}")
    page.write_text(pattern.sub(lambda found: f"{found[1]}{content}\n{found[2]}", text), encoding="utf-8")


def show(title: str, table: Sequence[Sequence[str]]) -> None:
    shown = Table(*_HEAD, title=title, title_justify="left")
    for row in table:
        shown.add_row(*row)
    console.print(shown)


async def measure(folder: Path, portions: Collection[str] = ("held_out",)) -> dict[str, list[Heard]]:
    """What is heard of these portions' turns; five minutes each, the first time."""
    heard = await gather(folder / "end_of_turn_evidence.json", portions)
    return {portion: [one for one in heard if one.turn.portion == portion] for portion in portions}


def results(heard: dict[str, list[Heard]]) -> dict[str, dict[str, dict[str, float]]]:
    """By portion and policy."""
    return {portion: {name: asdict(play(p, part)) for name, p in POLICIES.items()} for portion, part in heard.items()}


async def main(*, docs: bool) -> None:
    heard = await measure(FOLDER, PORTIONS)
    tables = {portion: rows(part) for portion, part in heard.items()}
    tables["groups"] = groups(heard["held_out"])
    for name, table in tables.items():
        show(name, table)
    every = [one for part in heard.values() for one in part]
    console.print(costs(every))
    (FOLDER / "end_of_turn.json").write_text(json.dumps(results(heard), indent=1, ensure_ascii=False))
    if docs:
        for name, table in tables.items():
            fill(PAGE, name, markdown(table))
        fill(PAGE, "costs", costs(every))
        draw(heard["held_out"], PICTURE)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--docs", action="store_true", help="write the figures into docs/end-of-turn.md")
    asyncio.run(main(docs=parser.parse_args().docs))
