"""The agent's end of a rehearsed call for tests: SIP by `SipCaller`, audio by the same RTP line the carrier uses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from sipmessage import Response

from tests.rehearsal.sip_caller import SipCaller as Sip
from tests.rehearsal.sip_caller import Wording, offer
from trunkline.rehearsal.carrier import StandInCarrier
from trunkline.rehearsal.clip import Clip
from trunkline.rehearsal.frame_clock import FrameClock
from trunkline.rehearsal.media_line import MediaLine
from trunkline.rehearsal.studio import tone
from trunkline.sip import sdp

THRESHOLD = 328
GREETING = Clip("[greeting]", tone((400.0,), 0.3))
REPLY = Clip("[reply]", tone((600.0,), 0.3))


class TalkingCaller:
    """Calls, listens, speaks."""

    def __init__(self, sip: Sip, line: MediaLine, clock: FrameClock) -> None:
        self.sip = sip
        self.line = line
        self.keys = ""
        self._clock = clock
        line.on_key = self._key

    def _key(self, digit: str) -> None:
        self.keys += digit

    async def connect(self) -> None:
        """Call with the right password, wait for the 200, acknowledge it, start the audio."""
        await self.sip.invite_with_password()
        answer = await self.sip.response(skip=(100, 180, 183))
        assert answer.code == 200
        self.acknowledge(answer)

    def acknowledge(self, answer: Response) -> None:
        """ACK, and start the audio."""
        self.sip.ack(answer)
        self.line.remote = (self.sip.media.host, self.sip.media.port)
        self._clock.join(self.line)

    async def say(self, clip: Clip) -> tuple[float, float]:
        """When its first and last audible sample went out."""
        utterance = self.line.play(clip)
        await utterance.done
        assert utterance.speech is not None
        return utterance.speech.began, utterance.speech.ended

    async def until(self, condition: Callable[[], bool]) -> None:
        """Looked at on every 20 ms tick."""
        met = asyncio.get_running_loop().create_future()

        def look(_: float) -> None:
            if condition() and not met.done():
                met.set_result(None)

        self.line.on_tick = look
        async with asyncio.timeout(5):
            await met

    async def heard(self, utterances: int = 1) -> tuple[float, float]:
        """When the person's speech number `utterances` began and ended, once it has ended."""
        await self.until(lambda: len(self.line.agent.finished) >= utterances)
        speech = self.line.agent.finished[utterances - 1]
        return speech.began, speech.ended

    async def bye_received(self) -> None:
        async with asyncio.timeout(5):
            assert (await self.sip.requests.get()).method == "BYE"


@asynccontextmanager
async def talking_caller(
    carrier: StandInCarrier, wording: Wording | None = None
) -> AsyncGenerator[TalkingCaller, None]:
    """A caller that has not called yet."""
    nowhere = sdp.AudioOffer("127.0.0.1", 9, ("ulaw",), 101)
    line = MediaLine("127.0.0.1", codec="ulaw", offer=nowhere, threshold=THRESHOLD)
    clock = FrameClock()
    wording = wording or Wording()
    wording.body = offer(line.port)
    try:
        async with Sip((carrier.host, carrier.port), wording) as sip:
            yield TalkingCaller(sip, line, clock)
    finally:
        clock.leave(line)
        line.close()
