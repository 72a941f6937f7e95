"""Whether an Asterisk that is not ours can carry our calls: asked over ARI, as it may be on another machine."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from trunkline.errors import PbxUnavailable
from trunkline.telephony.ari_connection import AriConnection
from trunkline.telephony.asterisk_config import CALL_CONTEXT, CALL_EXTENSION, GONE_CONTEXT, TRUNK_ENDPOINT
from trunkline.telephony.asterisk_program import MINIMUM
from trunkline.telephony.include_check import Finding

INSTALL: Final = "Run `trunkline pbx install --into /etc/asterisk` on its machine, with these settings."
_NEEDED: Final = (
    *("res_ari_applications", "res_ari_channels", "res_ari_events", "app_audiosocket", "res_audiosocket"),
    *("app_dial", "app_stack", "app_stasis", "app_userevent", "chan_pjsip"),
    *("func_channel", "func_hangupcause", "func_uri"),
)
_WANTED: Final = {
    "res_ari_bridges": "nobody can be put in touch with a colleague who was asked first",
}
_NO_MANAGER: Final = (
    "On calls that are placed, agents can neither press keys nor transfer, and `context` can name agents only."
)
_MANAGER: Final = (
    "In manager.conf set enabled = yes and webenabled = yes; our user there has to permit this machine's address "
    "(`trunkline pbx install --permit`)."
)
_ENCRYPT: Final = "In http.conf set tlsenable = yes with a certificate, and write asterisk.ari_url with https."
_NOT_FOUND: Final = "Did not find"


@dataclass(frozen=True, slots=True)
class Found:
    version: str
    """As `22.10.1`."""
    started: str
    """When it was started, in its own words: another one is another Asterisk."""
    findings: tuple[Finding, ...] = ()
    """What stands in the way, and what should be known."""


async def ask(connection: AriConnection) -> Found:
    """Which Asterisk it is, without findings. Raises `PbxUnavailable`, `httpx.HTTPError`."""
    info = (await _get(connection, "/asterisk/info")).json()
    version = re.match(r"(?:certified[/-])?(\d+[\d.]*)", str(info.get("system", {}).get("version")))
    return Found(version[1].rstrip(".") if version else "0", str(info.get("status", {}).get("startup_time")))


async def examine(connection: AriConnection, *, trunk: bool) -> Found:
    """The same, with all that can be found. `trunk`: whether it needs ours.

    Raises `PbxUnavailable`, `httpx.HTTPError`.
    """
    found = await ask(connection)
    if int(found.version.split(".")[0]) < MINIMUM:
        old = Finding(f"This is Asterisk {found.version}.", f"Update it to {MINIMUM} or newer; 20 and 22 get fixes.")
        return Found(found.version, found.started, (old,))
    modules: list[dict[str, Any]] = (await _get(connection, "/asterisk/modules")).json()
    running = {module["name"].split(".")[0] for module in modules if module["status"] == "Running"}
    findings = [
        Finding(f"Asterisk doesn't run its module {name}.", _load(name)) for name in _NEEDED if name not in running
    ]
    findings += [
        Finding(f"Asterisk doesn't run its module {name}: {loss}.", _load(name), fatal=False)
        for name, loss in _WANTED.items()
        if name not in running
    ]
    if plain_abroad(connection.url):
        findings.append(Finding(f"Our password goes to {connection.url} unencrypted.", _ENCRYPT, fatal=False))
    if trunk and "res_ari_endpoints" in running:
        answer = await connection.http.get(f"/endpoints/PJSIP/{TRUNK_ENDPOINT}")
        if answer.status_code == httpx.codes.NOT_FOUND:
            findings.append(Finding(f"Asterisk knows no endpoint {TRUNK_ENDPOINT}.", INSTALL))
    try:
        for context, extension in ((CALL_CONTEXT, CALL_EXTENSION), (GONE_CONTEXT, "s")):
            if not await extension_exists(connection, context, extension):
                findings.append(Finding(f"Asterisk's dialplan has no context {context}.", INSTALL))
    except PbxUnavailable as error:
        findings.append(Finding(f"{error.message} {_NO_MANAGER}", _MANAGER, fatal=False))
    return Found(found.version, found.started, tuple(findings))


async def extension_exists(connection: AriConnection, context: str, extension: str) -> bool:
    """In the dialplan, with a first priority. Both hold letters, digits, `+`, `-` and `_` only.

    Raises `PbxUnavailable`.
    """
    try:
        await connection.manage("ShowDialPlan", context=context, extension=extension)
    except PbxUnavailable as error:
        if _NOT_FOUND in error.message:
            return False
        raise
    return True


def plain_abroad(url: str) -> bool:
    """Whether what is sent there can be read on the way."""
    parts = urlsplit(url)
    try:
        here = ip_address(parts.hostname or "").is_loopback
    except ValueError:
        here = parts.hostname == "localhost"
    return parts.scheme == "http" and not here


async def _get(connection: AriConnection, path: str, **parameters: str) -> httpx.Response:
    answer = await connection.http.get(path, params=parameters)
    if answer.status_code == httpx.codes.NOT_FOUND:
        raise PbxUnavailable(f"Asterisk doesn't know {path} over ARI.", remedy=_load("res_ari_asterisk"))
    return answer.raise_for_status()


def _load(module: str) -> str:
    return f"Load it (`module load {module}.so`), and let modules.conf load it from now on; noload lines keep it out."
