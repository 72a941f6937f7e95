"""Audio files → 8 kHz audio, by FFmpeg (the package av). Blocks: for a thread.

FFmpeg knows some 350 formats, among them playlists that name further addresses or files of this machine. Here it gets
bytes only, and may use just the few parts of it that an audio reply needs.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from io import BytesIO
from typing import Final

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer

from trunkline.audio import FRAME_BYTES, SAMPLE_BYTES, SAMPLE_RATE, bytes_of
from trunkline.errors import NotAudio
from trunkline.media.containers import Samples, index_comes_last, wav_samples
from trunkline.media.pipe import Pipe

_CODECS: Final = (
    *("pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_f64le", "pcm_mulaw", "pcm_alaw"),
    *("mp3", "mp3float", "vorbis", "opus", "flac", "aac", "alac"),
)
_OPTIONS: Final = {
    "format_whitelist": "wav,mp3,ogg,flac,mov,aac,u8,s16le,s24le,s32le",
    "codec_whitelist": ",".join(_CODECS),
    "protocol_whitelist": "",
    # As little as possible is read before the first sound comes out.
    "probesize": "4096",
    "analyzeduration": "1",
}
_RAW: Final = {8: "u8", 16: "s16le", 24: "s24le", 32: "s32le"}
_READ: Final = 4096
_FIRST: Final = bytes_of(0.1)
_LATER: Final = bytes_of(0.5)
"""Sizes of the pieces: the first one is wanted soon, the others cost a change of threads each."""
_DAMAGED_PACKETS: Final = 10
"""So many more than whole ones, and it is noise rather than audio with a scratch."""
_MISSING_SECONDS: Final = 0.5
_REMEDY: Final = "Send WAV, MP3, OGG (Opus or Vorbis), FLAC or M4A."


def pcm(source: Pipe, max_seconds: float) -> Generator[bytes, None, None]:
    """8 kHz audio of the file in `source`, as soon as enough of it has come. Raises `NotAudio`."""
    piece, wanted = bytearray(), _FIRST
    sounds = _limited(_sounds(source, max_seconds), max_seconds)
    try:
        for sound in sounds:
            piece += sound
            if len(piece) >= wanted:
                yield bytes(piece)
                piece, wanted = bytearray(), _LATER
    except NotAudio:
        # What could be played comes first: the end of a sentence, say.
        if piece:
            yield bytes(piece)
        raise
    if piece:
        yield bytes(piece)


def _limited(sounds: Iterator[bytes], max_seconds: float) -> Iterator[bytes]:
    most, total = bytes_of(max_seconds), 0
    for sound in sounds:
        yield sound[: most - total]
        total += len(sound)
        if total > most:
            raise NotAudio(f"The audio is longer than {max_seconds:g} s.", remedy="Say less at a time.")
    if total < FRAME_BYTES:
        raise NotAudio("There is no sound in the audio.", remedy="Look at what was sent: it may be empty.")


def _sounds(source: Pipe, max_seconds: float) -> Iterator[bytes]:
    """All of it at 8 kHz. Raises `NotAudio` behind what came, if less came than the file promises."""
    seconds = 0.0
    telephone = _Telephone()
    try:
        samples = wav_samples(source)
        with _opened(source, samples) as container:
            stream = _stream(container)
            for frame in _frames(container, stream):
                seconds += frame.samples / frame.sample_rate
                yield from telephone.sound(frame)
            yield from telephone.rest()
            length = float(stream.duration * stream.time_base) if stream.duration and stream.time_base else None
    except av.FFmpegError as error:
        raise NotAudio(f"This isn't audio that can be played ({error.strerror}).", remedy=_REMEDY) from error
    promised = (samples.seconds if samples else length) or 0.0
    if seconds + _MISSING_SECONDS < promised <= max_seconds:
        raise NotAudio(
            f"The audio is cut off or damaged: {seconds:.1f} s of {promised:.1f} s have come.",
            remedy="Look at what makes it, and at the way from there.",
        )


def _opened(source: Pipe, samples: Samples | None) -> InputContainer:
    if samples is not None:
        options = {"sample_rate": str(samples.rate), "ch_layout": f"{samples.channels}c"}
        part = source if samples.size is None else _Part(source, samples.size)
        return av.open(part, "r", _RAW[samples.bits], options=_OPTIONS | options, buffer_size=_READ)
    file = BytesIO(source.rest()) if index_comes_last(source) else source
    return av.open(file, "r", options=_OPTIONS, metadata_errors="ignore", buffer_size=_READ)


def _stream(container: InputContainer) -> AudioStream:
    stream = next(iter(container.streams.audio), None)
    # No coder at all (which av's types don't tell): FFmpeg doesn't know it, or the list above leaves it out.
    coder: AudioCodecContext | None = stream.codec_context if stream else None
    if stream is None or coder is None or coder.name not in _CODECS:
        raise NotAudio(
            f"Audio of this kind isn't played ({coder.name if coder else 'no sound in it'}).", remedy=_REMEDY
        )
    coder.thread_count = 1
    return stream


def _frames(container: InputContainer, stream: AudioStream) -> Iterator[AudioFrame]:
    whole, damaged = 0, 0
    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except av.FFmpegError as error:
            damaged += 1
            if damaged - whole > _DAMAGED_PACKETS:
                raise NotAudio("The audio is damaged.", remedy="Look at what makes it.") from error
            continue
        whole += 1
        yield from frames


class _Telephone:
    """Any frames → 8 kHz mono. What a file consists of may change in the middle of it."""

    def __init__(self) -> None:
        self._kind: tuple[str, str, int] | None = None
        self._resampler: AudioResampler | None = None

    def sound(self, frame: AudioFrame) -> Iterator[bytes]:
        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        if self._resampler is None or kind != self._kind:
            yield from self.rest()
            self._kind = kind
            self._resampler = AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
        frame.pts = None  # times in a file may jump; its sound is played without a gap
        yield from map(_samples, self._resampler.resample(frame))

    def rest(self) -> Iterator[bytes]:
        """What the filter still holds."""
        if self._resampler is not None:
            yield from map(_samples, self._resampler.resample(None))


def _samples(frame: AudioFrame) -> bytes:
    return bytes(memoryview(frame.planes[0])[: frame.samples * SAMPLE_BYTES])


class _Part:
    """The next `size` bytes of a pipe, as a file."""

    def __init__(self, source: Pipe, size: int) -> None:
        self._source = source
        self._left = size

    def read(self, size: int) -> bytes:
        data = self._source.read(min(size, self._left)) if self._left else b""
        self._left -= len(data)
        return data
