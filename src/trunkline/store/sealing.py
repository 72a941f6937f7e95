"""Encrypted recordings, bytes in, bytes out: AES-256-GCM in chunks, so that a recording can grow, be cut off, and be
read from anywhere.

    head:   "TRKLREC1" · which key (8 bytes) · salt (16 bytes)
    chunk:  samples (32000 bytes: one second of both sides; the last one may be shorter) · tag (16 bytes)

Every file has a key of its own, derived from ours and its salt (HKDF-SHA-256), so a chunk's number serves as nonce.
Chunks are told apart by it: exchanged or altered ones are noticed, a file that was cut off between two is not.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from trunkline.errors import RecordingLocked

CHUNK: Final = 32000
"""Bytes of samples."""
TAG: Final = 16
HEAD: Final = 32
_MAGIC: Final = b"TRKLREC1"
_ID: Final = slice(8, 16)
_SALT: Final = slice(16, 32)


@dataclass(frozen=True, slots=True)
class Keyring:
    """The key that recordings are encrypted with, if they are, and those they were encrypted with before."""

    current: bytes | None = None
    old: tuple[bytes, ...] = ()

    def sealed(self) -> tuple[bytes, Sealed]:
        """The head of a new file and its cipher. There is a current key."""
        assert self.current is not None
        head = _MAGIC + _key_id(self.current) + os.urandom(16)
        return head, Sealed(_file_key(self.current, head))

    def opened(self, head: bytes) -> Sealed:
        """The cipher of the file that begins so. Raises `RecordingLocked`."""
        if len(head) != HEAD or not head.startswith(_MAGIC):
            raise RecordingLocked("The recording is damaged: it doesn't begin as an encrypted recording does.")
        keys: Iterable[bytes] = self.old if self.current is None else (self.current, *self.old)
        for key in keys:
            if _key_id(key) == head[_ID]:
                return Sealed(_file_key(key, head))
        raise RecordingLocked(
            "The recording is encrypted with a key that isn't in the settings.",
            remedy="Set privacy.recording_key to it, or add it to privacy.old_recording_keys.",
        )


class Sealed:
    """The chunks of one file."""

    def __init__(self, file_key: bytes) -> None:
        self._cipher = AESGCM(file_key)

    def seal(self, number: int, samples: bytes | bytearray) -> bytes:
        """Chunk `number` (0, 1, 2 …), never asked for twice with other samples."""
        return self._cipher.encrypt(number.to_bytes(12, "big"), samples, None)

    def open(self, number: int, chunk: bytes) -> bytes:
        """Its samples. Raises `RecordingLocked` where it isn't what was written."""
        try:
            return self._cipher.decrypt(number.to_bytes(12, "big"), chunk, None)
        except InvalidTag as error:
            raise RecordingLocked("The recording is damaged: what it holds isn't what was written.") from error


def samples_in(size: int) -> int:
    """Bytes of samples in a whole file of `size` bytes."""
    chunks, rest = divmod(max(0, size - HEAD), CHUNK + TAG)
    return chunks * CHUNK + max(0, rest - TAG)


def place(number: int) -> int:
    """Offset of chunk `number` in its file."""
    return HEAD + number * (CHUNK + TAG)


def _key_id(key: bytes) -> bytes:
    return sha256(b"trunkline recording key " + key).digest()[:8]


def _file_key(key: bytes, head: bytes) -> bytes:
    return HKDF(SHA256(), 32, head[_SALT], b"trunkline recording").derive(key)
