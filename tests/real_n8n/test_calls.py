"""Phone calls through a real Asterisk whose words come from a real n8n: forms of answers, memories, hang-ups, and
workflows that were written for the set-up Trunkline grew out of. The house's own engines are doubles; the models
behind n8n are real.
"""

from __future__ import annotations

import asyncio
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soxr

from tests.real.premises import Premises, left_as_found, open_premises
from tests.real_n8n.conftest import RealN8n
from trunkline.audio import SAMPLE_RATE, from_float, seconds_of, to_float
from trunkline.models import CallId
from trunkline.rehearsal.scenario import Scenario
from trunkline.rehearsal.words import share_heard

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(600)]
LISTENING = {"end_silence_seconds": 0.6, "longest_silence_seconds": 0.8}
PATIENCE: dict[str, Any] = {"wait_for_agent": {"silence_ms": 900}}
CALL_SECONDS = 60.0


@asynccontextmanager
async def house_of(n8n: RealN8n, path: str, folder: Path, *, fetches: bool = False) -> AsyncIterator[Premises]:
    """A house whose agent's words come from that webhook; n8n transcribes, so the house doesn't.

    Nothing is left after its calls, except where it `fetches` audio: a connection is kept then.
    """
    agent: dict[str, Any] = {"brain": "n8n", "transcribe": False, "listening": LISTENING, "filler": "", "hold_on": ""}
    settings = {"webhook_url": n8n.webhook(path), "allow_private_audio": True}
    async with (
        open_premises(folder, **agent, n8n=settings) as premises,
        nullcontext(premises) if fetches else left_as_found(premises) as office,
    ):
        yield office


async def person(
    n8n: RealN8n,
    office: Premises,
    name: str,
    *lines: str,
    number: str = "+14155550123",
    then: tuple[object, ...] = (PATIENCE,),
) -> Scenario:
    """Somebody who says these lines, one after each turn of the agent."""
    steps: list[object] = []
    for index, line in enumerate(lines):
        file = office.folder / f"{name}{index}.wav"
        with wave.open(str(file), "wb") as wav:
            wav.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
            wav.writeframes(b"".join([piece async for piece in n8n.voice.synthesise(line)]))
        steps += [PATIENCE, {"wav": str(file), "text": line}]
    return office.person(*steps, *then, name=name, numbers=[number])


async def ended(office: Premises, call_id: CallId) -> dict[str, Any]:
    await office.until(lambda: office.has_ended(call_id), CALL_SECONDS)
    return await office.get(call_id)


def said(call: dict[str, Any]) -> list[str]:
    return [turn["text"] for turn in call["turns"] if turn["speaker"] == "agent"]


def faults(call: dict[str, Any]) -> list[str]:
    return [event["text"] for event in call["events"] if event["kind"] in ("brain-fault", "brain-fallback")]


@pytest.mark.parametrize(
    ("path", "welcome"), [("seed-v1", "Welcome to the seed."), ("seed-v2", "Welcome to the seed.")]
)
async def test_a_workflow_of_the_seed(n8n: RealN8n, tmp_path: Path, path: str, welcome: str) -> None:
    async with house_of(n8n, path, tmp_path) as office:
        somebody = await person(n8n, office, "somebody", "I would like to come on Thursday.")
        async with office.carrier(somebody):
            call = await ended(office, await office.call())
    assert faults(call) == []
    assert call["hungUpBy"] == "agent"
    greeting, answer = said(call)
    assert greeting == welcome
    assert share_heard("You said: I would like to come on Thursday", answer) > 0.8


async def test_a_first_webhook_node_that_takes_the_body_raw(n8n: RealN8n, tmp_path: Path) -> None:
    async with house_of(n8n, "seed-raw", tmp_path) as office:
        somebody = await person(n8n, office, "somebody", "Hello there, how are you?")
        async with office.carrier(somebody):
            call = await ended(office, await office.call())
    assert faults(call) == []
    assert said(call) == ["Welcome in raw.", "Turn 1, multipart/form-data"]


async def test_answers_that_are_audio(n8n: RealN8n, tmp_path: Path) -> None:
    """The welcome as the body of the answer, the turn's answer by address; both spoken by n8n's voice as MP3."""
    async with house_of(n8n, "speaks", tmp_path, fetches=True) as office:
        somebody = await person(n8n, office, "somebody", "Please tell me something nice.")
        async with office.carrier(somebody, record=True) as carrier:
            call = await ended(office, await office.call())
            report = await carrier.next_report(CALL_SECONDS)
    assert faults(call) == []
    assert call["hungUpBy"] == "agent"
    assert office.voice.said == []  # nothing was spoken by the house
    heard = await recognised(n8n, office.folder / "carrier" / str(report.recording), side=1)
    assert share_heard("Good morning. What shall I say to you? Thank you for telling me. Goodbye.", heard) > 0.8


async def recognised(n8n: RealN8n, recording: Path, *, side: int) -> str:
    """Words on one side of a recording."""
    with wave.open(str(recording)) as wav:
        both = np.frombuffer(wav.readframes(wav.getnframes()), "<i2").reshape(-1, 2)
        rate = wav.getframerate()
    sound = from_float(soxr.resample(to_float(both[:, side].tobytes()), rate, SAMPLE_RATE))
    assert seconds_of(sound) < 30
    return (await n8n.ears.transcribe(sound)).text


@pytest.mark.parametrize("path", ["recount", "recount-streaming"])
async def test_two_calls_at_once_keep_their_memories_apart(n8n: RealN8n, tmp_path: Path, path: str) -> None:
    lines = {
        "Anna": ("My favourite colour is green.", "And I live in Boston."),
        "Peter": ("My brother has seven horses.", "We often eat potatoes."),
    }
    async with house_of(n8n, path, tmp_path) as office:
        numbers = {"Anna": "+14155550123", "Peter": "+14155550124"}
        people = [await person(n8n, office, name, *lines[name], number=numbers[name]) for name in lines]
        async with office.carrier(*people):
            ids = [await office.call(numbers[name]) for name in lines]
            calls = await asyncio.gather(*(ended(office, call_id) for call_id in ids))
    for name, call in zip(lines, calls, strict=True):
        assert faults(call) == []
        assert call["hungUpBy"] == "agent"
        last = said(call)[-1]
        assert share_heard(f"You told me: {' '.join(lines[name])}", last) > 0.75, last
        (other,) = set(lines) - {name}
        assert share_heard(" ".join(lines[other]), last) < 0.4, last


async def test_the_person_hangs_up_in_the_middle_of_a_request(n8n: RealN8n, tmp_path: Path) -> None:
    """The request is dropped with the call, and nothing of it is left on our side; n8n may finish by itself."""
    async with house_of(n8n, "slow", tmp_path) as office:
        leaving = ({"pause_ms": 2000}, "hang_up")
        somebody = await person(n8n, office, "somebody", "Please think hard about it.", then=leaving)
        async with office.carrier(somebody):
            call = await ended(office, await office.call())
        assert call["hungUpBy"] == "person"
        assert said(call) == ["Hello."]
        assert faults(call) == []
        assert [turn["speaker"] for turn in call["turns"]] == ["agent", "person"]
    # `left_as_found` has seen that no task, connection or file is left.
