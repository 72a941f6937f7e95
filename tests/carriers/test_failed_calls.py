"""Failed calls that Twilio's alerts explain: which alert is whose, and what is kept of it."""

from __future__ import annotations

import pytest

from tests.store.records import at
from trunkline.carriers.twilio.facts import Alert, called
from trunkline.carriers.twilio.failed_calls import FailedCall, alert_of
from trunkline.models import CallId

NUMBER, OTHER = "+14155550123", "+14155550124"
CALL = FailedCall(CallId("1"), NUMBER, at(0), at(2), 403)
NUMBERS = {"CA1": NUMBER, "CA2": OTHER}


@pytest.mark.parametrize(
    ("alerts", "found"),
    [
        ([Alert(32201, at(1), "CA1")], 32201),
        ([Alert(32201, at(1), "CA2")], None),
        ([Alert(32201, at(1), "")], 32201),
        ([Alert(32205, at(1), "")], None),
        ([Alert(32205, at(1), "CA1")], 32205),
        ([Alert(10001, at(1), "CA1")], None),
        ([Alert(32201, at(-30), "CA1")], None),
        ([Alert(32201, at(30), "CA1")], None),
        ([Alert(32201, at(1), ""), Alert(32204, at(4), "CA1")], 32204),
        ([Alert(32204, at(6), "CA1"), Alert(32203, at(2.5), "CA1")], 32203),
        ([Alert(13224, at(1), "CA1")], 13224),
        ([], None),
    ],
    ids=[
        "its own",
        "another call's",
        "of no call, but true for all",
        "of no call and about a number",
        "about this number",
        "not what a 403 means",
        "too early",
        "too late",
        "its own before one of no call",
        "the nearest of several tries",
        "one we don't know",
        "none yet",
    ],
)
def test_whose_alert_it_is(alerts: list[Alert], found: int | None) -> None:
    alert = alert_of(CALL, alerts, NUMBERS)
    assert (alert.error if alert else None) == found


@pytest.mark.parametrize("to", ["+14155550123", "sip:+14155550123@acme.pstn.twilio.com"])
def test_who_was_called(to: str) -> None:
    assert called(to) == NUMBER
