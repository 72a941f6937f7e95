"""Settings to the text of Asterisk's configuration files. Pure: no file, clock or network is touched.

The private instance that comes out can place calls on one trunk and hand their audio to our AudioSocket server; nothing
can be reached from outside: the only identified endpoint is the trunk, and its context holds no extension.
Meaning of every option: Asterisk's own documentation of the file it stands in (asterisk.conf, pjsip.conf …).
"""

from __future__ import annotations

from trunkline.telephony.asterisk_config.dialplan import (
    CALL_CONTEXT,
    CALL_EXTENSION,
    GONE_CONTEXT,
    GONE_EVENT,
    NEXT_VARIABLE,
)
from trunkline.telephony.asterisk_config.pjsip import TRUNK_ENDPOINT, dial_string
from trunkline.telephony.asterisk_config.private import ARI_APP, ARI_USER, AsteriskInstance, render
from trunkline.telephony.asterisk_config.sections import host_and_port

__all__ = [
    "ARI_APP",
    "ARI_USER",
    "CALL_CONTEXT",
    "CALL_EXTENSION",
    "GONE_CONTEXT",
    "GONE_EVENT",
    "NEXT_VARIABLE",
    "TRUNK_ENDPOINT",
    "AsteriskInstance",
    "dial_string",
    "host_and_port",
    "render",
]
