"""What an agent does beside saying sentences: audio of its own, keys, transfers; and how pauses in it are bridged."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from tests.conversation.booth import Booth, Mind
from tests.doubles import tone
from trunkline.errors import InvalidNumber, TrunklineError
from trunkline.events import CallNoted
from trunkline.ports import BrainAction, Commit, HangUp, Note, Play, Say, SendKeys, Transfer
from trunkline.settings import AgentSettings, N8nSettings


async def test_without_transcription_the_sound_alone_ends_turns_and_takes_the_floor() -> None:
    agent = AgentSettings(brain="n8n", transcribe=False, n8n=N8nSettings(webhook_url="http://127.0.0.1:1/webhook/x"))
    booth = Booth(Mind("Hello.", [Say("A long answer that takes its time to be said.")]), "unused", agent=agent)
    await booth.pick_up()
    await booth.until_quiet()
    await booth.say(0.3)  # a "yes"
    await booth.until(lambda: booth.agent_speaks)
    assert booth.mind.turns[0].text == "" and booth.mind.turns[0].audio
    assert booth.mind.turns_ahead >= 1
    assert not booth.ears.heard, "nothing is transcribed"
    await booth.wait(1.0)
    await booth.say(0.8)
    await booth.until(lambda: len(booth.mind.turns) == 2)
    assert booth.turns[2].cut_off
    assert booth.mind.turns[1].heard is not None
    booth.hang_up()


async def test_a_brain_that_commits_is_not_asked_to_go_on_before_the_turn_is_over() -> None:
    answer: list[BrainAction | Exception] = [Commit(), Note("booked", "It is booked."), Say("It is booked.")]
    booth = Booth(Mind("Hello.", answer, forkable=True), "I would", "I would like to move it.")
    await booth.pick_up()
    await booth.until_quiet()
    await booth.say(0.5)
    await booth.wait(0.3)
    assert len(booth.mind.turns) == 1, "it was asked in the pause"
    assert not [update for update in booth.updates if isinstance(update, CallNoted)]
    await booth.say(0.5)
    await booth.until(lambda: len(booth.turns) == 3)
    assert [update.event.kind for update in booth.updates if isinstance(update, CallNoted)] == ["booked"]
    booth.hang_up()


class Line:
    """What the agent does with its call; refuses what `refuse` says."""

    def __init__(self, refuse: TrunklineError | None = None) -> None:
        self.refuse = refuse
        self.booth: Booth | None = None
        self.done: list[tuple[str, float]] = []
        """What, and how many seconds of sound the agent had sent by then."""

    async def send_keys(self, keys: str) -> None:
        self._do(f"keys {keys}")

    async def transfer(self, to: str, about: str) -> str:
        self._do(f"transfer {to}")
        return to

    def _do(self, what: str) -> None:
        if self.refuse is not None:
            raise self.refuse
        assert self.booth is not None
        self.done.append((what, self.booth.seconds_heard))


def booth_with(line: Line, mind: Mind, *texts: str) -> Booth:
    line.booth = Booth(mind, *texts, control=line)
    return line.booth


async def asked(booth: Booth) -> None:
    await booth.pick_up()
    await booth.until_quiet()
    await booth.say(1.0)


async def test_keys_are_pressed_when_what_was_said_before_has_been_heard() -> None:
    line = Line()
    booth = booth_with(line, Mind("Hello.", [Say("One moment please."), SendKeys("12#"), Say("Done.")]), "go on")
    await asked(booth)
    await booth.until(lambda: len(booth.turns) == 3)
    [(what, heard)] = line.done
    assert what == "keys 12#"
    assert heard == pytest.approx(0.06 * len("Hello.One moment please."), abs=0.04)
    assert booth.turns[2].text == "One moment please. Done."
    assert [note.event.kind for note in booth.updates if isinstance(note, CallNoted)] == ["keys-sent"]
    booth.hang_up()


async def test_a_transfer_follows_the_last_word_and_ends_the_conversation() -> None:
    line = Line()
    mind = Mind("Hello.", [Say("I will put you through."), Transfer("+14155550177"), Say("Never said.")])
    booth = booth_with(line, mind, "x")
    await asked(booth)
    ending = await booth.until_over()
    assert ending.transferred_to == "+14155550177"
    [(what, heard)] = line.done
    assert what == "transfer +14155550177"
    assert heard == pytest.approx(0.06 * len("Hello.I will put you through."), abs=0.04)
    assert booth.turns[-1].text == "I will put you through."


async def test_a_transfer_that_is_refused_is_told_and_the_conversation_goes_on() -> None:
    mind = Mind("Hello.", [Transfer("911")], [Say("Still here."), HangUp()])
    booth = booth_with(Line(InvalidNumber("no")), mind, "x", "y")
    await asked(booth)
    await booth.until(lambda: len(booth.turns) == 3)
    assert booth.turns[2].text == AgentSettings().transfer_failed
    await booth.say(1.0)
    assert (await booth.until_over()).transferred_to is None
    assert booth.turns[-1].text == "Still here."


async def test_audio_of_the_brains_own_is_heard_while_it_arrives_and_a_pause_in_it_is_bridged() -> None:
    more = asyncio.Event()

    async def audio() -> AsyncGenerator[bytes, None]:
        yield tone(1.0)
        await more.wait()
        yield tone(0.5)

    booth = Booth(Mind("Hello.", [Play(audio(), "Our hours."), HangUp()]), "x")
    await asked(booth)
    await booth.until(lambda: booth.agent_speaks)
    await booth.wait(1.1)
    assert not booth.agent_speaks
    await booth.until(lambda: booth.agent_speaks, 1.6)  # "one moment, please"
    more.set()
    await booth.until_over()
    assert booth.turns[-1].text == f"{AgentSettings().hold_on} Our hours."


async def test_audio_that_is_interrupted_is_given_up() -> None:
    closed = asyncio.Event()

    async def audio() -> AsyncGenerator[bytes, None]:
        try:
            while True:
                yield tone(0.5)
                await asyncio.sleep(0)
        finally:
            closed.set()

    booth = Booth(Mind("Hello.", [Play(audio(), "Music without an end.")]), "x", "please stop it now")
    await asked(booth)
    await booth.until(lambda: booth.agent_speaks)
    await booth.say(1.2)
    await booth.until(closed.is_set, 3)
    assert closed.is_set()
    booth.hang_up()


async def test_a_greeting_that_is_late_is_bridged() -> None:
    there = asyncio.Event()

    class Slow(Mind):
        async def greet(self) -> AsyncGenerator[BrainAction, None]:
            await there.wait()
            yield Say("Good morning.")

    booth = Booth(Slow())
    preparing = asyncio.create_task(booth.conversation.prepare())
    booth.ending = asyncio.create_task(booth.conversation.hold(booth, booth.recorder))
    await booth.wait(0.2)
    await booth.until(lambda: booth.agent_speaks, 1.5)
    there.set()
    await booth.until(lambda: len(booth.turns) == 1)
    assert booth.turns[0].text == f"{AgentSettings().hold_on} Good morning."
    await preparing
    booth.hang_up()
