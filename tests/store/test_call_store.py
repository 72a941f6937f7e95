"""The contract of `ports.CallStore`, kept by the SQL store and by its double."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.doubles_store import MemoryCallStore
from tests.store.records import ANSWERED, LOST, NOON, a_call, a_turn, an_event, at
from trunkline.errors import RecordRefused, StoreError, UnknownCall
from trunkline.models import CallEnd, CallId, CallState, Disposition, HangUpBy, Speaker, Turn, TurnTimings
from trunkline.ports import CallStore
from trunkline.settings import ServiceSettings
from trunkline.store import open_store

NOBODY = CallId("00000000-0000-0000-0000-000000000000")


@pytest.fixture(params=["sql", "memory"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[CallStore]:
    store: CallStore = (
        MemoryCallStore() if request.param == "memory" else await open_store(ServiceSettings(data_dir=tmp_path))
    )
    yield store
    await store.close()


async def test_a_new_call_comes_back_as_it_went_in(store: CallStore) -> None:
    call = a_call()
    await store.add(call)
    assert await store.get(call.id) == call
    assert await store.get(NOBODY) is None


async def test_a_whole_call_comes_back_as_it_went_in(store: CallStore) -> None:
    call = a_call(
        state=CallState.ENDED,
        dialled_at=at(1),
        ringing_at=at(2),
        answered_at=at(3),
        ended_at=at(40),
        greeting_ms=84.0,
        end=CallEnd(Disposition.BUSY, "Busy.", HangUpBy.CARRIER, sip_code=486, sip_reason="Busy Here", q850_cause=17),
        recording="x.wav",
    )
    call = replace(call, turns=(a_turn(1), a_turn(2, timings=None)), events=(an_event(call.id), an_event(call.id)))
    await store.add(call)
    assert await store.get(call.id) == call


async def test_the_life_of_a_call(store: CallStore) -> None:
    call = a_call()
    await store.add(call)
    await store.set_state(call.id, CallState.DIALLING, at(1))
    await store.set_state(call.id, CallState.EARLY_MEDIA, at(2))
    await store.set_state(call.id, CallState.RINGING, at(3))
    await store.set_state(call.id, CallState.ANSWERED, at(4))
    await store.set_greeting(call.id, 92.5)
    await store.add_turn(call.id, a_turn(1))
    await store.add_turn(call.id, a_turn(2, speaker=Speaker.PERSON, confidence=0.875, keys="12#", timings=None))
    await store.add_event(an_event(call.id))
    await store.end(call.id, ANSWERED, at(60), recording=f"{call.id}.wav")

    kept = await store.get(call.id)
    assert kept is not None
    assert (kept.state, kept.end, kept.recording) == (CallState.ENDED, ANSWERED, f"{call.id}.wav")
    assert (kept.dialled_at, kept.ringing_at, kept.answered_at, kept.ended_at) == (at(1), at(2), at(4), at(60))
    assert kept.greeting_ms == 92.5
    assert [turn.keys for turn in kept.turns] == ["", "12#"]
    assert kept.events == (an_event(call.id),)


async def test_a_turn_told_again_replaces_itself(store: CallStore) -> None:
    call = a_call()
    await store.add(call)
    await store.add_turn(call.id, a_turn(2))
    await store.add_turn(call.id, a_turn(1, text="First"))
    await store.add_turn(call.id, a_turn(2, text="Again", cut_off=False, intended=None, timings=TurnTimings()))
    kept = await store.get(call.id)
    assert kept is not None
    assert [(turn.number, turn.text) for turn in kept.turns] == [(1, "First"), (2, "Again")]
    assert kept.turns[1].timings == TurnTimings()


async def test_an_ended_call_stays_as_it_ended(store: CallStore) -> None:
    call = a_call()
    await store.add(call)
    await store.end(call.id, ANSWERED, at(60), recording="first.wav")
    await store.end(call.id, LOST, at(70), recording="second.wav")
    await store.set_state(call.id, CallState.RINGING, at(80))
    kept = await store.get(call.id)
    assert kept is not None
    assert (kept.state, kept.end, kept.ended_at, kept.recording) == (CallState.ENDED, ANSWERED, at(60), "first.wav")
    assert kept.ringing_at is None


async def test_late_words_of_an_ended_call_are_kept(store: CallStore) -> None:
    call = a_call()
    await store.add(call)
    await store.end(call.id, ANSWERED, at(60))
    await store.add_turn(call.id, a_turn())
    await store.add_event(an_event(call.id, "callback"))
    kept = await store.get(call.id)
    assert kept is not None
    assert len(kept.turns) == len(kept.events) == 1


async def test_a_better_reason_changes_nothing_else(store: CallStore) -> None:
    call = a_call()
    await store.add(call)
    await store.end(call.id, LOST, at(60), recording="first.wav")
    await store.explain(call.id, "The account has no funds.")
    kept = await store.get(call.id)
    assert kept is not None
    assert kept.end == replace(LOST, reason="The account has no funds.")
    assert (kept.state, kept.ended_at, kept.recording) == (CallState.ENDED, at(60), "first.wav")
    with pytest.raises(UnknownCall):
        await store.explain(NOBODY, "x")


async def test_nothing_is_kept_of_a_call_that_was_never_added(store: CallStore) -> None:
    with pytest.raises(UnknownCall):
        await store.set_state(NOBODY, CallState.RINGING, NOON)
    with pytest.raises(UnknownCall):
        await store.set_greeting(NOBODY, 1.0)
    with pytest.raises(UnknownCall):
        await store.add_turn(NOBODY, a_turn())
    with pytest.raises(UnknownCall):
        await store.add_event(an_event(NOBODY))
    with pytest.raises(UnknownCall):
        await store.end(NOBODY, ANSWERED, NOON)
    with pytest.raises(UnknownCall):
        await store.recent(before=NOBODY)


async def test_a_call_is_added_once(store: CallStore) -> None:
    call = a_call()
    await store.add(call)
    with pytest.raises(RecordRefused):
        await store.add(replace(call, number="+14155550101"))
    assert await store.get(call.id) == call


async def test_times_come_back_in_utc_and_naive_ones_are_refused(store: CallStore) -> None:
    kolkata = timezone(timedelta(hours=5, minutes=30))
    call = a_call(created_at=datetime(2025, 3, 1, 3, 0, tzinfo=kolkata))
    await store.add(call)
    kept = await store.get(call.id)
    assert kept is not None
    assert kept.created_at == datetime(2025, 2, 28, 21, 30, tzinfo=UTC)
    assert kept.created_at.utcoffset() == timedelta(0)
    with pytest.raises(RecordRefused):
        await store.set_state(call.id, CallState.RINGING, datetime(2025, 3, 1))


async def test_pages_newest_first(store: CallStore) -> None:
    # Two share each second, so that a page can end between them.
    added = [a_call(created_at=at(number // 2), number=f"+1415555010{number % 2}") for number in range(10)]
    for call in added:
        await store.add(call)
    await store.add_turn(added[0].id, a_turn())
    expected = [call.id for call in sorted(added, key=lambda call: (call.created_at, call.id), reverse=True)]

    seen: list[CallId] = []
    while page := await store.recent(limit=3, before=seen[-1] if seen else None):
        assert len(page) <= 3
        assert all(call.turns == () for call in page)
        seen += [call.id for call in page]
    assert seen == expected


async def test_pages_of_one_state_and_of_one_number(store: CallStore) -> None:
    added = [a_call(created_at=at(number), number=f"+1415555010{number % 2}") for number in range(6)]
    for call in added:
        await store.add(call)
    await store.end(added[2].id, ANSWERED, at(60))
    await store.end(added[3].id, ANSWERED, at(60))
    assert [call.id for call in await store.recent(state=CallState.ENDED)] == [added[3].id, added[2].id]
    odd = await store.recent(number="+14155550101", limit=2)
    assert [call.id for call in odd] == [added[5].id, added[3].id]
    assert [call.id for call in await store.recent(number="+14155550101", before=odd[-1].id)] == [added[1].id]
    assert await store.recent(number="' OR 1=1 --") == []
    for limit in (0, -1):
        with pytest.raises(RecordRefused):
            await store.recent(limit=limit)


async def test_orphans_are_ended_with_the_recordings_that_were_found(store: CallStore) -> None:
    ended, ringing, talking = a_call(), a_call(created_at=at(1)), a_call(created_at=at(2))
    for call in (ended, ringing, talking):
        await store.add(call)
    await store.end(ended.id, ANSWERED, at(5), recording="ended.wav")
    await store.set_state(talking.id, CallState.ANSWERED, at(5))
    found = {ended.id: "other.wav", talking.id: "talking.wav"}

    assert await store.close_orphans(LOST, at(100), recordings=found) == [ringing.id, talking.id]
    assert await store.close_orphans(LOST, at(200), recordings=found) == []

    kept = [await store.get(call.id) for call in (ended, ringing, talking)]
    assert [call.end for call in kept if call] == [ANSWERED, LOST, LOST]
    assert [call.ended_at for call in kept if call] == [at(5), at(100), at(100)]
    assert [call.recording for call in kept if call] == ["ended.wav", None, "talking.wav"]


async def test_refused_records_change_nothing(store: CallStore) -> None:
    call = a_call()
    await store.add(call)
    with pytest.raises(RecordRefused):
        await store.set_state(call.id, CallState.ENDED, NOON)
    with pytest.raises(RecordRefused):
        await store.add_turn(call.id, a_turn(timings=TurnTimings(gap_ms=math.nan)))
    with pytest.raises(RecordRefused):
        await store.add_event(an_event(call.id, data={"object": object()}))
    with pytest.raises(RecordRefused):
        await store.end(call.id, replace(ANSWERED, sip_code=10**30), at(60))
    with pytest.raises(RecordRefused):
        await store.add(a_call(id=CallId(str(call.id)[::-1]), events=(an_event(call.id, data={"n": math.inf}),)))
    assert await store.get(call.id) == call
    assert len(await store.recent()) == 1


async def test_many_writers_at_once(store: CallStore) -> None:
    calls = [a_call() for _ in range(20)]
    await asyncio.gather(*(store.add(call) for call in calls))
    await asyncio.gather(*(store.add_turn(call.id, a_turn(number)) for number in range(1, 6) for call in calls))
    await asyncio.gather(*(store.end(call.id, ANSWERED, at(60)) for call in calls))
    for call in calls:
        kept = await store.get(call.id)
        assert kept is not None
        assert [turn.number for turn in kept.turns] == [1, 2, 3, 4, 5]
        assert kept.end == ANSWERED


async def test_a_closed_store_says_so(store: CallStore) -> None:
    await store.add(a_call())
    await store.close()
    with pytest.raises(StoreError):
        await store.add(a_call())
    with pytest.raises(StoreError):
        await store.recent()


anything = st.text(st.characters(codec=None), max_size=40)


@given(text=anything, name=anything)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
async def test_whatever_is_said_is_kept(store: CallStore, text: str, name: str) -> None:
    call = a_call(variables={name: text})
    await store.add(call)
    await store.add_turn(call.id, Turn(1, Speaker.PERSON, text, 0.0, 1.0, keys=name))
    await store.add_event(an_event(call.id, text=text, data={name: text}))
    await store.end(call.id, replace(ANSWERED, reason=text), at(1), recording=name)
    kept = await store.get(call.id)
    assert kept is not None and kept.end is not None
    assert kept.variables == kept.events[0].data
    [(key, value)] = kept.variables.items()
    for got, given_text in (
        (key, name),
        (value, text),
        (kept.turns[0].text, text),
        (kept.turns[0].keys, name),
        (kept.end.reason, text),
    ):
        assert all(a in (b, "\ufffd") for a, b in zip(got, given_text, strict=True))
    assert await store.get(CallId(text)) is None
