"""A workflow's webhook on a real socket, which answers as each test says: well, badly, slowly, or not at all."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

Play = Callable[["Exchange"], Coroutine[Any, Any, None]]
"""Plays one answer."""


@dataclass
class Exchange:
    """One request, and the way back."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    writer: asyncio.StreamWriter
    fields: dict[str, Any] = field(default_factory=dict)
    file: bytes = b""
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    """The client has closed the connection."""
    sent: int = 0

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(urlsplit(self.target).query).items()}

    def send(self, data: bytes) -> None:
        self.sent += len(data)
        self.writer.write(data)

    def head(self, status: int = 200, content_type: str | None = None, **headers: str) -> None:
        """The head of an answer that ends with the connection."""
        lines = [f"HTTP/1.1 {status} Whatever", "Connection: close"]
        if content_type is not None:
            lines.append(f"Content-Type: {content_type}")
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.send(("\r\n".join(lines) + "\r\n\r\n").encode())

    def chunk(self, data: bytes) -> None:
        """A piece of a chunked answer; an empty one ends it."""
        self.send(f"{len(data):x}\r\n".encode() + data + b"\r\n")


class N8nServer:
    """`plays` answers the turns in order, then "Fine."; `welcome` answers the welcome; `files` are fetched by GET."""

    def __init__(self, *plays: Play) -> None:
        self.plays = list(plays)
        self.welcome: Play = reply({"text_response": "Hello there."})
        self.files: dict[str, Play] = {}
        self.exchanges: list[Exchange] = []
        self.connections = 0
        """Open at the moment."""
        self.accepted = 0
        self.port = 0
        self.tls: ssl.SSLContext | None = None
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Refuse connections from now on."""
        assert self._server is not None
        self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    @property
    def url(self) -> str:
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self.port}/webhook/trunkline"

    def address_of(self, file: str) -> str:
        return f"http://127.0.0.1:{self.port}/files/{file}"

    @property
    def turns(self) -> list[Exchange]:
        return [exchange for exchange in self.exchanges if exchange.query.get("mode") == "process_input"]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        self.connections += 1
        self.accepted += 1
        try:
            if (exchange := await _request(reader, writer)) is not None:
                self.exchanges.append(exchange)
                await _until_gone(self._play(exchange)(exchange), reader, exchange)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self.connections -= 1
            self._open.discard(task)
            writer.close()

    def _play(self, exchange: Exchange) -> Play:
        if exchange.method == "GET":
            return self.files[exchange.path.removeprefix("/files/")]
        if exchange.query.get("mode") == "welcome":
            return self.welcome
        return self.plays.pop(0) if self.plays else reply({"text_response": "Fine."})


async def _request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Exchange | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None  # opened ahead, and not used
    first, *lines = head.split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines if line)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    exchange = Exchange(method, target, headers, body, writer)
    kind = headers.get("content-type", "")
    if kind == "application/json":
        exchange.fields = json.loads(body)
    elif kind.startswith("multipart/form-data; boundary="):
        exchange.fields, exchange.file = _parts(body, kind.partition("boundary=")[2])
    return exchange


def _parts(body: bytes, boundary: str) -> tuple[dict[str, Any], bytes]:
    """RFC 7578: the fields, and the part named `file`."""
    fields: dict[str, Any] = {}
    file = b""
    first, *parts, last = body.split(f"--{boundary}".encode())
    assert first == b"" and last == b"--\r\n"
    for part in parts:
        head, _, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        name = head.decode().partition('name="')[2].partition('"')[0]
        if name == "file":
            assert b'filename="turn.wav"' in head and b"Content-Type: audio/wav" in head
            file = content.removesuffix(b"\r\n")
        else:
            fields[name] = content.removesuffix(b"\r\n").decode()
    return fields, file


async def _until_gone(play: Coroutine[Any, Any, None], reader: asyncio.StreamReader, exchange: Exchange) -> None:
    """Play until the end, or until the client has closed the connection."""
    playing = asyncio.create_task(play)
    watching = asyncio.create_task(reader.read())
    try:
        await asyncio.wait({playing, watching}, return_when=asyncio.FIRST_COMPLETED)
        if watching.done():
            exchange.gone.set()
        elif not playing.exception():
            await exchange.writer.drain()
    finally:
        for task in (playing, watching):
            task.cancel()
        await asyncio.gather(playing, watching, return_exceptions=True)


# ── answers ────────────────────────────────────────────────────────────────────────────────────────────────────────


def reply(value: object, status: int = 200, content_type: str = "application/json; charset=utf-8") -> Play:
    """JSON, as n8n sends it."""
    return body(json.dumps(value).encode(), status, content_type)


def body(data: bytes, status: int = 200, content_type: str | None = "text/html; charset=utf-8", **headers: str) -> Play:
    async def play(exchange: Exchange) -> None:
        exchange.head(status, content_type, Content_Length=str(len(data)), **headers)
        exchange.send(data)

    return play


def raw(data: bytes) -> Play:
    """Bytes on the wire, then the end of the connection."""

    async def play(exchange: Exchange) -> None:
        exchange.send(data)

    return play


def late(seconds: float, then: Play) -> Play:
    async def play(exchange: Exchange) -> None:
        await asyncio.sleep(seconds)
        await then(exchange)

    return play


def stream(*steps: object) -> Play:
    """n8n's streaming: texts are `item`s, dictionaries chunks as they are, numbers pauses in seconds.

    `None` breaks the connection off; otherwise the answer is ended properly.
    """

    async def play(exchange: Exchange) -> None:
        exchange.head(Transfer_Encoding="chunked")
        for step in [{"type": "begin"}, *steps]:
            if step is None:
                return
            if isinstance(step, int | float):
                await exchange.writer.drain()
                await asyncio.sleep(step)
                continue
            chunk = {"type": "item", "content": step} if isinstance(step, str) else step
            exchange.chunk(json.dumps(chunk).encode() + b"\n")
        exchange.chunk(b"")

    return play


async def endless(exchange: Exchange, head: bytes, piece: bytes) -> None:
    """A body of a gigabyte, as fast as it is taken."""
    exchange.head(200, "audio/wav")
    exchange.send(head)
    while exchange.sent < 1_000_000_000 and not exchange.gone.is_set():
        exchange.send(piece)
        await exchange.writer.drain()
