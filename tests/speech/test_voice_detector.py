"""What every voice detector promises."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.doubles import FakeVoiceDetector
from tests.speech.conftest import Speak, frames, noise
from trunkline.audio import SILENCE
from trunkline.ports import VoiceDetector, VoiceStream
from trunkline.speech import make_voice_detector
from trunkline.speech.silero import SileroDetector

DETECTORS: dict[str, Callable[[], VoiceDetector]] = {
    "fake": FakeVoiceDetector,
    "silero": make_voice_detector,
    "silero without a gate": lambda: SileroDetector(gate=False),
}


@pytest.fixture(params=list(DETECTORS))
def detector(request: pytest.FixtureRequest) -> VoiceDetector:
    return DETECTORS[request.param]()


def listen(stream: VoiceStream, audio: bytes) -> list[float]:
    """The probability after each frame."""
    heard = []
    for frame in frames(audio):
        stream.push(frame)
        heard.append(stream.probability)
    return heard


def test_silence_is_not_speech(detector: VoiceDetector) -> None:
    assert max(listen(detector.open(), SILENCE * 50)) < 0.3


def test_a_quiet_line_is_not_speech(detector: VoiceDetector) -> None:
    assert max(listen(detector.open(), noise(2.0, level=0.003))) < 0.3


def test_speech_is_found_and_its_end_too(detector: VoiceDetector, speak: Speak) -> None:
    sentence = speak("I would like to move my appointment to Thursday, please.")
    stream = detector.open()
    listen(stream, SILENCE * 25)
    heard = listen(stream, sentence)
    assert sum(probability > 0.5 for probability in heard) > 0.6 * len(heard)
    after = listen(stream, SILENCE * 25)
    assert max(after[-10:]) < 0.3


def test_it_begins_within_a_tenth_of_a_second(detector: VoiceDetector, speak: Speak) -> None:
    stream = detector.open()
    listen(stream, SILENCE * 100)
    heard = listen(stream, speak("Okay, let me see."))
    assert max(heard[:6]) > 0.5


def test_streams_do_not_mix(detector: VoiceDetector, speak: Speak) -> None:
    talking, silent = detector.open(), detector.open()
    highest = 0.0
    for frame in frames(speak("Is there anything available next week on Wednesday?")):
        talking.push(frame)
        silent.push(SILENCE)
        highest = max(highest, talking.probability)
        assert silent.probability < 0.3
    assert highest > 0.9


def test_a_stream_that_closes_leaves_the_others_alone(detector: VoiceDetector, speak: Speak) -> None:
    leaving, staying = detector.open(), detector.open()
    sentence = frames(speak("Please hold on a second while I look at my calendar."))
    for frame in sentence[:21]:
        leaving.push(frame)
        staying.push(frame)
    leaving.close()
    heard = []
    for frame in sentence[21:]:
        staying.push(frame)
        heard.append(staying.probability)
    assert max(heard) > 0.9


@pytest.mark.parametrize("wrong", [b"", SILENCE[:-2], SILENCE * 2])
def test_anything_but_a_frame_is_refused(detector: VoiceDetector, wrong: bytes) -> None:
    stream = detector.open()
    with pytest.raises(ValueError, match="320 bytes"):
        stream.push(wrong)
