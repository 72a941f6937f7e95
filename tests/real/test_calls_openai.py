"""A call of the whole product through a real Asterisk in which a model's server decides what is said and done."""

from __future__ import annotations

from pathlib import Path

from tests.brains.n8n_server import body
from tests.brains.openai_server import ModelServer, error, says, uses
from tests.doubles import FakeSpeechToText, FakeTextToSpeech
from tests.real.premises import TIMEOUT, left_as_found, open_premises
from trunkline.brains import make_brain
from trunkline.rehearsal.openai_stand_in import openai_stand_in
from trunkline.settings import AgentSettings
from trunkline.settings.openai import OpenAISettings

KEY = "sk-test-4711"
LISTEN: dict[str, object] = {"wait_for_agent": {"silence_ms": 300}}
QUIET: dict[str, object] = {"wait_for_agent": {"silence_ms": 1000}}
"""Behind what may be a filler."""
SOON_MS = 2000
"""Of silence at the person's ear, at most."""
SPEAK: dict[str, object] = {"wav": "hm.wav", "text": "hm"}


async def test_words_and_the_end_of_a_call_come_of_a_model(tmp_path: Path) -> None:
    """The stand-in refuses what OpenAI would: the key, half a tool call, an unknown model."""
    script = make_brain(AgentSettings())
    async with openai_stand_in(script, FakeSpeechToText(), FakeTextToSpeech(), key=KEY, token_seconds=0.01) as url:
        model = {"base_url": url, "api_key": KEY, "model": "gpt-4o-mini"}
        greeting = "Does your appointment still suit you?"
        async with (
            open_premises(tmp_path, brain="openai", greeting=greeting, openai=model) as premises,
            left_as_found(premises) as office,
        ):
            office.ears.texts.extend(["No, can we move it?", "Next Thursday.", "At ten.", "Yes.", "No, thank you."])
            async with office.carrier(office.person(*[LISTEN, SPEAK] * 5, LISTEN)) as carrier:
                call = await office.ended(await office.call())
                report = await carrier.next_report(TIMEOUT)
    said = [turn["text"] for turn in call["turns"] if turn["speaker"] == "agent"]
    assert said[0] == greeting
    assert "Which day" in said[1] and "what time on Thursday" in said[2]
    assert call["hungUpBy"] == "agent" and report.agent_heard
    assert not [event for event in call["events"] if event["kind"].startswith("brain")]


async def test_whatever_a_models_server_does_the_person_hears_something_soon(tmp_path: Path) -> None:
    """One call, in which it is slow, too busy, broken, wrong about its tools, dead, stalled, and no model at all."""
    busy, broken, dead = error(429, "Rate limit reached."), error(500, "Oh."), says("The first sentence is", None)
    plays = [
        *(busy, busy),
        *(uses(("no_such_tool", {})), says("I can't do that.")),
        *(broken, broken),
        says("We are ", 0.4, "open from ", 0.4, "nine to ", 0.6, "five."),
        *(dead, dead),
        says("Fine."),
        says("Well", 60),
        body(b"[1, 2", 200, "application/json"),
    ]
    again, sorry, told = OpenAISettings().say_again, AgentSettings().sorry, [f"line {turn}" for turn in range(8)]
    async with ModelServer() as server:
        model = {"base_url": server.url, "api_key": KEY, "model": "small", "stall_seconds": 2.0}
        async with (
            open_premises(tmp_path, brain="openai", greeting="Hello.", openai=model) as premises,
            left_as_found(premises) as office,
        ):
            server.plays = plays
            office.ears.texts.extend(told)
            steps = [LISTEN, *[SPEAK, LISTEN] * 3, SPEAK, QUIET, *[SPEAK, LISTEN] * 2, SPEAK, QUIET, SPEAK, LISTEN]
            async with office.carrier(office.person(*steps)) as carrier:
                call_id = await office.call()
                await office.until(lambda: office.has_ended(call_id), timeout=3 * TIMEOUT)
                call, report = await office.get(call_id), await carrier.next_report(TIMEOUT)
    assert [turn["text"] for turn in call["turns"] if turn["speaker"] == "person"] == told
    said = [turn["text"].removeprefix("Let me see. ") for turn in call["turns"] if turn["speaker"] == "agent"]
    spoken = ["I can't do that.", "We are open from nine to five.", "Fine."]
    assert said == ["Hello.", again, spoken[0], again, spoken[1], again, spoken[2], again, sorry]
    assert not server.plays and (call["disposition"], call["hungUpBy"]) == ("answered", "agent")
    assert len(report.gaps_ms) == len(told) and max(report.gaps_ms) < SOON_MS
