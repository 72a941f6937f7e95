"""What the routes work with, handed in by whoever wires the house."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Protocol

from fastapi import Depends
from starlette.requests import HTTPConnection

from trunkline.erasure import Eraser
from trunkline.ledger import Ledger
from trunkline.live_call import LiveCall
from trunkline.models import CallId, CallRecord, CallRequest
from trunkline.ports import CallStore, Recordings, Watcher
from trunkline.settings import ServiceSettings
from trunkline.web.live import CallFeed
from trunkline.web.metrics import Metrics


class Verbs(Protocol):
    """What the web needs of the switchboard."""

    async def place_call(self, request: CallRequest) -> CallRecord: ...

    async def hang_up(self, call_id: CallId) -> CallRecord: ...

    async def live_call(self, call_id: CallId) -> LiveCall: ...

    async def change_agent(self, call_id: CallId, name: str, *, now: bool = False) -> None: ...

    @property
    def live_calls(self) -> Mapping[CallId, CallRecord]: ...

    def watch(self, watcher: Watcher) -> Callable[[], None]: ...


@dataclass(frozen=True, slots=True)
class Part:
    """The health of one part of the service: whether calls can count on it, and what there is to tell of it."""

    ready: bool
    details: Mapping[str, object] = field(default_factory=dict)
    """Small JSON, as `{"version": "22.5.2"}`."""


HealthCheck = Callable[[], Mapping[str, Part]]
"""Parts by name (`pbx`, `speech`, …) as they are now; must return at once."""


@dataclass(frozen=True, slots=True)
class Services:
    switchboard: Verbs
    store: CallStore
    settings: ServiceSettings
    recordings: Recordings
    eraser: Eraser
    metrics: Metrics
    health: HealthCheck
    feed: CallFeed
    ledger: Ledger


def _services(connection: HTTPConnection) -> Services:
    services: Services = connection.app.state.services
    return services


House = Annotated[Services, Depends(_services)]
"""How a route asks for them."""
