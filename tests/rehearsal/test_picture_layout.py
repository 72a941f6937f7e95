from __future__ import annotations

from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trunkline.models import Speaker, Turn
from trunkline.rehearsal.picture_layout import LEFT, LONGEST_ROW, RIGHT, lay_out, words_of, wrap


def ruler(words: str) -> float:
    return 6.0 * len(words)


@st.composite
def calls(draw: st.DrawFn) -> list[Turn]:
    turns: list[Turn] = []
    at = 0.0
    for number in range(1, draw(st.integers(1, 30)) + 1):
        at += draw(st.floats(0.0, 6.0))
        words = draw(
            st.lists(st.sampled_from(["yes", "no", "Thursday", "half past three", "appointment"]), max_size=20)
        )
        speaker = draw(st.sampled_from(list(Speaker)))
        turns.append(Turn(number, speaker, " ".join(words), at, at + draw(st.floats(0.1, 8.0))))
    return turns


@given(turns=calls())
@settings(max_examples=60, deadline=None)
def test_all_words_are_on_the_page_and_none_on_top_of_others(turns: list[Turn]) -> None:
    length = max(turn.ended for turn in turns)
    rows = lay_out(turns, length, ruler)
    assert [box.turn.number for row in rows for box in sorted(row.boxes, key=lambda box: box.turn.number)] == [
        turn.number for turn in turns
    ]
    for row in rows:
        for box in row.boxes:
            assert " ".join(box.lines) == words_of(box.turn)
            assert LEFT <= box.left <= box.left + box.width <= RIGHT + 0.01
        for one, other in combinations(row.boxes, 2):
            if one.turn.speaker is other.turn.speaker and not one.beside(other):
                assert one.level >= other.level + other.height or other.level >= one.level + one.height


@given(turns=calls())
@settings(max_examples=60, deadline=None)
def test_rows_follow_each_other_and_cover_the_call(turns: list[Turn]) -> None:
    length = max(turn.ended for turn in turns)
    rows = lay_out(turns, length, ruler)
    assert rows[0].start == 0
    assert rows[-1].end == length
    assert all(one.end == other.start for one, other in pairwise(rows))
    assert all(0 < row.end - row.start <= 1.6 * LONGEST_ROW for row in rows)
    assert all(row.x(row.end) <= RIGHT + 0.01 for row in rows)


def test_lines_are_as_wide_as_they_may_be_and_a_long_word_stays_whole() -> None:
    assert wrap("one two three", 42.0, ruler) == ("one two", "three")
    assert wrap("incomprehensibilities yes", 30.0, ruler) == ("incomprehensibilities", "yes")


@pytest.mark.parametrize(
    ("turn", "words"),
    [
        (Turn(1, Speaker.PERSON, "Yes.", 0, 1), "Yes."),
        (Turn(1, Speaker.PERSON, "", 0, 1), "…"),
        (Turn(1, Speaker.PERSON, "", 0, 1, keys="1#"), "[keys 1#]"),
        (Turn(1, Speaker.AGENT, "We are", 0, 1, cut_off=True), "We are – interrupted"),
    ],
)
def test_what_is_printed_of_a_turn(turn: Turn, words: str) -> None:
    assert words_of(turn) == words
