"""Two calls put in touch by Asterisk: each comes into one bridge when our media has left it."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping
from typing import Any

import httpx

from trunkline.errors import PbxUnavailable
from trunkline.telephony.ari_connection import AriConnection
from trunkline.telephony.asterisk_config import JOIN_VARIABLE, JOINED

log = logging.getLogger(__name__)


class Bridges:
    """Of channels, by their ids."""

    def __init__(self, connection: AriConnection) -> None:
        self._connection = connection
        self._http = connection.http
        self._partners: dict[str, tuple[str, str]] = {}
        """Channel → bridge, and the other channel."""

    async def arrange(self, one: str, other: str) -> None:
        """Both meet as soon as the dialplan goes on behind their media. Raises `PbxUnavailable`: where `one` is gone,
        `other` is as it was.
        """
        bridge = str(uuid.uuid4())
        try:
            (await self._http.post(f"/bridges/{bridge}", params={"type": "mixing"})).raise_for_status()
        except httpx.HTTPError as error:
            raise PbxUnavailable(f"Asterisk makes no bridge ({type(error).__name__}).") from error
        try:
            for channel in (one, other):
                await self._connection.manage("Setvar", channel=channel, variable=JOIN_VARIABLE, value=bridge)
        except PbxUnavailable:
            await self._destroy(bridge)
            raise
        self._partners |= {one: (bridge, other), other: (bridge, one)}

    def bridge_for(self, channel: str, message: Mapping[str, Any]) -> str | None:
        """The bridge in which the channel is awaited, where the event says that it has come."""
        match message:
            case {"type": "StasisStart", "args": [kind, str(bridge)]} if kind == JOINED and channel in self._partners:
                return bridge
        return None

    async def enter(self, channel: str, bridge: str) -> None:
        """Let it into its bridge, or, where that can't be, end it: nobody shall wait in silence."""
        try:
            (await self._http.post(f"/bridges/{bridge}/addChannel", params={"channel": channel})).raise_for_status()
        except httpx.HTTPError as error:
            log.warning("channel %s could not be put in touch with another (%s)", channel, type(error).__name__)
            await self._hang_up(channel)

    def leave(self, channel: str) -> tuple[str, str] | None:
        """A channel is gone: the bridge to `close` and the channel that is left alone, where there are any."""
        if (found := self._partners.pop(channel, None)) is not None:
            self._partners.pop(found[1], None)
        return found

    async def close(self, bridge: str, alone: str) -> None:
        """Neither of the two has anybody to speak with."""
        await self._hang_up(alone)
        await self._destroy(bridge)

    def forget(self) -> None:
        """Asterisk is lost, and all bridges with it."""
        self._partners.clear()

    async def _hang_up(self, channel: str) -> None:
        await self._request(f"/channels/{channel}")

    async def _destroy(self, bridge: str) -> None:
        await self._request(f"/bridges/{bridge}")

    async def _request(self, path: str) -> None:
        try:
            await self._http.delete(path)
        except httpx.HTTPError as error:
            log.warning("DELETE %s: no answer of Asterisk (%s)", path, type(error).__name__)
