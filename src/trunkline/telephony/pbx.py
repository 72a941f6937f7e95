"""A private Asterisk: started with a configuration of our making, watched, restarted, and gone when we are."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

import psutil

from trunkline.errors import PbxUnavailable
from trunkline.events import PbxEvent, PbxLost, PbxReady
from trunkline.settings import Settings
from trunkline.telephony.asterisk_config import AsteriskInstance
from trunkline.telephony.asterisk_program import AsteriskProgram
from trunkline.telephony.pbx_boot import (
    SHUTDOWN_SECONDS,
    ari_address,
    asterisk_command,
    booted,
    console_log,
    console_output,
    occupy,
    warden_command,
    warden_options,
)
from trunkline.telephony.pbx_home import AriAddress, PbxHome, PbxState

log = logging.getLogger(__name__)

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
        """Where it lives and listens; known inside the block."""
        assert self._instance is not None, "not started"
        return self._instance

    @property
    def ari(self) -> AriAddress:
        return ari_address(self.instance)

    @property
    def pid(self) -> int | None:
        """Process id of Asterisk itself; `None` while it is down."""
        if self._warden is None:
            return None
        try:
            return next((child.pid for child in psutil.Process(self._warden.pid).children()), None)
        except psutil.NoSuchProcess:
            return None

    async def command(self, line: str) -> str:
        """Output of one command of Asterisk's console, as `core show channels`."""
        return await console_output(asterisk_command(self._program, self.instance), line)

    async def __aenter__(self) -> Self:
        self._home = await occupy(self._settings.service.data_dir / "pbx")
        try:
            self._instance = self._home.furnish(self._program, self._settings, self._audiosocket)
            await self._start(self._home, self._instance)
        except BaseException:
            await self._end()
            raise
        self._watch = asyncio.create_task(self._keep_running(self._home, self._instance), name="private-asterisk")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._watch is not None
        self._watch.cancel()
        await asyncio.wait([self._watch])
        await self._end()
        with contextlib.suppress(asyncio.CancelledError):
            self._watch.result()

    async def _start(self, home: PbxHome, instance: AsteriskInstance) -> None:
        """Returns when Asterisk has booted and answers."""
        asterisk = asterisk_command(self._program, instance)
        with console_log(home.folder).open("wb") as console:
            self._warden = warden = await asyncio.create_subprocess_exec(
                *warden_command(asterisk, attached=True),
                stdin=asyncio.subprocess.PIPE,
                stdout=console,
                stderr=asyncio.subprocess.STDOUT,
                **warden_options(home),
            )
        sip = f"{instance.sip_address}:{instance.sip_port}"
        home.write_state(PbxState(self._program.version, warden.pid, asterisk, sip, self.ari))
        await booted(asterisk, instance, lambda: warden.returncode is not None)
        log.info("Asterisk %s is ready: SIP %s, ARI %s", self._program.version, sip, self.ari.url)
        self._tell(PbxReady(self._program.version))

    async def _keep_running(self, home: PbxHome, instance: AsteriskInstance) -> None:
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
                    await self._start(home, instance)
                    break
                except (PbxUnavailable, OSError) as error:
                    why = str(error)
                    await self._end_warden()

    def _tell(self, event: PbxEvent) -> None:
        for listener in self._listeners:
            # Not called from here: a listener that fails must not end the watch.
            asyncio.get_running_loop().call_soon(listener, event)

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
        assert warden.stdin is not None
        warden.stdin.close()
        try:
            async with asyncio.timeout(SHUTDOWN_SECONDS):
                await warden.wait()
        except TimeoutError:
            warden.kill()  # the kernel takes Asterisk with it
            await warden.wait()
