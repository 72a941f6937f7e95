from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.spoken_text import pieces, speakable


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("Plain words stay.", "Plain words stay."),
        ("That is **very** _good_ and `short`.", "That is very good and short."),
        ("# Your order\nIt is on its way.", "Your order\nIt is on its way."),
        ("Choose:\n- red\n- green;\n1. blue", "Choose:\nred.\ngreen.\nblue."),
        ("See [our page](https://example.com/a?b=c) for more.", "See our page for more."),
        ("See https://www.example.com/a/b?c=d#e, please.", "See example dot com, please."),
        ("Go to www.example.org.", "Go to example dot org."),
        ("Write to jane.doe@example.com.", "Write to jane dot doe at example dot com."),
        ("Great! 🎉👍🏽 See you ☎️ soon ❤️", "Great! See you soon"),
        ("Call +14155550100 now.", "Call 1, 4 1 5, 5 5 5, 0 1 0 0 now."),
        ("Call (415) 555-0100.", "Call 4 1 5, 5 5 5, 0 1 0 0."),
        ("Order 7890212 is ready.", "Order 7, 8 9 0, 2 1 2 is ready."),
        ("On Nov. 3rd, at approx. 3:30 p.m.", "On November 3rd, at approximately 3:30 p.m."),
        ("It costs $1,250,000 or 3.1415926.", "It costs $1,250,000 or 3.1415926."),
        ("Tom & Ann — my friends – came.", "Tom and Ann, my friends, came."),
        ("Open 9–12.", "Open 9–12."),
        ("<b>Bold</b> words", "Bold words"),
        ("a\u200bb\x00c", "abc"),
        ("*waves*", "waves"),
        ("| day | time |\n|---|---|\n| Mon | ten |", "day time\nMon ten"),
        ("I'll keep 2 * 3 snake_case", "I'll keep 2 3 snake_case"),
        ("", ""),
        ("🙂", ""),
    ],
)
def test_what_is_written_becomes_what_is_said(written: str, spoken: str) -> None:
    assert speakable(written) == spoken


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello. How are you? Fine!", ["Hello.", "How are you?", "Fine!"]),
        ("Dr. Smith and Mr. J. Doe are here.", ["Dr. Smith and Mr. J. Doe are here."]),
        ("At 3 p.m. on Friday.", ["At 3 p.m. on Friday."]),
        ("We close at 5 p.m. See you.", ["We close at 5 p.m.", "See you."]),
        ("It is $5.50 today.", ["It is $5.50 today."]),
        ("one\ntwo", ["one", "two"]),
        ("...", []),
        ("", []),
        ('"Yes." She left.', ['"Yes."', "She left."]),
    ],
)
def test_sentences(text: str, expected: list[str]) -> None:
    assert pieces(text) == expected


def test_a_long_first_sentence_is_begun_with_its_first_clause() -> None:
    first = "Since you ask about Thursday, we do have a free appointment at half past four in the afternoon."
    assert pieces(first) == [
        "Since you ask about Thursday,",
        "we do have a free appointment at half past four in the afternoon.",
    ]
    assert pieces(f"Of course. {first}") == ["Of course.", first], "later ones stay whole: there is time"
    assert pieces("Yes, " + "very " * 20 + "well.") == ["Yes, " + "very " * 20 + "well."], "a stumble is no beginning"


def test_a_sentence_without_end_is_cut_at_a_clause_or_a_word() -> None:
    endless = "word " * 200
    assert all(len(piece) <= 240 for piece in pieces(endless))
    assert " ".join(pieces(endless)).split() == endless.split()
    clauses = "first this and that, " * 30
    assert all(piece.endswith(",") for piece in pieces(clauses))
    assert max(len(piece) for piece in pieces("x" * 1000)) <= 240


@given(st.text(max_size=400))
def test_any_text_becomes_pieces_that_hold_something_to_say(text: str) -> None:
    for piece in pieces(speakable(text)):
        assert any(character.isalnum() for character in piece)
        assert "\n" not in piece


@given(st.text(alphabet="ab ,.!?;", max_size=300))
def test_no_letter_is_lost_or_said_twice(text: str) -> None:
    said = "".join(pieces(text))
    assert [letter for letter in said if letter.isalpha()] == [letter for letter in text if letter.isalpha()]
