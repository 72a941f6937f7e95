"""The sockets around a SIP agent: brings the time, the timers and the wires."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, Protocol, TypeVar

from trunkline.sip.message import PeerAddress, Transport
from trunkline.sip.transaction import Datagram
from trunkline.sip.wire import Wire


class SipSide(Protocol):
    """One side of SIP without network and clock: `SipAgent`, `SipCaller`."""

    @property
    def events(self) -> deque[Any]: ...

    @property
    def deadline(self) -> float | None: ...

    def receive(self, datagram: bytes, source: PeerAddress, now: float, transport: Transport = "udp") -> None: ...

    def expire(self, now: float) -> None: ...

    def quiet(self) -> bool: ...

    def drain(self, now: float) -> Iterator[Datagram]: ...


Side = TypeVar("Side", bound=SipSide)


class SipEndpoint(Generic[Side]):
    """Feeds an agent what comes on its wires and sends what it answers. Closes the wires when it is closed."""

    def __init__(self, agent: Side, wires: Sequence[Wire], on_event: Callable[[Any], None]) -> None:
        self.agent = agent
        self._wires = {wire.transport: wire for wire in wires}
        self._on_event = on_event
        self._closed = False
        self._timer: asyncio.TimerHandle | None = None
        self._waiting: asyncio.Future[None] | None = None
        for wire in wires:
            wire.on_message = functools.partial(self._received, wire.transport)

    def act(self, action: Callable[[Side, float], None]) -> float:
        """Do something with the agent, then send what follows. Returns the time at which it was sent."""
        action(self.agent, time.monotonic())
        self._settle()
        return time.monotonic()

    async def quiet(self, timeout: float) -> None:
        """Return when no dialog is open and our BYEs are answered, or after `timeout` seconds."""
        self._waiting = asyncio.get_running_loop().create_future()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                if not self.agent.quiet():
                    await self._waiting

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._closed = True
        for wire in self._wires.values():
            wire.close()

    # ── inside ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _received(self, transport: Transport, message: bytes, source: PeerAddress) -> None:
        self.agent.receive(message, source, time.monotonic(), transport)
        self._settle()

    def _settle(self) -> None:
        for datagram in self.agent.drain(time.monotonic()):
            self._wires[datagram.transport].send(datagram.data, datagram.to)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline = self.agent.deadline
        if deadline is not None and not self._closed:
            delay = max(0.0, deadline - time.monotonic())
            self._timer = asyncio.get_running_loop().call_later(delay, self._expire)
        while self.agent.events:
            self._on_event(self.agent.events.popleft())
        if self._waiting is not None and not self._waiting.done() and self.agent.quiet():
            self._waiting.set_result(None)

    def _expire(self) -> None:
        self._timer = None
        self.agent.expire(time.monotonic())
        self._settle()
