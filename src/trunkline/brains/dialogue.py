"""The scripted conversation as a state machine: state and what the person did in, new state and what to say out.

No clock, no chance, no input or output: the same input gives the same answer, and an old state can be gone back to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from trunkline.brains.script import Script
from trunkline.brains.slots import Several, Slot, SlotValue
from trunkline.brains.templates import render, sentences
from trunkline.brains.understanding import Sentence, Understanding
from trunkline.ports import BrainAction, HangUp, Say


@dataclass(frozen=True, slots=True)
class State:
    """Where a conversation is."""

    step: str
    variables: Mapping[str, str]
    seed: int
    """Picks among variants."""
    filled: Mapping[str, SlotValue] = field(default_factory=dict)
    turns: int = 0
    misunderstood: int = 0
    """In a row."""
    last_words: str = ""
    ended: bool = False


@dataclass
class _Turn:
    """A turn in the making."""

    state: State
    text: str
    now: datetime
    step: str
    filled: dict[str, SlotValue]
    said: list[str] = field(default_factory=list)
    kinds_read: set[str] = field(default_factory=set)
    understood: bool = True
    ends: bool = False

    @property
    def sentence(self) -> Sentence:
        return Sentence(self.text, self.step, self.filled, self.state.variables, self.now)


class Dialogue:
    """One script; the state of each of its conversations is kept by whoever holds it."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._understanding = Understanding(script)

    def begin(
        self, variables: Mapping[str, str], now: datetime, *, seed: int = 0, greeting: str | None = None
    ) -> tuple[State, list[BrainAction]]:
        """The greeting and the first question. A `greeting` of the call's own that ends in a question stands alone."""
        first = self._script.first
        defaults = {name: variable.default for name, variable in self._script.variables.items()}
        turn = _Turn(State(first, defaults | dict(variables), seed), "", now, first, {})
        self._say(turn, (greeting,) if greeting else self._script.greeting)
        if not (greeting and greeting.rstrip().endswith("?")):
            self._arrive(turn, first)
        return _close(turn)

    def discreet(self, state: State) -> bool:
        """Whether nothing that is said there may be kept."""
        return self._script.steps[state.step].discreet and not state.ended

    def advance(self, state: State, text: str, keys: str, now: datetime) -> tuple[State, list[BrainAction]]:
        """What the person's words and keys lead to; at least one action. Keys, being certain, come first."""
        if state.ended:
            return state, [HangUp()]
        turn = _Turn(state, text, now, state.step, dict(state.filled))
        if not (self._by_keys(turn, keys) or self._by_words(turn)):
            self._ask_again(turn)
        return _close(turn)

    def _by_keys(self, turn: _Turn, keys: str) -> bool:
        step = self._script.steps[turn.step]
        if keys and step.needs and (value := self._script.slots[step.needs].typed(keys)) is not None:
            self._take(turn, {step.needs: value})
            return True
        for key in keys:
            if intent := self._script.key(turn.step, key):
                turn.text = ""
                self._react(turn, intent)
                return True
        return False

    def _by_words(self, turn: _Turn) -> bool:
        step = self._script.steps[turn.step]
        meaning = self._understanding.read(turn.sentence)
        if meaning.aside:
            self._say(turn, meaning.aside.say)
        values = dict(meaning.corrections)
        if meaning.trigger and not values:
            self._react(turn, meaning.trigger)
            return True
        if step.needs and meaning.value is not None:
            values[step.needs] = meaning.value
        if values or self._gather(turn, step.then if step.needs else None):
            if remark := self._script.reaction(turn.step, meaning.remark or ""):
                self._say(turn, () if remark.courtesy else remark.say)
            self._take(turn, values)
            return True
        if meaning.remark:
            self._react(turn, meaning.remark)
        return meaning.remark is not None

    # ── what follows ────────────────────────────────────────────────────────────────────────────────────────────

    def _react(self, turn: _Turn, trigger: str) -> None:
        reaction = self._script.reaction(turn.step, trigger)
        step = self._script.steps[turn.step]
        if reaction is None:  # the answer to a yes-or-no slot
            assert step.needs
            self._take(turn, {step.needs: trigger})
            return
        self._say(turn, reaction.say)
        for slot in reaction.forget:
            turn.filled.pop(slot, None)
        if reaction.end:
            turn.ends = True
        elif reaction.go:
            self._arrive(turn, reaction.go)
        elif reaction.again:
            turn.said.append(turn.state.last_words)
        elif not reaction.quiet:
            self._say(turn, step.ask)

    def _take(self, turn: _Turn, values: Mapping[str, SlotValue]) -> None:
        """Fill slots from an answer, then go on, or put the question (again) with what is known now."""
        for name, value in values.items():
            slot = self._script.slots[name]
            if not slot.accepts(value, turn.now.date()):
                self._ask_again(turn, because=slot.refuse)
                return
            turn.filled[name] = value
            turn.kinds_read.add(slot.kind)
        step = self._script.steps[turn.step]
        if step.needs in turn.filled and step.then:
            self._arrive(turn, step.then)
        else:
            self._say(turn, step.ask)

    def _gather(self, turn: _Turn, step: str | None) -> bool:
        """Fill what this sentence tells of the slots to come. What can't be taken makes an older value void."""
        found = self._understanding.needed(turn.sentence, step, turn.kinds_read) if turn.text else {}
        taken = 0
        for name, value in found.items():
            slot = self._script.slots[name]
            if slot.accepts(value, turn.now.date()):
                turn.filled[name] = value
                turn.kinds_read.add(slot.kind)
                taken += 1
            else:
                turn.filled.pop(name, None)
        return taken > 0

    def _arrive(self, turn: _Turn, name: str) -> None:
        """Walk on to the next question or the end, past steps whose slot is filled or is in this very sentence."""
        self._gather(turn, name)
        while True:
            step = self._script.steps[name]
            turn.step = name
            if step.needs not in turn.filled:
                self._say(turn, step.say)
                if step.end:
                    turn.ends = True
                    return
                if step.ask:
                    self._refuse(turn, step.needs)
                    self._say(turn, step.ask)
                    return
            assert step.then  # the script was checked
            name = step.then

    def _refuse(self, turn: _Turn, name: str | None) -> None:
        """Say why what the sentence offers for this slot can't be taken, if it offers anything."""
        slot = self._script.slots.get(name or "")
        if slot and turn.text and slot.kind not in turn.kinds_read:
            value = slot.read(turn.text, turn.now, asked=False)
            if value is not None and not slot.accepts(value, turn.now.date()):
                self._say(turn, slot.refuse)

    def _ask_again(self, turn: _Turn, because: Several = ()) -> None:
        turn.understood = False
        nth, manners = turn.state.misunderstood, self._script.not_understood
        if nth + 1 >= manners.after:
            self._say(turn, manners.farewell)
            turn.ends = True
            return
        step = self._script.steps[turn.step]
        self._say(turn, because or (manners.say[min(nth, len(manners.say) - 1)],))
        self._say(turn, step.rephrase or step.ask)

    # ── how it is said ──────────────────────────────────────────────────────────────────────────────────────────

    def _say(self, turn: _Turn, variants: Several) -> None:
        if variants:
            text = variants[(turn.state.seed + turn.state.turns) % len(variants)]
            turn.said.append(render(text, self._values(turn)))

    def _values(self, turn: _Turn) -> dict[str, str]:
        """All blanks as they are spoken."""
        today = turn.now.date()
        values = dict(turn.state.variables)
        for name, variable in self._script.variables.items():
            slot = Slot(kind=variable.kind)
            moment = slot.read(values[name], turn.now, asked=True) if variable.kind in ("day", "time") else None
            if moment is not None:
                values[name] = slot.spoken(moment, today)
        return values | {name: self._script.slots[name].spoken(value, today) for name, value in turn.filled.items()}


def _close(turn: _Turn) -> tuple[State, list[BrainAction]]:
    state = turn.state
    said = " ".join(filter(None, turn.said))
    actions: list[BrainAction] = [Say(sentence) for sentence in sentences(said)]
    if turn.ends:
        actions.append(HangUp())
    closed = replace(
        state,
        step=turn.step,
        filled=turn.filled,
        turns=state.turns + 1,
        misunderstood=0 if turn.understood else state.misunderstood + 1,
        last_words=said or state.last_words,
        ended=turn.ends,
    )
    return closed, actions
