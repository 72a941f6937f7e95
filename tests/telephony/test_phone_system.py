"""What the settings of an Asterisk that is not ours lead to, before anybody is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from trunkline.errors import SettingsError
from trunkline.settings import AgiSettings, AsteriskSettings, Settings
from trunkline.telephony.external_check import plain_abroad
from trunkline.telephony.external_pbx import address_of, client_tls
from trunkline.telephony.phone_system import audio_address

ABROAD = {"audio_host": "10.0.0.7", "audio_networks": ("10.0.0.5/32",)}
DOOR: dict[str, Any] = {"enabled": True, "networks": ("10.0.0.5/32",)}


@pytest.mark.parametrize(
    ("asterisk", "agi", "address"),
    [
        ({}, {}, ("127.0.0.1", 0)),
        ({}, DOOR | {"host": "10.0.0.7"}, ("0.0.0.0", 0)),
        ({"mode": "external"}, {}, ("127.0.0.1", 9092)),
        ({"mode": "external", "audio_port": 9000, **ABROAD}, {}, ("10.0.0.7", 9000)),
        ({"mode": "external", **ABROAD}, DOOR | {"host": "10.0.0.7"}, ("10.0.0.7", 9092)),
        ({"mode": "external", **ABROAD}, DOOR | {"host": "127.0.0.1"}, ("0.0.0.0", 9092)),
    ],
)
def test_audio_is_taken_where_every_asterisk_finds_us(
    asterisk: dict[str, Any], agi: dict[str, Any], address: tuple[str, int]
) -> None:
    settings = Settings(asterisk=AsteriskSettings.model_validate(asterisk), agi=AgiSettings.model_validate(agi))
    assert audio_address(settings) == address


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"audio_host": "10.0.0.7"}, "audio_networks"),
        ({"audio_host": "pbx"}, "no IPv4 address"),
        ({"audio_networks": ("10.0.0.5/8",)}, "no IPv4 network"),
        ({"ari_url": "pbx.example.com:8088"}, "write it as"),
        ({"ari_url": "https://user:secret@pbx.example.com/ari"}, "without user and password"),
        ({"ari_url": "https://pbx.example.com:8089"}, "write it as"),
    ],
)
def test_settings_that_can_not_be(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        AsteriskSettings.model_validate(wrong)


def test_without_a_password_there_is_no_address() -> None:
    """It can't be asked for any sooner: `pbx install` makes it, with these settings."""
    asterisk = AsteriskSettings(mode="external")
    with pytest.raises(SettingsError, match="pbx install"):
        address_of(asterisk)
    found = address_of(asterisk.model_copy(update={"ari_password": SecretStr("secret")}))
    assert (found.url, found.user, found.password) == ("http://127.0.0.1:8088/ari", "trunkline", "secret")


async def test_authorities_that_are_none(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    asterisk = AsteriskSettings(ari_url="https://127.0.0.1:8089/ari", ari_ca=file)
    with pytest.raises(SettingsError, match=r"ca\.pem can't be used"):
        await client_tls(asterisk)
    file.write_text("no certificate")
    with pytest.raises(SettingsError, match=r"ca\.pem can't be used"):
        await client_tls(asterisk)
    assert await client_tls(AsteriskSettings(ari_ca=file)) is None


@pytest.mark.parametrize(
    ("url", "readable"),
    [
        ("http://127.0.0.1:8088/ari", False),
        ("http://localhost:8088/ari", False),
        ("http://[::1]:8088/ari", False),
        ("http://10.0.0.5:8088/ari", True),
        ("http://pbx.example.com:8088/ari", True),
        ("https://pbx.example.com:8089/ari", False),
    ],
)
def test_what_can_be_read_on_the_way(url: str, readable: bool) -> None:
    assert plain_abroad(url) == readable
