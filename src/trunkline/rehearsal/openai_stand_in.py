"""A server of OpenAI's protocol on this machine, in place of the paid models: the scripted brain chats, the local
Whisper transcribes, the local voice speaks. So the words of a rehearsal are real, and nothing leaves the machine.

The chat has no memory, like the real one: it goes through all the user's messages, from the first to the last.
"""

from __future__ import annotations

import asyncio
import io
import json
import secrets
import socket
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, contextmanager
from typing import Any, Final

import av
import numpy as np
import soxr
import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

from trunkline.audio import SAMPLE_RATE, from_float, seconds_of, to_float
from trunkline.brains import make_brain
from trunkline.errors import NotAudio, NotReady, TrunklineError
from trunkline.media.decoding import decode
from trunkline.models import CallId, Direction
from trunkline.ports import Brain, CallBriefing, HangUp, PersonTurn, Say, SpeechToText, TextToSpeech
from trunkline.rehearsal.openai_protocol import (
    CHAT_MODELS,
    EAR_MODELS,
    LONGEST_INPUT,
    VOICE_MODELS,
    Completion,
    Refused,
    check_key,
    form,
    known_model,
    models,
    tool_names,
    transcription,
    user_messages,
)
from trunkline.settings import AgentSettings, Settings
from trunkline.speech import make_speech_to_text, make_text_to_speech

TOKEN_SECONDS: Final = 0.015
"""Between two tokens of a stream; a quick model takes about that long."""
HANG_UP: Final = "hang_up"
"""The function that ends a call, where it is offered."""
SHORTEST: Final = 0.1
VOICE_RATE: Final = 24_000
"""Samples per second of what OpenAI's voices speak."""
FORMATS: Final = {
    "mp3": ("audio/mpeg", "mp3", "libmp3lame"),
    "opus": ("audio/ogg", "ogg", "libopus"),
    "flac": ("audio/flac", "flac", "flac"),
    "aac": ("audio/aac", "adts", "aac"),
    "wav": ("audio/wav", "wav", "pcm_s16le"),
}
"""Content type, container and codec by `response_format`; `pcm` is bare samples."""


class StandIn:
    """What its routes do. `brain` chats, `ears` transcribe, `voice` speaks."""

    def __init__(
        self, brain: Brain, ears: SpeechToText, voice: TextToSpeech, *, key: str, token_seconds: float
    ) -> None:
        self._brain = brain
        self._ears = ears
        self._voice = voice
        self._key = key
        self._token_seconds = token_seconds

    def app(self) -> FastAPI:
        app = FastAPI(openapi_url=None)
        app.add_exception_handler(Refused, _refusal)
        app.add_exception_handler(TrunklineError, _failure)
        app.add_api_route("/v1/models", self.models)
        for path, route in (
            ("/v1/chat/completions", self.chat),
            ("/v1/audio/transcriptions", self.transcribe),
            ("/v1/audio/speech", self.speak),
        ):
            app.add_api_route(path, route, methods=["POST"], response_model=None)
        return app

    async def models(self, request: Request) -> JSONResponse:
        self._check(request)
        return JSONResponse(models())

    async def chat(self, request: Request) -> Response:
        body = await self._json(request)
        model = known_model(body, CHAT_MODELS)
        said = user_messages(body)
        asked = sum(len(str(message.get("content")).split()) for message in body["messages"])
        text, over = await self._answer(said)
        # A model that was given no such tool was asked to end its last answer with a mark.
        tool = HANG_UP if over and HANG_UP in tool_names(body) else ""
        text = f"{text} [hangup]" if over and not tool else text
        completion = Completion(f"chatcmpl-{secrets.token_hex(12)}", model, int(time.time()), text, asked, tool)
        if not body.get("stream"):
            return JSONResponse(completion.whole())
        with_usage = bool((body.get("stream_options") or {}).get("include_usage"))
        return StreamingResponse(self._paced(completion, with_usage), media_type="text/event-stream")

    async def _paced(self, completion: Completion, with_usage: bool) -> AsyncIterator[str]:
        for chunk in completion.chunks(with_usage=with_usage):
            yield chunk
            await asyncio.sleep(self._token_seconds)

    async def _answer(self, said: list[str]) -> tuple[str, bool]:
        """What the brain says to the last message, and whether it hangs up then. The greeting was somebody else's;
        without a message it is ours.
        """
        session = await self._brain.open(CallBriefing(CallId("chat"), Direction.OUTBOUND, "chat", "", None))
        try:
            actions = [action async for action in session.greet()]
            for number, text in enumerate(said, start=1):
                actions = [action async for action in session.reply(PersonTurn(number, text, b""))]
        finally:
            await session.close()
        words = [action.text for action in actions if isinstance(action, Say)]
        return " ".join(words), any(isinstance(action, HangUp) for action in actions)

    async def transcribe(self, request: Request) -> Response:
        self._check(request)
        sent = form(request.headers.get("content-type", ""), await request.body())
        known_model(sent.fields, EAR_MODELS)
        if "file" not in sent.files:
            raise Refused(400, "Missing required parameter: 'file'.", param="file")
        language = sent.fields.get("language") or "en"
        audio = await _decoded(sent.files["file"])
        if seconds_of(audio) < SHORTEST:
            message = f"Audio file is too short. Minimum audio length is {SHORTEST} seconds."
            raise Refused(400, message, param="file", code="audio_too_short")
        heard = await self._ears.transcribe(audio, language=language, hint=sent.fields.get("prompt", ""))
        wanted = sent.fields.get("response_format") or "json"
        kind, text = transcription(heard.text, seconds_of(audio), wanted, language)
        return Response(text, media_type=kind)

    async def speak(self, request: Request) -> Response:
        body = await self._json(request)
        known_model(body, VOICE_MODELS)
        text, wanted = body.get("input"), body.get("response_format") or "mp3"
        if not isinstance(text, str) or not text.strip():
            raise Refused(400, "Missing required parameter: 'input'.", param="input")
        if len(text) > LONGEST_INPUT:
            raise Refused(400, f"String too long: at most {LONGEST_INPUT} characters.", param="input")
        if not body.get("voice"):
            raise Refused(400, "Missing required parameter: 'voice'.", param="voice")
        if wanted != "pcm" and wanted not in FORMATS:
            raise Refused(400, f"Invalid value: '{wanted}'.", param="response_format")
        speed = min(max(float(body.get("speed") or 1.0), 0.5), 2.0)
        sound = _resampled(self._voice.synthesise(text, speed=speed))
        if wanted == "pcm":
            return StreamingResponse(sound, media_type="audio/pcm")
        kind, container, codec = FORMATS[wanted]
        whole = b"".join([piece async for piece in sound])
        return Response(await asyncio.to_thread(encoded, whole, container, codec), media_type=kind)

    def _check(self, request: Request) -> None:
        check_key(request.headers.get("authorization"), self._key)

    async def _json(self, request: Request) -> dict[str, Any]:
        self._check(request)
        try:
            body = json.loads(await request.body())
        except ValueError as error:
            raise Refused(400, "We could not parse the JSON body of your request.") from error
        if not isinstance(body, dict):
            raise Refused(400, "We could not parse the JSON body of your request.")
        return body


async def _refusal(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return JSONResponse(error.body, status_code=error.status)


async def _failure(_request: Request, error: Exception) -> Response:
    return JSONResponse(Refused(503, str(error)).body, status_code=503)


async def _decoded(file: bytes) -> bytes:
    async def pieces() -> AsyncGenerator[bytes, None]:
        yield file

    try:
        async with aclosing(decode(pieces(), max_seconds=30.0)) as sound:
            return b"".join([piece async for piece in sound])
    except NotAudio as error:
        raise Refused(400, f"Invalid file format: {error.message}", param="file") from error


async def _resampled(sound: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """8 kHz to the rate of OpenAI's voices, piece by piece."""
    resampler = soxr.ResampleStream(SAMPLE_RATE, VOICE_RATE, 1, dtype="float32")
    async with aclosing(sound) as pieces:
        async for piece in pieces:
            yield from_float(resampler.resample_chunk(to_float(piece)))
    yield from_float(resampler.resample_chunk(np.zeros(0, np.float32), last=True))


def encoded(sound: bytes, container: str, codec: str) -> bytes:
    """A file of 16-bit samples at `VOICE_RATE`, by FFmpeg."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream = output.add_stream(codec, rate=48_000 if codec == "libopus" else VOICE_RATE)
        assert isinstance(stream, av.AudioStream)
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray(np.frombuffer(sound, "<i2").reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = VOICE_RATE
        resampler = av.AudioResampler(stream.format, "mono", stream.rate, stream.frame_size or None)
        for ready in (*resampler.resample(frame), *resampler.resample(None)):
            output.mux(stream.encode(ready))
        output.mux(stream.encode(None))
    return file.getvalue()


@asynccontextmanager
async def stand_in_engines(
    settings: Settings, script: str = "appointment"
) -> AsyncIterator[tuple[Brain, SpeechToText, TextToSpeech]]:
    """The engines of the settings, warm; the chat follows a script. Raises `SettingsError`, `SpeechUnavailable`."""
    async with AsyncExitStack() as stack:
        brain = make_brain(AgentSettings(script=script))
        ears = make_speech_to_text(settings.speech)
        stack.push_async_callback(ears.close)
        voice = make_text_to_speech(settings.speech)
        stack.push_async_callback(voice.close)
        await asyncio.gather(ears.warm_up(), voice.warm_up())
        yield brain, ears, voice


class _Server(uvicorn.Server):
    """Leaves signals to whoever runs it."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def openai_stand_in(
    brain: Brain,
    ears: SpeechToText,
    voice: TextToSpeech,
    *,
    key: str,
    host: str = "127.0.0.1",
    port: int = 0,
    token_seconds: float = TOKEN_SECONDS,
) -> AsyncIterator[str]:
    """Its address (`http://host:port/v1`) inside the block. Raises `NotReady` when the port is taken."""
    app = StandIn(brain, ears, voice, key=key, token_seconds=token_seconds).app()
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1)
    server = _Server(config)
    with _listening(host, port, config.backlog) as sock:
        task = asyncio.create_task(server.serve(sockets=[sock]), name="openai stand-in")
        try:
            yield "http://{}:{}/v1".format(*sock.getsockname()[:2])
        finally:
            server.should_exit = True
            await task


def _listening(host: str, port: int, backlog: int) -> socket.socket:
    try:
        sock = socket.create_server((host, port), backlog=backlog)
    except OSError as error:
        raise NotReady(f"{host}:{port} can't be listened on: {error.strerror}.", remedy="Name another port.") from error
    # Inherited by what is accepted; asyncio itself sets it only on sockets it made.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock
