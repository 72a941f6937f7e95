"""The stand-in for OpenAI's models: its protocol as published, with doubles for engines."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from tests.doubles import FakeSpeechToText, FakeTextToSpeech, tone
from trunkline.audio import seconds_of
from trunkline.brains import make_brain
from trunkline.brains.n8n_request import wav_of
from trunkline.media.decoding import decode
from trunkline.rehearsal.openai_stand_in import openai_stand_in
from trunkline.settings import AgentSettings

KEY = "sk-test-1234"
WAV = wav_of(tone(1.0))


@asynccontextmanager
async def models(*heard: str) -> AsyncIterator[httpx.AsyncClient]:
    ears, voice = FakeSpeechToText(*heard), FakeTextToSpeech()
    async with (
        openai_stand_in(make_brain(AgentSettings()), ears, voice, key=KEY, token_seconds=0) as url,
        httpx.AsyncClient(base_url=url, trust_env=False, headers={"Authorization": f"Bearer {KEY}"}) as http,
    ):
        yield http


def chat(*said: str, **more: Any) -> dict[str, Any]:
    """A conversation in which the user said this; the assistant's own words don't matter to the chat."""
    messages = [{"role": "system", "content": "You are a dentist's assistant."}]
    for text in said[:-1]:
        messages += [{"role": "user", "content": text}, {"role": "assistant", "content": "…"}]
    return {"model": "gpt-4o-mini", "messages": [*messages, {"role": "user", "content": said[-1]}], **more}


async def test_a_chat_goes_on_where_its_messages_lead() -> None:
    async with models() as http:
        first = (await http.post("/chat/completions", json=chat("No, can we move it?"))).json()
        then = (await http.post("/chat/completions", json=chat("No, can we move it?", "Next Thursday."))).json()
    assert first["object"] == "chat.completion"
    (choice,) = first["choices"]
    assert (choice["message"]["role"], choice["finish_reason"]) == ("assistant", "stop")
    assert "Which day" in choice["message"]["content"]
    assert "what time on Thursday" in then["choices"][0]["message"]["content"]
    assert first["usage"]["total_tokens"] == first["usage"]["prompt_tokens"] + first["usage"]["completion_tokens"]


async def test_a_streamed_chat_says_the_same_in_tokens() -> None:
    async with models() as http:
        whole = (await http.post("/chat/completions", json=chat("Yes, I'll be there."))).json()
        body = chat("Yes, I'll be there.", stream=True, stream_options={"include_usage": True})
        answer = await http.post("/chat/completions", json=body)
    assert answer.headers["content-type"].startswith("text/event-stream")
    *events, done, _ = answer.text.split("\n\n")
    assert done == "data: [DONE]"
    chunks = [json.loads(event.removeprefix("data: ")) for event in events]
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    deltas = [choice["delta"].get("content", "") for chunk in chunks for choice in chunk["choices"]]
    text = whole["choices"][0]["message"]["content"]
    assert "".join(deltas) == text and len(deltas) > 5
    assert text.endswith("[hangup]")
    assert chunks[-2]["choices"][0]["finish_reason"] == "stop"
    assert chunks[-1]["usage"] == whole["usage"] and chunks[-1]["choices"] == []


HANG_UP = {"type": "function", "function": {"name": "hang_up", "parameters": {"type": "object", "properties": {}}}}


async def test_a_chat_that_can_hang_up_by_a_tool_does() -> None:
    async with models() as http:
        whole = (await http.post("/chat/completions", json=chat("Yes, I'll be there.", tools=[HANG_UP]))).json()
        body = chat("Yes, I'll be there.", tools=[HANG_UP], stream=True)
        streamed = (await http.post("/chat/completions", json=body)).text
        body = chat("Yes, I'll be there.", tools=[HANG_UP], tool_choice="none")
        marked = (await http.post("/chat/completions", json=body)).json()
    (choice,) = whole["choices"]
    (call,) = choice["message"]["tool_calls"]
    assert call["function"] == {"name": "hang_up", "arguments": "{}"}
    assert choice["finish_reason"] == "tool_calls" and "[hangup]" not in choice["message"]["content"]
    assert '"name": "hang_up"' in streamed and '"finish_reason": "tool_calls"' in streamed
    assert marked["choices"][0]["message"]["content"].endswith("[hangup]")


async def test_remarks_in_brackets_were_not_said() -> None:
    async with models() as http:
        plain = (await http.post("/chat/completions", json=chat("No, can we move it?"))).json()
        noted = chat("[The call begins: greet the person.]", "[The person interrupted you.] No, can we move it?")
        told = (await http.post("/chat/completions", json=noted)).json()
    assert told["choices"][0]["message"]["content"] == plain["choices"][0]["message"]["content"]


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "tool", "tool_call_id": "a", "content": "x"}],
        [{"role": "assistant", "tool_calls": [{"id": "a"}]}, {"role": "user", "content": "And?"}],
        [{"role": "assistant", "tool_calls": [{"id": "a"}, {"id": "b"}]}, {"role": "tool", "tool_call_id": "a"}],
    ],
)
async def test_tools_and_their_results_belong_together(messages: list[dict[str, Any]]) -> None:
    async with models() as http:
        answer = await http.post("/chat/completions", json={"model": "gpt-4o", "messages": messages})
    assert answer.status_code == 400 and "tool" in answer.json()["error"]["message"]


@pytest.mark.parametrize("response_format", ["json", "text", "verbose_json"])
async def test_a_recording_is_transcribed(response_format: str) -> None:
    async with models("Good morning.") as http:
        data = {"model": "whisper-1", "language": "en", "response_format": response_format}
        answer = await http.post("/audio/transcriptions", data=data, files={"file": ("turn.wav", WAV, "audio/wav")})
    assert answer.status_code == 200
    found = answer.text.strip() if response_format == "text" else answer.json()["text"]
    assert found == "Good morning."


async def test_a_recording_arrives_as_it_was_sent() -> None:
    """Every byte value, line ends and what looks like a boundary's beginning included."""
    ears = FakeSpeechToText("yes")
    sound = bytes(range(256)) * 20 + b"\r\n--\r\n--a\n\r\r\n\0" + tone(0.5)
    async with (
        openai_stand_in(make_brain(AgentSettings()), ears, FakeTextToSpeech(), key=KEY) as url,
        httpx.AsyncClient(base_url=url, trust_env=False, headers={"Authorization": f"Bearer {KEY}"}) as http,
    ):
        sent = {"file": ("turn.wav", wav_of(sound), "audio/wav")}
        await http.post("/audio/transcriptions", data={"model": "whisper-1"}, files=sent)
    assert ears.heard == [sound]


@pytest.mark.parametrize(
    ("form", "file", "status", "words"),
    [
        ({"model": "whisper-1"}, None, 400, "Could not parse multipart form"),
        ({}, WAV, 400, "must provide a model"),
        ({"model": "whisper-9"}, WAV, 404, "does not exist"),
        ({"model": "whisper-1"}, b"no sound at all, but words", 400, "Invalid file format"),
        ({"model": "whisper-1", "response_format": "vtt"}, WAV, 400, "response_format"),
    ],
)
async def test_what_cannot_be_transcribed_is_refused(
    form: dict[str, str], file: bytes | None, status: int, words: str
) -> None:
    async with models("Hello.") as http:
        files = {"file": ("turn.wav", file, "audio/wav")} if file is not None else None
        answer = await http.post("/audio/transcriptions", data=form, files=files)
    assert answer.status_code == status
    assert words in answer.json()["error"]["message"]


@pytest.mark.parametrize("response_format", ["mp3", "opus", "flac", "aac", "wav"])
async def test_text_is_spoken_in_every_format(response_format: str) -> None:
    body = {"model": "tts-1", "voice": "alloy", "input": "Good morning, everybody.", "response_format": response_format}

    async with models() as http:
        answer = await http.post("/audio/speech", json=body)
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("audio/")
        played = b"".join([piece async for piece in decode(answer.aiter_bytes(), max_seconds=60)])
    assert seconds_of(played) == pytest.approx(0.06 * len(body["input"]), abs=0.15)


async def test_bare_samples_are_24_khz() -> None:
    body = {"model": "tts-1", "voice": "alloy", "input": "Good morning.", "response_format": "pcm"}
    async with models() as http:
        answer = await http.post("/audio/speech", json=body)
    assert len(answer.content) / 2 / 24_000 == pytest.approx(0.06 * 13, abs=0.02)


@pytest.mark.parametrize(
    ("change", "status"),
    [({"input": ""}, 400), ({"voice": None}, 400), ({"model": "tts-9"}, 404), ({"input": "a" * 5000}, 400),
     ({"response_format": "midi"}, 400)],
)  # fmt: skip
async def test_what_cannot_be_spoken_is_refused(change: dict[str, Any], status: int) -> None:
    async with models() as http:
        answer = await http.post("/audio/speech", json={"model": "tts-1", "voice": "alloy", "input": "Hi."} | change)
    assert answer.status_code == status
    assert answer.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer sk-wrong-9999", f"Basic {KEY}"])
@pytest.mark.parametrize("path", ["/models", "/chat/completions", "/audio/transcriptions", "/audio/speech"])
async def test_the_key_is_checked(path: str, header: str) -> None:
    async with models() as http:
        method = "GET" if path == "/models" else "POST"
        answer = await http.request(method, path, json=None, headers={"Authorization": header})
    assert answer.status_code == 401
    assert "sk-wrong" not in answer.text


async def test_models_are_listed() -> None:
    async with models() as http:
        found = (await http.get("/models")).json()
    assert found["object"] == "list"
    assert {"gpt-4o-mini", "whisper-1", "tts-1"} <= {model["id"] for model in found["data"]}


@pytest.mark.parametrize(
    "content", [b"{", b"[]", b"{}", b'{"model": "gpt-4o-mini"}', b'{"model": "gpt-4o-mini", "messages": ["hi"]}']
)
async def test_a_broken_request_is_refused(content: bytes) -> None:
    async with models() as http:
        answer = await http.post("/chat/completions", content=content)
    assert answer.status_code == 400
