from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from trunkline.rehearsal import rtp
from trunkline.rehearsal.rtp import KeyReader, RtpPacket, RtpSender


def sender() -> RtpSender:
    return RtpSender(0, 0x1234, 65535, 0xFFFFFF60)


def parsed(datagram: bytes) -> RtpPacket:
    packet = rtp.parse(datagram)
    assert packet is not None
    return packet


def test_packets_are_numbered_across_the_wrap() -> None:
    stream = sender()
    first, second = parsed(stream.audio(b"a" * 160)), parsed(stream.audio(b"b" * 160))
    assert first == RtpPacket(0, True, 65535, 0xFFFFFF60, 0x1234, b"a" * 160)
    assert second == RtpPacket(0, False, 0, 0, 0x1234, b"b" * 160)


def test_sources_extension_and_padding_are_not_payload() -> None:
    header = struct.pack("!BBHII", 0x80 | 0x20 | 0x10 | 1, 0, 1, 2, 3)
    datagram = header + b"CSRC" + struct.pack("!HH", 0xBEDE, 1) + b"EXT1" + b"payload" + b"\0\0\x03"
    assert parsed(datagram).payload == b"payload"


def test_what_is_no_rtp_is_nothing() -> None:
    rtcp_report = struct.pack("!BBHI", 0x80, 200, 6, 1) + bytes(20)
    stun = struct.pack("!HHI", 1, 8, 0x2112A442) + bytes(20)
    too_much_padding = struct.pack("!BBHII", 0xA0, 0, 1, 2, 3) + b"\xff"
    for datagram in (b"", b"\x80\0", rtcp_report, stun, too_much_padding, struct.pack("!BBHII", 0x90, 0, 1, 2, 3)):
        assert rtp.parse(datagram) is None


@given(st.binary(max_size=64))
def test_no_datagram_breaks_the_parser(datagram: bytes) -> None:
    packet = rtp.parse(datagram)
    assert packet is None or len(packet.payload) <= len(datagram) - 12


@given(st.lists(st.sampled_from(rtp.KEYS), min_size=1, max_size=5))
def test_keys_arrive_once_each_whatever_is_repeated(keys: list[str]) -> None:
    stream, reader = sender(), KeyReader()
    packets = [parsed(datagram) for key in keys for datagram in stream.key(key, 101, rtp.ULAW_SILENCE)]
    events = [packet for packet in packets if packet.payload_type == 101]
    assert [key for packet in events if (key := reader.packet(packet)) is not None] == keys


def test_a_key_is_one_event_that_grows_and_ends_three_times() -> None:
    packets = [parsed(datagram) for datagram in sender().key("5", 101, rtp.ULAW_SILENCE, frames=3)]
    events = [packet for packet in packets if packet.payload_type == 101]
    assert [packet.payload for packet in events] == [
        bytes([5, 10]) + struct.pack("!H", 160),
        bytes([5, 10]) + struct.pack("!H", 320),
        *[bytes([5, 0x8A]) + struct.pack("!H", 480)] * 3,
    ]
    assert [packet.marker for packet in events] == [True, False, False, False, False]
    assert len({packet.timestamp for packet in events}) == 1
    assert len({packet.sequence for packet in packets}) == len(packets)


def test_a_short_or_unfinished_event_is_no_key() -> None:
    reader = KeyReader()
    assert reader.packet(RtpPacket(101, True, 1, 1, 1, b"\x05")) is None
    assert reader.packet(RtpPacket(101, True, 1, 1, 1, b"\x05\x0a\0\xa0")) is None
    assert reader.packet(RtpPacket(101, True, 1, 1, 1, b"\x20\x8a\0\xa0")) is None


def test_silence_is_silent_in_both_codecs() -> None:
    for codec in ("ulaw", "alaw"):
        assert max(map(abs, memoryview(rtp.decode(rtp.silence(codec), codec)).cast("h"))) <= 8
