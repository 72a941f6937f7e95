"""The connection to Asterisk's REST interface (ARI): requests, actions of the manager interface, a websocket of events.

A broken websocket is opened again for as long as the connection is wanted.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
import re
import ssl
from collections.abc import Mapping
from typing import Any, Final, Protocol

import httpx
import websockets
from websockets.asyncio.client import ClientConnection, connect

from trunkline.errors import PbxUnavailable
from trunkline.telephony.ari_events import WANTED, message_of
from trunkline.telephony.asterisk_config import ARI_APP
from trunkline.telephony.pbx_home import AriAddress

log = logging.getLogger(__name__)

_BACK_OFF: Final = (0.05, 0.1, 0.2, 0.5, 1.0)
"""Seconds between attempts to reach Asterisk again."""
_FIRST_CONNECT_SECONDS: Final = 10.0
_OPEN_SECONDS: Final = 5.0
_REQUEST_SECONDS: Final = 5.0
_PING_SECONDS: Final = 10.0
"""An Asterisk that hangs is noticed after two of these."""
_REFUSED: Final = (401, 403)
_UNTRUSTED: Final = "CERTIFICATE_VERIFY_FAILED"


class Desk(Protocol):
    """Who is told what happens to the connection."""

    async def greet(self) -> None:
        """The websocket is open; its events are handed on when this returns.

        Raises `PbxUnavailable`, `httpx.HTTPError`: it is opened again later.
        """

    def receive(self, message: Mapping[str, Any]) -> None:
        """An event."""

    def lose(self, why: str) -> None:
        """The websocket broke, after `greet`."""


class AriConnection:
    """Requests work until `close`, events come between `open` and `stop`. `tls`: for an address with https."""

    def __init__(self, ari: AriAddress, tls: ssl.SSLContext | None = None) -> None:
        self._ari = ari
        self._tls = tls
        self._connected = asyncio.Event()
        self._fault = PbxUnavailable("no attempt yet")
        self._listening: asyncio.Task[None] | None = None
        # A proxy of the environment has no business here.
        self.http = httpx.AsyncClient(
            base_url=ari.url,
            auth=(ari.user, ari.password),
            timeout=_REQUEST_SECONDS,
            limits=httpx.Limits(keepalive_expiry=None),
            verify=tls or True,
            trust_env=False,
        )
        self._digest = httpx.DigestAuth(ari.user, ari.password)

    @property
    def url(self) -> str:
        return self._ari.url

    @property
    def ready(self) -> bool:
        return self._connected.is_set()

    async def open(self, desk: Desk) -> None:
        """Returns when it stands. Raises `PbxUnavailable` when it doesn't after a while; it is closed then."""
        self._listening = asyncio.create_task(self._listen(desk), name="ari-events")
        try:
            async with asyncio.timeout(_FIRST_CONNECT_SECONDS):
                await self._connected.wait()
        except BaseException as error:
            await self.stop()
            await self.close()
            if isinstance(error, TimeoutError):
                raise self._fault from None
            raise

    async def stop(self) -> None:
        """No more events; requests still work."""
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.wait([self._listening])

    async def close(self) -> None:
        await self.http.aclose()
        if self._listening is not None:
            with contextlib.suppress(asyncio.CancelledError):
                self._listening.result()

    async def manage(self, action: str, **arguments: str) -> None:
        """An action of the manager interface (AMI), for what ARI can't do. Raises `PbxUnavailable`."""
        try:
            response = await self.http.get(
                f"{self._ari.url.removesuffix('/ari')}/arawman",
                params={"action": action, **arguments},
                auth=self._digest,
            )
        except httpx.HTTPError as error:
            raise PbxUnavailable(f"No answer of Asterisk to {action} ({type(error).__name__}).") from error
        if "Response: Success" not in response.text:
            said = re.search(r"^Message: (.+?)\r?$", response.text, re.MULTILINE)
            raise PbxUnavailable(f"Asterisk refused {action}: {said[1] if said else f'HTTP {response.status_code}'}.")

    async def _listen(self, desk: Desk) -> None:
        credentials = base64.b64encode(f"{self._ari.user}:{self._ari.password}".encode()).decode()
        address = self._ari.url.replace("http", "ws", 1) + f"/events?app={ARI_APP}&subscribeAll=true"
        attempt = 0
        while True:
            why = "Asterisk closed the connection"
            try:
                async with connect(
                    address,
                    additional_headers={"Authorization": f"Basic {credentials}"},
                    ssl=self._tls,
                    proxy=None,
                    compression=None,
                    open_timeout=_OPEN_SECONDS,
                    ping_interval=_PING_SECONDS,
                    ping_timeout=_PING_SECONDS,
                    close_timeout=1,
                ) as socket:
                    await self._greet(desk)
                    attempt = 0
                    await self._read(socket, desk)
            except (
                OSError,
                TimeoutError,
                ValueError,
                websockets.WebSocketException,
                httpx.HTTPError,
                PbxUnavailable,
            ) as error:
                why = _words(error)
                self._note(self.explained(error))
            if self.ready:
                log.error("The connection to Asterisk is lost: %s", why)
                self._connected.clear()
                desk.lose(why)
            await asyncio.sleep(_BACK_OFF[min(attempt, len(_BACK_OFF) - 1)])
            attempt += 1

    async def _greet(self, desk: Desk) -> None:
        """Tells the new connection which events we want."""
        allowed = {"allowed": [{"type": kind} for kind in WANTED]}
        (await self.http.put(f"/applications/{ARI_APP}/eventFilter", json=allowed)).raise_for_status()
        await desk.greet()
        self._connected.set()

    async def _read(self, socket: ClientConnection, desk: Desk) -> None:
        async for text in socket:
            if (message := message_of(text)) is None:
                log.warning("Asterisk sent something that is no event: %r", text[:100])
            else:
                desk.receive(message)

    def _note(self, fault: PbxUnavailable) -> None:
        if str(fault) != str(self._fault) and not self.ready:
            log.warning("%s", fault)
        self._fault = fault

    def explained(self, error: Exception) -> PbxUnavailable:
        """What whoever runs that Asterisk can do about it."""
        url = self._ari.url
        if _UNTRUSTED in str(error):
            return PbxUnavailable(
                f"The certificate of {url} is not trusted: {error}.",
                remedy="Set asterisk.ari_ca to who signed it; asterisk.ari_url has to name the host as it does.",
            )
        match error:
            case PbxUnavailable():
                return error
            case (
                websockets.InvalidStatus(response=websockets.Response(status_code=status))
                | httpx.HTTPStatusError(response=httpx.Response(status_code=status))
            ) if status in _REFUSED:
                return PbxUnavailable(
                    f"Asterisk refuses the user {self._ari.user} at {url} ({status}).",
                    remedy="asterisk.ari_user and ari_password have to be those of its ari.conf, which must not say "
                    "read_only = yes.",
                )
            case websockets.InvalidStatus(response=websockets.Response(status_code=404)):
                return PbxUnavailable(
                    f"There is no ARI at {url}.",
                    remedy="In ari.conf set enabled = yes; res_ari, res_ari_events and res_http_websocket have to be "
                    "loaded; the address ends as http.conf's prefix and /ari.",
                )
            case _:
                return PbxUnavailable(
                    f"Asterisk doesn't answer at {url}: {_words(error)}.",
                    remedy="See whether it runs, and whether http.conf says enabled = yes and listens there.",
                )


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, PbxUnavailable) else f"{type(error).__name__}: {error}"
