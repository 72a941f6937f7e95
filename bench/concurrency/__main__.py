"""How many conversations one machine holds, and what each costs: the curve of `docs/capacity.md`.

    python -m bench.concurrency [--steps 1,10,25,50,75,100,120] [--seconds 20] [--engines canned|model|words]

Real calls through the private Asterisk; the far end, which talks and measures, is a process on the same cores. Voice
detection and recording are real, the engines that think are replaced by canned audio at their ports. Results go to
`var/bench/concurrency-ENGINES.json`, the picture beside them.
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from bench.concurrency.curve import table
from bench.concurrency.measuring import Plan, measure

ENGINES = "model: the end-of-turn model is real; words: so is Whisper"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", default="1,10,25,50,75,100,120")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--attempts", type=int, default=3, help="measurements of a step while others disturb them")
    parser.add_argument("--per-second", type=float, default=10.0, help="calls placed per second")
    parser.add_argument("--engines", choices=("canned", "model", "words"), default="canned", help=ENGINES)
    parser.add_argument("--preferred", action="store_true", help="before other work on the machine; needs root")
    parser.add_argument("--output", type=Path, default=Path("var/bench"))
    arguments = vars(parser.parse_args())
    output: Path = arguments.pop("output")
    plan = Plan(**{**arguments, "steps": [int(step) for step in arguments["steps"].split(",")]})
    output.mkdir(parents=True, exist_ok=True)
    points = asyncio.run(measure(plan, output))
    print(table(points))  # noqa: T201 – what a command prints


if __name__ == "__main__":
    main()
