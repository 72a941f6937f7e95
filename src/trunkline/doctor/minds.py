"""Checks of what listens, speaks and answers: speech engines and n8n."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from trunkline.brains.n8n import N8nSession
from trunkline.brains.n8n_sound import Sounds
from trunkline.brains.n8n_webhook import Webhook
from trunkline.doctor.check import Verdict, well
from trunkline.models import CallId, Direction
from trunkline.n8n.check import NUMBER, SLOW_WELCOME
from trunkline.ports import CallBriefing
from trunkline.settings import AgentSettings, Settings
from trunkline.speech import make_text_to_speech, make_voice_detector, whisper_model
from trunkline.speech.smart_turn import smart_turn_model

LIMIT: Final = 15.0


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
