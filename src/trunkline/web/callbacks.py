"""Tells whoever asked for a call that it has ended: the call's JSON, posted once to its `callbackUrl`."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

import httpx

import trunkline
from trunkline.errors import StoreError, UnknownCall
from trunkline.events import CallStateChanged, CallUpdate
from trunkline.media.addresses import off_limits
from trunkline.models import CallEvent, CallId, CallRecord, CallState
from trunkline.ports import CallStore
from trunkline.web.answers import detail

log = logging.getLogger(__name__)

TIMEOUT: Final = 10.0
PAUSES: Final = (1.0, 5.0)
"""Seconds before the second and the third try."""
Resolve = Callable[[str, int], Awaitable[list[str]]]
"""Addresses of a host name. Raises `OSError`."""


class _Refused(Exception):
    """The address is one we don't post to, whoever asks."""


class _TryAgain(Exception):
    """The other side is there but not well, or not there."""


async def resolve(host: str, port: int) -> list[str]:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise OSError(f"{host[:80]} is no host name") from error
    return [str(address[0]) for *_, address in found]


class Callbacks:
    """A watcher of the switchboard. `settled` returns when the store knows what has happened so far."""

    def __init__(
        self,
        store: CallStore,
        settled: Callable[[], Awaitable[None]],
        *,
        pauses: tuple[float, ...] = PAUSES,
        resolve: Resolve = resolve,
    ) -> None:
        self._store = store
        self._settled = settled
        self._pauses = pauses
        self._resolve = resolve
        # No redirects: they would lead around the check of the address. No proxy of the environment, for the same
        # reason.
        self._client = httpx.AsyncClient(
            timeout=TIMEOUT,
            follow_redirects=False,
            trust_env=False,
            headers={"user-agent": f"trunkline/{trunkline.__version__}"},
        )
        self._deliveries: set[asyncio.Task[None]] = set()

    def watch(self, update: CallUpdate) -> None:
        if isinstance(update, CallStateChanged) and update.state is CallState.ENDED:
            delivery = asyncio.create_task(self._deliver(update), name=f"callback {update.call_id}")
            self._deliveries.add(delivery)
            delivery.add_done_callback(self._delivered)

    async def close(self, grace: float = TIMEOUT) -> None:
        """Finishes the deliveries under way if that takes no longer than `grace` seconds."""
        if self._deliveries:
            await asyncio.wait(self._deliveries, timeout=grace)
        late = set(self._deliveries)
        for delivery in late:
            delivery.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        await self._client.aclose()

    async def _deliver(self, ended: CallStateChanged) -> None:
        try:
            call = await self._read(ended)
            if call is None or call.callback_url is None:
                return
            told = await self._post(call, call.callback_url)
            await self._store.add_event(CallEvent(call.id, datetime.now(UTC), "callback", told))
        except UnknownCall:
            log.info("Call %s was deleted before its callback got through", ended.call_id)
        except StoreError as error:
            log.error("The callback of call %s: %s", ended.call_id, error)

    def _delivered(self, delivery: asyncio.Task[None]) -> None:
        self._deliveries.discard(delivery)
        if not delivery.cancelled() and (error := delivery.exception()) is not None:
            log.error("%s broke", delivery.get_name(), exc_info=error)

    async def _read(self, ended: CallStateChanged) -> CallRecord | None:
        with suppress(TimeoutError):
            async with asyncio.timeout(TIMEOUT):
                await self._settled()
        call = await self._store.get(ended.call_id)
        if call is not None and call.state is not CallState.ENDED:
            # The store lags behind; the end, at least, is known.
            call = replace(call, state=ended.state, end=ended.end, ended_at=ended.at, recording=ended.recording)
        return call

    async def _post(self, call: CallRecord, url: str) -> str:
        """What became of it, in a sentence. Raises `UnknownCall` when it is deleted meanwhile, `StoreError`."""
        body = detail(call).model_dump_json(by_alias=True).encode()
        tries, why = 0, ""
        for pause in (0.0, *self._pauses):
            await asyncio.sleep(pause)
            if tries and await self._store.get(call.id) is None:
                raise UnknownCall(f"There is no call {call.id}.")
            tries += 1
            try:
                async with asyncio.timeout(TIMEOUT):
                    status = await self._try(url, body, call.id)
            except (_TryAgain, httpx.TransportError, OSError) as error:
                why = str(error) or type(error).__name__
                log.warning("The callback of call %s failed: %s", call.id, why)
                continue
            except (_Refused, httpx.InvalidURL) as error:
                why = str(error)
                break
            if status < 300:
                return f"The callback was delivered (HTTP {status})."
            why = f"HTTP {status}"
            break
        log.error("The callback of call %s could not be delivered: %s", call.id, why)
        return f"The callback could not be delivered in {tries} {'try' if tries == 1 else 'tries'}: {why}"

    async def _try(self, url: str, body: bytes, call_id: CallId) -> int:
        target = httpx.URL(url)
        if target.scheme not in ("http", "https") or not target.host:
            raise _Refused("callbacks are posted to http and https addresses only")
        host = target.raw_host.decode("ascii")
        port = target.port or (443 if target.scheme == "https" else 80)
        addresses = await self._resolve(host, port)
        if refused := [address for address in addresses if off_limits(address)]:
            raise _Refused(f"callbacks are not posted to {refused[0]}")
        # To the very address that was checked: a name may lead elsewhere the next time it is asked for.
        request = self._client.build_request(
            "POST",
            target.copy_with(host=addresses[0].partition("%")[0]),
            content=body,
            headers={"host": target.netloc.decode("ascii"), "content-type": "application/json", "x-call-id": call_id},
            extensions={"sni_hostname": host},
        )
        # The answer's body is not read: its status says all.
        response = await self._client.send(request, stream=True)
        await response.aclose()
        if response.status_code >= 500 or response.status_code == 429:
            raise _TryAgain(f"HTTP {response.status_code}")
        return response.status_code
