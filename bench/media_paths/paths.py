"""The two ways a placed call's audio can come to us, as requests to Asterisk."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from typing import Any, Protocol

import httpx
from websockets.asyncio.client import ClientConnection, connect

from trunkline.models import CallId
from trunkline.ports import CallLeg
from trunkline.telephony.asterisk_config import CALL_CONTEXT, CALL_EXTENSION, TRUNK_ENDPOINT
from trunkline.telephony.pbx_home import AriAddress

APP = "media-paths"
CALLER_ID = "+14155550199"
STASIS_MODULES = ("chan_audiosocket", "bridge_simple", "bridge_softmix", "app_stasis", "res_ari_bridges")
"""What externalMedia needs and a call through the dialplan doesn't."""


class Ari:
    """The few requests this needs."""

    def __init__(self, address: AriAddress) -> None:
        self._address = address
        self._client = httpx.AsyncClient(auth=(address.user, address.password), timeout=30)

    async def post(self, path: str, **query: str) -> None:
        response = await self._client.post(f"{self._address.url}{path}", params=query)
        response.raise_for_status()

    async def delete(self, path: str) -> None:
        """Harmless for what is gone already."""
        response = await self._client.delete(f"{self._address.url}{path}")
        if response.status_code != httpx.codes.NOT_FOUND:
            response.raise_for_status()

    def events(self) -> connect:
        key = f"{self._address.user}:{self._address.password}"
        return connect(f"{self._address.url.replace('http', 'ws', 1)}/events?app={APP}&api_key={key}")

    async def close(self) -> None:
        await self._client.aclose()


class MediaPath(Protocol):
    name: str

    async def place(self, call_id: CallId, number: str) -> None: ...

    async def hang_up(self, call_id: CallId, leg: CallLeg) -> None: ...


class Dialplan:
    """The answered channel runs `AudioSocket()`; when that ends, the dialplan hangs up."""

    name = "dialplan AudioSocket()"

    def __init__(self, ari: Ari) -> None:
        self._ari = ari

    async def place(self, call_id: CallId, number: str) -> None:
        place = {"context": CALL_CONTEXT, "extension": CALL_EXTENSION, "priority": "1"}
        await self._ari.post(f"/channels/{call_id}", endpoint=_endpoint(number), callerId=CALLER_ID, **place)

    async def hang_up(self, call_id: CallId, leg: CallLeg) -> None:
        leg.close()


class Stasis:
    """The channel enters Stasis; a bridge joins it with an externalMedia channel that connects to us.

    At its best: bridge and media exist before the answer, and both channels are hung up at once, without a detour.
    """

    name = "Stasis + externalMedia"

    def __init__(self, ari: Ari, audiosocket: str) -> None:
        self._ari = ari
        self._audiosocket = audiosocket
        self._tasks: set[asyncio.Task[None]] = set()

    async def place(self, call_id: CallId, number: str) -> None:
        bridge, media = f"bridge-{call_id}", f"media-{call_id}"
        await self._ari.post(f"/bridges/{bridge}", type="mixing")
        socket = {"encapsulation": "audiosocket", "transport": "tcp", "format": "slin", "data": call_id}
        await self._ari.post(
            "/channels/externalMedia", app=APP, channelId=media, external_host=self._audiosocket, **socket
        )
        await self._ari.post(f"/channels/{call_id}", endpoint=_endpoint(number), callerId=CALLER_ID, app=APP)

    async def hang_up(self, call_id: CallId, leg: CallLeg) -> None:
        await self._ari.delete(f"/channels/{call_id}")

    async def follow(self, events: ClientConnection) -> None:
        """Joins what starts, removes what its other half has left."""
        async for text in events:
            event = json.loads(text)
            channel = str(event.get("channel", {}).get("id", ""))
            if event["type"] == "StasisStart":
                bridge = f"bridge-{channel.removeprefix('media-')}"
                self._soon(self._ari.post(f"/bridges/{bridge}/addChannel", channel=channel))
            elif event["type"] == "StasisEnd" and not channel.startswith("media-"):
                self._soon(self._ari.delete(f"/channels/media-{channel}"))
                self._soon(self._ari.delete(f"/bridges/bridge-{channel}"))

    def _soon(self, request: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(request)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _endpoint(number: str) -> str:
    return f"PJSIP/{number}@{TRUNK_ENDPOINT}"
