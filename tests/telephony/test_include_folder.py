"""What an Asterisk of one's own gets of us."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from trunkline.errors import SettingsError
from trunkline.settings import AgentSettings, AsteriskSettings, Settings, TransferSettings, TrunkSettings
from trunkline.telephony.asterisk_config.transports import TlsFiles
from trunkline.telephony.existing_config import FoundSection, sections_of
from trunkline.telephony.include_folder import NAMES, Guest, render_folder

TRUNK = TrunkSettings(
    host="example.pstn.twilio.com",
    username="trunk",
    password=SecretStr("Secret-12345"),
    caller_ids=("+14155550100", "+14155550101"),
)


def guest(trunk: TrunkSettings = TRUNK, transport: str | None = None, **more: Any) -> Guest:
    settings = Settings(trunk=trunk, asterisk=more.pop("asterisk", AsteriskSettings()), **more)
    return Guest(settings, "127.0.0.1:4573", "127.0.0.1:9092", "ari-password", TlsFiles(), transport)


def sections(files: dict[str, str], name: str) -> list[FoundSection]:
    return sections_of(files[name], Path(name))


def dialplan(files: dict[str, str]) -> dict[str, str]:
    """Contexts with their text."""
    parts = re.split(r"^\[([^\]]+)\]\n", files["extensions.conf"], flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def test_every_name_is_ours() -> None:
    files = render_folder(guest())
    assert tuple(files) == NAMES
    for name in ("pjsip.conf", "ari.conf", "manager.conf"):
        assert all(section.name.startswith("trunkline") for section in sections(files, name))
    others = {name for name in dialplan(files) if not name.startswith("trunkline-")}
    assert others == {"outbound-ai-conversational", "from-twilio"}
    assert "general" not in files["extensions.conf"]


def test_the_trunk_under_its_name_even_where_its_user_is_called_like_the_private_one() -> None:
    found = {section.get("type"): section for section in sections(render_folder(guest()), "pjsip.conf")}
    assert {found[kind].name for kind in ("endpoint", "aor", "auth", "identify")} == {"trunkline-trunk"}
    endpoint = found["endpoint"]
    assert endpoint.get("aors") == endpoint.get("outbound_auth") == "trunkline-trunk"
    assert endpoint.get("transport") == found["transport"].name == "trunkline-udp"
    assert endpoint.get("context") == "from-twilio"
    assert found["identify"].get("endpoint") == "trunkline-trunk"
    assert found["auth"].get("username") == "trunk"
    assert found["transport"].get("bind") == "0.0.0.0:5060"


def test_the_owners_transport_goes_before_one_of_ours() -> None:
    found = sections(render_folder(guest(transport="transport-udp")), "pjsip.conf")
    assert "transport" not in {section.get("type") for section in found}
    assert next(section for section in found if section.get("type") == "endpoint").get("transport") == "transport-udp"


def test_nothing_that_takes_calls_leads_out() -> None:
    contexts = dialplan(render_folder(guest()))
    dialling = {name for name, text in contexts.items() if "Dial(PJSIP/" in text}
    assert dialling == {"trunkline-pstn"}
    leads = {
        name: {other for other in contexts if re.search(rf"(Goto|Gosub)\({re.escape(other)},|include.*{other}", text)}
        for name, text in contexts.items()
    }
    reached, new = set(), {"from-twilio", "outbound-ai-conversational"}
    while new:
        reached |= new
        new = {other for name in new for other in leads[name]} - reached
    assert reached == {"from-twilio", "outbound-ai-conversational", "trunkline-hand-over", "trunkline-next"}


def attached(**more: Any) -> Guest:
    """In an Asterisk that the service is attached to."""
    return guest(asterisk=AsteriskSettings(mode="external", ari_password=SecretStr("ari-password")), **more)


def test_calls_come_to_a_service_that_is_attached_as_they_do_with_an_asterisk_of_its_own() -> None:
    text = dialplan(render_folder(attached()))["from-twilio"]
    assert "Stasis(trunkline,arrived)" in text
    assert text.index("Stasis(") < text.index("Gosub(trunkline-hand-over,s,1())"), "by AGI while ARI is cut"
    assert "Stasis" not in dialplan(render_folder(guest()))["from-twilio"]


def test_sip_addresses_that_people_are_put_through_to_have_an_endpoint() -> None:
    people = {"anna": TransferSettings(to="sip:anna@office.example.com")}
    names = {section.name for section in sections(render_folder(attached(transfers=people)), "pjsip.conf")}
    assert names == {"trunkline-trunk", "trunkline-udp", "trunkline-sip"}
    assert "trunkline-sip" not in render_folder(attached())["pjsip.conf"]


def test_numbers_and_caller_ids_are_filtered() -> None:
    contexts = dialplan(render_folder(guest()))
    for text in contexts.values():
        assert "${EXTEN}" not in re.sub(r"\$\{FILTER\(\+?0-9(?:A-Za-z_)?,\$\{EXTEN\}\)\}", "", text)
    text = contexts["trunkline-pstn"]
    assert "Dial(PJSIP/trunkline-trunk/sip:+${FILTER(0-9,${EXTEN})}@example.pstn.twilio.com:5060,45)" in text
    assert "Set(CALLERID(num)=+14155550100)" in text
    assert '"x+14155550101"]?known' in text


def test_a_context_for_each_agent() -> None:
    contexts = dialplan(render_folder(guest(agents={"desk": AgentSettings(), "night-desk": AgentSettings()})))
    assert "Gosub(trunkline-hand-over,s,1(night-desk))" in contexts["trunkline-ai-night-desk"]
    assert "Gosub(trunkline-hand-over,s,1(desk,direction=outbound))" in contexts["outbound-ai-conversational"]
    assert "AGI(agi://127.0.0.1:4573/${ARG1}?${ARG2})" in contexts["trunkline-hand-over"]


def test_a_transport_parameter_is_no_comment() -> None:
    trunk = TRUNK.model_copy(update={"transport": "tcp"})
    assert "5060\\;transport=tcp,45)" in render_folder(guest(trunk))["extensions.conf"]


@pytest.mark.parametrize("missing", [{"host": None}, {"caller_ids": ()}])
def test_what_a_call_needs_is_asked_for(missing: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match=r"trunk|caller ID"):
        render_folder(guest(TRUNK.model_copy(update=missing)))


HOSTILE = "127.0.0.1:1)\nexten = _X.,1,System(true"


@pytest.mark.parametrize(
    "change",
    [
        {"host": "example.com\n[x]"},
        {"host": "example.com)&PJSIP/other/sip:x"},
        {"username": "a\ncontext = evil"},
        {"password": SecretStr("a\nb")},
        {"caller_ids": ("+1415\nexten = _X.,1,System(true)",)},
    ],
)
def test_a_value_never_becomes_another_setting(change: dict[str, object]) -> None:
    with pytest.raises(SettingsError):
        render_folder(guest(TRUNK.model_copy(update=change)))


@pytest.mark.parametrize("field", ["agi", "audiosocket", "password", "permit"])
def test_nor_does_an_option_of_the_command_line(field: str) -> None:
    values: dict[str, Any] = {"agi": "127.0.0.1:4573", "audiosocket": "127.0.0.1:9092", "password": "p"}
    values[field] = (HOSTILE,) if field == "permit" else HOSTILE
    with pytest.raises(SettingsError):
        render_folder(Guest(Settings(trunk=TRUNK), tls=TlsFiles(), **values))


def test_the_manager_interface_lets_our_user_in_from_there_and_named_networks() -> None:
    files = render_folder(replace(guest(), permit=("10.0.0.7/32",)))
    (user,) = sections(files, "manager.conf")
    assert user.all("deny") == ["0.0.0.0/0.0.0.0"]
    assert user.all("permit") == ["127.0.0.1/255.255.255.255", "10.0.0.7/32"]
    assert user.all("write") == ["call", "reporting"]


def test_the_passwords_are_in_no_repr() -> None:
    assert "ari-password" not in repr(guest())
    assert "Secret-12345" not in repr(guest())
