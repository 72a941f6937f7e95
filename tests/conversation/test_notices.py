"""What people have to be told first: heard to its end, before anything else, and before anything is recorded."""

from __future__ import annotations

import pytest

from tests.conversation.booth import Booth, Mind
from tests.doubles import level_of
from trunkline.audio import FRAME_BYTES, bytes_of
from trunkline.conversation.prompts import Notice
from trunkline.events import CallNoted, GreetingStarted
from trunkline.models import Speaker
from trunkline.ports import HangUp, Say
from trunkline.settings import NoticeSettings

TEXT = "This is an automated assistant. This call is recorded."
NOTICE = Notice(TEXT, record_after=True)
SECONDS = 0.06 * (len("This is an automated assistant.") + len("This call is recorded."))
"""So long the booth's voice takes for it."""


def notes(booth: Booth) -> list[str]:
    return [update.event.kind for update in booth.updates if isinstance(update, CallNoted)]


def first_sound(pcm: bytes | bytearray) -> float:
    """Seconds until something is heard in it; its length where nothing is."""
    for start in range(0, len(pcm), FRAME_BYTES):
        if level_of(bytes(pcm[start : start + FRAME_BYTES])) > 0.01:
            return start / bytes_of(1.0)
    return len(pcm) / bytes_of(1.0)


async def test_the_person_is_told_before_they_are_greeted() -> None:
    booth = Booth(Mind("Hello there."), notice=NOTICE)
    await booth.pick_up()
    await booth.until(lambda: len(booth.turns) == 2)
    assert [(turn.speaker, turn.text) for turn in booth.turns] == [
        (Speaker.AGENT, TEXT),
        (Speaker.AGENT, "Hello there."),
    ]
    assert notes(booth) == ["notice"]
    # Whatever is heard first counts as the greeting, and both were made while the phone rang.
    started = [update.greeting_ms for update in booth.updates if isinstance(update, GreetingStarted)]
    assert len(started) == 1 and started[0] <= 40
    gap = booth.turns[1].started - booth.turns[0].ended
    assert 0 < gap < 0.25
    booth.hang_up()
    await booth.until_over()


async def test_nothing_is_recorded_before_they_were_told() -> None:
    booth = Booth(Mind("Hello there."), notice=NOTICE)
    await booth.pick_up()
    await booth.say(1.0)
    assert notes(booth) == []
    await booth.until(lambda: len(booth.turns) == 2)
    await booth.say(0.5)
    booth.hang_up()
    await booth.until_over()
    assert len(booth.recorder.person) == len(booth.recorder.agent)
    assert first_sound(booth.recorder.agent) == pytest.approx(SECONDS + 0.16, abs=0.1)
    assert first_sound(booth.recorder.person) > SECONDS
    # The times of the transcript stay those of the recording.
    assert first_sound(booth.recorder.agent) == pytest.approx(booth.turns[1].started, abs=0.1)


async def test_the_recording_begins_with_the_call_where_that_is_wanted() -> None:
    booth = Booth(Mind("Hello there."), notice=Notice(TEXT, record_after=False))
    await booth.pick_up()
    await booth.until(lambda: len(booth.turns) == 2)
    booth.hang_up()
    await booth.until_over()
    assert first_sound(booth.recorder.agent) < 0.1


async def test_speech_and_keys_do_not_interrupt_it_and_the_greeting_is_heard() -> None:
    mind = Mind("Hello there.", [Say("I see.")])
    booth = Booth(mind, "I want a doctor", notice=NOTICE)
    await booth.pick_up()
    await booth.wait(0.5)
    await booth.say(1.5)  # "Hello? Hello?"
    booth.press("1")
    await booth.until(lambda: len(booth.turns) >= 2)
    told, greeted = booth.turns[:2]
    assert (told.text, told.cut_off) == (TEXT, False)
    assert told.ended - told.started == pytest.approx(SECONDS, abs=0.05)
    assert (greeted.text, greeted.cut_off) == ("Hello there.", False)
    booth.hang_up()
    await booth.until_over()


async def test_the_greeting_behind_it_can_be_interrupted() -> None:
    booth = Booth(Mind("Hello there, this is a long greeting for you."), "Stop please", notice=NOTICE)
    await booth.pick_up()
    await booth.until(lambda: notes(booth) == ["notice"])
    await booth.wait(1.5)
    await booth.say(1.5)
    await booth.until(lambda: len(booth.turns) >= 3)
    assert [turn.intended for turn in booth.turns if turn.cut_off] == [booth.mind.greeting]
    booth.hang_up()
    await booth.until_over()


async def test_who_hangs_up_meanwhile_is_not_recorded() -> None:
    booth = Booth(Mind("Hello there."), notice=NOTICE)
    await booth.pick_up()
    await booth.say(2.0)
    booth.hang_up()
    await booth.until_over()
    assert notes(booth) == []
    assert booth.turns[0].cut_off
    assert not any(booth.recorder.person) and not any(booth.recorder.agent)
    assert booth.recorder.closed


async def test_a_call_that_ends_with_its_greeting_tells_it_first() -> None:
    class Closed(Mind):
        async def greet(self):  # type: ignore[no-untyped-def]
            yield Say("We are closed.")
            yield HangUp()

    booth = Booth(Closed(), notice=NOTICE)
    await booth.pick_up()
    await booth.until_over()
    assert [turn.text for turn in booth.turns] == [TEXT, "We are closed."]


async def test_without_a_notice_all_is_recorded() -> None:
    booth = Booth(Mind("Hello there."))
    await booth.pick_up()
    await booth.until(lambda: len(booth.turns) == 1)
    booth.hang_up()
    await booth.until_over()
    assert first_sound(booth.recorder.agent) < 0.1
    assert notes(booth) == []


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("+4930123456", "Guten Tag."),
        ("+14155550123", "Hello."),
        ("+16045550123", ""),  # Canada, which shares its code with the United States
        ("+33123456789", "Hello."),
        ("anonymous", "Hello."),
        ("100", "Hello."),
        ("+88213300000", "Hello."),
    ],
)
def test_the_text_goes_by_the_country_of_the_number(number: str, text: str) -> None:
    notices = NoticeSettings(text="Hello.", countries={"DE": "Guten Tag.", "CA": ""})
    assert notices.text_for(number) == text
