from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rehearsal.sip_caller import offer
from trunkline.errors import ProtocolError
from trunkline.sip import sdp


def test_an_offer_is_read() -> None:
    assert sdp.parse(offer(40002)) == sdp.AudioOffer("127.0.0.1", 40002, ("ulaw", "alaw"), 101)


def test_our_answer_is_read_back() -> None:
    body = sdp.build("127.0.0.1", 40004, codec="alaw", key_payload=96, session=1)
    assert sdp.parse(body) == sdp.AudioOffer("127.0.0.1", 40004, ("alaw",), 96)
    assert b"a=ptime:20\r\n" in body


def test_without_keys_in_the_offer_there_are_none_in_the_answer() -> None:
    assert b"telephone-event" not in sdp.build("127.0.0.1", 40004, codec="ulaw", key_payload=None, session=1)


def test_srtp_other_codecs_and_direction_are_told() -> None:
    body = offer().replace(b"RTP/AVP 0 8 101", b"RTP/SAVP 9 101").replace(b"sendrecv", b"sendonly")
    parsed = sdp.parse(body)
    assert (parsed.secure, parsed.codecs, parsed.direction) == (True, (), "sendonly")


def test_the_address_of_the_stream_beats_that_of_the_session() -> None:
    assert sdp.parse(offer().replace(b"a=ptime", b"c=IN IP4 127.0.0.7\r\na=ptime")).host == "127.0.0.7"


def test_only_the_first_audio_stream_counts() -> None:
    body = offer() + b"m=audio 5000 RTP/AVP 8\r\nc=IN IP4 127.0.0.8\r\n"
    assert sdp.parse(body) == sdp.parse(offer())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"m=audio x RTP/AVP 0",
        b"m=audio 4000 RTP/AVP 0",
        offer(0),
        b"c=IN IP4",
        offer(host="a.example.com"),
    ],
)
def test_what_offers_no_audio_is_refused(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        sdp.parse(body)


@given(st.binary(max_size=80), st.integers(0, 200))
def test_no_description_breaks_the_parser(noise: bytes, at: int) -> None:
    with contextlib.suppress(ProtocolError):
        sdp.parse(offer()[:at] + noise + offer()[at:])
