"""Who has the floor: what the agent says is heard until it has been said, or the person takes the floor."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from trunkline.conversation.answering import Answering
from trunkline.conversation.completeness import what_was_asked
from trunkline.conversation.heard import Guess
from trunkline.conversation.listening import Listening
from trunkline.conversation.media_clock import MediaClock
from trunkline.conversation.speaking import Answer, Speaker
from trunkline.conversation.transcript import TurnLog
from trunkline.models import HangUpBy


@dataclass(frozen=True, slots=True)
class Ending:
    """Who ended the conversation, and a sentence why."""

    by: HangUpBy
    reason: str
    transferred_to: str | None = None
    """The person is being put through to this number."""


class Floor:
    """Another agent brings its own `answering` and `listening`."""

    def __init__(self, clock: MediaClock, speaker: Speaker, log: TurnLog) -> None:
        self.answering: Answering
        self.listening: Listening
        self.cut_words: str | None = None
        """What was heard of the last answer, where that was not all of it."""
        self._clock = clock
        self._speaker = speaker
        self._log = log

    async def say(self, text: str) -> None:
        """Speak a sentence of our own, not the brain's."""
        await self.speak(self.answering.say(text))

    async def speak(
        self, answer: Answer, *, bridged: bool = False, greeting: bool = False, firm: bool = False
    ) -> Ending | None:
        """Speak it at once; how it ends the conversation, if it was heard to its end and does.

        `bridged`: it comes of the brain, and may take its time. `firm`: nobody interrupts it.
        """
        bridging = self.answering.bridge(answer, self._clock.now(), greeting=greeting) if bridged else None
        bridge = asyncio.create_task(bridging) if bridging is not None else None
        try:
            heard_out = await self.hold(answer, self._deliver(answer), bridge=bridge, firm=firm)
        finally:
            if bridge is not None:
                await over(bridge)
        return ending_of(answer) if heard_out else None

    async def _deliver(self, answer: Answer) -> None:
        self.answering.release(answer)
        await self.answering.made(answer)
        await self._speaker.until_left(0)

    async def hold(
        self,
        answer: Answer,
        delivery: Coroutine[None, None, None],
        guess: Guess | None = None,
        bridge: asyncio.Task[None] | None = None,
        *,
        firm: bool = False,
    ) -> bool:
        """Until `delivery` is done, or the person takes the floor: then brain, voice and audio stop at once."""
        delivering = asyncio.create_task(delivery)
        interruption = asyncio.create_task(self.listening.interrupted.wait())
        try:
            while True:
                await asyncio.wait(
                    {delivering, interruption} | ({bridge} if bridge is not None and not bridge.done() else set()),
                    return_when=asyncio.FIRST_COMPLETED,
                )
                if delivering.done():
                    delivering.result()
                    return True
                if bridge is not None and bridge.done():
                    bridge.result()
                if interruption.done() and firm:
                    await asyncio.wait({delivering})
                elif interruption.done():
                    self._speaker.hold()
                    if await self.listening.meant():
                        return False
                    self.listening.agents_turn_begins()
                    self._speaker.resume()
                    interruption = asyncio.create_task(self.listening.interrupted.wait())
        finally:
            # Reached when all was said, by an interruption and by a hang-up alike.
            if not delivering.done():
                answer.cut_off = True
            if answer.cut_off or answer.muted:
                self.cut_words = answer.heard_of_brain
            self.listening.agents_turn_ends()
            self.listening.asked = what_was_asked(answer.text)
            await over(delivering, interruption)
            await self.answering.drop(answer)
            self._log.agent(answer, guess)


def ending_of(answer: Answer) -> Ending | None:
    """How an answer that was heard ends the conversation, if it does."""
    if answer.transferred_to is not None:
        to = answer.transferred_to
        return Ending(HangUpBy.AGENT, f"The agent transferred the call to {to}.", to)
    return Ending(HangUpBy.AGENT, "The conversation came to its end.") if answer.hang_up else None


async def over(*tasks: asyncio.Task[Any]) -> None:
    """Cancel what is still running and see it end."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
