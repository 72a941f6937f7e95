"""What the doctor says of Asterisk, the disk and the clock."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from trunkline.doctor.check import State, Verdict, examine
from trunkline.doctor.machine import Asterisk, Clock, Disk, judge_asterisk, judge_clock, judge_space
from trunkline.settings import ServiceSettings, Settings
from trunkline.telephony.asterisk_modules import REQUIRED

CLIENT = "res_websocket_client"


@pytest.mark.parametrize("version", ["20.15.0", "22.5.2", "20.9"])
def test_older_asterisks_need_no_websocket_client(version: str) -> None:
    assert judge_asterisk(version, REQUIRED).state is State.WELL


@pytest.mark.parametrize("version", ["20.16.0", "22.10.1", "23.0.0", "24.1.0"])
def test_newer_ones_do(version: str) -> None:
    verdict = judge_asterisk(version, REQUIRED)
    assert verdict.state is State.WRONG and CLIENT in verdict.text
    assert judge_asterisk(version, REQUIRED | {CLIENT}).state is State.WELL


def test_a_missing_module_is_named() -> None:
    verdict = judge_asterisk("22.5.0", REQUIRED - {"app_audiosocket"})
    assert verdict.state is State.WRONG and "app_audiosocket" in verdict.text


def test_a_version_without_fixes_is_remarked_on() -> None:
    assert judge_asterisk("18.26.4", REQUIRED).remarks and not judge_asterisk("22.5.0", REQUIRED).remarks


async def test_a_secure_trunk_takes_more(tmp_path: Path) -> None:
    binary, modules = tmp_path / "sbin/asterisk", tmp_path / "lib/asterisk/modules"
    binary.parent.mkdir()
    binary.write_text("#!/bin/sh\necho 'Asterisk 22.5.1'\n")
    binary.chmod(0o755)
    modules.mkdir(parents=True)
    for name in REQUIRED:
        (modules / f"{name}.so").touch()

    async def verdict(**trunk: object) -> Verdict:
        asterisk = {"binary": binary, "tls_ca": tmp_path / "authorities.pem"}
        (finding,) = await examine([Asterisk(Settings.model_validate({"asterisk": asterisk, "trunk": trunk}))])
        return finding.verdict

    assert (await verdict()).state is State.WELL
    assert "res_srtp" in (await verdict(secure=True)).text
    (modules / "res_srtp.so").touch()
    assert "authorities.pem" in (await verdict(secure=True)).text
    (tmp_path / "authorities.pem").touch()
    assert (await verdict(secure=True)).state is State.WELL


def test_room(tmp_path: Path) -> None:
    assert judge_space(tmp_path, 400_000_000).state is State.WRONG
    assert judge_space(tmp_path, 4_000_000_000).remarks
    roomy = judge_space(tmp_path, 40_000_000_000)
    assert (roomy.state, roomy.remarks) == (State.WELL, ())
    assert "347 hours" in roomy.text


async def test_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    verdict = await Disk(Settings(service=ServiceSettings(data_dir=tmp_path / "a/b"))).run()
    assert str(tmp_path / "a/b") in verdict.text


async def test_the_clock() -> None:
    now = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
    assert judge_clock(datetime(1970, 1, 1, tzinfo=UTC), True).state is State.WRONG
    assert judge_clock(now, False).remarks and not judge_clock(now, True).remarks
    assert (await Clock().run()).state is State.WELL
