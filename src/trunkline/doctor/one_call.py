"""One call through a private Asterisk of its own, with no agent: what we say is given, what we hear is kept."""

from __future__ import annotations

import asyncio
import uuid

from trunkline.audio import FRAME_BYTES, FRAME_SECONDS, SILENCE
from trunkline.events import FarEndGone, FarEndProgress, FarEndRinging, PbxEvent, PbxLost
from trunkline.models import CallId
from trunkline.ports import CallLeg
from trunkline.settings import Settings
from trunkline.telephony.ari import AriPbx
from trunkline.telephony.asterisk_program import AsteriskProgram
from trunkline.telephony.audiosocket_server import AudioSocketServer
from trunkline.telephony.pacing_clock import PacingClock
from trunkline.telephony.pbx import PrivateAsterisk


class OurEnd:
    """Says its piece, and hangs up when it has heard so many seconds, speech and silence alike."""

    def __init__(self, says: bytes, seconds: float) -> None:
        self._says = iter([says[at : at + FRAME_BYTES] for at in range(0, len(says), FRAME_BYTES)])
        self._enough = round(seconds / FRAME_SECONDS)
        self._frames: list[bytes] = []
        self._leg: CallLeg | None = None
        self.rang = False
        self.over: asyncio.Future[FarEndGone | PbxLost | None] = asyncio.get_running_loop().create_future()
        """Why there was no conversation; `None`: there was one, and it is over."""

    @property
    def heard(self) -> bytes:
        return b"".join(self._frames)

    def told(self, event: PbxEvent) -> None:
        match event:
            case FarEndRinging() | FarEndProgress():
                self.rang = True
            case FarEndGone() | PbxLost() if self._leg is None and not self.over.done():
                self.over.set_result(event)

    def take(self, leg: CallLeg) -> None:
        self._leg = leg
        leg.attach(self)

    def audio_received(self, frame: bytes) -> None:
        self._frames.append(frame)
        if len(self._frames) >= self._enough and self._leg is not None:
            self._leg.close()

    def next_frame(self) -> bytes:
        return next(self._says, SILENCE).ljust(FRAME_BYTES, b"\x00")

    def key_received(self, digit: str) -> None:
        """Nothing is asked, so no key means anything."""

    def leg_closed(self, why: str, *, broken: bool) -> None:
        if not self.over.done():
            self.over.set_result(None)


async def call_once(program: AsteriskProgram, settings: Settings, number: str, end: OurEnd, limit: float) -> None:
    """Until `end.over`. `settings.service.data_dir` is a folder for this call alone.

    Raises `TimeoutError` after `limit` seconds, and `PbxUnavailable`.
    """
    legs = AudioSocketServer(PacingClock(asyncio.get_running_loop()))
    host, port = await legs.start()
    trunk, call_id = settings.trunk, CallId(str(uuid.uuid4()))
    try:
        async with (
            PrivateAsterisk(program, settings, audiosocket=f"{host}:{port}") as asterisk,
            AriPbx(asterisk.ari, trunk) as ari,
        ):
            ari.on_event(end.told)
            legs.expect(call_id, end.take)
            shown = trunk.caller_ids[0] if trunk.caller_ids else None
            try:
                async with asyncio.timeout(limit):
                    await ari.dial(call_id, number, caller_id=shown, ring_timeout=trunk.ring_timeout)
                    await end.over
            finally:
                legs.forget(call_id)
                if not end.over.done():
                    await ari.hang_up(call_id)
    finally:
        await legs.close()
