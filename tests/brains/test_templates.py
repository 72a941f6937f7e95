from __future__ import annotations

import pytest

from trunkline.brains.templates import blanks, mistake, render, sentences


@pytest.mark.parametrize(
    ("template", "values", "text"),
    [
        ("Hello {name}.", {"name": "Anna"}, "Hello Anna."),
        ("Hello[ {name}], welcome.", {"name": "Anna"}, "Hello Anna, welcome."),
        ("Hello[ {name}], welcome.", {"name": ""}, "Hello, welcome."),
        ("Hello[ {name}], welcome.", {}, "Hello, welcome."),
        ("Hello {name}, welcome.", {}, "Hello, welcome."),
        ("Two\n  lines  {x}.", {"x": "here"}, "Two lines here."),
        ("{x}", {"x": "{y} [z]"}, "{y} [z]"),
        ("Half { of a blank", {}, "Half { of a blank"),
    ],
)
def test_blanks_are_filled(template: str, values: dict[str, str], text: str) -> None:
    assert render(template, values) == text


def test_blanks_are_found_with_and_without_the_optional_parts() -> None:
    assert blanks("{a} [and {b}]") == {"a", "b"}
    assert blanks("{a} [and {b}]", optional=False) == {"a"}


@pytest.mark.parametrize("template", ["{Name}", "{a b}", "{", "}", "[", "]", "[[a]]"])
def test_mistakes(template: str) -> None:
    assert mistake(template) is not None


@pytest.mark.parametrize("template", ["", "plain", "{a}[ {b}]"])
def test_no_mistakes(template: str) -> None:
    assert mistake(template) is None


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        ("Dr. Lee is here. Come in.", ["Dr. Lee is here.", "Come in."]),
        ("At 3 p.m. on Friday.", ["At 3 p.m. on Friday."]),
        ("It costs 3.50. Fine?", ["It costs 3.50.", "Fine?"]),
        ("", []),
        ("  ", []),
    ],
)
def test_sentences(text: str, parts: list[str]) -> None:
    assert sentences(text) == parts
