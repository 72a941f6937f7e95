"""Checks of what listens, speaks and answers: speech engines, n8n and language models."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from trunkline.brains.n8n import N8nSession
from trunkline.brains.n8n_sound import Sounds
from trunkline.brains.n8n_webhook import Webhook
from trunkline.brains.openai_abilities import Abilities
from trunkline.brains.openai_server import ModelServer
from trunkline.brains.openai_stream import Words
from trunkline.brains.openai_tools import AgentTools
from trunkline.doctor.check import Verdict, well
from trunkline.models import CallId, Direction
from trunkline.n8n.check import NUMBER, SLOW_WELCOME
from trunkline.ports import CallBriefing
from trunkline.settings import AgentSettings, Settings
from trunkline.speech import make_text_to_speech, make_voice_detector, whisper_model
from trunkline.speech.smart_turn import smart_turn_model

LIMIT: Final = 15.0
SLOW_WORDS: Final = 1.5
"""Seconds to a model's first words above which a conversation drags."""


@dataclass(frozen=True, slots=True)
class Speech:
    """The models are verified, not loaded; the voice is started, as only that tells whether there is one."""

    settings: Settings
    name: str = "speech"
    limit: float = LIMIT

    async def run(self) -> Verdict:
        # Offline: nothing is fetched here, what is missing is told.
        speech = self.settings.speech.model_copy(update={"offline": True})
        await asyncio.to_thread(make_voice_detector)
        await asyncio.to_thread(whisper_model, speech)
        await asyncio.to_thread(smart_turn_model, speech)
        voice = make_text_to_speech(speech)
        try:
            await voice.warm_up()
        finally:
            await voice.close()
        return well(f"Whisper {speech.stt_model}, Smart Turn and a voice ({speech.tts_engine}) are here")


@dataclass(frozen=True, slots=True)
class N8n:
    """The workflow of one agent is asked for its welcome, once; `trunkline n8n check` tries a spoken turn as well."""

    agent: str
    settings: AgentSettings
    limit: float = LIMIT

    @property
    def name(self) -> str:
        return f"n8n ({self.agent})"

    async def run(self) -> Verdict:
        webhook, sounds = Webhook(self.settings.n8n), Sounds(self.settings.n8n)
        call = CallBriefing(CallId(f"check-{uuid.uuid4()}"), Direction.OUTBOUND, self.agent, NUMBER, None)
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            async with aclosing(N8nSession(call, self.settings, webhook, sounds).greet()) as coming:
                _ = [action async for action in coming]
        finally:
            await webhook.close()
            await sounds.close()
        took = clock() - began
        slow = ("n8n is slow with what it runs for the first time; try again.",) if took > SLOW_WELCOME else ()
        return well(f"the welcome came after {took:.2f} s", *slow)


@dataclass(frozen=True, slots=True)
class Model:
    """The model of one agent is asked for a word, with all its tools, which costs a few hundred tokens; and its MCP
    servers for theirs.
    """

    agent: str
    settings: AgentSettings
    limit: float = LIMIT

    @property
    def name(self) -> str:
        return f"model ({self.agent})"

    async def run(self) -> Verdict:
        settings = self.settings.openai
        server, tools = ModelServer(settings), AgentTools(settings)
        clock = asyncio.get_running_loop().time
        messages = [{"role": "system", "content": settings.prompt}, {"role": "user", "content": "Say: hello."}]
        began, spoke = clock(), None
        try:
            await tools.listed()
            began = clock()
            offered = [spec.wire() for spec in (*Abilities(settings).specs(), *tools.specs())]
            async with aclosing(server.complete(messages, offered, began + settings.answer_seconds)) as coming:
                async for event in coming:
                    spoke = clock() if spoke is None and isinstance(event, Words) else spoke
        finally:
            await tools.close()
            await server.close()
        took = (spoke or clock()) - began
        slow = ("People notice that: choose a faster model, or set speculate = true.",) if took > SLOW_WORDS else ()
        return well(f"{settings.model} spoke after {took:.2f} s, with {len(offered)} tools", *slow)
