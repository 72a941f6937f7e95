"""Why a call was not answered: SIP status, reason phrase, the carrier's own error number → cause and remedy.

Twilio's answers as collected in its error documentation (10001 … 32209); any other carrier gets the general rows.
Asterisk tells status and reason phrase, never the header `X-Twilio-Error`: whoever sees that number (the doctor's own
INVITE, the account's alerts) gives it, and it decides. Pure: nothing here asks the network.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

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
    cause: str
    remedy: str
    error: int | None = None
    """The carrier's own number for it, which says more than status and phrase do."""

    @property
    def sentence(self) -> str:
        return f"{self.cause} {self.remedy}".strip()


def _row(
    codes: int | tuple[int, ...],
    phrase: str,
    disposition: Disposition,
    cause: str,
    remedy: str = "",
    *,
    error: int | None = None,
) -> Answer:
    return Answer(frozenset((codes,) if isinstance(codes, int) else codes), phrase, disposition, cause, remedy, error)


REJECTED, FAILED, BUSY, NO_ANSWER = (
    Disposition.REJECTED,
    Disposition.FAILED,
    Disposition.BUSY,
    Disposition.NO_ANSWER,
)
NO_ACCOUNT: Final = 10001
NEVER: Final = r"(?!)"
"""Fits no phrase: only the carrier's number tells this row from its neighbours."""

ANSWERS: tuple[Answer, ...] = (
    _row((486, 600), "", BUSY, "The line was busy.", "Try again later."),
    _row(
        403,
        r"caller ?id",
        REJECTED,
        "The carrier does not let us show this caller ID.",
        "Use a number that was bought from or verified with it (trunk.caller_ids, or callerId in the request).",
        error=32204,
    ),
    _row(
        403,
        r"international",
        REJECTED,
        "The carrier does not permit calls to this country.",
        "Allow it in the account's geographic permissions.",
        error=32205,
    ),
    _row(
        403,
        r"blocked",
        REJECTED,
        "The carrier has blocked this destination.",
        "Ask its support why.",
        error=32203,
    ),
    _row(
        403,
        r"credential|password|authenticat",
        REJECTED,
        "The carrier refused user name or password.",
        "Compare trunk.username and trunk.password with its credential list (`trunkline trunk apply` sets them).",
        error=32202,
    ),
    _row(
        403,
        r"\bacl\b|ip address",
        REJECTED,
        "This machine's public address is missing from the trunk's IP access control list.",
        "Add it there, or attach the list to the trunk (`trunkline trunk apply`).",
        error=32201,
    ),
    _row(
        403,
        "",
        REJECTED,
        "The carrier refused the call (403): this machine's public address is missing from the trunk's IP access "
        "control list, or trunk.username and trunk.password are not those of its credential list, or trunk.host is an "
        "address instead of the termination host.",
        "`trunkline doctor` tells which.",
    ),
    _row(
        (401, 407),
        "",
        REJECTED,
        "The carrier asked for a password and got none that fits.",
        "Set trunk.username and trunk.password as in its credential list.",
    ),
    _row(
        400,
        r"unverified",
        REJECTED,
        "A trial account may only call verified numbers.",
        "Verify this one with the carrier or upgrade the account.",
        error=32100,
    ),
    _row(
        (400, 484),
        "",
        REJECTED,
        "The carrier does not accept this phone number.",
        "Write it in E.164, with + and the country code.",
        error=32101,
    ),
    _row(
        404,
        "",
        REJECTED,
        "The carrier does not know this number or this trunk.",
        "Check the number, and that trunk.host is the termination host, not a SIP domain.",
    ),
    _row(410, "", REJECTED, "This number is no longer in service."),
    _row(
        503,
        r"cps|per second",
        REJECTED,
        "More calls per second than the trunk allows.",
        "Try again in a second, or place calls more slowly.",
        error=32001,
    ),
    _row(
        503,
        r"concurrent",
        REJECTED,
        "More simultaneous calls than the trunk allows.",
        "Try again when one has ended.",
        error=10004,
    ),
    _row(
        488,
        r"secure sip",
        REJECTED,
        "The trunk is set to secure media, and the call came without TLS.",
        "Set trunk.secure to true, or switch secure media off in the trunk (`trunkline trunk apply`).",
        error=32209,
    ),
    _row(
        488,
        r"secure",
        REJECTED,
        "The trunk demands secure media (SRTP), and the call offered plain RTP.",
        "Set trunk.secure to true, or switch secure media off in the trunk (`trunkline trunk apply`).",
        error=32208,
    ),
    _row(
        488,
        r"\bsrtp\b",
        REJECTED,
        "The call offered secure media (SRTP) to a trunk that is not set to it.",
        "Switch secure media on in the trunk (`trunkline trunk apply`), or set trunk.secure to false.",
        error=32207,
    ),
    _row(
        (415, 488, 606),
        "",
        REJECTED,
        "The carrier accepts none of our codecs.",
        "Offer ulaw and alaw in trunk.codecs; if it does, compare secure media in the trunk with trunk.secure.",
    ),
    _row(
        603,
        NEVER,
        REJECTED,
        "The account is suspended, closed or has no funds.",
        "See to the account's balance and state.",
        error=NO_ACCOUNT,
    ),
    _row(
        603,
        "",
        REJECTED,
        "The call was declined: by the person, or by the carrier because the account is suspended or has no funds.",
        "If every call ends like this, see to the account's balance and state.",
    ),
    _row(480, "", NO_ANSWER, "The phone can't be reached at the moment.", "Try again later."),
    _row(487, "", NO_ANSWER, "Nobody answered."),
    _row(
        408,
        "",
        FAILED,
        "The trunk gave no answer.",
        "Check trunk.host (an unknown termination host is not answered at all) and trunk.port, and that nothing in "
        "between drops SIP.",
    ),
    _row((500, 502, 503, 504), "", FAILED, "The carrier could not carry the call just now.", "Try again later."),
)


def meaning(code: int, phrase: str | None = None, error: int | None = None) -> Answer | None:
    """The row of a final answer. `error`: the number in `X-Twilio-Error` or in an alert, where one is known."""
    if error is not None and (row := next((row for row in ANSWERS if row.error == error), None)) is not None:
        return row
    fits = (row for row in ANSWERS if code in row.codes and re.search(row.phrase, phrase or "", re.IGNORECASE))
    return next(fits, None)


def of_error(number: int) -> str:
    """What one of Twilio's error numbers means and what to do, in any case."""
    row = next((row for row in ANSWERS if row.error == number), None)
    return row.sentence if row else f"https://www.twilio.com/docs/errors/{number} tells what it means."


def may_mean(code: int, number: int) -> bool:
    """Whether a call answered with this status can have failed for that error; of an unknown one nobody can say."""
    row = next((row for row in ANSWERS if row.error == number), None)
    return row is None or code in row.codes


def is_ambiguous(code: int, phrase: str | None = None) -> bool:
    """Whether the carrier's own number would say more than this final answer does."""
    row = meaning(code, phrase)
    return any(code in other.codes and other.error for other in ANSWERS) and (row is None or row.error is None)


def explain(
    *,
    sip_code: int | None,
    sip_reason: str | None,
    q850_cause: int | None,
    rang: bool,
    ring_timeout: float,
    by_trunk: bool = True,
) -> CallEnd:
    """How a call that was never answered ended. `rang`: 180 or 183 came before; `by_trunk`: a carrier was to carry it,
    not an Asterisk or a phone that people are put through to.
    """
    means = _meaning if by_trunk else _meaning_in_the_house
    disposition, sentence = means(sip_code, sip_reason, q850_cause, rang, ring_timeout)
    return CallEnd(disposition, sentence, HangUpBy.CARRIER, sip_code, sip_reason, q850_cause)


def _meaning(
    sip_code: int | None, sip_reason: str | None, q850_cause: int | None, rang: bool, ring_timeout: float
) -> tuple[Disposition, str]:
    if sip_code is not None and sip_code >= 400:
        if (row := meaning(sip_code, sip_reason)) is not None:
            return row.disposition, row.sentence
        broken = sip_code in range(500, 600)
        return FAILED if broken else REJECTED, f"The carrier answered {sip_code} {sip_reason or ''}".rstrip() + "."
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


def _meaning_in_the_house(
    sip_code: int | None, sip_reason: str | None, q850_cause: int | None, rang: bool, ring_timeout: float
) -> tuple[Disposition, str]:
    """The same where no carrier was asked: nothing of the trunk can be the cause."""
    told = f" ({sip_code} {sip_reason or ''}".rstrip() + ")" if sip_code is not None and sip_code >= 400 else ""
    if sip_code in (486, 600) or (not told and q850_cause == 17):
        return BUSY, f"The line was busy{told}."
    if (
        sip_code in (480, 487)
        or (sip_code == 408 and rang)
        or (not told and rang and q850_cause in {*RING_TIMEOUT_CAUSES, 18})
    ):
        return NO_ANSWER, f"Nobody answered within {ring_timeout:g} seconds{told}."
    if sip_code in (404, 410) or (not told and q850_cause == 1):
        return REJECTED, f"There is nobody of that name or number{told}. Check the address in `transfers`."
    if (told and sip_code != 408 and sip_code not in range(500, 600)) or (not told and q850_cause == 21):
        return REJECTED, f"The call was declined{told}."
    if told and sip_code != 408:
        return FAILED, f"The call could not be carried just now{told}."
    return FAILED, (
        f"There was no sign of life within {ring_timeout:g} seconds (Q.850 cause {q850_cause}). Check the address in "
        "`transfers`, and that whoever is there is reachable."
    )
