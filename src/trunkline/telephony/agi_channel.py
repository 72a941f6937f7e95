"""The channel behind an AGI connection, as a call needs it: its audio runs over AudioSocket."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable, Coroutine
from typing import Any, Final

from trunkline.errors import PbxUnavailable
from trunkline.events import FarEndAnswered, FarEndGone, LegEvent
from trunkline.models import CallId
from trunkline.settings import E164
from trunkline.telephony.agi_protocol import DEAD, Reply
from trunkline.telephony.agi_server import AgiConnection

NO_SUCH_APPLICATION: Final = "-2"
NORMAL_CLEARING, TEMPORARY_FAILURE = 16, 41
"""Q.850 causes of a channel that has hung up, and of one of which nothing is known any more."""
LONGEST_CALL: Final = 86_400.0
"""Seconds AudioSocket may run; the call's own limit ends it long before."""


async def has_audiosocket(connection: AgiConnection) -> bool:
    """Whether that Asterisk can bring us a call's audio."""
    told = await connection.command("GET FULL VARIABLE", "${IFMODULE(app_audiosocket.so)}")
    if told.value in ("0", "1"):
        return told.value == "1"
    # It lacks the function. Without its arguments the application does nothing but complain, in Asterisk's log.
    return (await connection.command("EXEC AudioSocket", "")).result != NO_SUCH_APPLICATION


class AgiChannel:
    """A call whose audio comes to `audiosocket` (`host:port`). Fits `ports.ChannelControl`.

    `report` is told of the answer and, once, when AudioSocket is over or the channel gone. Whatever a call ends with,
    the channel itself lives on for the dialplan behind `AGI()`.
    """

    def __init__(
        self, connection: AgiConnection, call_id: CallId, audiosocket: str, report: Callable[[LegEvent], None]
    ) -> None:
        self._connection = connection
        self._call_id = call_id
        self._audiosocket = audiosocket
        self._report = report
        self._told = False
        self._work: set[asyncio.Task[None]] = set()
        self.next: tuple[str, float] | None = None
        """The number the person is to be put through to, and how long it may ring."""
        connection.on_end(lambda: self._begin(self._ended()))

    async def answer(self, call_id: CallId) -> None:
        reply = await self._connection.command("ANSWER")
        if reply.failed:
            if await self._has_hung_up(reply):
                return
            raise PbxUnavailable("Asterisk could not answer the channel that came by AGI; its log says why.")
        self._report(FarEndAnswered(self._call_id))
        self._answered()

    async def hang_up(self, call_id: CallId, *, cause: int | None = None) -> None:
        """Nothing: the dialplan decides what becomes of the channel."""

    async def press_key(self, call_id: CallId, key: str, *, seconds: float) -> None:
        raise PbxUnavailable(
            "A call that came by AGI can't press keys while its audio runs over AudioSocket.",
            remedy="Let the dialplan press them (SendDTMF) when the agent is done, or use ?mode=record.",
        )

    async def connect_next(self, call_id: CallId, to: str, *, ring_timeout: float) -> None:
        if not E164.fullmatch(to):
            raise PbxUnavailable("A dialplan is told numbers alone.", remedy="Give that transfer a number.")
        self.next = (to, ring_timeout)

    async def release(self) -> None:
        """The call is over: nothing more is done with the channel."""
        self._connection.on_end(lambda: None)
        for task in self._work:
            task.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)

    # ── inside ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name=f"agi {self._call_id}")
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    def _answered(self) -> None:
        self._begin(self._talk())

    async def _talk(self) -> None:
        """AudioSocket, from its beginning to its end."""
        with contextlib.suppress(PbxUnavailable):
            over = await self._connection.command(
                "EXEC AudioSocket", f"{self._call_id},{self._audiosocket}", seconds=LONGEST_CALL
            )
            if not await self._has_hung_up(over):
                self._tell(None)

    async def _has_hung_up(self, reply: Reply) -> bool:
        """Whether that is why a command failed; then it has been reported."""
        dead = reply.code == DEAD or (await self._connection.command("CHANNEL STATUS")).code == DEAD
        if dead:
            await self._hung_up()
        return dead

    async def _ended(self) -> None:
        """The channel has hung up, or we lost it."""
        if self._connection.hung_up:
            await self._hung_up()
        else:
            self._tell(TEMPORARY_FAILURE)

    async def _hung_up(self) -> None:
        cause = NORMAL_CLEARING
        with contextlib.suppress(PbxUnavailable):
            told = (await self._connection.command("GET VARIABLE", "HANGUPCAUSE")).value or ""
            cause = int(told) if re.fullmatch("[1-9][0-9]{0,2}", told) else cause
        self._tell(cause)

    def _tell(self, cause: int | None) -> None:
        """`cause` (Q.850); `None`: the channel lives on, only our part in it is over."""
        if not self._told:
            self._told = True
            self._report(FarEndGone(self._call_id, cause))
