"""Any server of OpenAI's audio protocol (`/v1/audio/transcriptions`, `/v1/audio/speech`), here or elsewhere.

https://platform.openai.com/docs/api-reference/audio. Spoken by OpenAI itself, speaches, LocalAI, Kokoro-FastAPI,
vLLM and many more.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final

import httpx

import trunkline
from trunkline.errors import SpeechUnavailable
from trunkline.settings import SpeechServerSettings

_CONNECT_SECONDS: Final = 2.0
_REST_SECONDS: Final = 15.0
"""A server that doesn't answer is left alone this long, so that not every turn waits for it anew."""
_STALE: Final = (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError)
_LONGEST_ANSWER: Final = 1_000_000
"""Bytes of a transcription or an error."""


class SpeechServer:
    """One pool of connections to the server `name` of the settings."""

    def __init__(self, name: str, settings: SpeechServerSettings) -> None:
        self.settings = settings
        self._name = name
        self.closed = False
        self._rests_until = 0.0
        headers = {"user-agent": f"trunkline/{trunkline.__version__}"}
        if settings.api_key is not None:
            headers["authorization"] = f"Bearer {settings.api_key.get_secret_value()}"
        self._client = httpx.AsyncClient(
            base_url=settings.url.rstrip("/") + "/",
            headers=headers,
            timeout=httpx.Timeout(settings.timeout_seconds, connect=min(_CONNECT_SECONDS, settings.timeout_seconds)),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=20, keepalive_expiry=55.0),
            trust_env=False,
        )

    async def reach(self) -> None:
        """Opens a connection; any answer will do. Raises `SpeechUnavailable`."""
        async with self._answer("GET", "models", any_status=True):
            pass

    async def models(self) -> frozenset[str] | None:
        """Names of the models it has; `None` where it lists none. Raises `SpeechUnavailable`."""
        async with self._answer("GET", "models", any_status=True) as response:
            if response.status_code in (401, 403):
                raise await self._refused(response)
            body = await self._read(response)
        try:
            return frozenset(str(model["id"]) for model in json.loads(body)["data"])
        except (ValueError, LookupError, TypeError):
            return None

    async def transcribe(self, fields: Mapping[str, str], wav: bytes) -> Mapping[str, Any]:
        """The JSON that comes back. Raises `SpeechUnavailable`."""
        file = {"file": ("speech.wav", wav, "audio/wav")}
        async with self._answer("POST", "audio/transcriptions", data=dict(fields), files=file) as response:
            body = await self._read(response)
        try:
            answer = json.loads(body)
        except ValueError:
            answer = None
        if not isinstance(answer, dict) or not isinstance(answer.get("text"), str):
            raise self._unavailable("answers something else than a transcription", "Check its url: does it end in /v1?")
        return answer

    @asynccontextmanager
    async def speech(self, fields: Mapping[str, Any]) -> AsyncIterator[AsyncIterator[bytes]]:
        """The audio that comes back, as it arrives. Raises `SpeechUnavailable`, also while it is read."""
        async with self._answer("POST", "audio/speech", json=dict(fields)) as response:
            kind = response.headers.get("content-type", "").lower()
            if kind.startswith(("application/json", "text/")):
                raise self._unavailable("answers something else than audio", "Check its url: does it end in /v1?")
            yield self._pieces(response)

    async def close(self) -> None:
        self.closed = True
        await self._client.aclose()

    async def _pieces(self, response: httpx.Response) -> AsyncIterator[bytes]:
        with self._told():
            async for piece in response.aiter_bytes():
                yield piece

    @asynccontextmanager
    async def _answer(
        self, method: str, path: str, *, any_status: bool = False, **content: Any
    ) -> AsyncIterator[httpx.Response]:
        """A successful answer, whose body is still to be read. Raises `SpeechUnavailable`."""
        loop = asyncio.get_running_loop()
        if self.closed:
            raise SpeechUnavailable(f"The speech server {self._name} is closed.")
        if loop.time() < self._rests_until:
            raise self._unavailable("didn't answer a moment ago", "Look at that server.")

        async def send() -> httpx.Response:
            async with asyncio.timeout(self.settings.timeout_seconds):
                return await self._client.send(self._client.build_request(method, path, **content), stream=True)

        with self._told():
            try:
                response = await send()
            except _STALE:
                # The other side may have closed a kept connection just as it was used again.
                response = await send()
        try:
            if not any_status and not response.is_success:
                raise await self._refused(response)
            yield response
        finally:
            await response.aclose()

    async def _refused(self, response: httpx.Response) -> SpeechUnavailable:
        status = response.status_code
        said = _said(await self._read(response))
        if status >= 500 or status == 429:
            self._rest()
        remedy = {
            401: f"Set speech.servers.{self._name}.api_key.",
            403: f"Set speech.servers.{self._name}.api_key.",
            404: "Check its url (does it end in /v1?) and the model.",
            429: "It is asked for more than it allows: raise its limits.",
        }.get(status, "Look at that server's log." if status >= 500 else "Check model, voice and format.")
        return self._unavailable(f"answers HTTP {status}{said}", remedy)

    async def _read(self, response: httpx.Response) -> bytes:
        body = bytearray()
        with self._told():
            async with asyncio.timeout(self.settings.timeout_seconds):
                async for piece in response.aiter_bytes():
                    body += piece
                    if len(body) > _LONGEST_ANSWER:
                        raise self._unavailable("answers far too much", "Check its url: does it end in /v1?")
        return bytes(body)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What httpx raises, in our words."""
        try:
            yield
        except (TimeoutError, httpx.TimeoutException) as error:
            self._rest()
            raise self._unavailable(
                f"doesn't answer within {self.settings.timeout_seconds:g} s",
                f"Look at that server, or raise speech.servers.{self._name}.timeout_seconds.",
            ) from error
        except httpx.TransportError as error:
            self._rest()
            raise self._unavailable(f"can't be reached ({error})", "Check its url, and that it runs.") from error

    def _rest(self) -> None:
        self._rests_until = asyncio.get_running_loop().time() + _REST_SECONDS

    def _unavailable(self, what: str, remedy: str) -> SpeechUnavailable:
        return SpeechUnavailable(f"The speech server {self._name} {what}.", remedy=remedy)


def _said(body: bytes) -> str:
    """What an error in OpenAI's form says: `{"error": {"message": "…"}}`."""
    try:
        message = json.loads(body)["error"]["message"]
    except (ValueError, LookupError, TypeError):
        return ""
    return f' ("{" ".join(message.split())[:200]}")' if isinstance(message, str) else ""
