"""Audio of any format, while it arrives → 8 kHz audio, without holding up the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from concurrent.futures import ThreadPoolExecutor

from trunkline.errors import NotAudio
from trunkline.media.formats import pcm
from trunkline.media.pipe import Pipe


async def decode(pieces: AsyncIterator[bytes], *, max_seconds: float) -> AsyncGenerator[bytes, None]:
    """The sound of a WAV, MP3, OGG (Opus, Vorbis), FLAC, M4A or AAC file: its bytes decide what it is.

    Yields 8 kHz audio in pieces of whole samples, the first one long before the last of `pieces` is there; the
    loudness stays as it is. Raises `NotAudio` for what can't be played, is cut off or lasts longer than `max_seconds`
    (behind what could be played of it), and whatever `pieces` raises. Close it (`aclosing`) when it isn't read to its
    end: it has a thread and reads `pieces` ahead.
    """
    pipe = Pipe()
    loop = asyncio.get_running_loop()
    # A thread of its own: one that waits for a slow server must not keep anybody else from the loop's few.
    thread = ThreadPoolExecutor(1, thread_name_prefix="decode")
    filling = asyncio.create_task(_fill(pipe, pieces), name="audio for decoding")
    filling.add_done_callback(lambda task: pipe.end(None if task.cancelled() else task.exception()))
    sound = pcm(pipe, max_seconds)
    try:
        while (piece := await loop.run_in_executor(thread, next, sound, None)) is not None:
            yield piece
    finally:
        pipe.abandon()
        filling.cancel()
        try:
            await asyncio.wait([filling])
            await loop.run_in_executor(thread, sound.close)
        finally:
            thread.shutdown()


async def _fill(pipe: Pipe, pieces: AsyncIterator[bytes]) -> None:
    try:
        async for piece in pieces:
            pipe.write(piece)
    except OverflowError as error:
        raise NotAudio("The audio is far too large.", remedy="Say less at a time.") from error
    finally:
        # An endless source that is given up has a connection to give back.
        if isinstance(pieces, AsyncGenerator):
            await pieces.aclose()
