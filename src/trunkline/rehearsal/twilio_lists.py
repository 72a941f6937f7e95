"""Lists of Twilio's REST API: which records a query wants, and one page of them in either style."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode

from trunkline.rehearsal.twilio_shapes import Record, Refused, Shape

LARGEST_PAGE = 1000


def wanted(shape: Shape, records: Iterable[Record], query: Mapping[str, str]) -> list[Record]:
    """Those that pass every filter in `query`. Raises `Refused` for a date that is none."""
    asked = [(shape.filters[name], value.strip()) for name, value in query.items() if name in shape.filters]
    return [record for record in records if all(_passes(record[field], how, value) for (field, how), value in asked)]


def _passes(value: Any, how: str, asked: str) -> bool:
    match how:
        case "part":
            return asked in value
        case "from":
            return value is not None and _moment(value) >= _moment(asked)
        case "until":
            # A date alone means its whole day.
            return value is not None and _moment(value) < _moment(asked) + timedelta(days=len(asked) <= 10, seconds=1)
        case _:
            return str(value).lower() == asked.lower()


def _moment(text: str) -> datetime:
    """A time as either API writes it, or a date."""
    try:
        moment = parsedate_to_datetime(text) if "," in text else datetime.fromisoformat(text)
    except ValueError:
        raise Refused(400, 20001, f"{text} is not a date") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def page(shape: Shape, path: str, records: Iterable[Record], query: Mapping[str, str]) -> Record:
    """One page of a list, in the style of its API. Raises `Refused`."""
    every = [{key: value for key, value in record.items() if key not in shape.only_alone} for record in records]
    try:
        size, number = min(int(query.get("PageSize", "50")), LARGEST_PAGE), int(query.get("Page", "0"))
    except ValueError:
        raise Refused(400, 20001, "Page and PageSize are numbers") from None
    shown = every[number * size : (number + 1) * size]
    base = f"{path}.json" if shape.old_style else f"{shape.host}{path}"
    filters = {name: value for name, value in query.items() if name in shape.filters}

    def address(page_number: int) -> str:
        return f"{base}?{urlencode({**filters, 'PageSize': size, 'Page': page_number})}"

    after = address(number + 1) if (number + 1) * size < len(every) else None
    before = address(number - 1) if number else None
    if not shape.old_style:
        meta = {"key": shape.name, "page": number, "page_size": size, "url": address(number)}
        meta |= {"first_page_url": address(0), "next_page_url": after, "previous_page_url": before}
        return {shape.name: shown, "meta": meta}
    first = number * size
    return {
        shape.name: shown,
        "page": number,
        "page_size": size,
        "start": first,
        "end": max(first + len(shown) - 1, 0),
        "uri": address(number),
        "first_page_uri": address(0),
        "next_page_uri": after,
        "previous_page_uri": before,
    }
