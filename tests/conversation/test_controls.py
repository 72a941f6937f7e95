"""What somebody outside can do with a conversation while it is held."""

from __future__ import annotations

import asyncio
from typing import cast

import numpy as np
import pytest

from tests.conversation.booth import Booth, Mind
from tests.doubles import FakeSpeechToText, FakeTextToSpeech, level_of, tone
from trunkline.audio import FRAME_BYTES, FRAME_SECONDS, SILENCE, to_float
from trunkline.conversation.controls import Standing
from trunkline.conversation.live_audio import LiveAudio, TakenOver
from trunkline.conversation.prompts import Successor
from trunkline.errors import WrongMoment
from trunkline.events import CallNoted, SentenceStarted
from trunkline.models import NOT_RECORDED, HangUpBy, Speaker
from trunkline.ports import BrainAction, Discreet, HangUp, Note, Say, SendKeys
from trunkline.settings import AgentSettings

LONG = "This is rather a long sentence that takes its time to be said."


def kinds(booth: Booth) -> list[str]:
    return [update.event.kind for update in booth.updates if isinstance(update, CallNoted)]


def said(booth: Booth) -> list[tuple[Speaker, str]]:
    return [(turn.speaker, turn.text) for turn in booth.turns]


def heard_hertz(frames: list[bytes]) -> float:
    """The strongest frequency in what was heard."""
    sound = to_float(b"".join(frames))
    return float(np.argmax(np.abs(np.fft.rfft(sound * np.hanning(len(sound)), n=8000))))


async def greeted(mind: Mind, *texts: str, **more: object) -> Booth:
    booth = Booth(mind, *texts, **more)  # type: ignore[arg-type]
    await booth.pick_up()
    await booth.until_quiet()
    await booth.wait(0.3)
    return booth


# ── prompts ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_what_the_agent_is_asked_to_say_is_said_and_the_brain_is_told() -> None:
    booth = await greeted(Mind("Hello."), "fine", "thanks")
    booth.conversation.controls.say("We close in five minutes.")
    await booth.until_quiet()
    await booth.say(1.0)
    await booth.until_quiet()
    await booth.say(1.0)
    await booth.until_quiet()
    assert said(booth)[:3] == [
        (Speaker.AGENT, "Hello."),
        (Speaker.AGENT, "We close in five minutes."),
        (Speaker.PERSON, "fine"),
    ]
    (note,) = booth.mind.turns[0].notes
    assert "We close in five minutes." in note
    assert booth.mind.turns[1].notes == (), "it is told once"
    booth.hang_up()


async def test_a_prompt_waits_until_agent_and_person_have_spoken() -> None:
    booth = await greeted(Mind("Hello.", [Say("An answer.")]), "fine")
    await booth.say(0.5)
    booth.conversation.controls.say("And one more thing.")
    await booth.say(0.5)
    await booth.until(lambda: len(booth.turns) == 4)
    assert [text for _, text in said(booth)] == ["Hello.", "fine", "An answer.", "And one more thing."]
    booth.hang_up()


async def test_a_prompt_for_now_cuts_the_agent_off() -> None:
    booth = await greeted(Mind("Hello.", [Say(LONG)]), "fine", "thanks")
    await booth.say(0.5)
    await booth.until(lambda: booth.agent_speaks)
    await booth.wait(1.0)
    booth.conversation.controls.say("Stop.", now=True)
    await booth.until(lambda: len(booth.turns) == 4)
    cut = booth.turns[2]
    assert cut.cut_off and cut.intended == LONG and cut.text and LONG.startswith(cut.text) and cut.text != LONG
    assert booth.turns[3].text == "Stop."
    await booth.say(0.5)
    await booth.until(lambda: len(booth.mind.turns) == 2)
    booth.hang_up()


async def test_a_farewell_ends_the_call_whatever_the_person_says() -> None:
    booth = await greeted(Mind("Hello."), "wait, wait, I am not done")
    booth.conversation.controls.end("Thank you for your time. Goodbye.")
    await booth.until(lambda: booth.agent_speaks)
    await booth.say(1.5)
    ending = await booth.until_over()
    assert (ending.by, ending.transferred_to) == (HangUpBy.OPERATOR, None)
    assert booth.turns[1].text == "Thank you for your time. Goodbye."
    assert not booth.turns[1].cut_off


async def test_a_whisper_reaches_the_brain_and_nobody_else() -> None:
    booth = await greeted(Mind("Hello."), "fine", "thanks")
    booth.conversation.controls.whisper("They are a VIP.")
    await booth.wait(1.0)
    assert len(booth.voice.said) == len(set(booth.voice.said)) and "They are a VIP." not in " ".join(booth.voice.said)
    await booth.say(1.0)
    await booth.until_quiet()
    await booth.say(1.0)
    await booth.until_quiet()
    assert ["VIP" in " ".join(turn.notes) for turn in booth.mind.turns] == [True, False]
    assert "whispered" in kinds(booth)
    booth.hang_up()


async def test_a_whisper_survives_a_turn_that_goes_on() -> None:
    """The first answer is begun in vain: the brain is asked again, and told again."""
    mind = Mind("Hello.", [Say(LONG)], [Say("I see.")], forkable=True)
    booth = await greeted(mind, "I would like", "to move it")
    booth.conversation.controls.whisper("They are a VIP.")
    await booth.say(0.5)
    await booth.until(lambda: len(booth.turns) == 2)
    await booth.say(1.5)  # before anything of the answer was heard
    await booth.until(lambda: len(booth.turns) >= 4)
    assert all("VIP" in " ".join(turn.notes) for turn in mind.turns)
    booth.hang_up()


async def test_another_agent_takes_over_and_the_transcript_goes_on() -> None:
    booth = await greeted(Mind("Hello.", [Say("I see.")]), "I want to buy something")
    await booth.say(1.0)
    await booth.until(lambda: len(booth.turns) == 3)
    seller, ears, voice = Mind("Hi, sales here.", [HangUp()]), FakeSpeechToText("bye"), FakeTextToSpeech(hertz=880.0)
    agent = AgentSettings(filler="Just a second.")
    assert [turn.text for turn in booth.conversation.controls.so_far] == ["Hello.", "I want to buy something", "I see."]
    booth.conversation.controls.succeed(Successor("sales", agent, seller, ears, voice))
    await booth.until(lambda: len(booth.turns) == 4)
    assert booth.turns[3].text == "Hi, sales here."
    assert heard_hertz([frame for frame in booth.out[-60:] if level_of(frame) > 0.01]) == pytest.approx(880, abs=10)
    assert (booth.mind.closed, seller.closed) == (True, False)
    await booth.say(1.0)
    ending = await booth.until_over()
    assert ending.by is HangUpBy.AGENT
    assert [turn.text for turn in seller.turns] == ["bye"]
    assert [turn.number for turn in booth.turns] == [1, 2, 3, 4, 5]
    assert seller.closed
    assert "agent-changed" in kinds(booth)


async def test_an_agent_that_never_gets_its_turn_is_closed() -> None:
    booth = await greeted(Mind("Hello.", [Say(LONG)]), "fine")
    await booth.say(0.5)
    await booth.until(lambda: booth.agent_speaks)
    late = Mind("Hi.")
    booth.conversation.controls.succeed(
        Successor("late", AgentSettings(), late, FakeSpeechToText(), FakeTextToSpeech())
    )
    booth.hang_up()
    assert booth.ending is not None
    await booth.ending
    assert late.closed


# ── who hears whom ─────────────────────────────────────────────────────────────────────────────────────────────────


async def test_on_hold_the_person_hears_music_and_no_time_passes_for_the_agent() -> None:
    booth = await greeted(Mind("Hello.", [Say("I see.")]), "fine")
    controls, turns = booth.conversation.controls, len(booth.turns)
    controls.hold()
    controls.hold()
    start = len(booth.out)
    await booth.say(2.0)
    booth.press("5")
    await booth.wait(30.0)
    assert len(booth.turns) == turns, "the agent neither heard anything nor asked whether anybody is there"
    music = b"".join(booth.out[start:])
    assert 0.005 < level_of(music) < 0.1
    assert controls.standing == Standing(True, False, False, False, False, 0)
    controls.resume()
    await booth.wait(2.0)
    assert not booth.agent_speaks
    await booth.say(1.0)
    await booth.until(lambda: len(booth.turns) == turns + 2)
    assert [turn.text for turn in booth.mind.turns] == ["fine"]
    assert kinds(booth) == ["held", "resumed"]
    booth.hang_up()


async def test_a_sentence_that_a_hold_cut_goes_on_behind_it() -> None:
    booth = await greeted(Mind("Hello.", [Say(LONG)]), "fine")
    await booth.say(0.5)
    await booth.until(lambda: booth.agent_speaks)
    await booth.wait(1.0)
    booth.conversation.controls.hold()
    await booth.wait(10.0)
    booth.conversation.controls.resume()
    await booth.until(lambda: len(booth.turns) == 3)
    assert (booth.turns[2].text, booth.turns[2].cut_off) == (LONG, False)
    spoken = sum(level_of(frame) > 0.1 for frame in booth.out) * FRAME_SECONDS
    assert spoken > 0.06 * len(f"Hello.{LONG}") + 0.1, "it begins again with what was cut"
    booth.hang_up()


async def test_a_hold_takes_nothing_of_the_longest_call() -> None:
    booth = await greeted(Mind("Hello."), agent=AgentSettings(max_call_seconds=10))
    booth.conversation.controls.hold()
    await booth.wait(20.0)
    booth.conversation.controls.resume()
    await booth.wait(3.0)
    assert not booth.closed
    ending = await booth.until_over(20.0)
    assert ending.reason == "The call reached its longest length."


async def test_nobody_is_on_hold_for_ever() -> None:
    booth = await greeted(Mind("Hello."), agent=AgentSettings(longest_hold=5))
    booth.conversation.controls.hold()
    await booth.wait(4.9)
    assert kinds(booth) == ["held"]
    await booth.wait(0.2)
    assert kinds(booth) == ["held", "resumed"]
    await booth.until(lambda: len(booth.turns) == 2)
    assert booth.turns[1].text == AgentSettings().ask_again
    booth.hang_up()


async def test_a_muted_agent_is_not_heard_and_the_transcript_says_so() -> None:
    booth = await greeted(Mind("Hello.", [Say(LONG)], [Say("Again.")]), "fine", "what?")
    await booth.say(0.5)
    await booth.until(lambda: booth.agent_speaks)
    await booth.wait(1.0)
    booth.conversation.controls.mute(agent=True)
    start = len(booth.out)
    await booth.until(lambda: len(booth.turns) == 3)
    assert set(booth.out[start:]) == {SILENCE}
    turn = booth.turns[2]
    assert turn.cut_off and turn.intended == LONG and LONG.startswith(turn.text) and turn.text != LONG
    booth.conversation.controls.mute()
    await booth.say(0.5)
    await booth.until(lambda: len(booth.turns) == 5)
    assert booth.mind.turns[1].heard == turn.text, "the brain is told what was heard"
    assert booth.turns[4].text == "Again."
    booth.hang_up()


async def test_a_muted_person_is_not_heard() -> None:
    booth = await greeted(Mind("Hello."), "fine")
    booth.conversation.controls.mute(person=True)
    await booth.say(1.0)
    booth.press("1")
    await booth.wait(20.0)
    assert len(booth.turns) == 1, "nobody asks somebody who can't be heard whether they are there"
    assert not booth.ears.heard
    booth.conversation.controls.mute()
    await booth.say(1.0)
    await booth.until(lambda: len(booth.turns) == 3)
    booth.hang_up()


async def test_a_supervisor_speaks_in_the_agents_place_and_gives_the_call_back() -> None:
    booth = await greeted(Mind("Hello.", [Say("I see.")]), "back again")
    controls = booth.conversation.controls
    supervisor = controls.take_over()
    with pytest.raises(WrongMoment):
        controls.take_over()
    start, theirs = len(booth.out), tone(0.4, 1000.0)
    supervisor.say(theirs[:1000])  # no whole number of frames
    supervisor.say(theirs[1000:])
    heard: list[bytes] = []
    hearing = asyncio.create_task(_collect(supervisor, heard))
    await booth.say(1.0)
    await booth.wait(20.0)
    assert theirs in b"".join(booth.out[start:])
    assert set(booth.out[-500:]) == {SILENCE}
    assert tone(1.0, 300.0)[:FRAME_BYTES] in heard
    assert len(booth.turns) == 1
    controls.give_back(supervisor)
    await hearing
    controls.give_back(supervisor)
    await booth.say(1.0)
    await booth.until(lambda: len(booth.turns) == 3)
    (note,) = booth.mind.turns[0].notes
    assert "colleague" in note
    assert kinds(booth) == ["taken-over", "given-back"]
    booth.hang_up()
    await booth.until_over()
    assert booth.recorder.person.count(tone(1.0, 300.0)) == 2, "what the supervisor was told is recorded as well"
    assert theirs in booth.recorder.agent


async def _collect(supervisor: TakenOver, heard: list[bytes]) -> None:
    async for frame in supervisor.heard():
        heard.append(frame)


async def test_a_supervisor_who_takes_nothing_and_sends_too_much_delays_nobody() -> None:
    supervisor = TakenOver(0.0)
    for number in range(200):
        supervisor.overhear(bytes([number]) * FRAME_BYTES)
    supervisor.say(b"".join(bytes([number]) * FRAME_BYTES for number in range(200)))
    assert supervisor.next_frame()[0] == 175, "of what comes too late the newest half second is kept"
    supervisor.close()
    assert [frame async for frame in supervisor.heard()] == []


async def test_who_listens_in_hears_both_sides_and_is_told_the_end() -> None:
    booth = await greeted(Mind("Hello.", [Say("I see.")]), "fine")
    listener, slow = booth.conversation.controls.listen_in(), booth.conversation.controls.listen_in()
    hearing = asyncio.create_task(_both(listener))
    await booth.say(1.0)
    await booth.until_quiet()
    booth.conversation.controls.leave(slow)
    booth.conversation.controls.leave(slow)
    await booth.wait(1.0)
    booth.hang_up()
    person, agent = await asyncio.wait_for(hearing, 5)
    assert tone(1.0, 300.0) in person
    assert level_of(agent) > 0.01
    assert len(person) == len(agent)
    assert booth.conversation.controls.standing.listeners == 0


async def _both(listener: LiveAudio) -> tuple[bytes, bytes]:
    pieces = [piece async for piece in listener.pieces()]
    return b"".join(person for person, _ in pieces), b"".join(agent for _, agent in pieces)


async def test_a_listener_who_is_too_slow_misses_what_was_said_before() -> None:
    booth = await greeted(Mind("Hello."), agent=AgentSettings(farewell_silent="Bye."))
    listener = booth.conversation.controls.listen_in()
    await booth.wait(6.0)
    await booth.say(1.0)
    await booth.wait(0.5)
    booth.hang_up()
    await booth.until_over()
    person, _ = await _both(listener)
    assert len(person) <= 5.0 / FRAME_SECONDS * FRAME_BYTES
    assert tone(1.0, 300.0) in person


# ── what may not be kept ───────────────────────────────────────────────────────────────────────────────────────────

SECRET = "four one one one"


async def test_what_is_said_while_the_recording_is_paused_is_kept_nowhere() -> None:
    booth = await greeted(Mind("Hello.", [Say("Thank you.")], [Say("Fine.")], [Say("Bye.")]), SECRET, "done")
    controls = booth.conversation.controls
    listener = controls.listen_in()
    controls.pause_recording()
    paused_at = len(booth.out)
    await booth.say(1.0)
    await booth.until_quiet()
    await booth.wait(0.5)
    for key in "4111#":
        booth.press(key)
    await booth.until_quiet()
    await booth.wait(1.0)
    resumed_at = len(booth.out)
    controls.resume_recording()
    await booth.wait(0.5)
    await booth.say(1.0)
    await booth.until_quiet()
    booth.hang_up()
    assert booth.ending is not None
    await booth.ending
    turns = [(turn.speaker.value, turn.text, turn.keys) for turn in booth.turns]
    assert turns == [
        ("agent", "Hello.", ""),
        ("person", NOT_RECORDED, ""),
        ("agent", NOT_RECORDED, ""),
        ("person", NOT_RECORDED, ""),
        ("agent", NOT_RECORDED, ""),
        ("person", SECRET, ""),
        ("agent", "Bye.", ""),
    ], "the first words that anybody transcribed are those said behind the pause"
    assert [(turn.text, turn.audio, turn.keys) for turn in booth.mind.turns[:2]] == [(NOT_RECORDED, b"", "")] * 2
    assert all(turn.hidden for turn in booth.mind.turns[:2]) and not booth.mind.turns[2].hidden
    assert "4111" not in repr(booth.updates) and "Thank you" not in repr(booth.updates)
    recorded = (bytes(booth.recorder.person), bytes(booth.recorder.agent))
    assert len(recorded[0]) == len(recorded[1]) == len(booth.out) * FRAME_BYTES
    pause = slice((paused_at + 5) * FRAME_BYTES, (resumed_at - 5) * FRAME_BYTES)
    assert not any(recorded[0][pause]) and not any(recorded[1][pause])
    assert level_of(recorded[0][resumed_at * FRAME_BYTES :]) > 0.01
    person, agent = await _both(listener)
    assert tone(1.0, 300.0) in person
    assert len(person) < len(recorded[0])
    assert agent


async def test_a_sentence_that_was_made_before_the_pause_and_begins_in_it_is_not_kept() -> None:
    booth = await greeted(Mind("Hello.", [Say("This is said before."), Say("And this is said within.")]), "fine")
    await booth.say(0.5)
    await booth.until(lambda: booth.agent_speaks)
    await booth.wait(0.5)
    booth.conversation.controls.pause_recording()
    await booth.until(lambda: len(booth.turns) == 3)
    assert booth.turns[2].text == f"This is said before. {NOT_RECORDED}"
    assert "within" not in repr(booth.updates)
    booth.hang_up()


async def test_a_turn_that_ends_behind_the_pause_is_not_kept_either() -> None:
    booth = await greeted(Mind("Hello."), SECRET)
    booth.conversation.controls.pause_recording()
    await booth.say(1.0)
    booth.conversation.controls.resume_recording()
    await booth.until(lambda: len(booth.turns) == 2)
    assert booth.turns[1].text == NOT_RECORDED
    booth.hang_up()


async def test_a_brain_that_asks_for_discretion_is_told_everything_and_nobody_else_is() -> None:
    ask: list[BrainAction | Exception] = [Say("Your card number, please."), Discreet(True)]
    thank: list[BrainAction | Exception] = [
        Note("result", "A result", {"card": SECRET}),
        Say(f"You said {SECRET}."),
        Discreet(False),
        Say("Thank you."),
    ]
    booth = await greeted(Mind("Hello.", ask, thank, forkable=True), "pay", SECRET)
    await booth.say(1.0)
    await booth.until(lambda: len(booth.turns) == 3)
    await booth.wait(0.2)
    await booth.say(1.0)
    await booth.until(lambda: len(booth.turns) == 5)
    assert [turn.text for turn in booth.mind.turns if turn.number == 2][-1] == SECRET
    assert [turn.text for turn in booth.turns] == [
        "Hello.",
        "pay",
        "Your card number, please.",
        NOT_RECORDED,
        f"{NOT_RECORDED} Thank you.",
    ]
    assert SECRET not in repr(booth.updates)
    sentences = [update.text for update in booth.updates if isinstance(update, SentenceStarted)]
    assert sentences == ["Hello.", "Your card number, please.", NOT_RECORDED, "Thank you."]
    assert kinds(booth) == ["recording-paused", "result", "recording-resumed"]
    assert not booth.conversation.controls.standing.recording_paused
    booth.hang_up()


async def test_keys_the_agent_presses_are_not_kept_either() -> None:
    class Keypad:
        pressed = ""

        async def send_keys(self, keys: str) -> None:
            self.pressed += keys

        async def transfer(self, to: str, about: str) -> str:
            return to

    keypad = Keypad()
    mind = Mind("Hello.", [Discreet(True), SendKeys("4111"), Discreet(False)])
    booth = await greeted(mind, "go", control=keypad)
    await booth.say(1.0)
    await booth.until(lambda: kinds(booth)[-1:] == ["recording-resumed"])
    assert keypad.pressed == "4111"
    assert "4111" not in repr(booth.updates)
    booth.hang_up()


# ── when there is nobody to talk with ──────────────────────────────────────────────────────────────────────────────


async def test_when_it_is_over_nothing_can_be_done_any_more() -> None:
    booth = Booth(Mind("Hello."))
    controls = booth.conversation.controls
    with pytest.raises(WrongMoment):
        controls.say("Too early.")
    await booth.pick_up()
    await booth.until_quiet()
    supervisor = controls.take_over()
    controls.hold()
    booth.hang_up()
    await cast(asyncio.Task[object], booth.ending)
    assert [frame async for frame in supervisor.heard()] == []
    for verb in (controls.hold, controls.resume, controls.pause_recording, controls.listen_in, controls.take_over):
        with pytest.raises(WrongMoment):
            verb()
    with pytest.raises(WrongMoment):
        controls.whisper("Too late.")
    assert not any(vars(controls)[name] for name in ("_held", "_supervisor", "_listeners"))
