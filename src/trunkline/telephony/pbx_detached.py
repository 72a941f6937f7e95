"""A private Asterisk that outlives the command that started it: for looking at, not for the service."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from pathlib import Path

from trunkline.settings import Settings
from trunkline.telephony.asterisk_program import AsteriskProgram
from trunkline.telephony.pbx_boot import (
    ari_address,
    asterisk_command,
    booted,
    console_log,
    occupy,
    warden_command,
    warden_options,
)
from trunkline.telephony.pbx_home import PbxState, read_state


async def start_detached(program: AsteriskProgram, settings: Settings, audiosocket: str) -> PbxState:
    """Starts it in `service.data_dir/pbx`; `stop_detached` ends it. Nobody restarts it when it dies.

    Raises `PbxUnavailable`, `SettingsError`.
    """
    home = await occupy(settings.service.data_dir / "pbx")
    try:
        instance = home.furnish(program, settings, audiosocket)
        asterisk = asterisk_command(program, instance)
        with console_log(home.folder).open("wb") as console:
            # asyncio would kill its child when the loop closes.
            warden = subprocess.Popen(  # noqa: ASYNC220 - forks and execs, milliseconds
                warden_command(asterisk, attached=False),
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                **warden_options(home),
            )
        state = PbxState(
            version=program.version,
            warden=warden.pid,
            command=asterisk,
            sip=f"{instance.sip_address}:{instance.sip_port}",
            ari=ari_address(instance),
        )
        home.write_state(state)
        try:
            await booted(asterisk, instance, lambda: warden.poll() is not None)
        except BaseException:
            warden.terminate()
            home.forget_state()
            raise
        return state
    finally:
        home.close()


async def stop_detached(folder: Path) -> bool:
    """Ends the Asterisk that lives in the folder; false when there is none. Returns when it is gone."""
    state = read_state(folder)
    if state is None:
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(state.warden, signal.SIGTERM)
    home = await occupy(folder)
    home.forget_state()
    home.close()
    return True
