from __future__ import annotations

from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.errors import ProtocolError
from trunkline.telephony.audiosocket_protocol import (
    HANG_UP,
    HEADER_BYTES,
    MAX_AUDIO_BYTES,
    AudioSocketParser,
    CallNamed,
    Event,
    HungUp,
    KeyPressed,
    State,
    audio_message,
)

CALL = UUID("0e6f2f6e-7a50-4d6b-9a6c-0f0e0d0c0b0a")


def message(kind: int, payload: bytes = b"") -> bytes:
    return bytes((kind, len(payload) >> 8, len(payload) & 255)) + payload


HELLO = message(0x01, CALL.bytes)


def frame(number: int) -> bytes:
    return number.to_bytes(2, "little") * 160


def read(*pieces: bytes) -> tuple[list[Event], ProtocolError | None]:
    """Every event of a stream that arrives in these pieces, and the fault that ended it."""
    parser = AudioSocketParser()
    events: list[Event] = []
    try:
        for piece in pieces:
            events.extend(parser.feed(piece))
    except ProtocolError as error:
        assert parser.state is State.BROKEN
        return events, error
    return events, None


def test_a_call_from_its_id_to_its_hang_up() -> None:
    events, error = read(
        HELLO, message(0x10, frame(1)), message(0x10, frame(2)), message(0x03, b"5"), message(0x10, frame(3)), HANG_UP
    )
    assert events == [CallNamed(CALL), frame(1), frame(2), KeyPressed("5"), frame(3), HungUp()]
    assert error is None


def test_everything_in_one_segment() -> None:
    stream = HELLO + message(0x10, frame(1)) + message(0x03, b"#") + message(0x10, frame(2))
    assert read(stream) == ([CallNamed(CALL), frame(1), KeyPressed("#"), frame(2)], None)


def test_byte_by_byte() -> None:
    stream = HELLO + message(0x10, frame(7)) + message(0x03, b"*") + message(0x00)
    assert read(*(bytes((byte,)) for byte in stream)) == ([CallNamed(CALL), frame(7), KeyPressed("*"), HungUp()], None)


def test_other_packet_lengths_become_frames_of_20_ms() -> None:
    thirty_ms = [frame(1) + frame(2)[:160], frame(2)[160:] + frame(3)]
    assert read(HELLO, *(message(0x10, audio) for audio in thirty_ms))[0][1:] == [frame(1), frame(2), frame(3)]

    sixty_ms = frame(1) + frame(2) + frame(3)
    assert read(HELLO, message(0x10, sixty_ms), message(0x10, frame(4)))[0][1:] == [frame(n) for n in (1, 2, 3, 4)]


def test_whole_frames_behind_half_a_frame_stay_in_order() -> None:
    events, _ = read(HELLO, message(0x10, frame(1)[:100]), message(0x10, frame(2)), message(0x10, frame(3)))
    assert b"".join(event for event in events if isinstance(event, bytes)) == frame(1)[:100] + frame(2) + frame(3)[:220]


def test_a_peer_that_reports_an_error_has_hung_up() -> None:
    assert read(HELLO, message(0xFF, b"\x04")) == ([CallNamed(CALL), HungUp(error_code=4)], None)
    assert read(HELLO, message(0xFF)) == ([CallNamed(CALL), HungUp()], None)


def test_keys_of_sip_info_may_be_lower_case() -> None:
    assert read(HELLO, message(0x03, b"d"))[0][1:] == [KeyPressed("D")]


def test_nothing_comes_after_the_end() -> None:
    assert read(HELLO, HANG_UP + message(0x10, frame(1)), message(0x77)) == ([CallNamed(CALL), HungUp()], None)


@pytest.mark.parametrize(
    ("stream", "why"),
    [
        (message(0x10, frame(1)), "AUDIO message while AWAITING_ID"),
        (message(0x03, b"1"), "KEY message while AWAITING_ID"),
        (HELLO + HELLO, "ID message while STREAMING"),
        (message(0x01, CALL.bytes[:15]), "ID message of 15 bytes"),
        (HELLO + message(0x10, bytes(321)), "AUDIO message of 321 bytes"),
        (HELLO + message(0x10, bytes(MAX_AUDIO_BYTES + 2)), "AUDIO message of 3202 bytes"),
        (HELLO + message(0x12, bytes(640)), "unknown kind 0x12"),
        (HELLO + message(0x03, b"12"), "KEY message of 2 bytes"),
        (HELLO + message(0x03, b"e"), "key b'e'"),
        (HELLO + message(0x03, b"\xb5"), "key"),
        (HELLO + message(0x00, b"x"), "HANG_UP message of 1 bytes"),
        (b"GET / HTTP/1.1\r\n", "unknown kind 0x47"),
    ],
)
def test_whatever_breaks_the_protocol_is_named(stream: bytes, why: str) -> None:
    _, error = read(stream)
    assert error is not None
    assert why in error.message


def test_a_header_is_judged_before_its_payload_is_waited_for() -> None:
    _, error = read(HELLO, b"\x10\xff\xff")
    assert error is not None


def test_what_came_before_the_fault_is_kept() -> None:
    events, error = read(HELLO + message(0x10, frame(1)) + message(0x42))
    assert events == [CallNamed(CALL), frame(1)]
    assert error is not None


def test_a_broken_stream_stays_silent() -> None:
    parser = AudioSocketParser()
    with pytest.raises(ProtocolError):
        list(parser.feed(message(0x42)))
    assert list(parser.feed(HELLO)) == []


def test_messages_we_send() -> None:
    assert audio_message(frame(9)) == b"\x10\x01\x40" + frame(9)
    assert HANG_UP == b"\x00\x00\x00"
    with pytest.raises(ValueError, match="320 bytes, not 318"):
        audio_message(bytes(318))


# ── fuzz ───────────────────────────────────────────────────────────────────────────────────────────────────────

audio = st.one_of(
    st.just(frame(0x1234)),
    st.integers(0, MAX_AUDIO_BYTES // 2).flatmap(lambda samples: st.binary(min_size=2 * samples, max_size=2 * samples)),
)
messages = st.one_of(
    audio.map(lambda pcm: message(0x10, pcm)),
    st.sampled_from("0123456789*#ABCD").map(lambda key: message(0x03, key.encode())),
)
endings = st.sampled_from([b"", HANG_UP, message(0xFF, b"\x01"), message(0x10, bytes(3)), message(0x2A, b"?")])


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    return [stream[start:end] for start, end in pairwise(edges)]


@given(st.lists(messages, max_size=12), endings, st.lists(st.integers(0, 1 << 20), max_size=40))
def test_however_tcp_cuts_a_stream_its_events_are_the_same(sent: list[bytes], ending: bytes, places: list[int]) -> None:
    stream = HELLO + b"".join(sent) + ending
    events, error = read(stream)
    events_of_pieces, error_of_pieces = read(*cut(stream, places))
    assert events_of_pieces == events
    assert str(error_of_pieces) == str(error)

    pcm = b"".join(piece[HEADER_BYTES:] for piece in sent if piece[0] == 0x10)
    frames = [event for event in events if isinstance(event, bytes)]
    assert all(len(audio) == 320 for audio in frames)
    assert b"".join(frames) == pcm[: len(pcm) - len(pcm) % 320]
    keys = [event.digit for event in events if isinstance(event, KeyPressed)]
    assert keys == [piece[HEADER_BYTES:].decode() for piece in sent if piece[0] == 0x03]


@given(st.booleans(), st.lists(st.binary(max_size=5000), max_size=20))
def test_arbitrary_bytes_break_nothing_but_the_protocol_and_are_not_kept(named: bool, pieces: list[bytes]) -> None:
    parser = AudioSocketParser()
    if named:
        list(parser.feed(HELLO))
    for piece in pieces:
        try:
            list(parser.feed(piece))
        except ProtocolError:
            assert parser.state is State.BROKEN
        assert len(parser._pending) < HEADER_BYTES + MAX_AUDIO_BYTES
        assert len(parser._samples) < 320
