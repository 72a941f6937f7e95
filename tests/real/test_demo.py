"""`trunkline demo` as a newcomer runs it: real speech both ways, and files that show it."""

from __future__ import annotations

import asyncio
import json
import os
import struct
import sys
import time
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest

from trunkline.rehearsal.hearing import LEAST_AGENT, LEAST_PERSON
from trunkline.rehearsal.stage import KEPT
from trunkline.rehearsal.words import share_heard
from trunkline.settings import ENV_PREFIX

SECONDS = 200.0
"""It takes half a minute; much longer on a machine that does other things as well."""


def of_folder(folder: Path) -> list[str]:
    """Command lines of processes that live in this folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if Path(process.cwd()).is_relative_to(folder) or str(folder) in " ".join(process.cmdline()):
                found.append(" ".join(process.cmdline()))
        except psutil.Error:  # it ended, or it is somebody else's
            continue
    return found


@pytest.mark.timeout(SECONDS + 60)
async def test_the_demo(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    environment = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(ENV_PREFIX) or key.removeprefix(ENV_PREFIX) in KEPT
    }
    began = time.monotonic()
    demo = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "trunkline", "demo", "--output", "demo"),
        cwd=tmp_path,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(SECONDS):
            output, _ = await demo.communicate()
    finally:
        if demo.returncode is None:
            demo.terminate()
            await demo.wait()
    said = output.decode(errors="replace")
    assert demo.returncode == 0, said
    assert "Both sides were heard" in said
    record_property("seconds", round(time.monotonic() - began, 1))
    assert of_folder(tmp_path) == []

    folder = tmp_path / "demo"
    found = json.loads((folder / "call.json").read_text(encoding="utf-8"))
    call, report = found["call"], found["carrier"]
    assert (call["disposition"], call["hungUpBy"], report["problems"]) == ("answered", "agent", [])
    assert found["heard"]["agent"] >= LEAST_AGENT
    assert found["heard"]["person"] >= LEAST_PERSON
    record_property("heard", str(found["heard"]))

    spoken = [turn["text"] for turn in report["turns"]]
    known = [turn["text"] for turn in call["turns"] if turn["speaker"] == "person"]
    assert sum(share_heard(one, other) >= 2 / 3 for one, other in zip(spoken, known, strict=False)) >= 4
    gaps = [turn["gap_ms"] for turn in report["turns"]]
    assert len(gaps) >= 4 and None not in gaps
    record_property("gaps_ms", str(gaps))
    # What the terminal showed while it happened.
    assert all(turn["text"] in " ".join(said.split()) for turn in call["turns"] if len(turn["text"]) < 40)

    with wave.open(str(folder / "call.wav")) as wav:
        assert (wav.getnchannels(), wav.getsampwidth(), wav.getframerate()) == (2, 2, 8000)
        both = np.frombuffer(wav.readframes(wav.getnframes()), "<i2").reshape(-1, 2)
    assert len(both) / 8000 == pytest.approx(report["duration"], abs=0.5)
    assert (np.abs(both.astype(np.int32)).max(axis=0) > 3000).all()

    picture = (folder / "call.png").read_bytes()
    assert picture[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", picture[16:24])
    assert width >= 800 and height >= 300
