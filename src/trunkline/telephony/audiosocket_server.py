"""Where Asterisk brings the audio of calls: a TCP server for AudioSocket whose every connection is a leg.

The id that a connection names first is its only authentication, so whatever is not expected is refused; and only this
machine and the networks that the settings name may connect.
"""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, ip_address
from typing import Final
from uuid import UUID

from trunkline.errors import NotReady
from trunkline.models import CallId
from trunkline.ports import CallLeg
from trunkline.telephony.audiosocket_leg import AudioSocketLeg, Fault
from trunkline.telephony.pacing_clock import PacingClock

SEND_BUFFER_BYTES: Final = 4096
"""Kept small so that what is not taken is seen soon: by itself Linux would hold minutes of audio here. What the peer's
kernel took in and Asterisk did not read can't be seen (megabytes fit): a frozen Asterisk is noticed by ARI's pings."""


@dataclass(frozen=True, slots=True)
class AudioSocketCounters:
    """What happened since the server was made."""

    legs_open: int
    frames_in: int
    frames_out: int
    frames_unheard: int
    """Audio that came while nobody was attached."""
    refused_unknown: int
    refused_duplicate: int
    refused_foreign: int
    malformed: int
    handshake_timeouts: int
    stalled: int
    listener_errors: int


class AudioSocketServer:
    """Hands out the media legs of expected calls. Fits `LegSource`."""

    def __init__(self, clock: PacingClock, networks: Sequence[IPv4Network] = ()) -> None:
        self._clock = clock
        self._networks = networks
        self._server: asyncio.Server | None = None
        self._expected: dict[CallId, Callable[[CallLeg], None]] = {}
        self._connections: set[AudioSocketLeg] = set()
        self._legs: dict[CallId, AudioSocketLeg] = {}
        self._faults: Counter[Fault] = Counter()
        self._frames_in = self._frames_out = self._frames_unheard = 0
        self._closing = False
        self._all_gone = asyncio.Event()

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> tuple[str, int]:
        """Listen; port 0 takes a free one. Returns the address Asterisk is to connect to.

        Raises `NotReady` when the port isn't free.
        """
        try:
            listening = socket.create_server((host, port))
        except OSError as error:
            raise NotReady(
                f"The audio of calls can't be taken at {host}:{port}: {error.strerror}.",
                remedy="Set asterisk.audio_host and audio_port to an address of this machine that nothing else uses.",
            ) from error
        # Accepted connections inherit both.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        address: tuple[str, int] = listening.getsockname()
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: AudioSocketLeg(self, self._clock), sock=listening, backlog=512)
        return address

    async def close(self) -> None:
        """Stop listening and hang up every leg. Returns when all connections are gone: at most a second."""
        if self._server is None:
            return
        self._closing = True
        self._server.close()
        for connection in tuple(self._connections):
            connection.hang_up("the service is stopping")
        while self._connections:
            self._all_gone.clear()
            await self._all_gone.wait()
        await self._server.wait_closed()

    # ── for whoever places calls ───────────────────────────────────────────────────────────────────────────────

    def expect(self, call_id: CallId, on_leg: Callable[[CallLeg], None]) -> None:
        """A call that has a leg may get another when that is gone: a transfer that failed brings it back.

        Raises `ValueError` when the id is no UUID in lower case, or when that call is expected already.
        """
        if str(UUID(call_id)) != call_id:
            raise ValueError(f"{call_id!r} is not a UUID in its usual form")
        if call_id in self._expected:
            raise ValueError(f"call {call_id} is expected already")
        self._expected[call_id] = on_leg

    def forget(self, call_id: CallId) -> None:
        self._expected.pop(call_id, None)

    @property
    def counters(self) -> AudioSocketCounters:
        legs = self._legs.values()
        return AudioSocketCounters(
            legs_open=len(legs),
            frames_in=self._frames_in + sum(leg.frames_in for leg in legs),
            frames_out=self._frames_out + sum(leg.frames_out for leg in legs),
            frames_unheard=self._frames_unheard + sum(leg.frames_unheard for leg in legs),
            refused_unknown=self._faults[Fault.UNKNOWN],
            refused_duplicate=self._faults[Fault.DUPLICATE],
            refused_foreign=self._faults[Fault.FOREIGN],
            malformed=self._faults[Fault.MALFORMED],
            handshake_timeouts=self._faults[Fault.NAMELESS],
            stalled=self._faults[Fault.STALLED],
            listener_errors=self._faults[Fault.LISTENER],
        )

    # ── for its connections ────────────────────────────────────────────────────────────────────────────────────

    def connected(self, connection: AudioSocketLeg, address: str) -> None:
        self._connections.add(connection)
        if not self.may_connect(address):
            connection.break_off(Fault.FOREIGN, f"{Fault.FOREIGN}: {address}")
            return
        if self._closing:  # it was accepted while the door was being shut
            connection.hang_up("the service is stopping")

    def may_connect(self, address: str) -> bool:
        """Whether anybody may bring audio from that IP address."""
        peer = ip_address(address)
        return peer.is_loopback or any(peer in network for network in self._networks)

    def named(self, connection: AudioSocketLeg, call: UUID) -> None:
        call_id = CallId(str(call))
        on_leg = self._expected.pop(call_id, None)
        if on_leg is None:
            fault = Fault.DUPLICATE if call_id in self._legs else Fault.UNKNOWN
            connection.break_off(fault, f"{fault}: {call_id}")
            return
        self._legs[call_id] = connection
        connection.admit(call_id)
        on_leg(connection)

    def faulty(self, fault: Fault) -> None:
        self._faults[fault] += 1

    def ended(self, leg: AudioSocketLeg, call_id: CallId) -> None:
        if self._legs.get(call_id) is leg:  # otherwise the next one is there already
            del self._legs[call_id]
        self._frames_in += leg.frames_in
        self._frames_out += leg.frames_out
        self._frames_unheard += leg.frames_unheard

    def disconnected(self, connection: AudioSocketLeg) -> None:
        self._connections.discard(connection)
        if not self._connections:
            self._all_gone.set()
