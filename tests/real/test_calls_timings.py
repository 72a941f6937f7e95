"""What the product says of its own speed is what the person's ear measures: the carrier's RTP clock."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.real.premises import TIMEOUT, Premises, open_premises
from trunkline.rehearsal.report import CallReport

CALLS = 6
AGREE_MS = 60.0
"""On a machine that does much else; an idle one agrees within 20 ms."""


async def conversation(office: Premises, number: int) -> tuple[dict[str, Any], CallReport]:
    """Three answers and a good-bye, as the product and as the carrier saw it."""
    # A wait of its own in each call: the two clocks shall meet in every phase.
    wait, wav = {"wait_for_agent": {"silence_ms": 200 + 7 * number}}, {"wav": "hm.wav", "text": "hm"}
    office.ears.texts.extend(["yes", "yes", "yes", "no"])
    async with office.carrier(office.person(*[wait, wav] * 4)) as carrier:
        call = await office.ended(await office.call())
        return call, await carrier.next_report(TIMEOUT)


async def test_our_timings_are_those_of_the_line(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    gaps, greetings, lateness = [], [], []
    async with open_premises(tmp_path) as office:
        for number in range(CALLS):
            call, report = await conversation(office, number)
            assert report.problems == ()
            ours = [turn["timings"]["gapMs"] for turn in call["turns"] if turn["timings"]]
            theirs = [turn.gap_ms for turn in report.turns]
            assert len(ours) == len(theirs) == 4
            gaps += [(our, their) for our, their in zip(ours, theirs, strict=True) if their is not None]
            lateness += [turn.late_ms for turn in report.turns]
            assert report.greeting_ms is not None
            greetings.append((call["greetingMs"], report.greeting_ms))
            for turn in call["turns"]:
                steps = {**(turn["timings"] or {"gapMs": 0.0})}
                assert steps.pop("gapMs") == pytest.approx(sum(step or 0.0 for step in steps.values()), abs=0.5)
    assert len(gaps) == 4 * CALLS
    for name, pairs in (("turn gap", gaps), ("greeting", greetings)):
        apart = [their - our for our, their in pairs]
        middle, worst = float(np.median(apart)), max(apart, key=abs)
        record_property(
            name.replace(" ", "_"),
            f"heard p50 {np.median([their for _, their in pairs]):.1f} ms, "
            f"heard minus ours p50 {middle:+.1f}, min {min(apart):+.1f}, max {max(apart):+.1f}",
        )
        assert abs(middle) < AGREE_MS / 2, f"{name}: {pairs}"
        assert abs(worst) < AGREE_MS + max(lateness), f"{name}: {pairs}"
