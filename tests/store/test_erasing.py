"""What is kept of a call can be deleted, part by part, and is really gone then."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.store.records import ANSWERED, a_call, a_turn, an_event, at
from tests.store.test_call_store import store
from trunkline.errors import CallLive, UnknownCall
from trunkline.models import ANONYMOUS, HASHED, REMOVED, CallEnd, CallId, CallRecord, CallState, Disposition, Part
from trunkline.ports import CallStore
from trunkline.settings import ServiceSettings
from trunkline.store import open_store

__all__ = ["store"]

SECRET = "my card number is four one one one"


async def ended(store: CallStore, seconds: float, **changes: object) -> CallRecord:
    """A call that ended so long after noon, with a recording and something said."""
    end = replace(ANSWERED, reason="The agent transferred the call to +14155550177.")
    call = a_call(state=CallState.ENDED, ended_at=at(seconds), end=end, recording="x.wav")
    call = replace(call, turns=(a_turn(1, text=SECRET), a_turn(2)), events=(an_event(call.id),))
    call = replace(call, **changes)  # type: ignore[arg-type]
    await store.add(call)
    return call


async def kept(store: CallStore, call_id: CallId) -> CallRecord:
    call = await store.get(call_id)
    assert call is not None
    return call


@pytest.mark.parametrize("part", [Part.RECORDING, Part.TRANSCRIPT, Part.CALL])
async def test_what_ended_before_is_due_oldest_first(store: CallStore, part: Part) -> None:
    late, early = await ended(store, 60), await ended(store, 30)
    await store.add(a_call(state=CallState.ANSWERED, recording="y.wav"))
    assert await store.due(part, at(100)) == [early.id, late.id]
    assert await store.due(part, at(60)) == [early.id]
    assert await store.due(part, at(30)) == []


async def test_a_recording_is_forgotten_and_all_else_stays(store: CallStore) -> None:
    call = await ended(store, 30)
    assert await store.erase(call.id, Part.RECORDING, at(90)) == 0
    assert await kept(store, call.id) == replace(call, recording=None)
    assert await store.due(Part.RECORDING, at(100)) == []


async def test_a_transcript_goes_with_everything_that_was_brought_to_the_call(store: CallStore) -> None:
    call = await ended(store, 30)
    assert await store.erase(call.id, Part.TRANSCRIPT, at(90)) == 3
    left = await kept(store, call.id)
    assert (left.turns, left.events, left.variables, left.script, left.callback_url) == ((), (), {}, None, None)
    assert (left.forgotten_at, left.number, left.recording) == (at(90), call.number, call.recording)
    assert left.end is not None and left.end.reason == "The agent transferred the call to +1415•••0177."
    assert await store.due(Part.TRANSCRIPT, at(100)) == []


async def test_news_that_come_late_are_due_again(store: CallStore) -> None:
    call = await ended(store, 30)
    await store.erase(call.id, Part.TRANSCRIPT, at(90))
    await store.add_event(an_event(call.id, "callback"))
    assert await store.due(Part.TRANSCRIPT, at(100)) == [call.id]
    assert await store.erase(call.id, Part.TRANSCRIPT, at(95)) == 1


async def test_a_number_is_due_when_nothing_else_is_left_that_was_said(store: CallStore) -> None:
    call = await ended(store, 30)
    nobody, hashed = await ended(store, 31, number=ANONYMOUS), await ended(store, 32, number=f"{HASHED}abc")
    for each in (call, nobody, hashed):
        await store.erase(each.id, Part.TRANSCRIPT, at(90))
    assert await store.due(Part.NUMBER, at(100)) == []
    for each in (call, nobody, hashed):
        await store.erase(each.id, Part.RECORDING, at(90))
    assert await store.due(Part.NUMBER, at(100)) == [call.id]
    await store.erase(call.id, Part.NUMBER, at(90))
    assert (await kept(store, call.id)).number == REMOVED
    assert await store.due(Part.NUMBER, at(100)) == []


async def test_a_call_goes_with_all_there_is_of_it(store: CallStore) -> None:
    call, other = await ended(store, 30), await ended(store, 31)
    assert await store.erase(call.id, Part.CALL, at(90)) == 3
    assert await store.get(call.id) is None
    assert await store.recent() == [replace(other, turns=(), events=())]
    assert await kept(store, other.id) == other
    with pytest.raises(UnknownCall):
        await store.erase(call.id, Part.CALL, at(90))


@pytest.mark.parametrize("part", list(Part))
async def test_a_call_that_runs_is_left_alone(store: CallStore, part: Part) -> None:
    call = a_call(state=CallState.ANSWERED, turns=(a_turn(1),))
    await store.add(call)
    with pytest.raises(CallLive):
        await store.erase(call.id, part, at(90))
    assert await store.get(call.id) == call


async def test_what_was_deleted_is_in_none_of_the_database_s_files(tmp_path: Path) -> None:
    store = await open_store(ServiceSettings(data_dir=tmp_path))

    def found(text: str) -> bool:
        return any(text.encode() in file.read_bytes() for file in tmp_path.glob("trunkline.db*"))

    call = await ended(store, 30, number="+14155550142")
    await store.add_turn(call.id, a_turn(1, text="something else"))  # the words before are overwritten as well
    for number in range(40):
        await store.add(a_call(number=f"+1415555{number:04}"))
    assert found("something else") and found("+14155550142")
    assert await store.erase(call.id, Part.TRANSCRIPT, at(90)) == 3
    await store.scrub()
    assert not found("something else") and not found(SECRET)
    assert found("+14155550142")
    await store.erase(call.id, Part.CALL, at(90))
    await store.scrub()
    assert not found("+14155550142")
    await store.close()
    assert not found(SECRET)


async def test_a_call_without_an_end_of_its_own_can_be_forgotten(store: CallStore) -> None:
    end = CallEnd(Disposition.FAILED, "", ANSWERED.hung_up_by)
    call = await ended(store, 30, end=end, turns=(), events=())
    assert await store.erase(call.id, Part.TRANSCRIPT, at(90)) == 0
    assert (await kept(store, call.id)).end == end
