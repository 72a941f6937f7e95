"""Requests of Twilio's SDK: what may be tried again is, and every failure becomes a sentence with a remedy.

The SDK raises different errors from `create` and `list`, and would log what is sent; so failures are explained here,
before it sees them, and nothing is logged.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from twilio.http import HttpClient
from twilio.http.http_client import TwilioHttpClient
from twilio.http.response import Response

from trunkline.errors import CarrierError
from trunkline.logs import MASK


@dataclass(frozen=True, slots=True)
class Patience:
    """How long an answer is waited for, and how often it is asked for again."""

    timeout: float = 20.0
    """Seconds of silence."""
    tries: int = 5
    longest_pause: float = 30.0
    """Seconds between two tries, whatever Twilio asks for."""


PATIENT: Final = Patience()
BRISK: Final = Patience(timeout=5.0, tries=2, longest_pause=1.0)
"""For questions on which somebody waits."""

_RETRY = "Run the command again: it goes on where it stopped."
REMEDIES: Mapping[int, tuple[str, str]] = {
    20003: (
        "Twilio does not accept these credentials, or they may not do this",
        "Compare twilio.account_sid and the API key (or twilio.auth_token) with the account's page in the console; "
        "a restricted key needs SIP trunking, SIP lists and phone numbers, and for the doctor calls, dialling "
        "permissions and alerts.",
    ),
    20005: ("The Twilio account is not active", "Activate it in the console, or ask Twilio's support why it isn't."),
    20404: ("Twilio does not know what was asked for", "It was removed meanwhile, or is another account's. " + _RETRY),
    20429: ("Twilio asks for fewer requests", "Wait a minute. " + _RETRY),
    21245: ("Twilio refuses the termination domain", 'trunk.host has the form "NAME.pstn.twilio.com".'),
    21248: (
        "The termination domain is taken",
        "Set trunk.host to another NAME.pstn.twilio.com: this one is somebody's, or was given up in the last 30 days.",
    ),
}
"""By Twilio's error code: what happened, and what to do."""

BY_STATUS: Mapping[int, tuple[str, str]] = {
    401: REMEDIES[20003],
    403: REMEDIES[20003],
    404: REMEDIES[20404],
    409: (
        "Twilio has something in the way of this",
        "Something of this name was made meanwhile, or is still in use. " + _RETRY,
    ),
    429: REMEDIES[20429],
}


def explain(status: int, text: str, request: str) -> CarrierError:
    """Twilio's answer (`{"code", "message", "more_info", "status"}`) as an error; `request` as `POST /v1/Trunks`."""
    try:
        body = json.loads(text)
    except ValueError:
        body = {}
    body = body if isinstance(body, dict) else {}
    code = body.get("code") if isinstance(body.get("code"), int) else None
    if status >= 500:
        what, remedy = (
            "Twilio failed",
            "Look at status.twilio.com, then run the command again: it goes on where it stopped.",
        )
    else:
        what, remedy = (
            REMEDIES.get(code or 0)
            or BY_STATUS.get(status)
            or (
                "Twilio refused a request",
                f"Correct the setting it names; https://www.twilio.com/docs/api/errors/{code} describes it."
                if code
                else "Correct the setting it names.",
            )
        )
    said = str(body.get("message") or "").strip().rstrip(".")
    number = f"error {code}, " if code and code != status else ""
    return CarrierError(
        f"{what}: {said + ' ' if said else ''}({number}HTTP {status} to {request}).",
        remedy=remedy,
        status=status,
        code=code,
    )


class PatientClient(HttpClient):  # type: ignore[misc]  # the SDK has no types
    """Sends a request, again where that can do no harm: after 429 always, after a failure only what reads.

    `sleep` waits for seconds. Raises `CarrierError`.
    """

    def __init__(
        self,
        api_url: str | None = None,
        sleep: Callable[[float], None] = time.sleep,
        patience: Patience = PATIENT,
    ) -> None:
        silent = logging.Logger("twilio", logging.CRITICAL + 1)  # in no tree: it passes nothing on
        super().__init__(silent, False, patience.timeout)
        self._http = TwilioHttpClient(timeout=patience.timeout, logger=silent)
        self._api_url = api_url
        self._sleep = sleep
        self._patience = patience
        self.writes = 0
        """Requests that change something, sent so far."""

    def request(self, method: str, uri: str, **options: Any) -> Response:
        """As the SDK wants it; see its `HttpClient`."""
        path = urlsplit(uri).path
        address = uri if self._api_url is None else f"{self._api_url}{path}{_query(uri)}"
        pause = 1.0
        for tries_left in reversed(range(self._patience.tries)):
            try:
                self.writes += method != "GET"
                response = self._http.request(method, address, **options)
            except OSError as error:  # requests' errors are all of them
                failure = CarrierError(
                    f"Twilio can't be reached: {type(error).__name__} at {method} {path}.",
                    remedy="Check this machine's connection. " + _RETRY,
                )
                again = method == "GET"
            else:
                if response.status_code < 400:
                    return response
                told = _without_password(response.text, options.get("data"))
                failure = explain(response.status_code, told, f"{method} {path}")
                again = response.status_code == 429 or (method == "GET" and response.status_code >= 500)
                pause = max(pause, _retry_after(response.headers))
            if not again or not tries_left:
                raise failure from None
            self._sleep(min(pause, self._patience.longest_pause))
            pause *= 2
        raise AssertionError("the last try returns or raises")


def _without_password(text: str, sent: Mapping[str, object] | None) -> str:
    """A refusal may repeat what it refuses."""
    password = (sent or {}).get("Password")
    return text.replace(str(password), MASK) if password else text


def _query(uri: str) -> str:
    query = urlsplit(uri).query
    return f"?{query}" if query else ""


def _retry_after(headers: Mapping[str, str] | None) -> float:
    value = (headers or {}).get("Retry-After", "")
    return float(value) if value.isdigit() else 0.0
