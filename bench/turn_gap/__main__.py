"""Turn gaps on the RTP itself, over labelled turns with pauses in them: `python -m bench.turn_gap [--thinks 2.5]`.

People say the turns of `end_of_turn.yaml` in real calls; voice detection, end of turn, Whisper and voice are the real
ones. The brain has its next question ready in no time, so that what is left is the wait for the end of the turn, and
for the words. `--thinks`: it takes that many seconds instead. The stand-in carrier measures, and what the product says
of its own gaps is held against that.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from pathlib import Path

from rich.console import Console

from bench.turn_gap.gaps import measure, table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=20)
    parser.add_argument("--turns", type=int, default=4, help="of each call")
    parser.add_argument("--thinks", type=float, default=0.0, help="seconds the brain takes")
    parser.add_argument("--portion", choices=("held_out", "tuning"), default="held_out")
    parser.add_argument("--parallel", type=int, default=1, help="calls at a time")
    parser.add_argument("--output", type=Path, default=Path("var/bench/turn-gap"))
    given = parser.parse_args()
    folder = given.output.absolute()
    account = asyncio.run(
        measure(
            folder,
            calls=given.calls,
            per_call=given.turns,
            thinks=given.thinks,
            portion=given.portion,
            parallel=given.parallel,
        )
    )
    results = account.results()
    (folder / "results.json").write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    console = Console(highlight=False)
    console.print(table({given.portion: results}))
    console.print({name: value for name, value in results.items() if name != "every_turn"})


if __name__ == "__main__":
    main()
