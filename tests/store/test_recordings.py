"""The contract of `ports.RecordingShelf`, and what is the WAV shelf's own."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import threading
import wave
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from tests.doubles_store import MemoryShelf
from trunkline.audio import FRAME_BYTES, SILENCE
from trunkline.errors import StoreError
from trunkline.models import CallId
from trunkline.ports import RecordingShelf
from trunkline.store import WavShelf, wav

CALL = CallId("0b7e9f6a-3a51-4f0e-9a43-0c6d2f7c1d10")
SECOND = 50  # frames


def frames(number: int, seed: int) -> list[bytes]:
    noise = np.random.default_rng(seed).integers(-20000, 20000, number * FRAME_BYTES // 2, dtype=np.int16).tobytes()
    return [noise[start : start + FRAME_BYTES] for start in range(0, len(noise), FRAME_BYTES)]


def sides(path: Path) -> tuple[bytes, bytes]:
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getframerate(), file.getsampwidth()) == (2, 8000, 2)
        both = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").reshape(-1, 2)
    return both[:, 0].tobytes(), both[:, 1].tobytes()


@pytest.fixture
async def shelf(tmp_path: Path) -> AsyncIterator[WavShelf]:
    shelf = await WavShelf.at(tmp_path / "recordings")
    yield shelf
    await shelf.close()


@pytest.fixture(params=["wav", "memory"])
def any_shelf(request: pytest.FixtureRequest, shelf: WavShelf) -> RecordingShelf:
    return shelf if request.param == "wav" else MemoryShelf()


# ── the contract ───────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_recording_is_named_by_its_call_and_found_again(any_shelf: RecordingShelf) -> None:
    assert await any_shelf.repair() == {}
    recorder = any_shelf.open(CALL)
    assert recorder.path.name == f"{CALL}.wav"
    recorder.write(SILENCE, SILENCE)
    await recorder.close()
    await recorder.close()
    recorder.write(SILENCE, SILENCE)  # a late tick of the clock
    assert await any_shelf.repair() == {CALL: f"{CALL}.wav"}


async def test_both_sides_must_be_of_equal_length_and_whole_samples(any_shelf: RecordingShelf) -> None:
    recorder = any_shelf.open(CALL)
    for person, agent in ((SILENCE, b""), (b"", SILENCE), (b"\0", b"\0"), (SILENCE + b"\0", SILENCE + b"\0")):
        with pytest.raises(ValueError, match="don't go together"):
            recorder.write(person, agent)
    await recorder.close()


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "/tmp/x", "a/b", "a\0b", "-rf", ".", "a" * 65, "a.wav", "ä"])
async def test_an_id_that_could_lead_elsewhere_is_refused(any_shelf: RecordingShelf, name: str) -> None:
    with pytest.raises(StoreError):
        any_shelf.open(CallId(name))


# ── the WAV shelf ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_left_the_person_right_the_agent(shelf: WavShelf) -> None:
    person, agent = frames(125, seed=1), frames(125, seed=2)
    recorder = shelf.open(CALL)
    for left, right in zip(person, agent, strict=True):
        recorder.write(left, right)
    await recorder.close()
    assert sides(recorder.path) == (b"".join(person), b"".join(agent))


async def test_many_calls_share_one_thread(shelf: WavShelf) -> None:
    before = threading.active_count()
    recorders = [shelf.open(CallId(f"call-{number}")) for number in range(40)]
    audio = [frames(70, seed) for seed in range(40)]
    for tick in range(70):
        for number, recorder in enumerate(recorders):
            recorder.write(audio[number][tick], audio[-1 - number][tick])
    assert threading.active_count() == before
    await asyncio.gather(*(recorder.close() for recorder in recorders))
    for number, recorder in enumerate(recorders):
        assert sides(recorder.path) == (b"".join(audio[number]), b"".join(audio[-1 - number]))


async def test_a_recording_can_be_played_while_it_grows(shelf: WavShelf) -> None:
    person = frames(3 * SECOND + 10, seed=3)
    recorder = shelf.open(CALL)
    for frame in person:
        recorder.write(frame, SILENCE)
    other = shelf.open(CallId("behind-it-in-the-queue"))
    await other.close()  # so whatever was handed over before is in the file
    assert sides(recorder.path)[0] == b"".join(person[: 3 * SECOND])
    await recorder.close()
    assert sides(recorder.path)[0] == b"".join(person)


async def test_a_call_without_audio_has_an_empty_recording(shelf: WavShelf) -> None:
    recorder = shelf.open(CALL)
    await recorder.close()
    assert sides(recorder.path) == (b"", b"")


async def test_what_a_dead_process_left_is_made_whole(shelf: WavShelf) -> None:
    whole, cut, begun = (shelf.folder / f"{name}.wav" for name in ("whole", "cut", "begun"))
    whole.write_bytes(wav.header(640) + bytes(640))
    cut.write_bytes(
        wav.header(640) + b"\x07" * 1603
    )  # the header was never brought up to date; half a sample at the end
    begun.write_bytes(b"RIFF")
    notes = shelf.folder / "notes.wav"
    notes.write_bytes(b"not a recording")
    odd = shelf.folder / "odd name.wav"
    odd.write_bytes(b"RIFF")

    assert await shelf.repair() == {name: f"{name}.wav" for name in ("begun", "cut", "notes", "whole")}
    assert whole.read_bytes() == wav.header(640) + bytes(640)
    assert len(sides(cut)[0]) == 800
    assert sides(begun) == (b"", b"")
    assert notes.read_bytes() == b"not a recording"
    assert odd.read_bytes() == b"RIFF"


async def test_one_file_that_cannot_be_repaired_does_not_stop_the_start(
    shelf: WavShelf, caplog: pytest.LogCaptureFixture
) -> None:
    (shelf.folder / "folder.wav").mkdir()
    (shelf.folder / "whole.wav").write_bytes(wav.header(0))
    assert await shelf.repair() == {"whole": "whole.wav"}
    assert "folder.wav" in caplog.text


async def test_an_existing_recording_is_never_written_over(shelf: WavShelf, caplog: pytest.LogCaptureFixture) -> None:
    first = shelf.open(CALL)
    first.write(SILENCE, SILENCE)
    await first.close()
    content = first.path.read_bytes()
    second = shelf.open(CALL)
    second.write(b"\x01" * 640, b"\x01" * 640)
    await second.close()
    assert first.path.read_bytes() == content
    assert "incomplete" in caplog.text


async def test_a_full_disk_leaves_what_it_took_playable(
    shelf: WavShelf, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write = os.pwrite

    def nearly_full(descriptor: int, data: memoryview, offset: int) -> int:
        room = 40_000 - offset
        if room <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, data[:room], offset)

    monkeypatch.setattr(os, "pwrite", nearly_full)
    recorder = shelf.open(CALL)
    for _ in range(3 * SECOND):
        recorder.write(b"\x01\x00" * 160, SILENCE)
    await recorder.close()
    assert "incomplete: No space left on device" in caplog.text
    assert sides(recorder.path)[0] == b"\x01\x00" * 8000  # the second that fitted whole
    await shelf.repair()
    assert sides(recorder.path)[0] == b"\x01\x00" * 9989  # and what fitted of the next


async def test_a_disk_that_hangs_costs_a_recording_and_no_memory(
    shelf: WavShelf, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    let_go = threading.Event()
    write = os.pwrite

    def hanging(*arguments: object) -> int:
        let_go.wait(20)
        return write(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "pwrite", hanging)
    recorder = shelf.open(CALL)
    for _ in range(100 * SECOND):
        recorder.write(SILENCE, SILENCE)
    let_go.set()
    await recorder.close()
    assert "too slow" in caplog.text
    assert len(caplog.records) == 1
    assert len(sides(recorder.path)[0]) <= 62 * SECOND * FRAME_BYTES


async def test_closing_the_shelf_completes_open_recordings(tmp_path: Path) -> None:
    shelf = await WavShelf.at(tmp_path)
    before = threading.active_count()
    recorder = shelf.open(CALL)
    recorder.write(SILENCE, SILENCE)
    await shelf.close()
    assert len(sides(recorder.path)[0]) == FRAME_BYTES
    assert threading.active_count() == before - 1
    with pytest.raises(StoreError):
        shelf.open(CallId("late"))


async def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="can't be made"):
        await WavShelf.at(tmp_path / "file" / "recordings")


@pytest.fixture(autouse=True)
def _warnings_only(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "trunkline")
