"""Files of every format, whole and broken, as they come over a network."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.media.files import FORMATS, encoded, tone, unbounded_wav
from trunkline.audio import SAMPLE_RATE, seconds_of, to_float
from trunkline.errors import FetchFailed, MediaError, NotAudio
from trunkline.media.decoding import decode
from trunkline.media.pipe import Pipe


async def arriving(data: bytes, step: int = 997) -> AsyncIterator[bytes]:
    for start in range(0, len(data), step):
        yield data[start : start + step]
        await asyncio.sleep(0)


async def decoded(data: bytes, max_seconds: float = 60.0) -> bytes:
    async with aclosing(decode(arriving(data), max_seconds=max_seconds)) as sound:
        return b"".join([piece async for piece in sound])


async def until_trouble(pieces: AsyncIterator[bytes], max_seconds: float = 60.0) -> tuple[float, MediaError]:
    """Seconds that were played, and what then went wrong."""
    heard = 0.0
    async with aclosing(decode(pieces, max_seconds=max_seconds)) as sound:
        with pytest.raises(MediaError) as trouble:
            async for piece in sound:
                heard += seconds_of(piece)
    return heard, trouble.value


def level(sound: bytes, hertz: float) -> float:
    """Amplitude (0 to 1) of that tone in the middle of `sound`."""
    middle = to_float(sound)[2000:-2000]
    middle = middle[: len(middle) // 800 * 800]
    spectrum = np.abs(np.fft.rfft(middle)) / len(middle) * 2
    return float(spectrum[round(hertz * len(middle) / SAMPLE_RATE)])


def decoding_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("decode")]


# ── what is played ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", list(FORMATS))
async def test_every_format_sounds_as_it_did(name: str) -> None:
    sound = await decoded(encoded(tone(3.0), name, tags={"title": "Grüße"}))
    assert seconds_of(sound) == pytest.approx(3.0, abs=0.1)  # AAC fills up its last frame
    assert level(sound, 440) == pytest.approx(0.3, rel=0.1)
    assert np.abs(to_float(sound)).max() < 0.36


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 44100, 48000, 96000])
@pytest.mark.parametrize("channels", [1, 2])
async def test_every_rate(rate: int, channels: int) -> None:
    sound = await decoded(encoded(tone(2.0, rate=rate), "wav", rate=rate, channels=channels))
    assert seconds_of(sound) == pytest.approx(2.0, abs=0.001)
    assert level(sound, 440) == pytest.approx(0.3, rel=0.01)


@pytest.mark.parametrize("rate", [16000, 24000, 44100, 48000])
async def test_speech_passes_and_what_a_telephone_cannot_carry_does_not_come_back_as_noise(rate: int) -> None:
    for hertz in (300, 1000, 3000, 3400):
        assert level(await decoded(encoded(tone(1.5, hertz, rate=rate), "wav", rate=rate)), hertz) > 0.29
    for hertz in (4600, 5000, 6000, 7500):
        silence = to_float(await decoded(encoded(tone(1.5, hertz, rate=rate), "wav", rate=rate)))[1000:-1000]
        assert np.abs(silence).max() < 0.001


async def test_too_loud_is_clipped_not_wrapped() -> None:
    sound = to_float(await decoded(encoded(tone(1.0, 300, level=3.0), "wav, float")))
    assert np.abs(np.diff(sound)).max() < 0.9
    assert sound.max() > 0.99


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("wav", 16_000), ("wav, μ-law", 12_000), ("mp3", 10_000), ("ogg, opus", 16_000), ("flac", 24_000),
        ("aac", 10_000), ("m4a, index first", 10_000), ("m4a, in fragments", 10_000),
    ],
)  # fmt: skip
async def test_the_first_sound_comes_long_before_the_last_byte(name: str, most: int) -> None:
    data = encoded(tone(20.0), name)
    assert len(data) > 4 * most
    more = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield data[:most]
        await more.wait()
        yield data[most:]

    async with aclosing(decode(slow(), max_seconds=60)) as sound:
        first = await anext(sound)
        assert 0 < seconds_of(first) < 1
        more.set()
        assert seconds_of(first + b"".join([piece async for piece in sound])) == pytest.approx(20.0, abs=0.07)


async def test_a_wav_without_a_length() -> None:
    assert seconds_of(await decoded(unbounded_wav(tone(3.0)))) == pytest.approx(3.0, abs=0.001)


async def test_what_stands_behind_the_samples_of_a_wav_is_not_played() -> None:
    plain = encoded(tone(1.0, 440), "wav")
    assert await decoded(plain + b"LIST\xff\x00\x00\x00" + random.Random(1).randbytes(40_000)) == await decoded(plain)


@pytest.mark.parametrize("picture", [1_000, 200_000, 2_000_000])
async def test_an_mp3_with_a_picture_in_front(picture: int) -> None:
    size = bytes(picture >> shift & 127 for shift in (21, 14, 7, 0))
    mp3 = encoded(tone(2.0), "mp3")
    sound = await decoded(b"ID3\x03\0\0" + size + bytes(picture) + mp3[mp3.index(b"\xff\xf3") :] + b"TAG" + bytes(125))
    assert seconds_of(sound) == pytest.approx(2.0, abs=0.07)


@pytest.mark.parametrize("name", ["flac", "mp3", "m4a, index first", "wav, μ-law"])
async def test_a_title_in_no_known_alphabet(name: str) -> None:
    data = encoded(tone(2.0), name, tags={"title": "untitled"})
    assert b"untitled" in data
    assert seconds_of(await decoded(data.replace(b"untitled", b"Gr\xfc\xdfe\xff\xfe\x80"))) == pytest.approx(
        2.0, abs=0.1
    )


async def test_parts_of_different_kinds_in_one_file() -> None:
    parts = encoded(tone(2.0), "mp3") + encoded(tone(2.0, rate=44100), "mp3", rate=44100, channels=2)
    sound = await decoded(parts)
    assert seconds_of(sound) == pytest.approx(4.0, abs=0.2)
    assert level(sound[: len(sound) // 2], 440) == pytest.approx(level(sound[len(sound) // 2 :], 440), rel=0.1)


# ── what is not ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "data",
    [
        b"", b"RIFF", b"RIFF\0\0\0\0WAVE", b"OggS", b"ID3", b"fLaC", b"\0\0\0\x18ftypM4A ", bytes(100_000),
        b"<html><body>502 Bad Gateway</body></html>" * 100, b'{"message": "Error in workflow"}',
        random.Random(3).randbytes(200_000), encoded(tone(0.0001), "wav"), encoded(tone(0.005), "wav"),
    ],
    ids=lambda data: repr(data[:12]),
)  # fmt: skip
async def test_no_audio(data: bytes) -> None:
    heard, trouble = await until_trouble(arriving(data))
    assert heard < 0.01
    assert isinstance(trouble, NotAudio)
    assert trouble.remedy


@pytest.mark.parametrize(
    "playlist",
    [
        b"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
        b"ffconcat version 1.0\nfile '/etc/passwd'\n",
        b"<?xml version='1.0'?><MPD xmlns='urn:mpeg:dash:schema:mpd:2011' type='static'></MPD>",
        b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=audio 5004 RTP/AVP 0\n",
    ],
)
async def test_a_file_that_names_others_is_no_audio(playlist: bytes) -> None:
    heard, trouble = await until_trouble(arriving(playlist))
    assert (heard, type(trouble)) == (0, NotAudio)


@pytest.mark.parametrize("name", [name for name in FORMATS if name.startswith(("wav", "flac", "m4a, index first"))])
async def test_a_file_cut_off_is_played_as_far_as_it_goes(name: str) -> None:
    data = encoded(tone(4.0), name)
    heard, trouble = await until_trouble(arriving(data[: len(data) // 2]))
    assert 1.0 < heard < 2.2
    assert "cut off" in trouble.message


@pytest.mark.parametrize("name", ["m4a, index last", "m4a, lossless"])
async def test_without_its_index_nothing_of_an_m4a_is_played(name: str) -> None:
    data = encoded(tone(4.0), name)
    heard, trouble = await until_trouble(arriving(data[: len(data) // 2]))
    assert (heard, type(trouble)) == (0, NotAudio)


@pytest.mark.parametrize("make", [unbounded_wav, lambda wave: encoded(wave, "mp3"), lambda wave: encoded(wave, "flac")])
async def test_what_lasts_too_long_is_stopped_there(make: Callable[..., bytes]) -> None:
    heard, trouble = await until_trouble(arriving(make(tone(5.0))), max_seconds=2.0)
    assert heard == pytest.approx(2.0)
    assert "longer than 2 s" in trouble.message


async def test_endless_audio_is_stopped_and_its_source_closed() -> None:
    closed = False

    async def endless() -> AsyncGenerator[bytes, None]:
        nonlocal closed
        try:
            yield unbounded_wav(tone(1.0))
            while True:
                yield bytes(10_000)
                await asyncio.sleep(0)
        finally:
            closed = True

    heard, trouble = await until_trouble(endless(), max_seconds=30.0)
    assert heard == pytest.approx(30.0)
    assert isinstance(trouble, NotAudio)
    assert closed


async def test_a_source_that_is_too_large_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = False

    def full(self: Pipe, piece: bytes) -> None:
        raise OverflowError

    async def large() -> AsyncGenerator[bytes, None]:
        nonlocal closed
        try:
            while True:
                yield bytes(10_000)
        finally:
            closed = True

    monkeypatch.setattr(Pipe, "write", full)
    _, trouble = await until_trouble(large())
    assert "too large" in trouble.message
    assert closed


async def test_an_endless_file_without_any_sound_is_given_up() -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield b"\0\0\0\x18ftypM4A " + bytes(8) + b"isomiso2" + b"\0\0\0\1mdat" + b"\xff" * 8
        while True:
            yield bytes(1_000_000)
            await asyncio.sleep(0)

    _, trouble = await until_trouble(endless())
    assert "far too large" in trouble.message


async def test_a_download_that_breaks_is_told_behind_what_came_of_it() -> None:
    async def breaking() -> AsyncIterator[bytes]:
        yield encoded(tone(4.0), "mp3")[:10_000]
        raise FetchFailed("The server broke off.")

    heard, trouble = await until_trouble(breaking())
    assert heard > 0.5
    assert trouble.message == "The server broke off."


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(list(FORMATS)), st.randoms(use_true_random=False), st.integers(1, 60))
def test_damage_never_does_more_than_spoil_the_sound(name: str, chance: random.Random, faults: int) -> None:
    data = bytearray(ENCODED[name])
    for _ in range(faults):
        data[chance.randrange(len(data))] = chance.randrange(256)
    asyncio.run(_to_the_end(bytes(data)))


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from([b"", b"RIFF\xff\xff\xff\xffWAVE", b"OggS\0", b"ID3\x04", b"fLaC\0", b"\xff\xfb\x90", b"\xff\xf1"]),
    st.binary(max_size=5000),
)
def test_any_bytes(start: bytes, data: bytes) -> None:
    asyncio.run(_to_the_end(start + data))


ENCODED = {name: encoded(tone(1.0), name) for name in FORMATS}


async def _to_the_end(data: bytes) -> None:
    try:
        sound = await decoded(data, max_seconds=5.0)
    except NotAudio:
        return
    assert len(sound) % 2 == 0
    assert 0 < seconds_of(sound) <= 5


# ── what is left behind ────────────────────────────────────────────────────────────────────────────────────────


async def test_no_thread_and_no_task_is_left() -> None:
    data = encoded(tone(5.0), "mp3")
    await decoded(data)
    async with aclosing(decode(arriving(data), max_seconds=60)) as sound:
        await anext(sound)
    assert decoding_threads() == []
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_it_can_be_cancelled_while_it_waits_for_a_server_that_hangs() -> None:
    async def hanging() -> AsyncIterator[bytes]:
        yield encoded(tone(1.0), "mp3")[:500]
        await asyncio.Event().wait()

    async def listen() -> None:
        async with aclosing(decode(hanging(), max_seconds=60)) as sound:
            await anext(sound)

    listening = asyncio.create_task(listen())
    while not decoding_threads():
        await asyncio.sleep(0)
    listening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await listening
    assert decoding_threads() == []
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_the_event_loop_goes_on_meanwhile() -> None:
    work = asyncio.create_task(decoded(encoded(tone(60.0), "mp3"), max_seconds=61))
    rounds = 0
    while not work.done():
        await asyncio.sleep(0)
        rounds += 1
    assert seconds_of(await work) == pytest.approx(60.0, abs=0.1)
    assert rounds > 100


async def test_many_at_a_time() -> None:
    files = {name: encoded(tone(2.0, 300 + 100 * number), name) for number, name in enumerate(FORMATS)}
    sounds = await asyncio.gather(*(decoded(data) for data in files.values()))
    for number, sound in enumerate(sounds):
        assert level(sound, 300 + 100 * number) > 0.25
