"""What was heard of a sentence that was cut, to the word."""

from __future__ import annotations

import pytest

from tests.doubles import tone
from trunkline.audio import bytes_of
from trunkline.conversation.words_sent import words_sent

TEXT = "No, the appointment is on Thursday."


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.0, ""), (0.1, ""), (1.0, "No, the"), (2.2, "No, the appointment"), (4.0, TEXT)]
)
def test_words_take_as_long_as_their_syllables(seconds: float, words: str) -> None:
    assert words_sent(TEXT, tone(4.0), bytes_of(seconds), complete=True) == words


def test_a_pause_takes_no_words_with_it() -> None:
    audio = tone(2.0) + bytes(bytes_of(3.0)) + tone(2.0)
    before, after = (words_sent(TEXT, audio, bytes_of(at), complete=True) for at in (2.0, 5.0))
    assert before == after == "No, the"


def test_what_isnt_made_yet_is_reckoned_with() -> None:
    first = tone(0.5)
    assert words_sent(TEXT, first, len(first), complete=False) == "No,"


def test_digits_are_spoken_one_by_one() -> None:
    assert words_sent("Call 5550100 now.", tone(2.0), bytes_of(1.5), complete=True) == "Call"


def test_no_audio_no_words() -> None:
    assert words_sent(TEXT, b"", 0, complete=False) == ""
    assert words_sent("", tone(0.1), 1600, complete=True) == ""
