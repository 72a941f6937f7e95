"""Telephone numbers as people write them, to E.164."""

from __future__ import annotations

import re
from typing import Final

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, ValidationResult

from trunkline.errors import InvalidNumber

# ASCII only: `phonenumbers` would also take Arabic digits, letters, extensions and `tel:` addresses.
_WRITTEN: Final = re.compile(r"\+?[0-9(][0-9 ().\-/]{0,30}")
_E164: Final = re.compile(r"\+[1-9][0-9]{6,14}")
_EXAMPLE: Final = "Write a plus sign, the country code and the number, as +14155550100."
_FAULTS: Final = {
    ValidationResult.TOO_SHORT: "is too short for its country",
    ValidationResult.TOO_LONG: "is too long for its country",
    ValidationResult.INVALID_LENGTH: "has a length that its country doesn't use",
    ValidationResult.IS_POSSIBLE_LOCAL_ONLY: "lacks its area code",
    ValidationResult.INVALID_COUNTRY_CODE: "has a country code that doesn't exist",
}


def to_e164(written: str) -> str:
    """`written` as `+` and digits. Raises `InvalidNumber` for what can't be anybody's number.

    A number has to be *possible* (country code and length), not known to be assigned: numbering plans grow faster
    than tables of them, and a number that nobody has costs a failed call.
    """
    text = written.strip(" ")
    if not _WRITTEN.fullmatch(text):
        raise InvalidNumber(f"{_shown(text)} is not a telephone number.", remedy=_EXAMPLE)
    if not text.startswith("+"):
        raise InvalidNumber(f"{_shown(text)} has no country code, so it could be anywhere.", remedy=_EXAMPLE)
    try:
        number = phonenumbers.parse(text, None)
    except NumberParseException as error:
        what = "has a country code that doesn't exist" if error.error_type == error.INVALID_COUNTRY_CODE else None
        raise InvalidNumber(f"{_shown(text)} {what or 'is not a telephone number'}.", remedy=_EXAMPLE) from error
    fault = _FAULTS.get(phonenumbers.is_possible_number_with_reason(number))
    e164: str = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    if fault is not None or not _E164.fullmatch(e164):
        raise InvalidNumber(f"{_shown(text)} {fault or 'is not a telephone number'}.", remedy=_EXAMPLE)
    return e164


def region(number: str) -> str | None:
    """The country of a number in E.164, as ISO 3166-1 alpha-2; `None` where it has none, as satellite networks."""
    try:
        code = phonenumbers.region_code_for_number(phonenumbers.parse(number, None))
    except NumberParseException:
        return None
    return code if code and code.isalpha() else None


def _shown(text: str) -> str:
    return ascii(text if len(text) <= 40 else text[:40] + "...")
