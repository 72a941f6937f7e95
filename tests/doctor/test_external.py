"""What the doctor says of an Asterisk that is not ours; that it finds the right things is told by tests/real."""

from __future__ import annotations

import socket

from pydantic import SecretStr

from trunkline.cli.doctor import checks
from trunkline.doctor.check import State, examine
from trunkline.doctor.external import AudioPort, ExternalAsterisk, judge_found
from trunkline.settings import AsteriskSettings, ServiceSettings, Settings
from trunkline.telephony.external_check import Found
from trunkline.telephony.include_check import Finding

URL = "https://pbx.example.com:8089/ari"


def settings(**asterisk: object) -> Settings:
    given = {"mode": "external", "ari_password": SecretStr("secret")} | asterisk
    return Settings(asterisk=AsteriskSettings.model_validate(given), service=ServiceSettings(port=0))


def test_what_is_missing_is_wrong_and_what_is_good_to_know_a_remark() -> None:
    little = Finding("Nobody can be put through.", "Load it.", fatal=False)
    fatal = Finding("There is no context.", "Install it.")
    assert judge_found(Found("22.10.1", ""), URL).state is State.WELL
    verdict = judge_found(Found("22.10.1", "", (little,)), URL)
    assert (verdict.state, verdict.remarks) == (State.WELL, ("Nobody can be put through. Load it.",))
    verdict = judge_found(Found("22.10.1", "", (little, fatal)), URL)
    assert (verdict.state, verdict.text, verdict.remedy) == (State.WRONG, "There is no context.", "Install it.")


async def test_an_asterisk_that_is_not_there() -> None:
    (found,) = await examine([ExternalAsterisk(settings(ari_url="http://127.0.0.1:9/ari"))])
    assert found.verdict.state is State.WRONG
    assert "doesn't answer at http://127.0.0.1:9/ari" in found.verdict.text and found.verdict.remedy


async def test_the_port_for_the_audio() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        (taken,) = await examine([AudioPort(settings(audio_port=port))])
    assert taken.verdict.state is State.WRONG and f"127.0.0.1:{port}" in taken.verdict.text
    (free,) = await examine([AudioPort(settings(audio_port=port))])
    assert free.verdict.state is State.WELL


def test_nothing_is_asked_of_a_private_asterisk_that_is_not_used() -> None:
    names = {type(check).__name__ for check in checks(settings(), "+14155550100")}
    assert {"ExternalAsterisk", "AudioPort", "NotOurs"} <= names
    assert not names & {"Asterisk", "Ports", "Nat", "LoopCall", "RealCall"}
