"""Places the calls and holds what the carrier measured against what the product says of itself."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bench.concurrency.orders import Servant
from bench.end_of_turn_data import LabelledTurn, labelled_turns
from bench.turn_gap.people import AROUND_SECONDS, STARTS, Person, people
from trunkline.rehearsal.stage import Program
from trunkline.settings_file import load
from trunkline.telephony.asterisk_fetch import provide_sounds

START_SECONDS: Final = 60.0
CALL_SECONDS: Final = 180.0
AGREE_MS: Final = 20.0
console = Console(highlight=False)


@dataclass(slots=True)
class Account:
    """What was measured, over all calls; milliseconds."""

    turns: int = 0
    unanswered: int = 0
    cut: int = 0
    """Turns the agent broke into where more had to come."""
    answered_early: int = 0
    """Turns it broke into where its question had been answered."""
    gaps: list[float] = field(default_factory=list)
    """Of the turns that were heard out."""
    greetings: list[float] = field(default_factory=list)
    apart: list[float] = field(default_factory=list)
    """The carrier's gap less the product's, where both saw the same turns."""
    steps: list[dict[str, float | None]] = field(default_factory=list)
    every: list[dict[str, Any]] = field(default_factory=list)
    """What was said, how, and what followed."""
    late_clocks: int = 0

    def add(self, person: Person, report: dict[str, Any], told: dict[str, Any]) -> None:
        self.late_clocks += report["clock"]["late"]
        if report["greeting_ms"] is not None:
            self.greetings.append(report["greeting_ms"])
        if report["clock"]["late"]:
            return  # what this side measured isn't to be trusted
        said = report["turns"]
        for turn, heard in zip(person.turns, said, strict=False):
            self._turn(turn, heard)
        theirs = [turn["gap_ms"] for turn in said]
        if len(theirs) == len(told["gaps_ms"]) and all(gap is not None and gap >= 0 for gap in theirs):
            self.apart += [their - our for their, our in zip(theirs, told["gaps_ms"], strict=True)]
            self.steps += told["steps"]

    def _turn(self, turn: LabelledTurn, heard: dict[str, Any]) -> None:
        self.turns += 1
        self.every.append({"text": turn.text, "voice": turn.voice, "manner": turn.manner, "gap_ms": heard["gap_ms"]})
        if heard["gap_ms"] is None:
            self.unanswered += 1
        elif heard["gap_ms"] >= 0:
            self.gaps.append(heard["gap_ms"])
        else:
            at = STARTS + AROUND_SECONDS + heard["reply_began"] - heard["began"]
            if any(pause.answered and pause.begins < at <= pause.ends + AROUND_SECONDS for pause in turn.pauses):
                self.answered_early += 1
            else:
                self.cut += 1

    def results(self) -> dict[str, Any]:
        apart = np.abs(self.apart) if self.apart else np.zeros(1)
        return {
            "turns": self.turns,
            "gap_ms": _spread(self.gaps),
            "greeting_ms": _spread(self.greetings),
            "cut_percent": round(100 * self.cut / max(self.turns, 1), 1),
            "answered_early_percent": round(100 * self.answered_early / max(self.turns, 1), 1),
            "unanswered": self.unanswered,
            "product_against_carrier_ms": {
                "n": len(self.apart),
                "min": round(min(self.apart, default=0.0), 1),
                "max": round(max(self.apart, default=0.0), 1),
                "beyond_20_ms": int((apart > AGREE_MS).sum()),
            },
            "steps_ms_p50": {
                name: round(float(np.median([step[name] or 0.0 for step in self.steps])), 1)
                for name in (self.steps[0] if self.steps else ())
            },
            "calls_with_a_late_clock": self.late_clocks,
            "every_turn": self.every,
        }


def _spread(values: Sequence[float]) -> dict[str, float]:
    if not values:
        return {"n": 0}
    return {
        **{f"p{share}": round(float(np.percentile(values, share)), 1) for share in (50, 90, 95)},
        "n": len(values),
    }


async def measure(
    folder: Path, *, calls: int, per_call: int, thinks: float, portion: str = "held_out", parallel: int = 1
) -> Account:
    """Place the calls; `portion`: `tuning` or `held_out` turns."""
    await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    sounds = await provide_sounds(load().asterisk)
    wanted = await asyncio.to_thread(
        lambda: [turn for turn in labelled_turns(sounds) if turn.portion == portion and turn.noise is None]
    )
    persons = people(wanted, folder / "people", calls, per_call)
    (folder / "carrier.yaml").write_text(json.dumps({"calls_per_second": None}))
    (folder / "trunkline.toml").write_text("")
    options = ("--json", "--measure-only", "--carrier", "carrier.yaml", "--calls", str(calls), "--output", "carrier")
    names = (str(person.scenario) for person in persons)
    phone = await Program.start(folder, "carrier", "rehearse", *names, *options)
    try:
        trunk = json.dumps((await phone.line(lambda line: "trunk" in line, START_SECONDS))["trunk"])
        async with Servant("bench.turn_gap.service", str(folder / "data"), trunk, str(thinks)) as service:
            return await _place_all(persons, phone, service, parallel)
    finally:
        await phone.stop()


async def _place_all(persons: Sequence[Person], phone: Program, service: Servant, parallel: int) -> Account:
    account = Account()
    found: dict[str, dict[str, Any]] = {}
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("calling", total=len(persons))
        for first in range(0, len(persons), parallel):
            group = persons[first : first + parallel]
            told = await service.order("call", [[person.number, person.questions] for person in group])
            while not all(person.number in found for person in group):
                over = await phone.line(lambda line: line.get("event") == "call_over", CALL_SECONDS)
                found[over["report"]["number"]] = over["report"]
            for person, its in zip(group, told, strict=True):
                account.add(person, found[person.number], its)
            progress.advance(task, len(group))
    return account


def table(results: dict[str, dict[str, Any]]) -> Table:
    """A row for each measurement."""
    shown = Table("turn gap at the ear", "p50", "p90", "p95", "turns", "cut", "answered early", "unanswered", box=None)
    for name, result in results.items():
        gap = result["gap_ms"]
        shown.add_row(
            name,
            *(f"{gap.get(share, float('nan')):.0f} ms" for share in ("p50", "p90", "p95")),
            str(result["turns"]),
            f"{result['cut_percent']} %",
            f"{result['answered_early_percent']} %",
            str(result["unanswered"]),
        )
    return shown
