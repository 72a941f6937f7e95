"""Where a Twilio account may call (voice v1 DialingPermissions), and what its REST API says of it.

Which numbers Twilio counts as high risk isn't published but for examples; those known are in `HIGH_RISK`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import phonenumbers

from trunkline.phone_numbers import region
from trunkline.rehearsal.twilio_lists import page, wanted
from trunkline.rehearsal.twilio_shapes import Form, Record, Refused, Shape

VOICE = "https://voice.twilio.com"
ROOT = "/v1/DialingPermissions"
COUNTRIES = f"{ROOT}/Countries"
SETTINGS = "/v1/Settings"
PERMITTED = ("US", "CA")
"""What a new account may call [?]."""
HIGH_RISK: Mapping[str, tuple[str, ...]] = {"LV": ("+37181", "+3719000")}
"""Country → prefixes of its special and premium numbers."""
LOW, SPECIAL, FRAUD = (
    "low_risk_numbers_enabled",
    "high_risk_special_numbers_enabled",
    "high_risk_tollfraud_numbers_enabled",
)
_FILTERS = {
    "IsoCode": ("iso_code", "is"),
    "LowRiskNumbersEnabled": (LOW, "is"),
    "HighRiskSpecialNumbersEnabled": (SPECIAL, "is"),
    "HighRiskTollfraudNumbersEnabled": (FRAUD, "is"),
}
_LIST = Shape(COUNTRIES, "content", "", host=VOICE, filters=_FILTERS)


@dataclass
class DiallingPermissions:
    """By country, as ISO 3166-1 alpha-2. Not locked: its account is."""

    enabled: dict[str, set[str]] = field(default_factory=lambda: {code: {LOW} for code in PERMITTED})
    """Country → which of `LOW`, `SPECIAL`, `FRAUD` are switched on."""
    inherited: bool = True

    def permits(self, number: str) -> bool:
        """Whether this E.164 number may be called; satellite networks belong to no country [?]."""
        country = region(number) or ""
        kind = SPECIAL if number.startswith(HIGH_RISK.get(country, ("?",))) else LOW
        return kind in self.enabled.get(country, set())

    def answer(self, method: str, path: str, form: Form, query: Mapping[str, str]) -> tuple[int, Record]:
        """Status and body. Raises `Refused`."""
        match method, path.removeprefix(ROOT).split("/")[1:]:
            case "GET", ["Countries"]:
                countries = [self._country(code) for code in sorted(phonenumbers.SUPPORTED_REGIONS)]
                return 200, page(_LIST, path, wanted(_LIST, countries, query), query)
            case "GET", ["Countries", code]:
                return 200, self._country(_known(code))
            case "GET", ["Countries", code, "HighRiskSpecialPrefixes"]:
                prefixes = [{"prefix": prefix} for prefix in HIGH_RISK.get(_known(code), ())]
                return 200, page(_LIST, path, prefixes, query)
            case "POST", ["BulkCountryUpdates"]:
                return 201, self._update(form.get("UpdateRequest", ""))
        raise Refused.unknown(path)

    def settings(self, method: str, form: Form) -> tuple[int, Record]:
        """Status and body of what is asked of `SETTINGS`."""
        if method == "POST":
            self.inherited = form.get("DialingPermissionsInheritance", "true").lower() == "true"
        status = 202 if method == "POST" else 200
        return status, {"dialing_permissions_inheritance": self.inherited, "url": f"{VOICE}{SETTINGS}"}

    def _country(self, code: str) -> Record:
        url, enabled = f"{VOICE}{COUNTRIES}/{code}", self.enabled.get(code, set())
        return {
            "iso_code": code,
            "name": code,
            "continent": None,
            "country_codes": [f"+{phonenumbers.country_code_for_region(code)}"],
            **{kind: kind in enabled for kind in (LOW, SPECIAL, FRAUD)},
            "url": url,
            "links": {"highrisk_special_prefixes": f"{url}/HighRiskSpecialPrefixes"},
        }

    def _update(self, request: str) -> Record:
        """`request`: a list of objects with a country's `iso_code` and its switches."""
        try:
            updates: list[dict[str, Any]] = json.loads(request)
            codes = [_known(update["iso_code"]) for update in updates]
        except (ValueError, TypeError, KeyError):
            raise Refused(400, 20001, "UpdateRequest is no list of countries") from None
        for code, update in zip(codes, updates, strict=True):
            enabled = self.enabled.setdefault(code, set())
            for kind in (LOW, SPECIAL, FRAUD):
                if kind in update:
                    (enabled.add if str(update[kind]).lower() == "true" else enabled.discard)(kind)
        return {"update_count": len(updates), "update_request": request}


def _known(code: str) -> str:
    if code.upper() not in phonenumbers.SUPPORTED_REGIONS:
        raise Refused.unknown(code)
    return code.upper()
