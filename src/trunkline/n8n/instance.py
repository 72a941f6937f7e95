"""A private n8n: started, waited for, and gone when we are – or left running, for people to work with."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx

from trunkline.errors import N8nUnavailable
from trunkline.n8n.fetch import N8nProgram
from trunkline.n8n.home import N8nHome, N8nState, address, free_port, read_state
from trunkline.n8n.workflows import Credential, Workflow, import_into
from trunkline.telephony import pbx_warden as warden

START_SECONDS: Final = 120.0
"""It takes 12 to 25; on a machine that is busy beyond measure it may take this long."""
WEBHOOK_SECONDS: Final = 20.0
"""After it says that it is ready, its webhooks may take this long. One that was unpublished since is not waited for."""
SHUTDOWN_SECONDS: Final = warden.GRACE_SECONDS + 3.0
_LOOK: Final = 0.1


@asynccontextmanager
async def private_n8n(
    program: N8nProgram,
    folder: Path,
    *,
    workflows: Sequence[Workflow] = (),
    credentials: Sequence[Credential] = (),
    port: int = 0,
) -> AsyncIterator[str]:
    """Its address inside the block; it dies with this process. The workflows are imported and published before.

    Raises `N8nUnavailable` (it doesn't start, the folder is in use).
    """
    home = await occupy(folder)
    try:
        await import_into(home, program, workflows, credentials)
        port = free_port(port)
        with home.log.open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *_command(program, attached=True), stdin=asyncio.subprocess.PIPE, **_options(home, program, port, log)
            )
        home.write_state(N8nState(program.version, process.pid, address(port)))
        try:
            await _ready(home, address(port), lambda: process.returncode is not None)
            yield address(port)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            await process.wait()
    finally:
        home.close()


async def start_detached(program: N8nProgram, folder: Path, *, port: int) -> N8nState:
    """Starts it at `port`, or at a free one if that is taken; `stop_detached` ends it. Raises `N8nUnavailable`."""
    home = await occupy(folder)
    try:
        port = free_port(port)
        with home.log.open("wb") as log:
            # asyncio would kill its child when the loop closes.
            process = subprocess.Popen(  # noqa: ASYNC220 - forks and execs, milliseconds
                _command(program, attached=False), stdin=subprocess.DEVNULL, **_options(home, program, port, log)
            )
        state = N8nState(program.version, process.pid, address(port))
        home.write_state(state)
        try:
            await _ready(home, state.url, lambda: process.poll() is not None)
        except BaseException:
            process.terminate()
            raise
        return state
    finally:
        home.close()


async def stop_detached(folder: Path) -> N8nState | None:
    """Ends the n8n that lives in the folder and tells which it was. Returns when it is gone."""
    state = read_state(folder)
    if state is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(state.warden, signal.SIGTERM)
        (await occupy(folder)).close()
    return state


async def occupy(folder: Path) -> N8nHome:
    """The folder, locked; a predecessor that is just shutting down is waited for. Raises `N8nUnavailable`."""
    home = N8nHome(folder)
    try:
        async with asyncio.timeout(SHUTDOWN_SECONDS):
            while not home.try_lock():  # noqa: ASYNC110 - no event tells when another process lets go of a file lock
                await asyncio.sleep(0.05)
    except TimeoutError:
        home.close()
        state = read_state(folder)
        raise N8nUnavailable(
            f"An n8n is running in {folder}{f' ({state.url})' if state else ''}.",
            remedy="End it with `trunkline n8n stop`, or set another service.data_dir.",
        ) from None
    return home


def _command(program: N8nProgram, *, attached: bool) -> tuple[str, ...]:
    """Asterisk's warden looks after n8n as well: nothing of it outlives whoever wanted it."""
    parent = os.getpid() if attached else 0
    return (sys.executable, "-I", "-S", warden.__file__, str(parent), *program.command, "start")


def _options(home: N8nHome, program: N8nProgram, port: int, log: Any) -> dict[str, Any]:
    return {
        "cwd": home.folder,
        "env": home.environment(program, port),
        "stdout": log,
        "stderr": subprocess.STDOUT,
        "start_new_session": True,
        "pass_fds": (home.descriptor,),
    }


async def _ready(home: N8nHome, url: str, has_ended: Callable[[], bool]) -> None:
    """Returns when it answers and knows its webhooks: it is healthy long before that. Raises `N8nUnavailable`."""
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=2) as client:
        try:
            async with asyncio.timeout(START_SECONDS):
                while not has_ended():
                    if await _get(client, "/healthz/readiness") == httpx.codes.OK:
                        break
                    await asyncio.sleep(_LOOK)
                else:
                    raise N8nUnavailable(f"n8n ended at once: {_last_words(home)}", remedy=f"See {home.log}.")
        except TimeoutError:
            raise N8nUnavailable(
                f"n8n gave no answer within {START_SECONDS:.0f} s: {_last_words(home)}", remedy=f"See {home.log}."
            ) from None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(WEBHOOK_SECONDS):
                for path in home.webhooks():
                    while not await _registered(client, path):  # noqa: ASYNC110 - only asking tells
                        await asyncio.sleep(_LOOK)


async def _get(client: httpx.AsyncClient, path: str) -> int:
    try:
        return (await client.get(path)).status_code
    except httpx.HTTPError:
        return 0


async def _registered(client: httpx.AsyncClient, path: str) -> bool:
    """Whether n8n knows a webhook, without running it: for the wrong method it says which one would be right."""
    try:
        answer = await client.get(f"/webhook/{path}")
    except httpx.HTTPError:
        return False
    return "Did you mean to make a" in answer.text


def _last_words(home: N8nHome) -> str:
    return " ".join(home.log.read_text(errors="replace").split()[-40:]) or "it said nothing."
