"""Settings to the text of Asterisk's configuration files. Pure: no file, clock or network is touched.

The private instance that comes out places calls on one trunk, takes those that come in on it, and hands their audio to
our AudioSocket server; nothing else can be reached from outside: the only identified endpoint is the trunk, and its
context leads to us alone.
Meaning of every option: Asterisk's own documentation of the file it stands in (asterisk.conf, pjsip.conf …).
"""

from __future__ import annotations

from trunkline.telephony.asterisk_config.dialplan import (
    ANSWER_EXTENSION,
    ARI_APP,
    ARRIVAL_CONTEXT,
    ARRIVED,
    CALL_CONTEXT,
    CALL_EXTENSION,
    CALL_VARIABLE,
    GONE_CONTEXT,
    GONE_EVENT,
    JOIN_VARIABLE,
    JOINED,
    NEXT_VARIABLE,
)
from trunkline.telephony.asterisk_config.pjsip import TRUNK_ENDPOINT, dial_string
from trunkline.telephony.asterisk_config.private import ARI_USER, AsteriskInstance, render
from trunkline.telephony.asterisk_config.sections import host_and_port
from trunkline.telephony.asterisk_config.targets import on_trunk, refer_string, target_string

__all__ = [
    "ANSWER_EXTENSION",
    "ARI_APP",
    "ARI_USER",
    "ARRIVAL_CONTEXT",
    "ARRIVED",
    "CALL_CONTEXT",
    "CALL_EXTENSION",
    "CALL_VARIABLE",
    "GONE_CONTEXT",
    "GONE_EVENT",
    "JOINED",
    "JOIN_VARIABLE",
    "NEXT_VARIABLE",
    "TRUNK_ENDPOINT",
    "AsteriskInstance",
    "dial_string",
    "host_and_port",
    "on_trunk",
    "refer_string",
    "render",
    "target_string",
]
