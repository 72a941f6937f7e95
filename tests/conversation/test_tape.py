from __future__ import annotations

from pathlib import Path

from tests.doubles_store import MemoryRecorder
from trunkline.audio import FRAME_BYTES, SILENCE
from trunkline.conversation.tape import CHUNK_FRAMES, SLACK_FRAMES, Tape


def frame(number: int) -> bytes:
    return number.to_bytes(2, "little") * (FRAME_BYTES // 2)


def numbers(audio: bytes) -> list[int]:
    """Of the frames; 0 is silence."""
    return [int.from_bytes(audio[at : at + 2], "little") for at in range(0, len(audio), FRAME_BYTES)]


async def test_both_sides_lie_beside_each_other() -> None:
    recorder = MemoryRecorder(Path("call.wav"))
    tape = Tape(recorder)
    for tick in range(1, 181):
        tape.tick([frame(tick)], frame(1000 + tick))
    await tape.close()
    assert numbers(bytes(recorder.person)) == list(range(1, 181))
    assert numbers(bytes(recorder.agent)) == list(range(1001, 1181))


def test_a_second_is_handed_on_as_soon_as_it_is_settled() -> None:
    recorder = MemoryRecorder(Path("call.wav"))
    tape = Tape(recorder)
    for tick in range(CHUNK_FRAMES + SLACK_FRAMES - 1):
        tape.tick([frame(tick)], SILENCE)
    assert not recorder.person
    tape.tick([frame(1)], SILENCE)
    assert len(recorder.person) == len(recorder.agent) == CHUNK_FRAMES * FRAME_BYTES


async def test_a_burst_after_a_pause_of_the_network_is_kept_whole() -> None:
    recorder = MemoryRecorder(Path("call.wav"))
    tape = Tape(recorder)
    for tick in range(1, 11):
        tape.tick([frame(tick)], SILENCE)
    for _ in range(SLACK_FRAMES):
        tape.tick([], SILENCE)
    tape.tick([frame(number) for number in range(11, 17)], SILENCE)
    await tape.close()
    assert numbers(bytes(recorder.person)) == list(range(1, 17))


async def test_what_never_came_is_silence_in_its_place() -> None:
    recorder = MemoryRecorder(Path("call.wav"))
    tape = Tape(recorder)
    tape.tick([frame(1)], SILENCE)
    for _ in range(20):
        tape.tick([], SILENCE)
    tape.tick([frame(2)], SILENCE)
    await tape.close()
    heard = numbers(bytes(recorder.person))
    assert len(heard) == 22
    assert heard[0] == 1
    assert 22 - SLACK_FRAMES - 1 <= heard.index(2) <= 21
    assert sum(heard) == 3


async def test_more_than_real_time_does_not_shift_the_rest() -> None:
    recorder = MemoryRecorder(Path("call.wav"))
    tape = Tape(recorder)
    tape.tick([frame(1)] * 30, SILENCE)
    for _ in range(9):
        tape.tick([frame(2)], SILENCE)
    await tape.close()
    assert numbers(bytes(recorder.person)) == [1, *[2] * 9]
    assert len(recorder.agent) == 10 * FRAME_BYTES
