"""Falling silent and going on: nothing that was heard is said again."""

from __future__ import annotations

import pytest

from tests.doubles import tone
from trunkline.audio import FRAME_BYTES, FRAME_SECONDS, SILENCE, bytes_of
from trunkline.conversation.speaking import REWIND, Sentence, Speaker

WORD, GAP = 0.4, 0.06
AUDIO = (tone(WORD) + bytes(bytes_of(GAP))) * 4
"""Four words with short gaps: they begin every 0.46 s."""


def spoken(seconds: float) -> tuple[Speaker, Sentence]:
    """A speaker that has said so much of them and then fell silent."""
    speaker = Speaker(lambda _: None)
    sentence = Sentence("one two three four", bytearray(AUDIO), complete=True)
    speaker.say(sentence)
    for number in range(round(seconds / FRAME_SECONDS)):
        speaker.next_frame(number * FRAME_SECONDS)
    speaker.hold()
    assert speaker.next_frame(seconds) is SILENCE
    return speaker, sentence


@pytest.mark.parametrize("into_the_gap", [0.0, 0.02, 0.04])
def test_between_two_words_it_goes_on_with_the_next(into_the_gap: float) -> None:
    speaker, sentence = spoken(WORD + into_the_gap)
    before = sentence.position
    speaker.resume()
    assert sentence.position == before


@pytest.mark.parametrize("into_the_word", [0.04, 0.2, 0.3])
def test_a_cut_word_is_said_from_its_beginning(into_the_word: float) -> None:
    speaker, sentence = spoken(WORD + GAP + into_the_word)
    speaker.resume()
    begins = bytes_of(WORD + GAP)
    assert begins - FRAME_BYTES <= sentence.position <= begins


def test_where_words_run_together_little_is_said_again() -> None:
    speaker = Speaker(lambda _: None)
    sentence = Sentence("without a breath", bytearray(tone(2.0)), complete=True)
    speaker.say(sentence)
    for number in range(50):
        speaker.next_frame(number * FRAME_SECONDS)
    speaker.hold()
    before = sentence.position
    speaker.resume()
    assert 0 <= before - sentence.position <= bytes_of(REWIND)


def test_what_was_held_goes_on_to_its_end() -> None:
    speaker, sentence = spoken(1.0)
    speaker.resume()
    frames = [speaker.next_frame(2.0 + number * FRAME_SECONDS) for number in range(100)]
    assert any(frame is not SILENCE for frame in frames)
    assert sentence.position == len(AUDIO)
