"""What bringing a call's audio to us costs: the dialplan's `AudioSocket()` against Stasis with externalMedia.

    python -m bench.media_paths [--calls 20] [--seconds 20] [--rounds 2]

Real calls through the private Asterisk to a stand-in carrier in a process of its own, both ways in turn. Processor time
is read from the kernel (user + system), moments are on the machine's monotonic clock, which all processes share.
The result is `var/bench/media_paths.json`; what followed from it is in `docs/decisions/0002-media-path.md`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import fmean, median
from typing import Any

import psutil
import uvloop
from rich.console import Console
from rich.table import Table

from bench.media_paths.carrier_process import person_hangs_up
from bench.media_paths.paths import STASIS_MODULES, Ari, Dialplan, MediaPath, Stasis
from trunkline.audio import FRAME_BYTES
from trunkline.models import CallId
from trunkline.ports import CallLeg
from trunkline.settings import ServiceSettings, Settings, TrunkSettings
from trunkline.telephony.asterisk_fetch import provide_asterisk
from trunkline.telephony.audiosocket_server import AudioSocketServer
from trunkline.telephony.pacing_clock import PacingClock
from trunkline.telephony.pbx import PrivateAsterisk
from trunkline.telephony.pbx_home import read_state

SQUARE_WAVE = (b"\x00\x20" * 8 + b"\x00\xe0" * 8) * (FRAME_BYTES // 32)
"""500 Hz, loud enough to count as audible from its first sample on."""


@dataclass(slots=True)
class Probe:
    """Listens to one leg and times it; speaks from the first frame on."""

    number: str
    leg: CallLeg | None = None
    frames: int = 0
    heard: asyncio.Event = field(default_factory=asyncio.Event)
    first_frame: float = 0.0
    hung_up: float = 0.0
    """When we hung up, if it was us."""
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    closed_at: float = 0.0

    def attached(self, leg: CallLeg) -> None:
        self.leg = leg
        leg.attach(self)

    def audio_received(self, frame: bytes) -> None:
        if not self.frames:
            self.first_frame = time.monotonic()
            self.heard.set()
        self.frames += 1

    def next_frame(self) -> bytes:
        return SQUARE_WAVE

    def key_received(self, digit: str) -> None: ...

    def leg_closed(self, why: str, *, broken: bool) -> None:
        self.closed_at = time.monotonic()
        self.closed.set()


class Carrier:
    """The stand-in carrier's process, and what it tells of each number."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.answered: dict[str, float] = {}
        self.reports: dict[str, dict[str, Any]] = {}
        self._over = asyncio.Condition()

    async def follow(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            event = json.loads(line)
            if "answered" in event:
                self.answered[event["number"]] = event["answered"]
            else:
                async with self._over:
                    self.reports[event["number"]] = event["report"]
                    self._over.notify_all()

    async def all_over(self, calls: int) -> None:
        async with asyncio.timeout(30), self._over:
            await self._over.wait_for(lambda: len(self.reports) >= calls)

    def ended(self, number: str) -> float:
        return float(self.answered[number] + self.reports[number]["duration"])


@dataclass(frozen=True, slots=True)
class Result:
    path: str
    asterisk_cpu: float
    """Per cent of a core per call, while all calls are up."""
    our_cpu: float
    first_frame_ms: float
    """Answer → the person's first frame is here; median."""
    greeting_ms: float
    """Answer → the person hears us; median."""
    person_hangs_up_ms: float
    """The person hangs up → our leg is closed; median."""
    we_hang_up_ms: float
    """We hang up → BYE; median."""
    lost: int
    """RTP packets the carrier missed, over all calls."""
    gaps: int
    """More than 40 ms between two packets at the carrier, over all calls."""
    longest_gap_ms: float


@dataclass(frozen=True, slots=True)
class House:
    """Everything that both ways share."""

    server: AudioSocketServer
    asterisk: psutil.Process
    carrier: Carrier

    def asterisk_seconds(self) -> float:
        times = self.asterisk.cpu_times()
        return float(times.user + times.system)


async def measure(path: MediaPath, house: House, calls: int, seconds: float) -> Result:
    """`calls` calls at once, watched for `seconds` while all of them are up."""
    house.carrier.answered.clear()
    house.carrier.reports.clear()
    probes: dict[CallId, Probe] = {}
    for index in range(calls):
        call_id = CallId(str(uuid.uuid4()))
        probes[call_id] = probe = Probe(f"+14155550{index + 100}")
        house.server.expect(call_id, probe.attached)
        await path.place(call_id, probe.number)
    async with asyncio.timeout(30):
        await asyncio.gather(*(probe.heard.wait() for probe in probes.values()))
    await asyncio.sleep(1)

    before = (house.asterisk_seconds(), time.process_time(), time.monotonic())
    await asyncio.sleep(seconds)
    asterisk, ours, passed = house.asterisk_seconds(), time.process_time(), time.monotonic()
    per_call = 100 / calls / (passed - before[2])

    for call_id, probe in probes.items():
        if not person_hangs_up(probe.number):
            assert probe.leg is not None
            probe.hung_up = time.monotonic()
            await path.hang_up(call_id, probe.leg)
            await asyncio.sleep(0.1)  # the carrier needs its processor for one report at a time
    async with asyncio.timeout(seconds + 60):
        await asyncio.gather(*(probe.closed.wait() for probe in probes.values()))
        await house.carrier.all_over(calls)
    cpu = ((asterisk - before[0]) * per_call, (ours - before[1]) * per_call)
    return _result(path.name, cpu, list(probes.values()), house.carrier)


def _result(name: str, cpu: tuple[float, float], probes: Sequence[Probe], carrier: Carrier) -> Result:
    received = [report["received"] for report in carrier.reports.values()]
    return Result(
        path=name,
        asterisk_cpu=round(cpu[0], 3),
        our_cpu=round(cpu[1], 3),
        first_frame_ms=_ms([probe.first_frame - carrier.answered[probe.number] for probe in probes]),
        greeting_ms=_ms([report["greeting_ms"] / 1000 for report in carrier.reports.values()]),
        person_hangs_up_ms=_ms([p.closed_at - carrier.ended(p.number) for p in probes if not p.hung_up]),
        we_hang_up_ms=_ms([carrier.ended(p.number) - p.hung_up for p in probes if p.hung_up]),
        lost=sum(entry["lost"] for entry in received),
        gaps=sum(entry["gaps"] for entry in received),
        longest_gap_ms=max(entry["longest_gap_ms"] for entry in received),
    )


def _ms(seconds: Sequence[float]) -> float:
    return round(1000 * median(seconds), 1)


@asynccontextmanager
async def _carrier(seconds: float) -> AsyncIterator[tuple[Carrier, TrunkSettings]]:
    command = (sys.executable, "-m", "bench.media_paths.carrier_process", str(seconds + 15))
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, limit=1 << 24)
    assert process.stdin is not None
    assert process.stdout is not None
    trunk = TrunkSettings(**json.loads(await process.stdout.readline()))
    carrier = Carrier(process)
    following = asyncio.create_task(carrier.follow())
    try:
        yield carrier, trunk
    finally:
        process.stdin.close()  # its sign to end
        await process.wait()
        await following


async def run(calls: int, seconds: float, rounds: int) -> list[Result]:
    clock = PacingClock(asyncio.get_running_loop())
    server = AudioSocketServer(clock)
    host, port = await server.start()
    results: list[Result] = []
    with tempfile.TemporaryDirectory() as folder:
        async with _carrier(seconds) as (carrier, trunk):
            settings = Settings(service=ServiceSettings(data_dir=Path(folder)), trunk=trunk)
            program = await provide_asterisk(settings.asterisk)
            async with PrivateAsterisk(program, settings, audiosocket=f"{host}:{port}") as pbx:
                for module in STASIS_MODULES:
                    await pbx.command(f"module load {module}")
                state = read_state(Path(folder) / "pbx")
                assert state is not None
                (asterisk,) = psutil.Process(state.warden).children()
                house = House(server, asterisk, carrier)
                ari = Ari(pbx.ari)
                stasis = Stasis(ari, f"{host}:{port}")
                async with ari.events() as events:
                    following = asyncio.create_task(stasis.follow(events))
                    for _ in range(rounds):
                        for path in (Dialplan(ari), stasis):
                            results.append(await measure(path, house, calls, seconds))
                    following.cancel()
                await ari.close()
    await server.close()
    return results


def show(results: Sequence[Result]) -> None:
    table = Table("", *dict.fromkeys(result.path for result in results), title="Media paths (means over rounds)")
    for key in list(asdict(results[0]))[1:]:
        columns = {
            path: fmean(getattr(r, key) for r in results if r.path == path) for path in {r.path: None for r in results}
        }
        table.add_row(key, *(f"{value:.3f}" for value in columns.values()))
    Console().print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rounds", type=int, default=2)
    arguments = parser.parse_args()
    results = uvloop.run(run(arguments.calls, arguments.seconds, arguments.rounds))
    out = Path("var/bench/media_paths.json")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps([asdict(result) for result in results], indent=1) + "\n")
    show(results)


if __name__ == "__main__":
    main()
