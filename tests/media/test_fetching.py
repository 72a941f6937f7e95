"""Fetching from a real server that behaves and misbehaves, and from addresses that are refused."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest
import pytest_asyncio
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.media.web_server import WebServer, answer, bytes_then, close, hang, web_server
from trunkline.errors import AddressRefused, FetchFailed, MediaError
from trunkline.media.fetching import Fetcher, FetchLimits
from trunkline.media.guarded_network import Resolve

LIMITS = FetchLimits(max_bytes=100_000)
SHORT = replace(LIMITS, connect_seconds=0.05, first_byte_seconds=0.05, stall_seconds=0.1)


@pytest_asyncio.fixture
async def site() -> AsyncIterator[WebServer]:
    async with web_server() as server:
        yield server


@pytest.fixture(scope="module")
def certificate() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """What a server for `audio.test` has, and what a client that trusts its maker has."""
    maker = trustme.CA()
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    maker.issue_cert("audio.test").configure_cert(serving)
    trusting = ssl.create_default_context()
    maker.configure_trust(trusting)
    return serving, trusting


async def fetched(url: str, limits: FetchLimits = LIMITS, *, private: bool = True, **options: object) -> bytes:
    fetcher = Fetcher(limits, private, **options)  # type: ignore[arg-type]
    try:
        async with fetcher.get(url) as found:
            return b"".join([piece async for piece in found.pieces()])
    finally:
        await fetcher.close()


async def failure(url: str, limits: FetchLimits = LIMITS, **options: object) -> MediaError:
    with pytest.raises(MediaError) as failed:
        await fetched(url, limits, **options)  # type: ignore[arg-type]
    assert failed.value.remedy
    return failed.value


def names(**addresses: str | list[str]) -> Resolve:
    """A name service that knows these and nothing else, and every address in figures."""

    async def resolve(host: str, _port: int) -> list[str]:
        found = addresses.get(host.replace(".", "_"))
        if found is None:
            raise OSError(f"{host} is unknown")
        return [found] if isinstance(found, str) else found

    return resolve


# ── what is fetched ────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_answer_comes_in_pieces_with_its_type(site: WebServer) -> None:
    site.answers["/a.mp3?x=1"] = answer(b"sound" * 1000, content_type="Audio/MPEG; charset=x")
    fetcher = Fetcher(LIMITS, allow_private=True)
    async with fetcher.get(site.url("/a.mp3?x=1#here")) as found:
        assert (found.status, found.content_type) == (200, "audio/mpeg")
        assert b"".join([piece async for piece in found.pieces()]) == b"sound" * 1000
    await fetcher.close()
    path, headers = site.requests[0]
    assert path == "/a.mp3?x=1"
    assert headers["host"] == f"127.0.0.1:{site.port}"
    assert headers["accept-encoding"] == "identity"
    assert headers["user-agent"].startswith("trunkline/")


async def test_pieces_come_before_the_rest_is_there(site: WebServer) -> None:
    more = asyncio.Event()

    async def rest(writer: asyncio.StreamWriter) -> None:
        await more.wait()
        writer.write(b"3\r\nend\r\n0\r\n\r\n")

    site.answers["/"] = bytes_then(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n", rest)
    fetcher = Fetcher(LIMITS, allow_private=True)
    async with fetcher.get(site.url()) as found:
        pieces = found.pieces()
        assert await anext(pieces) == b"first"
        more.set()
        assert [piece async for piece in pieces] == [b"end"]
    await fetcher.close()


async def test_connections_are_used_again(site: WebServer) -> None:
    site.answers["/"] = answer(b"sound")
    fetcher = Fetcher(LIMITS, allow_private=True)
    for _ in range(3):
        async with fetcher.get(site.url()) as found:
            assert [piece async for piece in found.pieces()] == [b"sound"]
    assert site.connections == 1
    await fetcher.close()


async def test_a_kept_connection_that_the_server_closes_just_then_harms_nobody(site: WebServer) -> None:
    sound = answer(b"sound")

    async def once(writer: asyncio.StreamWriter) -> None:
        if len(site.requests) == 2:
            writer.close()
        else:
            await sound(writer)

    site.answers["/"] = once
    fetcher = Fetcher(LIMITS, allow_private=True)
    for _ in range(2):
        async with fetcher.get(site.url()) as found:
            assert [piece async for piece in found.pieces()] == [b"sound"]
    assert len(site.requests) == 3
    await fetcher.close()


async def test_what_is_not_read_to_the_end_leaves_no_connection(site: WebServer) -> None:
    site.answers["/"] = bytes_then(b"HTTP/1.1 200 OK\r\ncontent-length: 90000\r\n\r\nstart", hang)
    fetcher = Fetcher(LIMITS, allow_private=True)
    before = asyncio.all_tasks()
    async with fetcher.get(site.url()) as found:
        assert await anext(found.pieces()) == b"start"
    async with asyncio.timeout(5):
        assert site.open_connections == 1
        await fetcher.close()
    assert {task for task in asyncio.all_tasks() - before if "connected" not in repr(task)} == set()


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
async def test_redirects_are_followed(site: WebServer, status: str) -> None:
    site.answers["/a/b"] = answer(status=status, location="../c?d")
    site.answers["/c?d"] = answer(b"sound")
    assert await fetched(site.url("/a/b")) == b"sound"


# ── what goes wrong ────────────────────────────────────────────────────────────────────────────────────────────


async def test_redirects_without_end(site: WebServer) -> None:
    site.answers["/"] = answer(status="302 Found", location="/")
    assert "more than 3 redirects" in (await failure(site.url())).message
    assert len(site.requests) == 4


@pytest.mark.parametrize(
    "status", ["401 Unauthorized", "404 Not Found", "304 Not Modified", "302 Found", "502 Bad Gateway"]
)
async def test_an_answer_that_is_no_success(site: WebServer, status: str) -> None:
    site.answers["/"] = answer(b"<html>secret</html>", status=status)
    trouble = await failure(site.url())
    assert isinstance(trouble, FetchFailed)
    assert status[:3] in trouble.message
    assert "secret" not in str(trouble)


async def test_too_much_is_refused_by_its_length_alone(site: WebServer) -> None:
    site.answers["/"] = bytes_then(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n", hang)
    assert "larger than 0.1 MB" in (await failure(site.url())).message


async def test_too_much_without_a_length_is_stopped(site: WebServer) -> None:
    sent = 0

    async def endless(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        while True:
            writer.write(b"2710\r\n" + bytes(10_000) + b"\r\n")
            sent += 10_000
            await writer.drain()

    site.answers["/"] = bytes_then(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", endless)
    assert "larger than 0.1 MB" in (await failure(site.url())).message
    assert sent < 100_000_000


@pytest.mark.parametrize("packing", ["gzip", "br", "deflate, gzip"])
async def test_nothing_is_unpacked(site: WebServer, packing: str) -> None:
    site.answers["/"] = answer(b"bomb", content_encoding=packing)
    assert "packed" in (await failure(site.url())).message


@pytest.mark.parametrize(
    "said",
    [b"", b"HTTP/1.1 200 OK\r\ncontent-le", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nbad header\r\n\r\n", b"\0" * 100],
)
async def test_an_answer_that_is_none(site: WebServer, said: bytes) -> None:
    site.answers["/"] = bytes_then(said, close)
    assert "broke off" in (await failure(site.url())).message


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n64\r\nhalf",
    ],
)
async def test_a_body_that_is_cut_off(site: WebServer, said: bytes) -> None:
    site.answers["/"] = bytes_then(said, close)
    assert "broke off" in (await failure(site.url())).message


async def test_a_server_that_never_answers(site: WebServer) -> None:
    site.answers["/"] = hang
    assert "doesn't answer" in (await failure(site.url(), SHORT)).message


async def test_a_server_that_stalls(site: WebServer) -> None:
    site.answers["/"] = bytes_then(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf", hang)
    assert "sends nothing more" in (await failure(site.url(), SHORT)).message


async def test_a_server_that_drips(site: WebServer) -> None:
    async def drip(writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"1\r\n.\r\n")
            await asyncio.sleep(0.01)

    site.answers["/"] = bytes_then(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", drip)
    trouble = await failure(site.url(), replace(LIMITS, total_seconds=0.3))
    assert "within the time a fetch may take" in trouble.message


async def test_a_server_that_is_not_there(site: WebServer) -> None:
    async with web_server() as gone:
        url = gone.url()
    assert "can't be reached" in (await failure(url)).message


async def test_a_name_that_is_none() -> None:
    assert (
        "can't be reached: nowhere.test is unknown" in (await failure("http://nowhere.test/", resolve=names())).message
    )


async def test_a_name_service_that_hangs() -> None:
    async def resolve(_host: str, _port: int) -> list[str]:
        await asyncio.Event().wait()
        return []

    assert "can't be reached in time" in (await failure("http://slow.test/", SHORT, resolve=resolve)).message


async def test_a_certificate_nobody_vouches_for(certificate: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    serving, _ = certificate
    async with web_server(serving) as site:
        site.answers["/"] = answer(b"sound")
        trouble = await failure(site.url(scheme="https", host="audio.test"), resolve=names(audio_test="127.0.0.1"))
    assert "CERTIFICATE_VERIFY_FAILED" in trouble.message
    assert site.requests == []


async def test_a_certificate_is_checked_for_the_name_not_the_address(
    certificate: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    serving, trusting = certificate
    async with web_server(serving) as site:
        site.answers["/"] = answer(b"sound")
        there = names(audio_test="127.0.0.1", other_test="127.0.0.1")
        url = site.url(scheme="https", host="audio.test")
        assert await fetched(url, resolve=there, tls=trusting) == b"sound"
        trouble = await failure(site.url(scheme="https", host="other.test"), resolve=there, tls=trusting)
    assert "CERTIFICATE_VERIFY_FAILED" in trouble.message


# ── what is refused ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "url",
    [
        "",
        "sound.wav",
        "//example.com/x",
        "file:///etc/passwd",
        "ftp://example.com/x",
        "gopher://127.0.0.1/",
        "data:,x",
        "http://",
        "http:///x",
        "http://[::1",
        "http://example.com:0/",
        "http://example.com:99999999/",
        "http://\0/",
        "https:example.com",
        "http://user@example.com/x",
        "http://user:word@example.com/x",
        "http://:word@example.com/",
        "http://" + "a" * 70_000,
    ],
    ids=lambda url: url[:30],
)
async def test_addresses_that_are_none(url: str) -> None:
    trouble = await failure(url)
    assert isinstance(trouble, AddressRefused)
    assert "word" not in str(trouble)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]", "0.0.0.0", "0", "[::]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]",
    ],
)  # fmt: skip
async def test_no_way_to_this_machine(site: WebServer, host: str) -> None:
    trouble = await failure(site.url(host=host), private=False)
    assert isinstance(trouble, AddressRefused)
    assert site.connections == 0


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "169.254.169.254", "224.0.0.1", "0.0.0.0",
        "::1", "fd00::1", "fe80::1", "ff02::1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::", "::",
    ],
)  # fmt: skip
async def test_no_name_leads_into_a_private_network(address: str) -> None:
    for found in ([address], ["93.184.216.34", address]):
        trouble = await failure("http://rebound.test/", private=False, resolve=names(rebound_test=found))
        assert isinstance(trouble, AddressRefused)
        assert address in trouble.message


@pytest.mark.parametrize(
    "address", ["169.254.169.254", "100.100.100.200", "fd00:ec2::254", "fe80::1", "224.0.0.1", "0.0.0.0"]
)
async def test_what_stays_refused_where_private_addresses_are_allowed(address: str) -> None:
    trouble = await failure("http://secrets.test/", resolve=names(secrets_test=address))
    assert isinstance(trouble, AddressRefused)


async def test_a_name_is_looked_up_once_and_that_address_is_connected_to(site: WebServer) -> None:
    site.answers["/"] = answer(b"sound")
    asked = []

    async def changing(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["169.254.169.254"]

    assert await fetched(site.url(host="changing.test"), resolve=changing) == b"sound"
    assert asked == ["changing.test"]
    assert site.requests[0][1]["host"] == f"changing.test:{site.port}"


async def test_a_redirect_to_an_address_that_is_refused(site: WebServer) -> None:
    for location in ("http://169.254.169.254/latest/meta-data/", "file:///etc/passwd", "http://user:word@127.0.0.1/"):
        site.answers["/"] = answer(status="302 Found", location=location)
        assert isinstance(await failure(site.url()), AddressRefused)


async def test_where_one_address_fails_the_next_is_tried(site: WebServer) -> None:
    site.answers["/"] = answer(b"sound")
    there = names(twofold_test=["127.0.0.2", "127.0.0.1"])
    assert await fetched(site.url(host="twofold.test"), resolve=there) == b"sound"


@settings(max_examples=200, deadline=None)
@given(
    st.one_of(
        st.text(max_size=60), st.text(max_size=40).map("http://{}".format), st.from_regex(r"https?://[!-~]{1,40}")
    )
)
def test_any_text_as_an_address(text: str) -> None:
    async def nobody(_host: str, _port: int) -> list[str]:
        return ["10.0.0.1"]

    async def refused() -> None:
        with pytest.raises(AddressRefused):
            await fetched(text, private=False, resolve=nobody)

    asyncio.run(refused())


async def test_pieces_fetched_are_those_httpx_would_fetch(site: WebServer) -> None:
    """Against a client that has nothing of ours: the request we write is an ordinary one."""
    site.answers["/a%20b?c=%C3%BC"] = answer(b"sound")
    url = site.url("/a b?c=ü")
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(url)).content == await fetched(url)
    ours, theirs = (request for request, _ in site.requests)
    assert ours == theirs
