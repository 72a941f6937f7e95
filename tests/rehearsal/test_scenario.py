from __future__ import annotations

from pathlib import Path

import pytest

from trunkline.errors import SettingsError
from trunkline.rehearsal.scenario import SHIPPED, load_scenario
from trunkline.rehearsal.steps import (
    HangUp,
    Interrupt,
    Pause,
    PressKeys,
    Say,
    WaitForAgent,
    WaitForWords,
)


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "person.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def test_every_step_can_be_written_short(tmp_path: Path) -> None:
    scenario = load_scenario(
        written(
            tmp_path,
            """
            numbers: ["+14155550123"]
            phone: {rings_ms: 100, early_media: true, then: answers}
            steps:
              - wait_for_agent
              - wait_for_agent: 1200
              - wait_for_agent: {silence_ms: 300, timeout_ms: 2000}
              - wait_for_words: which day
              - say: Hello.
              - wav: hello.wav
                text: Hello.
              - prompt: digits/4
              - prompt: [digits/4, digits/5]
              - pause_ms: 250
              - keys: "12#"
              - interrupt: {after_ms: 400, say: Wait.}
              - hang_up
            """,
        )
    )
    assert scenario.name == "person"
    assert scenario.steps == (
        WaitForAgent(),
        WaitForAgent(silence_ms=1200),
        WaitForAgent(silence_ms=300, timeout_ms=2000),
        WaitForWords(words="which day"),
        Say(say="Hello."),
        Say(wav=Path("hello.wav"), text="Hello."),
        Say(prompt=("digits/4",)),
        Say(prompt=("digits/4", "digits/5")),
        Pause(pause_ms=250),
        PressKeys(keys="12#"),
        Interrupt(after_ms=400, say="Wait."),
        HangUp(),
    )
    assert scenario.folder == tmp_path
    assert scenario.needs_recognition


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("steps: [dance]", "step 1: 'dance' is no step"),
        ("steps:\n- wait_for_agent\n- shout: hello", "step 2: {'shout': 'hello'} is no step"),
        ("steps:\n- keys: 12x", "step 1 (keys: keys)"),
        ("steps:\n- say: ''", "step 1 (say: say)"),
        ("steps:\n- say: hello\n  wav: a.wav", "give exactly one of say, wav, prompt"),
        ("steps:\n- interrupt: {after_ms: 5}", "give exactly one of say, wav, prompt"),
        ("steps:\n- wait_for_agent: {silence: 5}", "step 1 (wait_for_agent: silence): there is no silence here"),
        ("steps:\n- pause_ms: -1", "step 1 (pause: pause_ms)"),
        ("phone: {then: explodes}", "phone.then: Input should be 'answers', 'busy', 'no-answer' or 'declined'"),
        ("numbers: ['4155550123']", "is not an E.164 number"),
        ("colour: red", "colour: there is no colour here"),
        ("steps: [", "is not valid YAML"),
        ("", "is empty"),
        ("- say: hello", "is empty"),
    ],
)
def test_a_bad_scenario_is_explained(tmp_path: Path, text: str, told: str) -> None:
    file = written(tmp_path, text)
    with pytest.raises(SettingsError) as caught:
        load_scenario(file)
    assert str(file) in caught.value.message
    assert told in caught.value.message
    assert caught.value.remedy


def test_a_missing_file_names_the_shipped_ones(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        load_scenario(tmp_path / "none.yaml")
    assert "appointment" in (caught.value.remedy or "")


@pytest.mark.parametrize("name", sorted(file.stem for file in SHIPPED.glob("*.yaml")))
def test_shipped_scenarios_load_by_name(name: str) -> None:
    assert load_scenario(name).steps


def test_the_demo_person_speaks_often_enough_and_in_both_ways() -> None:
    spoken = [step for step in load_scenario("appointment").steps if isinstance(step, Say)]
    assert len(spoken) >= 5
    assert {step.prompt is None for step in spoken} == {True, False}
