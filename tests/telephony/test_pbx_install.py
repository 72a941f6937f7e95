"""An installation whose Asterisk goes away; with one that stays: tests/real/test_pbx_install.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.telephony.etc_asterisk import furnish, picture
from trunkline.errors import PbxUnavailable
from trunkline.telephony import pbx_install
from trunkline.telephony.include_files import IncludeFiles
from trunkline.telephony.include_folder import NAMES
from trunkline.telephony.running_asterisk import RunningAsterisk

FILES = dict.fromkeys(NAMES, "[trunkline]\n")
GONE = ("/bin/sh", "-c", "echo 'Unable to connect to remote asterisk (does /run/asterisk.ctl exist?)'")
SILENT = ("/nonexistent/asterisk",)


@pytest.mark.parametrize("command", [GONE, SILENT])
async def test_it_is_taken_back_when_asterisk_goes_away(tmp_path: Path, command: tuple[str, ...]) -> None:
    etc = furnish(tmp_path / "etc")
    before = picture(etc)
    place = IncludeFiles(etc, {name: etc / name for name in NAMES})
    asterisk = RunningAsterisk(command)
    assert await asterisk.version() is None
    with pytest.raises(PbxUnavailable, match="gave no answer"):
        await pbx_install.install(place, FILES, place.plan(FILES), asterisk)
    assert picture(etc) == before


async def test_an_upgrade_is_taken_back_as_well(tmp_path: Path) -> None:
    etc = furnish(tmp_path / "etc")
    place = IncludeFiles(etc, {name: etc / name for name in NAMES})
    place.write(place.plan(FILES))
    place.finish()
    newer = dict.fromkeys(NAMES, "[trunkline]\n; newer\n")
    with pytest.raises(PbxUnavailable):
        await pbx_install.install(place, newer, place.plan(newer), RunningAsterisk(GONE))
    assert place.plan(FILES) == []
    assert not place.unfinished
