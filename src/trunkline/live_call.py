"""A call that has not ended, in the hands of somebody outside: what they can do with it beside hanging up."""

from __future__ import annotations

from dataclasses import replace

from trunkline.call import Call
from trunkline.conversation.controls import Controls
from trunkline.conversation.conversation import Senses
from trunkline.conversation.prompts import Successor
from trunkline.errors import WrongMoment
from trunkline.models import CallRecord
from trunkline.ports import Brain, Note, Say, Transfer
from trunkline.settings import AgentSettings


class LiveCall:
    """Everything raises `WrongMoment` while nobody talks in the call."""

    def __init__(self, call: Call) -> None:
        self._call = call

    @property
    def record(self) -> CallRecord:
        return self._call.record

    @property
    def controls(self) -> Controls:
        """Of the conversation."""
        if (conversation := self._call.conversation) is None:
            raise WrongMoment("Nobody talks in this call yet.", remedy="Wait for its answer.")
        conversation.controls.check()
        return conversation.controls

    async def press(self, keys: str) -> None:
        """Keys towards the person, whatever the agent does; returns when they have been pressed.

        Raises `PbxUnavailable`.
        """
        controls = self.controls
        await self._call.send_keys(keys)
        controls.note(Note("keys-sent", f"Somebody pressed {keys}.", {"keys": keys}))

    def put_through(self, to: str, *, words: str = "", about: str = "", now: bool = False) -> None:
        """The agent says `words` and puts the person through to a number or a name. Raises `InvalidNumber`; whether the
        number may be called turns out then.
        """
        controls = self.controls
        self._call.desk.check(to)
        controls.do(*([Say(words)] if words else []), Transfer(to, about), now=now)

    async def change_agent(
        self, name: str, agent: AgentSettings, brain: Brain, senses: Senses, *, now: bool = False
    ) -> None:
        """Another agent goes on, as soon as the present one has spoken. Raises what its brain raises."""
        controls = self.controls
        briefing = replace(self._call.briefing, agent=name, script=None, so_far=controls.so_far)
        mind = await brain.open(briefing)
        try:
            controls.succeed(Successor(name, agent, mind, senses.speech_to_text, senses.text_to_speech, now))
        except WrongMoment:
            await mind.close()
            raise
