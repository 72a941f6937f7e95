"""The audio of a live call, for supervisors: who listens in, and who speaks in the agent's place.

8 kHz, 16 bit, little-endian. Nobody here can make a call wait: what they don't take in time is lost to them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final
from urllib.parse import urlsplit

from fastapi import APIRouter, Response, WebSocket, status

from trunkline.conversation.controls import Controls
from trunkline.conversation.live_audio import TakenOver
from trunkline.errors import CallEnded, TrunklineError, UnknownCall, WrongMoment
from trunkline.store.wav import HEADER, header, interleaved
from trunkline.web.calls import to_call_id
from trunkline.web.errors import error_answer, errors, problem
from trunkline.web.event_stream import EventStream
from trunkline.web.services import House

ENDLESS: Final = 0xFFFF_FFFF - HEADER
"""Bytes a WAV file claims to have whose end nobody knows yet."""

router = APIRouter(tags=["control"])


class AudioStream(EventStream):
    media_type = "audio/wav"


@router.get(
    "/calls/{call_id}/audio",
    response_class=Response,
    responses={
        200: {
            "content": {"audio/wav": {"schema": {"type": "string", "format": "binary"}}},
            "description": "Stereo WAV, 8 kHz, 16 bit, as it is spoken: left the person, right the agent.",
        },
        **errors(UnknownCall, CallEnded, WrongMoment),
    },
)
async def listen_in(call_id: str, house: House) -> Response:
    """Listen to a live call, from now to its end. While its recording is paused, silence is heard."""
    controls = (await house.switchboard.live_call(to_call_id(call_id))).controls
    controls.check_stream()
    return AudioStream(_both_sides(controls))


async def _both_sides(controls: Controls) -> AsyncGenerator[bytes]:
    listener = controls.listen_in()
    try:
        yield header(ENDLESS)
        async with aclosing(listener.pieces()) as pieces:
            async for person, agent in pieces:
                yield interleaved(person, agent)
    finally:
        controls.leave(listener)


@router.websocket("/calls/{call_id}/takeover")
async def take_over(websocket: WebSocket, call_id: str, house: House) -> None:
    """A supervisor speaks in the agent's place as long as the WebSocket is open. Audio in binary messages, mono, both
    ways: theirs to the person, the person's to them, 20 ms each.
    """
    if not _of_our_own(websocket):
        refusal = error_answer(403, "origin_refused", "Another site's page may not speak in a call.")
        await websocket.send_denial_response(refusal)
        return
    try:
        controls = (await house.switchboard.live_call(to_call_id(call_id))).controls
        supervisor = controls.take_over()
    except TrunklineError as error:
        await websocket.send_denial_response(problem(error))
        return
    try:
        await websocket.accept()
        await _both_ways(websocket, supervisor)
    finally:
        controls.give_back(supervisor)


async def _both_ways(websocket: WebSocket, supervisor: TakenOver) -> None:
    hearing = asyncio.create_task(_hear(websocket, supervisor))
    speaking = asyncio.create_task(_speak(websocket, supervisor))
    try:
        await asyncio.wait({hearing, speaking}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (hearing, speaking):
            task.cancel()
        await asyncio.wait({hearing, speaking})
    if not speaking.cancelled() and (why := speaking.result()):
        await websocket.close(status.WS_1003_UNSUPPORTED_DATA, why)
    elif speaking.cancelled() and not hearing.cancelled() and hearing.exception() is None:
        await websocket.close(status.WS_1000_NORMAL_CLOSURE, "The conversation is over.")


async def _hear(websocket: WebSocket, supervisor: TakenOver) -> None:
    async with aclosing(supervisor.heard()) as frames:
        async for frame in frames:
            await websocket.send_bytes(frame)


async def _speak(websocket: WebSocket, supervisor: TakenOver) -> str:
    """Until they leave (an empty text), or send what is no audio: why that isn't taken."""
    while (message := await websocket.receive())["type"] != "websocket.disconnect":
        if (audio := message.get("bytes")) is None:
            return "Only audio is taken: binary messages, 8 kHz, 16 bit, mono."
        supervisor.say(audio)
    return ""


def _of_our_own(websocket: WebSocket) -> bool:
    """Browsers let any page open a WebSocket to anywhere, and tell whose page it was."""
    origin = websocket.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == websocket.headers.get("host")
