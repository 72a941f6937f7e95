"""What every answer of a carrier means: each cause of the stand-in carrier is named, with what to do about it."""

from __future__ import annotations

import pytest

from trunkline.carriers.diagnosis import ANSWERS, explain, meaning
from trunkline.models import CallEnd, Disposition
from trunkline.rehearsal.termination import ANSWERS as CARRIERS
from trunkline.rehearsal.termination import Cause

BY_PHRASE = {
    Cause.EDGE_ADDRESS: "an address instead of the termination host",
    Cause.SIP_DOMAIN: "not a SIP domain",
    Cause.SUSPENDED: "suspended or has no funds",
    Cause.NOT_IN_ACL: "IP access control list",
    Cause.BAD_CREDENTIALS: "trunk.username and trunk.password",
    Cause.TOO_FAST: "calls per second",
    Cause.TOO_MANY: "simultaneous calls",
    Cause.NOT_E164: "E.164",
    Cause.UNVERIFIED_CALLEE: "trial account",
    Cause.CALLER_ID_MISSING: "caller ID",
    Cause.CALLER_ID_NOT_ALLOWED: "caller ID",
    Cause.BLOCKED: "blocked this destination",
    Cause.COUNTRY: "geographic permissions",
    Cause.NO_TLS: "without TLS",
    Cause.PLAIN_ON_SECURE: "compare secure media",
    Cause.SECURE_ON_PLAIN: "compare secure media",
    Cause.NO_G711: "trunk.codecs",
    Cause.NO_OFFER: "codecs",
    Cause.NOBODY: "does not know this number",
}
"""What a call tells, which sees status and reason phrase alone."""

BY_NUMBER = {
    10001: "The account is suspended",
    10004: "simultaneous calls",
    32001: "calls per second",
    32100: "trial account",
    32101: "E.164",
    32201: "missing from the trunk's IP access control list",
    32202: "refused user name or password",
    32203: "blocked this destination",
    32204: "caller ID",
    32205: "country",
    32207: "Switch secure media on",
    32208: "offered plain RTP",
    32209: "without TLS",
}
"""What is told where the carrier's own number is known as well."""


def ended(code: int | None, phrase: str | None = None, cause: int | None = 21, *, rang: bool = False) -> CallEnd:
    return explain(sip_code=code, sip_reason=phrase, q850_cause=cause, rang=rang, ring_timeout=45)


@pytest.mark.parametrize("cause", Cause, ids=lambda cause: cause.name)
def test_a_call_tells_what_a_refusal_means(cause: Cause) -> None:
    answer = CARRIERS[cause]
    end = ended(answer.code, answer.phrase)
    assert BY_PHRASE[cause].lower() in end.reason.lower()
    assert (end.disposition, end.sip_code, end.sip_reason) == (Disposition.REJECTED, answer.code, answer.phrase)


@pytest.mark.parametrize("number", BY_NUMBER)
def test_the_carriers_own_number_decides(number: int) -> None:
    row = meaning(403, "Forbidden", number)
    assert row is not None
    assert BY_NUMBER[number] in row.sentence
    assert row.remedy


def test_every_number_the_stand_in_carrier_sends_is_known() -> None:
    sent = {int(answer.twilio_error.split()[0]) for answer in CARRIERS.values() if answer.twilio_error}
    assert sent <= BY_NUMBER.keys() == {row.error for row in ANSWERS if row.error is not None}


@pytest.mark.parametrize(
    ("phrase", "told"), [("Secure SIP transport required", "without TLS"), ("Secure media required", "plain RTP")]
)
def test_secure_trunks_are_told_apart_by_the_phrase(phrase: str, told: str) -> None:
    assert told in ended(488, phrase).reason


def test_a_number_nobody_knows_changes_nothing() -> None:
    assert meaning(403, "Forbidden", 99999) is meaning(403, "Forbidden")


def test_silence_points_at_the_host() -> None:
    for end in (ended(None, cause=19), ended(408)):
        assert end.disposition is Disposition.FAILED
        assert "trunk.host" in end.reason and "not answered at all" in end.reason


def test_nobody_picked_up() -> None:
    assert ended(None, cause=19, rang=True).disposition is Disposition.NO_ANSWER


def test_an_answer_without_a_row_is_told_as_it_came() -> None:
    assert ended(499).reason == "The carrier answered 499."
    assert (ended(599, "Strange").disposition, ended(420).disposition) == (Disposition.FAILED, Disposition.REJECTED)


@pytest.mark.parametrize(
    ("code", "cause", "rang", "disposition"),
    [
        (486, 17, True, Disposition.BUSY),
        (603, 21, True, Disposition.REJECTED),
        (403, 21, False, Disposition.REJECTED),
        (404, 1, False, Disposition.REJECTED),
        (480, 19, True, Disposition.NO_ANSWER),
        (503, 42, False, Disposition.FAILED),
        (503, 21, False, Disposition.FAILED),
        (408, 19, True, Disposition.NO_ANSWER),
        (408, 0, False, Disposition.FAILED),
        (None, 17, False, Disposition.BUSY),
        (None, 21, True, Disposition.REJECTED),
        (None, 1, False, Disposition.REJECTED),
        (None, 18, True, Disposition.NO_ANSWER),
        (None, 0, False, Disposition.FAILED),
    ],
)
def test_a_colleague_who_is_not_behind_the_trunk(
    code: int | None, cause: int, rang: bool, disposition: Disposition
) -> None:
    end = explain(sip_code=code, sip_reason="No", q850_cause=cause, rang=rang, ring_timeout=30.0, by_trunk=False)
    assert (end.disposition, end.sip_code) == (disposition, code)
    assert not any(word in end.reason for word in ("carrier", "trunk", "doctor"))
