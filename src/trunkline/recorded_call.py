"""A call whose channel carries no stream of audio: what is said is played and recorded, turn by turn."""

from __future__ import annotations

import asyncio

from trunkline.conversation.conversation import Conversation
from trunkline.conversation.turn_by_turn import TurnByTurn
from trunkline.incoming_call import IncomingCall
from trunkline.ports import BrainSession, TurnChannel


class RecordedCall(IncomingCall):
    """Its channel, a `TurnChannel`, is its leg as well, from the answer on."""

    _channel: TurnChannel

    def _converse(self, mind: BrainSession) -> Conversation:
        line = self._line
        return TurnByTurn(
            self.record.id,
            self._agent,
            mind,
            line.senses,
            channel=self._channel,
            publish=self._publish,
            control=self,
            load=line.load,
            notice=self._notice(),
        )

    async def _begin(self, preparing: asyncio.Future[Conversation]) -> None:
        await super()._begin(preparing)
        if not self._gone.done() and not self._end_asked.done():
            self._on_leg(self._channel)
