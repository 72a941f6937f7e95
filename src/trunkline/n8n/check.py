"""Tries a webhook as a call would use it: the welcome, then a spoken turn. Tells what came, how fast, what to mend."""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import httpcore

from trunkline.audio import seconds_of
from trunkline.brains.n8n import N8nSession
from trunkline.brains.n8n_faults import N8nFault
from trunkline.brains.n8n_request import WebhookRequest
from trunkline.brains.n8n_sound import Sounds
from trunkline.brains.n8n_webhook import Webhook
from trunkline.models import CallId, Direction
from trunkline.ports import BrainAction, CallBriefing, HangUp, Note, PersonTurn, Play, Say, SendKeys, Transfer
from trunkline.settings import AgentSettings, N8nSettings

SLOW_WELCOME: Final = 1.0
SLOW_WORDS: Final = 1.5
"""Seconds a person waits before a call begins to feel slow; the filler begins about then."""
NUMBER: Final = "+14155550123"
"""A fictional person's."""
_HEAD: Final = 64
"""Bytes of a body that tell its form."""
_STREAM: Final = re.compile(rb'\s*\{\s*"type"\s*:\s*"begin"')


@dataclass
class Finding:
    """What came of one request. Times are seconds from sending it."""

    name: str
    fault: N8nFault | None = None
    first_byte: float | None = None
    first_words: float | None = None
    total: float = 0.0
    streamed: bool = False
    """In n8n's streaming protocol: what is said first can be heard before the end has been written."""
    text: str = ""
    audio_seconds: float = 0.0
    does: list[str] = field(default_factory=list)
    """What is done besides speaking: `hang up`, `transfer to …`, `press …`."""
    remarks: list[str] = field(default_factory=list)
    """What works but could be better."""


async def check(agent: AgentSettings, name: str, turn: PersonTurn) -> list[Finding]:
    """The welcome and, unless that failed for good, the turn, of the agent `name`; `turn` as a person would speak it.

    The workflow really runs: it sees a call from a fictional number whose id begins with `check-`.
    """
    call = CallBriefing(CallId(f"check-{uuid.uuid4()}"), Direction.OUTBOUND, name, NUMBER, None)
    asker = _Asker(agent.n8n, agent, call)
    try:
        first = await asker.ask("welcome", asker.session.greet())
        if first.fault is not None and first.fault.lasting:
            return [first]
        if first.fault is None and (first.first_words or 0) > SLOW_WELCOME:
            again = await asker.ask("welcome", asker.session.greet())
            first.remarks.append(_about_slow_welcome(first, again))
        second = await asker.ask("spoken turn", asker.session.reply(turn))
    finally:
        await asker.close()
    if second.fault is None:
        second.remarks += _about_turn(first, second)
    return [first, second]


def _about_slow_welcome(first: Finding, again: Finding) -> str:
    if again.fault is None and (again.first_words or 0) <= SLOW_WELCOME:
        return (
            f"It took {first.first_words:.1f} s the first time, {again.first_words:.2f} s the second: n8n loads a "
            "workflow when it is first used. Try it once before the first call of the day."
        )
    return (
        "The person hears nothing until it is there. Answer the welcome with a fixed sentence: that is ready at once."
    )


def _about_turn(first: Finding, second: Finding) -> list[str]:
    found = []
    if first.text and second.text == first.text:
        found.append(
            "The turn was answered like the welcome: the workflow doesn't tell them apart. Let its Switch look at "
            "{{ $json.body.mode ?? $json.query.mode }}; a turn has process_input there."
        )
    if (second.first_words or 0) > SLOW_WORDS:
        found.append(
            "The person waits long for the first word."
            if second.streamed
            else "The person waits until all of the answer is written. Streamed, they hear its first sentence while "
            "the rest is being written: see configs/n8n-streaming-template.json."
        )
    return found


class _Asker:
    """Asks with the brain's own session, and takes the time."""

    def __init__(self, settings: N8nSettings, agent: AgentSettings, call: CallBriefing) -> None:
        self._webhook = _Tapped(settings)
        self._sounds = Sounds(settings)
        self.session = N8nSession(call, agent, self._webhook, self._sounds)

    async def close(self) -> None:
        await self._webhook.close()
        await self._sounds.close()

    async def ask(self, name: str, actions: AsyncGenerator[BrainAction, None]) -> Finding:
        finding = Finding(name)
        clock = asyncio.get_running_loop().time
        self._webhook.first, self._webhook.head = None, b""
        began = clock()
        try:
            async with aclosing(actions) as coming:
                async for action in coming:
                    if isinstance(action, Say | Play) and finding.first_words is None:
                        finding.first_words = clock() - began
                    await _note(action, finding)
        except N8nFault as fault:
            finding.fault = fault
        finding.total = clock() - began
        finding.first_byte = None if self._webhook.first is None else self._webhook.first - began
        finding.streamed = _STREAM.match(self._webhook.head) is not None
        return finding


async def _note(action: BrainAction, finding: Finding) -> None:
    match action:
        case Say(text):
            finding.text = f"{finding.text} {text}".strip()
        case Play(audio, text):
            finding.text = f"{finding.text} {text}".strip()
            async with aclosing(audio) as pieces:
                finding.audio_seconds += seconds_of(b"".join([piece async for piece in pieces]))
        case HangUp():
            finding.does.append("hang up")
        case Transfer(to):
            finding.does.append(f"transfer to {to}")
        case SendKeys(keys):
            finding.does.append(f"press {keys}")
        case Note(_, text):
            finding.remarks.append(text)


class _Tapped(Webhook):
    """Notes when the first byte of a body comes, and how the body begins."""

    first: float | None = None
    head: bytes = b""

    @asynccontextmanager
    async def post(self, request: WebhookRequest) -> AsyncIterator[httpcore.Response]:
        async with super().post(request) as response:
            assert isinstance(response.stream, AsyncIterable)
            response.stream = self._tap(response.stream)
            yield response

    async def _tap(self, stream: AsyncIterable[bytes]) -> AsyncGenerator[bytes, None]:
        async for piece in stream:
            if self.first is None:
                self.first = asyncio.get_running_loop().time()
            if len(self.head) < _HEAD:
                self.head += piece
            yield piece
