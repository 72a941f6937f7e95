"""The keys that open the door: the one of the settings, and those that `trunkline keys` has made."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from trunkline.access import AccessBook, ApiKey, Scope, digest
from trunkline.settings import ServiceSettings
from trunkline.token_bucket import TokenBucket

FRESH: Final = 1.0
"""Seconds for which the keys that were read count as those there are; a revoked one opens so long at most."""
SETTINGS_KEY: Final = "service.api_key"
"""Name of the key of the settings, which opens everything."""


class ApiKeys:
    def __init__(
        self, settings: ServiceSettings, book: AccessBook, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.book = book
        self._clock = clock
        self._rate = settings.requests_per_second
        self._buckets: dict[str, TokenBucket] = {}
        self._read_at = -FRESH
        self._made: dict[str, ApiKey] = {}
        self._set: ApiKey | None = None
        if settings.api_key is not None:
            known = digest(settings.api_key.get_secret_value().encode())
            self._set = ApiKey(SETTINGS_KEY, known, frozenset({Scope.ADMIN}), datetime.now(UTC))

    async def needed(self) -> bool:
        """Whether there is any. Raises `StoreError`."""
        return self._set is not None or bool(await self._known())

    async def find(self, given: bytes) -> ApiKey | None:
        """Raises `StoreError`."""
        # Looked up by digest: how long that takes says nothing of a key.
        known = digest(given)
        if self._set is not None and known == self._set.digest:
            return self._set
        return (await self._known()).get(known)

    def wait(self, key: ApiKey) -> float:
        """0 where one more request may be made with this key; otherwise for how many seconds it may not."""
        if not self._rate:
            return 0.0
        bucket = self._buckets.setdefault(key.digest, TokenBucket(self._rate, 2 * self._rate))
        return bucket.take(self._clock())

    async def _known(self) -> dict[str, ApiKey]:
        if self._clock() - self._read_at >= FRESH:
            self._made = {key.digest: key for key in await self.book.keys()}
            self._read_at = self._clock()
            self._buckets = {known: self._buckets[known] for known in self._buckets if self._is_known(known)}
        return self._made

    def _is_known(self, known: str) -> bool:
        return known in self._made or (self._set is not None and known == self._set.digest)
