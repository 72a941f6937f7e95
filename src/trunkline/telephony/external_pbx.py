"""An Asterisk that is not ours to start or stop: it outlives us, and its calls outlive a broken connection."""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
from fnmatch import fnmatchcase
from typing import Any, Final

import httpx

from trunkline.errors import PbxUnavailable, SettingsError
from trunkline.events import FarEndGone, PbxLost
from trunkline.models import CallId
from trunkline.ports import Extension
from trunkline.settings import AsteriskSettings, Settings
from trunkline.telephony.ari import AriPbx
from trunkline.telephony.ari_connection import AriConnection
from trunkline.telephony.external_check import Found, ask, examine, extension_exists
from trunkline.telephony.pbx_home import AriAddress

log = logging.getLogger(__name__)

_CONTEXT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_AGAIN: Final = "Place the call once more."


class ExternalPbx(AriPbx):
    """Fits the port `Pbx`, as `AriPbx` does. While the connection is broken, calls that have their audio go on.

    Behind it, Asterisk is asked which channels there are: calls that still have theirs are taken up again, the others
    have ended; all of them if Asterisk was started anew. Entering raises `PbxUnavailable`, also where it lacks what
    calls need.
    """

    def __init__(self, settings: Settings, tls: ssl.SSLContext | None) -> None:
        """`tls`: that of `client_tls`. Raises `SettingsError`."""
        super().__init__(address_of(settings.asterisk), settings.trunk, tls)
        self._contexts = settings.asterisk.contexts
        self._found: Found | None = None
        self._told: set[str] = set()

    @property
    def version(self) -> str:
        """As `22.10.1`, once it was reached."""
        return self._found.version if self._found else ""

    async def greet(self) -> None:
        """First what became of the calls, then whether there can be more."""
        found = await ask(self._connection)
        if self._found is not None and self._found.started != found.started:
            self._abandon(PbxLost("it was started anew", _AGAIN))
        self._found = found
        await self._take_up()
        findings = (await examine(self._connection, trunk=self._trunk.host is not None)).findings
        for finding in findings:
            if finding.fatal:
                raise PbxUnavailable(finding.message, remedy=finding.remedy)
            if finding.message not in self._told:
                self._told.add(finding.message)
                log.warning("%s %s", finding.message, finding.remedy)
        await super().greet()

    def lose(self, why: str) -> None:
        """Asterisk may be there still, and hold our calls."""

    async def hang_up(self, call_id: CallId, *, cause: int | None = None) -> None:
        """Also of a call that a predecessor of this service has placed."""
        await self._end(self._arrived.get(call_id, call_id), cause)

    async def find_extension(self, context: str, number: str) -> Extension | None:
        """See `Pbx.find_extension`: `s` if the context has that, else the number."""
        if not _CONTEXT.fullmatch(context) or not any(fnmatchcase(context, pattern) for pattern in self._contexts):
            return None
        for name in ("s", number):
            if await extension_exists(self._connection, context, name):
                return Extension(context, name)
        return None

    async def _take_up(self) -> None:
        """Tells of every call what was missed."""
        channels: list[dict[str, Any]] = (await self._http.get("/channels")).raise_for_status().json()
        states = {channel["id"]: channel["state"] for channel in channels}
        for channel, news in list(self._news.items()):
            if channel in self._dialling:
                continue  # its order is still under way
            if (state := states.get(channel)) is None:
                self._forget(channel)
                self._tell(FarEndGone(news.call_id, unseen=True))
            elif (event := news.event_of({"type": "ChannelStateChange", "channel": {"state": state}})) is not None:
                self._tell(event)


def address_of(asterisk: AsteriskSettings) -> AriAddress:
    """Raises `SettingsError` without a password."""
    if asterisk.ari_password is None:
        raise SettingsError(
            f"There is no password for the user {asterisk.ari_user} in your Asterisk.",
            remedy="`trunkline pbx install` makes one; where that was on another machine, copy it from there.",
        )
    return AriAddress(asterisk.ari_url, asterisk.ari_user, asterisk.ari_password.get_secret_value())


async def client_tls(asterisk: AsteriskSettings) -> ssl.SSLContext | None:
    """What the certificate is checked with, where the address says https. Raises `SettingsError`."""
    if not asterisk.ari_url.startswith("https:"):
        return None
    try:
        return await asyncio.to_thread(ssl.create_default_context, cafile=asterisk.ari_ca)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(
            f"asterisk.ari_ca: {asterisk.ari_ca} can't be used: {error}.", remedy="Name a file of PEM certificates."
        ) from error


async def look_at(settings: Settings) -> Found:
    """One look, for the doctor. Raises `PbxUnavailable`, `SettingsError`."""
    connection = AriConnection(address_of(settings.asterisk), await client_tls(settings.asterisk))
    try:
        return await examine(connection, trunk=settings.trunk.host is not None)
    except (httpx.HTTPError, ValueError) as error:
        raise connection.explained(error) from error
    finally:
        await connection.close()
