"""What is kept of calls goes when its time is over, and when somebody asks for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from tests.store.records import ANSWERED, NOON, a_call, a_turn, an_event
from trunkline.erasure import EVERY, Erased, Eraser
from trunkline.errors import CallLive, StoreError, UnknownCall
from trunkline.ledger import Attempt, Cap, Caps, Usage
from trunkline.models import REMOVED, CallEvent, CallId, CallRecord, CallState
from trunkline.settings import PrivacySettings, ServiceSettings
from trunkline.store import Recordings, SqlCallStore, open_store
from trunkline.store.ledger import SqlLedger

NUMBER = "+14155550100"
HASH_KEY = SecretStr("a key nobody else knows")


class Archive:
    """A store and a folder of recordings, and what day it is."""

    def __init__(self, store: SqlCallStore, folder: Path) -> None:
        self.store = store
        self.folder = folder
        self.now = NOON

    def eraser(self, **privacy: object) -> Eraser:
        settings = PrivacySettings(**privacy)
        return Eraser(self.store, Recordings(self.folder), settings, now=lambda: self.now)

    async def call(self, *, days_ago: float, **changes: object) -> CallRecord:
        """One with everything."""
        call = a_call(state=CallState.ENDED, end=ANSWERED, number=NUMBER, ended_at=NOON - timedelta(days=days_ago))
        call = replace(call, recording=f"{call.id}.wav", turns=(a_turn(1), a_turn(2)), events=(an_event(call.id),))
        call = replace(call, **changes)  # type: ignore[arg-type]
        await self.store.add(call)
        self.file(call).write_bytes(b"RIFF")
        return call

    def file(self, call: CallRecord) -> Path:
        return self.folder / f"{call.id}.wav"

    async def kept(self, call: CallRecord) -> CallRecord:
        found = await self.store.get(call.id)
        assert found is not None
        return found


@pytest.fixture
async def archive(tmp_path: Path) -> AsyncIterator[Archive]:
    store = await open_store(ServiceSettings(data_dir=tmp_path))
    folder = tmp_path / "recordings"
    folder.mkdir()
    yield Archive(store, folder)
    await store.close()


async def test_nothing_goes_unless_somebody_says_so(archive: Archive) -> None:
    call = await archive.call(days_ago=4000)
    assert await archive.eraser().sweep() == Erased()
    assert await archive.kept(call) == call
    assert archive.file(call).exists()


async def test_what_a_colleague_was_told_of_a_person_goes_with_the_person(archive: Archive) -> None:
    told, other = [await archive.call(days_ago=1, number="PJSIP/100") for _ in range(2)]
    event = CallEvent(told.id, NOON, "transfer-asked", "Anna is asked.", {"to": "Anna", "callId": told.id})
    call = await archive.call(days_ago=1)
    await archive.store.add_event(replace(event, call_id=call.id))
    assert (await archive.eraser().forget_number(NUMBER)).calls == 2
    assert await archive.store.get(call.id) is None
    assert await archive.store.get(told.id) is None and not archive.file(told).exists()
    assert await archive.kept(other) == other


async def test_each_kind_has_its_time(archive: Archive) -> None:
    week, month, year = [await archive.call(days_ago=days) for days in (8, 31, 366)]
    today = await archive.call(days_ago=6.9)
    eraser = archive.eraser(keep_recordings_days=7, keep_transcripts_days=30, keep_calls_days=365)
    expected = Erased(calls=1, recordings=2, transcripts=1, numbers=1)
    assert await eraser.sweep() == expected
    assert await archive.kept(today) == today
    assert await archive.kept(week) == replace(week, recording=None)
    left = await archive.kept(month)
    assert (left.number, left.turns, left.events, left.variables) == (REMOVED, (), (), {})
    assert (left.created_at, left.end, left.agent) == (month.created_at, month.end, month.agent)
    assert await archive.store.get(year.id) is None
    assert [path.name for path in archive.folder.iterdir()] == [f"{today.id}.wav"]
    assert await eraser.sweep() == Erased()


async def test_a_dry_run_deletes_nothing(archive: Archive) -> None:
    call = await archive.call(days_ago=10)
    eraser = archive.eraser(keep_recordings_days=7, keep_transcripts_days=7)
    assert await eraser.sweep(dry_run=True) == Erased(recordings=1, transcripts=1)
    assert await archive.kept(call) == call
    assert archive.file(call).exists()


async def test_the_number_stays_as_long_as_there_is_a_recording(archive: Archive) -> None:
    call = await archive.call(days_ago=10)
    await archive.eraser(keep_recordings_days=30, keep_transcripts_days=7).sweep()
    assert (await archive.kept(call)).number == NUMBER
    archive.now += timedelta(days=30)
    await archive.eraser(keep_recordings_days=30, keep_transcripts_days=7).sweep()
    assert (await archive.kept(call)).number == REMOVED


async def test_hashed_numbers_tell_who_is_the_same_and_nothing_else(archive: Archive) -> None:
    one, other = await archive.call(days_ago=10), await archive.call(days_ago=11)
    third = await archive.call(days_ago=12, number="+14155550199")
    eraser = archive.eraser(
        keep_recordings_days=7, keep_transcripts_days=7, numbers_afterwards="hash", hash_key=HASH_KEY
    )
    assert (await eraser.sweep()).numbers == 3
    numbers = [(await archive.kept(call)).number for call in (one, other, third)]
    assert numbers[0] == numbers[1] != numbers[2]
    assert numbers[0].startswith("hash:") and "555" not in numbers[0]
    assert await eraser.forget_number(NUMBER) == Erased(calls=2, numbers=2)
    assert await archive.kept(third)


async def test_numbers_are_kept_where_that_is_wanted(archive: Archive) -> None:
    call = await archive.call(days_ago=10)
    await archive.eraser(keep_recordings_days=7, keep_transcripts_days=7, numbers_afterwards="keep").sweep()
    assert (await archive.kept(call)).number == NUMBER


async def test_everything_of_a_call_is_forgotten(archive: Archive) -> None:
    call, other = await archive.call(days_ago=1), await archive.call(days_ago=1)
    erased = Erased(calls=1, recordings=1, transcripts=1, numbers=1)
    assert await archive.eraser().forget_call(call.id) == erased
    assert await archive.store.get(call.id) is None
    assert not archive.file(call).exists()
    assert await archive.kept(other) == other and archive.file(other).exists()
    with pytest.raises(UnknownCall):
        await archive.eraser().forget_call(call.id)
    with pytest.raises(UnknownCall):
        await archive.eraser().forget_call(CallId("nobody"))


async def test_everything_of_a_number_is_forgotten_however_many_calls(archive: Archive) -> None:
    for day in range(230):
        await archive.store.add(
            a_call(state=CallState.ENDED, end=ANSWERED, ended_at=NOON, number=NUMBER, created_at=NOON - timedelta(day))
        )
    # As a carrier shows a caller who shows no plus sign.
    await archive.call(days_ago=1, number=NUMBER[1:])
    other = await archive.call(days_ago=1, number="+14155550199")
    erased = await archive.eraser().forget_number(NUMBER)
    assert erased == Erased(calls=231, recordings=1, transcripts=1, numbers=231)
    assert [call.id for call in await archive.store.recent()] == [other.id]
    assert await archive.eraser().forget_number(NUMBER) == Erased()


async def test_while_one_of_its_calls_runs_a_number_is_not_forgotten(archive: Archive) -> None:
    ended = await archive.call(days_ago=1)
    live = a_call(state=CallState.ANSWERED, number=NUMBER)
    await archive.store.add(live)
    with pytest.raises(CallLive, match=live.id):
        await archive.eraser().forget_number(NUMBER)
    with pytest.raises(CallLive):
        await archive.eraser().forget_call(live.id)
    assert await archive.kept(ended) == ended
    assert archive.file(ended).exists()


async def test_numbers_that_were_removed_belong_to_nobody(archive: Archive) -> None:
    call = await archive.call(days_ago=10)
    eraser = archive.eraser(keep_recordings_days=7, keep_transcripts_days=7)
    await eraser.sweep()
    assert await eraser.forget_number(NUMBER) == Erased()
    assert await archive.kept(call)


async def test_it_sweeps_at_once_and_then_every_day(archive: Archive) -> None:
    first = await archive.call(days_ago=8)
    second = await archive.call(days_ago=6.5)
    slept: list[float] = []
    gone: list[list[CallId]] = []

    async def sleep(seconds: float) -> None:
        gone.append([call.id for call in (first, second) if not archive.file(call).exists()])
        slept.append(seconds)
        if len(slept) == 3:
            raise asyncio.CancelledError
        archive.now += timedelta(seconds=seconds)

    eraser = Eraser(
        archive.store,
        Recordings(archive.folder),
        PrivacySettings(keep_recordings_days=7),
        now=lambda: archive.now,
        sleep=sleep,
    )
    with pytest.raises(asyncio.CancelledError):
        await eraser.run()
    assert slept == [EVERY] * 3
    assert gone == [[first.id], [first.id, second.id], [first.id, second.id]]


async def test_a_store_that_fails_is_tried_again_the_next_day(
    archive: Archive, caplog: pytest.LogCaptureFixture
) -> None:
    days = 0

    class Failing(SqlCallStore):
        async def due(self, part: object, before: datetime) -> list[CallId]:
            raise StoreError("The disk is full.")

    async def sleep(_seconds: float) -> None:
        nonlocal days
        days += 1
        if days == 2:
            raise asyncio.CancelledError

    eraser = Eraser(
        Failing(archive.store.tables),
        Recordings(archive.folder),
        PrivacySettings(keep_recordings_days=7),
        now=lambda: NOON,
        sleep=sleep,
    )
    with pytest.raises(asyncio.CancelledError):
        await eraser.run()
    assert caplog.text.count("The disk is full.") == 2


async def test_two_who_delete_the_same_do_not_disturb_each_other(archive: Archive) -> None:
    calls = [await archive.call(days_ago=10) for _ in range(5)]
    eraser = archive.eraser(keep_calls_days=7)
    await asyncio.gather(eraser.sweep(), eraser.sweep(), eraser.forget_number(NUMBER))
    assert await archive.store.recent() == []
    assert not any(archive.file(call).exists() for call in calls)


@pytest.mark.parametrize("forget", [True, False])
async def test_attempts_still_count_but_for_no_number(archive: Archive, forget: bool) -> None:
    call = await archive.call(days_ago=10)
    since = NOON - timedelta(hours=1)
    ledger = SqlLedger(archive.store.tables)
    attempts = [Attempt(NOON, NUMBER, 0.5, call_id) for call_id in (call.id, CallId("another"))]
    for attempt in attempts:
        assert await ledger.reserve(attempt, Caps(since)) is None
    eraser = archive.eraser(keep_recordings_days=7, keep_transcripts_days=7)
    await (eraser.forget_call(call.id) if forget else eraser.sweep())
    assert await ledger.usage(since) == Usage(2, 1.0)
    assert await ledger.reserve(attempts[0], Caps(since, to_number=2)) is None
    assert await ledger.reserve(attempts[0], Caps(since, to_number=2)) is Cap.TO_NUMBER


def test_a_hash_needs_a_key() -> None:
    with pytest.raises(ValidationError, match="needs hash_key"):
        PrivacySettings(numbers_afterwards="hash")
    with pytest.raises(ValidationError, match="needs hash_key"):
        PrivacySettings(numbers_afterwards="hash", hash_key=SecretStr("short"))
