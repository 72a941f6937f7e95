"""What became of a call that was to be rehearsed."""

from __future__ import annotations

from dataclasses import dataclass

from trunkline.errors import TrunklineError
from trunkline.rehearsal.report import CallReport
from trunkline.rehearsal.scenario import Scenario


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call that was to be rehearsed."""

    scenario: Scenario
    report: CallReport | None
    """`None`: it never came."""
    error: TrunklineError | None = None
    """Why it didn't."""
    disposition: str | None = None
    """As the service tells it."""
