"""A server of OpenAI's audio protocol on loopback, as https://platform.openai.com/docs/api-reference/audio has it.

It refuses what the specification doesn't allow, so that what we send is checked as well. Its voice hums, for as long
as the text would take; its ears hear scripted words where somebody made a sound.
"""

from __future__ import annotations

import asyncio
import email
import queue
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from email.policy import HTTP
from typing import Any

import numpy as np
import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

from tests.media.files import encoded
from trunkline.audio import from_float
from trunkline.settings import SpeechServerSettings

KEY = "sk-test-0123456789"
RATE = 24_000
FILES = {"mp3": "mp3", "opus": "ogg, opus", "aac": "aac", "flac": "flac", "wav": "wav"}
LANGUAGES = {"en", "de", "fr", "es", "it", "pt", "nl", "pl"}


@dataclass
class AudioServer:
    port: int = 0
    spoken: list[dict[str, Any]] = field(default_factory=list)
    """Every request for speech."""
    heard: list[dict[str, Any]] = field(default_factory=list)
    """Every request for a transcription, its file included."""
    text: str = "understood"
    score: float = -0.2
    no_speech: float = 0.01
    instead: Callable[[], Response] | None = None
    """Answered in place of anything else."""
    hold: asyncio.Event | None = None
    """Waited for before any answer."""
    rest: asyncio.Event | None = None
    """Waited for in the middle of speech."""
    always: str | None = None
    """This format is sent, whatever is asked for."""

    def settings(self, **more: Any) -> SpeechServerSettings:
        return SpeechServerSettings(url=f"http://127.0.0.1:{self.port}/v1", api_key=KEY, **more)


def hum(text: str, speed: float) -> np.ndarray[Any, np.dtype[np.float32]]:
    """A third of a second and 60 ms for each letter, with 0.2 s of silence in front, as some servers have it."""
    when = np.arange(round(RATE * (0.3 + 0.06 * len(text)) / speed)) / RATE
    pitch = 150 + sum(text.encode()) % 100
    return np.concatenate((np.zeros(RATE // 5), 0.3 * np.sin(2 * np.pi * pitch * when))).astype(np.float32)


def problem(status: int, message: str) -> JSONResponse:
    return JSONResponse({"error": {"message": message, "type": "invalid_request_error"}}, status)


def _app(server: AudioServer) -> FastAPI:
    app = FastAPI()

    async def first(request: Request) -> Response | None:
        if server.hold is not None:
            await server.hold.wait()
        if server.instead is not None:
            return server.instead()
        if request.headers.get("authorization") != f"Bearer {KEY}":
            return problem(401, "Incorrect API key provided.")
        return None

    @app.get("/v1/models")
    async def models(request: Request) -> Response:
        return await first(request) or JSONResponse({"object": "list", "data": []})

    @app.post("/v1/audio/speech")
    async def speech(request: Request) -> Response:
        if (refused := await first(request)) is not None:
            return refused
        wanted = await request.json()
        known = {"model", "input", "voice", "response_format", "speed"}
        speed = wanted.get("speed", 1.0)
        if set(wanted) - known or not {"model", "input", "voice"} <= set(wanted):
            return problem(400, f"fields: {sorted(wanted)}")
        if not 0 < len(wanted["input"]) <= 4096 or not 0.25 <= speed <= 4.0:
            return problem(400, "input or speed is out of bounds")
        if wanted["voice"] not in ("alloy", "nova"):
            return problem(400, f"There is no voice {wanted['voice']}.")
        server.spoken.append(wanted)
        wave = hum(wanted["input"], speed)
        kind = server.always or wanted.get("response_format", "mp3")
        if kind == "pcm":
            return StreamingResponse(_streamed(from_float(wave), server), media_type="audio/pcm")
        return Response(encoded(wave, FILES[kind]), media_type="application/octet-stream")

    @app.post("/v1/audio/transcriptions")
    async def transcriptions(request: Request) -> Response:
        if (refused := await first(request)) is not None:
            return refused
        head = f"content-type: {request.headers['content-type']}\r\n\r\n".encode()
        form: dict[str, Any] = {}
        for part in email.message_from_bytes(head + await request.body(), policy=HTTP).iter_parts():
            name = part.get_param("name", header="content-disposition")
            value = part.get_payload(decode=True)
            assert isinstance(name, str)
            assert isinstance(value, bytes)
            form[name] = value if part.get_filename() else value.decode()
        known = {"file", "model", "language", "prompt", "response_format", "temperature"}
        if set(form) - known or not {"file", "model"} <= set(form):
            return problem(400, f"fields: {sorted(form)}")
        if form.get("language", "en") not in LANGUAGES:
            return problem(400, f"There is no language {form['language']}.")
        server.heard.append(form)
        if form.get("response_format", "json") == "json":
            return JSONResponse({"text": server.text})
        segment = {"id": 0, "text": server.text, "avg_logprob": server.score, "no_speech_prob": server.no_speech}
        return JSONResponse({"task": "transcribe", "language": "english", "text": server.text, "segments": [segment]})

    return app


async def _streamed(sound: bytes, server: AudioServer) -> AsyncIterator[bytes]:
    for start in range(0, len(sound), 4801):  # odd: a sample may be torn
        if start > len(sound) // 2 and server.rest is not None:
            await server.rest.wait()
        yield sound[start : start + 4801]


@asynccontextmanager
async def audio_server() -> AsyncIterator[AudioServer]:
    told = AudioServer()
    server = uvicorn.Server(
        uvicorn.Config(_app(told), port=0, log_config=None, lifespan="off", timeout_graceful_shutdown=1)
    )
    serving = asyncio.create_task(server._serve())  # without its signal handlers
    while not server.started:
        await asyncio.sleep(0.01)
    told.port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield told
    finally:
        server.should_exit = True
        for event in (told.hold, told.rest):
            if event is not None:
                event.set()
        await serving


@contextmanager
def audio_server_apart() -> Iterator[AudioServer]:
    """The same in a thread of its own, for tests with several event loops."""
    running: queue.SimpleQueue[tuple[AudioServer, asyncio.AbstractEventLoop, asyncio.Event]] = queue.SimpleQueue()

    async def serve() -> None:
        over = asyncio.Event()
        async with audio_server() as server:
            running.put((server, asyncio.get_running_loop(), over))
            await over.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="audio server")
    thread.start()
    server, loop, over = running.get(timeout=20)
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()


__all__ = ["KEY", "AudioServer", "audio_server", "audio_server_apart", "problem"]
