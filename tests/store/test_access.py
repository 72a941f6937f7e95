"""API keys and the audit log: the SQL book and its double keep the same promises."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from tests.doubles_ledger import MemoryAccessBook
from tests.store.records import at
from trunkline.access import AccessBook, ApiKey, AuditLine, Scope, digest, new_key
from trunkline.errors import RequestError
from trunkline.settings import ServiceSettings
from trunkline.store import open_store
from trunkline.store.access import SqlAccessBook

KEY = ApiKey("n8n", digest(b"a"), frozenset({Scope.CALL, Scope.READ}), at(0))


@pytest.fixture(params=["memory", "sql"])
async def book(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[AccessBook, None]:
    if request.param == "memory":
        yield MemoryAccessBook()
        return
    store = await open_store(ServiceSettings(data_dir=tmp_path))
    yield SqlAccessBook(store.tables)
    await store.close()


async def test_keys_come_and_go(book: AccessBook) -> None:
    other = ApiKey("admin", digest(b"b"), frozenset({Scope.ADMIN}), at(1))
    await book.add_key(KEY)
    await book.add_key(other)
    assert await book.keys() == [other, KEY]
    with pytest.raises(RequestError, match="already"):
        await book.add_key(ApiKey("n8n", digest(b"c"), frozenset(), at(2)))
    assert await book.revoke("n8n")
    assert not await book.revoke("n8n")
    assert await book.keys() == [other]


async def test_the_log_newest_first(book: AccessBook) -> None:
    lines = [AuditLine(at(n), name, "POST /call", "+1415•••0100", 202, None) for n, name in enumerate(("a", "b", "a"))]
    for line in lines:
        await book.note(line)
    assert await book.audit(limit=2) == [lines[2], lines[1]]
    assert await book.audit(limit=9, key="a") == [lines[2], lines[0]]


async def test_only_the_last_lines_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trunkline.store.access.KEPT_LINES", 3)
    store = await open_store(ServiceSettings(data_dir=tmp_path))
    book = SqlAccessBook(store.tables)
    for second in range(5):
        await book.note(AuditLine(at(second), "", "POST /call", None, 422, "request_invalid"))
    assert [line.at for line in await book.audit(limit=9)] == [at(4), at(3), at(2)]
    await store.close()


async def test_no_key_is_in_the_database(tmp_path: Path) -> None:
    store = await open_store(ServiceSettings(data_dir=tmp_path))
    key = new_key()
    await SqlAccessBook(store.tables).add_key(ApiKey("n8n", digest(key.encode()), frozenset({Scope.CALL}), at(0)))
    await store.close()
    kept = await asyncio.to_thread(lambda: b"".join(file.read_bytes() for file in tmp_path.iterdir()))
    assert digest(key.encode()).encode() in kept
    assert key.removeprefix("tl_").encode() not in kept


def test_every_key_is_another() -> None:
    keys = {new_key() for _ in range(100)}
    assert len(keys) == 100
    assert all(len(key) == 46 and key.startswith("tl_") for key in keys)


def test_what_a_key_opens() -> None:
    assert KEY.opens(Scope.CALL) and KEY.opens(Scope.READ) and not KEY.opens(Scope.ADMIN)
    admin = ApiKey("a", "", frozenset({Scope.ADMIN}), at(0))
    assert all(admin.opens(scope) for scope in Scope)
