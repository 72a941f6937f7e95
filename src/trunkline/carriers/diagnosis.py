"""Why a call was not answered: SIP status and reason phrase → disposition and a sentence that helps.

Twilio's answers as collected in its error documentation (32001 … 32209); any other carrier gets the general rows.
Pure: nothing here asks the network.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from trunkline.models import CallEnd, Disposition, HangUpBy

RING_TIMEOUT_CAUSES = frozenset({0, 16, 19, 127})
"""Q.850 causes Asterisk reports when our own ring timeout ended the attempt without a final answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One row: which final answers it covers, and what they mean. The first row that fits counts."""

    codes: frozenset[int]
    phrase: str
    """Regular expression searched in the reason phrase, ignoring case; empty fits every phrase."""
    disposition: Disposition
    sentence: str


def _row(codes: int | tuple[int, ...], phrase: str, disposition: Disposition, sentence: str) -> Answer:
    return Answer(frozenset((codes,) if isinstance(codes, int) else codes), phrase, disposition, sentence)


REJECTED, FAILED, BUSY, NO_ANSWER = (
    Disposition.REJECTED,
    Disposition.FAILED,
    Disposition.BUSY,
    Disposition.NO_ANSWER,
)

ANSWERS: tuple[Answer, ...] = (
    _row((486, 600), "", BUSY, "The line was busy. Try again later."),
    _row(
        403,
        r"caller ?id",
        REJECTED,
        "The carrier does not let us show this caller ID: use a number that was bought from or verified with it "
        "(trunk.caller_ids, or callerId in the request).",
    ),
    _row(
        403,
        r"international",
        REJECTED,
        "The carrier does not permit calls to this country: allow it in the account's geographic permissions.",
    ),
    _row(403, r"blocked", REJECTED, "The carrier has blocked this destination: ask its support why."),
    _row(
        403,
        r"credential|password|authenticat",
        REJECTED,
        "The carrier refused user name or password: compare trunk.username and trunk.password with its list.",
    ),
    _row(
        403,
        "",
        REJECTED,
        "The carrier refused the call (403): either this machine's public address is missing from the trunk's IP "
        "access control list, or trunk.username and trunk.password are not those of its credential list.",
    ),
    _row(
        (401, 407),
        "",
        REJECTED,
        "The carrier asked for a password and got none that fits: set trunk.username and trunk.password as in its "
        "credential list.",
    ),
    _row(
        400,
        r"unverified",
        REJECTED,
        "A trial account may only call verified numbers: verify this one with the carrier or upgrade the account.",
    ),
    _row(
        (400, 484),
        "",
        REJECTED,
        "The carrier does not accept this phone number: write it in E.164, with + and the country code.",
    ),
    _row(
        404,
        "",
        REJECTED,
        "The carrier does not know this number or this trunk: check the number, and that trunk.host is the termination "
        "host, not a SIP domain.",
    ),
    _row(410, "", REJECTED, "This number is no longer in service."),
    _row(
        503,
        r"cps|per second",
        REJECTED,
        "More calls per second than the trunk allows: try again in a second, or place calls more slowly.",
    ),
    _row(503, r"concurrent", REJECTED, "More simultaneous calls than the trunk allows: try again when one has ended."),
    _row(
        488,
        r"secure",
        REJECTED,
        "The trunk demands secure media (TLS and SRTP): switch that off in the trunk or use a secure transport.",
    ),
    _row((415, 488, 606), "", REJECTED, "The carrier accepts none of our codecs: offer ulaw and alaw in trunk.codecs."),
    _row(
        603,
        "",
        REJECTED,
        "The call was declined: by the person, or by the carrier because the account is suspended or has no funds.",
    ),
    _row(480, "", NO_ANSWER, "The phone can't be reached at the moment. Try again later."),
    _row(487, "", NO_ANSWER, "Nobody answered."),
    _row(
        408,
        "",
        FAILED,
        "The trunk gave no answer: check trunk.host and trunk.port, and that nothing in between drops SIP.",
    ),
    _row((500, 502, 503, 504), "", FAILED, "The carrier could not carry the call just now. Try again later."),
)


def explain(
    *,
    sip_code: int | None,
    sip_reason: str | None,
    q850_cause: int | None,
    rang: bool,
    ring_timeout: float,
) -> CallEnd:
    """How a call that was never answered ended. `rang`: 180 or 183 came before."""
    disposition, sentence = _meaning(sip_code, sip_reason, q850_cause, rang, ring_timeout)
    return CallEnd(disposition, sentence, HangUpBy.CARRIER, sip_code, sip_reason, q850_cause)


def _meaning(
    sip_code: int | None, sip_reason: str | None, q850_cause: int | None, rang: bool, ring_timeout: float
) -> tuple[Disposition, str]:
    if sip_code is not None and sip_code >= 400:
        for row in ANSWERS:
            if sip_code in row.codes and re.search(row.phrase, sip_reason or "", re.IGNORECASE):
                return row.disposition, row.sentence
        return (
            FAILED if sip_code in range(500, 600) else REJECTED
        ), f"The carrier answered {sip_code} {sip_reason or ''}."
    if q850_cause == 17:
        return BUSY, "The line was busy. Try again later."
    if rang:
        return NO_ANSWER, f"Nobody answered within {ring_timeout:g} seconds."
    if q850_cause in RING_TIMEOUT_CAUSES or q850_cause is None:
        return FAILED, (
            f"The trunk gave no sign of life within {ring_timeout:g} seconds: check that trunk.host is the termination "
            "host to the letter (an unknown one is not answered at all), trunk.port, and that no firewall drops SIP."
        )
    return FAILED, f"The call could not be set up (Q.850 cause {q850_cause}). Is the trunk reachable?"
