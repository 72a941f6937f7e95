"""Fifty calls one after another leave memory, channels, threads, tasks and file handles where they were."""

from __future__ import annotations

import gc
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.real.premises import LONG, TIMEOUT, Premises, open_premises

PAIRS = 25
WARM_UP = 8
"""Pairs of calls until caches and allocators have what they want."""
BREATH = 5
"""Threads by which pools (database, Asterisk's workers) grow while a machine is busy."""
GROWTH, ASTERISKS_GROWTH = 1.5 * 2**20, 8 * 2**20
"""Bytes that fifty calls may leave. We keep 1 or 2 KiB a call; Asterisk takes some 5 MB in its first hundred calls,
for the allocators of its forty threads, and stays there.
"""


def memory(pid: int | None = None) -> int:
    """Bytes of memory that is no file's: what is shared with other programs depends on whether they run."""
    gc.collect()
    status = Path(f"/proc/{pid or os.getpid()}/status").read_text()
    (kibibytes,) = re.findall(r"^RssAnon:\s+(\d+) kB$", status, re.MULTILINE)
    return int(kibibytes) * 1024


async def two_calls(office: Premises) -> None:
    """One that we end, with a turn of each side, and one that the person ends in the middle of a sentence."""
    office.ears.texts.append("no")
    async with office.carrier(office.person({"wait_for_agent": {"silence_ms": 200}}, {"wav": "hm.wav", "text": "no"})):
        call = await office.ended(await office.call(script="Yes?"))
    assert call["transcript"] == "Agent: Yes?\nPerson: no\nAgent: Bye."
    assert (call["disposition"], call["hungUpBy"]) == ("answered", "agent")
    async with office.carrier(office.person({"pause_ms": 200}, "hang_up")) as carrier:
        call = await office.ended(await office.call(script=LONG))
        await carrier.next_report(TIMEOUT)
    assert (call["disposition"], call["hungUpBy"]) == ("answered", "person")
    assert call["turns"][0]["cutOff"]
    office.forget()


@pytest.mark.timeout(300)
async def test_fifty_calls_leave_everything_as_it_was(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    async with open_premises(tmp_path) as office:
        for _ in range(WARM_UP):
            await two_calls(office)
        before = office.inventory()
        await office.nothing_is_left(before)
        ours, asterisks = memory(), memory(office.house.asterisk.pid)
        for _ in range(PAIRS):
            await two_calls(office)
        await office.nothing_is_left(before)
        after = office.inventory()
        ours, asterisks = memory() - ours, memory(office.house.asterisk.pid) - asterisks
    record_property("bytes_per_call", round(ours / PAIRS / 2))
    record_property("asterisk_bytes_per_call", round(asterisks / PAIRS / 2))
    assert after.threads <= before.threads + BREATH
    assert after.asterisk_threads <= before.asterisk_threads + BREATH
    assert ours < GROWTH
    assert asterisks < ASTERISKS_GROWTH
