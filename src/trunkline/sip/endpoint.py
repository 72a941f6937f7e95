"""The UDP socket around a SIP agent: brings the time, the timers and the wire."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Generic, Protocol, TypeVar, cast

from trunkline.sip.message import PeerAddress
from trunkline.sip.transaction import Datagram


class SipSide(Protocol):
    """One side of SIP without network and clock: `SipAgent`, `SipCaller`."""

    @property
    def events(self) -> deque[Any]: ...

    @property
    def deadline(self) -> float | None: ...

    def receive(self, datagram: bytes, source: PeerAddress, now: float) -> None: ...

    def expire(self, now: float) -> None: ...

    def quiet(self) -> bool: ...

    def drain(self, now: float) -> Iterator[Datagram]: ...


Side = TypeVar("Side", bound=SipSide)


class SipEndpoint(asyncio.DatagramProtocol, Generic[Side]):
    """Feeds datagrams to an agent and sends what it answers. The agent is made when the socket's port is known."""

    def __init__(self, make_agent: Callable[[PeerAddress], Side], on_event: Callable[[Any], None]) -> None:
        self.agent: Side
        self._make_agent = make_agent
        self._on_event = on_event
        self._transport: asyncio.DatagramTransport
        self._timer: asyncio.TimerHandle | None = None
        self._waiting: asyncio.Future[None] | None = None

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
        self._transport.close()

    # ── asyncio's side ─────────────────────────────────────────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)  # neither loop's class is a subclass of it
        host, port = transport.get_extra_info("sockname")[:2]
        self.agent = self._make_agent((host, port))

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.agent.receive(data, (addr[0], addr[1]), time.monotonic())
        self._settle()

    def error_received(self, exc: Exception) -> None:
        """An ICMP error: the transaction's own repetitions and its patience deal with it."""

    def _settle(self) -> None:
        for datagram in self.agent.drain(time.monotonic()):
            self._transport.sendto(datagram.data, datagram.to)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline = self.agent.deadline
        if deadline is not None and not self._transport.is_closing():
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
