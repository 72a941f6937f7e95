"""A small suite as a newcomer runs it: `trunkline rehearse --built-in`, with everything real behind it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

WISHFUL = """
name: wishful
phone: {then: declined, rings_ms: 0}
expect: {disposition: busy}
"""
TIMEOUT = 150.0


async def rehearsed(folder: Path, *arguments: str) -> tuple[int, str]:
    """Exit status of `trunkline rehearse ARGUMENTS`, and what it printed."""
    settings = ("TRUNKLINE_ASTERISK__", "TRUNKLINE_SPEECH__")  # what this machine has
    own = {
        key: value for key, value in os.environ.items() if not key.startswith("TRUNKLINE_") or key.startswith(settings)
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "trunkline", "rehearse", *arguments),
        cwd=folder,
        env=own,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(TIMEOUT):
            out, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, out.decode()


async def test_a_suite_runs_against_a_set_up_of_its_own_and_tells_what_failed(tmp_path: Path) -> None:
    (tmp_path / "wishful.yaml").write_text(WISHFUL, encoding="utf-8")
    scenarios = ("keys-interrupt", "hang-up-in-greeting", "busy", "wishful.yaml")
    status, printed = await rehearsed(tmp_path, *scenarios, "--built-in", "--parallel", "4", "-o", "out")
    results: dict[str, Any] = json.loads((tmp_path / "out" / "rehearsal.json").read_text("utf-8"))
    calls = {call["scenario"]: call for call in results["calls"]}
    assert len(calls) == 4, printed
    failures = [
        (name, f["expectation"], f["got"])
        for name, call in calls.items()
        for f in call["findings"]
        if f["verdict"] == "failed"
    ]
    assert failures == [("wishful", "disposition", "rejected")], printed
    assert status == 3
    key = calls["a key into the greeting"]
    assert key["disposition"] == "answered"
    assert key["report"]["presses"][0]["keys"] == "1"
    assert any(f["expectation"] == "hears" and f["verdict"] == "met" for f in key["findings"])
    assert (tmp_path / "out" / key["report"]["recording"]).exists()
    assert Xml.parse(tmp_path / "out" / "junit.xml").getroot().get("failures") == "1"
    page = (tmp_path / "out" / "rehearsal.html").read_text("utf-8")
    assert "1 of 4 calls not as expected" in page
    assert key["report"]["recording"] in page
