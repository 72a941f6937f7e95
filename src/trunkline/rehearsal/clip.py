"""Audio a person is going to send: prepared before the call, so that nothing is computed while it is measured."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from trunkline.audio import FRAME_BYTES, FRAME_SAMPLES, to_samples
from trunkline.rehearsal import rtp
from trunkline.rehearsal.measurement import audible_span

BELOW_LOUDEST = 10 ** (-32 / 20)


@dataclass(frozen=True)
class Clip:
    """8 kHz 16-bit audio with its words, padded to whole frames; coded once per codec."""

    text: str
    """Words that are said; in brackets what is no words, as `[tone]`."""
    pcm: bytes
    _spans: dict[int, tuple[int, int] | None] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def ulaw(self) -> tuple[bytes, ...]:
        return self._frames("ulaw")

    @cached_property
    def alaw(self) -> tuple[bytes, ...]:
        return self._frames("alaw")

    def frames(self, codec: str) -> tuple[bytes, ...]:
        """Payloads of 20 ms each."""
        return self.ulaw if codec == "ulaw" else self.alaw

    def audible(self, threshold: int) -> tuple[int, int] | None:
        """First audible sample and the one after the last, as the line carries them.

        Sound 32 dB below the loudest is not counted either: the breath and the room after a word are not the word, and
        a turn gap that began with them would flatter whoever answers.
        """
        if threshold not in self._spans:
            self._spans[threshold] = self._measure(threshold)
        return self._spans[threshold]

    def _measure(self, threshold: int) -> tuple[int, int] | None:
        samples = to_samples(rtp.decode(rtp.encode(self.pcm, "ulaw"), "ulaw"))
        loudest = max(int(samples.max(initial=0)), -int(samples.min(initial=0)))
        return audible_span(samples, max(threshold, round(loudest * BELOW_LOUDEST)))

    def _frames(self, codec: str) -> tuple[bytes, ...]:
        padded = self.pcm + bytes(-len(self.pcm) % FRAME_BYTES)
        coded = rtp.encode(padded, codec)
        return tuple(coded[start : start + FRAME_SAMPLES] for start in range(0, len(coded), FRAME_SAMPLES))
