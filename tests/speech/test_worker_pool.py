from __future__ import annotations

import asyncio
import os
import select
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from trunkline.errors import SpeechUnavailable
from trunkline.speech.worker_pool import WorkerPool

REPOSITORY = Path(__file__).parents[2]


class Toy:
    """A pool of toy workers, and the pipe on which they tell what they began."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.broken = folder / "broken"
        os.mkfifo(folder / "begun")
        self._begun = os.open(folder / "begun", os.O_RDONLY | os.O_NONBLOCK)
        self._rest = b""
        self.pool = self.make()

    def make(self, *, size: int = 1, time_limit: float = 30.0) -> WorkerPool:
        config = {"begun": str(self.folder / "begun"), "broken": str(self.broken)}
        self.pool = WorkerPool("tests.speech.toy_worker", config, size=size, nice=3, time_limit=time_limit)
        return self.pool

    async def began(self) -> str:
        """The next request a worker began."""
        loop = asyncio.get_running_loop()
        while b"\n" not in self._rest:
            readable = asyncio.Event()
            loop.add_reader(self._begun, readable.set)
            async with asyncio.timeout(20):
                await readable.wait()
            loop.remove_reader(self._begun)
            self._rest += os.read(self._begun, 1000)
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode()

    def close(self) -> None:
        os.close(self._begun)


@pytest.fixture
async def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Toy]:
    monkeypatch.setenv("PYTHONPATH", f"{REPOSITORY}:{REPOSITORY / 'src'}")
    toy = Toy(tmp_path)
    yield toy
    await toy.pool.close()
    toy.close()


def gone(pid: int, seconds: float = 20.0) -> bool:
    """Waits until that process, not necessarily our child, has ended."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], seconds)[0])
    finally:
        os.close(handle)


def children() -> set[int]:
    return {child.pid for child in psutil.Process().children()}


async def test_requests_are_answered(toy: Toy) -> None:
    await toy.pool.start()
    big = bytes(range(256)) * 4000
    assert await toy.pool.ask({"do": "echo"}, big) == ({"id": 1, "did": "echo"}, big[::-1])
    assert await toy.pool.ask({"do": "again"}) == ({"id": 2, "did": "again"}, b"")


async def test_workers_are_processes_of_low_priority(toy: Toy) -> None:
    await toy.make(size=2).start()
    assert len(toy.pool.pids) == 2
    for pid in toy.pool.pids:
        assert psutil.Process(pid).nice() == psutil.Process().nice() + 3
        assert psutil.Process(pid).environ()["OMP_NUM_THREADS"] == "1"


async def test_as_many_at_a_time_as_there_are_workers(toy: Toy) -> None:
    pool = toy.make(size=2)
    await pool.start()
    works = [asyncio.create_task(pool.ask({"do": f"work {number}"})) for number in range(2)]
    assert {await toy.began(), await toy.began()} == {"work 0", "work 1"}
    third = asyncio.create_task(pool.ask({"do": "third"}))
    works[0].cancel()
    assert (await third)[0]["did"] == "third"
    works[1].cancel()
    await asyncio.gather(*works, return_exceptions=True)


async def test_a_cancelled_request_that_waits_is_never_begun(toy: Toy) -> None:
    await toy.pool.start()
    first = asyncio.create_task(toy.pool.ask({"do": "work"}))
    assert await toy.began() == "work"
    unwanted = asyncio.create_task(toy.pool.ask({"do": "unwanted"}))
    last = asyncio.create_task(toy.pool.ask({"do": "last"}))
    await asyncio.sleep(0)
    assert toy.pool.waiting == 2
    unwanted.cancel()
    await asyncio.sleep(0)
    assert toy.pool.waiting == 1
    first.cancel()
    assert (await last)[0]["did"] == "last"
    assert await toy.began() == "last"
    assert toy.pool.waiting == 0


async def test_a_cancelled_request_under_way_is_withdrawn_and_the_worker_stays(toy: Toy) -> None:
    await toy.pool.start()
    (pid,) = toy.pool.pids
    for _ in range(3):
        work = asyncio.create_task(toy.pool.ask({"do": "work"}))
        assert await toy.began() == "work"
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
    assert (await toy.pool.ask({"do": "echo"}, b"ab"))[1] == b"ba"
    assert toy.pool.pids == (pid,)


async def test_cancelled_at_any_moment_the_pool_goes_on(toy: Toy) -> None:
    await toy.pool.start()
    for steps in range(40):
        task = asyncio.create_task(toy.pool.ask({"do": "echo"}, b"x" * 100_000))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert (await toy.pool.ask({"do": "echo"}, b"ab"))[1] == b"ba"


async def test_a_dead_worker_is_replaced_and_its_request_tried_once_more(toy: Toy) -> None:
    await toy.pool.start()
    (pid,) = toy.pool.pids
    assert (await toy.pool.ask({"do": "die once"}))[0]["did"] == "die once"
    assert toy.pool.pids != (pid,)
    assert len(toy.pool.pids) == 1


async def test_a_worker_killed_while_idle_is_replaced(toy: Toy) -> None:
    await toy.pool.start()
    (pid,) = toy.pool.pids
    os.kill(pid, signal.SIGKILL)
    assert (await toy.pool.ask({"do": "echo"}))[0]["did"] == "echo"
    assert toy.pool.pids != (pid,)


async def test_a_request_that_kills_two_workers_fails_and_the_next_one_does_not(toy: Toy) -> None:
    await toy.pool.start()
    with pytest.raises(SpeechUnavailable, match="died of the same request"):
        await toy.pool.ask({"do": "die"})
    assert (await toy.pool.ask({"do": "echo"}))[0]["did"] == "echo"


async def test_a_worker_that_hangs_is_ended(toy: Toy) -> None:
    pool = toy.make(time_limit=0.2)
    await pool.start()
    with pytest.raises(SpeechUnavailable):
        await pool.ask({"do": "hang"})


async def test_a_refusal_costs_no_worker(toy: Toy) -> None:
    await toy.pool.start()
    before = toy.pool.pids
    with pytest.raises(SpeechUnavailable, match=r"I won't\. Ask for something else\."):
        await toy.pool.ask({"do": "refuse"})
    assert toy.pool.pids == before


@pytest.mark.parametrize(("how", "message"), [("refuse", "The toy is broken. Repair it."), ("die", "exit status 7")])
async def test_a_worker_that_cannot_start_says_why(toy: Toy, how: str, message: str) -> None:
    toy.broken.write_text(how)
    with pytest.raises(SpeechUnavailable, match=message):
        await toy.make(size=2).start()
    assert toy.pool.pids == ()


async def test_while_no_worker_can_be_started_requests_fail_at_once(toy: Toy) -> None:
    await toy.pool.start()
    toy.broken.write_text("refuse")
    with pytest.raises(SpeechUnavailable, match="The toy is broken"):
        await toy.pool.ask({"do": "die"})
    toy.broken.unlink()
    async with asyncio.timeout(20):
        while not toy.pool.pids:  # the next attempt to start one comes by itself
            await asyncio.sleep(0)
    assert (await toy.pool.ask({"do": "echo"}))[0]["did"] == "echo"


async def test_closing_ends_everything_and_those_who_wait_are_told(toy: Toy) -> None:
    await toy.pool.start()
    (pid,) = toy.pool.pids
    under_way = asyncio.create_task(toy.pool.ask({"do": "work"}))
    assert await toy.began() == "work"
    waiting = asyncio.create_task(toy.pool.ask({"do": "echo"}))
    await asyncio.sleep(0)
    await toy.pool.close()
    for task in (under_way, waiting):
        with pytest.raises(SpeechUnavailable):
            await task
    with pytest.raises(SpeechUnavailable):
        await toy.pool.ask({"do": "echo"})
    assert gone(pid)
    await toy.pool.close()


async def test_a_start_cancelled_at_any_moment_leaves_no_process(toy: Toy) -> None:
    before = children()
    for steps in range(25):
        start = asyncio.create_task(toy.make(size=2).start())
        for _ in range(steps):
            await asyncio.sleep(0)
        start.cancel()
        with pytest.raises(asyncio.CancelledError):
            await start
        assert children() <= before


PARENT = """
import asyncio, sys
from tests.speech.test_worker_pool import Toy
from pathlib import Path

async def main():
    toy = Toy(Path(sys.argv[1]))
    await toy.make(size=2).start()
    tasks = [asyncio.create_task(toy.pool.ask({"do": "hang"}))]
    await toy.began()
    print(*toy.pool.pids, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def test_no_worker_outlives_a_parent_that_is_killed(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'src'}"}
    command = [sys.executable, "-c", PARENT, str(tmp_path)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        workers = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(workers) == 2
        parent.kill()
    assert all(gone(pid) for pid in workers), "one of them was idle, one busy"
