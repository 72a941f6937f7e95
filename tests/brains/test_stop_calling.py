"""Who asks not to be called any more, and who only uses the same words."""

from __future__ import annotations

import pytest

from tests.conversation.booth import Booth, Mind
from trunkline.brains.stop_calling import HeedsStop, asks_to_stop
from trunkline.events import CallNoted
from trunkline.ledger import STOP_CALLING
from trunkline.models import CallId, Direction, HangUpBy
from trunkline.ports import BrainSession, CallBriefing, Commit, HangUp, Note, PersonTurn, Say


@pytest.mark.parametrize(
    "text",
    [
        "Stop calling me.",
        "stop calling me",
        "Please stop calling.",
        "No, please, stop calling me!",
        "Can you please stop calling me?",
        "Will you stop calling us?",
        "I want you to stop calling me.",
        "I told you to stop calling this number.",
        "Why don't you stop calling me?",
        "You need to stop calling here.",
        "Quit calling my house, will you?",
        "If you don't stop calling me, I will report you.",
        "Don't call me again.",
        "Don\u2019t ever call me again.",
        "dont call me anymore",
        "Do not call this number any more.",
        "Never call me again.",
        "Please don't call me.",
        "Take me off your list.",
        "Remove my number from your list, please.",
        "Remove me from your calling list.",
        "Get me off this list!",
        "Delete my number from your database.",
        "Put me on your do-not-call list.",
        "Please add me to the do not call list.",
        "Lose my number.",
        "I don't want to be called again.",
        "I don't want you to call me anymore.",
        "I do not want any more calls from you.",
        "Who is this? I'm not interested, stop bothering me.",
    ],
)
def test_who_asks_is_heard(text: str) -> None:
    assert asks_to_stop(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Why did you stop calling me?",
        "When did you stop calling me?",
        "Please don't stop calling me.",
        "Tell them to stop calling me.",
        "I told him to stop calling me.",
        "My ex should be told, they must stop calling me.",
        "They need to stop calling me.",
        "I asked my brother to stop calling me.",
        "I wish people would stop calling me.",
        "Don't call me before nine.",
        "Don't call me at work, call my mobile.",
        "Don't call me Bob, it's Robert.",
        "You can call me again tomorrow.",
        "I can't call you again.",
        "Could you call me back?",
        "Take the second one off the list.",
        "Is there a waiting list?",
        "Put me on the list for Monday.",
        "I never called you.",
        "Stop, that's enough.",
        "I don't want the appointment any more.",
        "My number is on the list.",
        "I have lost my number plate.",
        "Don't contact the insurance again.",
    ],
)
def test_who_only_uses_the_words_is_not(text: str) -> None:
    assert not asks_to_stop(text)


async def opened(mind: Mind) -> BrainSession:
    class Only:
        async def open(self, briefing: CallBriefing) -> BrainSession:
            return mind

        async def close(self) -> None: ...

    briefing = CallBriefing(CallId("x"), Direction.OUTBOUND, "me", "+14155550100")
    return await HeedsStop(Only(), "Goodbye.").open(briefing)


async def test_the_request_is_noted_and_answered_without_the_brain() -> None:
    session = await opened(mind := Mind("Hello."))
    said = [action async for action in session.reply(PersonTurn(1, "Stop calling me.", b""))]
    assert [type(action) for action in said] == [Commit, Note, Say, HangUp]
    assert isinstance(said[1], Note) and said[1].kind == STOP_CALLING
    assert said[2] == Say("Goodbye.")
    assert mind.turns == []


async def test_everything_else_is_the_brains() -> None:
    session = await opened(mind := Mind("Hello.", [Say("At nine.")], forkable=True))
    assert [action async for action in session.greet()] == [Say("Hello.")]
    fork = session.fork()
    assert fork is not None
    assert [action async for action in fork.reply(PersonTurn(1, "When?", b""))] == [Say("At nine.")]
    session.turn_ahead()
    await session.close()
    assert mind.turns_ahead == 1 and mind.closed


async def test_the_person_hears_the_answer_and_the_call_ends() -> None:
    mind = Mind("Hello.")
    booth = Booth(await opened(mind), "No. Please stop calling me.")  # type: ignore[arg-type]
    await booth.pick_up()
    await booth.until_quiet()
    await booth.say(1.0)
    ending = await booth.until_over()
    assert ending.by is HangUpBy.AGENT
    assert [turn.text for turn in booth.turns] == ["Hello.", "No. Please stop calling me.", "Goodbye."]
    assert [note.event.kind for note in booth.updates if isinstance(note, CallNoted)] == [STOP_CALLING]
    assert mind.turns == []


async def test_what_nobody_may_know_is_not_looked_at() -> None:
    session = await opened(Mind("Hello.", [Say("Thank you.")]))
    turn = PersonTurn(1, "Stop calling me.", b"", hidden=True)
    assert [action async for action in session.reply(turn)] == [Say("Thank you.")]
