"""HTTP digest as SIP proxies use it (RFC 2617, RFC 7616, RFC 3261 §22.4). Pure: no clock, no randomness of its own."""

from __future__ import annotations

import enum
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

# The library's own pattern backtracks exponentially on a hostile header, and splits at commas inside quotes.
_PARAMETER = re.compile(r'([A-Za-z0-9_-]{1,40})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))\s*(?:,\s*|$)')
_HASHES = {"MD5": "md5", "SHA-256": "sha256"}

NONCE_SECONDS = 3600.0
"""How long a nonce is taken; after that the answer is a new challenge with `stale=true` (RFC 7616 §3.3)."""


def parse_parameters(header: str) -> dict[str, str]:
    """Parameters of a `Digest …` header, names in lower case; empty when it is no well-formed digest."""
    scheme, _, rest = header.strip().partition(" ")
    if scheme.lower() != "digest":
        return {}
    found: dict[str, str] = {}
    position, rest = 0, rest.strip()
    while position < len(rest):
        match = _PARAMETER.match(rest, position)
        if match is None or match[1].lower() in found:
            return {}
        found[match[1].lower()] = re.sub(r"\\(.)", r"\1", match[2]) if match[2] is not None else match[3]
        position = match.end()
    return found


def digest_response(credentials: Mapping[str, str], *, password: str, method: str, algorithm: str = "MD5") -> str:
    """The `response` that proves `password` (RFC 7616 §3.4.1), in hexadecimal.

    `credentials` holds username, realm, nonce, uri and, with `qop=auth`, nc and cnonce; `KeyError` if one is missing.
    """

    def hashed(text: str) -> str:
        return hashlib.new(_HASHES[algorithm], text.encode(), usedforsecurity=False).hexdigest()

    secret = hashed(f"{credentials['username']}:{credentials['realm']}:{password}")
    request = hashed(f"{method}:{credentials['uri']}")
    if qop := credentials.get("qop"):
        proof = f"{credentials['nonce']}:{credentials['nc']}:{credentials['cnonce']}:{qop}"
    else:
        proof = credentials["nonce"]
    return hashed(f"{secret}:{proof}:{request}")


def authorization(challenge: Mapping[str, str], *, username: str, password: str, method: str, uri: str) -> str:
    """The header value that answers a parsed `challenge` (first use of its nonce)."""
    values = {"username": username, "realm": challenge["realm"], "nonce": challenge["nonce"], "uri": uri}
    if "auth" in challenge.get("qop", ""):
        values |= {"qop": "auth", "nc": "00000001", "cnonce": hashlib.sha256(uri.encode()).hexdigest()[:16]}
    values["response"] = digest_response(values, password=password, method=method)
    if "opaque" in challenge:
        values["opaque"] = challenge["opaque"]
    bare = {"nc", "qop"}
    return "Digest " + ", ".join(
        f"{key}={value}" if key in bare else f'{key}="{value}"' for key, value in values.items()
    )


class Proof(enum.Enum):
    """What a set of credentials is worth."""

    VALID = enum.auto()
    STALE = enum.auto()
    """Right password, but the nonce is not ours, too old or already used: challenge again."""
    WRONG = enum.auto()


@dataclass(slots=True)
class DigestGuard:
    """Challenges and checks; knows its own nonces by their signature and refuses to see one used twice."""

    realm: str
    secret: bytes
    opaque: str
    _counts: dict[str, int] = field(default_factory=dict)
    """Nonce → highest `nc` seen (RFC 7616 §3.4, replay)."""

    def challenge(self, now: float, *, stale: bool = False) -> str:
        """Value of `Proxy-Authenticate`; no algorithm is named, which means MD5."""
        nonce = self._nonce(f"{now:.6f}")
        text = f'Digest realm="{self.realm}",qop="auth",nonce="{nonce}",opaque="{self.opaque}"'
        return text + ",stale=true" if stale else text

    def check(self, header: str, *, method: str, uri: str, now: float, passwords: Mapping[str, str]) -> Proof:
        """Whether `header` (value of `Proxy-Authorization`) was made with a known password for this very request."""
        given = parse_parameters(header)
        password = passwords.get(given.get("username", ""))
        if (
            password is None
            or given.get("realm") != self.realm
            or given.get("uri") != uri
            or given.get("qop") != "auth"
            or given.get("algorithm", "MD5").upper() != "MD5"
            or not re.fullmatch(r"[0-9a-fA-F]{8}", given.get("nc", ""))
            or not {"cnonce", "nonce", "response"} <= given.keys()
        ):
            return Proof.WRONG
        expected = digest_response(given, password=password, method=method)
        if not hmac.compare_digest(expected.encode(), given["response"].lower().encode()):
            return Proof.WRONG
        nonce, count = given["nonce"], int(given["nc"], 16)
        issued = self._issued(nonce)
        if issued is None or given.get("opaque") != self.opaque:
            return Proof.STALE
        if now - issued > NONCE_SECONDS or count <= self._counts.get(nonce, 0):
            return Proof.STALE
        self._counts[nonce] = count
        return Proof.VALID

    def _issued(self, nonce: str) -> float | None:
        """When we made this nonce; `None` if we didn't."""
        stamp = nonce.partition(".")[0]
        if not re.fullmatch(r"(?:3[0-9]|2e)+", stamp):  # digits and a full stop, as `_nonce` writes them
            return None
        issued = bytes.fromhex(stamp).decode()
        return float(issued) if hmac.compare_digest(nonce.encode(), self._nonce(issued).encode()) else None

    def _nonce(self, issued: str) -> str:
        signature = hmac.new(self.secret, issued.encode(), hashlib.sha256).hexdigest()[:32]
        return f"{issued.encode().hex()}.{signature}"
