"""What a Twilio account keeps of its trunks' calls: a Call of each attempt, an Alert of each refusal with a number."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Final, Literal
from urllib.parse import urlencode

from trunkline.rehearsal.termination import Refusal
from trunkline.rehearsal.trunk_rules import TrunkRules
from trunkline.rehearsal.twilio_account import TwilioAccount
from trunkline.rehearsal.twilio_shapes import ACCOUNTS, Record

Direction = Literal["trunking-terminating", "trunking-originating"]
STATUSES: Final = {"answered": "completed", "busy": "busy", "no-answer": "no-answer", "cancelled": "canceled"}
"""Our outcome → Twilio's status; anything else is `failed`."""
WARNINGS: Final = frozenset({"10004", "32001"})
"""Numbers that are alerts of the level `warning`; the others are errors [?]."""


class TwilioCalls:
    """Writes into the account; everything about a call that was refused before its trunk was known is lost."""

    def __init__(self, account: TwilioAccount) -> None:
        self._account = account

    def began(self, trunk: TrunkRules, to: str, caller: str, direction: Direction = "trunking-terminating") -> Record:
        """A call that rings: its record, for `over`."""
        now = _now()
        return self._account.note(
            f"{ACCOUNTS}/{self._account.sid}/Calls",
            {
                "to": to,
                "to_formatted": to,
                "from": caller,
                "from_formatted": caller,
                "status": "ringing",
                "direction": direction,
                "trunk_sid": trunk.sid,
                "date_created": now,
                "date_updated": now,
                "start_time": now,
                "end_time": None,
                "duration": None,
            },
        )

    def over(self, call: Record, outcome: str, seconds: float = 0.0) -> None:
        """`outcome`: `answered`, `busy`, `no-answer`, `cancelled`, or anything else for a failure."""
        status = STATUSES.get(outcome, "failed")
        with self._account.lock:
            call |= {"status": status, "end_time": _now(), "date_updated": _now(), "duration": str(round(seconds))}

    def refused(self, trunk: TrunkRules, to: str, caller: str, answer: Refusal) -> None:
        """A call that was turned away, and the alert that tells why where Twilio has a number for it."""
        call = self.began(trunk, to, caller)
        self.over(call, "refused")
        if not answer.twilio_error:
            return
        number, _, words = answer.twilio_error.partition(" ")
        level, now = "warning" if number in WARNINGS else "error", f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
        about = {"Msg": words, "ErrorCode": number, "LogLevel": level.upper()}
        asked = {"To": to, "From": caller, "SipResponseCode": answer.code, "TrunkSid": trunk.sid or ""}
        self._account.note(
            "/v1/Alerts",
            {
                "alert_text": urlencode(about),  # [?: the fields beside `Msg`]
                "error_code": number,
                "log_level": level,
                "more_info": f"https://www.twilio.com/docs/errors/{number}",
                "resource_sid": call["sid"],
                "request_variables": urlencode(asked),  # [?: names for a trunk's calls]
                "date_created": now,
                "date_generated": now,
                "date_updated": now,
            },
        )


def _now() -> str:
    return format_datetime(datetime.now(UTC))
