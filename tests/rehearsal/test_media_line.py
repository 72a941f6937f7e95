from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncGenerator
from dataclasses import replace

import pytest

from trunkline.rehearsal import rtp
from trunkline.rehearsal.clip import Clip
from trunkline.rehearsal.impairment import Impairment, white_noise
from trunkline.rehearsal.line_conditions import EchoTap, LineConditions, Noise
from trunkline.rehearsal.media_line import MediaLine
from trunkline.rehearsal.rtp import RtpSender
from trunkline.rehearsal.srtp import Srtp
from trunkline.rehearsal.studio import tone
from trunkline.sip import sdes, sdp

WORD = Clip("word", bytes(2 * 800) + tone((500.0,), 0.2, dbfs=-12) + bytes(2 * 480))
"""100 ms of silence, 200 ms of a tone, 60 ms of silence."""


@pytest.fixture
def peer() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    sock.settimeout(5)
    return sock


@pytest.fixture
async def line(peer: socket.socket) -> AsyncGenerator[MediaLine, None]:
    offer = sdp.AudioOffer("127.0.0.1", peer.getsockname()[1], ("ulaw",), 101)
    line = MediaLine("127.0.0.1", codec="ulaw", offer=offer, threshold=328)
    yield line
    line.close()
    peer.close()


def sent_by(line: MediaLine, peer: socket.socket, ticks: int) -> list[rtp.RtpPacket]:
    """What goes out at so many ticks, 20 ms apart, from time 10 on."""
    packets = []
    for number in range(ticks):
        line.tick(10 + number * 0.02, 0.0)
        packet = rtp.parse(peer.recv(2048))
        assert packet is not None
        packets.append(packet)
    return packets


async def received(line: MediaLine, packets: int) -> None:
    async with asyncio.timeout(5):
        while len(line.reception.log.arrival) < packets:
            await asyncio.sleep(0)


async def test_the_port_is_even_and_silence_is_sent_when_there_is_nothing_to_say(
    line: MediaLine, peer: socket.socket
) -> None:
    assert line.port % 2 == 0
    packets = sent_by(line, peer, 3)
    assert {packet.payload for packet in packets} == {rtp.ULAW_SILENCE}
    assert [packet.marker for packet in packets] == [True, False, False]


async def test_an_utterance_is_timed_by_its_audible_part(line: MediaLine, peer: socket.socket) -> None:
    utterance = line.play(WORD)
    packets = sent_by(line, peer, 19)
    assert b"".join(packet.payload for packet in packets[:18]) == b"".join(WORD.ulaw)
    assert utterance.began == pytest.approx(10.1, abs=0.001)
    assert utterance.ended == pytest.approx(10.3, abs=0.001)
    assert utterance.done.done()


async def test_a_silent_start_is_left_out_when_it_must_come_at_once(line: MediaLine, peer: socket.socket) -> None:
    utterance = line.play(WORD, at_once=True)
    sent_by(line, peer, 14)
    assert utterance.began == pytest.approx(10.0, abs=0.021)
    assert utterance.done.done()


async def test_utterances_follow_each_other_and_can_be_dropped(line: MediaLine, peer: socket.socket) -> None:
    first, second = line.play(WORD), line.play(WORD)
    sent_by(line, peer, 20)
    assert (first.done.done(), second.done.done()) == (True, False)
    line.hush()
    assert second.done.done()
    assert second.speech is None
    assert sent_by(line, peer, 1)[0].payload == rtp.ULAW_SILENCE


async def test_audio_waits_while_keys_are_pressed(line: MediaLine, peer: socket.socket) -> None:
    line.play(WORD)
    line.press("5")
    packets = sent_by(line, peer, 12)
    assert [packet.payload_type for packet in packets] == [101] * 8 + [0] * 4
    assert packets[-1].payload == WORD.ulaw[0]


async def test_without_telephone_event_no_key_is_sent(line: MediaLine, peer: socket.socket) -> None:
    line.key_payload = None
    line.press("5")
    assert not line.pressing
    assert sent_by(line, peer, 1)[0].payload_type == 0


async def test_arrival_is_the_kernels_however_late_it_is_read(line: MediaLine, peer: socket.socket) -> None:
    stream = RtpSender(0, 1, 1, 1)
    before = time.monotonic()
    peer.sendto(stream.audio(b"\xff" * 160), ("127.0.0.1", line.port))
    after = time.monotonic()
    while time.monotonic() < after + 0.05:  # the event loop is kept busy, as a slow neighbour would
        pass
    await received(line, 1)
    assert before - 0.002 <= line.reception.log.arrival[0] <= after + 0.002
    assert line.lateness.reading[0] >= 0.045


async def test_speech_is_told_and_what_came_in_can_be_read_back(line: MediaLine, peer: socket.socket) -> None:
    told: list[float] = []
    line.on_agent_speech = told.append
    stream = RtpSender(0, 1, 1, 1)
    for payload in WORD.ulaw:
        peer.sendto(stream.audio(payload), ("127.0.0.1", line.port))
    await received(line, len(WORD.ulaw))
    assert len(told) == 1
    assert line.heard(0.0) == rtp.decode(b"".join(WORD.ulaw), "ulaw")
    assert line.heard(time.monotonic() + 1) == b""


async def test_a_secure_line_sends_and_takes_srtp_only(line: MediaLine, peer: socket.socket) -> None:
    ours, theirs = sdes.new_crypto(), sdes.new_crypto()
    line.srtp, there = Srtp(ours, theirs), Srtp(theirs, ours)
    line.tick(10.0, 0.0)
    sealed = peer.recv(2048)
    assert rtp.ULAW_SILENCE not in sealed
    opened = there.open(sealed)
    assert opened is not None
    packet = rtp.parse(opened)
    assert packet is not None and packet.payload == rtp.ULAW_SILENCE
    stream = RtpSender(0, 1, 1, 1)
    plain = stream.audio(WORD.ulaw[0])
    sealed = there.seal(plain)
    for datagram in (plain, sealed[:-1] + bytes([sealed[-1] ^ 1]), sealed, sealed, b"", bytes(1600)):
        peer.sendto(datagram, ("127.0.0.1", line.port))
    peer.sendto(there.seal(stream.audio(WORD.ulaw[1])), ("127.0.0.1", line.port))
    await received(line, 2)
    assert line.reception.log.payloads == list(WORD.ulaw[:2])
    assert line.stray == 5  # one of them for the packet that came twice


async def test_a_reinvite_moves_a_secure_line_to_another_key(line: MediaLine, peer: socket.socket) -> None:
    ours, before, after = sdes.new_crypto(), sdes.new_crypto(), sdes.new_crypto()
    line.srtp = Srtp(ours, before)
    stream, first, second = RtpSender(0, 1, 1, 1), Srtp(before, ours), Srtp(after, ours)
    offer = sdp.AudioOffer("127.0.0.1", line.remote[1], ("ulaw",), 101, secure=True)
    peer.sendto(first.seal(stream.audio(WORD.ulaw[0])), ("127.0.0.1", line.port))
    await received(line, 1)
    line.move(replace(offer, crypto=(before,)))
    peer.sendto(first.seal(stream.audio(WORD.ulaw[1])), ("127.0.0.1", line.port))
    await received(line, 2)
    line.move(replace(offer, crypto=(after,)))
    peer.sendto(second.seal(stream.audio(WORD.ulaw[2])), ("127.0.0.1", line.port))
    await received(line, 3)
    assert line.stray == 0


async def test_what_the_kernel_does_not_take_is_counted(line: MediaLine) -> None:
    line.remote = ("127.0.0.1", 0)
    line.tick(10.0, 0.0)
    assert line.unsent == 1


async def test_a_bad_line_loses_packets_but_not_their_numbers(line: MediaLine, peer: socket.socket) -> None:
    line.impairment = Impairment(LineConditions(loss_percent=20), "ulaw")
    peer.setblocking(False)
    for number in range(200):
        line.tick(10 + number * 0.02, 0.0)
    sequences = []
    with contextlib.suppress(BlockingIOError):
        while (packet := rtp.parse(peer.recv(2048))) is not None:
            sequences.append(packet.sequence)
    lost = line.impairment.lost
    assert 20 < lost < 60
    assert len(sequences) == 200 - lost
    assert sequences[-1] - sequences[0] > len(sequences)
    assert len(line.sent) == 200


async def test_jitter_delays_packets_in_their_order(line: MediaLine, peer: socket.socket) -> None:
    line.impairment = Impairment(LineConditions(jitter_ms=40), "ulaw")
    began = time.monotonic()
    for number in range(5):
        line.tick(began + number * 0.001, 0.0)
    packets: list[rtp.RtpPacket | None] = []
    async with asyncio.timeout(5):
        peer.setblocking(False)
        while len(packets) < 5:
            packets.append(rtp.parse(await asyncio.get_running_loop().sock_recv(peer, 2048)))
    assert time.monotonic() - began > 0.005
    sequences = [packet.sequence for packet in packets if packet is not None]
    assert sequences == list(range(sequences[0], sequences[0] + 5))


async def test_noise_and_echo_are_heard_on_the_wire(line: MediaLine, peer: socket.socket) -> None:
    conditions = LineConditions(noise=Noise(), echo=(EchoTap(db=0, delay_ms=20),))
    line.impairment = Impairment(conditions, "ulaw", noise=white_noise(0.2, 1))
    hissing = sent_by(line, peer, 2)
    assert all(packet.payload != rtp.ULAW_SILENCE for packet in hissing)
    assert line.sent[0][1] == hissing[0].payload  # the recording holds what the agent gets
    line.impairment = Impairment(LineConditions(echo=conditions.echo), "ulaw")
    sender = RtpSender(0, 1, 1, 0)
    peer.sendto(sender.audio(rtp.encode(tone((440.0,), 0.02, dbfs=-6), "ulaw")), ("127.0.0.1", line.port))
    await received(line, 1)
    now = line.reception.log.arrival[0]
    line.tick(now + 0.02, 0.0)
    packet = rtp.parse(peer.recv(2048))
    assert packet is not None and packet.payload == line.reception.log.payloads[0]
