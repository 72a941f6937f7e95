"""What every recogniser promises, and what is particular to Whisper."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import jiwer
import numpy as np
import pytest
import pytest_asyncio

from tests.doubles import FakeSpeechToText, tone
from tests.speech.audio_server import AudioServer
from tests.speech.conftest import Speak, mixed, noise
from tests.speech.test_worker_pool import gone
from trunkline.audio import SAMPLE_RATE, bytes_of, from_float
from trunkline.errors import ModelRefused, SpeechUnavailable
from trunkline.ports import SpeechToText
from trunkline.settings import SpeechSettings
from trunkline.speech import make_speech_to_text
from trunkline.speech.speech_server import SpeechServer
from trunkline.speech.url_ears import UrlEars
from trunkline.speech.whisper import WhisperSpeechToText

KINDS = ("fake", "whisper", "by URL")
Make = Callable[[str], SpeechToText]


@pytest.fixture(scope="session")
def make(whisper_folder: Path, studio: AudioServer) -> Make:
    def engine(kind: str) -> SpeechToText:
        if kind == "by URL":
            return UrlEars(SpeechServer("studio", studio.settings()))
        if kind == "fake":
            return FakeSpeechToText(*["understood"] * 20)
        return WhisperSpeechToText(lambda: whisper_folder)

    return engine


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=KINDS)
async def recogniser(request: pytest.FixtureRequest, make: Make) -> AsyncIterator[SpeechToText]:
    engine = make(request.param)
    await engine.warm_up()
    yield engine
    await engine.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def whisper(whisper_folder: Path) -> AsyncIterator[WhisperSpeechToText]:
    engine = WhisperSpeechToText(lambda: whisper_folder)
    await engine.warm_up()
    yield engine
    await engine.close()


def words(text: str) -> str:
    return " ".join(re.sub(r"[^a-z0-9']+", " ", text.lower()).split())


# ── every recogniser ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.asyncio(loop_scope="module")
async def test_speech_has_words_and_silence_has_none(recogniser: SpeechToText, speak: Speak) -> None:
    found = await recogniser.transcribe(speak("I would like to cancel, please."))
    assert found.text
    assert 0.3 < found.confidence <= 1
    for silent in (bytes(bytes_of(2.0)), noise(2.0, 0.0005), b""):
        nothing = await recogniser.transcribe(silent)
        assert (nothing.text, nothing.confidence) == ("", 0.0)


@pytest.mark.asyncio(loop_scope="module")
async def test_half_a_sample_is_refused(recogniser: SpeechToText) -> None:
    with pytest.raises(ValueError, match="16-bit samples"):
        await recogniser.transcribe(b"\0\0\0")


@pytest.mark.asyncio(loop_scope="module")
async def test_a_cancelled_transcription_spoils_nothing(recogniser: SpeechToText, speak: Speak) -> None:
    sentence = speak("This is said in vain, nobody wants to know any more.")
    for steps in (0, 1, 2, 5, 50):
        task = asyncio.create_task(recogniser.transcribe(sentence))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert (await recogniser.transcribe(speak("Goodbye."))).text


@pytest.mark.asyncio(loop_scope="module")
async def test_several_at_a_time(recogniser: SpeechToText, speak: Speak) -> None:
    found = await asyncio.gather(*(recogniser.transcribe(speak("Yes, please.")) for _ in range(3)))
    assert len({transcript.text for transcript in found}) == 1


@pytest.mark.parametrize("kind", KINDS)
async def test_a_closed_recogniser_is_unavailable(kind: str, make: Make, speak: Speak) -> None:
    engine = make(kind)
    await engine.close()
    with pytest.raises(SpeechUnavailable):
        await engine.transcribe(speak("Hello."))
    await engine.close()


# ── Whisper ────────────────────────────────────────────────────────────────────────────────────────────────────

SENTENCES = (
    "Yes, this is John Smith speaking.",
    "I'd like to move my appointment to Thursday.",
    "No, that doesn't work for me, I'm at work until five.",
    "I need to cancel because my daughter is sick.",
    "Is there anything available next week on Wednesday after lunch?",
    "Please hold on a second while I look at my calendar.",
    "I don't want any more calls from you, please take me off your list.",
    "Can I talk to a real person?",
    "Sorry, I didn't catch that.",
    "It's about the invoice from last month, the amount seems to be wrong.",
)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("voice", ["", "heart-deep"])
@pytest.mark.parametrize(("background", "bound"), [(0.0, 0.03), (0.01, 0.08)])
async def test_what_is_spoken_is_understood(
    whisper: WhisperSpeechToText, speak: Speak, voice: str, background: float, bound: float
) -> None:
    """The whole way: text → voice → μ-law at 8 kHz (and noise 20 dB below it) → text."""
    heard = []
    for number, sentence in enumerate(SENTENCES):
        sound = speak(sentence, voice)
        sound = mixed(sound, noise(len(sound) / 16000, background, seed=number))
        heard.append(words((await whisper.transcribe(sound)).text))
    assert jiwer.wer([words(sentence) for sentence in SENTENCES], heard) <= bound


SHORT = (
    "Yes.",
    "No.",
    "Okay.",
    "Thursday.",
    "Monday morning.",
    "Tomorrow.",
    "Goodbye.",
    "Yes, please.",
    "No, thank you.",
)
HINT = "yes, no, Monday, Tuesday, Wednesday, Thursday, Friday, morning, afternoon, tomorrow, goodbye"


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("hint", ["", HINT])
async def test_short_answers(whisper: WhisperSpeechToText, speak: Speak, hint: str) -> None:
    heard = [(await whisper.transcribe(speak(answer), hint=hint)).text for answer in SHORT]
    same = {"ok": "okay", "good bye": "goodbye"}
    assert [same.get(words(text), words(text)) for text in heard] == [words(answer) for answer in SHORT]


@pytest.mark.asyncio(loop_scope="module")
async def test_a_hint_helps_where_it_is_noisy(whisper: WhisperSpeechToText, speak: Speak) -> None:
    days = ("Monday.", "Tuesday.", "Wednesday.", "Thursday.", "Friday.", "Tuesday afternoon.", "Tomorrow morning.")

    async def understood(hint: str) -> int:
        right = 0
        for number, day in enumerate(days):
            sound = speak(day)
            sound = mixed(sound, noise(len(sound) / 16000, 0.02, seed=number))
            right += words((await whisper.transcribe(sound, hint=hint)).text) == words(day)
        return right

    assert await understood("") < await understood(HINT) >= len(days) - 2


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("said", "digits"),
    [
        ("My number is four one five, five five five, zero one two three.", "4155550123"),
        ("The order number is seven eight nine zero two.", "78902"),
    ],
)
async def test_numbers_come_as_digits(whisper: WhisperSpeechToText, speak: Speak, said: str, digits: str) -> None:
    assert re.sub(r"\D", "", (await whisper.transcribe(speak(said))).text) == digits


def sounds_without_words() -> dict[str, bytes]:
    when = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
    chord = sum(np.sin(2 * np.pi * hertz * when) for hertz in (262, 330, 392, 523))
    music = from_float((0.06 * chord * (1 + np.sin(4 * np.pi * when))).astype(np.float32))
    breath = from_float(
        (np.random.default_rng(1).standard_normal(len(when)) * 0.03 * np.sin(np.pi * when / 2)).astype(np.float32)
    )
    return {
        "soft noise": noise(1.0, 0.003),
        "noise": noise(3.0, 0.02),
        "loud noise": noise(2.0, 0.1),
        "a click": bytes(8000) + noise(0.01, 0.5) + bytes(8000),
        "a cough": bytes(8000) + noise(0.25, 0.2) + bytes(8000),
        "a tone": tone(2.0),
        "ringing": mixed(tone(2.0, 440, 0.15), tone(2.0, 480, 0.15)),
        "a key": mixed(tone(0.2, 697, 0.2), tone(0.2, 1209, 0.2)) + bytes(8000),
        "hum": mixed(*(tone(2.0, 100 * odd, 0.1 / odd) for odd in (1, 3, 5, 7))),
        "music": music,
        "breath": breath,
    }


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("hint", ["", HINT])
@pytest.mark.parametrize("kind", list(sounds_without_words()))
async def test_what_is_no_speech_has_no_words(whisper: WhisperSpeechToText, kind: str, hint: str) -> None:
    """Whisper alone makes "Thank you.", "you" or "BEEP!" of these."""
    assert (await whisper.transcribe(sounds_without_words()[kind], hint=hint)).text == ""


@pytest.mark.asyncio(loop_scope="module")
async def test_utterances_of_any_length(whisper: WhisperSpeechToText, speak: Speak) -> None:
    said, sound = "", b""
    for sentence in SENTENCES:
        longer = sound + speak(sentence)
        if len(longer) > bytes_of(28.0):
            break
        said, sound = f"{said} {sentence}", longer
    assert len(sound) > bytes_of(20.0)
    assert jiwer.wer(words(said), words((await whisper.transcribe(sound)).text)) < 0.05
    with pytest.raises(ValueError, match="at most 30 s"):
        await whisper.transcribe(bytes(bytes_of(30.1)))
    assert (await whisper.transcribe(speak("Yes.")[: bytes_of(0.08)])).text == ""


@pytest.mark.asyncio(loop_scope="module")
async def test_languages(whisper: WhisperSpeechToText, speak: Speak) -> None:
    assert words((await whisper.transcribe(speak("Good morning."), language="en-GB")).text) == "good morning"
    with pytest.raises(SpeechUnavailable, match="klingon"):
        await whisper.transcribe(speak("Good morning."), language="klingon")


@pytest.mark.asyncio(loop_scope="module")
async def test_the_event_loop_goes_on_meanwhile(whisper: WhisperSpeechToText, speak: Speak) -> None:
    work = asyncio.create_task(whisper.transcribe(speak(SENTENCES[-1])))
    rounds = 0
    while not work.done():
        await asyncio.sleep(0)
        rounds += 1
    assert (await work).text
    assert rounds > 100


@pytest.mark.asyncio(loop_scope="module")
async def test_a_worker_killed_at_work_is_replaced(whisper: WhisperSpeechToText, speak: Speak) -> None:
    (pid,) = whisper.pids
    work = asyncio.create_task(whisper.transcribe(speak(SENTENCES[0])))
    for _ in range(20):
        await asyncio.sleep(0)
    os.kill(pid, signal.SIGKILL)
    assert words((await work).text) == words(SENTENCES[0])
    assert whisper.pids != (pid,)


async def test_the_workers_end_with_the_recogniser(whisper_folder: Path) -> None:
    engine = WhisperSpeechToText(lambda: whisper_folder, workers=2)
    await engine.warm_up()
    pids = engine.pids
    assert len(pids) == 2
    await engine.close()
    assert all(gone(pid) for pid in pids)


@pytest.fixture
def damaged(whisper_folder: Path, tmp_path: Path) -> Path:
    """A models folder whose model has one wrong byte."""
    copy = tmp_path / "whisper-base"
    copy.mkdir()
    for file in whisper_folder.iterdir():
        if file.name == "vocabulary.txt":
            (copy / file.name).write_bytes(file.read_bytes()[:-1] + b"?")
        else:
            (copy / file.name).symlink_to(file)
    return tmp_path


async def test_a_damaged_model_is_refused(damaged: Path) -> None:
    engine = make_speech_to_text(SpeechSettings(models_dir=damaged, offline=True))
    with pytest.raises(ModelRefused, match=r"vocabulary\.txt is not the published file"):
        await engine.warm_up()
    await engine.close()


async def test_without_a_model_it_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_args, **_named: None)
    engine = make_speech_to_text(SpeechSettings(models_dir=tmp_path, offline=True))
    with pytest.raises(SpeechUnavailable, match="whisper-base is not here"):
        await engine.warm_up()


async def test_a_folder_that_holds_something_else_is_unavailable(tmp_path: Path, whisper_folder: Path) -> None:
    shutil.copy(whisper_folder / "config.json", tmp_path)
    (tmp_path / "model.bin").write_bytes(b"not a model")
    engine = WhisperSpeechToText(lambda: tmp_path)
    with pytest.raises(SpeechUnavailable, match="can't be loaded"):
        await engine.warm_up()


PARENT = """
import asyncio, sys
from pathlib import Path
from trunkline.speech.speech_server import SpeechServer
from trunkline.speech.url_ears import UrlEars
from trunkline.speech.whisper import WhisperSpeechToText
from tests.speech.audio_server import AudioServer
from tests.speech.conftest import noise

async def main():
    engine = WhisperSpeechToText(lambda: Path(sys.argv[1]))
    await engine.warm_up()
    print(*engine.pids, flush=True)
    while True:
        await engine.transcribe(noise(20.0, 0.05))

asyncio.run(main())
"""


def test_no_process_outlives_a_service_that_is_killed_while_it_transcribes(whisper_folder: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", PARENT, str(whisper_folder)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        (worker,) = (int(pid) for pid in parent.stdout.readline().split())
        parent.kill()
    assert gone(worker)
