from __future__ import annotations

from pathlib import Path

import pytest

from trunkline.brains.script_file import load as load_script
from trunkline.errors import SettingsError
from trunkline.rehearsal.built_in import AGENTS
from trunkline.rehearsal.expectation import Answered, CallExpectations, GoesOn
from trunkline.rehearsal.line_conditions import LineConditions, Noise
from trunkline.rehearsal.scenario import SHIPPED, load_scenario, load_suite
from trunkline.rehearsal.sounds import SOUNDS
from trunkline.rehearsal.steps import (
    SHORT,
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
    scenario = load_scenario(name)
    assert scenario.steps or scenario.phone.then != "answers"


def test_the_demo_person_speaks_often_enough_and_in_both_ways() -> None:
    spoken = [step for step in load_scenario("appointment").steps if isinstance(step, Say)]
    assert len(spoken) >= 5
    assert {step.prompt is None for step in spoken} == {True, False}


def test_expectations_stand_beside_steps_and_below_expect(tmp_path: Path) -> None:
    scenario = load_scenario(
        written(
            tmp_path,
            """
            line: {noise: 20, echo: -12}
            steps:
              - wait_for_agent: {hears: hello}
              - say: Yes.
                hears: [see you, goodbye]
                absent: sorry
                within_ms: 900
                beside: {sound: cough, after_ms: 200}
              - interrupt: {after_ms: 5, sound: {kind: cough, seconds: 1}}
                goes_on: true
              - interrupt: {keys: "1"}
                stops_within_ms: 400
              - prompt: [digits/4, 500, digits/1]
              - sound: {kind: music, seconds: 3}
            expect: {disposition: answered, keys_heard: "", hears: goodbye}
            """,
        )
    )
    first, answer, cough, keys, digits, music = scenario.steps
    assert isinstance(first, WaitForAgent) and first.hears == ("hello",)
    assert isinstance(answer, Say) and answer.beside is not None
    assert (answer.hears, answer.absent, answer.within_ms) == (("see you", "goodbye"), ("sorry",), 900)
    assert isinstance(cough, Interrupt) and cough.goes_on == GoesOn(silence_ms=1000)
    assert isinstance(keys, Interrupt) and (keys.keys, keys.stops_within_ms) == ("1", 400)
    assert isinstance(digits, Say) and digits.prompt == ("digits/4", 500, "digits/1")
    assert isinstance(music, Say) and music.sound is not None and music.sound.seconds == 3
    assert scenario.line.noise is not None and scenario.line.echo[0].db == -12
    assert scenario.expects_words and scenario.expects_anything
    assert scenario.with_line({"noise": 10}).line.noise == Noise(snr_db=10)
    assert not load_scenario(written(tmp_path, "steps: [wait_for_agent, {say: hello}]")).expects_anything


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("steps:\n- say: Hi.\n  within_ms: 0", "step 1 (say: within_ms)"),
        ("steps:\n- pause_ms: 5\n  within_ms: 5", "there is no within_ms here"),
        ("steps:\n- sound: sneeze", "step 1 (say: sound: kind)"),
        ("steps:\n- say: Hi.\n  hears: ''", "step 1 (say: hears"),
        ("steps:\n- say: Hi.\n  goes_on: {silence_ms: 1}", "goes_on: silence_ms"),
        ("expect: {disposition: splendid}", "expect.disposition"),
        ("expect: {mood: good}", "there is no mood here"),
        ("line: {loss_percent: 200}", "line.loss_percent"),
    ],
)
def test_a_bad_expectation_is_explained(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_scenario(written(tmp_path, text))
    assert told in caught.value.message


def test_suites_are_folders_or_tags(tmp_path: Path) -> None:
    written(tmp_path, "steps: [hang_up]")
    assert [scenario.name for scenario in load_suite(str(tmp_path))] == ["person"]
    everybody = load_suite(None)
    assert len(everybody) >= 25
    assert len({scenario.name for scenario in everybody}) == len(everybody)
    assert all(scenario.about and scenario.tags and scenario.expects_anything for scenario in everybody)
    assert 0 < len(load_suite("quick")) < len(everybody)
    with pytest.raises(SettingsError, match="There is no suite 'slow'") as caught:
        load_suite("slow")
    assert "barge-in" in (caught.value.remedy or "")
    (tmp_path / "empty").mkdir()
    with pytest.raises(SettingsError, match="There are no scenarios in"):
        load_suite(str(tmp_path / "empty"))


def test_shipped_scenarios_call_for_agents_that_are_shipped() -> None:
    agents = {file.stem for file in AGENTS.glob("*.yaml")}
    assert {scenario.agent for scenario in load_suite(None) if scenario.agent} <= agents
    for file in AGENTS.glob("*.yaml"):
        assert load_script(str(file)).steps


def test_everything_that_can_be_written_is_documented() -> None:
    documented = (Path(__file__).parents[2] / "docs" / "rehearsals.md").read_text(encoding="utf-8")
    written_ = {*Answered.model_fields, *CallExpectations.model_fields, *LineConditions.model_fields, *SHORT, *SOUNDS}
    assert {name for name in written_ if f"`{name}" not in documented} == set()
