from __future__ import annotations

import pytest

from trunkline.brains.matching import THRESHOLD, Phrasebook
from trunkline.brains.words import clauses, expand, likeness, stem, tokens

BOOK = Phrasebook(
    {
        "yes": ["yes", "yeah", "that's fine", "no problem", "I can make it", "it is"],
        "no": ["no", "nope", "I can't make it", "that doesn't work"],
        "cancel": ["cancel", "I'd like to cancel my appointment"],
        "move": ["can I move it", "another day"],
        "hours": ["what are your opening hours"],
    }
)
ALL = {"yes", "no", "cancel", "move", "hours"}


def best(text: str) -> str | None:
    matches = BOOK.matches(text, ALL)
    return matches[0].intent if matches else None


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("Yeah.", "yes"),
        ("No problem!", "yes"),
        ("No, that's fine.", "yes"),
        ("no that's fine", "yes"),
        ("I can make it", "yes"),
        ("I can't make it", "no"),
        ("I cannot make it", "no"),
        ("I won't make it, I can't", "no"),
        ("uh, no I can't make it", "no"),
        ("That does not really work for me", "no"),
        ("I would like to council my appointment", "cancel"),
        ("Well, I'd like to, um, cancel", "cancel"),
        ("Could I please move it?", "move"),
        ("moving it would be good", "move"),
        ("some other day", "move"),
        ("another day maybe", "move"),
        ("What're your openning hours?", "hours"),
        ("anotherday", "move"),
        ("purple elephants", None),
        ("I don't want to cancel", None),
        ("", None),
        ("...", None),
        ("He is tall", None),
    ],
)
def test_intents(text: str, intent: str | None) -> None:
    assert best(text) == intent


def test_scores_lie_between_threshold_and_one_and_come_sorted() -> None:
    matches = BOOK.matches("No, I can't make it, can I move it to another day? What are your opening hours?", ALL)
    scores = [match.score for match in matches]
    assert {"no", "move", "hours"} <= {match.intent for match in matches}
    assert scores == sorted(scores, reverse=True)
    assert all(THRESHOLD <= score <= 1 for score in scores)


def test_what_the_sentence_says_beats_the_bare_answer_before_it() -> None:
    scores = {match.intent: match.score for match in BOOK.matches("Yes, can I move it?", ALL)}
    assert scores["move"] > scores["yes"]


def test_only_the_intents_asked_about_are_found() -> None:
    assert BOOK.matches("cancel", {"yes", "no"}) == []


def test_the_clause_that_said_it_is_known() -> None:
    matches = {match.intent: match.clause for match in BOOK.matches("That's fine, what are your opening hours?", ALL)}
    assert matches["yes"] == 0
    assert matches["hours"] == 1


def test_a_turn_of_a_thousand_words_is_looked_at_in_bounded_time() -> None:
    assert best("blah " * 5000 + "cancel") is None


def test_words_come_down_to_what_they_mean() -> None:
    assert expand("I can’t, won't; it's Mm-hmm") == "i can not, will not; it is mhm"
    assert tokens(expand("Uh, well, YES!")) == ("yes",)
    assert tokens(expand("um")) == ("um",)
    assert clauses("No I can't, thanks") == [("no",), ("i", "can", "not"), ("no", "i", "can", "not"), ("thanks",)]
    assert stem("moving") == stem("moved") == stem("moves") == stem("move")
    assert stem("cancelled") == stem("cancel")
    assert stem("yes") == "yes"


def test_what_sounds_alike_is_alike() -> None:
    assert likeness("thirsty", "thursday") > 0
    assert likeness("council", "cancel") > 0
    assert likeness("yes", "yet") == 0
    assert likeness("start", "saturday") == 0
