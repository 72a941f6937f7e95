"""Which requests which keys open. Pure."""

from __future__ import annotations

import re
from typing import Final

from trunkline.access import Scope

SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_CALLS: Final = re.compile(r"/call|/hangup|/calls/[^/]+(?!.*/data$)(?:/.*)?")
"""Placing, steering and ending calls, but not deleting what is kept of them."""
_TAKEOVER: Final = re.compile(r"/calls/[^/]+/takeover")
_LIST: Final = "/do-not-call/"


def scope_of(method: str, path: str) -> Scope:
    """What a key has to open for this request; whatever isn't named here is for administrators."""
    if _TAKEOVER.fullmatch(path):
        return Scope.CALL
    if method in SAFE:
        return Scope.READ
    if _CALLS.fullmatch(path) or (method == "PUT" and path.startswith(_LIST)):
        return Scope.CALL
    return Scope.ADMIN
