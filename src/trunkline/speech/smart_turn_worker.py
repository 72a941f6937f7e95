"""The process that runs Smart Turn: `python -m trunkline.speech.smart_turn_worker`, started by `smart_turn.py`.

Smart Turn v3.2 is the encoder of Whisper tiny with a head that says whether the speaker is done: 8-bit weights, one
fixed window of 8 s. Its graph takes no shorter one, so an answer costs the same for a word and for a long sentence:
30 ms of a core, 2 of them for the features.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, Protocol

import numpy as np
import onnxruntime
import soxr

from trunkline.audio import SAMPLE_RATE, bytes_of, to_float
from trunkline.speech.log_mel import RATE, Floats, log_mel
from trunkline.speech.worker_child import Handler, Head, Request, serve

WINDOW_SECONDS: Final = 8.0


def features(audio: bytes) -> Floats:
    """[1, 80, 800] of the last 8 s of 8 kHz audio, with silence in front where there is less."""
    wave = np.zeros(round(WINDOW_SECONDS * RATE), np.float32)
    heard = soxr.resample(to_float(audio[-bytes_of(WINDOW_SECONDS) :]), SAMPLE_RATE, RATE)[-len(wave) :]
    wave[len(wave) - len(heard) :] = heard
    # The model was trained on windows of zero mean and unit variance, silence included.
    return log_mel((wave - wave.mean()) / np.sqrt(wave.var() + np.float32(1e-7)), WINDOW_SECONDS)


class _Session(Protocol):
    """What is used of `onnxruntime.InferenceSession`."""

    def run(self, outputs: None, inputs: dict[str, Floats]) -> list[Floats]: ...


class SmartTurn:
    """The model in a file."""

    def __init__(self, file: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session: _Session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])

    def finished(self, audio: bytes) -> float:
        """Probability that whoever speaks in the 8 kHz `audio` is done."""
        (probability,) = self._session.run(None, {"input_features": features(audio)})
        return float(probability.reshape(-1)[0])


def _load(config: Head) -> Handler:
    model = SmartTurn(Path(config["model"]))
    model.finished(bytes(bytes_of(1.0)))  # the first run allocates what all later ones use

    def handle(request: Request) -> tuple[Head, bytes]:
        return {"finished": model.finished(request.body)}, b""

    return handle


if __name__ == "__main__":
    serve(_load)
