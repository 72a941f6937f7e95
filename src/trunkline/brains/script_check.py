"""Finds what would go wrong in a call before there is one: blanks nobody fills, steps nobody reaches, no goodbye."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from trunkline.brains.script import Reaction, Script, Step
from trunkline.brains.slots import Several, Slot
from trunkline.brains.templates import blanks, mistake
from trunkline.brains.words import expand, tokens

Place = tuple[str, ...]

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_LIMITS = {"time": ("earliest", "latest"), "day": ("only",), "number": ("least", "most"), "digits": ("least", "most")}


@dataclass(frozen=True, slots=True)
class Problem:
    place: Place
    what: str
    remedy: str


def problems(script: Script, *, own_intents: set[str]) -> list[Problem]:
    """Everything wrong with a well-formed script, what must be repaired first in front.

    `own_intents`: those declared in the file itself, not in the common part.
    """
    found = [*_names(script), *_slots(script), *_references(script), *_shapes(script)]
    return found or [*_ways(script), *_texts(script), *_phrases(script, own_intents)]


def _names(script: Script) -> Iterator[Problem]:
    for section in ("variables", "slots", "intents", "steps"):
        for name in getattr(script, section):
            if not _NAME.fullmatch(name):
                yield Problem(
                    (section, name),
                    "this is not a usable name",
                    "Use lower-case letters, digits and _, a letter first.",
                )
    for name in script.slots:
        for other in ("variables", "intents"):
            if name in getattr(script, other):
                yield Problem(("slots", name), f"{name} is the name of one of the {other} too", "Rename one of them.")


def _slots(script: Script) -> Iterator[Problem]:
    for name, slot in script.slots.items():
        for limit in ("earliest", "latest", "only", "least", "most"):
            if limit in slot.model_fields_set and limit not in _LIMITS.get(slot.kind, ()):
                yield Problem(("slots", name, limit), f"a slot of kind {slot.kind} has no {limit}", "Take it out.")
        other = script.variables.get(slot.instead_of or "")
        if slot.instead_of and (other is None or other.kind != slot.kind):
            yield Problem(
                ("slots", name, "instead_of"),
                f"there is no variable {slot.instead_of} of kind {slot.kind}",
                "Declare it under variables:, with the same kind.",
            )
    now = datetime(2024, 1, 1)  # any day: only whether the default is a day or time at all is asked
    for name, variable in script.variables.items():
        moment = variable.kind in ("day", "time") and variable.default
        if moment and Slot(kind=variable.kind).read(variable.default, now, asked=True) is None:
            yield Problem(
                ("variables", name),
                f"the default {variable.default!r} is not a {variable.kind}",
                "Write a day as 2026-02-12 or `next Thursday`, a time as 15:30.",
            )


def _reactions(script: Script) -> Iterator[tuple[Place, Reaction]]:
    for step, content in script.steps.items():
        for trigger, reaction in content.on.items():
            yield ("steps", step, "on", trigger), reaction
    for intent, reaction in script.anywhere.items():
        yield ("anywhere", intent), reaction


def _unknown(place: Place, kind: str, name: str, known: object) -> Problem:
    names = ", ".join(sorted(known)) if isinstance(known, (dict, set)) else ""
    return Problem(place, f"there is no {kind} {name}", f"Known are: {names}." if names else f"Declare the {kind}.")


def _references(script: Script) -> Iterator[Problem]:
    for name, step in script.steps.items():
        place: Place = ("steps", name)
        if step.then is not None and step.then not in script.steps:
            yield _unknown((*place, "then"), "step", step.then, script.steps)
        if step.needs is not None and step.needs not in script.slots:
            yield _unknown((*place, "needs"), "slot", step.needs, script.slots)
        for trigger in step.on:
            if trigger not in script.intents and trigger not in script.slots:
                yield _unknown((*place, "on", trigger), "intent or slot", trigger, {*script.intents, *script.slots})
        yield from _known_slots((*place, "corrects"), step.corrects, script)
        yield from _keys((*place, "keys"), step.keys, script)
    yield from _keys(("keys",), script.keys, script)
    for intent in script.anywhere:
        if intent not in script.intents:
            yield _unknown(("anywhere", intent), "intent", intent, script.intents)
    for at, reaction in _reactions(script):
        if reaction.go is not None and reaction.go not in script.steps:
            yield _unknown((*at, "go"), "step", reaction.go, script.steps)
        yield from _known_slots((*at, "forget"), reaction.forget, script)


def _known_slots(place: Place, slots: Several, script: Script) -> Iterator[Problem]:
    for slot in slots:
        if slot not in script.slots:
            yield _unknown(place, "slot", slot, script.slots)


def _keys(place: Place, keys: dict[str, str], script: Script) -> Iterator[Problem]:
    for key, intent in keys.items():
        if not re.fullmatch(r"[0-9*#]", key):
            yield Problem(
                (*place, key), f"{key} is not a telephone key", "Keys are 0 to 9, * and #; quote the last two."
            )
        if intent not in script.intents:
            yield _unknown((*place, key), "intent", intent, script.intents)
        elif place[0] == "steps" and not script.hears(place[1], intent):
            yield Problem((*place, key), f"nothing here reacts to {intent}", f"Add {intent} to the step's `on`.")


def _shapes(script: Script) -> Iterator[Problem]:
    for name, step in script.steps.items():
        if wrong := _shape(step):
            yield Problem(("steps", name), *wrong)
    for place, reaction in _reactions(script):
        chosen = [entry for entry in ("go", "end", "again") if getattr(reaction, entry)]
        if len(chosen) > 1:
            yield Problem(place, f"`{chosen[0]}` and `{chosen[1]}` exclude each other", "Take one of them out.")


def _shape(step: Step) -> tuple[str, str] | None:
    """What keeps a step from being exactly one of: an end, a question for a slot, a question, a remark."""
    extra = next((entry for entry in ("ask", "needs", "then", "on") if getattr(step, entry)), None)
    waits = bool(step.needs or step.on)
    wrongs = {
        (f"the step ends the call, yet has `{extra}`", "Take one of the two out."): step.end and extra,
        ("the step waits for an answer but asks nothing", "Add `ask`."): waits and not step.ask,
        ("it is not said what follows when the slot is filled", "Add `then`."): step.needs and not step.then,
        ("`then` and `on` exclude each other without `needs`", "Take one of them out."): (
            step.on and step.then and not step.needs
        ),
        ("the step asks but listens to no answer", "Add `on` or `needs`, or use `say`."): step.ask and not waits,
        ("the conversation gets stuck here", "Add `on`, `then` or `end: true`."): not (waits or step.then or step.end),
    }
    return next((wrong for wrong, is_so in wrongs.items() if is_so), None)


def _next(script: Script, step: Step) -> set[str]:
    reactions = [*step.on.values(), *(script.anywhere.values() if step.ask else ())]
    return {name for name in (step.then, *(reaction.go for reaction in reactions)) if name}


def _ends(script: Script, step: Step) -> bool:
    """Ends the call by its own design; the goodbye that holds anywhere doesn't count."""
    return step.end or any(reaction.end for reaction in step.on.values())


def _ways(script: Script) -> Iterator[Problem]:
    reached: set[str] = set()
    ahead = {script.first}
    while ahead:
        reached |= ahead
        ahead = {name for step in ahead for name in _next(script, script.steps[step])} - reached
    for name in script.steps:
        if name not in reached:
            yield Problem(("steps", name), "no way leads to this step", "Name it in a `then` or `go`, or take it out.")
    ending = {name for name in reached if _ends(script, script.steps[name])}
    if not ending:
        yield Problem(("steps",), "the conversation has no goodbye", "Add a step with a farewell and `end: true`.")
        return
    while more := {n for n in reached - ending if _next(script, script.steps[n]) & ending}:
        ending |= more
    for name in script.steps:
        if name in reached - ending:
            yield Problem(("steps", name), "no goodbye can be reached from here", "Lead on to a step with `end: true`.")
    for name in script.steps:
        step, seen = name, [name]
        while (following := script.steps[step].then) and following not in seen:
            step = following
            seen.append(step)
        if following == name:
            yield Problem(
                ("steps", name), f"`then` goes round in a circle: {' → '.join([*seen, name])}", "Break it with `on`."
            )


def _filled(script: Script) -> dict[str, set[str]]:
    """Slots that are surely filled on arrival at each step, whichever way was taken."""
    surely = {name: set(script.slots) for name in script.steps} | {script.first: set()}
    changed = True
    while changed:
        changed = False
        for name, step in script.steps.items():
            ways: list[tuple[str | None, set[str]]] = [
                (step.then, surely[name] | ({step.needs} if step.needs else set()))
            ]
            for trigger, reaction in [*step.on.items(), *script.anywhere.items()]:
                ways.append((reaction.go, (surely[name] | ({trigger} & set(script.slots))) - set(reaction.forget)))
            for target, brought in ways:
                if target and not surely[target] <= brought:
                    surely[target] &= brought
                    changed = True
    return surely


def _texts(script: Script) -> Iterator[Problem]:
    surely = _filled(script)
    always = set.intersection(*surely.values())
    said: list[tuple[Place, Several, set[str]]] = [
        (("greeting",), script.greeting, set()),
        (("not_understood", "say"), script.not_understood.say, always),
        (("not_understood", "farewell"), script.not_understood.farewell, always),
    ]
    said += [(("slots", name, "refuse"), slot.refuse, always) for name, slot in script.slots.items()]
    for name, step in script.steps.items():
        said += [(("steps", name, entry), getattr(step, entry), surely[name]) for entry in ("say", "ask", "rephrase")]
    for place, reaction in _reactions(script):
        here = surely[place[1]] | ({place[3]} & set(script.slots)) if place[0] == "steps" else always
        said.append(((*place, "say"), reaction.say, here))
    known = {*script.variables, *script.slots}
    for place, variants, filled in said:
        for text in variants:
            if wrong := mistake(text):
                yield Problem(place, wrong, f"Correct {text!r}.")
            for blank in sorted(blanks(text) - known):
                yield _unknown(place, "variable or slot", f"{{{blank}}}", known)
            for blank in sorted(blanks(text, optional=False) & set(script.slots) - filled):
                yield Problem(
                    place,
                    f"{{{blank}}} may still be unknown when this is said",
                    f"Ask for it before, or put the part in square brackets: [ … {{{blank}}}].",
                )


def _phrases(script: Script, own_intents: set[str]) -> Iterator[Problem]:
    used = {*script.anywhere, *(trigger for step in script.steps.values() for trigger in step.on)}
    if any(slot.kind == "yes_no" for slot in script.slots.values()):
        used |= {"yes", "no"}
    for intent in own_intents:
        if intent not in used:
            yield Problem(("intents", intent), "nothing reacts to this intent", "Name it in an `on` or in `anywhere`.")
        if not script.intents[intent]:
            yield Problem(("intents", intent), "the intent has no sample phrases", "Add some.")
    for step in script.steps:
        owner: dict[frozenset[str], str] = {}
        for intent, phrases in script.intents.items():
            if not script.hears(step, intent):
                continue
            for phrase in phrases:
                words = frozenset(tokens(expand(phrase)))
                if owner.setdefault(words, intent) != intent:
                    yield Problem(
                        ("intents", intent),
                        f"the phrase {phrase!r} belongs to {owner[words]} too, and step {step} reacts to both",
                        "Keep it in one of them.",
                    )
                if not words:
                    yield Problem(("intents", intent), f"the phrase {phrase!r} has no words", "Take it out.")
