"""When a silence ends a turn, by what is known of it."""

from __future__ import annotations

import pytest

from trunkline.conversation.completeness import Asked
from trunkline.conversation.end_of_turn import EndOfTurn, probability_of_end
from trunkline.ports import Transcript

RULES = EndOfTurn()


def heard(said: str | None, confidence: float = 0.9) -> Transcript | None:
    return None if said is None else Transcript(said, confidence)


@pytest.mark.parametrize(
    ("finished", "said", "asked", "seconds"),
    [
        (0.9, "Yes.", Asked.YES_NO, RULES.agreed_seconds),
        (0.05, "Yes.", Asked.YES_NO, RULES.contradicted_seconds),
        (None, "Yes.", Asked.YES_NO, RULES.agreed_seconds),
        (0.99, "Yes.", Asked.OFFER, RULES.longest_seconds),
        (0.99, "I'd like to.", Asked.FREE, RULES.longest_seconds),
        (None, "um", Asked.FREE, RULES.longest_seconds),
        (0.99, "My number is four one five.", Asked.NUMBER, RULES.dictating_seconds),
        (0.9, "My number is 415 555 0198.", Asked.PHONE, RULES.agreed_seconds),
        (0.9, "Maple Street", Asked.FREE, RULES.undecided_seconds),
        (None, "Maple Street", Asked.FREE, RULES.undecided_seconds),
        (0.1, "Maple Street", Asked.FREE, RULES.doubtful_seconds),
        (0.99, None, Asked.FREE, RULES.no_words_seconds),
        (0.99, "", Asked.FREE, RULES.no_words_seconds),
        (0.02, "", Asked.FREE, RULES.doubtful_seconds),
        (0.02, None, Asked.FREE, RULES.doubtful_seconds),
        (None, None, Asked.UNKNOWN, RULES.no_words_seconds),
        (0.99, None, Asked.NUMBER, RULES.dictating_seconds),
        (0.99, "", Asked.SPELLING, RULES.dictating_seconds),
    ],
)
def test_patience(finished: float | None, said: str | None, asked: Asked, seconds: float) -> None:
    assert RULES.patience(finished, heard(said), asked) == seconds


def test_the_more_is_missing_the_longer_it_waits() -> None:
    order = [
        RULES.patience(0.9, heard("Yes.")),
        RULES.patience(0.1, heard("Yes.")),
        RULES.patience(0.1, heard("Maple Street")),
        RULES.patience(0.9, heard("my number is four one five")),
        RULES.patience(0.9, heard("I'd like to")),
    ]
    assert order == sorted(order)
    assert len(set(order)) == len(order)


def test_each_thing_that_becomes_known_changes_when_the_turn_would_end() -> None:
    assert RULES.patience(None, None, Asked.NUMBER) == RULES.dictating_seconds
    assert RULES.patience(0.97, None, Asked.FREE) == RULES.no_words_seconds
    assert RULES.patience(0.97, heard("It's four one five."), Asked.NUMBER) == RULES.dictating_seconds
    assert RULES.patience(0.97, heard("Yes."), Asked.YES_NO) == RULES.agreed_seconds


def test_a_stricter_rule_takes_the_sound_less_easily() -> None:
    strict = EndOfTurn(finished_above=0.95)
    assert strict.patience(0.9, heard("Yes.")) == strict.contradicted_seconds
    assert RULES.patience(0.9, heard("Yes.")) == RULES.agreed_seconds


def test_a_last_word_that_trails_off_is_waited_for() -> None:
    def patience(text: str, trails_off: float) -> float:
        return RULES.patience(0.9, Transcript(text, 0.9, trails_off), Asked.FREE)

    said = "The heating on the second floor is broken."
    assert patience(said, 0.001) == RULES.agreed_seconds
    assert patience(said, 0.3) == RULES.likely_seconds
    assert patience("Maple Street", 0.05) == RULES.doubtful_seconds
    assert patience("Not really.", 0.05) == RULES.agreed_seconds, "known answers have nothing behind them"


def test_more_may_come_behind_a_short_sentence() -> None:
    def patience(text: str) -> float:
        return RULES.patience(0.9, Transcript(text, 0.9, 0.01), Asked.FREE)

    assert patience("I have a dog.") == RULES.likely_seconds
    assert patience("Do you tell me?") == RULES.likely_seconds
    assert patience("I have a dog and he needs to see a doctor today.") == RULES.agreed_seconds
    assert patience("On Tuesday at nine,") >= RULES.likely_seconds, "the recogniser heard that it goes on"


@pytest.mark.parametrize("text", ["I live in the house on the hill.", "We bought it here."])
def test_probabilities_agree_with_what_they_rest_on(text: str) -> None:
    sure = probability_of_end(0.95, Transcript(text, 0.9, 0.001))
    assert 0.0 < probability_of_end(0.02, Transcript(text, 0.9, 0.001)) < sure < 1.0
    assert probability_of_end(0.95, Transcript(text, 0.9, 0.2)) < sure
    assert probability_of_end(None, Transcript(text, 0.9, 0.001)) < sure


def test_words_that_were_hardly_understood_decide_nothing() -> None:
    sure, unsure = Transcript("Not really.", 0.9), Transcript("Not really.", 0.3)
    assert RULES.patience(0.9, sure, Asked.FREE) == RULES.agreed_seconds
    assert RULES.patience(0.9, unsure, Asked.FREE) == RULES.undecided_seconds
    assert RULES.patience(0.1, unsure, Asked.FREE) == RULES.doubtful_seconds
    assert RULES.patience(0.9, Transcript("It's for my", 0.3), Asked.FREE) == RULES.longest_seconds
