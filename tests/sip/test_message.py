from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sipmessage import Message, Response

from tests.rehearsal.sip_caller import Wording
from trunkline.errors import ProtocolError
from trunkline.sip import message as sip_message
from trunkline.sip.message import Answer, Incoming, parse, respond

SOURCE = ("127.0.0.9", 43210)
INVITE = Wording().request("INVITE", 7, "z9hG4bKone")


def incoming(datagram: bytes = INVITE) -> Incoming:
    message = parse(datagram, SOURCE)
    assert isinstance(message, Incoming)
    return message


def test_a_request_is_read() -> None:
    message = incoming()
    assert (message.method, message.sequence, message.raw_uri) == ("INVITE", 7, Wording().uri)
    assert message.caller.uri.user == "+14155550100"
    assert message.request.body.startswith(b"v=0")


def test_compact_and_folded_headers_are_read() -> None:
    datagram = INVITE.replace(b"Call-ID: ", b"i: ").replace(b"From: ", b"f:\r\n ").replace(b"Via: ", b"v: ")
    assert incoming(datagram).call_id == incoming().call_id
    assert incoming(datagram).caller == incoming().caller


def test_a_response_is_reduced_to_its_transaction() -> None:
    answer = parse(respond(incoming(), 200, "OK"), SOURCE)
    assert isinstance(answer, Answer)
    assert (answer.code, answer.branch, answer.cseq_method) == (200, "z9hG4bKone", "INVITE")


def test_a_keep_alive_says_nothing() -> None:
    assert parse(b"\r\n\r\n", SOURCE) is None
    assert parse(b"\0\0\0\0", SOURCE) is None


def test_the_answer_names_the_address_it_goes_to() -> None:
    response = Message.parse(respond(incoming(), 200, "OK", to_tag="abc"))
    via = response.via[0]
    assert (via.parameters["received"], via.parameters["rport"]) == ("127.0.0.9", "43210")
    assert response.to_address.parameters["tag"] == "abc"
    assert sip_message.reply_address(incoming()) == SOURCE


def test_without_rport_the_answer_goes_to_the_port_of_the_via() -> None:
    assert sip_message.reply_address(incoming(INVITE.replace(b";rport", b""))) == (SOURCE[0], 5080)


def test_headers_come_back_as_they_were_written() -> None:
    # A library that parses and writes again would percent-encode the branch, and the caller would not know its own.
    datagram = INVITE.replace(b"z9hG4bKone", b"z9hG4bK+one!~*'").replace(
        b"Max-Forwards: 70", b"Via: SIP/2.0/UDP a;branch=2"
    )
    text = respond(incoming(datagram), 200, "OK").decode()
    assert ";branch=z9hG4bK+one!~*'" in text
    assert "Via: SIP/2.0/UDP a;branch=2\r\n" in text


def test_an_answer_carries_its_description_and_length() -> None:
    response = Message.parse(respond(incoming(), 183, "Session Progress", sdp=b"v=0\r\n", headers=[("X-One", "1")]))
    assert isinstance(response, Response)
    assert (response.body, response.content_length, response.headers["X-One"]) == (b"v=0\r\n", 5, "1")


@pytest.mark.parametrize(
    "datagram",
    [
        b"x",
        b"\xff\xfe" * 30,
        INVITE[:40],
        INVITE.replace(b"Call-ID", b"Call-Me"),
        INVITE.replace(b"CSeq: 7 INVITE", b"CSeq: INVITE"),
        INVITE.replace(b"CSeq: 7 INVITE", b"CSeq: 7 OPTIONS"),
        INVITE.replace(b"Via: ", b"Vja: "),
        INVITE.replace(b"Contact: <sip:", b"Contact: <sip;"),
        INVITE.replace(b"Content-Length: ", b"Content-Length: 9"),
        INVITE.replace(b"Content-Length: ", b"Content-Length: -"),
        INVITE.replace(b";rport", b";self=1"),
        INVITE.replace(b":5080;rport", b":99999"),
        INVITE.replace(b"SIP/2.0\r\n", b"SIP/7.0\r\n", 1),
    ],
)
def test_broken_datagrams_are_refused(datagram: bytes) -> None:
    with pytest.raises(ProtocolError):
        parse(datagram, SOURCE)


@given(st.binary(max_size=200), st.integers(0, len(INVITE)), st.integers(0, 60))
def test_no_datagram_breaks_the_parser(noise: bytes, at: int, cut: int) -> None:
    try:
        message = parse(INVITE[:at] + noise + INVITE[at + cut :], SOURCE)
    except ProtocolError:
        return
    if isinstance(message, Incoming):
        respond(message, 200, "OK", to_tag="t")
        sip_message.reply_address(message)
