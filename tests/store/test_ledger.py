"""What is kept about dialling: the SQL ledger and its double keep the same promises."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.doubles_ledger import MemoryLedger
from tests.store.records import at
from trunkline.ledger import Attempt, Cap, Caps, Ledger, Purpose, Refusal, Stop, Unwanted
from trunkline.models import CallId
from trunkline.settings import ServiceSettings
from trunkline.store import open_store
from trunkline.store.ledger import AT_ONCE, SqlLedger

NUMBER, OTHER = "+14155550100", "+14155550101"
LONG_AGO = at(0) - timedelta(days=1)


@pytest.fixture(params=["memory", "sql"])
async def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[Ledger, None]:
    if request.param == "memory":
        yield MemoryLedger()
        return
    store = await open_store(ServiceSettings(data_dir=tmp_path))
    yield SqlLedger(store.tables)
    await store.close()


async def test_attempts_are_counted_up_to_each_cap(ledger: Ledger) -> None:
    assert await ledger.reserve(Attempt(at(0), NUMBER, 0.5), Caps(LONG_AGO)) is None
    assert await ledger.reserve(Attempt(at(1), NUMBER), Caps(LONG_AGO, to_number=1)) is Cap.TO_NUMBER
    assert await ledger.reserve(Attempt(at(1), OTHER), Caps(LONG_AGO, to_number=1, attempts=1)) is Cap.ATTEMPTS
    assert await ledger.reserve(Attempt(at(1), OTHER, 0.6), Caps(LONG_AGO, cost=1.0)) is Cap.COST
    assert await ledger.reserve(Attempt(at(1), OTHER, 0.5), Caps(LONG_AGO, 1, 2, 1.0)) is None
    assert (await ledger.usage(LONG_AGO)).attempts == 2
    assert (await ledger.usage(LONG_AGO)).cost == pytest.approx(1.0)


async def test_what_is_long_ago_no_longer_counts(ledger: Ledger) -> None:
    await ledger.reserve(Attempt(at(0), NUMBER, 5.0), Caps(LONG_AGO))
    assert await ledger.reserve(Attempt(at(60), NUMBER, 1.0), Caps(at(0), 1, 1, 1.0)) is None
    assert (await ledger.usage(at(0))).attempts == 1


async def test_two_never_share_the_last_place(ledger: Ledger) -> None:
    caps = Caps(LONG_AGO, attempts=3)
    verdicts = await asyncio.gather(*(ledger.reserve(Attempt(at(1), NUMBER), caps) for _ in range(10)))
    assert sorted(str(each) for each in verdicts) == ["None"] * 3 + ["attempts"] * 7


async def test_a_call_that_has_ended_counts_as_what_it_did_cost(ledger: Ledger) -> None:
    await ledger.reserve(Attempt(at(0), NUMBER, 0.5, CallId("a")), Caps(LONG_AGO))
    await ledger.reserve(Attempt(at(0), NUMBER, 0.5, CallId("b")), Caps(LONG_AGO))
    await ledger.settle(CallId("a"), 0.1)
    await ledger.settle(CallId("never"), 9.0)
    assert (await ledger.usage(LONG_AGO)).cost == pytest.approx(0.6)


async def test_the_do_not_call_list(ledger: Ledger) -> None:
    assert await ledger.unwanted(NUMBER) is None
    assert await ledger.put_on_list([Unwanted(NUMBER, at(0), "asked"), Unwanted(OTHER, at(0), "imported")]) == 2
    assert await ledger.put_on_list([Unwanted(NUMBER, at(9), "imported")]) == 0
    assert await ledger.unwanted(NUMBER) == Unwanted(NUMBER, at(0), "asked")
    assert [each.number for each in await ledger.list_unwanted(limit=1)] == [NUMBER]
    assert [each.number for each in await ledger.list_unwanted(limit=5, after=NUMBER)] == [OTHER]
    assert await ledger.take_off_list(NUMBER)
    assert not await ledger.take_off_list(NUMBER)
    assert await ledger.unwanted(NUMBER) is None


async def test_a_long_list_with_repeated_numbers(ledger: Ledger) -> None:
    many = [Unwanted(f"+1415{5550000 + index % (AT_ONCE + 20)}", at(0), "imported") for index in range(3 * AT_ONCE)]
    assert await ledger.put_on_list(iter(many)) == AT_ONCE + 20
    assert len(await ledger.list_unwanted(limit=10 * AT_ONCE)) == AT_ONCE + 20


async def test_the_switch(ledger: Ledger) -> None:
    assert await ledger.stop() is None
    await ledger.set_stop(Stop(at(0), "complaints"))
    await ledger.set_stop(Stop(at(1), "more complaints"))
    assert await ledger.stop() == Stop(at(1), "more complaints")
    await ledger.set_stop(None)
    assert await ledger.stop() is None


async def test_refusals_newest_first(ledger: Ledger) -> None:
    for second in range(4):
        number = NUMBER if second % 2 else OTHER
        await ledger.note_refusal(Refusal(at(second), number, Purpose.CALL, "do_not_call", "No."))
    newest = await ledger.refusals(limit=2)
    assert [each.at for each in newest] == [at(3), at(2)]
    assert [each.at for each in await ledger.refusals(limit=9, before=newest[-1].id)] == [at(1), at(0)]
    assert [each.at for each in await ledger.refusals(limit=9, number=OTHER)] == [at(2), at(0)]


async def test_only_the_last_refusals_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trunkline.store.ledger.KEPT_REFUSALS", 3)
    store = await open_store(ServiceSettings(data_dir=tmp_path))
    ledger = SqlLedger(store.tables)
    for second in range(5):
        await ledger.note_refusal(Refusal(at(second), NUMBER, Purpose.TRANSFER, "do_not_call", "No."))
    assert [each.at for each in await ledger.refusals(limit=9)] == [at(4), at(3), at(2)]
    await store.close()
