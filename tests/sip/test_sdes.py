from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.errors import ProtocolError
from trunkline.sip import sdes, sdp
from trunkline.sip.sdes import Crypto

KEY = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz"
"""From RFC 4568 §6.1: 30 bytes."""
LINE = f"crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}"


@pytest.mark.parametrize("more", ["", "|2^20", "|1048576"])
def test_a_key_is_read(more: str) -> None:
    crypto = sdes.parse(LINE + more)
    assert crypto is not None
    assert (crypto.tag, crypto.suite, len(crypto.key)) == (1, "AES_CM_128_HMAC_SHA1_80", 30)
    assert crypto.attribute == f"a={LINE}"


@pytest.mark.parametrize(
    "line",
    [
        LINE + "|2^20|1:4",  # a master key identifier stands in every packet
        LINE + "|1:4",
        LINE + " UNENCRYPTED_SRTP",
        LINE + f";inline:{KEY}",
        LINE.replace("AES_CM_128", "F8_128"),
        LINE.replace(KEY, KEY[:-4]),
        LINE.replace(KEY, "====" + KEY[4:]),
        LINE.replace("crypto:1", "crypto:one"),
        "crypto:1",
        "rtpmap:0 PCMU/8000",
    ],
)
def test_a_key_we_cannot_use_is_left_out(line: str) -> None:
    assert sdes.parse(line) is None


def test_a_key_is_not_shown_in_traces() -> None:
    assert "key" not in repr(sdes.new_crypto())


def test_the_answer_takes_the_first_suite_with_a_key_of_its_own() -> None:
    offered = [sdes.new_crypto(3, sdes.SUITES[1]), sdes.new_crypto(4)]
    answer = sdes.answer_to(offered)
    assert answer is not None
    assert (answer.tag, answer.suite) == (3, sdes.SUITES[1])
    assert answer.key != offered[0].key
    assert sdes.answer_to([]) is None


def test_offer_and_answer_carry_the_key_and_the_profile() -> None:
    key = sdes.new_crypto()
    for body in (
        sdp.build_offer("127.0.0.1", 4000, session=1, crypto=key),
        sdp.build("127.0.0.1", 4000, codec="ulaw", key_payload=None, session=1, crypto=key),
    ):
        assert b"RTP/SAVP" in body
        found = sdp.parse(body)
        assert (found.secure, found.crypto) == (True, (key,))
    plain = sdp.parse(sdp.build_offer("127.0.0.1", 4000, session=1))
    assert (plain.secure, plain.crypto) == (False, ())


def test_a_key_beside_plain_rtp_is_none() -> None:
    body = sdp.build_offer("127.0.0.1", 4000, session=1, crypto=sdes.new_crypto())
    assert sdp.parse(body.replace(b"RTP/SAVP", b"RTP/AVP")).crypto == ()


def test_keys_of_another_stream_are_not_taken() -> None:
    body = sdp.build_offer("127.0.0.1", 4000, session=1, crypto=sdes.new_crypto())
    video = f"m=video 5000 RTP/SAVP 99\r\na={LINE}\r\n".encode()
    assert len(sdp.parse(body + video).crypto) == 1


@given(st.integers(0, 999_999_999), st.sampled_from(sdes.SUITES), st.binary(min_size=30, max_size=30))
def test_what_is_written_is_read_back(tag: int, suite: str, key: bytes) -> None:
    crypto = Crypto(tag, suite, key)
    assert sdes.parse(crypto.attribute.removeprefix("a=")) == crypto


@given(st.text(max_size=60))
def test_no_line_breaks_a_description(text: str) -> None:
    body = sdp.build_offer("127.0.0.1", 4000, session=1) + f"a=crypto:{text}\r\n".encode()
    with contextlib.suppress(ProtocolError):
        assert sdp.parse(body).codecs
