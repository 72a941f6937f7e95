"""Sounds of listening ("mm-hm", "okay"): said over the agent they mean "go on", not "stop". And "one moment": the
agent is to wait."""

from __future__ import annotations

import re

_SOUNDS = r"m+|m+[ -]?h+m+|mhm+|h+m+|uh[ -]?huh|u+h+|a+h+|o+h+|huh|ha|wow"
_WORDS = (
    r"ok|okay|yeah|yep|yup|yes|right|sure|alright|all right|i see|i understand|got it|good|great|nice|cool|fine|"
    r"of course|exactly|true|really|interesting|go on|thanks|thank you|so|well|you"
)
_ONE = re.compile(rf"(?:{_SOUNDS}|{_WORDS})")
_LAUGHTER = re.compile(r"\b([hsx]+[aeio]+h?)(?:[ ,]+\1)+\b")
"""As recognisers write it: "ha, ha, ha", "sa-sa-sa"."""
LONGEST = 3
"""More of them in a row are a turn."""


def is_back_channel(text: str) -> bool:
    """Whether words said over the agent are no more than a sign of listening. Nothing at all (a cough) is one too."""
    words = re.sub(r"[^a-z' -]+", ",", text.lower()).replace("-", " ")
    words = _LAUGHTER.sub("ha", words)
    parts = [part.strip() for part in words.split(",") if part.strip()]
    said: list[str] = []
    for part in parts:
        if _ONE.fullmatch(part):
            said.append(part)
        else:
            said.extend(part.split())
    return len(said) <= LONGEST and all(_ONE.fullmatch(word) for word in said)


_MOMENT = re.compile(
    r"\b(?:(?:one|just a|a|give me a|wait a) (?:moment|second|sec|minute)|(?:hold|hang) (?:on|the line)|please hold|"
    r"bear with me|(?:let me|i'll) (?:just )?(?:check|see|look|get|ask|think)|wait)\b"
)


def asks_to_wait(text: str) -> bool:
    """Whether the person will be back: "hold on a second", "let me check my calendar"."""
    return _MOMENT.search(text.lower().replace("’", "'")) is not None
