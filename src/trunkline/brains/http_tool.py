"""A tool that is one HTTP request: declared in the settings, fenced in like everything that goes to an address."""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

import httpcore
import httpx

import trunkline
from trunkline.brains.tools import ToolSpec
from trunkline.errors import AddressRefused, ToolFailed
from trunkline.media.guarded_network import GuardedNetwork, resolve
from trunkline.ports import CallBriefing
from trunkline.settings.openai import HttpToolSettings

LARGEST: Final = 200_000
"""Bytes of an answer; the model is told much less."""
_KEPT_SECONDS: Final = 30.0
_CONNECT_SECONDS: Final = 3.0
_BLANK: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")


class HttpTool:
    """Fits `Tool`. One per agent and tool: a pool of connections of its own, which leads only to checked addresses."""

    def __init__(self, name: str, settings: HttpToolSettings) -> None:
        self._settings = settings
        self.spec = ToolSpec(
            name,
            settings.description,
            settings.parameters,
            settings.timeout_seconds,
            settings.filler,
            frozenset(settings.secret_arguments),
            settings.secret_result,
        )
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=ssl.create_default_context() if settings.url.startswith("https") else None,
            max_connections=None,
            max_keepalive_connections=5,
            keepalive_expiry=_KEPT_SECONDS,
            network_backend=GuardedNetwork(settings.allow_private, resolve),
        )

    async def run(self, arguments: Mapping[str, Any], call: CallBriefing) -> str:
        try:
            request = self._request(arguments, call)
        except httpx.InvalidURL as error:
            raise ToolFailed("These arguments make no address.") from error
        try:
            response = await self._pool.handle_async_request(request)
            try:
                return await self._result(response)
            finally:
                await response.aclose()
        except AddressRefused as error:
            raise ToolFailed("This tool's settings don't allow its address; it can't be used.") from error
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError) as error:
            raise ToolFailed("The system behind this tool can't be reached.") from error

    async def close(self) -> None:
        await self._pool.aclose()

    def _request(self, arguments: Mapping[str, Any], call: CallBriefing) -> httpcore.Request:
        settings = self._settings
        known = {**call.variables, "number": call.number, "call_id": call.call_id, "agent": call.agent}
        fixed = {name: _BLANK.sub(lambda m: known.get(m[1], ""), text) for name, text in settings.fixed.items()}
        # What the settings fix can't be replaced by what a model writes.
        given = {**arguments, **fixed}
        in_url = set(_BLANK.findall(settings.url))
        url = httpx.URL(_BLANK.sub(lambda match: quote(_plain(given.get(match[1], "")), safe=""), settings.url))
        rest = {name: value for name, value in given.items() if name not in in_url}
        headers = {
            "host": url.netloc.decode("ascii"),
            "user-agent": f"trunkline/{trunkline.__version__}",
            "accept": "application/json, text/plain, */*;q=0.1",
            "accept-encoding": "identity",
            **{name.lower(): value.get_secret_value() for name, value in settings.headers.items()},
        }
        content = b""
        if settings.method in ("GET", "DELETE"):
            url = url.copy_merge_params({name: _plain(value) for name, value in rest.items()})
        else:
            content = json.dumps(rest, ensure_ascii=False).encode("utf-8", "replace")
            headers |= {"content-type": "application/json", "content-length": str(len(content))}
        return httpcore.Request(
            settings.method.encode(),
            httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
            headers=[
                (name.encode("ascii", "replace"), value.encode("latin-1", "replace")) for name, value in headers.items()
            ],
            content=content,
            extensions={"timeout": {"connect": min(_CONNECT_SECONDS, settings.timeout_seconds)}},
        )

    async def _result(self, response: httpcore.Response) -> str:
        body = bytearray()
        async for piece in response.aiter_stream():
            body += piece
            if len(body) > LARGEST:
                raise ToolFailed("The answer is far too large to be read.")
        text = body.decode("utf-8", "replace").strip()
        if 300 <= response.status < 400:
            raise ToolFailed("This tool's address leads elsewhere; it can't be used.")
        if response.status >= 400:
            raise ToolFailed(f"It answers HTTP {response.status}{': ' + text[:500] if text else ''}.")
        return text or "Done."


def _plain(value: Any) -> str:
    """A value as it stands in an address."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
