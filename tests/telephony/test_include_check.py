"""What stands in the way of our folder in somebody's configuration."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from pydantic import SecretStr

from tests.telephony.etc_asterisk import FILES, FREEPBX, furnish
from trunkline.settings import AsteriskSettings, Settings, TrunkSettings
from trunkline.settings.agi import AgiSettings
from trunkline.telephony.asterisk_config.transports import TlsFiles
from trunkline.telephony.include_check import Finding, clashes, read_existing
from trunkline.telephony.include_folder import NAMES, Guest, render_folder

TRUNK = TrunkSettings(
    host="example.pstn.twilio.com", username="u", password=SecretStr("Secret-12345"), caller_ids=("+14155550100",)
)


def found(etc: Path, trunk: TrunkSettings = TRUNK, **asterisk: object) -> list[Finding]:
    settings = Settings(trunk=trunk, asterisk=AsteriskSettings.model_validate(asterisk), agi=AgiSettings(enabled=True))
    existing = read_existing(etc)
    guest = Guest(settings, "127.0.0.1:1", "127.0.0.1:2", "p", TlsFiles(), existing.transport(settings))
    return clashes(existing, render_folder(guest), settings)


def furnished(tmp_path: Path, **more: str) -> Path:
    added: Mapping[str, str] = {f"{name}.conf": text for name, text in more.items()}
    return furnish(tmp_path / "etc", {name: text + "\n" + added.get(name, "") for name, text in FILES.items()})


def test_an_ordinary_folder_has_no_clash(tmp_path: Path) -> None:
    assert found(furnished(tmp_path)) == []


def test_what_is_ours_is_no_clash_with_us(tmp_path: Path) -> None:
    etc = furnished(tmp_path, pjsip="#include trunkline/pjsip.conf\n")
    furnish(etc / "trunkline", {"pjsip.conf": "[trunkline-trunk]\ntype = endpoint\n"})
    assert found(etc) == []


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("pjsip", "[trunkline-trunk]\ntype = endpoint\n", "pjsip.conf has an endpoint [trunkline-trunk] already."),
        ("pjsip", "[t](!)\ntype = aor\n[trunkline-trunk](t)\n", "pjsip.conf has an aor [trunkline-trunk] already."),
        ("extensions", "[from-twilio]\n", "extensions.conf has a context [from-twilio] already."),
        ("extensions", "[outbound-ai-conversational]\n", "a context [outbound-ai-conversational] already."),
        ("ari", "[trunkline]\ntype = user\n", "ari.conf has a user [trunkline] already."),
        ("manager", "[trunkline]\nsecret = x\n", "manager.conf has a user [trunkline] already."),
        ("pjsip", "[mine]\ntype = identify\nmatch = 10.0.0.1,54.172.60.2\n", "[mine] of pjsip.conf takes calls from"),
    ],
)
def test_what_is_taken(tmp_path: Path, name: str, text: str, message: str) -> None:
    (finding,) = found(furnished(tmp_path, **{name: text}))
    assert message in finding.message
    assert finding.fatal
    assert finding.remedy


@pytest.mark.parametrize(
    "text", ["[trunkline-trunk]\ntype = contact\n", "[x]\ntype = identify\nmatch = 10.0.0.1,sip.example.com,::1\n"]
)
def test_what_only_looks_so(tmp_path: Path, text: str) -> None:
    assert found(furnished(tmp_path, pjsip=text)) == []


def test_a_port_of_another_transport(tmp_path: Path) -> None:
    etc = furnished(tmp_path, pjsip="[secure]\ntype = transport\nprotocol = tls\nbind = 0.0.0.0:5061\n")
    tcp = TRUNK.model_copy(update={"transport": "tcp"})
    assert found(etc, tcp) == []
    (finding,) = found(etc, tcp, sip_port=5061)
    assert "[secure] of pjsip.conf has port 5061" in finding.message


def test_which_transport_is_taken(tmp_path: Path) -> None:
    second = "[second]\ntype = transport\nprotocol = udp\nbind = [::]:5070\n[ws]\ntype = transport\nprotocol = wss\n"
    existing = read_existing(furnished(tmp_path, pjsip=second))

    def taken(trunk: TrunkSettings = TRUNK, port: int = 0) -> str | None:
        return existing.transport(Settings(trunk=trunk, asterisk=AsteriskSettings(sip_port=port)))

    assert taken() == "transport-udp"
    assert taken(port=5070) == "second"
    assert taken(TRUNK.model_copy(update={"transport": "tcp"})) is None
    assert taken(TRUNK.model_copy(update={"secure": True})) is None


def test_doors_that_are_shut_are_told_and_no_obstacle(tmp_path: Path) -> None:
    etc = furnish(tmp_path / "etc", {"extensions.conf": "", "pjsip.conf": ""})
    doors = found(etc)
    assert [finding.fatal for finding in doors] == [False, False]
    assert "http.conf set enabled = yes" in doors[0].remedy
    assert "manager.conf set enabled = yes and webenabled = yes" in doors[1].remedy
    (etc / "http.conf").write_text("[general]\nenabled = yes\n")
    (etc / "ari.conf").write_text("[general]\nenabled = no\n")
    assert found(etc)[0].remedy == "In ari.conf set enabled = yes."


def test_what_the_owners_transport_does_not_tell_the_carrier(tmp_path: Path) -> None:
    etc = furnished(tmp_path)
    (finding,) = found(etc, external_address="203.0.113.7")
    assert "[transport-udp] of pjsip.conf doesn't tell the carrier 203.0.113.7" in finding.message
    assert not finding.fatal
    with (etc / "pjsip.conf").open("a") as stream:
        stream.write("[transport-udp](+)\nexternal_media_address = 203.0.113.7\n")
    assert found(etc, external_address="203.0.113.7") == []


def test_an_asterisk_that_knows_nobody_by_address(tmp_path: Path) -> None:
    (finding,) = found(furnished(tmp_path, pjsip="[global](+)\nendpoint_identifier_order = username, anonymous\n"))
    assert "Add ip to endpoint_identifier_order" in finding.remedy
    assert not finding.fatal


def test_the_place_stays_where_our_line_is(tmp_path: Path) -> None:
    etc = furnish(tmp_path / "etc", FREEPBX)
    (etc / "pjsip_custom.conf").write_text("#include trunkline/pjsip.conf ; ours\n")
    (etc / "pjsip.conf").write_text("; FreePBX is gone\n")
    assert read_existing(etc).place("pjsip.conf") == etc / "pjsip_custom.conf"


def test_the_places_of_freepbx_and_of_others(tmp_path: Path) -> None:
    freepbx = read_existing(furnish(tmp_path / "freepbx", FREEPBX))
    assert [freepbx.place(name).name for name in NAMES] == [
        "pjsip_custom.conf",
        "extensions_custom.conf",
        "ari_additional_custom.conf",
        "manager_custom.conf",
    ]
    plain = furnished(tmp_path)
    (plain / "pjsip_custom.conf").write_text("")  # included by nothing
    assert [read_existing(plain).place(name).name for name in NAMES] == list(NAMES)
