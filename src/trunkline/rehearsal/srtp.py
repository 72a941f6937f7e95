"""SRTP of one audio stream (RFC 3711), its keys agreed in the session descriptions. libsrtp does the work."""

from __future__ import annotations

from pylibsrtp import Error, Policy, Session

from trunkline.sip.sdes import Crypto

PROFILES = {
    "AES_CM_128_HMAC_SHA1_80": Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    "AES_CM_128_HMAC_SHA1_32": Policy.SRTP_PROFILE_AES128_CM_SHA1_32,
}


class Srtp:
    """What goes out is sealed with our key, what comes in opened with theirs."""

    def __init__(self, ours: Crypto, theirs: Crypto) -> None:
        self._out = _session(ours, Policy.SSRC_ANY_OUTBOUND)
        self._theirs = theirs
        self._in = _session(theirs, Policy.SSRC_ANY_INBOUND)

    def seal(self, packet: bytes) -> bytes:
        """An RTP packet as SRTP. Each sequence number once (`pylibsrtp.Error`)."""
        return self._out.protect(packet)

    def open(self, packet: bytes) -> bytes | None:
        """The RTP packet; `None` where it isn't from them, or came before."""
        try:
            return self._in.unprotect(packet)
        except (Error, ValueError):  # ValueError: longer than any packet of audio
            return None

    def change(self, theirs: Crypto) -> None:
        """What a re-INVITE says of their key; the same one goes on where it is."""
        if theirs != self._theirs:
            self._theirs = theirs
            self._in = _session(theirs, Policy.SSRC_ANY_INBOUND)


def _session(crypto: Crypto, direction: int) -> Session:
    return Session(Policy(key=crypto.key, ssrc_type=direction, srtp_profile=PROFILES[crypto.suite]))
