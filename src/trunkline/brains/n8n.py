"""The n8n brain: a workflow behind a webhook decides what is said. See `docs/n8n.md` for the contract with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing

import httpcore

from trunkline.brains.fallback import SteadySession
from trunkline.brains.n8n_faults import FaultKind, N8nFault, of_status
from trunkline.brains.n8n_reply import Reply
from trunkline.brains.n8n_request import WebhookRequest, process_input, welcome
from trunkline.brains.n8n_sound import Sounds
from trunkline.brains.n8n_stream import ReplyStream, is_audio
from trunkline.brains.n8n_webhook import Webhook, body_of
from trunkline.brains.opened_ahead import READY_SECONDS
from trunkline.brains.scripted import ScriptedBrain
from trunkline.brains.timely import by
from trunkline.ports import (
    RESULT,
    BrainAction,
    CallBriefing,
    Discreet,
    HangUp,
    Note,
    PersonTurn,
    Say,
    SendKeys,
    Transfer,
)
from trunkline.settings import AgentSettings
from trunkline.spoken_text import speakable

_ERROR_PAGE = 20_000
"""Bytes that are read of an answer which reports a failure."""


class N8nBrain:
    """Fits `ports.Brain`. One per agent; `script` is what it falls back to, where the settings want that."""

    def __init__(self, agent: AgentSettings, script: ScriptedBrain | None = None) -> None:
        self._agent = agent
        self._script = script
        self._webhook = Webhook(agent.n8n)
        self._sounds = Sounds(agent.n8n)

    async def open(self, briefing: CallBriefing) -> SteadySession:
        session = N8nSession(briefing, self._agent, self._webhook, self._sounds)
        session.turn_ahead()
        return SteadySession(session, self._agent, self._agent.n8n, briefing, self._script)

    async def close(self) -> None:
        await self._webhook.close()
        await self._sounds.close()


class N8nSession:
    """One call's workflow. Its generators raise `N8nFault`; closing one ends the request."""

    def __init__(self, call: CallBriefing, agent: AgentSettings, webhook: Webhook, sounds: Sounds) -> None:
        self._call = call
        self._settings = agent.n8n
        self._transcribed = agent.transcribe
        self._webhook = webhook
        self._sounds = sounds
        self._said: list[str] = []
        self._ready_until = 0.0

    def turn_ahead(self) -> None:
        now = asyncio.get_running_loop().time()
        if now > self._ready_until:
            self._ready_until = now + READY_SECONDS / 2
            self._webhook.prepare()

    def greet(self) -> AsyncGenerator[BrainAction, None]:
        return self._ask(welcome(self._call), self._settings.welcome_seconds)

    def reply(self, turn: PersonTurn) -> AsyncGenerator[BrainAction, None]:
        heard = " ".join(self._said) if turn.heard is None else turn.heard
        request = process_input(
            self._call, turn, heard=heard, interrupted=turn.heard is not None, transcribed=self._transcribed
        )
        return self._ask(request, self._settings.answer_seconds)

    def fork(self) -> None:
        """None: what is asked of a workflow has effects."""

    def greeted(self, text: str) -> None:
        """We said that ourselves in the workflow's place."""
        self._said = [text]

    async def _ask(self, request: WebhookRequest, seconds: float) -> AsyncGenerator[BrainAction, None]:
        self._said, self._ready_until = [], 0.0
        deadline = asyncio.get_running_loop().time() + seconds
        async with AsyncExitStack() as exchange:
            asked = exchange.enter_async_context(self._webhook.post(request))
            response = await by(deadline, asked, N8nFault(FaultKind.TIMEOUT))
            body = await exchange.enter_async_context(aclosing(body_of(response)))
            await _refuse(response, body, deadline)
            answer = self._answer(response, body, deadline)
            async for action in await exchange.enter_async_context(aclosing(answer)):
                yield action

    async def _answer(
        self, response: httpcore.Response, body: AsyncIterator[bytes], deadline: float
    ) -> AsyncGenerator[BrainAction, None]:
        """What the body says, in whatever form it comes."""
        head, kind = b"", _header(response, b"content-type")
        while is_audio(head, kind) is None:
            piece = await by(deadline, anext(body, b""), N8nFault(FaultKind.TIMEOUT))
            head += piece
            if not piece:
                break
        if is_audio(head, kind):
            async with aclosing(self._sounds.of_body(head, body)) as sound:
                async for action in sound:
                    yield action
            return
        async with aclosing(self._replies(head, body, deadline)) as found:
            async for action in self._actions(found):
                yield action

    async def _replies(self, head: bytes, body: AsyncIterator[bytes], deadline: float) -> AsyncGenerator[Reply, None]:
        """Replies as they arrive. The first may take until `deadline`, the others no longer than a stall."""
        stream, begun, piece = ReplyStream(), False, head
        while True:
            for reply in stream.feed(piece) if piece else ():
                begun = True
                yield reply
            now = asyncio.get_running_loop().time()
            limit = now + self._settings.stall_seconds if begun else deadline
            late = N8nFault(FaultKind.STALLED if begun else FaultKind.TIMEOUT)
            if not (piece := await by(limit, anext(body, b""), late)):
                break
        for reply in stream.finish():
            yield reply

    async def _actions(self, found: AsyncIterator[Reply]) -> AsyncGenerator[BrainAction, None]:
        """Replies as actions. To hang up or to transfer waits for the answer's end: words may follow it."""
        last: BrainAction | None = None
        left = self._settings.longest_answer
        try:
            async for reply in found:
                if reply.audio_url is not None:
                    self._said.append(reply.text)
                    async with aclosing(self._sounds.of_url(reply.audio_url, reply.text)) as sound:
                        async for action in sound:
                            yield action
                elif text := speakable(reply.text):
                    if len(text) > left:
                        most = self._settings.longest_answer
                        yield Note("answer-cut", f"The answer is longer than {most} characters.")
                        break
                    left -= len(text)
                    self._said.append(text)
                    yield Say(text)
                for action in _beside(reply):
                    yield action
                if reply.transfer is not None:
                    last = Transfer(reply.transfer, reply.about)
                elif reply.hang_up and last is None:
                    last = HangUp()
        except N8nFault:
            if last is None:  # otherwise all that matters has come
                raise
        if last is not None:
            yield last


def _beside(reply: Reply) -> list[BrainAction]:
    """What it asks for beside what is heard, but for an end."""
    found: list[BrainAction] = []
    if reply.keys:
        found.append(SendKeys(reply.keys))
    if reply.discreet is not None:
        found.append(Discreet(reply.discreet))
    if reply.results:
        found.append(Note(RESULT, f"The workflow found out: {', '.join(reply.results)}.", reply.results))
    return found


async def _refuse(response: httpcore.Response, body: AsyncIterator[bytes], deadline: float) -> None:
    """Raises `N8nFault` where the status is none of success."""
    if 200 <= response.status < 300:
        return
    page = b""
    try:
        while len(page) < _ERROR_PAGE and (piece := await by(deadline, anext(body, b""), N8nFault(FaultKind.TIMEOUT))):
            page += piece
    except N8nFault:
        pass  # the status says enough
    fault = of_status(response.status, page, _header(response, b"location"))
    assert fault is not None
    raise fault


def _header(response: httpcore.Response, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in response.headers if key.lower() == name), "")
