from __future__ import annotations

from ipaddress import IPv4Network
from pathlib import Path

import pytest

from trunkline.errors import SettingsError
from trunkline.rehearsal.config import CarrierConfig, load_config


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "carrier.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def test_a_file_is_read_over_the_defaults(tmp_path: Path) -> None:
    text = "host: a.pstn.example.com\nacl: [127.0.0.5/32]\ncaller_ids: ['+14155550100']\ncalls_per_second: null\n"
    config = load_config(written(tmp_path, text))
    assert config == CarrierConfig(
        host="a.pstn.example.com",
        acl=(IPv4Network("127.0.0.5/32"),),
        caller_ids=("+14155550100",),
        calls_per_second=None,
    )
    assert config.username == "trunk"


def test_the_password_does_not_show() -> None:
    assert "Hunter" not in repr(CarrierConfig(password="Hunter-12345"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("pasword: x", "pasword: Extra inputs"),
        ("acl: [here]", "acl.0"),
        ("caller_ids: ['123']", "is not an E.164 number"),
        ("calls_per_second: 0", "calls_per_second"),
        ("listen_host: 0.0.0.0", "listen_host: name the address"),
        ("listen_host: localhost", "'localhost' is not an IPv4 address"),
        ("a: [", "not valid YAML"),
        ("", "holds no settings"),
    ],
)
def test_a_bad_file_is_explained(tmp_path: Path, text: str, told: str) -> None:
    file = written(tmp_path, text)
    with pytest.raises(SettingsError, match=told) as caught:
        load_config(file)
    assert str(file) in caught.value.message
    assert caught.value.remedy


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="can't be read"):
        load_config(tmp_path / "none.yaml")


def test_timers_follow_t1() -> None:
    assert CarrierConfig().timers.patience == 32
    assert CarrierConfig(t1=0.01).timers.patience == pytest.approx(0.64)
    assert CarrierConfig(t1=0.01).timers.t2 == pytest.approx(0.08)
