"""Numbers out of a file that somebody brings: a number a line, or CSV with a column of them. Pure."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from trunkline.errors import InvalidNumber
from trunkline.phone_numbers import to_e164

_COLUMNS: Final = ("number", "phone", "phonenumber", "telephone", "tel", "mobile")


@dataclass(frozen=True, slots=True)
class Fault:
    """A line that holds no number."""

    line: int
    """1, 2, 3 …"""
    why: str


def read_numbers(lines: Iterable[str], *, prefix: str = "") -> tuple[list[str], list[Fault]]:
    """The numbers in E.164, in their order, and what was wrong with the other lines.

    A first line without any digit names the columns; the first one that is called `number`, `phone` or the like
    counts, else the first of all. `prefix`, as `+1`, comes before numbers that are written without a country code.
    """
    rows = csv.reader(lines, delimiter=",")
    numbers: list[str] = []
    faults: list[Fault] = []
    column = 0
    for row in rows:
        if not any(cell.strip() for cell in row):
            continue
        if rows.line_num == 1 and not any(sign.isdigit() for sign in "".join(row)):
            names = ["".join(filter(str.isalpha, cell.lower())) for cell in row]
            column = next((names.index(name) for name in _COLUMNS if name in names), 0)
            continue
        written = row[column].strip() if column < len(row) else ""
        try:
            numbers.append(to_e164(written if written.startswith("+") else f"{prefix}{written}"))
        except InvalidNumber as error:
            faults.append(Fault(rows.line_num, error.message))
    return numbers, faults
