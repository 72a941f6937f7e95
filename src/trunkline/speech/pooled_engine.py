"""What engines with a model in worker processes have in common: found and started with the first question."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from trunkline.errors import SpeechUnavailable
from trunkline.speech.worker_pool import WorkerPool


class PooledEngine:
    """`find_model` brings the folder of a verified model and may take long (it is called in a thread); `configure` says
    what `module`, the worker, is started with; `what` it is, for messages.
    """

    def __init__(
        self,
        what: str,
        module: str,
        find_model: Callable[[], Path],
        configure: Callable[[Path], Mapping[str, Any]],
        *,
        workers: int,
        time_limit: float = 60.0,
    ) -> None:
        self._what = what
        self._module = module
        self._find_model = find_model
        self._configure = configure
        self._workers = workers
        self._time_limit = time_limit
        self._starting = asyncio.Lock()
        self._pool: WorkerPool | None = None
        self._closed = False

    @property
    def pids(self) -> tuple[int, ...]:
        """The worker processes that are alive."""
        return self._pool.pids if self._pool else ()

    @property
    def waiting(self) -> int:
        """Requests that wait for a worker to become free."""
        return self._pool.waiting if self._pool else 0

    async def close(self) -> None:
        self._closed = True
        if self._pool is not None:
            await self._pool.close()

    async def warm_up(self) -> None:
        """Raises `SpeechUnavailable` or `ModelRefused`."""
        await self._ready()

    async def _ready(self) -> WorkerPool:
        async with self._starting:
            if self._closed:
                raise SpeechUnavailable(f"{self._what} is closed.")
            if self._pool is None:
                config = dict(self._configure(await asyncio.to_thread(self._find_model)))
                pool = WorkerPool(self._module, config, size=self._workers, time_limit=self._time_limit)
                await pool.start()
                self._pool = pool
            return self._pool
