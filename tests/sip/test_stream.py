from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.errors import ProtocolError
from trunkline.sip.stream import BODY_BYTES, HEADER_BYTES, StreamSplitter

OPTIONS = b"OPTIONS sip:a SIP/2.0\r\nContent-Length: 0\r\n\r\n"
MESSAGE = b"MESSAGE sip:a SIP/2.0\r\nl : 4\r\nSubject: x\r\n\r\nv=0\n"
ANSWER = b"SIP/2.0 200 OK\r\nSubject: Content-Length: 9\r\nCONTENT-LENGTH:6\r\n\r\n\r\n\r\n\r\n"
"""Its body looks like a keep-alive."""


def split(*pieces: bytes) -> list[bytes]:
    splitter = StreamSplitter()
    return [message for piece in pieces for message in splitter.feed(piece)]


def test_messages_in_one_piece_come_out_one_by_one() -> None:
    assert split(OPTIONS + MESSAGE + ANSWER + OPTIONS) == [OPTIONS, MESSAGE, ANSWER, OPTIONS]


@given(st.lists(st.sampled_from([OPTIONS, MESSAGE, ANSWER]), min_size=1, max_size=5), st.data())
def test_pieces_may_be_cut_anywhere(messages: list[bytes], data: st.DataObject) -> None:
    stream = b"\r\n\r\n".join(messages) + b"\r\n"
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    borders = [0, *cuts, len(stream)]
    assert split(*(stream[a:b] for a, b in itertools.pairwise(borders))) == messages


def test_a_message_waits_for_its_body() -> None:
    splitter = StreamSplitter()
    assert list(splitter.feed(MESSAGE[:-1])) == []
    assert list(splitter.feed(MESSAGE[-1:])) == [MESSAGE]


def test_keep_alives_are_dropped() -> None:
    assert split(b"\r\n\r\n", b"\r\n\r\n" + OPTIONS, b"\r\n") == [OPTIONS]


@pytest.mark.parametrize(
    "bad",
    [
        b"OPTIONS sip:a SIP/2.0\r\n\r\n",
        b"OPTIONS sip:a SIP/2.0\r\nContent-Length: -1\r\n\r\n",
        b"OPTIONS sip:a SIP/2.0\r\nContent-Length: one\r\n\r\n",
        b"OPTIONS sip:a SIP/2.0\r\nContent-Length: 0\r\nl: 1\r\n\r\n",
        b"OPTIONS sip:a SIP/2.0\r\nContent-Length: %d\r\n\r\n" % (BODY_BYTES + 1),
        b"OPTIONS sip:a SIP/2.0\r\nX: " + b"x" * HEADER_BYTES,
        b"x" * (HEADER_BYTES + 1),
        b"\x16\x03\x01\x02\x00\x01\x00",  # TLS where none is spoken
    ],
)
def test_a_stream_that_cannot_be_followed_is_refused_after_what_was_good(bad: bytes) -> None:
    splitter = StreamSplitter()
    found = []
    with pytest.raises(ProtocolError):
        for message in splitter.feed(OPTIONS + bad):
            found.append(message)
    assert found == [OPTIONS]


@given(st.lists(st.binary(max_size=60), max_size=8))
def test_no_bytes_break_it(pieces: list[bytes]) -> None:
    splitter = StreamSplitter()
    try:
        for piece in pieces:
            for message in splitter.feed(piece):
                assert b"\r\n\r\n" in message
    except ProtocolError:
        pass
