"""The rendered configuration against golden files; `python -m tests.telephony.test_asterisk_config` rewrites them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from trunkline.errors import SettingsError
from trunkline.settings import TrunkSettings
from trunkline.telephony.asterisk_config import AsteriskInstance, dial_string, host_and_port, render
from trunkline.telephony.asterisk_config.carriers import CARRIERS, as_received, as_sent, carrier_of
from trunkline.telephony.asterisk_config.transports import TlsFiles

GOLDEN = Path(__file__).parent / "golden"

LOOPBACK = AsteriskInstance(
    folder=Path("/home/someone/var/pbx"),
    run_dir=Path("/home/someone/var/pbx/run"),
    modules_dir=Path("/usr/lib/asterisk/modules"),
    data_dir=Path("/usr/share/asterisk"),
    sip_address="127.0.0.11",
    sip_port=5060,
    http_address="127.0.0.11",
    http_port=8088,
    audiosocket="127.0.0.1:40123",
    trunk=TrunkSettings(
        host="example.pstn.twilio.com",
        proxy="127.0.0.50:5070",
        username="trunk-user",
        password=SecretStr("Secret-12345"),
    ),
    ari_password="ari-password",
)

PUBLIC = replace(
    LOOPBACK,
    sip_address="0.0.0.0",
    sip_port=5062,
    rtp_ports=(12000, 13000),
    external_address="203.0.113.7",
    local_nets=("10.0.0.0/8", "192.168.1.5"),
    trunk=TrunkSettings(
        host="sip.example.com:5080",
        transport="tcp",
        codecs=("alaw",),
        identify=("198.51.100.0/30", "198.51.100.8"),
        qualify_seconds=0,
    ),
)

NO_TRUNK = replace(LOOPBACK, trunk=TrunkSettings())

SECURE = replace(
    LOOPBACK,
    sip_address="0.0.0.0",
    sip_port=5061,
    trunk=TrunkSettings(
        host="example.pstn.twilio.com", secure=True, username="trunk-user", password=SecretStr("Secret-12345")
    ),
    tls=TlsFiles(Path("/etc/ssl/ca.crt"), Path("/etc/ssl/pbx.crt"), Path("/etc/ssl/pbx.key")),
)

REGISTERED = replace(
    LOOPBACK,
    sip_address="0.0.0.0",
    trunk=TrunkSettings(
        carrier="registration",
        host="registrar.example.com",
        proxy="edge.example.com",
        username="4930123456",
        password=SecretStr("Secret-12345"),
        number_format="digits",
    ),
)

BY_ADDRESS = replace(
    LOOPBACK,
    sip_address="2001:db8::7",
    trunk=TrunkSettings(host="[2001:db8::1]:5070", caller_id_header="p-asserted-identity", qualify_seconds=20),
)

SIP_ADDRESSES = replace(LOOPBACK, sip_hosts=("192.0.2.40",))

GOLDEN_FILES = {
    **{f"loopback/{name}": text for name, text in render(LOOPBACK).items()},
    **{f"public/{name}": render(PUBLIC)[name] for name in ("pjsip.conf", "rtp.conf")},
    "no-trunk/pjsip.conf": render(NO_TRUNK)["pjsip.conf"],
    "secure/pjsip.conf": render(SECURE)["pjsip.conf"],
    "registration/pjsip.conf": render(REGISTERED)["pjsip.conf"],
    "ip/pjsip.conf": render(BY_ADDRESS)["pjsip.conf"],
    "sip-addresses/pjsip.conf": render(SIP_ADDRESSES)["pjsip.conf"],
}


@pytest.mark.parametrize("name", sorted(GOLDEN_FILES))
def test_rendered_files_are_the_golden_ones(name: str) -> None:
    assert GOLDEN_FILES[name] == (GOLDEN / name).read_text()


def test_no_golden_file_is_left_over() -> None:
    kept = {str(path.relative_to(GOLDEN)) for path in GOLDEN.rglob("*.conf")}
    assert kept == set(GOLDEN_FILES)


@pytest.mark.parametrize(
    "change",
    [
        {"external_address": "203.0.113.7\nprotocol = tcp"},
        {"external_address": "203.0.113.7\r[other]"},
        {"ari_password": "back\\slash"},
        {"ari_password": ""},
        {"ari_password": " outer blank"},
        {"modules_dir": Path("/usr/lib\n[options]")},
        {"folder": Path("/var\x00")},
        {"audiosocket": "127.0.0.1:4000)\nexten = _X.,1,System(true"},
        {"audiosocket": "127.0.0.1"},
        {"audiosocket": "127.0.0.1:99999"},
        {"local_nets": ("10.0.0.0/8;",)},
        {"http_address": "0.0.0.0"},
        {"trunk": SECURE.trunk, "tls": TlsFiles(Path("/ca\nverify_server=no"))},
        {"trunk": SECURE.trunk, "tls": TlsFiles(None, Path("/c"), Path("/key "))},
        {"trunk": REGISTERED.trunk.model_copy(update={"username": "user\ncontext=evil"})},
        {"trunk": REGISTERED.trunk.model_copy(update={"host": "example.com;lr"})},
        {"trunk": REGISTERED.trunk.model_copy(update={"identify": ("somewhere",)})},
        {"trunk": LOOPBACK.trunk.model_copy(update={"host": "example.com\n[x]"})},
        {"trunk": LOOPBACK.trunk.model_copy(update={"proxy": "example.com;lr"})},
        {"trunk": LOOPBACK.trunk.model_copy(update={"username": "user\ncontext=evil"})},
        {"trunk": LOOPBACK.trunk.model_copy(update={"password": SecretStr("a\nb")})},
        {"trunk": LOOPBACK.trunk.model_copy(update={"identify": ("0.0.0.0/0\nmatch=::/0",)})},
    ],
)
def test_a_value_never_becomes_another_setting(change: dict[str, object]) -> None:
    with pytest.raises(SettingsError):
        render(replace(LOOPBACK, **change))  # type: ignore[arg-type]


def test_a_semicolon_does_not_start_a_comment() -> None:
    assert "password = a\\;b\n" in render(replace(LOOPBACK, ari_password="a;b"))["ari.conf"]


def test_the_error_does_not_show_the_secret() -> None:
    with pytest.raises(SettingsError) as raised:
        render(replace(LOOPBACK, ari_password="very\nsecret"))
    assert "secret" not in str(raised.value).lower().replace("secrets", "")
    assert "ari-password" not in repr(LOOPBACK)


def test_dial_strings() -> None:
    assert (
        dial_string(LOOPBACK.trunk, "+14155550100")
        == "PJSIP/trunkline-trunk/sip:+14155550100@example.pstn.twilio.com:5060"
    )
    assert (
        dial_string(PUBLIC.trunk, "+14155550100")
        == "PJSIP/trunkline-trunk/sip:+14155550100@sip.example.com:5080;transport=tcp"
    )
    assert (
        dial_string(SECURE.trunk, "+1415")
        == "PJSIP/trunkline-trunk/sip:+1415@example.pstn.twilio.com:5061;transport=tls"
    )
    assert dial_string(REGISTERED.trunk, "+1415") == "PJSIP/trunkline-trunk/sip:1415@registrar.example.com:5060"


def test_the_carrier_is_told_by_its_host_unless_it_is_named() -> None:
    assert carrier_of(TrunkSettings(host="Acme.PSTN.Twilio.com")) == CARRIERS["twilio"]
    assert carrier_of(TrunkSettings(host="acme.pstn.dublin.twilio.com:5060")) == CARRIERS["twilio"]
    for host in ("twilio.com.example.com", "example.com", None):
        assert carrier_of(TrunkSettings(host=host)) == CARRIERS["ip"]
    assert carrier_of(TrunkSettings(host="edge.example.com", carrier="twilio")) == CARRIERS["twilio"]


def test_what_the_settings_name_goes_before_the_carriers_own() -> None:
    own = carrier_of(
        TrunkSettings(
            host="acme.pstn.twilio.com",
            proxy="198.51.100.9:5080",
            identify=("198.51.100.1",),
            qualify_seconds=0,
            number_format="digits",
            caller_id_header="p-asserted-identity",
        )
    )
    assert own == replace(
        CARRIERS["twilio"],
        identify=("198.51.100.1/32",),
        qualify_seconds=0,
        number_format="digits",
        caller_id_header="p-asserted-identity",
    )


def test_numbers_are_written_as_the_carrier_writes_them() -> None:
    plain, digits = TrunkSettings(host="example.com"), TrunkSettings(host="example.com", number_format="digits")
    assert (as_sent(plain, "+14155550100"), as_sent(digits, "+14155550100")) == ("+14155550100", "14155550100")
    for number in ("14155550100", "+14155550100"):
        assert as_received(digits, number) == "+14155550100"
    assert as_received(plain, "14155550100") == "14155550100"
    for no_number in ("anonymous", "", "100", "0049301234567"):
        assert as_received(digits, no_number) == no_number


def test_the_address_calls_are_sent_to_may_send_some_too() -> None:
    trunk = TrunkSettings(host="acme.pstn.twilio.com", proxy="198.51.100.9:5080")
    assert carrier_of(trunk).identify == (*CARRIERS["twilio"].identify, "198.51.100.9/32")


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"secure": True, "transport": "udp"}, "trunk.secure means TLS"),
        ({"secure": True, "transport": "tcp"}, "trunk.secure means TLS"),
        ({"carrier": "registration", "host": "example.com"}, "trunk.username and trunk.password"),
        ({"qualify_seconds": 5}, "at least 15"),
    ],
)
def test_settings_that_contradict_each_other(values: dict[str, object], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        TrunkSettings.model_validate(values)


def test_host_and_port() -> None:
    assert host_and_port("example.com", 5060) == ("example.com", 5060)
    assert host_and_port("example.com:5080", 5060) == ("example.com", 5080)
    assert host_and_port("[2001:db8::1]:5080", 5060) == ("[2001:db8::1]", 5080)
    for wrong in ("", "a b", "example.com:", "example.com:0", "example.com:70000", "sip:example.com/x"):
        with pytest.raises(SettingsError):
            host_and_port(wrong, 5060)


if __name__ == "__main__":
    for name, text in GOLDEN_FILES.items():
        (GOLDEN / name).parent.mkdir(parents=True, exist_ok=True)
        (GOLDEN / name).write_text(text)
