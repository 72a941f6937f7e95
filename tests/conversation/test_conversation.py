"""The whole conversation over a leg without a network: what the person hears, and what is written down of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from tests.conversation.booth import Booth, Mind
from tests.doubles import level_of
from trunkline.audio import FRAME_SECONDS
from trunkline.conversation.end_of_turn import EndOfTurn
from trunkline.errors import BrainError, SpeechUnavailable
from trunkline.events import GreetingStarted, SentenceStarted
from trunkline.models import HangUpBy, Speaker
from trunkline.ports import HangUp, Say, Transcript
from trunkline.settings import AgentSettings, ListeningSettings


@pytest.fixture(autouse=True)
async def no_task_left() -> AsyncGenerator[None, None]:
    """Every test here ends with nothing still running."""
    before = asyncio.all_tasks()
    yield
    for _ in range(5):
        await asyncio.sleep(0)
    assert not {task for task in asyncio.all_tasks() - before if task is not asyncio.current_task()}


async def hung_up(booth: Booth) -> None:
    booth.hang_up()
    await booth.until_over()


async def test_greeting_is_the_first_thing_heard() -> None:
    booth = Booth(Mind("Good morning."))
    await booth.pick_up()
    await booth.wait(0.1)
    assert level_of(booth.out[0]) > 0.01
    [greeting] = [u for u in booth.updates if isinstance(u, GreetingStarted)]
    assert greeting.greeting_ms <= 1000 * FRAME_SECONDS + 1
    await hung_up(booth)
    assert booth.mind.closed
    assert booth.recorder.closed


async def test_a_turn_is_answered_and_its_times_add_up() -> None:
    booth = Booth(Mind("Hello.", [Say("Very well.")]), "I am fine.")
    await booth.pick_up()
    await booth.until_quiet()
    spoke_until = await booth.say(1.0)
    await booth.until(lambda: booth.agent_speaks)
    heard_at = booth.now
    await booth.wait(1.5)
    assert booth.mind.turns[0].text == "I am fine."
    assert [turn.speaker for turn in booth.turns] == [Speaker.AGENT, Speaker.PERSON, Speaker.AGENT]
    timings = booth.turns[2].timings
    assert timings is not None
    assert timings.gap_ms == pytest.approx((heard_at - spoke_until) * 1000, abs=20.0)
    parts = (
        timings.endpointing_ms,
        timings.transcription_ms,
        timings.brain_ms,
        timings.synthesis_ms,
        timings.playout_ms,
    )
    assert None not in parts
    assert sum(part or 0.0 for part in parts) == pytest.approx(timings.gap_ms, abs=0.5)
    await hung_up(booth)


async def test_words_are_ready_when_the_turn_is_declared_over() -> None:
    booth = Booth(Mind("Hello.", [Say("Good.")]), "purple elephants")
    await booth.pick_up()
    await booth.until_quiet()
    await booth.say(0.6)
    await booth.wait(0.3)
    assert len(booth.ears.heard) == 1, "transcription starts in the pause, before the turn is over"
    assert not booth.mind.turns
    await booth.until(lambda: bool(booth.mind.turns))
    assert len(booth.ears.heard) == 1
    await booth.until(lambda: len(booth.turns) == 3)
    timings = booth.turns[2].timings
    assert timings is not None
    assert timings.transcription_ms == 0.0
    await hung_up(booth)


async def test_a_pause_inside_a_sentence_does_not_end_the_turn() -> None:
    booth = Booth(Mind("Hello.", [Say("Good.")]), "thrown away", "My name is Ann.")
    await booth.pick_up()
    await booth.until_quiet()
    await booth.say(0.6)
    await booth.wait(0.3)
    await booth.say(0.6)
    await booth.until(lambda: bool(booth.mind.turns))
    assert [turn.text for turn in booth.mind.turns] == ["My name is Ann."]
    await hung_up(booth)


async def test_goodbye_is_heard_to_its_last_sample_then_we_hang_up() -> None:
    booth = Booth(Mind("Hello.", [Say("Goodbye then."), HangUp()]), "bye")
    await booth.pick_up()
    await booth.until_quiet()
    await booth.say(0.5)
    ending = await booth.until_over()
    assert ending.by is HangUpBy.AGENT
    assert booth.turns[-1].text == "Goodbye then."
    assert not booth.turns[-1].cut_off
    sounding = [index for index, frame in enumerate(booth.out) if level_of(frame) > 0.01]
    silence_behind = (len(booth.out) - 1 - sounding[-1]) * FRAME_SECONDS
    assert 0.2 <= silence_behind <= 0.4


async def test_silent_person_is_asked_twice_then_left() -> None:
    booth = Booth(Mind("Hello."), listening=ListeningSettings(silent_caller_seconds=2.0))
    await booth.pick_up()
    ending = await booth.until_over()
    assert ending.by is HangUpBy.AGENT
    assert "silent" in ending.reason
    texts = [turn.text for turn in booth.turns]
    agent = AgentSettings()
    assert texts == ["Hello.", agent.ask_again, agent.ask_again, agent.farewell_silent]


async def test_silence_at_pick_up_without_a_greeting_is_asked_too() -> None:
    booth = Booth(Mind(""), listening=ListeningSettings(silent_caller_seconds=1.0, silent_caller_asks=0))
    await booth.pick_up()
    assert (await booth.until_over()).by is HangUpBy.AGENT


async def test_a_click_is_no_turn() -> None:
    booth = Booth(Mind("Hello."))
    await booth.pick_up()
    await booth.until_quiet()
    await booth.say(0.08)
    await booth.wait(1.5)
    assert not booth.mind.turns
    await hung_up(booth)


async def test_speech_nobody_understands_reaches_the_brain_as_empty() -> None:
    booth = Booth(Mind("Hello.", [Say("Pardon?")]))
    await booth.pick_up()
    await booth.until_quiet()
    await booth.say(1.0)
    await booth.until(lambda: bool(booth.mind.turns))
    assert booth.mind.turns[0].text == ""
    await hung_up(booth)


async def test_endless_speech_is_cut_at_the_longest_turn() -> None:
    booth = Booth(Mind("Hello.", [Say("Stop.")]), "and then", listening=ListeningSettings(max_turn_seconds=3.0))
    await booth.pick_up()
    await booth.until_quiet()
    await booth.say(3.5)
    assert [turn.text for turn in booth.mind.turns] == ["and then"]
    assert len(booth.mind.turns[0].audio) <= 2 * 8000 * 3.6
    await hung_up(booth)


async def test_interrupting_stops_the_voice_and_tells_what_was_heard() -> None:
    long = "One two three four five six seven eight nine ten eleven twelve."
    booth = Booth(Mind("Hello.", [Say(long), Say("And more.")], [Say("Sorry.")]), "go on", "stop it")
    await booth.pick_up()
    await booth.until_quiet()
    await booth.say(0.6)
    await booth.until(lambda: booth.agent_speaks)
    await booth.wait(1.5)
    await booth.say(0.8)
    assert not booth.agent_speaks
    await booth.until(lambda: len(booth.mind.turns) == 2)
    cut = booth.turns[2]
    assert cut.cut_off
    assert cut.intended is not None
    assert cut.intended.startswith(cut.text)
    assert 0 < len(cut.text.split()) < 12
    assert booth.mind.turns[1].heard == cut.text
    assert booth.mind.turns[1].text == "stop it"
    assert "And more." not in [u.text for u in booth.updates if isinstance(u, SentenceStarted)]
    await hung_up(booth)


@pytest.mark.parametrize("forkable", [False, True])
async def test_a_sign_of_listening_does_not_end_the_answer(forkable: bool) -> None:
    long = "One two three four five six seven eight nine ten eleven twelve."
    booth = Booth(Mind("Hello.", [Say(long)], forkable=forkable), "go on", "Mm-hm.", sound=0.5)
    await booth.pick_up()
    await booth.until_quiet()
    await booth.say(0.6)
    await booth.until(lambda: booth.agent_speaks)
    await booth.wait(1.0)
    await booth.say(0.3)
    assert not booth.agent_speaks, "the agent holds its tongue until it is clear what is meant"
    await booth.until(lambda: booth.agent_speaks, seconds=1.0)
    await booth.until(lambda: len(booth.turns) == 3)
    assert booth.turns[2].text == long
    assert not booth.turns[2].cut_off
    await booth.wait(1.0)
    assert [turn.text for turn in booth.turns if turn.speaker is Speaker.PERSON] == ["go on"]
    await hung_up(booth)


async def test_an_interruption_after_a_noise_is_judged_by_its_own_words() -> None:
    long = "One two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen."
    booth = Booth(Mind("Hello.", [Say(long)]), "go on", "", "stop it")
    await booth.pick_up()
    await booth.until_quiet()
    await booth.say(0.6)
    await booth.until(lambda: booth.agent_speaks)
    await booth.wait(0.3)
    await booth.say(0.1)
    await booth.wait(1.2)
    speaking = [booth.agent_speaks]
    await booth.say(0.4)
    await booth.wait(0.6)
    speaking.append(booth.agent_speaks)
    assert speaking == [True, False], "0.1 s is too short to stop for, 0.4 s is not"
    await booth.until(lambda: len(booth.mind.turns) == 2)
    assert booth.mind.turns[1].text == "stop it"
    assert booth.turns[2].cut_off
    await hung_up(booth)


async def test_going_on_at_length_is_an_interruption_whatever_is_said() -> None:
    booth = Booth(Mind("Hello.", [Say("One two three four five six seven eight nine ten.")]), "go on", "okay")
    await booth.pick_up()
    await booth.until_quiet()
    await booth.say(0.6)
    await booth.until(lambda: booth.agent_speaks)
    await booth.wait(0.5)
    await booth.say(1.5)
    await booth.until(lambda: len(booth.mind.turns) == 2)
    assert booth.turns[2].cut_off
    await hung_up(booth)


async def test_an_answer_is_begun_in_the_pause_and_heard_when_the_turn_is_over() -> None:
    booth = Booth(Mind("Hello.", [Say("Good."), Say("And more.")], forkable=True), "purple elephants")
    await booth.pick_up()
    await booth.until_quiet()
    await booth.say(0.6)
    await booth.wait(0.3)
    assert booth.voice.synthesised[-1] == "Good.", "the first sentence is there before the turn is over"
    assert not booth.agent_speaks
    await booth.until(lambda: len(booth.turns) == 3)
    timings = booth.turns[2].timings
    assert timings is not None
    assert (timings.transcription_ms, timings.brain_ms, timings.synthesis_ms) == (0.0, 0.0, 0.0)
    assert booth.turns[2].text == "Good. And more."
    await hung_up(booth)


async def test_an_answer_begun_in_vain_is_never_heard() -> None:
    booth = Booth(Mind("Hello.", [Say("Good.")], forkable=True), "I would", "I would like to move it.")
    await booth.pick_up()
    await booth.until_quiet()
    await booth.say(0.6)
    await booth.wait(0.3)
    await booth.say(0.6)
    await booth.until(lambda: len(booth.turns) == 3)
    assert booth.turns[1].text == "I would like to move it."
    assert booth.turns[2].text == "Good."
    assert [turn.text for turn in booth.mind.turns] == ["I would", "I would like to move it."]
    await hung_up(booth)


async def test_a_person_who_goes_on_before_they_heard_anything_said_one_turn() -> None:
    booth = Booth(Mind("Hello.", [Say("Good.")], forkable=True), "I would", "like to move it.")
    await booth.pick_up()
    await booth.until_quiet()
    booth.voice.hold()
    await booth.say(0.6)
    await booth.wait(1.7)
    await booth.say(1.0)
    booth.voice.release()
    await booth.until(lambda: any(turn.text == "Good." for turn in booth.turns))
    assert booth.mind.turns[-1].text == "I would like to move it."
    said = [turn.text for turn in booth.turns if turn.speaker is Speaker.PERSON or not turn.cut_off]
    assert said == ["Hello.", "I would", "like to move it.", "Good."]
    await hung_up(booth)


async def test_a_slow_answer_is_bridged_never_dead_air() -> None:
    booth = Booth(Mind("Hello.", [Say("Here it is.")]), "What is it?")
    await booth.pick_up()
    await booth.until_quiet()
    booth.ears.hold()
    ended = await booth.say(0.6)
    await booth.until(lambda: booth.agent_speaks)
    agent = AgentSettings()
    assert booth.now - ended <= agent.filler_after_seconds + 0.1
    await booth.until(lambda: agent.hold_on in [u.text for u in booth.updates if isinstance(u, SentenceStarted)], 10)
    booth.ears.release()
    await booth.until(lambda: len(booth.turns) == 3)
    assert booth.turns[2].text == f"{agent.filler} {agent.hold_on} Here it is."
    timings = booth.turns[2].timings
    assert timings is not None
    assert timings.gap_ms is not None
    assert timings.gap_ms < 2000
    await hung_up(booth)


async def test_a_quick_answer_has_no_filler() -> None:
    booth = Booth(Mind("Hello.", [Say("Here it is.")]), "What is it?")
    await booth.pick_up()
    await booth.until_quiet()
    await booth.say(0.6)
    await booth.until(lambda: len(booth.turns) == 3)
    assert booth.turns[2].text == "Here it is."
    await booth.wait(6.0)
    assert len(booth.turns) == 3
    await hung_up(booth)


async def test_an_answer_that_never_comes_is_given_up() -> None:
    booth = Booth(Mind("Hello.", [Say("never")]), "hello?")
    await booth.pick_up()
    await booth.until_quiet()
    booth.ears.hold()
    await booth.say(0.6)
    ending = await booth.until_over()
    assert ending.by is HangUpBy.SYSTEM
    assert booth.turns[-1].text == AgentSettings().sorry


@pytest.mark.parametrize("sound", [0.9, 0.1])
@pytest.mark.parametrize("words", ["Yes, please.", "purple elephants", "I would like to", "My number is four one five"])
async def test_the_silence_that_ends_a_turn_depends_on_words_and_sound(words: str, sound: float) -> None:
    booth = Booth(Mind("Hello.", [Say("Good.")]), words, sound=sound)
    await booth.pick_up()
    await booth.until_quiet()
    ended = await booth.say(0.8)
    await booth.until(lambda: bool(booth.mind.turns))
    manners = ListeningSettings()
    patience = EndOfTurn(
        undecided_seconds=manners.end_silence_seconds, longest_seconds=manners.longest_silence_seconds
    ).patience(sound, Transcript(words, 0.9))
    assert booth.now - ended == pytest.approx(max(patience, manners.pause_seconds), abs=0.05)
    await hung_up(booth)


async def test_our_own_echo_does_not_interrupt_us() -> None:
    long = "One two three four five six seven eight nine ten eleven twelve."
    booth = Booth(Mind("Hello.", [Say(long)]), "go on")
    booth.echo = (0.08, 10 ** (-14 / 20))
    await booth.pick_up()
    await booth.until_quiet()
    await booth.say(0.6)
    await booth.until(lambda: len(booth.turns) == 3)
    assert booth.turns[2].text == long
    assert not booth.turns[2].cut_off
    await booth.wait(2.0)
    assert len(booth.turns) == 3
    await hung_up(booth)


async def test_an_agent_that_may_not_be_interrupted_speaks_on() -> None:
    booth = Booth(Mind("This is a rather long greeting."), "hey", listening=ListeningSettings(interrupt_seconds=0))
    await booth.pick_up()
    await booth.wait(0.3)
    await booth.say(0.8)
    await booth.until(lambda: len(booth.turns) == 2)
    assert not booth.turns[0].cut_off
    assert booth.turns[1].text == "hey"
    await hung_up(booth)


async def test_keys_are_an_answer() -> None:
    booth = Booth(Mind("Press a key.", [Say("Thank you.")]), listening=ListeningSettings(keys_gap_seconds=0.2))
    await booth.pick_up()
    await booth.until_quiet()
    for digit in "42#":
        booth.press(digit)
    await booth.until(lambda: bool(booth.mind.turns))
    assert booth.mind.turns[0].keys == "42"
    assert booth.turns[1].keys == "42"
    await hung_up(booth)


@pytest.mark.parametrize("error", [BrainError("no answer"), SpeechUnavailable("no voice")])
async def test_a_brain_that_fails_is_excused_and_the_call_ends(error: Exception) -> None:
    booth = Booth(Mind("Hello.", [error]), "hm")
    await booth.pick_up()
    await booth.until_quiet()
    await booth.say(0.6)
    ending = await booth.until_over()
    assert ending.by is HangUpBy.SYSTEM
    assert str(error) in ending.reason
    assert booth.turns[-1].text == AgentSettings().sorry


async def test_the_longest_call_ends_with_a_farewell() -> None:
    booth = Booth(Mind("Hello."), agent=AgentSettings(max_call_seconds=5.0))
    await booth.pick_up()
    ending = await booth.until_over()
    assert "longest" in ending.reason
    assert booth.turns[-1].text == AgentSettings().farewell_time


async def test_hang_up_during_the_greeting() -> None:
    booth = Booth(Mind("A greeting that is quite long, so that there is time to hang up."))
    await booth.pick_up()
    await booth.wait(0.5)
    await hung_up(booth)
    assert booth.ending is not None
    assert booth.ending.result().by is HangUpBy.PERSON
    assert booth.turns[0].cut_off
    assert booth.turns[0].ended == pytest.approx(0.5, abs=0.05)
    assert booth.mind.closed


async def test_hang_up_while_the_agent_speaks() -> None:
    booth = Booth(Mind("Hello.", [Say("An answer that is quite long, really."), *[Say("And more.")] * 5]), "go")
    await booth.pick_up()
    await booth.until_quiet()
    await booth.say(0.6)
    await booth.until(lambda: booth.agent_speaks)
    await booth.wait(0.3)
    await hung_up(booth)
    assert booth.turns[-1].cut_off
    assert booth.mind.abandoned == 1


async def test_hang_up_while_transcription_runs() -> None:
    booth = Booth(Mind("Hello."), "never known")
    booth.ears.hold()
    await booth.pick_up()
    await booth.until_quiet()
    await booth.say(0.6)
    await booth.wait(1.0)
    assert len(booth.ears.heard) == 1
    await hung_up(booth)
    assert not booth.mind.turns
    assert booth.recorder.closed


async def test_both_sides_are_recorded_side_by_side() -> None:
    booth = Booth(Mind("Hello.", [Say("Good.")]), "yes")
    await booth.pick_up()
    await booth.until_quiet()
    await booth.say(1.0)
    await booth.until_quiet()
    await hung_up(booth)
    assert bytes(booth.recorder.agent) == b"".join(booth.out)
    assert len(booth.recorder.person) == len(booth.recorder.agent)
    assert level_of(bytes(booth.recorder.person)) > 0.01
