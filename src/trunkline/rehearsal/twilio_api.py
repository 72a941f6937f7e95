"""Twilio's REST API on this machine: a `TwilioAccount` behind HTTP with Basic authentication, and faults on order."""

from __future__ import annotations

import base64
import binascii
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from trunkline.rehearsal.twilio_account import TwilioAccount
from trunkline.rehearsal.twilio_shapes import ACCOUNTS, Refused


@dataclass(frozen=True, slots=True)
class Fault:
    """Instead of the answer. `done`: what was asked for is done all the same, as when only the answer is lost."""

    status: int = 0
    """HTTP status; 0: the connection is cut."""
    body: Mapping[str, object] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    done: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    method: str
    path: str


@dataclass
class TwilioApi:
    """`fault` is asked for every request, and says whether it goes wrong. `seen` has all that came."""

    account: TwilioAccount
    fault: Callable[[Seen], Fault | None] = lambda _request: None
    seen: list[Seen] = field(default_factory=list)

    @property
    def writes(self) -> list[Seen]:
        return [request for request in self.seen if request.method != "GET"]

    @contextmanager
    def serving(self) -> Iterator[str]:
        """The address it is at, on a free port of loopback."""
        handler = type("Handler", (_Handler,), {"api": self})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def respond(self, request: Seen, authorization: str, form: Mapping[str, str], query: Mapping[str, str]) -> Fault:
        """The answer, whether a right or a wrong one, in the form of a `Fault`."""
        self.seen.append(request)
        fault = self.fault(request)
        if fault is not None and not fault.done:
            return fault
        try:
            self._admit(authorization, request.path)
            status, body = self.account.answer(request.method, request.path, form, query)
        except Refused as refusal:
            status, body = refusal.status, refusal.body
        return fault or Fault(status, body or {})

    def _admit(self, authorization: str, path: str) -> None:
        try:
            user, _, password = base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            user = password = ""
        known = self.account.users.get(user)
        if known is None or known != password:
            raise Refused(401, 20003, "Authenticate")
        if path.startswith(ACCOUNTS) and path.split("/")[3].removesuffix(".json") != self.account.sid:
            raise Refused(401, 20003, "Authenticate")
        if user in self.account.standard_keys and path == f"{ACCOUNTS}/{self.account.sid}.json":
            raise Refused(401, 20003, "Authenticate")
        if self.account.status != "active":
            raise Refused(401, 20005, "Account not active")


class _Handler(BaseHTTPRequestHandler):
    api: TwilioApi
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet, or each answer waits for an acknowledgement

    def _do(self) -> None:
        address = urlsplit(self.path)
        form = _plain(self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode())
        request = Seen(self.command, address.path)
        answer = self.api.respond(request, self.headers.get("Authorization", ""), form, _plain(address.query))
        if not answer.status:
            self.close_connection = True
            return
        body = b"" if answer.status == 204 else json.dumps(answer.body).encode()
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_DELETE = _do  # noqa: N815  # names of BaseHTTPRequestHandler

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: `seen` has it."""


def _plain(encoded: str) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(encoded, keep_blank_values=True).items()}
