"""What is asked of a workflow, on which connections, and how its answers are heard."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import io
import json
import socket
import ssl
import time
import wave
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.brains.n8n_call import BRIEFING, agent_of, call
from tests.brains.n8n_server import Exchange, N8nServer, body, late, reply, stream
from tests.doubles import tone
from trunkline.brains import make_brain
from trunkline.brains.n8n_request import wav_of
from trunkline.brains.opened_ahead import READY_SECONDS
from trunkline.errors import SettingsError
from trunkline.models import NOT_RECORDED, Speaker, Turn
from trunkline.ports import (
    RESULT,
    Brain,
    BrainAction,
    BrainSession,
    Discreet,
    HangUp,
    Note,
    PersonTurn,
    Play,
    Say,
    SendKeys,
    Transfer,
)
from trunkline.settings import AgentSettings, N8nSettings
from trunkline.settings_file import load

AUDIO = tone(1.0)


@pytest.fixture
async def server() -> AsyncIterator[N8nServer]:
    async with N8nServer() as server:
        yield server


async def collect(actions: AsyncGenerator[BrainAction, None]) -> list[BrainAction]:
    found: list[BrainAction] = []
    async for action in actions:
        found.append(action)
        if isinstance(action, Play):
            async for _ in action.audio:
                pass
    return found


async def session_of(server: N8nServer, **n8n: str) -> tuple[Brain, BrainSession]:
    brain = make_brain(agent_of(server, manners=None, **n8n))
    return brain, await brain.open(BRIEFING)


def turn(number: int, text: str = "Hi.", *, audio: bytes = AUDIO, **more: Any) -> PersonTurn:
    return PersonTurn(number, text, audio, **more)


# ── requests ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_welcome_and_a_turn_hold_all_fields_old_and_new(server: N8nServer) -> None:
    brain, session = await session_of(server)
    assert await collect(session.greet()) == [Say("Hello there.")]
    await collect(session.reply(turn(1, "Grüße!")))
    await brain.close()
    welcome, asked = server.exchanges
    common = {
        "caller_id": "+14155550123",
        "unique_id": BRIEFING.call_id,
        "call_id": BRIEFING.call_id,
        "direction": "outbound",
        "context": "clinic",
        "phone_number": "+14155550123",
        "our_number": "+14155550100",
    }
    assert welcome.method == "POST" and welcome.headers["content-type"] == "application/json"
    assert welcome.fields == {"mode": "welcome", **common, "turn": 0, "variables": {"name": "Jürgen & Söhne"}}
    assert json.loads(asked.fields.pop("variables")) == {"name": "Jürgen & Söhne"}
    assert asked.fields == {
        "mode": "process_input",
        **common,
        "turn": "1",
        "transcript": "Grüße!",
        "heard": "Hello there.",
        "interrupted": "false",
    }
    with wave.open(io.BytesIO(asked.file)) as wav:
        assert (wav.getframerate(), wav.getsampwidth(), wav.getnchannels()) == (8000, 2, 1)
        assert wav.readframes(wav.getnframes()) == AUDIO
    for exchange, mode, number in ((welcome, "welcome", "0"), (asked, "process_input", "1")):
        assert exchange.query == {
            "mode": mode,
            "call_id": BRIEFING.call_id,
            "unique_id": BRIEFING.call_id,
            "caller_id": "+14155550123",
            "turn": number,
        }


async def test_keys_come_with_silence_for_a_recording(server: N8nServer) -> None:
    brain, session = await session_of(server)
    await collect(session.reply(turn(1, "", audio=b"", keys="42")))
    await brain.close()
    assert server.turns[0].fields["keys"] == "42"
    with wave.open(io.BytesIO(server.turns[0].file)) as wav:
        assert wav.getnframes() == 4000 and not any(wav.readframes(4000))


async def test_notes_and_what_is_withheld_are_told(server: N8nServer) -> None:
    brain, session = await session_of(server)
    await collect(session.reply(turn(1, NOT_RECORDED, audio=b"", notes=("One.", "Two."), hidden=True)))
    await brain.close()
    fields = server.turns[0].fields
    assert (fields["notes"], fields["withheld"], fields["transcript"]) == ("One.\nTwo.", "true", NOT_RECORDED)


async def test_who_takes_a_call_over_is_told_what_was_said(server: N8nServer) -> None:
    so_far = (Turn(1, Speaker.AGENT, "Hello.", 0, 1), Turn(2, Speaker.PERSON, "", 2, 2, keys="5"))
    brain = make_brain(agent_of(server, manners=None))
    session = await brain.open(replace(BRIEFING, so_far=so_far))
    await collect(session.greet())
    await brain.close()
    assert server.exchanges[0].fields["history"] == [
        {"role": "assistant", "content": "Hello."},
        {"role": "user", "content": "5"},
    ]


async def test_a_workflow_may_have_nothing_kept(server: N8nServer) -> None:
    server.plays[:] = [reply({"text": "Your card number?", "discreet": True})]
    brain, session = await session_of(server)
    assert await collect(session.reply(turn(1))) == [Discreet(True), Say("Your card number?")]
    await brain.close()


async def test_an_agent_that_does_not_transcribe_sends_no_transcript(server: N8nServer) -> None:
    brain = make_brain(agent_of(server, manners={"transcribe": False}))
    session = await brain.open(BRIEFING)
    await collect(session.reply(turn(1, "")))
    await brain.close()
    assert "transcript" not in server.turns[0].fields


async def test_the_addresss_own_query_stays(server: N8nServer) -> None:
    brain, session = await session_of(server, webhook_url=f"{server.url}?tenant=7")
    await collect(session.reply(turn(1)))
    await brain.close()
    assert server.turns[0].query["tenant"] == "7"


async def test_header_authentication_and_signature(server: N8nServer) -> None:
    brain, session = await session_of(server, auth_header="X-Key", auth_value="se cret", hmac_secret="shared")
    await collect(session.greet())
    await collect(session.reply(turn(1)))
    await brain.close()
    for exchange in server.exchanges:
        assert exchange.headers["x-key"] == "se cret"
        sent = int(exchange.headers["x-trunkline-timestamp"])
        assert abs(sent - time.time()) < 60
        file = hashlib.sha256(exchange.file).hexdigest() if exchange.file else ""
        signed = f"{sent}.{exchange.query['mode']}.{exchange.query['call_id']}.{exchange.query['turn']}.{file}"
        expected = hmac.new(b"shared", signed.encode(), hashlib.sha256).hexdigest()
        assert exchange.headers["x-trunkline-signature"] == expected


async def test_a_greeting_of_ones_own_is_spoken_without_a_request(server: N8nServer) -> None:
    brain = make_brain(agent_of(server, manners={"greeting": "Good day[, {name}]."}))
    session = await brain.open(BRIEFING)
    assert await collect(session.greet()) == [Say("Good day, Jürgen & Söhne.")]
    await collect(session.reply(turn(1)))
    await brain.close()
    assert [exchange.query["mode"] for exchange in server.exchanges] == ["process_input"]
    assert server.turns[0].fields["heard"] == "Good day, Jürgen & Söhne."


# ── answers ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_keys_transfer_and_hang_up_come_behind_the_words(server: N8nServer) -> None:
    server.plays = [
        reply({"text_response": "One. Two.", "dtmf": "12#"}),
        stream("transfer: +14155550177\n", "I'll put you through."),
        stream("[hangup] Bye now."),
        reply({"hangup": True}),
        reply({"text": "Noted.", "results": {"day": "Monday"}, "hangup": True}),
    ]
    brain, session = await session_of(server)
    assert await collect(session.reply(turn(1))) == [Say("One."), Say("Two."), SendKeys("12#")]
    assert await collect(session.reply(turn(2))) == [Say("I'll put you through."), Transfer("+14155550177")]
    assert await collect(session.reply(turn(3))) == [Say("Bye now."), HangUp()]
    assert await collect(session.reply(turn(4))) == [HangUp()]
    assert await collect(session.reply(turn(5))) == [
        Say("Noted."),
        Note(RESULT, "The workflow found out: day.", {"day": "Monday"}),
        HangUp(),
    ]
    await brain.close()


async def test_audio_by_body_and_by_address_is_heard(server: N8nServer) -> None:
    wav = wav_of(tone(1.5))
    server.files["hours.wav"] = body(wav, 200, "application/octet-stream")
    server.plays = [
        body(wav, 200, "text/html"),
        reply({"audio_url": server.address_of("hours.wav"), "text": "Our hours.", "hangup": True}),
    ]
    async with call(server, agent_of(server, allow_private_audio=True)) as booth:
        for turns in (3, 5):
            before = booth.seconds_heard
            await booth.ask()
            await booth.until(lambda turns=turns: len(booth.turns) == turns)  # type: ignore[misc]
            assert booth.seconds_heard - before == pytest.approx(1.5, abs=0.05)
        assert booth.turns[4].text == "Our hours."
        await booth.until_over()


async def test_audio_plays_while_it_still_arrives(server: N8nServer) -> None:
    wav = wav_of(tone(6.0))

    async def slowly(exchange: Exchange) -> None:
        exchange.head(200, "audio/wav", Content_Length=str(len(wav)))
        for start in range(0, len(wav), 16_000):
            exchange.send(wav[start : start + 16_000])
            await asyncio.sleep(0.8)

    server.plays = [slowly]
    async with call(server, agent_of(server)) as booth:
        before, ended = booth.seconds_heard, await booth.ask()
        await booth.until(lambda: booth.agent_speaks)
        assert booth.now - ended < 2.0
        assert server.turns[0].sent < len(wav) / 2
        await booth.until(lambda: len(booth.turns) == 3)
        assert booth.seconds_heard - before == pytest.approx(6.0, abs=0.05)
        assert not booth.faults


async def test_a_streamed_answer_is_heard_before_its_end(server: N8nServer) -> None:
    server.plays = [stream("The first sentence. ", "And", 3.0, " the second one.")]
    async with call(server, agent_of(server)) as booth:
        ended = await booth.ask()
        await booth.until(lambda: booth.agent_speaks)
        assert booth.now - ended < 1.2, "no filler was needed"
        await booth.until(lambda: len(booth.turns) == 3)
        assert booth.turns[2].text == f"{AgentSettings().hold_on} The first sentence. And the second one."


async def test_a_slow_answer_is_bridged(server: N8nServer) -> None:
    server.plays = [late(7.0, reply("Here it is."))]
    async with call(server, agent_of(server)) as booth:
        await booth.ask()
        await booth.until(lambda: len(booth.turns) == 3)
        assert booth.turns[2].text == f"{AgentSettings().filler} {AgentSettings().hold_on} Here it is."


# ── connections ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_connection_is_open_before_it_is_needed(server: N8nServer) -> None:
    brain, session = await session_of(server)
    await _until(lambda: server.accepted == 1)
    await collect(session.greet())
    assert server.accepted == 1
    session.turn_ahead()
    await _until(lambda: server.accepted == 2)
    await collect(session.reply(turn(1)))
    assert server.accepted == 2 and len(server.exchanges) == 2
    await brain.close()


async def test_one_that_was_closed_meanwhile_fails_no_turn_and_runs_none_twice() -> None:
    """As a server does that gives up idle connections."""
    served: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not served:
            served.append("closed")
            writer.close()
            return
        await reader.readuntil(b"\r\n\r\n")
        served.append("answered")
        writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n"Yes."')
        await writer.drain()
        writer.close()

    idle = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = idle.sockets[0].getsockname()
    brain = make_brain(AgentSettings(brain="n8n", n8n=N8nSettings(webhook_url=f"http://{host}:{port}/webhook/x")))
    session = await brain.open(BRIEFING)
    await _until(lambda: served == ["closed"])
    await asyncio.sleep(0.05)
    assert await collect(session.reply(turn(1))) == [Say("Yes.")]
    assert served == ["closed", "answered"]
    await brain.close()
    idle.close()


async def test_with_tls_the_connection_is_ready_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority, server = trustme.CA(), N8nServer()
    server.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server.tls)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    async with server:
        brain, session = await session_of(server)
        await _until(lambda: server.accepted == 1)
        assert await collect(session.greet()) == [Say("Hello there.")]
        assert server.accepted == 1
        assert await collect(session.reply(turn(1))) == [Say("Fine.")], "one that wasn't opened ahead works as well"
        await brain.close()


async def test_a_certificate_nobody_vouches_for() -> None:
    server = N8nServer()
    server.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(server.tls)
    async with server:
        brain, session = await session_of(server)
        notes = [action for action in await collect(session.greet()) if isinstance(action, Note)]
        assert [note.data["fault"] for note in notes] == ["tls"]
        assert not server.exchanges
        await brain.close()


async def test_what_was_opened_for_nothing_is_closed(server: N8nServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trunkline.brains.opened_ahead.READY_SECONDS", 0.05)
    brain, _ = await session_of(server)
    await _until(lambda: server.accepted == 1)
    await _until(lambda: server.connections == 0)
    await brain.close()
    assert READY_SECONDS < 10, "the usual proxies wait longer for a first request"


async def test_two_calls_at_once_get_their_own_answers(server: N8nServer) -> None:
    async def echo(exchange: Exchange) -> None:
        await asyncio.sleep(0.01)
        await reply(exchange.fields["transcript"])(exchange)

    server.plays = [echo] * 20
    brain = make_brain(agent_of(server))
    sessions = [await brain.open(BRIEFING) for _ in range(20)]
    found = await asyncio.gather(*(collect(s.reply(turn(1, f"I am {n}."))) for n, s in enumerate(sessions)))
    assert found == [[Say(f"I am {n}.")] for n in range(20)]
    await brain.close()


async def test_nobody_listens_there() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}/webhook/x"
        agent = AgentSettings(brain="n8n", n8n=N8nSettings(webhook_url=address, failed_turns=1))
        brain = make_brain(agent)
        session = await brain.open(BRIEFING)
        actions = await collect(session.reply(turn(1)))
        assert [action for action in actions if isinstance(action, Say | HangUp)] == [
            Say(agent.n8n.try_again),
            Say(agent.sorry),
            HangUp(),
        ]
        await brain.close()


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


# ── settings ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ('brain = "n8n"', "webhook_url"),
        ('brain = "n8n"\n[agents.a.n8n]\nwebhook_url = "ftp://x/y"', "https://n8n.example.com"),
        ('brain = "n8n"\n[agents.a.n8n]\nwebhook_url = "https://user:pass@x/y"', "https://n8n.example.com"),
        ('brain = "n8n"\n[agents.a.n8n]\nwebhook = "https://x/y"', "webhook_url"),
        ('brain = "n8n"\n[agents.a.n8n]\nwebhook_url = "https://x/y"\ntransfer_to = "911"', "E.164"),
        ('brain = "n8n"\ngive_up_after_seconds = 10\n[agents.a.n8n]\nwebhook_url = "https://x/y"', "answer_seconds"),
        ("transcribe = false", "scripted"),
    ],
)
def test_mistakes_in_the_settings_are_explained(lines: str, words: str, tmp_path: Path) -> None:
    file = tmp_path / "trunkline.toml"
    file.write_text(f"[agents.a]\n{lines}\n")
    with pytest.raises(SettingsError, match=words):
        load(file, env_file=None)
