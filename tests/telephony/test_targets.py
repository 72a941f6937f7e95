"""Whom a leg is dialled to: dial strings, and nothing that could become another one."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from trunkline.errors import InvalidNumber, TrunkNotConfigured
from trunkline.settings import TransferSettings, TrunkSettings
from trunkline.telephony.asterisk_config import TRUNK_ENDPOINT, refer_string, target_string

TRUNK = TrunkSettings(host="example.pstn.twilio.com", port=5070)


@pytest.mark.parametrize(
    ("to", "dialled", "referred"),
    [
        (
            "+14155550177",
            f"PJSIP/{TRUNK_ENDPOINT}/sip:+14155550177@example.pstn.twilio.com:5070",
            "PJSIP/sip:+14155550177@example.pstn.twilio.com",
        ),
        ("PJSIP/100", "PJSIP/100", None),
        ("100@from-internal", "Local/100@from-internal/n", None),
        ("*76@from-internal", "Local/*76@from-internal/n", None),
        ("Queue(sales)", "Local/sales@trunkline-queue/n", None),
        (
            "sip:anna@192.0.2.40:5080;transport=tcp",
            "PJSIP/trunkline-sip/sip:anna@192.0.2.40:5080;transport=tcp",
            "PJSIP/sip:anna@192.0.2.40:5080;transport=tcp",
        ),
    ],
)
def test_everybody_who_may_be_named_is_dialled(to: str, dialled: str, referred: str | None) -> None:
    assert TransferSettings(to=to).to == to
    assert target_string(TRUNK, to) == dialled
    assert refer_string(TRUNK, to) == referred


@pytest.mark.parametrize(
    "to",
    [
        "",
        "911",
        "PJSIP/100&PJSIP/101",
        "PJSIP/100/sip:x@evil.example",
        "PJSIP/${EVIL}",
        "100@from-internal/n,60,g",
        "100@from-internal\n",
        "Queue(sales,t)",
        "Local/100@from-internal",
        "DAHDI/1",
        "sip:anna@office.example.com,30",
        "sip:anna@office.example.com?Replaces=1",
        "sip:anna@[::1]",
    ],
)
def test_nobody_else_is(to: str) -> None:
    with pytest.raises(ValidationError, match="is none of"):
        TransferSettings(to=to)
    with pytest.raises(InvalidNumber):
        target_string(TRUNK, to)
    assert refer_string(TRUNK, to) is None


def test_a_number_needs_a_trunk() -> None:
    with pytest.raises(TrunkNotConfigured):
        target_string(TrunkSettings(), "+14155550177")
    assert refer_string(TrunkSettings(), "+14155550177") is None


def test_the_host_of_a_sip_address_is_known() -> None:
    assert TransferSettings(to="sip:anna@192.0.2.40:5080").sip_host == "192.0.2.40"
    assert TransferSettings(to="PJSIP/100").sip_host is None
