"""People who don't want to be called any more: heard in their own words, before the brain answers."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from trunkline.ledger import STOP_CALLING
from trunkline.ports import Brain, BrainAction, BrainSession, CallBriefing, Commit, HangUp, Note, PersonTurn, Say

_US: Final = r"(?:me|us|this number|here|(?:my|our) (?:phone|number|house|home|cell|mobile|office))"
_AGAIN: Final = r"(?:again|any ?more|ever)"
_LIST: Final = (
    r"(?:(?:call(?:ing)?|phone|contact|mailing|do not call|don't call) )*(?:list|lists|database|system|records)"
)
_ASKS: Final = tuple(
    re.compile(pattern)
    for pattern in (
        rf"\b(?:stop|quit) (?:calling|phoning|ringing|contacting|bothering|harassing) {_US}\b",
        r"^(?:please |just |no |hey |okay |ok )*(?:stop|quit) calling(?: please| now)?$",
        rf"\b(?:do not|don't) (?:ever )?(?:call|phone|ring|contact) (?:{_US} )?{_AGAIN}\b",
        rf"\bnever (?:ever )?(?:call|phone|ring|contact) {_US}\b",
        rf"^(?:please |just |no )*(?:do not|don't) (?:call|phone|ring|contact) {_US}(?: please)?$",
        rf"\b(?:take|remove|delete|get|scratch) {_US} (?:off|from|out) (?:of )?(?:your|the|this|that) {_LIST}\b",
        rf"\b(?:put|add) {_US} (?:on|to) (?:your|the) (?:do not call|don't call|no call) list\b",
        r"\blose (?:my|this) number\b",
        rf"\b(?:do not|don't) want you to (?:call|phone|contact) {_US} {_AGAIN}\b",
        rf"\b(?:do not|don't) want to be (?:called|phoned|contacted) {_AGAIN}\b",
        r"\b(?:do not|don't) want (?:any more|these|any of these) (?:phone )?calls\b",
    )
)
_TELLS: Final = re.compile(
    r"\b(?:did|do|does|had|have|has|when|if i|would i|should i) (?:you|they|he|she|we|i)(?: ever| just| really)?$"
    r"|\b(?:him|her|them|they|he|she|people|somebody|someone|everybody|it)"
    r"(?: to| please| will| would| must| should| need| needs| have| has| got| ought)*$"
    r"|(?<!if you )\b(?:don't|do not|never|not|didn't|can't|won't)(?: ever| just)?$"
    r"|\bto$(?<!you to)(?<!need to)(?<!have to)(?<!ought to)(?<!got to)"
)
"""What stands before it where nobody asks us: "why did you stop calling me", "tell them to stop calling me"."""


def asks_to_stop(text: str) -> bool:
    """Whether a person's words (English) surely ask that they not be called any more."""
    # Apostrophes are written in two ways, and not at all by some engines.
    plain = re.sub(r"\bdont\b", "don't", text.lower().replace("\u2019", "'"))
    return any(_asked(" ".join(clause.split())) for clause in re.split(r"[.!?;:,]|\bbut\b", plain.replace("-", " ")))


def _asked(clause: str) -> bool:
    found = next((match for match in (pattern.search(clause) for pattern in _ASKS) if match), None)
    return found is not None and not _TELLS.search(clause[: found.start()].rstrip())


class HeedsStop:
    """Any brain: where the person asks not to be called again, `reply` is said and the agent hangs up."""

    def __init__(self, brain: Brain, reply: str) -> None:
        self._brain = brain
        self._reply = reply

    async def open(self, briefing: CallBriefing) -> BrainSession:
        return _Session(await self._brain.open(briefing), self._reply)

    async def close(self) -> None:
        await self._brain.close()


class _Session:
    def __init__(self, mind: BrainSession, reply: str) -> None:
        self._mind = mind
        self._reply = reply
        self.greet, self.turn_ahead, self.close = mind.greet, mind.turn_ahead, mind.close

    async def reply(self, turn: PersonTurn) -> AsyncGenerator[BrainAction, None]:
        if not turn.hidden and asks_to_stop(turn.text):
            yield Commit()
            yield Note(STOP_CALLING, "The person asked not to be called again.")
            yield Say(self._reply)
            yield HangUp()
            return
        async with aclosing(self._mind.reply(turn)) as actions:
            async for action in actions:
                yield action

    def fork(self) -> BrainSession | None:
        fork = self._mind.fork()
        return None if fork is None else _Session(fork, self._reply)
