"""What a busy machine leaves out, in its planned order, and that the conversation is still one."""

from __future__ import annotations

import pytest

from tests.conversation.booth import Booth, Mind
from trunkline.conversation.end_of_turn import EndOfTurn
from trunkline.models import Speaker
from trunkline.ports import BrainAction, LoadLevel, Say
from trunkline.settings import ListeningSettings

PAUSE = 0.4
"""Seconds: long enough for a guess, too short for the end of a turn."""


def booth_at(level: LoadLevel, *texts: str, answers: int = 1) -> Booth:
    """One in which everything can be guessed: the sound is that of an end, the brain can be forked."""
    says: list[list[BrainAction | Exception]] = [[Say("Good.")] for _ in range(answers)]
    booth = Booth(Mind("Hello.", *says, forkable=True), *texts, sound=0.9)
    booth.load.level = level
    return booth


async def hung_up(booth: Booth) -> None:
    booth.hang_up()
    await booth.until_over()


@pytest.mark.parametrize(
    ("level", "model", "speculation"),
    [(LoadLevel.NORMAL, True, True), (LoadLevel.NO_TURN_MODEL, False, True), (LoadLevel.NO_SPECULATION, False, False)],
)
async def test_first_the_model_is_left_out_then_everything_begun_in_a_pause(
    level: LoadLevel, model: bool, speculation: bool
) -> None:
    booth = booth_at(level, *["I would like to"] * speculation, "I would like to move it.")
    assert booth.turn_end is not None
    await booth.pick_up()
    await booth.until_quiet()
    await booth.say(0.6)
    await booth.wait(PAUSE)
    assert booth.turn_end.asked == model
    assert len(booth.ears.heard) == speculation
    assert ("Good." in booth.voice.synthesised) == speculation
    await booth.say(0.6)
    await booth.until(lambda: len(booth.turns) == 3)
    assert [turn.text for turn in booth.turns] == ["Hello.", "I would like to move it.", "Good."]
    assert booth.turn_end.asked == 2 * model
    assert len(booth.ears.heard) == 1 + speculation
    assert len(booth.mind.turns) == 1 + speculation
    await hung_up(booth)


@pytest.mark.parametrize(
    ("level", "silence"),
    [
        (LoadLevel.NORMAL, EndOfTurn().undecided_seconds),
        (LoadLevel.NO_TURN_MODEL, ListeningSettings().pause_seconds),
    ],
)
async def test_without_the_model_words_and_silence_decide(level: LoadLevel, silence: float) -> None:
    booth = Booth(Mind("Hello.", [Say("Good.")]), "Yes.", sound=0.0)
    booth.load.level = level
    await booth.pick_up()
    await booth.until_quiet()
    ended = await booth.say(0.6)
    await booth.until(lambda: booth.agent_speaks)
    assert booth.now - ended == pytest.approx(silence, abs=0.1)
    await hung_up(booth)


async def test_without_speculation_a_turn_is_over_after_the_silence_that_ends_one_without_words() -> None:
    booth = booth_at(LoadLevel.NO_SPECULATION, "Yes, please.")
    await booth.pick_up()
    await booth.until_quiet()
    ended = await booth.say(0.6)
    await booth.until(lambda: booth.agent_speaks)
    assert booth.now - ended == pytest.approx(EndOfTurn().undecided_seconds, abs=0.1)
    await booth.until(lambda: len(booth.turns) == 3)
    assert [turn.text for turn in booth.turns] == ["Hello.", "Yes, please.", "Good."]
    await hung_up(booth)


@pytest.mark.parametrize(("words", "cut_off"), [("Mm-hm.", False), ("Stop it, please.", True)])
async def test_without_speculation_an_interruption_is_understood_as_soon_as_ever(words: str, cut_off: bool) -> None:
    """The agent holds its tongue meanwhile: these words are needed at once."""
    long = "One two three four five six seven eight nine ten eleven twelve."
    booth = Booth(Mind("Hello.", [Say(long)], [Say("Very well.")], forkable=True), "go on", words)
    booth.load.level = LoadLevel.NO_SPECULATION
    await booth.pick_up()
    await booth.until_quiet()
    await booth.say(0.6)
    await booth.until(lambda: booth.agent_speaks)
    await booth.wait(1.0)
    await booth.say(0.4)
    assert not booth.agent_speaks
    await booth.until(lambda: len(booth.ears.heard) == 2, seconds=ListeningSettings().pause_seconds + 0.1)
    assert "Very well." not in booth.voice.synthesised, "what it leads to waits until the turn is over"
    await booth.until(lambda: len([turn for turn in booth.turns if turn.speaker is Speaker.AGENT]) == 2)
    answer = [turn for turn in booth.turns if turn.speaker is Speaker.AGENT][1]
    assert answer.cut_off is cut_off
    if cut_off:
        await booth.until(lambda: booth.turns[-1].text == "Very well.")
    await hung_up(booth)


async def test_what_is_left_out_comes_back_within_the_call() -> None:
    booth = booth_at(LoadLevel.NO_SPECULATION, "Yes, please.", "No, thanks.", answers=2)
    assert booth.turn_end is not None
    await booth.pick_up()
    await booth.until_quiet()
    await booth.say(0.6)
    await booth.until_quiet()
    assert booth.turn_end.asked == 0
    booth.load.level = LoadLevel.NORMAL
    await booth.say(0.6)
    await booth.until_quiet()
    assert booth.turn_end.asked == 1
    assert [turn.text for turn in booth.mind.turns] == ["Yes, please.", "No, thanks."]
    await hung_up(booth)
