"""What this process needs of the machine before it takes many calls."""

from __future__ import annotations

import gc
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from trunkline.errors import SettingsError

FILES_PER_CALL: Final = 8
"""Asterisk keeps five open for a call (RTP, RTCP, the audio's connection, timer and alarm), we two, and one or two more
with a brain that is asked over the network."""
FILES_BESIDE: Final = 256
"""Without a call both have about 25; whoever watches calls over HTTP has one each."""


def allow_open_files(max_calls: int) -> None:
    """Let this process, and Asterisk, which inherits the limit, open as many files as `max_calls` calls need.

    Most systems begin with 1024 and let everyone have more for the asking (setrlimit(2)). Raises `SettingsError` where
    this user may not.
    """
    needed = FILES_BESIDE + FILES_PER_CALL * max_calls
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        possible = max(1, (hard - FILES_BESIDE) // FILES_PER_CALL)
        raise SettingsError(
            f"service.max_calls = {max_calls}: so many calls need {needed} open files, this user may have {hard}.",
            remedy=f"Set service.max_calls to {possible}, or have the limit raised (`ulimit -Hn`; "
            f"LimitNOFILE={needed} in a systemd unit).",
            key="service.max_calls",
        )
    # Not to the hard limit: programs that close all files they might have had take their time with a million.
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


@contextmanager
def collector_at_bay() -> Iterator[None]:
    """Inside the block the garbage collector leaves alone what exists at its beginning: everything the program is made
    of. Going through all of that takes 0.13 s, in which no call is sent a frame.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
