"""A whole set-up on this machine for demo, bench and tests: stand-in carrier and service, each a process of its own, on
free ports. Separate processes, because whoever measures must not be disturbed by what is measured.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from trunkline.errors import NotReady
from trunkline.settings import ENV_PREFIX
from trunkline.settings_file import toml

START_SECONDS = 120.0
"""Fetching what is missing aside, everything starts within ten; a busy machine gets more."""
STOP_SECONDS = 15.0
KEPT = ("ASTERISK__CACHE_DIR", "ASTERISK__APT_MIRROR", "ASTERISK__BINARY", "SPEECH__MODELS_DIR", "SPEECH__OFFLINE")
"""Settings of the environment that say what this machine has; the others would make it another demo."""


@dataclass(frozen=True, slots=True)
class Stage:
    """What is running."""

    url: str
    """Of the service."""
    asterisk: int
    """Process ids, for measuring what they cost."""
    service: int
    folder: Path
    carrier: Program
    http: httpx.AsyncClient
    """Connected to the service."""


class Program:
    """A `trunkline` command that reports in lines of JSON; it dies with us."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self._process = process
        self._log = log

    @property
    def pid(self) -> int:
        return self._process.pid

    @classmethod
    async def start(cls, folder: Path, name: str, *arguments: str) -> Program:
        log = folder / f"{name}.log"
        environment = {key: value for key, value in os.environ.items() if not key.startswith(ENV_PREFIX)}
        environment |= {k: v for k, v in os.environ.items() if k.removeprefix(ENV_PREFIX) in KEPT}
        with log.open("wb") as errors:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "trunkline", "--config", "trunkline.toml", *arguments),
                cwd=folder,
                env=environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                limit=1 << 24,  # a call's whole report is one line
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
        return cls(process, log)

    async def lines(self) -> AsyncIterator[dict[str, Any]]:
        """What it reports, to its end."""
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            yield json.loads(line)

    async def line(self, wanted: Callable[[dict[str, Any]], bool], seconds: float) -> dict[str, Any]:
        """The next line that is wanted. Raises `NotReady` when it ends or takes too long."""
        try:
            async with asyncio.timeout(seconds):
                async for line in self.lines():
                    if wanted(line):
                        return line
        except TimeoutError:
            raise NotReady(f"Nothing came within {seconds:g} s.", remedy=f"See {self._log}.") from None
        last = self._log.read_text(errors="replace").strip().splitlines()[-3:]
        raise NotReady(f"It ended too early: {' '.join(last)}", remedy=f"See {self._log}.")

    async def wait(self) -> int:
        """Its exit status, when it has ended by itself."""
        return await self._process.wait()

    async def stop(self) -> None:
        """Ask it to end; kill it when it doesn't."""
        if self._process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(STOP_SECONDS):
                    await self._process.wait()
            except TimeoutError:
                self._process.kill()
                await self._process.wait()


def _die_with_parent() -> None:
    """Runs in the child: a killed demo leaves nothing behind (prctl(2), PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


@asynccontextmanager
async def stage(
    folder: Path,
    scenarios: list[str],
    *,
    calls: int = 1,
    carrier: Mapping[str, object] | None = None,
    settings: Mapping[str, Mapping[str, object]] | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> AsyncIterator[Stage]:
    """Carrier and service inside the block; `folder` gets their logs, reports and data.

    `carrier`: what it lets through (`CarrierConfig`), `settings`: sections of the service's settings on top of what
    points its trunk at the carrier. Raises `NotReady`.
    """
    _write_settings(folder, {}, carrier or {"calls_per_second": None})
    tell("Starting the stand-in carrier: a SIP/RTP user agent with a scripted person")
    options = ("--json", "--measure-only", "--carrier", "carrier.yaml", "--calls", str(calls), "--output", "carrier")
    phone = await Program.start(folder, "carrier", "rehearse", *scenarios, *options)
    try:
        listening = await phone.line(lambda line: "trunk" in line, START_SECONDS)
        sections: dict[str, dict[str, object]] = {"service": {"data_dir": "data"}, "trunk": dict(listening["trunk"])}
        for name, values in (settings or {}).items():
            sections.setdefault(name, {}).update(values)
        tell("Starting Asterisk, the speech engines and the service")
        async with (
            serving(folder, sections) as (url, asterisk, service),
            httpx.AsyncClient(base_url=url, trust_env=False, timeout=10) as http,
        ):
            await http.get("/health")
            yield Stage(url, asterisk, service, folder, phone, http)
    finally:
        await phone.stop()


@asynccontextmanager
async def serving(folder: Path, sections: Mapping[str, Mapping[str, object]]) -> AsyncIterator[tuple[str, int, int]]:
    """A service with these settings inside the block: its address, and the process ids of its Asterisk and itself."""
    _write_settings(folder, sections)
    service = await Program.start(folder, "service", "serve", "--port", "0", "--announce")
    try:
        ready = await service.line(lambda line: "service" in line, START_SECONDS)
        yield ready["service"], ready["asterisk"], service.pid
    finally:
        await service.stop()


def _write_settings(
    folder: Path, sections: Mapping[str, Mapping[str, object]], carrier: Mapping[str, object] | None = None
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "trunkline.toml").write_text(toml(sections), encoding="utf-8")
    if carrier is not None:
        (folder / "carrier.yaml").write_text(json.dumps(carrier), encoding="utf-8")


async def place_call(stage: Stage, number: str, **body: object) -> str:
    """`POST /call`; returns the call's id. Raises `NotReady` with the service's own words."""
    answer = await stage.http.post("/call", json={"phoneNumber": number, **body})
    if answer.is_error:
        raise NotReady(f"The service refused the call: {answer.json()['error']['message']}")
    return str(answer.json()["sessionId"])


async def follow(stage: Stage, call_id: str) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    """Live events of a call (kind, data), from its beginning to its end."""
    async with stage.http.stream("GET", f"/calls/{call_id}/events", timeout=None) as answer:
        kind = ""
        async for line in answer.aiter_lines():
            if line.startswith("event: "):
                kind = line.removeprefix("event: ")
            elif line.startswith("data: "):
                yield kind, json.loads(line.removeprefix("data: "))


async def finished_call(stage: Stage, call_id: str) -> dict[str, Any]:
    """`GET /calls/{id}`."""
    answer = await stage.http.get(f"/calls/{call_id}")
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()
    return found
