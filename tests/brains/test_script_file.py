from __future__ import annotations

from pathlib import Path

import pytest

from trunkline.brains.script_file import load, parse, samples
from trunkline.errors import SettingsError

SCRIPT = """\
greeting: Hello, this is the automated assistant of {business}.
variables:
  business: Blue Door Bakery
slots:
  pick_up: day
steps:
  ready:
    ask: Your cake is ready. Shall we keep it for you?
    on:
      yes: which_day
      no: goodbye
  which_day:
    ask: When will you come?
    needs: pick_up
    then: thanks
  thanks:
    say: See you on {pick_up}. Goodbye.
    end: true
  goodbye:
    say: All right. Goodbye.
    end: true
"""


def changed(old: str, new: str) -> str:
    assert SCRIPT.count(old) == 1
    return SCRIPT.replace(old, new)


def test_a_script_stands_on_the_common_part() -> None:
    script = parse(SCRIPT, "cake.yaml")
    assert script.first == "ready"
    assert "yeah" in script.intents["yes"]
    assert script.anywhere["goodbye"].end
    assert script.not_understood.after == 3


def test_own_phrases_add_to_the_common_ones_and_own_reactions_replace_them() -> None:
    script = parse(
        SCRIPT + "intents:\n  yes: keep it\nanywhere:\n  thanks: {say: My pleasure.}\nnot_understood: {after: 2}\n", "f"
    )
    assert {"yeah", "keep it"} <= set(script.intents["yes"])
    assert script.anywhere["thanks"].say == ("My pleasure.",)
    assert script.not_understood.after == 2
    assert script.not_understood.farewell


def test_words_stay_as_written() -> None:
    """YAML 1.1 would read `yes`, `no`, `on` as truth values and 15:30 as the number 930."""
    script = parse(changed("pick_up: day", "pick_up: {kind: time, latest: 15:30}"), "f")
    assert set(script.steps["ready"].on) == {"yes", "no"}
    latest = script.slots["pick_up"].latest
    assert latest is not None
    assert (latest.hour, latest.minute) == (15, 30)


def test_every_sample_is_sound() -> None:
    assert "appointment" in samples()
    assert "common" not in samples()
    for name in samples():
        assert load(name).about


def test_a_file_is_loaded_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "cake.yaml"
    path.write_text(SCRIPT, encoding="utf-8")
    assert load(str(path)) == parse(SCRIPT, "other name")


@pytest.mark.parametrize(
    ("text", "message", "remedy"),
    [
        (": : :", "not valid YAML", "indentation"),
        ("- a list", "a script is a mapping", "greeting"),
        ("", "a script is a mapping", "greeting"),
        ("greeting: Hello.", "steps: this entry is missing", "docs/scripts.md"),
        (changed("steps:", "stops:"), "cake.yaml, line 6: stops: there is no such entry", "steps"),
        (changed("    needs:", "    wants:"), "line 14: steps.which_day.wants: there is no such entry", "needs"),
        (
            changed("say: All right. Goodbye.", "say: {All right, Goodbye.}"),
            "cake.yaml, line 20: steps.goodbye.say: input should be a valid tuple",
            "docs/scripts.md",
        ),
        (
            changed("      no: goodbye", "      no: {say: Well, fine then, go: goodbye}"),
            "steps.ready.on.no.fine then: there is no such entry",
            "quotes",
        ),
        (
            changed("  goodbye:\n", "  thanks:\n"),
            "line 19: steps.thanks is there twice, first in line 16",
            "Keep one",
        ),
        (
            changed("yes: which_day", "yes: which_week"),
            "cake.yaml, line 10: steps.ready.on.yes.go: there is no step which_week",
            "goodbye, ready, thanks, which_day",
        ),
        (changed("then: thanks", "then: thx"), "line 15: steps.which_day.then: there is no step thx", "Known are"),
        (
            changed("needs: pick_up", "needs: pickup"),
            "line 14: steps.which_day.needs: there is no slot pickup",
            "pick_up",
        ),
        (changed("yes: which_day", "maybe: which_day"), "there is no intent or slot maybe", "yes"),
        (
            changed("{business}.", "{company}."),
            "line 1: greeting: there is no variable or slot {company}",
            "business, pick_up",
        ),
        (
            changed("on {pick_up}.", "on {pick_up."),
            "line 17: steps.thanks.say: a blank is written {like_this}",
            "Correct",
        ),
        (changed("say: All right. Goodbye.", "say: Goodbye. All] right."), "square brackets come in pairs", "Correct"),
        (
            changed("All right.", "All right, not {pick_up}."),
            "line 20: steps.goodbye.say: {pick_up} may still be unknown when this is said",
            "square brackets",
        ),
        (
            changed("      no: goodbye", "      no: thanks"),
            "line 19: steps.goodbye: no way leads to this step",
            "Name it",
        ),
        (SCRIPT.replace("    end: true\n", "    then: ready\n"), "the conversation has no goodbye", "end: true"),
        (
            changed("    needs: pick_up\n    then: thanks", "    on: {wait: which_day}"),
            "line 15: steps.thanks: no way leads to this step",
            "Name it",
        ),
        (
            changed(
                "    then: thanks",
                "    then: round\n  round: {say: Hm., then: about}\n  about: {say: Well., then: round}",
            ),
            "no way leads to this step",
            "Name it",
        ),
        (
            changed("yes: which_day", "yes: which_day\n      wait: round")
            + "  round:\n    say: Hm.\n    then: about\n  about:\n    say: Well.\n    then: round\n",
            "steps.round: no goodbye can be reached from here",
            "end: true",
        ),
        (
            changed("    end: true\n  goodbye", "  goodbye"),
            "steps.thanks: the conversation gets stuck here",
            "`end: true`",
        ),
        (
            changed("    ask: When will you come?\n", ""),
            "steps.which_day: the step waits for an answer but asks",
            "ask",
        ),
        (changed("    then: thanks\n", ""), "steps.which_day: it is not said what follows", "then"),
        (changed("    needs: pick_up\n", ""), "steps.which_day: the step asks but listens to no answer", "needs"),
        (changed("      no: goodbye\n", "      no: goodbye\n    then: thanks\n"), "`then` and `on` exclude", "out"),
        (changed("    say: All right", "    ask: Why?\n    say: All right"), "ends the call, yet has `ask`", "out"),
        (changed("no: goodbye", "no: {go: goodbye, end: true}"), "`go` and `end` exclude each other", "out"),
        (changed("pick_up: day", "pick_up: date"), "line 5: slots.pick_up.kind: input should be 'name', 'day'", "docs"),
        (changed("pick_up: day", "pick_up: {kind: day, earliest: 8:00}"), "a slot of kind day has no earliest", "out"),
        (changed("pick_up: day", "pick_up: {kind: time, earliest: 8}"), "'8' is not a time of day", "docs"),
        (changed("pick_up: day", "pick_up: {kind: day, instead_of: old}"), "no variable old of kind day", "Declare"),
        (
            changed("business: Blue Door Bakery", "business: Blue Door Bakery\n  day: {kind: day, default: soon}"),
            "line 4: variables.day: the default 'soon' is not a day",
            "next Thursday",
        ),
        (
            changed("business: Blue", "pick_up: x\n  business: Blue"),
            "is the name of one of the variables too",
            "Rename",
        ),
        (
            changed("  thanks:\n", "  Thanks You:\n"),
            "line 16: steps.Thanks You: this is not a usable name",
            "lower-case",
        ),
        (SCRIPT + "  Bad Name: {say: x, then: goodbye}\n", "steps.Bad Name: this is not a usable name", "lower-case"),
        (SCRIPT + "intents: {later: [not now]}\n", "intents.later: nothing reacts to this intent", "anywhere"),
        (
            changed("no: goodbye", "no: goodbye\n      later: goodbye") + "intents: {later: [Nope!]}\n",
            "the phrase 'Nope!' belongs to no too, and step ready reacts to both",
            "Keep it in one",
        ),
        (
            changed("no: goodbye", "no: goodbye\n      later: goodbye") + "intents: {later: ['?!']}\n",
            "intents.later: the phrase '?!' has no words",
            "out",
        ),
        (
            changed("no: goodbye", "no: goodbye\n      later: goodbye") + "intents: {later: []}\n",
            "intents.later: the intent has no sample phrases",
            "Add some",
        ),
        (SCRIPT + "keys: {12: yes}\n", "keys.12: 12 is not a telephone key", "0 to 9"),
        (SCRIPT + "keys: {3: perhaps}\n", "keys.3: there is no intent perhaps", "yes"),
        (
            changed("    needs: pick_up", "    keys: {3: yes}\n    needs: pick_up"),
            "steps.which_day.keys.3: nothing here reacts to yes",
            "`on`",
        ),
        (SCRIPT + "anywhere: {perhaps: goodbye}\n", "anywhere.perhaps: there is no intent perhaps", "yes"),
        (
            changed("yes: which_day", "yes: {go: which_day, forget: cake}"),
            "steps.ready.on.yes.forget: there is no slot cake",
            "pick_up",
        ),
        (SCRIPT + "not_understood: {after: 0}\n", "not_understood.after: input should be greater", "docs"),
    ],
)
def test_a_mistake_is_named_with_file_place_and_remedy(text: str, message: str, remedy: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse(text, "cake.yaml")
    assert caught.value.message.startswith("cake.yaml")
    assert message in caught.value.message
    assert remedy in (caught.value.remedy or "")


def test_a_missing_script_names_the_samples() -> None:
    with pytest.raises(SettingsError, match=r"There is no script nowhere.*appointment"):
        load("nowhere")


def test_a_folder_is_no_script(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="There is no script"):
        load(str(tmp_path))


def test_a_script_in_another_encoding_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cake.yaml"
    path.write_bytes(SCRIPT.replace("Blue Door", "Café").encode("latin-1"))
    with pytest.raises(SettingsError, match="UTF-8"):
        load(str(path))
