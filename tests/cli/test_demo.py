"""The demo throws away nothing but an earlier demo."""

from __future__ import annotations

from pathlib import Path

import pytest

from trunkline.cli.demo import MARK, _clear
from trunkline.errors import RequestError


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(RequestError, match="not an earlier demo"):
        _clear(tmp_path)
    assert (tmp_path / "thesis.txt").exists()


def test_an_earlier_demo_makes_room(tmp_path: Path) -> None:
    (tmp_path / MARK).write_text("")
    (tmp_path / "call.wav").write_bytes(b"")
    _clear(tmp_path)
    assert not tmp_path.exists()


def test_a_new_or_empty_folder_is_fine(tmp_path: Path) -> None:
    _clear(tmp_path)
    _clear(tmp_path / "new")
