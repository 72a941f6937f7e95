"""The settings of a call that the doctor places beside whatever is running."""

from __future__ import annotations

from pathlib import Path

from trunkline.doctor.real_call import beside
from trunkline.settings import AsteriskSettings, Settings, TrunkSettings
from trunkline.telephony.asterisk_config.carriers import carrier_of


def test_a_registration_is_not_made_a_second_time(tmp_path: Path) -> None:
    trunk = TrunkSettings.model_validate(
        {"carrier": "registration", "host": "sip.example.net", "username": "4930123456", "password": "x"}
    )
    settings = Settings(trunk=trunk, asterisk=AsteriskSettings(sip_port=5060))
    other = beside(settings, tmp_path)
    assert carrier_of(trunk).registers and not carrier_of(other.trunk).registers
    assert carrier_of(other.trunk).caller_id_header == carrier_of(trunk).caller_id_header
    assert (other.trunk.username, other.asterisk.sip_port, other.service.data_dir) == ("4930123456", 0, tmp_path)


def test_any_other_trunk_stays_as_it_is(tmp_path: Path) -> None:
    settings = Settings(trunk=TrunkSettings(host="acme.pstn.twilio.com"))
    assert beside(settings, tmp_path).trunk == settings.trunk
