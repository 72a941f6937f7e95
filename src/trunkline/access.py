"""Who may ask for what over HTTP: API keys, what they open, and what was asked with them."""

from __future__ import annotations

import enum
import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from trunkline.errors import RequestError

KEY_BYTES: Final = 32


class Scope(enum.StrEnum):
    CALL = "call"
    """Place calls and steer those there are."""
    READ = "read"
    """Look at calls, recordings, lists and metrics."""
    ADMIN = "admin"
    """Everything."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is kept: what opens is not in it."""

    name: str
    digest: str
    scopes: frozenset[Scope]
    created_at: datetime

    def opens(self, scope: Scope) -> bool:
        return Scope.ADMIN in self.scopes or scope in self.scopes


@dataclass(frozen=True, slots=True)
class AuditLine:
    """A request that changes something, or that a key does not open."""

    at: datetime
    key: str
    """Name of the key; empty where none is needed."""
    request: str
    """Method and path."""
    number: str | None
    """The number it is about, masked."""
    status: int
    """Of the HTTP answer."""
    code: str | None
    """Of the error, if it is one."""


class AccessBook(Protocol):
    """Every method returns when the data is safe from the process's death. Raises `StoreError`."""

    async def keys(self) -> list[ApiKey]:
        """In the order of their names."""

    async def add_key(self, key: ApiKey) -> None:
        """Raises `RequestError` where that name is taken."""

    async def revoke(self, name: str) -> bool:
        """Whether there was such a key."""

    async def note(self, line: AuditLine) -> None:
        """Only the last hundred thousand are kept."""

    async def audit(self, *, limit: int, key: str | None = None) -> list[AuditLine]:
        """Newest first."""


def new_key() -> str:
    """A key nobody has: 256 random bits."""
    return f"tl_{secrets.token_urlsafe(KEY_BYTES)}"


def digest(key: bytes) -> str:
    """What is kept of a key.

    A plain SHA-256: slow hashes protect passwords, which can be guessed; nobody guesses 256 random bits, and a slow
    one would have to be computed for every request.
    """
    return hashlib.sha256(key).hexdigest()


def name_taken(name: str) -> RequestError:
    return RequestError(f"There is a key {name!r} already.", remedy="Choose another name, or revoke that one first.")
