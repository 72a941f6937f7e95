"""Session descriptions of an audio call (RFC 4566, RFC 3264): G.711 and telephone-event, 20 ms packets. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address

from trunkline.errors import ProtocolError
from trunkline.sip import sdes
from trunkline.sip.sdes import Crypto

STATIC_NAMES = {0: "PCMU/8000", 8: "PCMA/8000"}
"""RFC 3551 §6."""
PAYLOAD_TYPES = {"ulaw": 0, "alaw": 8}
CODECS = {0: "ulaw", 8: "alaw"}


@dataclass(frozen=True, slots=True)
class AudioOffer:
    """What the other side can do and where it listens."""

    host: str
    port: int
    codecs: tuple[str, ...]
    """`ulaw` and `alaw` in the offered order; empty: no G.711."""
    key_payload: int | None
    """RTP payload type of telephone-event/8000 (RFC 4733)."""
    secure: bool = False
    """SRTP was offered (`RTP/SAVP`)."""
    direction: str = "sendrecv"
    crypto: tuple[Crypto, ...] = ()
    """Keys of SRTP we can use, in the offered order; none beside plain RTP."""


def parse(body: bytes) -> AudioOffer:
    """The first audio stream of a description. Raises `ProtocolError` when there is none at an IPv4 address."""
    host, port, formats, profile = "", 0, list[int](), ""
    names = dict(STATIC_NAMES)
    crypto = list[Crypto]()
    direction, in_audio = "sendrecv", False
    try:
        for line in body.decode().splitlines():
            kind, _, value = line.strip().partition("=")
            if kind == "m":
                if in_audio:
                    break
                media, port_text, profile, *types = value.split()
                in_audio = media == "audio"
                if in_audio:
                    port, formats = int(port_text.partition("/")[0]), [int(number) for number in types]
            elif kind == "c" and (in_audio or not formats):
                host = str(IPv4Address(value.split()[2].partition("/")[0]))
            elif kind == "a" and (match := re.fullmatch(r"rtpmap:(\d+) +([\w.-]+/\d+)(?:/1)?", value)):
                names[int(match[1])] = match[2]
            elif kind == "a" and in_audio and (key := sdes.parse(value)) is not None:
                crypto.append(key)
            elif kind == "a" and value in {"sendrecv", "sendonly", "recvonly", "inactive"}:
                direction = value
    except (ValueError, IndexError) as error:
        raise ProtocolError(f"The session description is not readable: {error}.") from error
    if not formats or not host or not 0 < port < 65536:
        raise ProtocolError("The session description offers no audio.")
    secure = "SAVP" in profile.upper()
    events = [number for number in formats if names.get(number, "").lower() == "telephone-event/8000"]
    return AudioOffer(
        host=host,
        port=port,
        codecs=tuple(CODECS[n] for n in formats if n in CODECS),
        key_payload=events[0] if events else None,
        secure=secure,
        direction=direction,
        crypto=tuple(crypto) if secure else (),
    )


def build_offer(host: str, port: int, *, session: int, key_payload: int = 101, crypto: Crypto | None = None) -> bytes:
    """Our offer: both laws, keys, 20 ms; with `crypto` as SRTP."""
    lines = [
        "v=0",
        f"o=- {session} 1 IN IP4 {host}",
        "s=call",
        f"c=IN IP4 {host}",
        "t=0 0",
        f"m=audio {port} {_profile(crypto)} 0 8 {key_payload}",
        *_attributes(crypto),
        *(f"a=rtpmap:{payload} {name}" for payload, name in STATIC_NAMES.items()),
        f"a=rtpmap:{key_payload} telephone-event/8000",
        f"a=fmtp:{key_payload} 0-16",
    ]
    return "\r\n".join([*lines, "a=ptime:20", "a=sendrecv", ""]).encode()


def build(
    host: str,
    port: int,
    *,
    codec: str,
    key_payload: int | None,
    session: int,
    version: int = 1,
    crypto: Crypto | None = None,
) -> bytes:
    """Our answer: one codec, keys if they were offered, 20 ms; with `crypto` as SRTP."""
    payload = PAYLOAD_TYPES[codec]
    formats = [payload] if key_payload is None else [payload, key_payload]
    lines = [
        "v=0",
        f"o=- {session} {version} IN IP4 {host}",
        "s=call",
        f"c=IN IP4 {host}",
        "t=0 0",
        f"m=audio {port} {_profile(crypto)} {' '.join(str(number) for number in formats)}",
        *_attributes(crypto),
        f"a=rtpmap:{payload} {STATIC_NAMES[payload]}",
    ]
    if key_payload is not None:
        lines += [f"a=rtpmap:{key_payload} telephone-event/8000", f"a=fmtp:{key_payload} 0-16"]
    return "\r\n".join([*lines, "a=ptime:20", "a=maxptime:20", "a=sendrecv", ""]).encode()


def _profile(crypto: Crypto | None) -> str:
    return "RTP/AVP" if crypto is None else "RTP/SAVP"


def _attributes(crypto: Crypto | None) -> list[str]:
    return [] if crypto is None else [crypto.attribute]
