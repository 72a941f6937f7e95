"""The doctor's loop call through a real Asterisk."""

from __future__ import annotations

from pathlib import Path

import pytest

from trunkline.cli import loop_call
from trunkline.cli.loop_call import LoopCall, tone
from trunkline.doctor import real_call
from trunkline.doctor.check import State, Verdict
from trunkline.doctor.real_call import RealCall
from trunkline.rehearsal.carrier import StandInCarrier
from trunkline.rehearsal.config import CarrierConfig
from trunkline.rehearsal.scenario import Scenario
from trunkline.settings import Settings, TrunkSettings
from trunkline.telephony.asterisk_program import AsteriskProgram

NUMBER = "+14155550123"

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


async def really_call(program: AsteriskProgram, folder: Path, hertz: float, **carrier: object) -> Verdict:
    """A call to somebody who hums at `hertz`; 0: who is silent."""
    loop_call._write(folder / "hum.wav", tone(hertz) if hertz else bytes(9600))
    content = {"name": "somebody", "folder": folder, "phone": {"rings_ms": 0}, "steps": [{"wav": "hum.wav"}]}
    async with StandInCarrier(CarrierConfig.model_validate(carrier), [Scenario.model_validate(content)]) as running:
        trunk = TrunkSettings.model_validate(running.trunk_settings() | {"qualify_seconds": 0, "ring_timeout": 5})
        settings = Settings().model_copy(update={"trunk": trunk})
        return await RealCall(settings, NUMBER).place(program, NUMBER, tone(620.0))


async def test_a_call_that_was_asked_for(
    asterisk_program: AsteriskProgram, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(real_call, "LISTENING", 0.5)
    heard = await really_call(asterisk_program, tmp_path, 1004.0)
    assert (heard.state, "was heard" in heard.text) == (State.WELL, True), heard
    silent = await really_call(asterisk_program, tmp_path, 0)
    assert silent.state is State.WRONG and "nothing was heard" in silent.text


async def test_a_call_that_was_asked_for_and_refused(asterisk_program: AsteriskProgram, tmp_path: Path) -> None:
    refused = await really_call(asterisk_program, tmp_path, 0, forbidden_prefixes=[NUMBER[:5]])
    assert refused.state is State.WRONG
    assert "403 No International Authorization" in refused.text and "geographic permissions" in refused.remedy
