"""Numbers out of files as people have them."""

from __future__ import annotations

import pytest

from trunkline.dialling.number_list import read_numbers

ONE, TWO = "+14155550100", "+14155550101"


@pytest.mark.parametrize(
    ("text", "prefix"),
    [
        (f"{ONE}\n{TWO}\n", ""),
        (f"\n{ONE}\r\n\r\n+1 (415) 555-0101", ""),
        (f"number\n{ONE}\n{TWO}\n", ""),
        (f'name,Phone Number\nAnn,{ONE}\n"Bob, the other",{TWO}\n', ""),
        (f"{ONE},Ann\n{TWO},Bob\n", ""),
        ("4155550100\n415 555 0101\n", "+1"),
        (f"{ONE}\n(415) 555-0101\n", "+1"),
    ],
)
def test_what_people_have(text: str, prefix: str) -> None:
    assert read_numbers(text.splitlines(keepends=True), prefix=prefix) == ([ONE, TWO], [])


def test_bad_lines_are_told_and_the_good_ones_kept() -> None:
    numbers, faults = read_numbers([f"{ONE}\n", "4155550101\n", "=cmd()\n", "911\n", f"{TWO}\n"])
    assert numbers == [ONE, TWO]
    assert [fault.line for fault in faults] == [2, 3, 4]
    assert "no country code" in faults[0].why


def test_a_row_without_the_column() -> None:
    numbers, faults = read_numbers(["name,number\n", "Ann\n", f"Bob,{ONE}\n"])
    assert numbers == [ONE]
    assert [fault.line for fault in faults] == [2]
