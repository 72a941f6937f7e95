"""A private Asterisk: started with a configuration of our making, watched, restarted, and gone when we are."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import httpx
import psutil

from trunkline.errors import PbxUnavailable
from trunkline.events import PbxEvent, PbxLost, PbxReady
from trunkline.settings import Settings
from trunkline.telephony import pbx_warden
from trunkline.telephony.asterisk_config import ARI_USER, AsteriskInstance
from trunkline.telephony.asterisk_program import AsteriskProgram
from trunkline.telephony.pbx_home import AriAddress, PbxHome, PbxState, read_state

log = logging.getLogger(__name__)

START_SECONDS: Final = 30.0
"""Asterisk boots in a fraction of a second; on a machine that is busy beyond measure it may take this long."""
_SHUTDOWN_SECONDS: Final = pbx_warden.GRACE_SECONDS + 3.0
_BACK_OFF: Final = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Seconds before the first, second … restart in a row."""
_STABLE_SECONDS: Final = 60.0
"""Who ran this long starts a new row."""


class PrivateAsterisk:
    """`async with PrivateAsterisk(program, settings, audiosocket="127.0.0.1:9092") as pbx:` – runs inside the block.

    Lives in `service.data_dir/pbx`. Entering raises `PbxUnavailable` (it doesn't start, the folder is in use) or
    `SettingsError`. When it dies it is started again at the same address with the same password.
    """

    def __init__(self, program: AsteriskProgram, settings: Settings, *, audiosocket: str) -> None:
        self._program = program
        self._settings = settings
        self._audiosocket = audiosocket
        self._listeners: list[Callable[[PbxEvent], None]] = []
        self._home: PbxHome | None = None
        self._instance: AsteriskInstance | None = None
        self._warden: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None

    def on_event(self, listener: Callable[[PbxEvent], None]) -> None:
        """Who is told `PbxReady` after every start and `PbxLost` when it died, on the event loop."""
        self._listeners.append(listener)

    @property
    def instance(self) -> AsteriskInstance:
        assert self._instance is not None, "not started"
        return self._instance

    @property
    def ari(self) -> AriAddress:
        return _ari_address(self.instance)

    @property
    def pid(self) -> int | None:
        """Process id of Asterisk itself; `None` while it is down."""
        try:
            return (
                next((child.pid for child in psutil.Process(self._warden.pid).children()), None)
                if self._warden
                else None
            )
        except psutil.NoSuchProcess:
            return None

    async def command(self, line: str) -> str:
        """Output of one command of Asterisk's console, as `core show channels`."""
        console = [*_command(self._program, self.instance), "-rx", line]
        process = await asyncio.create_subprocess_exec(
            *console, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        printed, _ = await process.communicate()
        return printed.decode(errors="replace")

    async def __aenter__(self) -> Self:
        self._home = await _occupy(self._settings.service.data_dir / "pbx")
        try:
            self._instance = self._home.furnish(self._program, self._settings, self._audiosocket)
            await self._start(attached=True)
        except BaseException:
            await self._end()
            raise
        self._watch = asyncio.create_task(self._keep_running(), name="private-asterisk")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait([self._watch])
        await self._end()

    async def start_detached(self) -> PbxState:
        """Starts it so that it outlives this process; `stop_detached` ends it. Nobody restarts it when it dies."""
        self._home = await _occupy(self._settings.service.data_dir / "pbx")
        try:
            self._instance = self._home.furnish(self._program, self._settings, self._audiosocket)
            return await self._start(attached=False)
        except BaseException:
            await self._end()
            raise
        finally:
            if self._home is not None:
                self._home.close()

    async def _start(self, *, attached: bool) -> PbxState:
        """Returns when Asterisk has booted and answers."""
        assert self._home is not None
        asterisk = _command(self._program, self.instance)
        with (self._home.folder / "log" / "console.log").open("wb") as console:
            self._warden = await asyncio.create_subprocess_exec(
                *(
                    sys.executable,
                    "-I",
                    "-S",
                    pbx_warden.__file__,
                    str(os.getpid() if attached else 0),
                    *asterisk,
                    "-f",
                ),
                stdin=asyncio.subprocess.PIPE if attached else asyncio.subprocess.DEVNULL,
                stdout=console,
                stderr=asyncio.subprocess.STDOUT,
                # Ctrl-C in our terminal must not reach Asterisk before we have said goodbye on the line.
                start_new_session=True,
                pass_fds=self._home.descriptors,
            )
        state = PbxState(
            version=self._program.version,
            warden=self._warden.pid,
            command=tuple(asterisk),
            sip=f"{self.instance.sip_address}:{self.instance.sip_port}",
            ari=self.ari,
        )
        self._home.write_state(state)
        await self._booted(self._warden)
        log.info("Asterisk %s is ready: SIP %s, ARI %s", state.version, state.sip, state.ari.url)
        self._tell(PbxReady(self._program.version))
        return state

    async def _booted(self, warden: asyncio.subprocess.Process) -> None:
        ended = asyncio.create_task(warden.wait())
        try:
            async with asyncio.timeout(START_SECONDS), httpx.AsyncClient(trust_env=False) as client:
                while not ended.done() and not await _answers(client, self.ari):
                    await asyncio.wait([ended], timeout=0.02)
            if not ended.done():
                await self.command("core waitfullybooted")
                return
            why = "ended at once"
        except TimeoutError:
            why = f"gave no answer within {START_SECONDS:.0f} s"
        finally:
            ended.cancel()
        raise PbxUnavailable(f"Asterisk {why}: {self._last_words()}", remedy=f"See {self.instance.folder / 'log'}.")

    def _last_words(self) -> str:
        try:
            text = (self.instance.folder / "log" / "console.log").read_text(errors="replace")
        except OSError:
            return "it left no log."
        return " ".join(text.split()[-40:]) or "it said nothing."

    async def _keep_running(self) -> None:
        clock = asyncio.get_running_loop().time
        failures = 0
        while True:
            assert self._warden is not None
            started = clock()
            why = f"Asterisk ended with status {await self._warden.wait()}"
            self._tell(PbxLost(why))
            if clock() - started >= _STABLE_SECONDS:
                failures = 0
            while True:
                pause = _BACK_OFF[min(failures, len(_BACK_OFF) - 1)]
                failures += 1
                log.error("%s; starting it again in %.1f s", why, pause)
                await asyncio.sleep(pause)
                try:
                    await self._start(attached=True)
                    break
                except (PbxUnavailable, OSError) as error:
                    why = str(error)
                    await self._end_warden()

    def _tell(self, event: PbxEvent) -> None:
        for listener in self._listeners:
            listener(event)

    async def _end(self) -> None:
        await self._end_warden()
        if self._home is not None:
            self._home.forget_state()
            self._home.close()
            self._home = None

    async def _end_warden(self) -> None:
        """Cuts the lifeline; returns when Asterisk is gone."""
        warden = self._warden
        if warden is None or warden.returncode is not None:
            return
        if warden.stdin is not None:
            warden.stdin.close()
        else:
            warden.terminate()
        try:
            async with asyncio.timeout(_SHUTDOWN_SECONDS):
                await warden.wait()
        except TimeoutError:
            warden.kill()  # the kernel takes Asterisk with it
            await warden.wait()


async def stop_detached(folder: Path) -> bool:
    """Ends the Asterisk that lives in the folder; false when there is none. Returns when it is gone."""
    state = read_state(folder)
    if state is None:
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(state.warden, signal.SIGTERM)
    home = await _occupy(folder)
    home.forget_state()
    home.close()
    return True


async def _occupy(folder: Path) -> PbxHome:
    """The folder, locked; a predecessor that is just shutting down is waited for."""
    home = PbxHome(folder)
    try:
        async with asyncio.timeout(_SHUTDOWN_SECONDS):
            while not home.try_lock():  # noqa: ASYNC110 - no event tells when another process lets go of a file lock
                await asyncio.sleep(0.05)
    except TimeoutError:
        home.close()
        raise PbxUnavailable(
            f"Another Trunkline runs its Asterisk in {folder}.",
            remedy="End that one (`trunkline pbx stop` if it was started by hand) or set another service.data_dir.",
        ) from None
    return home


def _command(program: AsteriskProgram, instance: AsteriskInstance) -> Sequence[str]:
    return [*program.command, "-C", str(instance.folder / "etc" / "asterisk.conf")]


def _ari_address(instance: AsteriskInstance) -> AriAddress:
    return AriAddress(f"http://{instance.http_address}:{instance.http_port}/ari", ARI_USER, instance.ari_password)


async def _answers(client: httpx.AsyncClient, ari: AriAddress) -> bool:
    try:
        response = await client.get(f"{ari.url}/asterisk/info", auth=(ari.user, ari.password))
    except httpx.HTTPError:
        return False
    return response.status_code == httpx.codes.OK
