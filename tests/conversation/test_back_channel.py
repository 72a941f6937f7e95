"""Signs of listening are told from words that want the floor."""

from __future__ import annotations

import pytest

from trunkline.conversation.back_channel import asks_to_wait, is_back_channel


@pytest.mark.parametrize(
    "text",
    [
        "",
        "...",
        "Mm-hm.",
        "mhm",
        "Uh-huh.",
        "Hmm.",
        "Okay.",
        "Okay, okay.",
        "Yeah, right.",
        "I see.",
        "All right.",
        "Ha!",
    ],
)
def test_signs_of_listening(text: str) -> None:
    assert is_back_channel(text)


@pytest.mark.parametrize(
    "text",
    [
        "Stop.",
        "No.",
        "Wait.",
        "Okay, but when?",
        "Right, and who pays?",
        "I see a problem.",
        "What?",
        "yes yes yes yes",
    ],
)
def test_words_that_want_the_floor(text: str) -> None:
    assert not is_back_channel(text)


@pytest.mark.parametrize(
    "text",
    ["Can you hold on a second, please?", "One moment.", "Let me check my calendar.", "I’ll just ask.", "Hang on."],
)
def test_who_asks_for_a_moment_is_waited_for(text: str) -> None:
    assert asks_to_wait(text)


@pytest.mark.parametrize("text", ["Yes.", "My second name is Anna.", "I looked at the moment it rang.", ""])
def test_who_does_not_is_not(text: str) -> None:
    assert not asks_to_wait(text)
