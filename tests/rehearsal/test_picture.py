from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from trunkline.errors import StoreError
from trunkline.models import HangUpBy, Speaker, Turn, TurnTimings
from trunkline.rehearsal.picture import DOTS_PER_INCH, SIDES, draw_call
from trunkline.rehearsal.picture_layout import LONGEST_ROW, PAGE

RATE = 8000
TURNS = [
    Turn(1, Speaker.AGENT, "Hello, this is a machine.", 0.5, 3.0),
    Turn(2, Speaker.PERSON, "Hello, machine.", 5.0, 7.0),
    Turn(3, Speaker.AGENT, "Goodbye.", 7.4, 9.0, TurnTimings(gap_ms=400.0)),
]


def record(path: Path, turns: list[Turn], seconds: float, channels: int = 2) -> Path:
    """A tone wherever somebody speaks."""
    samples = np.zeros((int(seconds * RATE), channels), dtype="<i2")
    for turn in turns:
        tone = 12000 * np.sin(np.arange(int((turn.ended - turn.started) * RATE)) / 4)
        start = int(turn.started * RATE)
        samples[start : start + len(tone), 0 if turn.speaker is Speaker.PERSON else -1] = tone
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.tobytes())
    return path


def pixels(path: Path) -> NDArray[np.uint8]:
    from matplotlib.image import imread  # noqa: PLC0415 – slow to import, as in the product

    return np.asarray(np.round(imread(path)[:, :, :3] * 255), dtype=np.uint8)


def places(image: NDArray[np.uint8], colour: str) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns that have exactly this colour."""
    rgb = [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
    rows, columns = np.nonzero((image == rgb).all(axis=2))
    return rows, columns


def test_both_sides_are_seen_where_and_when_they_speak(tmp_path: Path) -> None:
    recording = record(tmp_path / "call.wav", TURNS, 10.0)
    draw_call(recording, TURNS, tmp_path / "call.png", "A call", greeting_ms=500, hung_up_by=HangUpBy.PERSON)
    image = pixels(tmp_path / "call.png")
    assert image.shape[1] == pytest.approx(PAGE / 72 * DOTS_PER_INCH, abs=1)
    person_rows, person_columns = places(image, SIDES[Speaker.PERSON].loud)
    agent_rows, agent_columns = places(image, SIDES[Speaker.AGENT].loud)
    assert person_rows.max() < agent_rows.min()
    # The agent speaks first and last; the person, who spoke for two seconds of ten, in between.
    assert agent_columns.min() < person_columns.min() < person_columns.max() < agent_columns.max()
    assert person_columns.size > 500


def test_a_long_call_takes_several_rows(tmp_path: Path) -> None:
    seconds = LONGEST_ROW * 1.5
    short, long = tmp_path / "short.png", tmp_path / "long.png"
    draw_call(record(tmp_path / "short.wav", TURNS, 10.0), TURNS, short, "Short")
    draw_call(record(tmp_path / "long.wav", TURNS, seconds), TURNS, long, "Long")
    assert len(pixels(long)) > 1.4 * len(pixels(short))


def test_nothing_said_and_nothing_recorded_is_still_a_picture(tmp_path: Path) -> None:
    draw_call(record(tmp_path / "call.wav", [], 0.0), [], tmp_path / "call.png", "Nobody spoke")
    assert pixels(tmp_path / "call.png").size


def test_words_are_drawn_as_they_are(tmp_path: Path) -> None:
    """matplotlib would take what stands between dollar signs for a formula."""
    turns = [Turn(1, Speaker.PERSON, r"$10 or $\frac? \begin{x} or 100 %", 1.0, 2.0, keys="1#", cut_off=True)]
    draw_call(record(tmp_path / "call.wav", turns, 5.0), turns, tmp_path / "call.png", "$ {x} \\", subtitle="$^")
    assert pixels(tmp_path / "call.png").size


def test_what_is_no_recording_of_a_call_is_refused(tmp_path: Path) -> None:
    png = tmp_path / "call.png"
    (tmp_path / "text.wav").write_text("not audio")
    with pytest.raises(StoreError, match="can't be read"):
        draw_call(tmp_path / "missing.wav", [], png, "A call")
    with pytest.raises(StoreError, match="can't be read"):
        draw_call(tmp_path / "text.wav", [], png, "A call")
    with pytest.raises(StoreError, match="not a stereo recording"):
        draw_call(record(tmp_path / "mono.wav", [], 1.0, channels=1), [], png, "A call")
    assert not png.exists()
