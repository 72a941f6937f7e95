"""What Trunkline itself adds to a turn that a workflow answers, as heard at the other end of real calls.

    python -m bench.n8n_overhead [--calls 8] [--workflow https://n8n.example.com/webhook/trunkline]

    overhead = turn gap at the person's ear − end-of-turn decision − time until the first whole sentence of the answer

Without `--workflow` a stand-in on this machine thinks for 0.3 s and answers: whole, or token by token. With it, the
requests are passed on to that webhook. Its time runs from the request's last byte to the answer's first sentence.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import httpx
import numpy as np
from rich.console import Console
from rich.table import Table

from trunkline.brains.n8n_stream import ReplyStream
from trunkline.rehearsal.stage import Stage, finished_call, place_call, stage

NUMBER: Final = "+14155550123"
THOUGHT_SECONDS: Final = 0.3
TOKEN_SECONDS: Final = 0.03
LAST_TURN: Final = 3
CALL_SECONDS: Final = 120.0
WELCOME: Final = "Hello, this is the clinic. How can I help you?"
ANSWER: Final = "That is easily answered, I think, {}. We are open every day from nine to five. Anything else?"
NAMES: Final = ("Ada", "Bertrand", "Clara", "Dorothy", "Emil", "Frida", "Grace", "Henry", "Ida", "Jonas", "Karen")
"""So that no two answers are alike: a voice might remember what it has said."""
GOODBYE: Final = "Then I wish you a very good day. Goodbye."
console = Console(highlight=False)


@dataclass
class Workflow:
    """The webhook the service calls. `took`: call and turn → seconds until the first whole sentence had left."""

    streamed: bool
    upstream: str | None = None
    took: dict[tuple[str, int], float] = field(default_factory=dict)
    url: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            lines = head.split("\r\n")
            headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in lines[1:] if line)}
            body = await reader.readexactly(int(headers["content-length"]))
            received = time.perf_counter()
            target = lines[0].split(" ")[1]
            query = {name: values[0] for name, values in parse_qs(urlsplit(target).query).items()}
            writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
            key, sentences, sent = (query["call_id"], int(query["turn"])), ReplyStream(), received
            async for piece in self._answer(query, body, headers["content-type"]):
                before, sent = sent, time.perf_counter()
                writer.write(piece)
                await writer.drain()
                if sentences.feed(piece):
                    # That a sentence is whole shows in the token behind it; it was whole with the one before.
                    self.took.setdefault(key, (before if self.streamed else sent) - received)
            self.took.setdefault(key, sent - received)
        writer.close()

    async def _answer(self, query: dict[str, str], body: bytes, content_type: str) -> AsyncIterator[bytes]:
        if self.upstream is not None:
            async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
                request = client.stream(
                    "POST", self.upstream, params=query, content=body, headers={"content-type": content_type}
                )
                async with request as response:
                    async for piece in response.aiter_raw():
                        yield piece
            return
        if query["mode"] == "welcome":
            yield json.dumps({"text_response": WELCOME}).encode()
            return
        await asyncio.sleep(THOUGHT_SECONDS)
        last = int(query["turn"]) >= LAST_TURN
        text = GOODBYE if last else ANSWER.format(NAMES[len(self.took) % len(NAMES)])
        if not self.streamed:
            yield json.dumps({"text_response": text, "hangup": last}).encode()
            return
        yield b'{"type":"begin"}\n'
        for token in [*text.replace(" ", "\0 ").split("\0"), *(["\n[hangup]"] if last else [])]:
            yield json.dumps({"type": "item", "content": token}).encode() + b"\n"
            await asyncio.sleep(TOKEN_SECONDS)
        yield b'{"type":"end"}\n'


@asynccontextmanager
async def _webhook(*, streamed: bool, upstream: str | None) -> AsyncIterator[Workflow]:
    workflow = Workflow(streamed, upstream)
    server = await asyncio.start_server(workflow.serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    workflow.url = f"http://{host}:{port}/webhook/trunkline"
    try:
        yield workflow
    finally:
        server.close()


async def measure(calls: int, folder: Path, *, workflow: str | None = None) -> dict[str, Any]:
    """So many calls of each kind; with `workflow`, all of them to that webhook."""
    kinds = {workflow: False} if workflow is not None else {"whole": False, "streamed": True}
    return {name: await _measure(calls, folder / f"n8n-{number}", streamed, workflow)
            for number, (name, streamed) in enumerate(kinds.items())}  # fmt: skip


async def _measure(calls: int, folder: Path, streamed: bool, upstream: str | None) -> dict[str, Any]:
    turns: list[dict[str, float]] = []
    async with _webhook(streamed=streamed, upstream=upstream) as workflow:
        settings = {"agents.n8n": {"brain": "n8n"}, "agents.n8n.n8n": {"webhook_url": workflow.url}}
        async with stage(folder, ["short"], calls=calls, settings=settings) as running:
            for _ in range(calls):
                turns += await _call(running, workflow)
    return {
        "turns": len(turns),
        **{
            name: {
                "p50": round(statistics.median(values), 1),
                "p95": round(float(np.percentile(values, 95)), 1),
            }
            for name in turns[0]
            if (values := [turn[name] for turn in turns])
        },
    }


async def _call(running: Stage, workflow: Workflow) -> list[dict[str, float]]:
    call_id = await place_call(running, NUMBER, context="n8n")
    over = await running.carrier.line(lambda line: line["event"] == "call_over", CALL_SECONDS)
    call = await finished_call(running, call_id)
    answers = [turn for turn in call["turns"] if turn["speaker"] == "agent"][1:]
    found = []
    for number, (heard, answer) in enumerate(zip(over["report"]["turns"], answers, strict=False), start=1):
        timings, took = answer["timings"], workflow.took.get((call_id, number))
        if heard["gap_ms"] is None or timings is None or took is None:
            continue
        found.append(
            {
                "turn gap": heard["gap_ms"],
                "end of turn": timings["endpointingMs"],
                "workflow": 1000 * took,
                "overhead": heard["gap_ms"] - timings["endpointingMs"] - 1000 * took,
                "of it transcription": timings["transcriptionMs"],
                "of it synthesis": timings["synthesisMs"],
                "of it playout": timings["playoutMs"],
            }
        )
    return found


def table(results: dict[str, Any]) -> Table:
    kinds = list(results)
    shown = Table("ms, p50 (p95)", *kinds, box=None, header_style="bold")
    for name in next(iter(results.values())):
        if name != "turns":
            shown.add_row(
                name, *(f"{results[kind][name]['p50']:.0f} ({results[kind][name]['p95']:.0f})" for kind in kinds)
            )
    shown.add_row("turns", *(str(results[kind]["turns"]) for kind in kinds))
    return shown


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="python -m bench.n8n_overhead", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--calls", type=int, default=8)
    parser.add_argument("--workflow")
    parser.add_argument("--output", type=Path, default=Path("var/bench/n8n"))
    given = parser.parse_args()
    found = asyncio.run(measure(given.calls, given.output.absolute(), workflow=given.workflow))
    console.print(table(found))
    (given.output / "results.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
