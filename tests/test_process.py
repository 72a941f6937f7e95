from __future__ import annotations

import gc
import subprocess
import sys

import pytest

from trunkline.process import FILES_BESIDE, FILES_PER_CALL, collector_at_bay

PROGRAM = """
import resource, sys
from trunkline.errors import SettingsError
from trunkline.process import allow_open_files

soft, hard, calls = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
try:
    allow_open_files(calls)
except SettingsError as error:
    print(error)
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""
NEEDED = FILES_BESIDE + 120 * FILES_PER_CALL


def limit(soft: int, hard: int, calls: int) -> list[str]:
    """What a process with these limits says, and its limit afterwards."""
    command = [sys.executable, "-c", PROGRAM, str(soft), str(hard), str(calls)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


@pytest.mark.parametrize(("calls", "then"), [(1, 1024), (120, NEEDED)])
def test_the_limit_is_raised_as_far_as_it_has_to_be(calls: int, then: int) -> None:
    assert limit(1024, 4096, calls) == [str(then)]


def test_a_limit_that_can_not_be_raised_is_told_with_what_would_do() -> None:
    said, then = limit(300, 1000, 120)
    assert f"need {NEEDED} open files, this user may have 1000" in said
    assert f"Set service.max_calls to {(1000 - FILES_BESIDE) // FILES_PER_CALL}" in said
    assert then == "300"


def test_the_collector_leaves_alone_what_was_there_before_and_only_that() -> None:
    before, old = gc.get_freeze_count(), [object]
    with collector_at_bay():
        new = [object]
        watched = gc.get_objects()
        assert gc.get_freeze_count() > before
        assert not any(thing is old for thing in watched)
        assert any(thing is new for thing in watched)
    assert gc.get_freeze_count() == 0
    assert any(thing is old for thing in gc.get_objects())
