"""Whom a leg is dialled to, as Asterisk's dial strings. Pure."""

from __future__ import annotations

from trunkline.errors import InvalidNumber, TrunkNotConfigured
from trunkline.settings import E164, TrunkSettings
from trunkline.settings.transfers import ENDPOINT, EXTENSION, QUEUE, SIP_ADDRESS
from trunkline.telephony.asterisk_config.carriers import as_sent
from trunkline.telephony.asterisk_config.dialplan import QUEUE_CONTEXT
from trunkline.telephony.asterisk_config.pjsip import SIP_ENDPOINT, dial_string
from trunkline.telephony.asterisk_config.sections import host_and_port


def on_trunk(to: str) -> bool:
    """Whether it is a telephone number, behind the carrier."""
    return E164.fullmatch(to) is not None


def target_string(trunk: TrunkSettings, to: str) -> str:
    """The endpoint of a number (E.164) or of what `transfers.NAME.to` may be.

    Raises `InvalidNumber` for anything else, and `TrunkNotConfigured` for a number without a trunk.
    """
    if on_trunk(to):
        if trunk.host is None:
            raise TrunkNotConfigured("No trunk is set.", remedy="Set trunk.host.")
        return dial_string(trunk, to)
    if ENDPOINT.fullmatch(to):
        return to
    # /n: the two halves of a Local channel stay, so that its id stays the call's.
    if place := EXTENSION.fullmatch(to):
        return f"Local/{place['extension']}@{place['context']}/n"
    if queue := QUEUE.fullmatch(to):
        return f"Local/{queue['queue']}@{QUEUE_CONTEXT}/n"
    if SIP_ADDRESS.fullmatch(to):
        return f"PJSIP/{SIP_ENDPOINT}/{to}"
    raise InvalidNumber(f"{to[:40]!r} is not an E.164 number.", remedy="Write it as +14155550100.")


def refer_string(trunk: TrunkSettings, to: str) -> str | None:
    """What a REFER (RFC 3515) names; `None` where the carrier could not reach it."""
    if on_trunk(to) and trunk.host is not None:
        host, _ = host_and_port(trunk.host, trunk.sip_port)
        return f"PJSIP/sip:{as_sent(trunk, to)}@{host}"
    return f"PJSIP/{to}" if SIP_ADDRESS.fullmatch(to) else None
