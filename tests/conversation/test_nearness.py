"""Who holds the telephone is told from who talks behind them."""

from __future__ import annotations

import math

from trunkline.conversation.nearness import Nearness


def test_before_the_person_spoke_a_common_level_counts() -> None:
    nearness = Nearness()
    nearness.heard(150, voice=True)
    assert not nearness.near
    nearness.heard(2000, voice=True)
    assert nearness.near


def test_a_word_is_as_near_as_its_loudest_part() -> None:
    nearness = Nearness()
    for loudness in (100, 3000, 300, 100, 100):
        nearness.heard(loudness, voice=True)
    assert nearness.near
    nearness.heard(100, voice=True)
    nearness.heard(100, voice=True)
    assert not nearness.near


def said(nearness: Nearness, loudness: float, frames: int) -> None:
    for _ in range(frames):
        nearness.heard(loudness, voice=True)
        nearness.spoke()


def test_a_quiet_person_is_known_by_their_own_turn() -> None:
    nearness = Nearness()
    said(nearness, 800, 50)
    for _ in range(5):
        nearness.heard(200, voice=True)
    assert nearness.near


def test_a_loud_persons_room_is_far() -> None:
    nearness = Nearness()
    said(nearness, 12000, 50)
    for _ in range(5):
        nearness.heard(1000, voice=True)
    assert not nearness.near


def test_a_person_who_moves_away_is_known_again() -> None:
    nearness = Nearness()
    said(nearness, 12000, 10)
    said(nearness, 600, 1500)
    assert nearness.near


def crowd(nearness: Nearness, seconds: float, *, voice: bool = True) -> None:
    """Voices that rise and fall and never cease: 300 to 800."""
    for number in range(round(seconds * 50)):
        nearness.heard(300 + 250 * (1 + math.sin(number)), voice=voice)


def test_a_crowd_is_no_person_and_who_is_louder_is_one() -> None:
    nearness = Nearness()
    crowd(nearness, 4.0)
    assert nearness.crowd
    assert not nearness.above_crowd(going_on=False)
    nearness.heard(8000, voice=True)
    assert nearness.above_crowd(going_on=False)


def test_a_crowd_is_known_from_the_first_moment_of_a_call() -> None:
    nearness = Nearness()
    for _ in range(3):
        nearness.heard(0, voice=False)
    crowd(nearness, 0.2)
    assert not nearness.above_crowd(going_on=False)


def test_a_hiss_is_no_crowd() -> None:
    nearness = Nearness()
    crowd(nearness, 4.0, voice=False)
    assert nearness.above_crowd(going_on=False)


def test_who_speaks_alone_is_no_crowd_however_long() -> None:
    nearness = Nearness()
    for number in range(500):
        nearness.heard(60 if number % 40 < 8 else 4000, voice=True)
        assert number % 40 < 13 or nearness.above_crowd(going_on=True)


def test_in_a_crowd_somebody_goes_on_more_softly_than_they_began() -> None:
    nearness = Nearness()
    crowd(nearness, 4.0)
    for _ in range(5):
        nearness.heard(2000, voice=True)
    assert nearness.above_crowd(going_on=True)
    assert not nearness.above_crowd(going_on=False)


def test_a_swell_of_the_crowd_is_mistaken_for_a_person_only_once() -> None:
    nearness = Nearness()
    crowd(nearness, 4.0)
    nearness.heard(3000, voice=True)
    assert nearness.above_crowd(going_on=False)
    nearness.mistaken(3000)
    crowd(nearness, 1.0)
    nearness.heard(3000, voice=True)
    assert not nearness.above_crowd(going_on=False)
    nearness.heard(8000, voice=True)
    assert nearness.above_crowd(going_on=False)


def test_a_cough_on_a_quiet_line_raises_no_bar() -> None:
    nearness = Nearness()
    for _ in range(100):
        nearness.heard(30, voice=False)
    nearness.mistaken(9000)
    nearness.heard(2000, voice=True)
    assert nearness.above_crowd(going_on=False)


def test_words_well_above_a_crowd_are_not_in_it() -> None:
    nearness = Nearness()
    crowd(nearness, 4.0)
    assert nearness.in_crowd(3000)
    assert not nearness.in_crowd(16000)
