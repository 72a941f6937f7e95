"""Keys of SRTP in session descriptions (RFC 4568): the `a=crypto` line. Pure but for the making of a key."""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

SUITES: Final = ("AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32")
"""Those we speak, the wanted one first (RFC 4568 §6.2)."""
KEY_BYTES: Final = 30
"""Master key of 16 bytes, master salt of 14."""
_LINE = re.compile(r"crypto:(\d{1,9}) +(\w+) +inline:([A-Za-z0-9+/]{1,128}={0,2})((?:\|[^\s;|]+){0,2})((?: +\S+)*)")
_LIFETIME = re.compile(r"\|(?:2\^\d{1,2}|\d{1,15})")


@dataclass(frozen=True, slots=True)
class Crypto:
    """One `a=crypto` line."""

    tag: int
    suite: str
    key: bytes = field(repr=False)
    """Master key and master salt."""

    @property
    def attribute(self) -> str:
        """The line as it is written."""
        return f"a=crypto:{self.tag} {self.suite} inline:{base64.b64encode(self.key).decode()}"


def new_crypto(tag: int = 1, suite: str = SUITES[0]) -> Crypto:
    """A key of our own."""
    return Crypto(tag, suite, secrets.token_bytes(KEY_BYTES))


def parse(attribute: str) -> Crypto | None:
    """From the value of an attribute, `crypto:1 AES_CM_128_HMAC_SHA1_80 inline:…`. `None` for every other one, and for
    a key we can't use: another suite, a master key identifier, session parameters that would have to be followed.
    """
    match = _LINE.fullmatch(attribute)
    if match is None or match[2] not in SUITES or match[5].strip():
        return None
    if match[4] and not _LIFETIME.fullmatch(match[4]):
        return None
    try:
        key = base64.b64decode(match[3], validate=True)
    except binascii.Error:
        return None
    return Crypto(int(match[1]), match[2], key) if len(key) == KEY_BYTES else None


def answer_to(offered: Iterable[Crypto]) -> Crypto | None:
    """Our line for the first one offered, with a key of our own (RFC 4568 §5.1.2)."""
    first = next(iter(offered), None)
    return None if first is None else new_crypto(first.tag, first.suite)
