"""Telephone numbers as people write them, to E.164."""

from __future__ import annotations

import enum
import re
from contextlib import suppress
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import phonenumbers
from phonenumbers import (
    NumberParseException,
    PhoneNumber,
    PhoneNumberFormat,
    PhoneNumberType,
    ValidationResult,
    timezone,
)
from phonenumbers.shortnumberinfo import is_emergency_number

from trunkline.errors import EmergencyNumber, InvalidNumber

# ASCII only: `phonenumbers` would also take Arabic digits, letters, extensions and `tel:` addresses.
_WRITTEN: Final = re.compile(r"\+?[0-9(][0-9 ().\-/]{0,30}")
_E164: Final = re.compile(r"\+[1-9][0-9]{6,14}")
_EMERGENCY: Final = re.compile(r"000|10[0-28]|11[0-9]|19[0-37-9]|911|99[0-9]")
"""Emergency numbers of any country, without a country code."""
_IN_TEXT: Final = re.compile(r"(?<![\w+.-])(?:\+[1-9][0-9]{6,14}|[0-9]{9,15})(?![\w-]|\.[0-9])")
_EXAMPLE: Final = "Write a plus sign, the country code and the number, as +14155550100."
_FAULTS: Final = {
    ValidationResult.TOO_SHORT: "is too short for its country",
    ValidationResult.TOO_LONG: "is too long for its country",
    ValidationResult.INVALID_LENGTH: "has a length that its country doesn't use",
    ValidationResult.IS_POSSIBLE_LOCAL_ONLY: "lacks its area code",
    ValidationResult.INVALID_COUNTRY_CODE: "has a country code that doesn't exist",
}


def to_e164(written: str) -> str:
    """`written` as `+` and digits. Raises `InvalidNumber` for what can't be anybody's number, `EmergencyNumber`.

    A number has to be *possible* (country code and length), not known to be assigned: numbering plans grow faster
    than tables of them, and a number that nobody has costs a failed call.
    """
    text = written.strip(" ")
    if not _WRITTEN.fullmatch(text):
        raise InvalidNumber(f"{_shown(text)} is not a telephone number.", remedy=_EXAMPLE)
    if _EMERGENCY.fullmatch(re.sub(r"[^0-9]", "", text)):
        raise _emergency(text)
    if not text.startswith("+"):
        raise InvalidNumber(f"{_shown(text)} has no country code, so it could be anywhere.", remedy=_EXAMPLE)
    try:
        number = phonenumbers.parse(text, None)
    except NumberParseException as error:
        what = "has a country code that doesn't exist" if error.error_type == error.INVALID_COUNTRY_CODE else None
        raise InvalidNumber(f"{_shown(text)} {what or 'is not a telephone number'}.", remedy=_EXAMPLE) from error
    if _is_emergency(number):
        raise _emergency(text)
    fault = _FAULTS.get(phonenumbers.is_possible_number_with_reason(number))
    e164: str = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    if fault is not None or not _E164.fullmatch(e164):
        raise InvalidNumber(f"{_shown(text)} {fault or 'is not a telephone number'}.", remedy=_EXAMPLE)
    return e164


class NumberType(enum.StrEnum):
    """What kind of number it is, by its country's numbering plan."""

    FIXED_LINE = "fixed-line"
    MOBILE = "mobile"
    FIXED_LINE_OR_MOBILE = "fixed-line-or-mobile"
    TOLL_FREE = "toll-free"
    PREMIUM = "premium"
    SHARED_COST = "shared-cost"
    VOIP = "voip"
    PERSONAL = "personal"
    PAGER = "pager"
    COMPANY = "company"
    VOICEMAIL = "voicemail"
    SATELLITE = "satellite"
    UNKNOWN = "unknown"


_TYPES: Final = {
    PhoneNumberType.FIXED_LINE: NumberType.FIXED_LINE,
    PhoneNumberType.MOBILE: NumberType.MOBILE,
    PhoneNumberType.FIXED_LINE_OR_MOBILE: NumberType.FIXED_LINE_OR_MOBILE,
    PhoneNumberType.TOLL_FREE: NumberType.TOLL_FREE,
    PhoneNumberType.PREMIUM_RATE: NumberType.PREMIUM,
    PhoneNumberType.SHARED_COST: NumberType.SHARED_COST,
    PhoneNumberType.VOIP: NumberType.VOIP,
    PhoneNumberType.PERSONAL_NUMBER: NumberType.PERSONAL,
    PhoneNumberType.PAGER: NumberType.PAGER,
    PhoneNumberType.UAN: NumberType.COMPANY,
    PhoneNumberType.VOICEMAIL: NumberType.VOICEMAIL,
}
_SATELLITE_CODES: Final = frozenset({870, 881, 882, 883})
"""Inmarsat, global mobile satellite systems, and international networks, most of which are satellites or ships."""
_UNKNOWN_ZONE: Final = "Etc/Unknown"


def number_type(number: str) -> NumberType:
    """Of a number in E.164."""
    parsed = phonenumbers.parse(number, None)
    if parsed.country_code in _SATELLITE_CODES:
        return NumberType.SATELLITE
    return _TYPES.get(phonenumbers.number_type(parsed), NumberType.UNKNOWN)


def time_zones(number: str) -> tuple[ZoneInfo, ...]:
    """Where a number in E.164 may ring: all zones its area code or country has; none where that isn't known."""
    names = timezone.time_zones_for_number(phonenumbers.parse(number, None))
    with suppress(ZoneInfoNotFoundError):
        return tuple(ZoneInfo(name) for name in names if name != _UNKNOWN_ZONE)
    return ()


def masked(number: str) -> str:
    """For logs: enough of a number to recognise it by, as `+1415•••0100`."""
    return f"{number[:-7]}•••{number[-4:]}" if len(number) > 9 else f"{number[:2]}•••"


def region(number: str) -> str | None:
    """The country of a number in E.164, as ISO 3166-1 alpha-2; `None` where it has none, as satellite networks."""
    try:
        code = phonenumbers.region_code_for_number(phonenumbers.parse(number, None))
    except NumberParseException:
        return None
    return code if code and code.isalpha() else None


def _is_emergency(number: PhoneNumber) -> bool:
    # Of a shared code the main country will do: +1 has one plan.
    codes = phonenumbers.region_codes_for_country_code(number.country_code or 0)[:1]
    return any(code.isalpha() and is_emergency_number(str(number.national_number), code) for code in codes)


def _emergency(text: str) -> EmergencyNumber:
    return EmergencyNumber(
        f"{_shown(text)} is an emergency number.", remedy="Agents call no emergency services: use a telephone."
    )


def with_numbers_masked(text: str) -> str:
    """`text` with every telephone number in it masked. Without a plus sign that is 9 to 15 digits that stand alone."""
    return _IN_TEXT.sub(lambda found: masked(found[0]), text)


def _shown(text: str) -> str:
    return ascii(text if len(text) <= 40 else text[:40] + "...")
