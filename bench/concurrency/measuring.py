"""One run: the processes, and what is read of them while so many calls are up."""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console

from bench.concurrency.curve import draw
from bench.concurrency.orders import Servant
from bench.processes import CpuMeter

SETTLE_SECONDS = 6.0
"""After a step's last call was answered: by then greetings are over and turns have lost their common beat."""
DISTURBED_PERCENT = 10.0
"""Of a core used by others, from which a measurement doesn't count if there is a better one."""
DISTURBED_MS = 10.0
"""How late the far end may have been (p99)."""
PREFERENCE = -15
console = Console(highlight=False, soft_wrap=True)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be measured."""

    steps: Sequence[int]
    seconds: float
    rounds: int
    attempts: int
    per_second: float
    engines: str = "canned"
    """`canned`; `model`: the end-of-turn model is real; `words`: so is Whisper."""
    preferred: bool = False


QUICK = Plan(steps=(1, 10, 25, 50, 75, 100), seconds=12.0, rounds=1, attempts=1, per_second=15.0)
"""Two and a half minutes."""


class Machine:
    """Processor time of everybody, so that what others used can be told."""

    def __init__(self, pids: Sequence[int]) -> None:
        self._meters = [CpuMeter(pid) for pid in pids]
        self._busy, self._began = _busy(), time.monotonic()

    def shares(self) -> tuple[list[float], float, float]:
        """Per cent of a core: of each process, of the speech workers, and of everything else on the machine."""
        passed = time.monotonic() - self._began
        own = [100 * meter.own / passed for meter in self._meters]
        workers = 100 * self._meters[0].children / passed
        return own, workers, 100 * (_busy() - self._busy) / passed - sum(own) - workers


def _busy() -> float:
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - times.iowait - times.guest - times.guest_nice - times.steal)


class Bench:
    """The processes under measurement, and their memory without a call."""

    def __init__(self, plan: Plan, service: Servant, far_end: Servant, asterisk: int) -> None:
        self._plan = plan
        self._service, self._far_end = service, far_end
        self._pids = (service.pid, asterisk, far_end.pid)
        self._idle = [_memory(pid) for pid in self._pids]

    async def run(self) -> list[dict[str, Any]]:
        points = []
        for number in range(self._plan.rounds):
            up = 0
            for calls in self._plan.steps:
                placed = await self._service.order("place", calls - up, self._plan.per_second)
                up = calls
                await asyncio.sleep(SETTLE_SECONDS)
                for _ in range(self._plan.attempts):
                    point = {"round": number + 1, "set_up": placed, **await self._measure(calls)}
                    points.append(point)
                    _tell(point)
                    if not point["disturbed"]:
                        break
            await self._service.order("hang_up")
        return points

    async def _measure(self, calls: int) -> dict[str, Any]:
        """One point of the curve, `calls` being up."""
        await self._service.order("open")
        await self._far_end.order("open")
        machine = Machine(self._pids)
        await asyncio.sleep(self._plan.seconds)
        (ours, theirs, generator), workers, others = machine.shares()
        memory = [_memory(pid) - idle for pid, idle in zip(self._pids, self._idle, strict=True)]
        heard, told = await self._far_end.order("report"), await self._service.order("report")
        bad = heard["lost"] + heard["late"] + heard["bursts"]
        due = heard["packets"] + heard["lost"] + heard["late"]
        late = heard["far_end_late_ms_p99"] > DISTURBED_MS or heard["far_end_dropped"] > 0
        return {
            "calls": calls,
            "live": told["calls"],
            "disturbed": others > DISTURBED_PERCENT or late,
            "service_cpu": round(ours / calls, 3),
            "asterisk_cpu": round(theirs / calls, 3),
            "far_end_cpu": round(generator / calls, 3),
            "workers_cpu": round(workers, 1),
            "others_cpu": round(max(others, 0.0), 1),
            "bad_percent": round(100 * bad / max(due, 1), 4),
            "service_kb": round(memory[0] / calls / 1024),
            "asterisk_kb": round(memory[1] / calls / 1024),
            "service_files": psutil.Process(self._pids[0]).num_fds(),
            "asterisk_files": psutil.Process(self._pids[1]).num_fds(),
            "heard": heard,
            "told": told,
        }


def _memory(pid: int) -> float:
    """Bytes that are this process's alone."""
    return float(psutil.Process(pid).memory_full_info().uss)


def _prefer(pid: int) -> None:
    """Let other people's work wait. Where sessions are scheduled as groups (sched(7), autogroup), a process's own
    priority counts among its session only.
    """
    os.setpriority(os.PRIO_PROCESS, pid, PREFERENCE)
    group = Path(f"/proc/{pid}/autogroup")
    if group.exists():
        group.write_text(str(PREFERENCE))


async def run(plan: Plan) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        async with Servant("bench.concurrency.far_end") as far_end:
            trunk = json.dumps(far_end.greeting)
            async with Servant("bench.concurrency.service", folder, trunk, plan.engines) as service:
                asterisk = service.greeting
                if plan.preferred:
                    for pid in (service.pid, asterisk, far_end.pid):
                        _prefer(pid)
                return await Bench(plan, service, far_end, asterisk).run()


async def measure(plan: Plan, folder: Path) -> list[dict[str, Any]]:
    """Run it; figures and picture go to `folder`."""
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    points = await run(plan)
    results = folder / f"concurrency-{plan.engines}.json"
    results.write_text(json.dumps(points, indent=1) + "\n", encoding="utf-8")
    draw(points, results.with_suffix(".png"))
    return points


def _tell(point: dict[str, Any]) -> None:
    heard, told = point["heard"], point["told"]
    console.print(
        f"{point['calls']:4d} calls: gap {heard['gap_ms_p50']}/{heard['gap_ms_p95']} ms ({heard['turns']} turns, "
        f"{heard['unanswered']} unanswered, {heard['cut_in']} cut in) · bad {point['bad_percent']} % "
        f"(lost {heard['lost']}, late {heard['late']}, bursts {heard['bursts']}) · "
        f"CPU per call: ours {point['service_cpu']}, Asterisk {point['asterisk_cpu']}, "
        f"far end {point['far_end_cpu']} % · workers {point['workers_cpu']}, others {point['others_cpu']} % · "
        f"late p99: clock {told['clock_late_ms_p99']}, far end {heard['far_end_late_ms_p99']} ms · "
        f"tick {told['tick_ms_p50']}/{told['tick_ms_p99']} ms · "
        f"levels {told['load_levels']}{' · disturbed' if point['disturbed'] else ''}"
    )
