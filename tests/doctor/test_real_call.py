"""The settings of a call that the doctor places beside whatever is running."""

from __future__ import annotations

from pathlib import Path

import pytest

from trunkline.doctor.real_call import RealCall, beside
from trunkline.errors import CountryNotAllowed, EmergencyNumber, NumberTypeDenied, TrunklineError
from trunkline.ledger import Purpose
from trunkline.settings import AsteriskSettings, ServiceSettings, Settings, TrunkSettings
from trunkline.store import open_store
from trunkline.store.ledger import SqlLedger
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


@pytest.mark.parametrize(
    ("number", "refusal"),
    [("+19005550100", NumberTypeDenied), ("+18095550123", CountryNotAllowed), ("911", EmergencyNumber)],
)
async def test_the_guards_of_calls_hold_for_the_doctors_as_well(
    tmp_path: Path, number: str, refusal: type[TrunklineError]
) -> None:
    trunk = TrunkSettings(host="acme.pstn.twilio.com", caller_ids=("+14155550111",))
    service = ServiceSettings(data_dir=tmp_path)
    with pytest.raises(refusal):
        await RealCall(Settings(trunk=trunk, service=service), number).run()
    store = await open_store(service)
    kept = await SqlLedger(store.tables).refusals(limit=5)
    await store.close()
    assert [each.purpose for each in kept] == ([] if refusal is EmergencyNumber else [Purpose.TEST])
