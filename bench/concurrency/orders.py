"""Orders between the processes of the bench: a word per line one way, a line of JSON back."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

Order = Callable[..., Awaitable[object]]


def tell(answer: object) -> None:
    """One line to whoever started us."""
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


async def obey(orders: Mapping[str, Order]) -> None:
    """Carry out what comes (`["order", arguments …]`), one after the other, and answer; until the input ends, even in
    the middle of an order.
    """
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    todo: asyncio.Queue[list[Any]] = asyncio.Queue()
    working = asyncio.create_task(_work(orders, todo))
    working.add_done_callback(lambda _: reader.feed_eof())  # an order that failed ends it all
    async for line in reader:
        todo.put_nowait(json.loads(line))
    working.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await working


async def _work(orders: Mapping[str, Order], todo: asyncio.Queue[list[Any]]) -> None:
    while True:
        name, *arguments = await todo.get()
        tell(await orders[name](*arguments))


class Servant:
    """The other end: a process of ours that obeys. `async with Servant("bench.concurrency.far_end") as it:`"""

    def __init__(self, module: str, *arguments: str) -> None:
        self._command = (sys.executable, "-m", module, *arguments)
        self._process: asyncio.subprocess.Process
        self.greeting: Any
        """What it said when it was ready."""

    @property
    def pid(self) -> int:
        return self._process.pid

    async def __aenter__(self) -> Servant:
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(*self._command, stdin=pipe, stdout=pipe, limit=1 << 24)
        self.greeting = await self._answer()
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()  # its sign to end
        await self._process.wait()

    async def order(self, name: str, *arguments: object) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write((json.dumps([name, *arguments]) + "\n").encode())
        return await self._answer()

    async def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{' '.join(self._command[1:])} ended too early; what it said stands above")
        return json.loads(line)
