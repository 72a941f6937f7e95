from __future__ import annotations

import pytest

from trunkline.rehearsal.words import plain_words, share_heard, share_in


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("At 11 o'clock.", "at eleven oclock"),
        ("Thursday the 26th", "thursday the twenty six"),
        ("Thursday the twenty-sixth", "thursday the twenty six"),
        ("the twelfth, the 12th", "the twelve the twelve"),
        ("It's 1250", "it's one thousand two hundred fifty"),
        ("007", "zero zero seven"),
        ("I can’t!", "i can't"),
    ],
)
def test_numbers_sound_alike_however_they_are_written(written: str, spoken: str) -> None:
    assert " ".join(plain_words(written)) == spoken


def test_share_of_words() -> None:
    assert share_heard("one two three four", "one two four") == 0.75
    assert share_heard("one two", "") == 0.0
    assert share_heard("", "anything") == 1.0
    assert share_heard("Yes, that's right.", "yes that's right") == 1.0


def test_a_phrase_has_to_stand_together() -> None:
    assert share_in("does that still suit you", "Hello. Does that still suit you? Yes.") == 1.0
    assert share_in("does that suit you", "You know that it does not, and that wouldn't suit me.") < 0.6
    assert share_in("goodbye", "") == 0.0
    assert share_in("see you on Thursday the 26th", "we'll see you on thursday, the twenty-sixth") == 1.0


def test_numbers_may_be_read_digit_by_digit() -> None:
    assert share_in("four one five, five five five", "I have 415-555.") == 1.0
    assert share_in("four hundred fifteen", "It costs 415 dollars.") == 1.0
