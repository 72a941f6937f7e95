"""One AudioSocket connection: a call's leg as soon as it has named a call that is expected."""

from __future__ import annotations

import asyncio
import enum
import logging
from functools import partial
from typing import Final, Protocol, cast
from uuid import UUID

from trunkline.errors import ProtocolError
from trunkline.models import CallId
from trunkline.ports import LegListener
from trunkline.telephony.audiosocket_protocol import (
    HANG_UP,
    AudioSocketParser,
    CallNamed,
    Event,
    HungUp,
    KeyPressed,
    audio_message,
)
from trunkline.telephony.pacing_clock import PacingClock

HANDSHAKE_SECONDS: Final = 2.0
"""How long a connection may stay nameless."""

LINGER_SECONDS: Final = 1.0
"""How long the peer may take to close after our hang-up message; Asterisk takes a millisecond."""

STALL_BYTES: Final = 8192
"""Half a second of messages (323 bytes each) that could not be sent: a delay no conversation survives."""

PEER_CLOSED: Final = "the other side closed the connection"

log = logging.getLogger(__name__)


class Fault(enum.StrEnum):
    """What ends a connection against its peer's or its call's will; counted."""

    UNKNOWN = "no call expects this id"
    DUPLICATE = "this call has its audio already"
    FOREIGN = "its address is in none of the networks that may bring audio"
    MALFORMED = "malformed message"
    NAMELESS = "named no call in time"
    STALLED = "Asterisk stopped taking the audio"
    LISTENER = "internal error"


class Desk(Protocol):
    """Where connections report: the server."""

    def connected(self, connection: AudioSocketLeg, address: str) -> None:
        """From that IP address; `break_off` where nobody may connect from there."""

    def named(self, connection: AudioSocketLeg, call: UUID) -> None:
        """It wants to be that call's leg: either `admit` it or `break_off`."""

    def faulty(self, fault: Fault) -> None:
        """Count it."""

    def ended(self, leg: AudioSocketLeg, call_id: CallId) -> None:
        """The media of an admitted leg is over."""

    def disconnected(self, connection: AudioSocketLeg) -> None: ...


class AudioSocketLeg(asyncio.Protocol):
    """One connection; a call's leg as soon as it has named an expected call. Fits `CallLeg`.

    This is the outermost frame of a call's media: whatever a listener raises is logged and ends this leg alone.
    """

    def __init__(self, desk: Desk, clock: PacingClock) -> None:
        self._desk = desk
        self._clock = clock
        self._parser = AudioSocketParser()
        self._loop = asyncio.get_running_loop()
        self._call_id: CallId | None = None
        self._listener: LegListener | None = None
        self._why: str | None = None
        """Set when the leg is closed."""
        self._broken = False
        self._transport: asyncio.Transport
        self._timer: asyncio.TimerHandle
        self.frames_in = self.frames_out = self.frames_unheard = 0

    # ── for the call ───────────────────────────────────────────────────────────────────────────────────────────

    @property
    def call_id(self) -> CallId:
        if self._call_id is None:
            raise RuntimeError("this connection has named no call")
        return self._call_id

    def attach(self, listener: LegListener) -> None:
        """Start the media. To be called within `on_leg`: audio that comes sooner is dropped and counted.

        Another listener takes the place of the one before, who hears of the leg no more.
        """
        first, self._listener = self._listener is None, listener
        if self._why is None:
            if first:
                self._clock.add(self)
        else:
            self._tell_closed(listener, self._why)

    def close(self) -> None:
        """Hang up: the dialplan goes on behind `AudioSocket()`."""
        self.hang_up("closed by the call")

    def tick(self) -> None:
        """20 ms passed: send the frame that is due."""
        assert self._listener is not None
        try:
            message = audio_message(self._listener.next_frame())
        except Exception:  # noqa: BLE001 – a call's outermost frame
            self._listener_failed()
            return
        # A connection that just broke is closing before we are told so; uvloop raises when it is written to.
        if self._why is None and not self._transport.is_closing():
            self.frames_out += 1
            self._transport.write(message)

    # ── for the event loop ─────────────────────────────────────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=STALL_BYTES)
        self._timer = self._loop.call_later(HANDSHAKE_SECONDS, self.break_off, Fault.NAMELESS)
        # Who is gone already has no address.
        peer = transport.get_extra_info("peername") or ("127.0.0.1", 0)
        self._desk.connected(self, str(peer[0]))

    def data_received(self, data: bytes) -> None:
        try:
            for event in self._parser.feed(data):
                self._deliver(event)
        except ProtocolError as error:
            self.break_off(Fault.MALFORMED, str(error))

    def eof_received(self) -> None:
        self._end(PEER_CLOSED)
        self._transport.abort()  # nothing may be written after EOF, not even what waits

    def pause_writing(self) -> None:
        self.break_off(Fault.STALLED)

    def connection_lost(self, exc: Exception | None) -> None:
        # A peer that closes with our audio still unread resets the connection: a hang-up like any other.
        broke = exc is not None and not isinstance(exc, ConnectionError)
        self._end(f"the connection broke: {exc}" if broke else PEER_CLOSED, broken=broke)
        self._timer.cancel()
        self._desk.disconnected(self)

    # ── for the server ─────────────────────────────────────────────────────────────────────────────────────────

    def admit(self, call_id: CallId) -> None:
        """This connection is that call's leg."""
        self._call_id = call_id
        self._timer.cancel()

    def hang_up(self, why: str, *, broken: bool = False) -> None:
        """Say so, then close. Closing with audio unread would reset the connection, which Asterisk takes for a
        failure that ends the channel; so only our side is closed, and what still comes is read and dropped.
        """
        if self._end(why, broken=broken) and not self._transport.is_closing():
            self._transport.write(HANG_UP)
            self._transport.write_eof()
            self._timer = self._loop.call_later(LINGER_SECONDS, self._transport.abort)

    def break_off(self, fault: Fault, detail: str = "") -> None:
        """Close at once and count why."""
        if self._end(detail or fault, broken=True):
            log.warning("AudioSocket connection of call %s closed: %s", self._call_id or "unknown", detail or fault)
            self._desk.faulty(fault)
            self._transport.abort()

    # ── inside ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _deliver(self, event: Event) -> None:
        if self._why is not None:
            return
        try:
            if isinstance(event, bytes):
                self.frames_in += 1
                if self._listener is not None:
                    self._listener.audio_received(event)
                else:
                    self.frames_unheard += 1
            elif isinstance(event, KeyPressed):
                if self._listener is not None:
                    self._listener.key_received(event.digit)
            elif isinstance(event, CallNamed):
                self._desk.named(self, event.id)
            else:
                self._peer_hung_up(event)
        except Exception:  # noqa: BLE001 – a call's outermost frame
            self._listener_failed()

    def _peer_hung_up(self, event: HungUp) -> None:
        code = "" if event.error_code is None else f" with error 0x{event.error_code:02x}"
        self._end(f"the other side hung up{code}", broken=event.error_code is not None)
        self._transport.abort()

    def _listener_failed(self) -> None:
        log.exception("call %s: its audio could not be handled; the leg is closed", self._call_id)
        self._desk.faulty(Fault.LISTENER)
        self.hang_up(Fault.LISTENER, broken=True)

    def _end(self, why: str, *, broken: bool = False) -> bool:
        """Stop the media, once; whether this was the time. The listener is told when the caller's work is done."""
        if self._why is not None:
            return False
        self._why, self._broken = why, broken
        self._timer.cancel()
        self._clock.remove(self)
        if self._call_id is not None:
            self._desk.ended(self, self._call_id)
        if self._listener is not None:
            self._tell_closed(self._listener, why)
        return True

    def _tell_closed(self, listener: LegListener, why: str) -> None:
        self._loop.call_soon(partial(listener.leg_closed, why, broken=self._broken))
