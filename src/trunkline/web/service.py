"""The routes of the service itself: is it well, and what has it done."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

import trunkline
from trunkline.errors import StoreError
from trunkline.web.answers import HealthAnswer, PartAnswer
from trunkline.web.services import House, Part, Services

STORE_PATIENCE = 2.0
"""Seconds the store may take to answer and still count as ready."""

open_to_all = APIRouter(tags=["service"])
keyed = APIRouter(tags=["service"])


@open_to_all.get("/health", responses={503: {"model": HealthAnswer, "description": "Some part is not ready."}})
async def show_health(house: House, response: Response) -> HealthAnswer:
    """Whether calls can be placed, and which part is in the way. Needs no API key."""
    live = len(house.switchboard.live_calls)
    parts = {
        **house.health(),
        "store": Part(await _store_ready(house)),
        "calls": Part(live < house.settings.max_calls, {"live": live, "most": house.settings.max_calls}),
    }
    # As many calls as allowed is a busy service, not a sick one.
    well = all(part.ready for name, part in parts.items() if name != "calls")
    response.status_code = 200 if well else 503
    return HealthAnswer(
        status="ok" if well else "unavailable",
        version=trunkline.__version__,
        parts={name: PartAnswer(ready=part.ready, **part.details) for name, part in parts.items()},
    )


@keyed.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "Prometheus text."}},
)
async def show_metrics(house: House) -> Response:
    """Metrics for Prometheus."""
    return Response(house.metrics.text(), headers={"content-type": CONTENT_TYPE_LATEST})


async def _store_ready(house: Services) -> bool:
    try:
        async with asyncio.timeout(STORE_PATIENCE):
            await house.store.recent(limit=1)
    except (StoreError, TimeoutError):
        return False
    return True
