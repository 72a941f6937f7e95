"""Calls one after the other through the real thing, everything on this machine, measured at the person's ear.

Turn gap, greeting delay and packets are the stand-in carrier's, on its own RTP clock; CPU is the kernel's count.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bench.baseline import record_and_play
from bench.processes import CpuMeter
from trunkline.rehearsal.stage import Stage, place_call, stage

NUMBER = "+14155550123"
GREETING = "Good morning, this is a call about your appointment. Does that still suit you?"
CALL_SECONDS = 120.0
console = Console(highlight=False)


async def measure(calls: int, folder: Path) -> dict[str, Any]:
    """Place them, and a fifth as many the old way: `Record()` with 2 s of silence, then a ready file."""
    async with stage(folder, ["short"], calls=calls) as running:
        asterisk, service = CpuMeter(running.asterisk), CpuMeter(running.service)
        reports, to_invite = await _place_all(running, calls)
        seconds = sum(report["duration"] for report in reports)
        results: dict[str, Any] = {
            "calls": calls,
            "turns": sum(len(report["turns"]) for report in reports),
            "turn_gap_ms": _spread([turn["gap_ms"] for report in reports for turn in report["turns"]]),
            "greeting_ms": _spread([report["greeting_ms"] for report in reports]),
            "post_to_invite_ms": _spread(to_invite),
            "packets_lost": sum(report["received"]["lost"] for report in reports),
            "late_measurements": sum(report["clock"]["late"] for report in reports),
            "cpu_percent_of_a_core_per_call": {
                "asterisk": round(100 * asterisk.own / seconds, 2),
                "service": round(100 * service.own / seconds, 2),
                "speech_workers": round(100 * service.children / seconds, 2),
            },
        }
    old_way = _spread(await record_and_play(folder / "old-way", max(calls // 5, 1)))
    results["old_way_turn_gap_ms"] = old_way
    results["times_quicker_than_the_old_way"] = round(old_way["p50"] / results["turn_gap_ms"]["p50"], 1)
    return results


async def _place_all(running: Stage, calls: int) -> tuple[list[dict[str, Any]], list[float]]:
    reports, to_invite = [], []
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("calling", total=calls)
        for _ in range(calls):
            asked = time.time()
            await place_call(running, NUMBER, context="outbound-ai-conversational", script=GREETING)
            over = await running.carrier.line(lambda line: line["event"] == "call_over", CALL_SECONDS)
            report = over["report"]
            invited = datetime.fromisoformat(report["invited_at"]).timestamp()
            first = min(line["at"] for line in report["sip"] if line["line"].startswith("INVITE"))
            to_invite.append(1000 * (invited + first - asked))
            reports.append(report)
            progress.advance(task)
    return reports, to_invite


def _spread(values: Sequence[float | None]) -> dict[str, float]:
    """p50, p95 and count; turns without an answer are not counted in."""
    known = [value for value in values if value is not None]
    return {
        "p50": round(float(np.percentile(known, 50)), 1),
        "p95": round(float(np.percentile(known, 95)), 1),
        "n": len(known),
        "unanswered": len(values) - len(known),
    }


def show(results: dict[str, Any]) -> None:
    table = Table("measured at the ear", "p50", "p95", "n", box=None, header_style="bold")
    for key, name in (
        ("turn_gap_ms", "turn gap"),
        ("greeting_ms", "answer → greeting"),
        ("post_to_invite_ms", "POST /call → INVITE"),
        ("old_way_turn_gap_ms", "turn gap, the old way"),
    ):
        spread = results[key]
        table.add_row(name, f"{spread['p50']:.0f} ms", f"{spread['p95']:.0f} ms", str(spread["n"]))
    console.print(table)
    cpu = results["cpu_percent_of_a_core_per_call"]
    console.print(
        f"CPU per call: Asterisk {cpu['asterisk']} %, service {cpu['service']} %, speech workers "
        f"{cpu['speech_workers']} % of a core · packets lost: {results['packets_lost']} · "
        f"{results['times_quicker_than_the_old_way']} times quicker than the old way"
    )
