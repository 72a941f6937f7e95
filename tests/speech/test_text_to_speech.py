"""What every voice promises, and what is particular to ours."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable

import numpy as np
import pytest
import pytest_asyncio

from tests.doubles import FakeTextToSpeech
from tests.speech.audio_server import AudioServer
from tests.speech.test_worker_pool import gone
from trunkline.audio import seconds_of, to_float
from trunkline.errors import SpeechUnavailable
from trunkline.ports import TextToSpeech
from trunkline.settings import SpeechSettings
from trunkline.speech import make_text_to_speech
from trunkline.speech.espeak import espeak_voice
from trunkline.speech.fallbacks import FallbackVoice
from trunkline.speech.hibari import hibari_voice
from trunkline.speech.speech_server import SpeechServer
from trunkline.speech.url_voice import UrlVoice
from trunkline.speech.worker_voice import WorkerVoice

VOICES: dict[str, Callable[[AudioServer], TextToSpeech]] = {
    "fake": lambda _: FakeTextToSpeech(),
    "hibari": lambda _: hibari_voice(),
    "espeak": lambda _: espeak_voice(),
    "factory": lambda _: make_text_to_speech(SpeechSettings()),
    "factory for espeak": lambda _: make_text_to_speech(SpeechSettings(tts_engine="espeak")),
    "by URL": lambda studio: UrlVoice(SpeechServer("studio", studio.settings())),
    "by URL, as MP3": lambda studio: UrlVoice(SpeechServer("studio", studio.settings(tts_format="mp3"))),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=list(VOICES))
async def voice(request: pytest.FixtureRequest, studio: AudioServer) -> AsyncIterator[TextToSpeech]:
    engine = VOICES[request.param](studio)
    await engine.warm_up()
    yield engine
    await engine.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hibari() -> AsyncIterator[WorkerVoice]:
    engine = hibari_voice()
    yield engine
    await engine.close()


async def pieces_of(engine: TextToSpeech, text: str, *, voice: str = "", speed: float = 1.0) -> list[bytes]:
    return [piece async for piece in engine.synthesise(text, voice=voice, speed=speed)]


def first_audible(sound: bytes) -> float:
    """Seconds until something is heard."""
    return float(np.flatnonzero(np.abs(to_float(sound)) > 0.004)[0]) / 8000


# ── every voice ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.asyncio(loop_scope="module")
async def test_pieces_are_whole_samples_and_begin_at_once(voice: TextToSpeech) -> None:
    pieces = await pieces_of(voice, "Hello. This is the dental practice. How can I help you?")
    assert len(pieces) >= 3
    for piece in pieces:
        assert len(piece) % 2 == 0
        assert 0 < seconds_of(piece) < 5
    assert first_audible(pieces[0]) <= 0.02


@pytest.mark.asyncio(loop_scope="module")
async def test_longer_text_lasts_longer_and_faster_speech_less_long(voice: TextToSpeech) -> None:
    text = "I would like to move my appointment."
    short = seconds_of(b"".join(await pieces_of(voice, "Yes.")))
    normal = seconds_of(b"".join(await pieces_of(voice, text)))
    fast = seconds_of(b"".join(await pieces_of(voice, text, speed=1.5)))
    assert short < 0.7 * normal
    assert fast == pytest.approx(normal / 1.5, rel=0.2)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("nothing", ["", "   ", "...", "\n\n"])
async def test_nothing_to_say_is_no_sound(voice: TextToSpeech, nothing: str) -> None:
    assert await pieces_of(voice, nothing) == []


@pytest.mark.asyncio(loop_scope="module")
async def test_several_texts_at_a_time_do_not_mix(voice: TextToSpeech) -> None:
    texts = [f"This is sentence number {number}. It has two parts." for number in range(4)]
    alone = [b"".join(await pieces_of(voice, text)) for text in texts]
    together = await asyncio.gather(*(pieces_of(voice, text) for text in texts))
    assert [b"".join(pieces) for pieces in together] == alone


@pytest.mark.asyncio(loop_scope="module")
async def test_listening_can_stop_in_the_middle(voice: TextToSpeech) -> None:
    async for _piece in voice.synthesise("One. Two. Three. Four. Five."):
        break
    task = asyncio.create_task(pieces_of(voice, "Six. Seven. Eight."))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(await pieces_of(voice, "Nine. Ten.")) >= 2


@pytest.mark.parametrize("kind", list(VOICES))
async def test_a_closed_voice_is_unavailable(kind: str, studio: AudioServer) -> None:
    engine = VOICES[kind](studio)
    await engine.warm_up()
    await engine.close()
    with pytest.raises(SpeechUnavailable):
        await pieces_of(engine, "Hello.")
    await engine.close()


# ── ours ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.asyncio(loop_scope="module")
async def test_each_sentence_is_a_piece_and_begins_at_once(hibari: WorkerVoice) -> None:
    pieces = await pieces_of(hibari, "Hello. This is the dental practice. How can I help you?")
    assert len(pieces) == 3
    for piece in pieces:
        assert seconds_of(piece) > 0.2
        assert first_audible(piece) <= 0.02


@pytest.mark.asyncio(loop_scope="module")
async def test_the_level_is_the_same_for_all_sentences(hibari: WorkerVoice) -> None:
    for text in ("Yes.", "Goodbye!", "Could we move it to Friday at half past four, or would you rather keep it?"):
        wave = to_float(b"".join(await pieces_of(hibari, text)))
        loud = np.abs(wave) > 0.02
        assert -22 < 20 * np.log10(np.sqrt(np.mean(np.square(wave[loud])))) < -16
        assert np.abs(wave).max() < 0.9


@pytest.mark.asyncio(loop_scope="module")
async def test_sentences_end_softly_and_have_a_pause_between_them(hibari: WorkerVoice) -> None:
    first, last = await pieces_of(hibari, "That works. Goodbye.")

    def silence_behind(sound: bytes) -> float:
        return (len(sound) // 2 - float(np.flatnonzero(np.abs(to_float(sound)) > 0.004)[-1])) / 8000

    assert 0.03 < silence_behind(last) < 0.12
    assert 0.2 < silence_behind(first) < 0.35


@pytest.mark.asyncio(loop_scope="module")
async def test_a_long_sentence_is_heard_before_all_of_it_is_made(hibari: WorkerVoice) -> None:
    pieces = await pieces_of(
        hibari, "Since you ask about Thursday, we do have a free appointment at half past four in the afternoon."
    )
    assert len(pieces) == 2
    assert seconds_of(pieces[0]) < 2.5 < seconds_of(pieces[1])


@pytest.mark.asyncio(loop_scope="module")
async def test_what_was_said_before_needs_no_worker(hibari: WorkerVoice) -> None:
    before = await pieces_of(hibari, "Are you still there?")
    (pid,) = hibari.pids
    work = asyncio.create_task(pieces_of(hibari, "something long and new, " * 40))
    again = await pieces_of(hibari, "Are you still there?")
    assert again == before
    assert not work.done(), "the worker was busy all the time"
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    assert hibari.pids == (pid,)


@pytest.mark.asyncio(loop_scope="module")
async def test_the_deep_voice_is_another_voice(hibari: WorkerVoice) -> None:
    text = "My name is John Smith and I would like to move my appointment."
    usual = b"".join(await pieces_of(hibari, text))
    deep = b"".join(await pieces_of(hibari, text, voice="heart-deep"))
    assert seconds_of(deep) == pytest.approx(seconds_of(usual), rel=0.15)
    assert pitch(deep) == pytest.approx(0.84 * pitch(usual), rel=0.05)


def pitch(sound: bytes) -> float:
    """Median of the fundamental over voiced 40 ms, by autocorrelation, in Hz."""
    wave = to_float(sound)
    found = []
    for start in range(0, len(wave) - 320, 160):
        part = wave[start : start + 320]
        if np.abs(part).max() < 0.1:
            continue
        correlation = np.correlate(part, part, "full")[319:]
        lag = 20 + int(np.argmax(correlation[20:100]))
        if correlation[lag] > 0.5 * correlation[0]:
            found.append(8000 / lag)
    return float(np.median(found))


@pytest.mark.asyncio(loop_scope="module")
async def test_a_voice_that_is_not_here_is_refused_with_those_that_are(hibari: WorkerVoice) -> None:
    with pytest.raises(SpeechUnavailable, match=r"no voice 'nobody'.*heart"):
        await pieces_of(hibari, "Hello.", voice="nobody")
    with pytest.raises(SpeechUnavailable, match="'emma' is not on this machine"):
        await pieces_of(hibari, "Hello.", voice="emma")


@pytest.mark.asyncio(loop_scope="module")
async def test_the_event_loop_goes_on_while_a_voice_speaks(hibari: WorkerVoice) -> None:
    await hibari.warm_up()
    work = asyncio.create_task(pieces_of(hibari, "This sentence was never said before. " * 3 + "And so on, " * 60))
    rounds = 0
    while not work.done():
        await asyncio.sleep(0)
        rounds += 1
    await work
    assert rounds > 100


async def test_the_worker_ends_with_the_voice() -> None:
    engine = hibari_voice()
    await engine.warm_up()
    (pid,) = engine.pids
    await engine.close()
    assert gone(pid)
    assert engine.pids == ()


# ── falling back ───────────────────────────────────────────────────────────────────────────────────────────────


class Broken(FakeTextToSpeech):
    """Fails before its piece number `at`."""

    def __init__(self, at: int = 0) -> None:
        super().__init__()
        self.at = at

    async def warm_up(self) -> None:
        if self.at == 0:
            raise SpeechUnavailable("broken")

    async def synthesise(self, text: str, *, voice: str = "", speed: float = 1.0) -> AsyncGenerator[bytes, None]:
        number = 0
        async for piece in super().synthesise(text, voice=voice, speed=speed):
            if number == self.at:
                raise SpeechUnavailable("broken")
            number += 1
            yield piece


class Choosy(FakeTextToSpeech):
    """Has one voice."""

    async def synthesise(self, text: str, *, voice: str = "", speed: float = 1.0) -> AsyncGenerator[bytes, None]:
        if voice not in ("", "mine"):
            raise SpeechUnavailable("not my voice")
        async for piece in super().synthesise(text, voice=voice, speed=speed):
            yield piece


async def test_the_next_engine_speaks_where_one_cannot() -> None:
    second = FakeTextToSpeech()
    engine = FallbackVoice([Broken(), second])
    await engine.warm_up()
    assert second.warmed_up
    assert len(await pieces_of(engine, "One. Two.")) == 2
    assert second.said == ["One. Two."]


async def test_nobody_hears_a_sentence_twice() -> None:
    second = FakeTextToSpeech()
    engine = FallbackVoice([Broken(at=1), second])
    heard = []
    with pytest.raises(SpeechUnavailable):
        async for piece in engine.synthesise("One. Two."):
            heard.append(piece)
    assert len(heard) == 1
    assert second.said == []


async def test_an_engine_that_has_the_voice_comes_before_one_that_has_not() -> None:
    first, second = Choosy(), FakeTextToSpeech()
    engine = FallbackVoice([first, second])
    await pieces_of(engine, "Hello.", voice="theirs")
    await pieces_of(engine, "Goodbye.", voice="mine")
    assert (first.said, second.said) == (["Goodbye."], ["Hello."])


async def test_a_voice_nobody_has_is_replaced_by_a_default_one() -> None:
    engine = FallbackVoice([Choosy(), Choosy()])
    assert len(await pieces_of(engine, "Hello.", voice="nobody's")) == 1


async def test_without_any_engine_the_first_trouble_is_told() -> None:
    engine = FallbackVoice([Broken(), Broken()])
    with pytest.raises(SpeechUnavailable, match="broken"):
        await engine.warm_up()
    with pytest.raises(SpeechUnavailable, match="broken"):
        await pieces_of(engine, "Hello.")
