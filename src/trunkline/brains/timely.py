"""Waiting for somebody else's work no longer than is good for a call."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from trunkline.brains.n8n_faults import FaultKind, N8nFault

T = TypeVar("T")


async def by(deadline: float, work: Awaitable[T], late: FaultKind) -> T:
    """What `work` gives, if it does by then (time of the loop). Otherwise it is cancelled and `N8nFault` raised."""
    try:
        async with asyncio.timeout_at(deadline):
            return await work
    except TimeoutError as error:
        raise N8nFault(late) from error
