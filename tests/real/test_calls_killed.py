"""The service killed in the middle of a call: the person's line ends, nothing is left running, nothing said is lost."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import time
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
import pytest

from trunkline.rehearsal.stage import START_SECONDS, Program, Stage, finished_call, place_call, stage

TIMEOUT = 20.0
PATIENT = """
name: listens
steps:
  - pause_ms: 60000
"""


async def greeting_over(running: Stage, call_id: str) -> dict[str, Any]:
    """The agent's first turn, as soon as `GET /calls/{id}` shows it: that is what the store has."""
    async with asyncio.timeout(TIMEOUT):
        while not (turns := (await finished_call(running, call_id))["turns"]):
            await asyncio.sleep(0.02)
    turn: dict[str, Any] = turns[0]
    return turn


async def gone(processes: list[psutil.Process]) -> None:
    async with asyncio.timeout(TIMEOUT):
        while any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in processes):
            await asyncio.sleep(0.01)


@pytest.mark.timeout(240)
async def test_the_service_is_killed_during_a_call(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    (tmp_path / "patient.yaml").write_text(PATIENT, encoding="utf-8")
    async with stage(tmp_path / "stage", [str(tmp_path / "patient.yaml")]) as running:
        call_id = await place_call(running, "+14155550123")
        greeting = await greeting_over(running, call_id)
        family = psutil.Process(running.service).children(recursive=True)
        assert running.asterisk in {process.pid for process in family}
        killed = time.monotonic()
        os.kill(running.service, signal.SIGKILL)
        over = await running.carrier.line(lambda line: line["event"] == "call_over", TIMEOUT)
        record_property("line_dead_ms", round((time.monotonic() - killed) * 1000))
        await gone(family)
        record_property("all_gone_ms", round((time.monotonic() - killed) * 1000))
        report = over["report"]
        assert (report["ended_by"], report["problems"]) == ("caller", [])
        assert any(line["direction"] == "in" and line["line"].startswith("BYE") for line in report["sip"])

        again = await Program.start(running.folder, "again", "serve", "--port", "0", "--announce")
        try:
            url = (await again.line(lambda line: "service" in line, START_SECONDS))["service"]
            async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=TIMEOUT) as http:
                call = (await http.get(f"/calls/{call_id}")).json()
                recording = await http.get(f"/calls/{call_id}/recording")
        finally:
            await again.stop()
    assert (call["state"], call["disposition"], call["hungUpBy"]) == ("ended", "failed", "system")
    assert call["reason"] == "The service stopped during the call."
    assert [turn["text"] for turn in call["turns"]] == [greeting["text"]]
    with wave.open(io.BytesIO(recording.content)) as wav:
        assert (wav.getnchannels(), wav.getframerate()) == (2, 8000)
        seconds = wav.getnframes() / 8000
        both = np.frombuffer(wav.readframes(wav.getnframes()), "<i2").reshape(-1, 2)
    # The last second was not on disk yet.
    assert greeting["ended"] - 2.0 < seconds < report["duration"] + 0.5
    assert np.abs(both[:, 1]).max() > 3000
