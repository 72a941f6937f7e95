"""What a script says, as typed, frozen models. `docs/scripts.md` describes the file, `script_file.py` reads it."""

from __future__ import annotations

from typing import Any

from pydantic import Field, model_validator

from trunkline.brains.slots import Entry, Kind, Several, Slot


class Variable(Entry):
    """What a call brings, with a default. One of kind `day` or `time` is understood and said naturally."""

    kind: Kind = "text"
    default: str = ""

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: object) -> object:
        return {"default": value} if isinstance(value, str) else value


class Reaction(Entry):
    """What an intent leads to. With neither `go` nor `end` the agent stays and puts its question again."""

    say: Several = ()
    go: str | None = None
    forget: Several = ()
    """Slots whose values are dropped."""
    end: bool = False
    """Hang up after `say`."""
    quiet: bool = False
    """Don't put the question again."""
    again: bool = False
    """Say the last words again."""
    courtesy: bool = False
    """Counts only when the sentence says nothing else: "Friday, thank you" is about Friday."""

    @property
    def stays(self) -> bool:
        return not (self.go or self.end or self.again)

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: object) -> object:
        return {"go": value} if isinstance(value, str) else value


class Step(Entry):
    """One point of the conversation."""

    say: Several = ()
    """Said on arrival."""
    ask: Several = ()
    """The question; put again after an aside."""
    rephrase: Several = ()
    """The question in other words, for who didn't understand it."""
    needs: str | None = None
    """Slot to be filled here; a step whose slot is filled already is passed over."""
    then: str | None = None
    """Where to go on: after `say`, or when `needs` is filled."""
    on: dict[str, Reaction] = Field(default_factory=dict)
    """By intent, or by slot that is mentioned unasked; where several fit about equally, the first one counts."""
    corrects: Several = ()
    """Slots that may be said anew here; then the question is put again with the new value."""
    keys: dict[str, str] = Field(default_factory=dict)
    """Telephone key → intent."""
    discreet: bool = False
    """Nothing that is said or keyed here is kept: the recording is silent, the transcript has a mark."""
    end: bool = False
    """Hang up after `say`."""


class NotUnderstood(Entry):
    say: Several
    """The first time, the second time, …; then the question follows."""
    after: int = Field(3, ge=1, le=10)
    """Misunderstandings in a row that end the call."""
    farewell: Several


class Script(Entry):
    about: str = ""
    """For people."""
    greeting: Several
    """The first step's question follows it."""
    variables: dict[str, Variable] = Field(default_factory=dict)
    slots: dict[str, Slot] = Field(default_factory=dict)
    intents: dict[str, Several] = Field(default_factory=dict)
    steps: dict[str, Step] = Field(min_length=1)
    """The first one is where the conversation begins."""
    anywhere: dict[str, Reaction] = Field(default_factory=dict)
    """Reactions that hold in every step."""
    keys: dict[str, str] = Field(default_factory=dict)
    """Telephone key → intent, in every step that reacts to it."""
    not_understood: NotUnderstood

    @property
    def first(self) -> str:
        return next(iter(self.steps))

    def reaction(self, step: str, intent: str) -> Reaction | None:
        """What `intent` leads to in `step`; the step's own reaction comes first."""
        return self.steps[step].on.get(intent) or self.anywhere.get(intent)

    def key(self, step: str, key: str) -> str | None:
        """The intent a key stands for in `step`."""
        if intent := self.steps[step].keys.get(key):
            return intent
        intent = self.keys.get(key)
        return intent if intent and self.hears(step, intent) else None

    def hears(self, step: str, intent: str) -> bool:
        """Does `intent` mean anything in `step`?"""
        slot = self.slots.get(self.steps[step].needs or "")
        return self.reaction(step, intent) is not None or (
            slot is not None and slot.kind == "yes_no" and intent in ("yes", "no")
        )


def kinds_of_entries() -> dict[tuple[str, ...], type[Any]]:
    """Model of each place in the file; `*` stands for a name the author chose."""
    return {
        (): Script,
        ("variables", "*"): Variable,
        ("slots", "*"): Slot,
        ("steps", "*"): Step,
        ("steps", "*", "on", "*"): Reaction,
        ("anywhere", "*"): Reaction,
        ("not_understood",): NotUnderstood,
    }
