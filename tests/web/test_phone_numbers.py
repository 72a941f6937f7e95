"""Telephone numbers as people write them."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers.tzdata import TIMEZONE_DATA

from trunkline.errors import EmergencyNumber, InvalidNumber
from trunkline.phone_numbers import NumberType, masked, number_type, region, time_zones, to_e164
from trunkline.settings import E164


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("+14155550100", "+14155550100"),
        (" +1 (415) 555-0100 ", "+14155550100"),
        ("+1.415.555.0100", "+14155550100"),
        ("+91 98765/43210", "+919876543210"),
        ("+44 (0)20 7946 0123", "+442079460123"),
        ("+290 22222", "+29022222"),
    ],
)
def test_what_people_write(written: str, meant: str) -> None:
    assert to_e164(written) == meant


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        ("4155550100", "no country code"),
        ("0014155550100", "no country code"),
        ("(415) 555-0100", "no country code"),
        ("+1415555", "too short"),
        ("+141555501000000", "too long"),
        ("+5550100", "lacks its area code|too short|length"),
        ("+9990000000000", "country code that doesn't exist"),
        ("+", "not a telephone number"),
        ("", "not a telephone number"),
        ("+0", "not a telephone number|country code"),
        ("+1 415 555 CALL", "not a telephone number"),
        ("tel:+14155550100", "not a telephone number"),
        ("+14155550100;ext=5", "not a telephone number"),
        ("+14155550100 x5", "not a telephone number"),
        ("sip:+14155550100@example.com", "not a telephone number"),
        ("+1415555٠١٠٠", "not a telephone number"),
        ("＋14155550100", "not a telephone number"),
        ("+1415555\u200b0100", "not a telephone number"),
        ("+14155550100\r\nVia: x", "not a telephone number"),
        ("+14155550100\x00", "not a telephone number"),
        ("+14155550100,PJSIP/evil", "not a telephone number"),
        ("+1" * 20, "not a telephone number"),
        ("+" + "1" * 5000, "not a telephone number"),
    ],
)
def test_what_is_nobodys_number(written: str, fault: str) -> None:
    with pytest.raises(InvalidNumber, match=fault) as caught:
        to_e164(written)
    assert caught.value.remedy and "+14155550100" in caught.value.remedy
    assert len(caught.value.message) < 150
    assert caught.value.message.isascii() and caught.value.message.isprintable()


@pytest.mark.parametrize(
    "written",
    ["911", "112", "999", "000", "+911", "+1911", "+1 911", "(911)", "+44 999", "+44112", "+91112", "+49110"],
)
def test_an_emergency_number(written: str) -> None:
    with pytest.raises(EmergencyNumber, match="emergency"):
        to_e164(written)


@pytest.mark.parametrize(
    ("number", "kind", "country"),
    [
        ("+14155550100", NumberType.FIXED_LINE_OR_MOBILE, "US"),
        ("+18095551234", NumberType.FIXED_LINE_OR_MOBILE, "DO"),
        ("+19005550100", NumberType.PREMIUM, "US"),
        ("+449098790000", NumberType.PREMIUM, "GB"),
        ("+881631555555", NumberType.SATELLITE, None),
        ("+870773111632", NumberType.SATELLITE, None),
        ("+447012345678", NumberType.PERSONAL, "GB"),
        ("+919876543210", NumberType.MOBILE, "IN"),
        ("+13335550100", NumberType.UNKNOWN, None),
    ],
)
def test_kinds_and_countries(number: str, kind: NumberType, country: str | None) -> None:
    assert (number_type(number), region(number)) == (kind, country)


def test_time_zones() -> None:
    assert [str(zone) for zone in time_zones("+14155550100")] == ["America/Los_Angeles"]
    assert len(time_zones("+61412345678")) > 3
    assert time_zones("+881631555555") == ()


def test_every_time_zone_that_numbers_have_is_known() -> None:
    named = {name for names in TIMEZONE_DATA.values() for name in names}
    assert len(named) > 200
    assert not [name for name in named if not ZoneInfo(name).key]


@pytest.mark.parametrize(("number", "shown"), [("+14155550100", "+1415•••0100"), ("+2902222", "+2•••")])
def test_a_masked_number(number: str, shown: str) -> None:
    assert masked(number) == shown


@given(st.text(st.characters(codec=None), max_size=40) | st.from_regex(r"\A\+?[0-9 ().\-/]{0,20}\Z"))
def test_either_a_number_or_an_error(written: str) -> None:
    try:
        number = to_e164(written)
    except InvalidNumber:
        return
    assert E164.fullmatch(number) and number.isascii()
    assert to_e164(number) == number
