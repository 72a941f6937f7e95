"""Signs of listening are told from words that want the floor."""

from __future__ import annotations

import pytest

from trunkline.conversation.back_channel import is_back_channel


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
