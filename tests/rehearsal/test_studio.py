from __future__ import annotations

import wave
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path

import pytest

from trunkline.audio import seconds_of, to_samples
from trunkline.errors import SettingsError
from trunkline.rehearsal.measurement import audible_span, magnitude_of
from trunkline.rehearsal.scenario import Scenario
from trunkline.rehearsal.studio import PROMPT_EDGE_SECONDS, Studio, read_wav, tone


class Voice:
    """Says everything as a tone of 50 ms per letter, in two pieces."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def warm_up(self) -> None: ...

    async def synthesise(self, text: str, *, voice: str = "", speed: float = 1.0) -> AsyncGenerator[bytes, None]:
        self.asked.append(text)
        pcm = tone((300.0,), 0.05 * len(text))
        yield pcm[: len(pcm) // 4 * 2]
        yield pcm[len(pcm) // 4 * 2 :]

    async def close(self) -> None: ...


class Shelf:
    """Recorded prompts in a folder of the test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def texts(self) -> Mapping[str, str]:
        return {"digits/4": "four", "digits/5": "five"}

    def wav(self, name: str) -> Path:
        return self.folder / f"{name.replace('/', '-')}.wav"


def write(file: Path, pcm: bytes, *, rate: int = 8000, channels: int = 1, width: int = 2) -> Path:
    with wave.open(str(file), "wb") as wav:
        wav.setnchannels(channels)
        wav.setsampwidth(width)
        wav.setframerate(rate)
        wav.writeframes(pcm)
    return file


def person(folder: Path, *steps: object) -> Scenario:
    return Scenario.model_validate({"name": "somebody", "folder": folder, "steps": list(steps)})


async def test_lines_are_synthesised_once(tmp_path: Path) -> None:
    voice = Voice()
    studio = Studio(voice)
    clips = await studio.prepare(person(tmp_path, "wait_for_agent", {"say": "Hello."}, {"say": "Hello."}))
    assert voice.asked == ["Hello."]
    assert clips[1] is clips[2]
    assert clips[1].pcm == tone((300.0,), 0.3)
    assert clips[1].text == "Hello."


async def test_prompts_follow_each_other_with_their_words(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    four, five = tone((400.0,), 0.2), tone((500.0,), 0.3)
    write(shelf.wav("digits/4"), bytes(4000) + four + bytes(1600))
    write(shelf.wav("digits/5"), bytes(2400) + five + bytes(8000))
    clips = await Studio(prompts=shelf).prepare(person(tmp_path, {"prompt": ["digits/4", "digits/5"]}))
    assert clips[0].text == "four five"
    silence = 0.08 + 4 * PROMPT_EDGE_SECONDS
    assert seconds_of(clips[0].pcm) == pytest.approx(0.5 + silence, abs=0.002)
    assert four[200:-200] in clips[0].pcm
    assert five[200:-200] in clips[0].pcm


async def test_a_wav_is_looked_for_beside_the_scenario(tmp_path: Path) -> None:
    write(tmp_path / "yes.wav", tone((400.0,), 0.2))
    clips = await Studio().prepare(person(tmp_path, {"wav": "yes.wav", "text": "yes"}, {"wav": "yes.wav"}))
    assert [clips[0].text, clips[1].text] == ["yes", "[yes]"]


@pytest.mark.parametrize(
    ("step", "told"),
    [
        ({"say": "Hello."}, "step 2: There is no voice engine"),
        ({"prompt": "digits/4"}, "step 2: The recorded prompts are not at hand"),
        ({"wav": "none.wav"}, "none.wav can't be read"),
    ],
)
async def test_what_is_missing_is_told_before_any_call(tmp_path: Path, step: object, told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        await Studio().prepare(person(tmp_path, "wait_for_agent", step))


async def test_an_unknown_prompt_names_its_neighbours(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no recorded prompt 'digits/4000'") as caught:
        await Studio(prompts=Shelf(tmp_path)).prepare(person(tmp_path, {"prompt": "digits/4000"}))
    assert "digits/4, digits/5" in (caught.value.remedy or "")


def test_other_rates_and_stereo_are_converted(tmp_path: Path) -> None:
    mono = to_samples(tone((500.0,), 1.0))
    stereo = mono.repeat(2).tobytes()
    pcm = read_wav(write(tmp_path / "a.wav", stereo, rate=16000, channels=2))
    assert seconds_of(pcm) == pytest.approx(0.5, abs=0.001)


def test_what_is_no_16_bit_wav_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"RIFFnothing")
    with pytest.raises(SettingsError, match="is no WAV file"):
        read_wav(tmp_path / "a.wav")
    with pytest.raises(SettingsError, match="has 8 bits per sample"):
        read_wav(write(tmp_path / "b.wav", bytes(100), width=1))


def test_a_tone_has_its_level_and_length() -> None:
    pcm = tone((1000.0,), 0.5, dbfs=-6, silence=0.25)
    samples = to_samples(pcm)
    assert len(samples) == 6000
    assert int(samples.max()) == pytest.approx(magnitude_of(-6), abs=40)
    assert audible_span(samples, 100) == pytest.approx((0, 4000), abs=3)
