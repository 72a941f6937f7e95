"""This machine's public IPv4 address, as a web service sees it. Blocking; for the command line."""

from __future__ import annotations

from ipaddress import IPv4Address

import httpx

from trunkline.errors import CarrierError

TIMEOUT_SECONDS = 10.0


def public_address(service: str) -> str:
    """Raises `CarrierError` when the service gives none."""
    try:
        # Bound to an IPv4 address: carriers' lists hold no others.
        with httpx.Client(transport=httpx.HTTPTransport(local_address="0.0.0.0"), timeout=TIMEOUT_SECONDS) as client:
            answer = client.get(service).raise_for_status().text.strip()
        return str(IPv4Address(answer))
    except (httpx.HTTPError, ValueError) as error:
        raise CarrierError(
            f"This machine's public address could not be found: {service} gave none ({type(error).__name__}).",
            remedy='Write it into trunkline.toml: [twilio] addresses = ["203.0.113.7"].',
        ) from None
