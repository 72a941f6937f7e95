"""What a person's sentence means in a step of a script: intents, slots, corrections, and what was asked beside it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from trunkline.brains.matching import Match, Phrasebook
from trunkline.brains.script import Reaction, Script
from trunkline.brains.slots import Slot, SlotValue

_CLOSE = 0.07
"""Intents whose scores differ by less are told apart by their order in the script."""

_LITERAL = 0.99
"""Who says a sample phrase, and nothing else, means that."""

_COURTESY_PENALTY = 0.2

_FREE = ("name", "text")
_WHOLE = 0.85
"""While a name or free text is expected, an intent must account for this much to be more than a part of it."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """What was said, and where in the conversation."""

    text: str
    step: str
    filled: Mapping[str, SlotValue]
    variables: Mapping[str, str]
    now: datetime


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a sentence may be answered with, the first that is there."""

    aside: Reaction | None = None
    """Asked beside the rest: "That's fine, but where are you?" """
    corrections: Mapping[str, SlotValue] = field(default_factory=dict)
    """Slots said anew, where the step takes corrections."""
    trigger: str | None = None
    """Intent or slot that moves the conversation on."""
    value: SlotValue | None = None
    """Of the slot the step needs."""
    remark: str | None = None
    """Intent that is answered without moving on."""


class Understanding:
    """Reads sentences by one script."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._phrases = Phrasebook(script.intents)

    def read(self, sentence: Sentence) -> Meaning:
        step = self._script.steps[sentence.step]
        needed = self._script.slots.get(step.needs or "")
        main, aside = self._intents(sentence, needed)
        reaction = self._script.reaction(sentence.step, main) if main else None
        remark = None
        if reaction and (reaction.stays or reaction.courtesy) and not (needed and needed.kind in _FREE):
            main, remark = None, main
        mention = self._mention(sentence)
        if mention and not self._goes_before(sentence.step, main or remark, mention):
            main = mention
        return Meaning(
            aside=aside,
            corrections=self._corrections(sentence),
            trigger=main,
            value=needed.read(sentence.text, sentence.now, asked=True) if needed else None,
            remark=remark,
        )

    def needed(self, sentence: Sentence, step_name: str | None, kinds_read: Collection[str]) -> dict[str, SlotValue]:
        """What the sentence holds, unasked, of the slots that are needed in a row from that step on.

        One "Friday" doesn't fill arrival and departure: each kind is read once, and none of `kinds_read`.
        """
        found: dict[str, SlotValue] = {}
        kinds, walked = set(kinds_read), set()
        while step_name and step_name not in walked and (step := self._script.steps[step_name]).needs:
            walked.add(step_name)
            slot = self._script.slots[step.needs]
            if slot.kind not in kinds:
                value = slot.read(sentence.text, sentence.now, asked=False)
                if value is not None:
                    found[step.needs] = value
                    kinds.add(slot.kind)
            step_name = step.then
        return found

    def _intents(self, sentence: Sentence, needed: Slot | None) -> tuple[str | None, Reaction | None]:
        step = self._script.steps[sentence.step]
        order = [*self._decisive_anywhere(sentence.step), *step.on, *self._script.anywhere, "yes", "no"]
        among = [name for name in order if name in self._script.intents and self._script.hears(sentence.step, name)]
        matches = self._phrases.matches(sentence.text, set(among))
        if needed and needed.kind in _FREE:
            matches = [match for match in matches if match.clause is None and match.score >= _WHOLE]
        weights = {match: self._weight(sentence.step, match) for match in matches}
        close = [match for match in matches if weights[match] >= max(weights.values()) - _CLOSE]
        if not close:
            return None, None
        literal = [match for match in close if match.clause is None and match.score > _LITERAL]
        main = min(literal or close, key=lambda match: among.index(match.intent))
        for match in matches:
            reaction = self._script.reaction(sentence.step, match.intent)
            beside = None not in (match.clause, main.clause) and match.clause != main.clause
            if beside and reaction and reaction.stays and not reaction.courtesy:
                return main.intent, reaction
        return main.intent, None

    def _decisive_anywhere(self, step: str) -> Iterator[str]:
        """Wrong numbers and wishes to be left alone go before anything a step asks."""
        for intent, reaction in self._script.anywhere.items():
            if not (reaction.stays or reaction.courtesy or intent in self._script.steps[step].on):
                yield intent

    def _weight(self, step: str, match: Match) -> float:
        reaction = self._script.reaction(step, match.intent)
        return match.score - (_COURTESY_PENALTY if reaction and reaction.courtesy else 0.0)

    def _mention(self, sentence: Sentence) -> str | None:
        """The slot this step reacts to that is mentioned, if that is news."""
        found = {}
        for name in self._script.steps[sentence.step].on:
            if slot := self._script.slots.get(name):
                found[name] = slot.read(sentence.text, sentence.now, asked=False)
        said = {name: value for name, value in found.items() if value is not None}
        return next(iter(said), None) if self._is_news(sentence, said) else None

    def _is_news(self, sentence: Sentence, said: Mapping[str, SlotValue]) -> bool:
        """Is anything said but what the call's variables say already?"""
        for name, value in said.items():
            slot = self._script.slots[name]
            known = sentence.variables.get(slot.instead_of or "", "")
            if slot.read(known, sentence.now, asked=True) != value:
                return True
        return False

    def _goes_before(self, step: str, intent: str | None, slot: str) -> bool:
        """Does the intent count more than the mention of the slot?"""
        order = list(self._script.steps[step].on)
        if intent in order:
            return order.index(intent) < order.index(slot)
        reaction = self._script.anywhere.get(intent or "")
        return reaction is not None and not reaction.courtesy

    def _corrections(self, sentence: Sentence) -> dict[str, SlotValue]:
        """Slots said anew. A bare "four" corrects the slot that is listed last, the one that was asked for last."""
        step = self._script.steps[sentence.step]
        found = self._anew(sentence, step.corrects, asked=False)
        return found or ({} if step.needs else self._anew(sentence, step.corrects[-1:], asked=True))

    def _anew(self, sentence: Sentence, names: Collection[str], *, asked: bool) -> dict[str, SlotValue]:
        found = {name: self._script.slots[name].read(sentence.text, sentence.now, asked=asked) for name in names}
        return {name: value for name, value in found.items() if value not in (None, sentence.filled.get(name))}
