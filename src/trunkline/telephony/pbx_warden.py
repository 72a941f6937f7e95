"""A process of its own between Trunkline and Asterisk, so that Asterisk never outlives whoever wanted it.

    python -I -S pbx_warden.py PARENT COMMAND...

PARENT is the process id of Trunkline; standard input is the lifeline. When it closes – Trunkline stops, or was killed –
Asterisk is asked to end: it hangs up every call with a BYE or CANCEL, so nobody is left on a dead line. With PARENT 0
there is no lifeline, only SIGTERM ends it. Should the warden itself be killed, the kernel kills Asterisk
(PR_SET_PDEATHSIG; bound to the thread that forked, which here is the only one).
Needs the standard library only and imports nothing of Trunkline.
"""

from __future__ import annotations

import ctypes
import os
import resource
import select
import signal
import sys
import time

PR_SET_PDEATHSIG = 1  # prctl(2)
GRACE_SECONDS = 5.0
"""Asterisk takes about one second to hang up and end; one that hangs is killed."""
OPEN_FILES = 16384
"""A call takes about eight descriptors; the usual soft limit of 1024 ends at some 120 calls."""


def main(parent: int, command: list[str]) -> int:
    """Runs the command to its end; returns its exit status, 128 + signal for one that was killed."""
    told, teller = os.pipe()
    os.set_blocking(teller, False)
    signal.set_wakeup_fd(teller)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, lambda _number, _frame: None)
    if parent:
        # A worker that Trunkline forked may hold a copy of the lifeline; the kernel's word doesn't depend on it.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            return 1
    warden = os.getpid()
    child = os.fork()
    if child == 0:
        _become(command, warden)
    watched = [told, 0] if parent else [told]
    deadline = None
    while True:
        timeout = None if deadline is None else max(0.0, deadline - time.monotonic())
        readable, _, _ = select.select(watched, [], [], timeout)
        signals = os.read(told, 64) if told in readable else b""
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code
        lifeline_cut = 0 in readable and not os.read(0, 64)
        if deadline is None and (lifeline_cut or set(signals) - {signal.SIGCHLD}):
            os.kill(child, signal.SIGTERM)
            watched = [told]
            deadline = time.monotonic() + GRACE_SECONDS
        elif deadline is not None and time.monotonic() >= deadline:
            os.kill(child, signal.SIGKILL)
            deadline = None


def _become(command: list[str], warden: int) -> None:
    """In the child: turns into the command; dies with the warden."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != warden:
        os._exit(1)  # the warden died before the line above
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
    try:
        os.execv(command[0], command)
    except OSError as error:
        os.write(2, f"{command[0]}: {error.strerror}\n".encode())
    os._exit(127)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
