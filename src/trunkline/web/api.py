"""The HTTP API as one ASGI application, for uvicorn."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import FastAPI, Security
from fastapi.security import APIKeyHeader, HTTPBearer
from fastapi_offline import FastAPIOffline

import trunkline
from trunkline.access import AccessBook
from trunkline.erasure import Eraser
from trunkline.errors import TrunklineError
from trunkline.ledger import Ledger
from trunkline.ports import CallStore, Recordings
from trunkline.settings import PrivacySettings, ServiceSettings
from trunkline.web import calls, classic, control, dialling, erasure, service, supervision
from trunkline.web.api_keys import ApiKeys
from trunkline.web.errors import answer_errors
from trunkline.web.guard import Guard
from trunkline.web.live import CallFeed
from trunkline.web.metrics import Metrics
from trunkline.web.services import HealthCheck, Services, Verbs

_DESCRIPTION = """\
AI phone calls on your own phone system.

Place a call with `POST /call`, follow it with `GET /calls/{call_id}/events`, look at it with `GET /calls/{call_id}`.

Every error is `{"error": {"code", "message", "remedy", "details"}}`; the codes are stable:

"""


# The guard at the door enforces the key; these only describe it.
_DESCRIBED_KEYS = [
    Security(HTTPBearer(auto_error=False)),
    Security(APIKeyHeader(name="X-API-Key", auto_error=False)),
]


def create_app(
    switchboard: Verbs,
    store: CallStore,
    settings: ServiceSettings,
    *,
    recordings: Recordings,
    metrics: Metrics,
    health: HealthCheck,
    ledger: Ledger,
    access: AccessBook,
    privacy: PrivacySettings | None = None,
) -> FastAPI:
    """The application. It watches the switchboard for live events and metrics as long as both exist.

    Streams of live events end with their calls: end the calls before waiting for the server's connections.
    """
    app = FastAPIOffline(
        title="Trunkline",
        version=trunkline.__version__,
        summary="AI phone calls on your own phone system.",
        description=_DESCRIPTION + "\n".join(_codes()),
        license_info={"name": "Apache-2.0"},
        redoc_url=None,
        # The page would otherwise send our description to a validator in the internet.
        swagger_ui_parameters={"validatorUrl": None},
    )
    feed = CallFeed()
    switchboard.watch(feed.watch)
    switchboard.watch(metrics.watch)
    app.state.services = Services(
        switchboard,
        store,
        settings,
        recordings,
        Eraser(store, recordings, privacy or PrivacySettings()),
        metrics,
        health,
        feed,
        ledger,
    )
    for router in (
        classic.router,
        calls.router,
        control.router,
        dialling.router,
        supervision.router,
        erasure.router,
        service.keyed,
    ):
        app.include_router(router, dependencies=_DESCRIBED_KEYS)
    app.include_router(service.open_to_all)
    answer_errors(app)
    app.add_middleware(Guard, settings=settings, keys=ApiKeys(settings, access))
    return app


def _codes() -> Iterator[str]:
    """The error tree as a table."""
    kinds: list[type[TrunklineError]] = [TrunklineError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    rows = {(kind.http_status, kind.code): kind.retryable for kind in kinds}
    rows |= {
        (401, "unauthorized"): False,
        (403, "host_refused"): False,
        (403, "origin_refused"): False,
        (403, "scope_missing"): False,
        (429, "rate_limited"): True,
        (404, "not_found"): False,
    }
    rows |= {(405, "method_not_allowed"): False, (413, "body_too_large"): False}
    yield "| status | code | trying again helps |"
    yield "|---|---|---|"
    for (status, code), retryable in sorted(rows.items()):
        yield f"| {status} | `{code}` | {'yes' if retryable else ''} |"
