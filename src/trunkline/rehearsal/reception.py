"""What came in: every packet with its arrival, and what was wrong with the stream (RFC 3550 §6.4.1, A.3, A.8). Pure."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field

from trunkline.audio import SAMPLE_RATE
from trunkline.rehearsal.measurement import milliseconds
from trunkline.rehearsal.rtp import RtpPacket

GAP_SECONDS = 0.04
"""Two packets further apart than this: a gap is heard, unless the jitter buffer is large."""
EARLY_SECONDS = 0.005
"""Two packets closer than this belong to a burst."""


@dataclass(frozen=True, slots=True)
class ReceptionSummary:
    """Figures of one received stream."""

    packets: int
    lost: int
    """Sequence numbers that never came."""
    reordered: int
    duplicated: int
    gaps: int
    """Packets that came more than 40 ms after the one before."""
    longest_gap_ms: float
    early: int
    """Packets that came less than 5 ms after the one before."""
    jitter_ms: float
    """Interarrival jitter at the end (RFC 3550 A.8)."""
    sources: int
    """Different SSRCs."""


@dataclass(slots=True)
class PacketLog:
    """Columns of all audio packets, in order of arrival; arrival in seconds."""

    arrival: array[float] = field(default_factory=lambda: array("d"))
    sequence: array[int] = field(default_factory=lambda: array("H"))
    timestamp: array[int] = field(default_factory=lambda: array("I"))
    ssrc: array[int] = field(default_factory=lambda: array("I"))
    marker: bytearray = field(default_factory=bytearray)
    payloads: list[bytes] = field(default_factory=list)

    def add(self, arrival: float, packet: RtpPacket) -> None:
        self.arrival.append(arrival)
        self.sequence.append(packet.sequence)
        self.timestamp.append(packet.timestamp)
        self.ssrc.append(packet.ssrc)
        self.marker.append(packet.marker)
        self.payloads.append(packet.payload)


@dataclass(slots=True)
class Reception:
    """Takes one call's packets, audio and keys, which share their sequence numbers."""

    log: PacketLog = field(default_factory=PacketLog)
    """Audio only."""
    _last: tuple[float, RtpPacket] | None = None
    _expected: int = 0
    _highest: int = -1
    """Extended sequence number of the current source."""
    _first: int = 0
    _seen: set[int] = field(default_factory=set)
    _unique: int = 0
    _reordered: int = 0
    _duplicated: int = 0
    _gaps: int = 0
    _early: int = 0
    _longest: float = 0.0
    _jitter: float = 0.0
    _sources: int = 0

    def packet(self, arrival: float, packet: RtpPacket, *, audio: bool = True) -> bool:
        """Count a packet, keep it if it is audio. False for a duplicate."""
        if self._last is None or packet.ssrc != self._last[1].ssrc:
            self._new_source(packet.sequence)
        elif not self._in_order(packet.sequence):
            self._duplicated += 1
            return False
        self._unique += 1
        if self._last is not None:
            before, previous = self._last
            since = arrival - before
            self._gaps += since > GAP_SECONDS
            self._early += since < EARLY_SECONDS
            self._longest = max(self._longest, since)
            if audio and packet.ssrc == previous.ssrc and packet.payload_type == previous.payload_type:
                step = (packet.timestamp - previous.timestamp + 0x80000000) % 0x100000000 - 0x80000000
                self._jitter += (abs(since - step / SAMPLE_RATE) - self._jitter) / 16
        self._last = (arrival, packet)
        if audio:
            self.log.add(arrival, packet)
        return True

    def summary(self) -> ReceptionSummary:
        expected = self._expected + (self._highest - self._first + 1 if self._sources else 0)
        return ReceptionSummary(
            packets=self._unique,
            lost=expected - self._unique,
            reordered=self._reordered,
            duplicated=self._duplicated,
            gaps=self._gaps,
            longest_gap_ms=milliseconds(self._longest),
            early=self._early,
            jitter_ms=milliseconds(self._jitter),
            sources=self._sources,
        )

    def _new_source(self, sequence: int) -> None:
        if self._sources:
            self._expected += self._highest - self._first + 1
        self._sources += 1
        self._first = self._highest = sequence
        self._seen = {sequence}

    def _in_order(self, sequence: int) -> bool:
        """Book a sequence number of the current source; False if it was there before."""
        extended = self._highest + (sequence - self._highest + 0x8000) % 0x10000 - 0x8000
        if extended in self._seen or extended < self._first:
            return False
        self._seen.add(extended)
        if extended < self._highest:
            self._reordered += 1
        else:
            self._highest = extended
        if len(self._seen) > 512:  # nothing that old comes again
            self._seen = {number for number in self._seen if number > self._highest - 256}
        return True
