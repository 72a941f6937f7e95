"""Encrypted recordings: written as plain ones are, read from anywhere, and by nobody without the key."""

from __future__ import annotations

import io
import os
import random
import wave
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from pydantic import SecretStr, ValidationError

from trunkline.audio import FRAME_BYTES
from trunkline.errors import RecordingLocked, SettingsError
from trunkline.models import CallId
from trunkline.settings import PrivacySettings
from trunkline.store import Keyring, Recordings, WavShelf, open_keyring, sealing
from trunkline.store.playback import SealedRecording

CALL = CallId("0b7e9f6a-3a51-4f0e-9a43-0c6d2f7c1d10")
NAME = f"{CALL}.wav.enc"
KEY, OTHER = bytes(range(32)), bytes(32)
WRITTEN = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
"""The first key, in base64."""
FRAMES = 137


@pytest.fixture
async def shelf(tmp_path: Path) -> AsyncIterator[WavShelf]:
    shelf = await WavShelf.at(tmp_path, Keyring(KEY))
    yield shelf
    await shelf.close()


def audio(seed: int) -> bytes:
    return np.random.default_rng(seed).integers(-9000, 9000, FRAMES * FRAME_BYTES // 2, dtype="<i2").tobytes()


async def record(shelf: WavShelf) -> tuple[bytes, bytes]:
    """2.74 s of both sides, frame by frame."""
    person, agent = audio(1), audio(2)
    recorder = shelf.open(CALL)
    assert recorder.path.name == NAME
    for start in range(0, len(person), FRAME_BYTES):
        recorder.write(person[start : start + FRAME_BYTES], agent[start : start + FRAME_BYTES])
    await recorder.close()
    return person, agent


async def sealed(folder: Path, keys: Keyring) -> SealedRecording:
    found = await Recordings(folder, keys).find(NAME)
    assert isinstance(found, SealedRecording)
    return found


def sides(content: bytes) -> tuple[bytes, bytes]:
    with wave.open(io.BytesIO(content)) as file:
        both = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").reshape(-1, 2)
    return both[:, 0].tobytes(), both[:, 1].tobytes()


async def test_it_comes_back_as_it_was_recorded_and_no_file_holds_it(shelf: WavShelf) -> None:
    person, agent = await record(shelf)
    recording = await sealed(shelf.folder, Keyring(KEY))
    whole = await recording.read(0, recording.size)
    assert len(whole) == recording.size
    assert sides(whole) == (person, agent)
    content = (shelf.folder / NAME).read_bytes()
    assert [path.name for path in shelf.folder.iterdir()] == [NAME]
    assert b"WAVE" not in content
    assert not any(whole[start : start + 16] in content for start in range(44, len(whole) - 16, 1000))


async def test_it_is_read_from_anywhere(shelf: WavShelf) -> None:
    await record(shelf)
    recording = await sealed(shelf.folder, Keyring(KEY))
    whole = await recording.read(0, recording.size)
    edges = [0, 1, 43, 44, 45, 32043, 32044, 32045, 64044, recording.size - 1, recording.size]
    chance = random.Random(7)
    edges += [chance.randrange(recording.size) for _ in range(40)]
    for start in edges:
        for length in (0, 1, 44, 500, 40000, recording.size):
            assert await recording.read(start, length) == whole[start : start + length], (start, length)


async def test_keys_are_changed_and_old_recordings_stay_readable(shelf: WavShelf) -> None:
    person, agent = await record(shelf)
    recording = await sealed(shelf.folder, Keyring(OTHER, (KEY,)))
    assert sides(await recording.read(0, recording.size)) == (person, agent)
    assert await sealed(shelf.folder, Keyring(None, (KEY,)))


@pytest.mark.parametrize("keys", [Keyring(), Keyring(OTHER), Keyring(OTHER, (bytes(31) + b"x",))])
async def test_without_its_key_it_says_what_is_missing(shelf: WavShelf, keys: Keyring) -> None:
    await record(shelf)
    with pytest.raises(RecordingLocked, match="a key that isn't in the settings") as caught:
        await Recordings(shelf.folder, keys).find(NAME)
    assert caught.value.remedy and "old_recording_keys" in caught.value.remedy


@pytest.mark.parametrize("where", [0, 9, 20, 40, 30000, -1])
async def test_a_changed_file_is_noticed(shelf: WavShelf, where: int) -> None:
    await record(shelf)
    content = bytearray((shelf.folder / NAME).read_bytes())
    content[where] ^= 1
    (shelf.folder / NAME).write_bytes(content)
    with pytest.raises(RecordingLocked):
        recording = await sealed(shelf.folder, Keyring(KEY))
        await recording.read(0, recording.size)


async def test_the_same_sound_is_never_encrypted_to_the_same_bytes(shelf: WavShelf) -> None:
    contents = []
    for name in ("a", "b"):
        recorder = shelf.open(CallId(name))
        recorder.write(bytes(64000), bytes(64000))
        await recorder.close()
        contents.append(recorder.path.read_bytes())
    chunks = [content[sealing.place(number) :][:1000] for content in contents for number in range(3)]
    assert len(set(chunks)) == 6


async def test_what_a_dead_process_left_is_made_whole(shelf: WavShelf, caplog: pytest.LogCaptureFixture) -> None:
    person, _ = await record(shelf)
    file = shelf.folder / NAME
    whole = file.read_bytes()
    file.write_bytes(whole[: sealing.place(1) + 500])  # killed while the second chunk was written
    (shelf.folder / "begun.wav.enc").write_bytes(whole[:7])
    (shelf.folder / "plain.wav").write_bytes(b"RIFF")
    assert await shelf.repair() == {CALL: NAME, "begun": "begun.wav.enc", "plain": "plain.wav"}
    recording = await sealed(shelf.folder, Keyring(KEY))
    assert sides(await recording.read(0, recording.size))[0] == person[:16000]
    begun = await Recordings(shelf.folder, Keyring(KEY)).find("begun.wav.enc")
    assert isinstance(begun, SealedRecording)
    assert sides(await begun.read(0, begun.size)) == (b"", b"")
    assert await shelf.repair() == {CALL: NAME, "begun": "begun.wav.enc", "plain": "plain.wav"}
    assert not caplog.records


async def test_what_was_closed_stays_as_it_is(shelf: WavShelf) -> None:
    await record(shelf)
    before = (shelf.folder / NAME).read_bytes()
    await shelf.repair()
    assert (shelf.folder / NAME).read_bytes() == before


async def test_a_start_without_the_key_leaves_what_it_cannot_read(
    shelf: WavShelf, caplog: pytest.LogCaptureFixture
) -> None:
    await record(shelf)
    content = (shelf.folder / NAME).read_bytes()[:-5]
    (shelf.folder / NAME).write_bytes(content)
    other = await WavShelf.at(shelf.folder, Keyring(OTHER))
    assert await other.repair() == {CALL: NAME}
    await other.close()
    assert (shelf.folder / NAME).read_bytes() == content
    assert "a key that isn't in the settings" in caplog.text


async def test_a_recording_is_removed_whatever_it_is(shelf: WavShelf) -> None:
    await record(shelf)
    (shelf.folder / f"{CALL}.wav").write_bytes(b"RIFF")
    (shelf.folder / "other.wav").write_bytes(b"RIFF")
    recordings = Recordings(shelf.folder)
    assert await recordings.remove(CALL)
    assert [path.name for path in shelf.folder.iterdir()] == ["other.wav"]
    assert not await recordings.remove(CALL)
    assert not await recordings.remove(CallId("../" + shelf.folder.name + "/other"))
    assert (shelf.folder / "other.wav").exists()


@pytest.mark.parametrize("name", ["../x.wav", "x", ".wav", "x.wav.enc.wav", "folder.wav", "gone.wav"])
async def test_no_name_leads_to_anything_but_a_recording(shelf: WavShelf, name: str) -> None:
    (shelf.folder / "folder.wav").mkdir()
    (shelf.folder / "x").touch()
    (shelf.folder.parent / "x.wav").touch()
    assert await Recordings(shelf.folder).find(name) is None


# ── the key ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_key_comes_from_the_settings_or_a_file(tmp_path: Path) -> None:
    file = tmp_path / "recordings.key"
    file.write_text(WRITTEN + "\n")
    file.chmod(0o600)
    assert await open_keyring(PrivacySettings()) == Keyring()
    old = (SecretStr("A" * 43 + "="),)
    settings = PrivacySettings(recording_key=SecretStr(WRITTEN), old_recording_keys=old)
    assert await open_keyring(settings) == Keyring(KEY, (OTHER,))
    assert await open_keyring(PrivacySettings(recording_key_file=file)) == Keyring(KEY)
    assert WRITTEN not in repr(settings)


@pytest.mark.parametrize(
    ("content", "mode", "words"),
    [
        (WRITTEN, 0o640, "Others than its owner may read"),
        ("short", 0o600, "32 bytes in base64"),
        ("ä", 0o600, "holds no key"),
        (None, 0, "can't be read"),
    ],
)
async def test_a_key_file_that_cannot_be_used_is_named(
    tmp_path: Path, content: str | None, mode: int, words: str
) -> None:
    file = tmp_path / "recordings.key"
    if content is not None:
        file.write_bytes(content.encode())
        os.chmod(file, mode)  # noqa: PTH101
    with pytest.raises(SettingsError, match=words) as caught:
        await open_keyring(PrivacySettings(recording_key_file=file))
    assert str(file) in str(caught.value)
    assert WRITTEN not in str(caught.value)


@pytest.mark.parametrize("key", ["", "x", WRITTEN[:-4], WRITTEN + WRITTEN, "*" * 44])
def test_a_key_that_is_none_is_refused(key: str) -> None:
    with pytest.raises(ValidationError, match="32 bytes in base64"):
        PrivacySettings(recording_key=SecretStr(key))
    with pytest.raises(ValidationError, match="32 bytes in base64"):
        PrivacySettings(old_recording_keys=(SecretStr(key),))
