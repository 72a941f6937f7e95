"""What Asterisk says over AGI, as recorded from Asterisk 22, and what we make of it."""

from __future__ import annotations

import random

import pytest

from trunkline.errors import ProtocolError
from trunkline.telephony.agi_protocol import (
    MAX_COMMAND,
    MAX_ENVIRONMENT,
    MAX_LINE,
    AgiParser,
    Asked,
    Event,
    HungUp,
    Reply,
    command,
)

ENVIRONMENT = (
    b"agi_network: yes\nagi_network_script: front%20desk?mode=record&name=Ada%20L&number=+1415&empty=\n"
    b"agi_request: agi://127.0.0.1:4573/front%20desk?mode=record\nagi_channel: PJSIP/trunk-00000000\n"
    b'agi_language: en\nagi_callerid: +14155550123\nagi_calleridname: Ada: "the first"\nagi_dnid: unknown\n'
    b"agi_extension: 100\nagi_accountcode: \nagi_enhanced: 0.0\nagi_threadid: 139654166410944\n"
    b"agi_arg_1: order=A-17\nagi_arg_2: just words\n\n"
)


def read(*pieces: bytes) -> tuple[list[Event], ProtocolError | None]:
    """Every event of a stream that arrives in these pieces, and the fault that ended it."""
    parser, events = AgiParser(), list[Event]()
    try:
        for piece in pieces:
            events.extend(parser.feed(piece))
    except ProtocolError as error:
        return events, error
    return events, None


def replies(stream: bytes) -> list[Event]:
    (_, *events), error = read(ENVIRONMENT, stream)
    assert error is None
    return events


def test_the_environment_says_who_asks_for_whom() -> None:
    (asked,), error = read(ENVIRONMENT)
    assert error is None
    assert isinstance(asked, Asked)
    assert asked.agent == "front desk"
    assert asked.parameters == {
        "mode": "record",
        "name": "Ada L",
        "number": "+1415",
        "empty": "",
        "order": "A-17",
    }
    assert asked.environment["callerid"] == "+14155550123"
    assert asked.environment["calleridname"] == 'Ada: "the first"'
    assert asked.environment["accountcode"] == ""


def test_it_may_come_in_any_pieces() -> None:
    stream = ENVIRONMENT + b"200 result=0\nHANGUP\n200 result=1 (x)\n"
    whole, _ = read(stream)
    assert read(*(stream[at : at + 1] for at in range(len(stream))))[0] == whole
    assert len(whole) == 4


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        (b"200 result=0\n", Reply(200, "0")),
        (b"200 result=1 (a (b) c)\n", Reply(200, "1", "a (b) c")),
        (b"200 result=1 (two\nlines)\n", Reply(200, "1", "two\nlines")),
        (b"200 result=1 ()\r\n", Reply(200, "1", "")),
        (b"200 result=49 endpos=8320\n", Reply(200, "49", samples=8320)),
        (b"200 result=35 (dtmf) endpos=12000\n", Reply(200, "35", "dtmf", 12000)),
        (b"200 result=-2\n", Reply(200, "-2")),
        (b"510 Invalid or unknown command\n", Reply(510, value="Invalid or unknown command")),
        (
            b"511 Command Not Permitted on a dead channel or intercept routine\n",
            Reply(511, value="Command Not Permitted on a dead channel or intercept routine"),
        ),
        (
            b"520-Invalid command syntax.  Proper usage follows:\nReturns this.\n520 End of proper usage.\n",
            Reply(520, value="Invalid command syntax.  Proper usage follows:"),
        ),
    ],
)
def test_answers(line: bytes, reply: Reply) -> None:
    assert replies(line + b"HANGUP\n") == [reply, HungUp()]


def test_what_an_answer_means() -> None:
    assert Reply(200, "35").key == "#"
    assert (Reply(200, "0").key, Reply(200, "-1").key, Reply(511).key, Reply(200, "9" * 20).key) == ("", "", "", "")
    assert [Reply(200, "-1").failed, Reply(511).failed, Reply(200, "0").failed] == [True, True, False]


@pytest.mark.parametrize(
    "stream",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x00\x01\x02\n",
        b"agi_network yes\n",
        b"agi_x: " + bytes(MAX_LINE) + b"\n",
        b"x" * (MAX_LINE + 1),
        b"".join(b"agi_arg_%d: x\n" % number for number in range(MAX_ENVIRONMENT + 1)),
        ENVIRONMENT + b"hello\n",
        ENVIRONMENT + b"200 result=\xff\n",
        ENVIRONMENT + b"200 result=1 (a" + b"\nx" * 100,
        ENVIRONMENT + b"200 result=1 (a" + (b"\n" + b"x" * 4000) * 10,
        ENVIRONMENT + b"\n",
    ],
)
def test_whatever_breaks_the_protocol_is_refused(stream: bytes) -> None:
    assert read(stream)[1] is not None


def test_commands() -> None:
    assert command("ANSWER") == b"ANSWER\n"
    assert command("SET VARIABLE", "A", 'say "hi" \\ there') == b'SET VARIABLE "A" "say \\"hi\\" \\\\ there"\n'
    assert command("SET VARIABLE", "A", "x\nHANGUP\r\0y") == b'SET VARIABLE "A" "x HANGUP y"\n'
    assert command("SET VARIABLE", "A", "Größe \ud800") == 'SET VARIABLE "A" "Größe ?"\n'.encode()
    with pytest.raises(ValueError, match="AGI command"):
        command("SET VARIABLE", "A", "x" * MAX_COMMAND)


# ── fuzz ───────────────────────────────────────────────────────────────────────────────────────────────────────

WORDS = (
    b"200 result=", b"1", b"-1", b" (", b")", b" endpos=", b"\n", b"\r\n", b"\n\n", b"HANGUP\n", b"520-", b"520 ",
    b"510 x\n", b"agi_arg_1: ", b"agi_network_script: ", b"?a=b&", b"%",
    b"\xff\xfe", b"\x00", b" ", b"x" * 300, b"9" * 30, b"=",
)  # fmt: skip


def mangled(chance: random.Random) -> bytes:
    """A stream of honest parts, in wrong orders, cut, doubled and with bytes changed."""
    parts = [chance.choice(WORDS) for _ in range(chance.randrange(12))]
    start = chance.choice((b"", ENVIRONMENT, ENVIRONMENT[: chance.randrange(len(ENVIRONMENT))]))
    stream = bytearray(start + b"".join(parts))
    for _ in range(chance.randrange(3)):
        if stream:
            stream[chance.randrange(len(stream))] = chance.randrange(256)
    return bytes(stream)


def test_a_hundred_thousand_mangled_streams_give_events_or_a_protocol_error() -> None:
    chance = random.Random(4573)
    faults = 0
    for _ in range(100_000):
        parser, stream = AgiParser(), mangled(chance)
        cut = chance.randrange(len(stream) + 1)
        try:
            for piece in (stream[:cut], stream[cut:]):
                for event in parser.feed(piece):
                    assert isinstance(event, Asked | Reply | HungUp)
                    if isinstance(event, Reply):
                        assert event.key in {"", *"0123456789*#ABCD"}
        except ProtocolError:
            faults += 1
    assert 10_000 < faults < 100_000
