"""The doctor's loop call through a real Asterisk."""

from __future__ import annotations

from pathlib import Path

import pytest

from trunkline.cli import loop_call
from trunkline.cli.loop_call import LoopCall
from trunkline.doctor.check import State
from trunkline.settings import Settings
from trunkline.telephony.asterisk_program import AsteriskProgram

pytestmark = pytest.mark.usefixtures("asterisk_program")


async def test_both_sides_are_heard() -> None:
    verdict = await LoopCall(Settings()).run()
    assert (verdict.state, verdict.remedy) == (State.WELL, "")


async def test_the_operators_trunk_has_no_part_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUNKLINE_TRUNK__PROXY", "127.0.0.1:9")
    monkeypatch.setenv("TRUNKLINE_TRUNK__USERNAME", "mine")
    monkeypatch.setenv("TRUNKLINE_TRUNK__PASSWORD", "mine too")
    settings = Settings()
    assert settings.trunk.proxy == "127.0.0.1:9"
    assert (await LoopCall(settings).run()).state is State.WELL


async def test_a_side_that_says_nothing_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    said = loop_call.tone
    monkeypatch.setattr(loop_call, "tone", lambda hertz: bytes(9600) if hertz == loop_call.OUR_HERTZ else said(hertz))
    verdict = await LoopCall(Settings()).run()
    assert verdict.state is State.WRONG
    assert "the far end heard nothing" in verdict.text


async def test_a_refused_call_is_told(
    asterisk_program: AsteriskProgram, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop_call, "NUMBER", "+881612345678")
    heard = await loop_call._call(asterisk_program, Settings(), tmp_path)
    assert isinstance(heard, str) and "403" in heard
