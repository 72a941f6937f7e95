"""Audio that a workflow answers with: by address or as the body itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing

from trunkline.audio import SAMPLE_BYTES, SAMPLE_RATE
from trunkline.brains.n8n_faults import FaultKind, N8nFault
from trunkline.brains.timely import by
from trunkline.errors import TrunklineError
from trunkline.media.decoding import decode
from trunkline.media.fetching import Fetcher, FetchLimits
from trunkline.ports import BrainAction, Note, Play
from trunkline.settings import N8nSettings


class Sounds:
    """One per agent. Its generators raise `N8nFault`, and end their work when they are closed."""

    def __init__(self, settings: N8nSettings) -> None:
        self._settings = settings
        limits = FetchLimits(
            max_bytes=settings.largest_audio,
            connect_seconds=settings.connect_seconds,
            first_byte_seconds=settings.answer_seconds,
            stall_seconds=settings.stall_seconds,
        )
        self._fetcher = Fetcher(limits, settings.allow_private_audio)

    async def of_url(self, url: str, text: str) -> AsyncGenerator[BrainAction, None]:
        """Fetch it and play it; `text` is what it says."""
        async with AsyncExitStack() as fetching:
            try:
                fetched = await fetching.enter_async_context(self._fetcher.get(url))
            except TrunklineError as error:
                raise N8nFault(FaultKind.BAD_AUDIO, str(error).rstrip(".")) from error
            pieces = await fetching.enter_async_context(aclosing(fetched.pieces()))
            async for action in await fetching.enter_async_context(aclosing(self._play(pieces, text))):
                yield action

    async def of_body(self, head: bytes, rest: AsyncIterator[bytes]) -> AsyncGenerator[BrainAction, None]:
        """Play the body, whose beginning has been read."""
        async with (
            aclosing(_whole(head, rest, self._settings)) as pieces,
            aclosing(self._play(pieces, "")) as playing,
        ):
            async for action in playing:
                yield action

    async def close(self) -> None:
        await self._fetcher.close()

    async def _play(self, pieces: AsyncIterator[bytes], text: str) -> AsyncGenerator[BrainAction, None]:
        """The first sound is waited for here, so that what is no audio fails before anything is begun."""
        longest = self._settings.longest_audio_seconds
        async with aclosing(decode(pieces, max_seconds=longest)) as sound:
            deadline = asyncio.get_running_loop().time() + self._settings.answer_seconds
            try:
                first = await by(deadline, anext(sound, b""), N8nFault(FaultKind.TIMEOUT))
            except N8nFault:
                raise
            except TrunklineError as error:
                raise N8nFault(FaultKind.BAD_AUDIO, str(error).rstrip(".")) from error
            if not first:
                raise N8nFault(FaultKind.BAD_AUDIO, "it holds no sound")
            track = _Track(first, sound)
            yield Play(track.pieces(), text)
        if track.broken is not None:
            if track.seconds < longest - 1:
                raise N8nFault(FaultKind.BAD_AUDIO, str(track.broken).rstrip(".")) from track.broken
            yield Note("answer-cut", f"The audio is longer than {longest:g} seconds.")


class _Track:
    """Sound that ends where it breaks off, and remembers why."""

    def __init__(self, first: bytes, rest: AsyncIterator[bytes]) -> None:
        self._first = first
        self._rest = rest
        self.seconds = 0.0
        self.broken: TrunklineError | None = None

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        piece = self._first
        try:
            while piece:
                self.seconds += len(piece) / SAMPLE_BYTES / SAMPLE_RATE
                yield piece
                piece = await anext(self._rest, b"")
        except TrunklineError as error:
            self.broken = error


async def _whole(head: bytes, rest: AsyncIterator[bytes], settings: N8nSettings) -> AsyncGenerator[bytes, None]:
    """A body from its first byte on, within the limits of fetched audio."""
    size, piece = 0, head
    while piece:
        size += len(piece)
        if size > settings.largest_audio:
            raise N8nFault(FaultKind.TOO_LARGE)
        yield piece
        deadline = asyncio.get_running_loop().time() + settings.stall_seconds
        piece = await by(deadline, anext(rest, b""), N8nFault(FaultKind.STALLED))
