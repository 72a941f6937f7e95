"""`trunkline pbx start | status | console | stop` as an operator types them."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from trunkline.settings import Settings
from trunkline.telephony.asterisk_program import AsteriskProgram
from trunkline.telephony.pbx_home import read_state

COMMAND = "import sys; from trunkline.cli import main; sys.exit(main())"


async def _pbx(*arguments: str, folder: Path) -> tuple[int, str]:
    settings = Settings()
    environment = {**os.environ, "TRUNKLINE_SERVICE__DATA_DIR": str(folder)}
    if settings.asterisk.cache_dir is not None:
        environment["TRUNKLINE_ASTERISK__CACHE_DIR"] = str(settings.asterisk.cache_dir)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", COMMAND, "pbx", *arguments),
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    printed, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, printed.decode()


async def test_an_operators_round(asterisk_program: AsteriskProgram, tmp_path: Path) -> None:
    code, printed = await _pbx("start", folder=tmp_path)
    try:
        assert code == 0, printed
        assert f"Asterisk {asterisk_program.version} is running" in printed
        code, printed = await _pbx("status", folder=tmp_path)
        assert code == 0 and "0 active channels" in printed
        code, printed = await _pbx("console", "core", "show", "version", folder=tmp_path)
        assert code == 0 and printed.startswith("Asterisk ")
    finally:
        code, printed = await _pbx("stop", folder=tmp_path)
    assert (code, printed.strip()) == (0, "Asterisk has ended.")
    assert read_state(tmp_path / "pbx") is None
    code, printed = await _pbx("status", folder=tmp_path)
    assert (code, printed.strip()) == (1, "No Asterisk is running.")
