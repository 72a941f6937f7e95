"""The Twilio account of the settings, asked at most once for whatever several checks want to know."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

from trunkline.carriers.public_address import public_address
from trunkline.carriers.twilio.facts import Alert, Attempt, Country, Facts, Summary, Trunk
from trunkline.carriers.twilio.wanted import domain, marked_name
from trunkline.errors import SettingsError
from trunkline.settings import Settings

ALERTS_OF: Final = timedelta(hours=1)
T = TypeVar("T")


class Account:
    """Every method raises `CarrierError`. Use it on one event loop."""

    def __init__(self, facts: Facts, settings: Settings) -> None:
        self._facts = facts
        self._settings = settings
        self._asked: dict[object, asyncio.Future[Any]] = {}

    async def summary(self) -> Summary | None:
        return await self._once("summary", self._facts.summary)

    async def trunk(self) -> Trunk | None:
        """The one of `twilio.trunk_name`, else the one whose termination domain is `trunk.host`."""
        name, host = marked_name(self._settings), self.domain
        return await self._once("trunk", lambda: self._facts.trunk(name, host))

    @property
    def domain(self) -> str | None:
        """That of `trunk.host`; `None` where it is none of Twilio's."""
        try:
            return domain(self._settings)
        except SettingsError:
            return None

    async def bought(self) -> frozenset[str]:
        return await self._once("bought", self._facts.bought)

    async def verified(self) -> frozenset[str]:
        return await self._once("verified", self._facts.verified)

    async def country(self, code: str) -> Country:
        return await self._once(("country", code), lambda: self._facts.country(code))

    async def alerts(self) -> tuple[Alert, ...]:
        """Of the last hour."""
        since = datetime.now(UTC) - ALERTS_OF
        return await self._once("alerts", lambda: self._facts.alerts(since))

    async def attempt(self, sid: str) -> Attempt | None:
        return await self._once(sid, lambda: self._facts.attempt(sid))

    async def public_address(self) -> str:
        """This machine's, as `twilio.address_service` sees it."""
        service = self._settings.twilio.address_service
        return await self._once("address", lambda: public_address(service))

    async def _once(self, what: object, ask: Callable[[], T]) -> T:
        if what not in self._asked:
            self._asked[what] = asyncio.ensure_future(asyncio.to_thread(ask))
        # Shielded: a check that runs out of time must not take the answer from the others.
        answer: T = await asyncio.shield(self._asked[what])
        return answer
