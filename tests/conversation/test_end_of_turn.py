"""When a silence ends a turn, by what is known of it."""

from __future__ import annotations

import pytest

from trunkline.conversation.completeness import Asked
from trunkline.conversation.end_of_turn import WEIGHTS, EndOfTurn, probability_of_end, signs
from trunkline.ports import Transcript

RULES = EndOfTurn()


def heard(said: str | None, confidence: float = 0.9) -> Transcript | None:
    return None if said is None else Transcript(said, confidence)


@pytest.mark.parametrize(
    ("finished", "said", "asked", "seconds"),
    [
        (0.9, "Yes.", Asked.YES_NO, RULES.certain_seconds),
        (None, "Yes.", Asked.YES_NO, RULES.certain_seconds),
        (0.9, "Yes, please.", Asked.UNKNOWN, RULES.certain_seconds),
        (0.9, "My number is 415 555 0198.", Asked.PHONE, RULES.certain_seconds),
        (0.9, "The heating on the second floor is broken.", Asked.FREE, RULES.certain_seconds),
        (0.9, "Maple Street", Asked.FREE, RULES.undecided_seconds),
        (None, "Maple Street", Asked.FREE, RULES.undecided_seconds),
        (0.99, "Yes.", Asked.OFFER, RULES.doubtful_seconds),
        (0.99, "I'd like to.", Asked.FREE, RULES.doubtful_seconds),
        (0.9, "My number is four one five.", Asked.PHONE, RULES.doubtful_seconds),
        (0.9, "The third of May.", Asked.BIRTH_DATE, RULES.doubtful_seconds),
        (0.99, None, Asked.FREE, RULES.undecided_seconds),
        (0.02, "", Asked.FREE, RULES.undecided_seconds),
        (None, None, Asked.UNKNOWN, RULES.undecided_seconds),
        (0.99, None, Asked.NUMBER, RULES.doubtful_seconds),
        (0.99, "", Asked.SPELLING, RULES.doubtful_seconds),
    ],
)
def test_patience(finished: float | None, said: str | None, asked: Asked, seconds: float) -> None:
    assert RULES.patience(finished, heard(said), asked) == seconds


def test_somebody_who_looks_for_the_next_word_is_waited_for_longest() -> None:
    said = Transcript("I'd like to speak to, um", 0.8, trails_off=0.4)
    assert RULES.patience(0.05, said, Asked.OFFER) == RULES.longest_seconds


def test_the_more_is_missing_the_longer_it_waits() -> None:
    order = [
        RULES.patience(0.9, heard("Yes.")),
        RULES.patience(0.9, heard("Maple Street")),
        RULES.patience(0.9, heard("I'd like to")),
        RULES.patience(0.1, Transcript("um", 0.5, 0.5)),
    ]
    assert order == sorted(order)
    assert len(set(order)) == len(order)


def test_each_thing_that_becomes_known_changes_when_the_turn_would_end() -> None:
    assert RULES.patience(None, None, Asked.PHONE) == RULES.doubtful_seconds
    assert RULES.patience(0.97, None, Asked.FREE) == RULES.undecided_seconds
    assert RULES.patience(0.97, heard("It's four one five."), Asked.PHONE) == RULES.doubtful_seconds
    assert RULES.patience(0.97, heard("It's four one five five five five oh one nine eight."), Asked.PHONE) == (
        RULES.certain_seconds
    )


def test_a_stricter_rule_takes_less_for_certain() -> None:
    strict = EndOfTurn(certain_above=0.99)
    assert strict.patience(0.9, heard("Yes.")) == strict.undecided_seconds
    assert RULES.patience(0.9, heard("Yes.")) == RULES.certain_seconds


def test_the_agents_longest_silence_is_never_exceeded_and_its_usual_one_never_undercut_by_doubt() -> None:
    hasty = EndOfTurn(longest_seconds=0.5)
    assert hasty.patience(0.1, heard("I'd like to")) == hasty.patience(None, None) == 0.5
    calm = EndOfTurn(undecided_seconds=2.0, longest_seconds=4.0)
    assert calm.patience(0.9, heard("Maple Street")) == calm.patience(0.9, heard("I'd like to")) == 2.0


def test_a_last_word_that_trails_off_is_waited_for() -> None:
    def patience(text: str, trails_off: float) -> float:
        return RULES.patience(0.9, Transcript(text, 0.9, trails_off), Asked.FREE)

    said = "The heating on the second floor is broken."
    assert patience(said, 0.001) == RULES.certain_seconds
    assert patience(said, 0.3) == RULES.undecided_seconds
    assert patience("Not really.", 0.005) == RULES.certain_seconds
    assert patience("Not really.", 0.3) == RULES.undecided_seconds


def test_more_may_come_behind_a_short_sentence() -> None:
    def patience(text: str) -> float:
        return RULES.patience(0.9, Transcript(text, 0.9, 0.01), Asked.FREE)

    assert patience("I have a dog.") == RULES.undecided_seconds
    assert patience("I have a dog and he needs to see a doctor today.") == RULES.certain_seconds
    assert patience("On Tuesday at nine,") >= RULES.undecided_seconds, "the recogniser heard that it goes on"


@pytest.mark.parametrize("text", ["I live in the house on the hill.", "We bought it here."])
def test_probabilities_agree_with_what_they_rest_on(text: str) -> None:
    sure = probability_of_end(0.95, Transcript(text, 0.9, 0.001))
    assert 0.0 < probability_of_end(0.02, Transcript(text, 0.9, 0.001)) < sure < 1.0
    assert probability_of_end(0.95, Transcript(text, 0.9, 0.2)) < sure
    assert probability_of_end(0.95, Transcript(text, 0.3, 0.001)) < sure
    assert probability_of_end(None, Transcript(text, 0.9, 0.001)) < sure


def test_a_number_is_likelier_over_the_more_of_it_was_said() -> None:
    def probability(text: str, asked: Asked = Asked.NUMBER) -> float:
        return probability_of_end(0.9, Transcript(text, 0.9, 0.005), asked)

    grows = [probability(text) for text in ("It's 77.", "It's 772.", "It's 7729.", "It's 772 904.", "It's 772 904 18.")]
    assert grows == sorted(grows)
    assert grows[-1] > 2 * grows[0]
    assert probability("It's 4155.", Asked.PHONE) < probability("It's 4155."), "ten digits are awaited"
    assert probability("K.", Asked.SPELLING) < probability("K-O-W-A-L-S-K-I.", Asked.SPELLING)
    assert probability("CLARK", Asked.SPELLING) == probability("C-L-A-R-K", Asked.SPELLING)


@pytest.mark.parametrize("asked", Asked)
def test_every_sign_has_a_weight(asked: Asked) -> None:
    for text in ("Yes.", "I would like a table.", "I'd like to", "B, R, A", "Maple Street", "four one five"):
        assert signs(0.5, Transcript(text, 0.9), asked).keys() <= WEIGHTS.keys()


def test_words_that_were_hardly_understood_are_neither_whole_nor_complete() -> None:
    sure, unsure = Transcript("Not really.", 0.9), Transcript("Not really.", 0.3)
    assert RULES.patience(0.9, sure, Asked.FREE) == RULES.certain_seconds
    assert RULES.patience(0.9, unsure, Asked.FREE) == RULES.undecided_seconds
    assert RULES.patience(0.9, Transcript("It's for my", 0.3), Asked.FREE) == RULES.doubtful_seconds
