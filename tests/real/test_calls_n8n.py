"""Calls of the whole product through a real Asterisk in which a webhook decides what is said and done."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.brains.n8n_server import N8nServer, body, late, reply, stream
from tests.doubles import tone
from tests.real.premises import CALLER_ID, NUMBER, TIMEOUT, Premises, left_as_found, open_premises
from trunkline.brains.n8n_request import wav_of

COLLEAGUE = "+14155550177"
LISTEN: dict[str, object] = {"wait_for_agent": {"silence_ms": 300}}
SPEAK: dict[str, object] = {"wav": "hm.wav", "text": "hm"}


@asynccontextmanager
async def workplace(folder: Path, server: N8nServer, **n8n: Any) -> AsyncIterator[Premises]:
    """A house whose agent is the workflow `server` plays."""
    manners = {"webhook_url": server.url, "allow_private_audio": True, **n8n}
    async with open_premises(folder, brain="n8n", n8n=manners) as premises:
        server.exchanges.clear()
        async with left_as_found(premises) as office:
            yield office


async def test_words_audio_keys_and_the_end_come_of_the_webhook(tmp_path: Path) -> None:
    async with N8nServer() as server:
        server.files["hours.wav"] = body(wav_of(tone(1.0)), 200, "audio/mp3")
        async with workplace(tmp_path, server) as office:
            server.plays = [
                stream("These words", " were streamed. ", "Fine?"),
                reply([{"output": "I press keys.", "dtmf": "12#"}]),
                body(wav_of(tone(0.8)), 200, "audio/wav"),
                reply({"audio_url": server.address_of("hours.wav"), "text": "Our hours.", "hangup": True}),
            ]
            office.ears.texts.extend(["one", "two", "three", "four"])
            async with office.carrier(office.person(*[LISTEN, SPEAK] * 4, LISTEN)) as carrier:
                call = await office.ended(await office.call(variables={"name": "Ada"}))
                report = await carrier.next_report(TIMEOUT)
            said = [turn["text"] for turn in call["turns"] if turn["speaker"] == "agent"]
            assert said == ["Hello there.", "These words were streamed. Fine?", "I press keys.", "", "Our hours."]
            assert report.keys_heard == "12#"
            assert len(report.gaps_ms) == 4
            assert call["hungUpBy"] == "agent"
            welcome, *turns = [exchange for exchange in server.exchanges if exchange.method == "POST"]
            assert welcome.fields["variables"] == {"name": "Ada"}
            assert [turn.fields["transcript"] for turn in turns] == ["one", "two", "three", "four"]
            assert {turn.fields["call_id"] for turn in turns} == {call["id"]}
            assert all(len(turn.file) > 44 + 0.2 * 16_000 for turn in turns)


async def test_a_transfer_puts_two_people_in_touch(tmp_path: Path) -> None:
    async with N8nServer() as server, workplace(tmp_path, server) as office:
        server.plays = [reply({"text_response": "I will put you through.", "transfer": "+1 (415) 555-0177"})]
        office.ears.texts.append("a colleague please")
        person = office.person(LISTEN, SPEAK, LISTEN, {"pause_ms": 600}, SPEAK, {"pause_ms": 5000})
        colleague = office.person(
            {"pause_ms": 1200}, SPEAK, {"pause_ms": 300}, "hang_up", hertz=700.0, numbers=[COLLEAGUE]
        )
        async with office.carrier(person, colleague) as carrier:
            call = await office.ended(await office.call())
            reports = {r.number: r for r in [await carrier.next_report(TIMEOUT) for _ in range(2)]}
        assert reports[COLLEAGUE].caller_id == CALLER_ID
        assert reports[COLLEAGUE].agent_heard, "the colleague hears the person"
        assert reports[NUMBER].agent_speech[-1].began > reports[NUMBER].agent_speech[1].ended, "and they the colleague"
        assert call["disposition"] == "answered" and f"transferred the call to {COLLEAGUE}" in call["reason"]
        assert "transfer" in [event["kind"] for event in call["events"]]


async def test_a_transfer_nobody_takes_brings_the_person_back_to_the_agent(tmp_path: Path) -> None:
    async with N8nServer() as server, workplace(tmp_path, server) as office:
        server.plays = [
            reply({"text_response": "I will put you through.", "transfer": COLLEAGUE}),
            reply({"text_response": "I take a message.", "hangup": True}),
        ]
        office.ears.texts.extend(["a colleague please", "then you"])
        person = office.person(LISTEN, SPEAK, LISTEN, {"pause_ms": 2500}, SPEAK, LISTEN)
        busy = office.person(phone={"then": "busy", "rings_ms": 0}, hertz=700.0, numbers=[COLLEAGUE])
        async with office.carrier(person, busy):
            call = await office.ended(await office.call())
        said = [turn["text"] for turn in call["turns"]]
        assert said[2:] == [
            "I will put you through.",
            "I'm sorry, I can't put you through at the moment.",
            "then you",
            "I take a message.",
        ]
        assert [event["kind"] for event in call["events"]] == ["transfer", "transfer-failed"]
        assert (call["hungUpBy"], call["disposition"]) == ("agent", "answered")
        length = len((await office.http.get(call["recording"])).content) / 32_000
        assert abs(length - call["durationSeconds"]) < 1.5, "the recording stays beside the call"


async def test_a_transfer_to_what_may_not_be_dialled_is_refused(tmp_path: Path) -> None:
    targets = ["911", "+999", "sip:5@evil.example", "+14155550177,20,rg"]
    async with N8nServer() as server, workplace(tmp_path, server) as office:
        server.plays = [*(reply({"transfer": to}) for to in targets), reply({"hangup": True})]
        office.ears.texts.extend(["one", "two", "three", "four", "five"])
        async with office.carrier(office.person(*[LISTEN, SPEAK] * 5, LISTEN)) as carrier:
            call = await office.ended(await office.call())
            await carrier.next_report(TIMEOUT)
            assert not carrier.refused and len(carrier.reports) == 1, "nobody else was called"
        said = [turn["text"] for turn in call["turns"] if turn["speaker"] == "agent"]
        assert said[1:] == ["I'm sorry, I can't put you through at the moment."] * 4
        assert [event["kind"] for event in call["events"]] == ["transfer-refused"] * 4


async def test_a_hang_up_ends_the_request(tmp_path: Path) -> None:
    async with N8nServer() as server, workplace(tmp_path, server) as office:
        server.plays = [late(30, reply("Too late."))]
        office.ears.texts.append("one")
        async with office.carrier(office.person(LISTEN, SPEAK, {"pause_ms": 800}, "hang_up")) as carrier:
            call = await office.ended(await office.call())
            await carrier.next_report(TIMEOUT)
        assert call["hungUpBy"] == "person"
        async with asyncio.timeout(5):
            await server.turns[0].gone.wait()


async def test_a_slow_welcome_leaves_no_dead_air(tmp_path: Path) -> None:
    async with N8nServer() as server, workplace(tmp_path, server, welcome_seconds=3.0) as office:
        server.welcome = late(30, reply("Too late."))
        async with office.carrier(office.person(LISTEN, LISTEN, "hang_up")) as carrier:
            call = await office.ended(await office.call())
            report = await carrier.next_report(TIMEOUT)
        assert report.greeting_ms is not None and report.greeting_ms < 2000
        assert "Hello! How can I help you?" in call["turns"][0]["text"]
        assert [event["data"]["fault"] for event in call["events"] if event["kind"] == "brain-fault"] == ["timeout"]
