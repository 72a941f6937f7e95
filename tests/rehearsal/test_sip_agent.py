from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sipmessage import Message, Response

from tests.rehearsal.exchange import ADDRESS, ADDRESSES, ANSWER, Exchange, codes, methods, tag_of
from tests.rehearsal.sip_caller import Wording, new_branch, offer
from trunkline.rehearsal.config import CarrierConfig
from trunkline.rehearsal.referral import Target
from trunkline.rehearsal.sip_call import CallConfirmed, CallEnded, CallOffered, CallReferred, MediaMoved, Phase
from trunkline.sip.message import Transport


def test_ringing_early_media_and_answer_belong_to_one_dialog() -> None:
    exchange = Exchange()
    call = exchange.offered()
    exchange.agent.ring(call, exchange.now)
    exchange.agent.progress(call, ANSWER, exchange.now)
    exchange.agent.answer(call, ANSWER, exchange.now)
    messages = exchange.sent()
    assert codes(messages) == [180, 183, 200]
    assert len({tag_of(message) for message in messages}) == 1
    assert [message.body for message in messages] == [b"", ANSWER, ANSWER]


def test_the_answer_hides_behind_its_record_route() -> None:
    exchange = Exchange()
    exchange.answered()
    answer = exchange.answer
    host = answer.contact[0].uri.host
    assert host.startswith("172.")
    assert 16 <= int(host.split(".")[1]) <= 31
    assert str(answer.record_route[0].uri) == f"sip:{ADDRESS[0]}:{ADDRESS[1]};lr"


def test_an_ack_along_the_record_route_confirms_the_call() -> None:
    exchange = Exchange()
    call = exchange.answered()
    exchange.send(exchange.within("ACK", 1))
    assert exchange.events() == [CallConfirmed(call)]
    assert exchange.after(40) == []


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
@pytest.mark.parametrize("lost", [{"routed": False}, {"uri": f"sip:+14155550123@{ADDRESS[0]}:{ADDRESS[1]}"}])
def test_an_ack_that_does_not_follow_it_is_ignored_and_the_call_drops(
    lost: dict[str, object], transport: Transport
) -> None:
    exchange = Exchange()
    exchange.transport = transport
    call = exchange.answered()
    routed, uri = bool(lost.get("routed", True)), str(lost.get("uri", ""))
    exchange.send(exchange.within("ACK", 1, routed=routed, uri=uri))
    assert exchange.agent.lost_acks == 1
    assert exchange.events() == []
    messages = exchange.after(31.9)
    assert set(codes(messages)) == {200}
    assert not exchange.agent.quiet()
    messages = exchange.after(0.2)
    assert methods(messages) == ["BYE"]
    assert exchange.events() == [CallEnded(call, "no ACK")]


def test_the_200_is_repeated_at_t1_doubling_to_t2_until_the_ack() -> None:
    exchange = Exchange()
    exchange.answered()
    times = []
    began = exchange.now
    for _ in range(6):
        deadline = exchange.agent.deadline
        assert deadline is not None
        exchange.now = deadline
        exchange.agent.expire(deadline)
        assert codes(exchange.sent()) == [200]
        times.append(round(deadline - began, 3))
    assert times == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5]
    exchange.send(exchange.within("ACK", 1))
    assert exchange.after(60) == []


@pytest.mark.parametrize("transport", ["tcp", "tls"])
def test_over_a_connection_the_dialog_names_its_transport_and_nothing_is_repeated_but_the_200(
    transport: Transport,
) -> None:
    exchange = Exchange()
    exchange.transport = transport
    call = exchange.answered()
    host, port = ADDRESSES[transport]
    assert str(exchange.answer.record_route[0].uri) == f"sip:{host}:{port};transport={transport};lr"
    assert exchange.answer.contact[0].uri.parameters["transport"] == transport
    assert codes(exchange.after(0.6)) == [200]
    exchange.send(exchange.within("ACK", 1))
    assert exchange.events() == [CallConfirmed(call)]
    exchange.agent.hang_up(call, exchange.now)
    (datagram,) = exchange.agent.drain(exchange.now)
    assert (datagram.to, datagram.transport) == (exchange.source, transport)
    assert b"Via: SIP/2.0/" + transport.upper().encode() in datagram.data
    assert exchange.after(31) == []
    assert not exchange.agent.quiet()
    exchange.after(2)
    assert exchange.agent.quiet()


def test_over_a_connection_a_refusal_is_not_repeated_and_forgotten_in_time() -> None:
    exchange = Exchange()
    exchange.transport = "tcp"
    exchange.agent.refuse(exchange.offered(), 486, "Busy Here", exchange.now)
    assert codes(exchange.sent()) == [486]
    assert exchange.after(33) == []
    assert exchange.agent.deadline is None


def test_a_repeated_invite_gets_the_newest_answer_and_no_second_call() -> None:
    exchange = Exchange()
    call = exchange.offered()
    assert exchange.codes(exchange.invite()) == [100]
    exchange.agent.ring(call, exchange.now)
    exchange.sent()
    assert exchange.codes(exchange.invite()) == [180]
    exchange.agent.answer(call, ANSWER, exchange.now)
    exchange.sent()
    assert exchange.codes(exchange.invite()) == []  # the 200 has its own clock
    assert exchange.events() == []


def test_a_refusal_is_repeated_until_its_ack() -> None:
    exchange = Exchange()
    call = exchange.offered()
    exchange.agent.refuse(call, 486, "Busy Here", exchange.now)
    (busy,) = exchange.sent()
    assert codes(exchange.after(1.6)) == [486, 486]
    assert exchange.codes(exchange.invite()) == [486]
    exchange.send(exchange.wording.request("ACK", 1, "z9hG4bKfirst", to_tag=tag_of(busy)))
    assert exchange.codes(exchange.invite()) == []
    assert exchange.after(60) == []
    assert call.phase is Phase.ENDED


def test_a_refusal_whose_ack_never_comes_is_forgotten() -> None:
    exchange = Exchange()
    exchange.agent.refuse(exchange.offered(), 486, "Busy Here", exchange.now)
    exchange.after(33)
    assert exchange.agent.deadline is None
    assert exchange.events() == []


def test_cancel_ends_a_ringing_call() -> None:
    exchange = Exchange()
    call = exchange.offered()
    exchange.agent.ring(call, exchange.now)
    exchange.sent()
    cancelled = exchange.send(exchange.wording.request("CANCEL", 1, "z9hG4bKfirst"))
    assert [(m.code, m.cseq.method) for m in cancelled if isinstance(m, Response)] == [(200, "CANCEL"), (487, "INVITE")]
    assert exchange.events() == [CallEnded(call, "cancelled")]
    exchange.agent.answer(call, ANSWER, exchange.now)  # the phone was picked up at the same moment: too late
    assert exchange.sent() == []


def test_cancel_that_crosses_the_answer_changes_nothing() -> None:
    exchange = Exchange()
    call = exchange.answered()
    assert exchange.codes(exchange.wording.request("CANCEL", 1, "z9hG4bKfirst")) == [200]
    assert call.phase is Phase.ANSWERED
    exchange.send(exchange.within("ACK", 1))
    assert exchange.events() == [CallConfirmed(call)]


def test_a_repeated_cancel_is_answered_again() -> None:
    exchange = Exchange()
    exchange.offered()
    cancel = exchange.wording.request("CANCEL", 1, "z9hG4bKfirst")
    assert exchange.codes(cancel) == [200, 487]
    assert exchange.codes(cancel) == [200]


def test_cancel_of_an_unknown_invite_is_481() -> None:
    assert Exchange().codes(Wording().request("CANCEL", 1, "z9hG4bKnever")) == [481]


def test_the_caller_hangs_up() -> None:
    exchange = Exchange()
    call = exchange.confirmed()
    bye = exchange.within("BYE", 2)
    assert exchange.codes(bye) == [200]
    assert exchange.events() == [CallEnded(call, "caller hung up")]
    assert exchange.codes(bye) == [200]
    assert exchange.codes(exchange.within("BYE", 3)) == [481]


def test_a_bye_before_the_ack_stops_the_repetitions() -> None:
    exchange = Exchange()
    exchange.answered()
    assert exchange.codes(exchange.within("BYE", 2)) == [200]
    assert exchange.after(60) == []


def test_the_person_hangs_up_with_twilios_reason() -> None:
    exchange = Exchange()
    call = exchange.confirmed()
    exchange.agent.hang_up(call, exchange.now)
    (bye,) = exchange.sent()
    assert methods([bye]) == ["BYE"]
    assert bye.headers["Reason"] == "Q.850;cause=16"
    assert (bye.from_address.parameters["tag"], tag_of(bye)) == (call.to_tag, exchange.wording.tag)
    assert not exchange.agent.quiet()
    reply = Response(200, "OK")
    for name in ("Via", "From", "To", "Call-ID", "CSeq"):
        reply.headers.setlist(name, bye.headers.getlist(name))
    exchange.send(bytes(reply))
    assert exchange.agent.quiet()
    assert exchange.after(60) == []


def test_an_unanswered_bye_is_repeated_and_given_up() -> None:
    exchange = Exchange()
    exchange.agent.hang_up(exchange.confirmed(), exchange.now)
    exchange.sent()
    assert len(methods(exchange.after(31))) == 9
    exchange.after(2)
    assert exchange.agent.quiet()


def test_a_bye_waits_for_the_ack() -> None:
    exchange = Exchange()
    call = exchange.answered()
    exchange.agent.hang_up(call, exchange.now)
    assert exchange.sent() == []
    assert methods(exchange.send(exchange.within("ACK", 1))) == ["BYE"]


def test_hanging_up_before_the_answer_is_480() -> None:
    exchange = Exchange()
    exchange.agent.hang_up(exchange.offered(), exchange.now)
    assert codes(exchange.sent()) == [480]


def test_a_reinvite_moves_the_audio_and_keeps_the_answer() -> None:
    exchange = Exchange()
    call = exchange.confirmed()
    moved = exchange.within("INVITE", 2, body=offer(50000))
    (answer,) = exchange.send(moved)
    assert (codes([answer]), answer.body) == ([200], ANSWER)
    (event,) = exchange.events()
    assert isinstance(event, MediaMoved)
    assert event.offer.port == 50000
    assert codes(exchange.after(0.6)) == [200]
    exchange.send(exchange.within("ACK", 2))
    assert exchange.after(60) == []
    assert call.phase is Phase.CONFIRMED


def test_a_reinvite_without_our_codec_is_refused_and_the_call_goes_on() -> None:
    exchange = Exchange()
    call = exchange.confirmed()
    body = offer().replace(b"AVP 0 8", b"AVP 9")
    assert exchange.codes(exchange.within("INVITE", 2, body=body)) == [488]
    assert call.phase is Phase.CONFIRMED


def test_requests_nobody_asked_for_are_answered_properly() -> None:
    exchange = Exchange()
    assert exchange.codes(exchange.wording.request("REGISTER", 1, new_branch())) == [405]
    assert exchange.codes(exchange.wording.request("BYE", 1, new_branch())) == [481]
    assert exchange.codes(exchange.wording.request("BYE", 1, new_branch(), to_tag="unknown")) == [481]
    assert exchange.codes(exchange.wording.request("ACK", 1, new_branch(), to_tag="unknown")) == []
    exchange.confirmed()
    assert exchange.codes(exchange.within("INFO", 5)) == [405]
    assert exchange.codes(exchange.within("OPTIONS", 6)) == [200]


PSTN, PHONE = "<sip:+14155550199@pstn.example.com>", "<sip:anna@192.0.2.7:5080;transport=TCP>"


def test_a_refer_is_accepted_and_its_outcome_told_in_the_dialog() -> None:
    exchange = Exchange(CarrierConfig(username=None, transfer="enable-all"))
    call = exchange.confirmed()
    accepted, trying = exchange.send(exchange.within("REFER", 2, headers=(f"Refer-To: {PHONE}",)))
    assert (codes([accepted]), methods([trying])) == ([202], ["NOTIFY"])
    assert (trying.body, trying.headers["Subscription-State"]) == (b"SIP/2.0 100 Trying\r\n", "active;expires=60")
    assert trying.headers["Content-Type"] == "message/sipfrag;version=2.0"
    assert trying.contact[0].uri.host.startswith("172.")  # RFC 6665 §4.1.2.1; Asterisk refuses it without
    (event,) = exchange.events()
    assert isinstance(event, CallReferred)
    assert event.target == Target("anna", "192.0.2.7", 5080, "tcp")
    assert exchange.codes(exchange.within("REFER", 3, headers=(f"Refer-To: {PSTN}",))) == [491]
    exchange.agent.notify(call, 486, "Busy Here", exchange.now)
    (told,) = exchange.sent()
    assert (told.body, told.headers["Subscription-State"].partition(";")[0]) == (
        b"SIP/2.0 486 Busy Here\r\n",
        "terminated",
    )
    assert codes(exchange.send(exchange.within("REFER", 4, headers=(f"Refer-To: {PSTN}",)))) == [202]
    exchange.agent.hang_up(call, exchange.now)
    (bye,) = exchange.sent()
    assert [message.cseq.sequence for message in (trying, told, bye)] == [1, 2, 4]
    exchange.agent.notify(call, 200, "OK", exchange.now)
    assert exchange.sent() == []


@pytest.mark.parametrize(
    ("mode", "target", "code"),
    [
        ("disable-all", PSTN, 405),
        ("disable-all", PHONE, 405),
        ("sip-only", PSTN, 603),
        ("sip-only", PHONE, 202),
        ("enable-all", PSTN, 202),
        ("enable-all", "<tel:+14155550199>", 400),
        ("enable-all", "<sip:anna@192.0.2.7;transport=ws>", 400),
        ("enable-all", "anna", 400),
    ],
)
def test_the_trunk_says_where_calls_may_be_put_through_to(mode: str, target: str, code: int) -> None:
    exchange = Exchange(CarrierConfig.model_validate({"username": None, "transfer": mode}))
    exchange.confirmed()
    assert codes(exchange.send(exchange.within("REFER", 2, headers=(f"Refer-To: {target}",)))) == [code]


def test_a_refer_to_two_or_to_nobody_is_refused() -> None:
    exchange = Exchange(CarrierConfig(username=None, transfer="enable-all"))
    exchange.confirmed()
    twice = (f"Refer-To: {PSTN}", f"Refer-To: {PHONE}")
    assert exchange.codes(exchange.within("REFER", 2, headers=twice)) == [400]
    assert exchange.codes(exchange.within("REFER", 3)) == [400]


def test_the_trace_tells_both_directions() -> None:
    exchange = Exchange()
    exchange.offered()
    lines = [(line.direction, line.line) for line in exchange.agent.trace]
    assert lines == [("in", f"INVITE {exchange.wording.uri} SIP/2.0"), ("out", "SIP/2.0 100 trying")]


def test_nothing_is_kept_of_ended_calls() -> None:
    exchange = Exchange(CarrierConfig(username=None, calls_per_second=None))
    for _ in range(20):
        exchange.wording = Wording()
        branch = new_branch()
        exchange.send(exchange.invite(branch=branch))
        exchange.send(exchange.wording.request("CANCEL", 1, branch))
        offered, ended = exchange.events()
        assert isinstance(offered, CallOffered)
        assert ended == CallEnded(offered.call, "cancelled")
    exchange.after(40)
    assert exchange.agent.deadline is None
    assert exchange.agent.quiet()


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 700), st.binary(max_size=12)), min_size=1, max_size=8))
def test_no_sequence_of_mangled_datagrams_breaks_the_agent(steps: list[tuple[int, int, bytes]]) -> None:
    exchange = Exchange(CarrierConfig(username=None, calls_per_second=None, transfer="enable-all"))
    exchange.confirmed()
    for kind, at, noise in steps:
        datagram = [
            exchange.invite(branch=new_branch()),
            exchange.within("BYE", 2),
            exchange.within("ACK", 1),
            exchange.within("INVITE", 3, body=offer()),
            exchange.wording.request("CANCEL", 1, "z9hG4bKfirst"),
            exchange.within("REFER", 4, headers=(f"Refer-To: {PHONE}",)),
        ][kind]
        for message in exchange.send(datagram[:at] + noise + datagram[at + len(noise) :]):
            assert Message.parse(bytes(message))
    exchange.after(70)


@given(st.binary(max_size=400))
def test_no_bytes_break_the_agent(datagram: bytes) -> None:
    exchange = Exchange()
    assert exchange.send(datagram) == []
