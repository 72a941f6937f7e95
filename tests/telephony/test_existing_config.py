"""Somebody's Asterisk configuration, read as Asterisk reads it."""

from __future__ import annotations

from pathlib import Path

import pytest

from trunkline.telephony.existing_config import read_config, uncommented


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("a = b ; comment\n", ["a = b"]),
        ("password = a\\;b ; comment\n", ["password = a;b"]),
        ("; nothing\n\n   \n", []),
        (";-- a = b\nc = d --; e = f\n", ["e = f"]),
        ("a = 1 ;-- all the rest\nof it\n", ["a = 1"]),
        ("a = 1 ;-- inside --; b\n", ["a = 1  b"]),
        (";---- only a line ----\na = 1\n", ["a = 1"]),
    ],
)
def test_what_is_no_comment(text: str, meaning: list[str]) -> None:
    assert list(uncommented(text)) == meaning


def test_sections_with_templates_and_additions(tmp_path: Path) -> None:
    (tmp_path / "pjsip.conf").write_text(
        "[phone](!)\ntype = endpoint\nallow = ulaw\n"
        "[100](phone)\nallow=alaw\n"
        "[100](+)\ncontext => inside\n"
        "[udp]\ntype=transport\n"
    )
    config = read_config(tmp_path, "pjsip.conf")
    assert [found.name for found in config.of_type("endpoint")] == ["100"]
    assert config.get("100", "context") == "inside"
    assert config.get("100", "allow") == "alaw"
    assert config.get("phone", "allow") is None
    assert [found.name for found in config.of_type("transport")] == ["udp"]


def test_includes_of_every_kind(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    for name in ("a", "b"):
        (tmp_path / "more" / f"{name}.conf").write_text(f"[{name}]\n")
    (tmp_path / "quoted.conf").write_text("[quoted]\n#include missing.conf\n")
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours" / "pjsip.conf").write_text("[ours]\n")
    (tmp_path / "pjsip.conf").write_text(
        f'#include "quoted.conf"\n#tryinclude <{tmp_path}/more/*.conf>\n#include ours/pjsip.conf ; mark\n'
        "; #include more/a.conf\n#exec /bin/false\n[last]\n"
    )
    config = read_config(tmp_path, "pjsip.conf", without=tmp_path / "ours")
    assert [found.name for found in config.sections] == ["quoted", "a", "b", "last"]
    assert tmp_path / "missing.conf" in config.files
    assert config.sections[1].file == tmp_path / "more/a.conf"


def test_a_file_that_includes_itself_comes_to_an_end(tmp_path: Path) -> None:
    (tmp_path / "pjsip.conf").write_text("[a]\n#include pjsip.conf\n")
    assert {found.name for found in read_config(tmp_path, "pjsip.conf").sections} == {"a"}


def test_no_file_and_strange_bytes(tmp_path: Path) -> None:
    assert read_config(tmp_path, "pjsip.conf").sections == ()
    (tmp_path / "pjsip.conf").write_bytes(b"[caf\xe9]\ntype = endpoint\nno value\n=\n[\n")
    assert [found.get("type") for found in read_config(tmp_path, "pjsip.conf").sections] == ["endpoint"]
