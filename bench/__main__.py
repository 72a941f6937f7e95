"""`make bench`: what the person on the telephone hears and what it costs, measured on the RTP in real calls.

    python -m bench [PART …] [--calls 20]

Parts (all of them, where none is named):

    calls         everything on this machine: turn gap, greeting, POST → INVITE, CPU; beside it the old way, Record()
    turn-gap      labelled turns with pauses in them, to a brain that need not think, and to one that takes 2.5 s
    end-of-turn   cuts against latency over held-out turns on three lines, simulated
    barge-in      how soon the agent falls silent, and how often for nothing, simulated
    capacity      1 to 100 conversations at once
    n8n           what Trunkline adds to a turn that a workflow answers, whole or streamed

Results go to `var/bench/results.json`, a part's own files beside it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from bench import barge_in, calls, end_of_turn, n8n_overhead, turn_gap
from bench.concurrency import curve, measuring

SLOW_BRAIN_SECONDS: Final = 2.5
TURNS_PER_CALL: Final = 3
console = Console(highlight=False)
Part = Callable[[int, Path], Coroutine[Any, Any, Any]]


async def _calls(count: int, folder: Path) -> Any:
    results = await calls.measure(count, folder / "calls")
    calls.show(results)
    return results


async def _turn_gap(count: int, folder: Path) -> Any:
    results = {}
    for name, thinks in (("a brain that need not think", 0.0), (f"one that takes {SLOW_BRAIN_SECONDS} s", 2.5)):
        account = await turn_gap.measure(folder / "turn-gap", calls=count, per_call=TURNS_PER_CALL, thinks=thinks)
        results[name] = account.results()
    console.print(turn_gap.table(results))
    return results


async def _end_of_turn(count: int, folder: Path) -> Any:
    heard = await end_of_turn.measure(folder)
    for portion, part in heard.items():
        end_of_turn.show(portion, end_of_turn.rows(part))
    return end_of_turn.results(heard)


async def _barge_in(count: int, folder: Path) -> Any:
    results = await barge_in.measure(folder)
    console.print(barge_in.table(results))
    return results


async def _n8n(count: int, folder: Path) -> Any:
    results = await n8n_overhead.measure(count // 2, folder)
    console.print(n8n_overhead.table(results))
    return results


async def _capacity(count: int, folder: Path) -> Any:
    points = await measuring.measure(measuring.QUICK, folder)
    console.print(curve.table(points))
    return points


PARTS: Final[dict[str, tuple[str, Part]]] = {
    "calls": ("Calls with everything on this machine, and the old way beside them", _calls),
    "turn-gap": ("Turns with pauses in them", _turn_gap),
    "end-of-turn": ("Cuts against latency, on three lines", _end_of_turn),
    "barge-in": ("Interruptions, signs of listening, noises and echo", _barge_in),
    "n8n": ("Turns that a workflow answers", _n8n),
    "capacity": ("Many conversations at once", _capacity),
}


def main(wanted: list[str], count: int, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "results.json"
    for name in wanted or PARTS:
        what, part = PARTS[name]
        console.print(f"[bold]▸[/bold] {what}")
        found = asyncio.run(part(count, folder))
        results = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        file.write_text(json.dumps({**results, name: found}, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="python -m bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], metavar="PART")
    parser.add_argument("--calls", type=int, default=20)
    parser.add_argument("--output", type=Path, default=Path("var/bench"))
    given = parser.parse_args()
    main(given.parts, given.calls, given.output.absolute())
