"""One call's RTP: sends a frame at every tick, times and listens to what comes back."""

from __future__ import annotations

import asyncio
import bisect
import contextlib
import itertools
import secrets
import socket
import struct
import time
from array import array
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from trunkline.audio import FRAME_SAMPLES, SAMPLE_RATE
from trunkline.errors import NotReady
from trunkline.rehearsal import rtp
from trunkline.rehearsal.clip import Clip
from trunkline.rehearsal.impairment import Impairment
from trunkline.rehearsal.measurement import Speech, SpeechGate
from trunkline.rehearsal.reception import Reception
from trunkline.rehearsal.rtp import KeyReader, RtpSender
from trunkline.rehearsal.srtp import Srtp
from trunkline.sip.message import PeerAddress
from trunkline.sip.sdp import PAYLOAD_TYPES, AudioOffer

SO_TIMESTAMPNS = 35
"""Linux: the kernel writes each datagram's arrival time (CLOCK_REALTIME) beside it; Python has no name for it yet."""
_TIMESPEC = struct.Struct("@qq")
_ANCILLARY = socket.CMSG_SPACE(_TIMESPEC.size)
MOST_PER_WAKE = 64
PORT_ATTEMPTS = 100


@dataclass(slots=True)
class Utterance:
    """Something the person says; times are filled in when its first and last audible sample went out."""

    clip: Clip
    began: float | None = None
    ended: float | None = None
    done: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    @property
    def speech(self) -> Speech | None:
        return None if self.began is None or self.ended is None else Speech(self.began, self.ended)


@dataclass(slots=True)
class Lateness:
    """How late this side was, in seconds: waking to send, and reading what the kernel had already stamped."""

    sending: array[float] = field(default_factory=lambda: array("f"))
    reading: array[float] = field(default_factory=lambda: array("f"))
    moments: list[tuple[float, float]] = field(default_factory=list)
    """(when, how late) of wake-ups that were more than 5 ms late."""

    def woke(self, now: float, late: float) -> None:
        self.sending.append(late)
        if late > 0.005:
            self.moments.append((now, late))


class MediaLine:
    """A socket for RTP on an even port. Joined to a `FrameClock` it sends one packet at every tick."""

    def __init__(self, host: str, *, codec: str, offer: AudioOffer, threshold: int) -> None:
        self.codec = codec
        self.remote = (offer.host, offer.port)
        self.key_payload = offer.key_payload
        self.reception = Reception()
        self.lateness = Lateness()
        self.agent = SpeechGate(threshold)
        self.sent: list[tuple[float, bytes | None]] = []
        """(time, payload) of every tick; `None` while a key was sent."""
        self.impairment: Impairment | None = None
        """What is wrong with the line towards the agent."""
        self.srtp: Srtp | None = None
        """The keys of a secure call."""
        self.stray = 0
        """Datagrams that were no RTP audio or keys of this call; of a secure one also those that came twice."""
        self.unsent = 0
        """Packets the kernel did not take."""
        self.on_agent_speech: Callable[[float], None] = lambda began: None
        self.on_key: Callable[[str], None] = lambda digit: None
        self.on_tick: Callable[[float], None] = lambda now: None
        self._socket = _even_port(host)
        self._sender = RtpSender(PAYLOAD_TYPES[codec], *_random_start())
        self._silence = rtp.silence(codec)
        self._threshold = threshold
        self._playing: deque[tuple[Utterance, Iterator[tuple[int, bytes]], tuple[int, int] | None]] = deque()
        self._keys: deque[Iterator[bytes]] = deque()
        self._delayed: deque[bytes] = deque()
        self._key_reader = KeyReader()
        self._deaf_to: PeerAddress | None = None
        with contextlib.suppress(OSError):  # not Linux: arrival is then the time we read it
            self._socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._read)

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    @property
    def now(self) -> float:
        """Time of the newest tick."""
        return self.sent[-1][0] if self.sent else time.monotonic()

    def heard(self, since: float) -> bytes:
        """What came in since then, as 16-bit audio, without regard to gaps."""
        log = self.reception.log
        first = bisect.bisect_left(log.arrival, since)
        return rtp.decode(b"".join(log.payloads[first:]), self.codec)

    def agree(self, answer: AudioOffer, srtp: Srtp | None = None) -> None:
        """What the other side made of our offer: where to send, and how it is coded."""
        self.remote, self.srtp = (answer.host, answer.port), srtp
        self.codec, self.key_payload = answer.codecs[0], answer.key_payload
        self._sender = RtpSender(PAYLOAD_TYPES[self.codec], *_random_start())
        self._silence = rtp.silence(self.codec)
        if self.impairment is not None:
            self.impairment.codec = self.codec

    def hand_over(self, answer: AudioOffer, srtp: Srtp | None = None) -> None:
        """Speak with somebody else from now on; whoever was there may go on sending for a while, unheard."""
        self._deaf_to = self.remote
        self.agree(answer, srtp)

    def move(self, offer: AudioOffer) -> None:
        """A re-INVITE: where to send from now on, and what seals what comes."""
        self.remote = (offer.host, offer.port)
        if self.srtp is not None and offer.crypto:
            self.srtp.change(offer.crypto[0])

    def play(self, clip: Clip, *, at_once: bool = False) -> Utterance:
        """Say something after whatever is being said; `at_once` without the silence it begins with."""
        utterance, span = Utterance(clip), clip.audible(self._threshold)
        frames = enumerate(clip.frames(self.codec))
        silent = span[0] // FRAME_SAMPLES if at_once and span is not None else 0
        self._playing.append((utterance, itertools.islice(frames, silent, None), span))
        return utterance

    def press(self, digits: str) -> None:
        """Send keys (RFC 4733); audio waits meanwhile. Nothing is sent if the other side offered no telephone-event."""
        if self.key_payload is not None:
            self._keys.extend(self._sender.key(digit, self.key_payload, self._silence) for digit in digits)

    @property
    def pressing(self) -> bool:
        return bool(self._keys)

    def hush(self) -> None:
        """Drop what is still to be said."""
        for utterance, _, _ in self._playing:
            if not utterance.done.done():
                utterance.done.set_result(None)
        self._playing.clear()

    def close(self) -> None:
        if self._socket.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
            self._socket.close()
        self.hush()

    # ── sending ────────────────────────────────────────────────────────────────────────────────────────────────

    def tick(self, now: float, late: float) -> None:
        self.lateness.woke(now, late)
        packet, payload = self._next_packet(now)
        self._depart(packet, now)
        self.sent.append((now, payload))
        self.agent.settle(now)
        self.on_tick(now)

    def _depart(self, packet: bytes, now: float) -> None:
        delay = 0.0 if self.impairment is None else self.impairment.delay(now)
        if delay is None:
            return
        if not delay and not self._delayed:
            self._send(packet)
            return
        self._delayed.append(packet)
        # The oldest goes first: timers that are due together fire in any order.
        asyncio.get_running_loop().call_later(delay, lambda: self._send(self._delayed.popleft()))

    def _send(self, packet: bytes) -> None:
        if self.srtp is not None:
            packet = self.srtp.seal(packet)
        try:
            self._socket.sendto(packet, self.remote)
        except OSError:  # a full buffer, an ICMP error for an earlier packet, no way there, a line that was closed
            self.unsent += 1

    def _next_packet(self, now: float) -> tuple[bytes, bytes | None]:
        while self._keys:
            try:
                return next(self._keys[0]), None
            except StopIteration:
                self._keys.popleft()
        payload = self._next_payload(now)
        if self.impairment is not None:
            payload = self.impairment.shape(payload, now)
        return self._sender.audio(payload), payload

    def _next_payload(self, now: float) -> bytes:
        while self._playing:
            utterance, frames, span = self._playing[0]
            found = next(frames, None)
            if found is None:
                self._playing.popleft()
                if not utterance.done.done():
                    utterance.done.set_result(None)
                continue
            number, payload = found
            if span is not None:
                start = number * FRAME_SAMPLES
                if start <= span[0] < start + FRAME_SAMPLES:
                    utterance.began = now + (span[0] - start) / SAMPLE_RATE
                if start < span[1] <= start + FRAME_SAMPLES:
                    utterance.ended = now + (span[1] - start) / SAMPLE_RATE
            return payload
        return self._silence

    # ── receiving ──────────────────────────────────────────────────────────────────────────────────────────────

    def _read(self) -> None:
        for _ in range(MOST_PER_WAKE):
            try:
                datagram, ancillary, _, source = self._socket.recvmsg(2048, _ANCILLARY)
            except (BlockingIOError, InterruptedError):
                return
            except ConnectionError:  # an ICMP error for something we sent
                continue
            if source == self._deaf_to:
                continue
            late = 0.0
            if ancillary:
                seconds, nanoseconds = _TIMESPEC.unpack(ancillary[0][2])
                late = max(0.0, time.time() - seconds - nanoseconds / 1e9)
            self._received(datagram, time.monotonic() - late)
            self.lateness.reading.append(late)

    def _received(self, datagram: bytes, arrival: float) -> None:
        opened = datagram if self.srtp is None else self.srtp.open(datagram)
        packet = None if opened is None else rtp.parse(opened)
        if packet is None:
            self.stray += 1
        elif packet.payload_type == PAYLOAD_TYPES[self.codec]:
            if self.reception.packet(arrival, packet):
                self._heard(arrival, rtp.decode(packet.payload, self.codec))
        elif packet.payload_type == self.key_payload:
            self.reception.packet(arrival, packet, audio=False)
            if (digit := self._key_reader.packet(packet)) is not None:
                self.on_key(digit)
        else:
            self.stray += 1

    def _heard(self, arrival: float, pcm: bytes) -> None:
        if self.impairment is not None:
            self.impairment.heard(arrival, pcm)
        if self.agent.push(arrival, pcm):
            self.on_agent_speech(self.agent.began or arrival)


def _random_start() -> tuple[int, int, int]:
    """SSRC, first sequence number and first timestamp (RFC 3550 §5.1)."""
    return secrets.randbits(32), secrets.randbits(15), secrets.randbits(31)


def _even_port(host: str) -> socket.socket:
    """RTP wants an even port; RTCP would come to the odd one above, which no line of ours then uses (RFC 3550 §11)."""
    for _ in range(PORT_ATTEMPTS):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setblocking(False)
        sock.bind((host, 0))
        if sock.getsockname()[1] % 2 == 0:
            return sock
        sock.close()
    raise NotReady(f"No even UDP port is free on {host}.", remedy="Close other programs that use many UDP ports.")
