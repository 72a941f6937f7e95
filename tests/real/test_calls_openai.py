"""A call of the whole product through a real Asterisk in which a model's server decides what is said and done."""

from __future__ import annotations

from pathlib import Path

from tests.doubles import FakeSpeechToText, FakeTextToSpeech
from tests.real.premises import TIMEOUT, left_as_found, open_premises
from trunkline.brains import make_brain
from trunkline.rehearsal.openai_stand_in import openai_stand_in
from trunkline.settings import AgentSettings

KEY = "sk-test-4711"
LISTEN: dict[str, object] = {"wait_for_agent": {"silence_ms": 300}}
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
