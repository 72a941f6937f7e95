"""Waiting for somebody else's work no longer than is good for a call."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from trunkline.brains.faults import BrainFault

T = TypeVar("T")


async def by(deadline: float, work: Awaitable[T], late: BrainFault) -> T:
    """What `work` gives, if it does by then (time of the loop). Otherwise it is cancelled and `late` raised."""
    try:
        async with asyncio.timeout_at(deadline):
            return await work
    except TimeoutError as error:
        raise late from error
