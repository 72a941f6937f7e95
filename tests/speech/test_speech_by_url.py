"""Engines behind a server of OpenAI's audio protocol: what is particular to them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

import numpy as np
import pytest
import pytest_asyncio
from fastapi import Response

from tests.doubles import FakeSpeechToText, FakeTextToSpeech, tone
from tests.speech.audio_server import AudioServer, audio_server, problem
from trunkline.audio import seconds_of, to_float
from trunkline.errors import SpeechUnavailable
from trunkline.settings import AgentSettings, Settings, SpeechServerSettings, SpeechSettings
from trunkline.speech.engines import Engines
from trunkline.speech.speech_server import SpeechServer
from trunkline.speech.url_ears import UrlEars
from trunkline.speech.url_voice import UrlVoice

SPEECH = tone(1.0)


@pytest_asyncio.fixture
async def server() -> AsyncIterator[AudioServer]:
    async with audio_server() as running:
        yield running


async def said(engine: UrlVoice, text: str = "Good morning.", **how: float) -> bytes:
    try:
        return b"".join([piece async for piece in engine.synthesise(text, **how)])  # type: ignore[arg-type]
    finally:
        await engine.close()


async def understood(settings: SpeechServerSettings, audio: bytes = SPEECH, **how: str) -> str:
    engine = UrlEars(SpeechServer("studio", settings))
    try:
        return (await engine.transcribe(audio, **how)).text
    finally:
        await engine.close()


# ── the voice ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", ["pcm", "wav", "mp3", "opus", "flac", "aac"])
async def test_every_format_is_spoken(server: AudioServer, kind: str) -> None:
    sound = await said(UrlVoice(SpeechServer("studio", server.settings(tts_format=kind))))
    assert server.spoken[0]["response_format"] == kind
    assert seconds_of(sound) == pytest.approx(0.3 + 13 * 0.06, abs=0.1)
    assert 0.25 < np.abs(to_float(sound)).max() < 0.36


@pytest.mark.parametrize("kind", ["wav", "opus", "flac"])
async def test_a_server_that_sends_a_file_where_samples_were_asked_for(server: AudioServer, kind: str) -> None:
    server.always = kind
    sound = await said(UrlVoice(SpeechServer("studio", server.settings())))
    assert seconds_of(sound) == pytest.approx(0.3 + 13 * 0.06, abs=0.1)


async def test_what_is_asked_for(server: AudioServer) -> None:
    engine = UrlVoice(SpeechServer("studio", server.settings(tts_model="kokoro", voice="nova")))
    await said(engine, "**Hello!** See https://example.com", speed=1.25)
    first, second = server.spoken
    assert first == {"model": "kokoro", "input": "Hello!", "voice": "nova", "response_format": "pcm", "speed": 1.25}
    assert second["input"] == "See example dot com"


async def test_the_first_sound_is_heard_while_the_rest_is_still_made(server: AudioServer) -> None:
    server.rest = asyncio.Event()
    engine = UrlVoice(SpeechServer("studio", server.settings()))
    sound = engine.synthesise("This is a sentence of some length, made slowly.")
    assert seconds_of(await anext(sound)) > 0.05
    server.rest.set()
    assert seconds_of(b"".join([piece async for piece in sound])) > 2
    await engine.close()


async def test_what_was_said_lately_is_not_asked_for_again(server: AudioServer) -> None:
    engine = UrlVoice(SpeechServer("studio", server.settings()))
    first = b"".join([piece async for piece in engine.synthesise("One moment.")])
    assert await said(engine, "One moment.") == first
    assert len(server.spoken) == 1


async def test_an_interruption_leaves_no_thread_and_no_connection(server: AudioServer) -> None:
    server.rest = asyncio.Event()
    engine = UrlVoice(SpeechServer("studio", server.settings()))
    sound = engine.synthesise("This is a sentence of some length, made slowly.")
    await anext(sound)
    await sound.aclose()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("decode")]
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "audio for decoding"]
    await engine.close()


async def test_noise_in_place_of_audio(server: AudioServer) -> None:
    server.instead = lambda: Response(bytes(100), media_type="audio/mpeg")
    with pytest.raises(SpeechUnavailable, match="can't be played") as trouble:
        await said(UrlVoice(SpeechServer("studio", server.settings(tts_format="mp3"))))
    assert trouble.value.remedy


async def test_silence_in_place_of_a_sentence(server: AudioServer) -> None:
    server.instead = lambda: Response(bytes(48_000), media_type="audio/pcm")
    with pytest.raises(SpeechUnavailable, match="sends silence"):
        await said(UrlVoice(SpeechServer("studio", server.settings())))


# ── the ears ───────────────────────────────────────────────────────────────────────────────────────────────────


async def test_what_is_sent_for_transcription(server: AudioServer) -> None:
    await understood(server.settings(stt_model="whisper-large"), language="en-GB", hint="yes, no")
    (form,) = server.heard
    assert form.pop("file") == (
        b"RIFF" + (36 + 16000).to_bytes(4, "little") + b"WAVEfmt \x10\0\0\0\1\0\1\0\x40\x1f\0\0\x80\x3e\0\0\2\0\x10\0"
        b"data" + (16000).to_bytes(4, "little") + SPEECH
    )
    assert form == {
        "model": "whisper-large",
        "language": "en",
        "prompt": "yes, no",
        "response_format": "verbose_json",
        "temperature": "0",
    }


async def test_models_that_tell_words_alone(server: AudioServer) -> None:
    assert await understood(server.settings(stt_model="gpt-4o-transcribe")) == "understood"
    assert server.heard[0]["response_format"] == "json"


async def test_what_the_server_itself_doubts_is_not_believed(server: AudioServer) -> None:
    server.score = -1.5
    assert await understood(server.settings()) == ""
    server.score, server.no_speech = -0.6, 0.9
    assert await understood(server.settings()) == ""


async def test_silence_costs_nothing(server: AudioServer) -> None:
    assert await understood(server.settings(), bytes(16000)) == ""
    assert server.heard == []


# ── what goes wrong ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("answer", "said", "remedy"),
    [
        (problem(401, "Incorrect API key."), 'HTTP 401 ("Incorrect API key.")', "speech.servers.studio.api_key"),
        (problem(404, "no such model"), "HTTP 404", "/v1"),
        (problem(400, "There is no voice alloy."), "There is no voice alloy.", "voice"),
        (problem(429, "quota"), "HTTP 429", "limits"),
        (Response("<html>502</html>", 502), "HTTP 502", "log"),
        (Response("<html>hello</html>", media_type="text/html"), "something else than", "/v1"),
        (Response("{}", media_type="application/json"), "something else than", "/v1"),
        (Response(status_code=307, headers={"location": "/"}), "HTTP 307", "Check"),
        (Response("x" * 2_000_000, 500), "far too much", "/v1"),
    ],
)
async def test_answers_that_are_none(server: AudioServer, answer: Response, said: str, remedy: str) -> None:
    server.instead = lambda: answer
    voice, ears = (
        UrlVoice(SpeechServer("studio", server.settings())),
        UrlEars(SpeechServer("studio", server.settings())),
    )
    for attempt in (anext(voice.synthesise("Hello.")), ears.transcribe(SPEECH)):
        with pytest.raises(SpeechUnavailable) as trouble:
            await attempt
        assert said in trouble.value.message
        assert remedy in (trouble.value.remedy or "")
        assert "sk-test" not in str(trouble.value)
    await voice.close()
    await ears.close()


async def test_a_server_that_hangs_is_left_alone_for_a_while(server: AudioServer) -> None:
    server.hold = asyncio.Event()
    engine = UrlEars(SpeechServer("studio", server.settings(timeout_seconds=0.2)))
    with pytest.raises(SpeechUnavailable, match=r"doesn't answer within 0\.2 s"):
        await engine.transcribe(SPEECH)
    server.hold.set()
    with pytest.raises(SpeechUnavailable, match="a moment ago"):
        await engine.transcribe(SPEECH)
    await engine.close()


async def test_a_server_that_is_not_there() -> None:
    async with audio_server() as gone:
        settings = gone.settings()
    with pytest.raises(SpeechUnavailable, match="can't be reached"):
        await understood(settings)


# ── with this machine's engines behind it ──────────────────────────────────────────────────────────────────────


async def test_each_agent_has_its_own_engines_and_this_machine_stands_in(server: AudioServer) -> None:
    ears, voice = FakeSpeechToText(*["local"] * 9), FakeTextToSpeech()
    engines = Engines(SpeechSettings(servers={"studio": server.settings()}), ears, voice)
    here, there = AgentSettings(), AgentSettings(stt="studio", tts="studio")

    async def conversation(agent: AgentSettings) -> tuple[str, int]:
        heard = await engines.ears(agent).transcribe(SPEECH)
        spoken = [piece async for piece in engines.voice(agent).synthesise("Hello.")]
        assert spoken
        return heard.text, len(voice.said)

    await engines.warm_up()
    assert await conversation(there) == ("understood", 0)
    assert await conversation(here) == ("local", 1)
    server.instead = lambda: problem(500, "out of memory")
    engines.voice(there)
    assert (await engines.ears(there).transcribe(SPEECH)).text == "local"
    assert [piece async for piece in engines.voice(there).synthesise("Something new.")]
    assert voice.said[-1] == "Something new."
    uses = {key: (use.answered, use.failed) for key, use in engines.counters.uses.items()}
    assert uses == {
        ("stt", "studio"): (1, 1),
        ("tts", "studio"): (1, 1),
        ("stt", "local"): (2, 0),
        ("tts", "local"): (2, 0),
    }
    assert all(use.seconds > 0 for use in engines.counters.uses.values())
    await engines.close()
    assert ears.closed


async def test_a_server_that_is_down_does_not_keep_the_service_from_starting() -> None:
    async with audio_server() as gone:
        servers = {"studio": gone.settings()}
    ears, voice = FakeSpeechToText("local"), FakeTextToSpeech()
    engines = Engines(SpeechSettings(servers=servers), ears, voice)
    await engines.warm_up()
    assert ears.warmed_up
    assert voice.warmed_up
    await engines.close()


@pytest.mark.parametrize(
    "url", ["localhost:8000", "ftp://x/v1", "http://", "http://user:word@host/v1", "http://host/v1?key=1"]
)
def test_an_address_that_is_none_is_refused_with_the_settings(url: str) -> None:
    with pytest.raises(ValueError, match="is not an address"):
        SpeechServerSettings(url=url)


def test_an_agent_names_a_server_that_is_there() -> None:
    with pytest.raises(ValueError, match=r"there is no \[speech\.servers\.studio\]"):
        Settings(agents={"one": AgentSettings(tts="studio")})
