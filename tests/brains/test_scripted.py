from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import datetime

import pytest

from trunkline.brains import make_brain
from trunkline.brains.script_file import parse
from trunkline.brains.scripted import ScriptedBrain
from trunkline.errors import SettingsError
from trunkline.models import CallId, Direction
from trunkline.ports import (
    RESULT,
    Brain,
    BrainAction,
    BrainSession,
    CallBriefing,
    Discreet,
    HangUp,
    Note,
    PersonTurn,
    Say,
)
from trunkline.settings import AgentSettings

NOW = datetime(2026, 2, 9, 10)
SURVEY = """
greeting: Hello, this is a computer calling for {business}.
slots:
  happy: yes_no
  guests: {kind: number, least: 1, most: 20, refuse: We have room for one to twenty.}
  guest: name
  wish: text
steps:
  happy: {ask: "Were you happy with us?", needs: happy, then: guests}
  guests: {ask: "How many were you?", needs: guests, then: who}
  who: {ask: "What's your name?", needs: guest, then: wish}
  wish: {ask: "Anything you would like to tell us, {guest}?", needs: wish, then: thanks}
  thanks:
    say: "{guest}, {guests} guests, happy: {happy}. You said: {wish} Thank you. Goodbye."
    end: true
"""


def briefing(**changes: object) -> CallBriefing:
    known: dict[str, object] = {
        "call_id": CallId("6f9619ff-8b86-4011-b42d-00c04fc964ff"),
        "direction": Direction.OUTBOUND,
        "agent": "reception",
        "number": "+14155550100",
    }
    return CallBriefing(**(known | changes))  # type: ignore[arg-type]


async def collect(actions: AsyncGenerator[BrainAction, None]) -> list[BrainAction]:
    return [action async for action in actions]


def turn(number: int, text: str = "", keys: str = "") -> PersonTurn:
    return PersonTurn(number=number, text=text, audio=b"", keys=keys)


async def converse(session: BrainSession, *texts: str, first: int = 1) -> list[BrainAction]:
    actions: list[BrainAction] = []
    for number, text in enumerate(texts, first):
        actions = await collect(session.reply(turn(number, text)))
    return actions


async def test_the_brain_of_the_default_agent_speaks_sentence_by_sentence_and_hangs_up() -> None:
    brain: Brain = make_brain(AgentSettings(), clock=lambda: NOW)
    session = await brain.open(briefing(variables={"name": "Anna"}))
    assert await collect(session.greet()) == [
        Say("Hello Anna, this is the automated assistant of Harbour Street Dental."),
        Say("I'm calling about your appointment on Wednesday the eighteenth at half past ten."),
        Say("Does that still suit you?"),
    ]
    assert await collect(session.reply(turn(1, "Yes."))) == [
        Say("Wonderful, we'll see you on Wednesday the eighteenth at half past ten."),
        Say("Goodbye, Anna."),
        HangUp(),
    ]
    assert await collect(session.reply(turn(2, "Hello?"))) == [HangUp()]
    await session.close()
    await brain.close()


async def test_variables_of_the_call_go_before_those_of_the_agent() -> None:
    agent = AgentSettings(variables={"business": "Hillside Hair", "name": "Bob"})
    session = await make_brain(agent).open(briefing(variables={"name": "Anna"}))
    greeting = (await collect(session.greet()))[0]
    assert greeting == Say("Hello Anna, this is the automated assistant of Hillside Hair.")


@pytest.mark.parametrize(
    ("agents", "calls", "spoken"),
    [
        ("Hi {name}, are you coming?", None, ["Hi Anna, are you coming?"]),
        ("Hi {name}.", None, ["Hi Anna.", "Does that still suit you?"]),
        ("Hi {name}.", "Good day[ {title}], is it you?", ["Good day, is it you?"]),
        (None, "A { brace, {unknown}?", ["A { brace,?"]),
    ],
)
async def test_a_greeting_of_the_agent_or_the_call_replaces_the_scripts(
    agents: str | None, calls: str | None, spoken: list[str]
) -> None:
    brain = make_brain(AgentSettings(greeting=agents))
    session = await brain.open(briefing(script=calls, variables={"name": "Anna"}))
    assert await collect(session.greet()) == [Say(text) for text in spoken]


async def test_a_turn_that_went_on_is_answered_afresh() -> None:
    session = await make_brain(AgentSettings(), clock=lambda: NOW).open(briefing())
    await collect(session.reply(turn(1, "Move it to Thursday")))
    first = await collect(session.reply(turn(1, "Move it to Thursday at three")))
    assert Say("So that's Thursday the twelfth at three o'clock.") in first
    assert await collect(session.reply(turn(1, "Yes"))) != first
    assert HangUp() in await collect(session.reply(turn(1, "Yes")))


async def test_a_reply_that_was_cut_short_has_still_been_made() -> None:
    session = await make_brain(AgentSettings(), clock=lambda: NOW).open(briefing())
    reply = session.reply(turn(1, "No."))
    await anext(reply)
    await reply.aclose()
    assert await collect(session.reply(turn(2, "Thursday"))) == [
        Say("And at what time on Thursday the twelfth?"),
        Note(RESULT, "The person told: new_day.", {"new_day": "2026-02-12"}),
    ]


async def test_calls_share_nothing() -> None:
    brain = make_brain(AgentSettings(), clock=lambda: NOW)
    one, two = await brain.open(briefing()), await brain.open(briefing())
    await collect(one.reply(turn(1, "Cancel it.")))
    assert HangUp() in await collect(one.reply(turn(2, "Yes.")))
    assert "we'll see you" in str(await collect(two.reply(turn(1, "Yes."))))


async def test_the_same_call_says_the_same_again_and_other_calls_vary() -> None:
    brain = make_brain(AgentSettings(), clock=lambda: NOW)
    said = set()
    for number in range(20):
        replies = []
        for _ in range(2):
            session = await brain.open(briefing(call_id=CallId(f"call-{number}")))
            replies.append(str(await collect(session.reply(turn(1, "No.")))))
        assert replies[0] == replies[1]
        said.add(replies[0])
    assert len(said) > 1


async def test_every_kind_of_slot() -> None:
    session = await ScriptedBrain(parse(SURVEY, "survey.yaml")).open(briefing())
    actions = await converse(session, "Yes, very much", "There were four of us", "four", "It's anna lee", "Nice bread!")
    assert "Anna Lee, 4 guests, happy: yes." in str(actions)
    assert Say("You said: Nice bread!") in actions
    assert actions[-1] == HangUp()


async def test_a_value_out_of_bounds_is_refused_with_the_scripts_words() -> None:
    session = await ScriptedBrain(parse(SURVEY, "survey.yaml")).open(briefing())
    assert await converse(session, "No", "a hundred") == [
        Say("We have room for one to twenty."),
        Say("How many were you?"),
    ]


async def test_small_talk_is_heard_while_a_name_or_free_text_is_expected_only_alone() -> None:
    session = await ScriptedBrain(parse(SURVEY, "survey.yaml")).open(briefing())
    disclosure = await converse(session, "Yes", "two", "Are you a robot?")
    assert disclosure[0] == Say("Yes, I'm a computer: an automated assistant, not a human being.")
    assert disclosure[-1] == Say("What's your name?")
    thanks = await converse(session, "Anna", "Thank you for everything, the staff said goodbye so kindly.", first=4)
    assert "the staff said goodbye so kindly" in str(thanks)


async def test_yes_and_no_by_key() -> None:
    session = await ScriptedBrain(parse(SURVEY, "survey.yaml")).open(briefing())
    assert await collect(session.reply(turn(1, keys="2"))) == [
        Say("How many were you?"),
        Note(RESULT, "The person told: happy.", {"happy": "no"}),
    ]
    assert await collect(session.reply(turn(2, keys="12#"))) == [
        Say("What's your name?"),
        Note(RESULT, "The person told: guests.", {"guests": "12"}),
    ]


def test_a_bad_script_is_refused_at_start() -> None:
    with pytest.raises(SettingsError, match="no-such-file"):
        make_brain(AgentSettings(script="no-such-file.yaml"))


PAYMENT = """
greeting: Hello.
slots:
  card: {kind: number, least: 1000, most: 9999, refuse: Four digits.}
steps:
  card: {ask: "Your card number?", needs: card, then: thanks, discreet: true}
  thanks: {say: "Thank you for {card}.", ask: "Anything else?", on: {"no": bye}}
  bye: {say: Goodbye., end: true}
"""
NEVER, AGAIN = Discreet(True), Discreet(False)


async def test_nothing_is_kept_in_a_discreet_step() -> None:
    session = await ScriptedBrain(parse(PAYMENT, "payment.yaml"), clock=lambda: NOW).open(briefing())
    assert await collect(session.greet()) == [NEVER, Say("Hello."), Say("Your card number?")]
    refused = await collect(session.reply(turn(1, "seven")))
    assert Say("Four digits.") in refused and not {NEVER, AGAIN} & set(refused), "it goes on"
    told = await collect(session.reply(turn(2, keys="4111")))
    assert told[-1] == AGAIN and told.count(AGAIN) == 1, "the number may be said in the answer"
    assert "4111" in str(told) and not any(isinstance(action, Note) for action in told)
    assert not {NEVER, AGAIN} & set(await collect(session.reply(turn(3, "What?"))))


async def test_an_answer_that_was_to_end_it_and_was_interrupted_is_made_up_for() -> None:
    session = await ScriptedBrain(parse(PAYMENT, "payment.yaml"), clock=lambda: NOW).open(briefing())
    await collect(session.greet())
    reply = session.reply(turn(1, keys="4111"))
    await anext(reply)
    await reply.aclose()
    assert (await collect(session.reply(turn(2, "No."))))[0] == AGAIN


async def test_what_others_see_to_is_not_answered() -> None:
    session = await make_brain(AgentSettings(), clock=lambda: NOW).open(briefing())
    assert await collect(session.reply(PersonTurn(1, "[not recorded]", b"", hidden=True))) == []
    assert await collect(session.reply(turn(2, "Yes."))) != []
