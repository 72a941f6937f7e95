"""Conversations in a crowd, beside music, on hold: what isn't the person is neither a turn nor an interruption."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable

import pytest

from tests.conversation.booth import Booth, Mind
from trunkline.audio import FRAME_SECONDS, SILENCE
from trunkline.models import HangUpBy, Speaker
from trunkline.ports import Say
from trunkline.settings import AgentSettings, ListeningSettings

CROWD = 0.03
"""Amplitude of voices that never cease; whoever speaks into the telephone is at 0.3."""
LONG = "One two three four five six seven eight nine ten eleven twelve thirteen fourteen."
HURRIED = ListeningSettings(silent_caller_seconds=2.0)


class NoisyBooth(Booth):
    """There is a crowd behind the person, from the first frame on."""

    async def wait(self, seconds: float) -> None:
        await self.say(seconds, CROWD)

    async def until(self, condition: Callable[[], bool], seconds: float = 30.0) -> None:
        deadline = self.now + seconds
        while not condition():
            assert self.now < deadline, f"not within {seconds} s: {self.updates}"
            await self.say(FRAME_SECONDS, CROWD)


@pytest.fixture
async def booths() -> AsyncGenerator[list[Booth], None]:
    """Whoever is put in here hangs up in the end."""
    held: list[Booth] = []
    yield held
    for booth in held:
        booth.hang_up()
        await booth.until_over()


async def test_a_crowd_does_not_interrupt_the_agent(booths: list[Booth]) -> None:
    booths.append(booth := NoisyBooth(Mind(LONG), "you know", "and then", "so I said"))
    await booth.pick_up()
    await booth.until(lambda: len(booth.turns) == 1)
    assert booth.turns[0].text == LONG
    first = next(index for index, frame in enumerate(booth.out) if frame is not SILENCE)
    last = max(index for index, frame in enumerate(booth.out) if frame is not SILENCE)
    assert SILENCE not in booth.out[first : last + 1], "nor does it make it hesitate"


async def test_a_crowd_is_asked_as_often_as_silence_is() -> None:
    booth = NoisyBooth(Mind("Hello."), listening=HURRIED)
    await booth.pick_up()
    assert (await booth.until_over()).by is HangUpBy.AGENT
    agent = AgentSettings()
    assert [turn.text for turn in booth.turns] == ["Hello.", agent.ask_again, agent.ask_again, agent.farewell_silent]


async def test_in_a_crowd_the_person_is_heard_and_the_end_of_their_turn_too(booths: list[Booth]) -> None:
    booths.append(booth := NoisyBooth(Mind("Hello.", [Say("Good.")]), "Yes, please."))
    await booth.pick_up()
    await booth.until_quiet()
    await booth.wait(1.0)
    ended = await booth.say(0.8)
    await booth.until(lambda: booth.agent_speaks)
    assert booth.now - ended < 1.0
    assert [turn.text for turn in booth.mind.turns] == ["Yes, please."]


async def test_in_a_crowd_the_person_interrupts(booths: list[Booth]) -> None:
    booths.append(booth := NoisyBooth(Mind(LONG, [Say("Sorry.")]), "stop it"))
    await booth.pick_up()
    await booth.wait(1.5)
    speaking = [booth.agent_speaks]
    await booth.say(0.16)
    speaking.append(booth.agent_speaks)
    assert speaking == [True, False]
    await booth.say(0.6)
    await booth.until(lambda: len(booth.turns) == 3)
    assert booth.turns[0].cut_off
    assert booth.turns[1].text == "stop it"


@pytest.mark.parametrize(("confidence", "interrupts"), [(0.9, True), (0.4, False)])
async def test_in_a_crowd_words_over_the_agent_have_to_be_sure(
    booths: list[Booth], monkeypatch: pytest.MonkeyPatch, confidence: float, interrupts: bool
) -> None:
    booths.append(booth := NoisyBooth(Mind(LONG, [Say("Sorry.")]), "stop it"))
    monkeypatch.setattr(booth.ears, "_confidence", confidence)
    await booth.pick_up()
    await booth.wait(1.5)
    await booth.say(0.4)
    await booth.until(lambda: bool(booth.turns))
    assert booth.turns[0].cut_off is interrupts


async def test_in_a_crowd_any_words_are_an_answer(booths: list[Booth], monkeypatch: pytest.MonkeyPatch) -> None:
    booths.append(booth := NoisyBooth(Mind("Hello.", [Say("Good.")]), "nine"))
    monkeypatch.setattr(booth.ears, "_confidence", 0.4)
    await booth.pick_up()
    await booth.until_quiet()
    await booth.wait(1.0)
    await booth.say(0.4)
    await booth.until(lambda: bool(booth.mind.turns))
    assert booth.mind.turns[0].text == "nine"


async def test_a_swell_of_the_crowd_is_a_hesitation_and_the_next_one_is_not_even_that(booths: list[Booth]) -> None:
    booths.append(booth := NoisyBooth(Mind(LONG)))
    await booth.pick_up()
    await booth.wait(1.0)
    hesitated = []
    for _ in range(2):
        await booth.say(0.2, amplitude=0.15)
        hesitated.append(not booth.agent_speaks)
        await booth.wait(0.6)
        hesitated.append(not booth.agent_speaks)
    assert hesitated == [True, False, False, False]
    await booth.until(lambda: len(booth.turns) == 1)
    assert not booth.turns[0].cut_off


async def test_noises_are_no_answer_to_are_you_still_there() -> None:
    booth = Booth(Mind("Hello."), listening=HURRIED)
    await booth.pick_up()
    agent = AgentSettings()
    assert booth.ending is not None
    while not booth.ending.done():
        await booth.wait(0.9)
        await booth.say(0.2)
        assert booth.now - booth.start < 60
    texts = [turn.text for turn in booth.turns if turn.speaker is Speaker.AGENT]
    assert texts == ["Hello.", agent.ask_again, agent.ask_again, agent.farewell_silent]
    assert not booth.mind.turns


async def test_an_answer_in_words_is_one(booths: list[Booth]) -> None:
    booths.append(booth := Booth(Mind("Hello."), "yes", listening=HURRIED))
    await booth.pick_up()
    asked = AgentSettings().ask_again
    await booth.until(lambda: asked in [turn.text for turn in booth.turns])
    await booth.say(0.6)
    await booth.until(lambda: [turn.text for turn in booth.turns].count(asked) == 3)
    assert [turn.text for turn in booth.mind.turns] == ["yes"]


async def test_who_asked_for_a_moment_is_not_asked_soon(booths: list[Booth]) -> None:
    booths.append(booth := Booth(Mind("Hello.", [Say("Sure.")]), "Can you hold on a second?", listening=HURRIED))
    await booth.pick_up()
    await booth.until_quiet()
    await booth.say(0.8)
    await booth.until(lambda: "Sure." in [turn.text for turn in booth.turns])
    await booth.wait(20.0)
    assert booth.turns[-1].text == "Sure."
    await booth.wait(15.0)
    assert AgentSettings().ask_again in [turn.text for turn in booth.turns]
