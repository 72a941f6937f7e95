"""Worker processes that compute speech, so that the event loop and its audio clock never wait.

Processes and not threads: they cost the same, but run at a lower priority than the clock, disturb it less at worst, can
be ended in the middle of their work, and their crash isn't ours (figures in `docs/decisions/0003-speech-engines.md`).
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import subprocess
import sys
from collections import deque
from contextlib import suppress
from typing import Final

from trunkline.errors import SpeechUnavailable
from trunkline.speech.worker_child import HEADER, Head, pack

log = logging.getLogger(__name__)

_ONE_THREAD: Final = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
_START_SECONDS: Final = 60.0
_LONGEST_PAUSE: Final = 30.0
"""Seconds between attempts to replace a worker that won't start."""


Answer = tuple[Head, bytes]


class WorkerGone(Exception):
    """The process ended, or had to be ended, before it answered."""


class _Worker:
    """One process, at the other end of a socket. Answers one request at a time."""

    def __init__(
        self, process: subprocess.Popen[bytes], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer
        self._answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._number = 0
        self._listening = asyncio.create_task(self._listen())

    @property
    def pid(self) -> int:
        return self._process.pid

    @classmethod
    async def start(cls, module: str, config: Head) -> _Worker:
        process, sock = _launch(module, config)
        try:
            worker = cls(process, *await asyncio.open_unix_connection(sock=sock))
        except BaseException:
            sock.close()
            process.kill()
            process.wait()
            raise
        try:
            async with asyncio.timeout(_START_SECONDS):
                head, _ = await worker._answer
        except (WorkerGone, TimeoutError) as error:
            status = await worker.end()
            raise SpeechUnavailable(
                f"A speech process did not start (exit status {status}).",
                remedy="The log above says why.",
            ) from error
        except BaseException:
            await worker.end()
            raise
        if "failed" in head:
            await worker.end()
            raise SpeechUnavailable(head["failed"], remedy=head["remedy"])
        return worker

    async def exchange(self, head: Head, body: bytes, time_limit: float) -> Answer:
        """Raises `WorkerGone`; a worker that exceeds `time_limit` seconds is ended."""
        self._number += 1
        self._answer = asyncio.get_running_loop().create_future()
        if self._listening.done():
            raise WorkerGone
        self._writer.write(pack({"id": self._number, **head}, body))
        try:
            async with asyncio.timeout(time_limit):
                return await self._answer
        except TimeoutError as error:
            self._process.kill()
            raise WorkerGone from error

    def withdraw(self) -> None:
        """Nobody waits for the current answer any more: the worker stops at its next step."""
        if not self._answer.done() and not self._listening.done():
            self._writer.write(pack({"withdraw": self._number}))

    async def ended(self) -> int:
        """Waits for the process to end; its exit status."""
        return await asyncio.shield(self._listening)

    async def end(self) -> int:
        self._process.kill()
        return await self.ended()

    async def _listen(self) -> int:
        """Hand answers on until the process is gone, which closes the socket; reap it."""
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                while True:
                    head_size, body_size = HEADER.unpack(await self._reader.readexactly(HEADER.size))
                    head = json.loads(await self._reader.readexactly(head_size))
                    body = await self._reader.readexactly(body_size)
                    if not self._answer.done():
                        self._answer.set_result((head, body))
        finally:
            self._process.kill()
            status = self._process.wait()  # at once: a process closes its socket last
            self._writer.close()
            if not self._answer.done():
                self._answer.set_exception(WorkerGone())
                self._answer.exception()  # seen: there may be nobody who waits for it
        return status


def _launch(module: str, config: Head) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """Start a worker with a socket as its standard input, and return our end.

    Not asyncio's subprocesses: cancelled while one is being created they hang for ever (CPython 3.11).
    """
    ours, theirs = socket.socketpair()
    with theirs:
        try:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", module, json.dumps(config)],
                stdin=theirs.fileno(),
                env={**os.environ, **_ONE_THREAD},
            )
        except OSError as error:
            ours.close()
            raise SpeechUnavailable(f"A speech process can't be started ({error.strerror}).") from error
    return process, ours


class WorkerPool:
    """`size` processes running `module`. Requests are answered in order of arrival; a dead worker is replaced."""

    def __init__(self, module: str, config: Head, *, size: int = 1, nice: int = 10, time_limit: float = 60.0) -> None:
        self._module = module
        self._config = {**config, "parent": os.getpid(), "nice": nice}
        self._size = size
        self._time_limit = time_limit
        self._alive: set[_Worker] = set()
        self._idle: deque[_Worker] = deque()
        self._waiting: deque[asyncio.Future[_Worker]] = deque()
        self._exchanges: set[asyncio.Task[Answer]] = set()
        self._tending: list[asyncio.Task[None]] = []
        self._trouble: SpeechUnavailable | None = None
        self._closed = False

    @property
    def pids(self) -> tuple[int, ...]:
        """Processes that are alive, for diagnosis."""
        return tuple(sorted(worker.pid for worker in self._alive))

    @property
    def waiting(self) -> int:
        """Requests that wait for a worker to become free."""
        return sum(not place.done() for place in self._waiting)

    async def start(self) -> None:
        """Returns when all workers are ready. Raises `SpeechUnavailable`."""
        starting = [asyncio.create_task(_Worker.start(self._module, self._config)) for _ in range(self._size)]
        try:
            # Neither gather nor a TaskGroup: a worker that is being ended must not be cancelled a second time.
            done, _ = await asyncio.wait(starting, return_when=asyncio.FIRST_EXCEPTION)
            workers = [task.result() for task in done]
        except BaseException:
            for task in starting:
                task.cancel()
            for started in await asyncio.gather(*starting, return_exceptions=True):
                if isinstance(started, _Worker):
                    await started.end()
            raise
        for worker in workers:
            self._enlist(worker)
            self._tending.append(asyncio.create_task(self._tend(worker)))

    async def ask(self, head: Head, body: bytes = b"") -> Answer:
        """The answer of a worker. A request whose worker dies is tried once more on another.

        Cancelling is safe at any time: a request that still waits is never sent, one under way is withdrawn.
        """
        for _attempt in (1, 2):
            worker = await self._take()
            exchange = asyncio.create_task(self._exchange(worker, head, body))
            self._exchanges.add(exchange)
            exchange.add_done_callback(self._exchanged)
            try:
                answer, sound = await asyncio.shield(exchange)
            except asyncio.CancelledError:
                worker.withdraw()
                raise
            except WorkerGone:
                log.warning("speech process %d died at work, trying again", worker.pid)
                continue
            if "refused" in answer:
                raise SpeechUnavailable(answer["refused"], remedy=answer["remedy"])
            return answer, sound
        raise SpeechUnavailable("Two speech processes died of the same request.")

    async def close(self) -> None:
        """End the workers; requests that wait fail with `SpeechUnavailable`. Closing twice is harmless."""
        self._closed = True
        self._fail_waiting(SpeechUnavailable("Speech is closed."))
        for task in self._tending:
            task.cancel()
        # Exchanges are not cancelled: whoever waits for one is to see `SpeechUnavailable`, not a cancellation.
        await asyncio.gather(*(worker.end() for worker in self._alive))
        await asyncio.gather(*self._tending, *self._exchanges, return_exceptions=True)
        self._alive.clear()
        self._idle.clear()

    # ── who is free ──────────────────────────────────────────────────────────────────────────────────────────

    async def _take(self) -> _Worker:
        if self._closed:
            raise SpeechUnavailable("Speech is closed.")
        if self._idle:
            return self._idle.popleft()
        if not self._alive and self._trouble is not None:
            raise self._trouble
        place: asyncio.Future[_Worker] = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        try:
            return await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled() and place.exception() is None:
                self._give(place.result())  # it became ours in the very moment we were cancelled
            raise

    def _give(self, worker: _Worker) -> None:
        """Hand a free worker to whoever waits longest."""
        if worker not in self._alive:
            return
        while self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(worker)
                return
        self._idle.append(worker)

    def _fail_waiting(self, error: SpeechUnavailable) -> None:
        while self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                place.set_exception(error)

    async def _exchange(self, worker: _Worker, head: Head, body: bytes) -> Answer:
        answer = await worker.exchange(head, body, self._time_limit)
        self._give(worker)
        return answer

    def _exchanged(self, exchange: asyncio.Task[Answer]) -> None:
        self._exchanges.discard(exchange)
        if not exchange.cancelled():
            exchange.exception()  # the asker may be gone, and then nobody else looks at it

    # ── staying alive ────────────────────────────────────────────────────────────────────────────────────────

    def _enlist(self, worker: _Worker) -> None:
        self._trouble = None
        self._alive.add(worker)
        self._give(worker)

    async def _tend(self, worker: _Worker) -> None:
        """Replace `worker` when it dies, and its replacement, and so on."""
        while True:
            status = await worker.ended()
            self._alive.discard(worker)
            if worker in self._idle:
                self._idle.remove(worker)
            log.warning("speech process %d ended (exit status %s), starting another", worker.pid, status)
            worker = await self._replacement()
            self._enlist(worker)

    async def _replacement(self) -> _Worker:
        pause = 1.0
        while True:
            try:
                return await _Worker.start(self._module, self._config)
            except SpeechUnavailable as error:
                self._trouble = error
                if not self._alive:
                    self._fail_waiting(error)
                log.error("%s Next attempt in %.0f s.", error, pause)
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
