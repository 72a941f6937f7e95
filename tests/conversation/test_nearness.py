"""Who holds the telephone is told from who talks behind them."""

from __future__ import annotations

from trunkline.conversation.nearness import Nearness


def test_before_the_person_spoke_a_common_level_counts() -> None:
    nearness = Nearness()
    nearness.heard(150)
    assert not nearness.near
    nearness.heard(2000)
    assert nearness.near


def test_a_word_is_as_near_as_its_loudest_part() -> None:
    nearness = Nearness()
    for loudness in (100, 3000, 300, 100, 100):
        nearness.heard(loudness)
    assert nearness.near
    nearness.heard(100)
    nearness.heard(100)
    assert not nearness.near


def said(nearness: Nearness, loudness: float, frames: int) -> None:
    for _ in range(frames):
        nearness.heard(loudness)
        nearness.spoke()


def test_a_quiet_person_is_known_by_their_own_turn() -> None:
    nearness = Nearness()
    said(nearness, 800, 50)
    for _ in range(5):
        nearness.heard(200)
    assert nearness.near


def test_a_loud_persons_room_is_far() -> None:
    nearness = Nearness()
    said(nearness, 12000, 50)
    for _ in range(5):
        nearness.heard(1000)
    assert not nearness.near


def test_a_person_who_moves_away_is_known_again() -> None:
    nearness = Nearness()
    said(nearness, 12000, 10)
    said(nearness, 600, 1500)
    assert nearness.near
