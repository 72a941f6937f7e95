"""Audio files in every format we play, made by FFmpeg's encoders."""

from __future__ import annotations

import tempfile
from pathlib import Path

import av
import numpy as np
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from numpy.typing import NDArray

RATE = 24000

FORMATS: dict[str, tuple[str, str, dict[str, str]]] = {
    # name: container, codec, options of the container
    "wav, 8 bit": ("wav", "pcm_u8", {}),
    "wav": ("wav", "pcm_s16le", {}),
    "wav, 24 bit": ("wav", "pcm_s24le", {}),
    "wav, 32 bit": ("wav", "pcm_s32le", {}),
    "wav, float": ("wav", "pcm_f32le", {}),
    "wav, double": ("wav", "pcm_f64le", {}),
    "wav, μ-law": ("wav", "pcm_mulaw", {}),
    "wav, A-law": ("wav", "pcm_alaw", {}),
    "mp3": ("mp3", "libmp3lame", {}),
    "ogg, opus": ("ogg", "libopus", {}),
    "ogg, vorbis": ("ogg", "vorbis", {}),
    "flac": ("flac", "flac", {}),
    "aac": ("adts", "aac", {}),
    "m4a, index first": ("ipod", "aac", {"movflags": "faststart"}),
    "m4a, index last": ("ipod", "aac", {}),
    "m4a, in fragments": ("mp4", "aac", {"movflags": "frag_keyframe+empty_moov"}),
    "m4a, lossless": ("ipod", "alac", {}),
}


def tone(seconds: float, hertz: float = 440.0, level: float = 0.3, rate: int = RATE) -> NDArray[np.float32]:
    when = np.arange(round(seconds * rate)) / rate
    return (level * np.sin(2 * np.pi * hertz * when)).astype(np.float32)


def encoded(
    wave: NDArray[np.float32], name: str, *, rate: int = RATE, channels: int = 1, tags: dict[str, str] | None = None
) -> bytes:
    """`wave` (samples in [-1, 1]) as a file."""
    container, codec, options = FORMATS[name]
    layout = {1: "mono", 2: "stereo"}[2 if codec == "vorbis" else channels]
    # FFmpeg's Opus knows 48 kHz only; its Vorbis encoder is good enough for a test, but called experimental.
    coded_rate = 48000 if codec == "libopus" else rate
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "audio"
        with av.open(str(path), "w", format=container, options=options) as output:
            output.metadata.update(tags or {})
            stream = output.add_stream(codec, rate=coded_rate, options={"strict": "experimental"})
            assert isinstance(stream, AudioStream)
            stream.codec_context.layout = layout
            stream.codec_context.open()
            for frame in _frames(wave, rate, stream):
                output.mux(stream.encode(frame))
            output.mux(stream.encode(None))
        return path.read_bytes()


def _frames(wave: NDArray[np.float32], rate: int, stream: AudioStream) -> list[av.AudioFrame]:
    coder = stream.codec_context
    channels = np.repeat(wave, coder.channels).reshape(1, -1)  # interleaved, the same on all of them
    whole = av.AudioFrame.from_ndarray(channels, format="flt", layout=coder.layout.name)
    whole.sample_rate = rate
    resampler = AudioResampler(
        format=coder.format, layout=coder.layout, rate=coder.sample_rate, frame_size=coder.frame_size or None
    )
    return [*resampler.resample(whole), *resampler.resample(None)]


def unbounded_wav(wave: NDArray[np.float32], rate: int = RATE) -> bytes:
    """A WAV as servers stream it: its header claims 4 GB."""
    whole = encoded(wave, "wav", rate=rate)
    data = whole.index(b"data")
    return whole[:4] + b"\xff\xff\xff\xff" + whole[8 : data + 4] + b"\xff\xff\xff\xff" + whole[data + 8 :]


__all__ = ["FORMATS", "RATE", "encoded", "tone", "unbounded_wav"]
