"""Whether a number is of a kind, and in a country, that may be called. Pure."""

from __future__ import annotations

from collections.abc import Collection

from trunkline.errors import CountryNotAllowed, NumberTypeDenied
from trunkline.phone_numbers import number_type, region


def country_of(number: str, *, countries: Collection[str], denied_types: Collection[str]) -> str:
    """The country (ISO 3166-1 alpha-2) of a number in E.164. Raises `NumberTypeDenied`, `CountryNotAllowed`."""
    kind = number_type(number)
    if kind in denied_types:
        raise NumberTypeDenied(
            f"{number} is a number of a kind that is not called: {kind}.",
            remedy="Check the number; if it is meant, take its kind out of dialling.denied_types.",
            type=kind.value,
        )
    country = region(number)
    if country is None or country not in countries:
        raise CountryNotAllowed(
            f"{number} is in {country or 'no country'}, where nobody is called.",
            remedy=f"Countries that may be called: {', '.join(sorted(countries)) or 'none'}. "
            "Others can be added to dialling.countries.",
            country=country,
        )
    return country
