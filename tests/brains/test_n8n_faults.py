"""Whatever a workflow answers, the person hears something sensible soon, never the error, and nothing stays open."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.brains.n8n_call import agent_of, call
from tests.brains.n8n_server import Exchange, N8nServer, Play, body, endless, late, raw, reply, stream
from tests.doubles import tone
from trunkline.brains.n8n_faults import LASTING, MEANING, FaultKind
from trunkline.brains.n8n_request import wav_of
from trunkline.models import HangUpBy
from trunkline.settings import AgentSettings, N8nSettings

SOON = 2.0
"""Seconds of silence after their turn within which the person hears something."""
OURS = AgentSettings()
MANNERS = N8nSettings()
NOT_REGISTERED = {
    "code": 404,
    "message": 'The requested webhook "POST trunkline" is not registered.',
    "hint": "The workflow must be active for a production URL to run successfully.",
}
TEST_ONLY = {
    "code": 404,
    "message": 'The requested webhook "trunkline" is not registered.',
    "hint": "Click the 'Execute workflow' button on the canvas, then try again.",
}
PAGE = b"<!DOCTYPE html><html><head><title>502</title></head><body><h1>Bad Gateway</h1><p>nginx</p></body></html>"
REDIRECT = body(b"", 307, None, Location="https://10.0.0.1/webhook/trunkline")


async def hang(exchange: Exchange) -> None:
    await asyncio.sleep(60)
    await reply({"text_response": "Far too late."})(exchange)


FAULTS: dict[str, tuple[Play, FaultKind]] = {
    "n8n is starting": (body(b"n8n is starting up. Please wait"), FaultKind.STARTING),
    "not active": (reply(NOT_REGISTERED, 404), FaultKind.NOT_ACTIVE),
    "test address": (reply(TEST_ONLY, 404), FaultKind.TEST_ADDRESS),
    "404 of a proxy": (body(PAGE, 404), FaultKind.NOT_FOUND),
    "403": (body(b"Authorization data is wrong!", 403), FaultKind.FORBIDDEN),
    "401": (reply({"message": "Unauthorized"}, 401), FaultKind.FORBIDDEN),
    "500 of the workflow": (reply({"message": "Error in workflow"}, 500), FaultKind.WORKFLOW_FAILED),
    "no respond node": (
        reply({"code": 0, "message": "No Respond to Webhook node found in the workflow"}, 500),
        FaultKind.NO_RESPOND_NODE,
    ),
    "nothing at all": (body(b"", 200, None), FaultKind.EMPTY),
    "answers at once": (reply({"message": "Workflow was started"}), FaultKind.ANSWERS_AT_ONCE),
    "a page as success": (body(PAGE), FaultKind.HTML),
    "redirect": (REDIRECT, FaultKind.REDIRECT),
    "504": (body(PAGE, 504), FaultKind.GATEWAY),
    "524": (body(b"error code: 524", 524, "text/plain"), FaultKind.GATEWAY),
    "422": (reply({"message": "Failed to parse request body"}, 422), FaultKind.BAD_REQUEST),
    "400": (body(b"", 400), FaultKind.BAD_REQUEST),
    "429": (body(b"slow down", 429), FaultKind.BUSY),
    "no answer for a minute": (hang, FaultKind.TIMEOUT),
    "empty text": (reply({"text_response": ""}), FaultKind.UNKNOWN_REPLY),
    "unknown fields": (reply({"foo": 1}), FaultKind.UNKNOWN_REPLY),
    "an exception as text": (reply({"output": "NodeApiError: 429 Too many requests"}), FaultKind.ERROR_TEXT),
    "an error object": (reply([{"error": "The service is receiving too many requests"}]), FaultKind.ERROR_TEXT),
    "an expression": (body(b"{{ $json.output }}", 200, "text/plain"), FaultKind.ERROR_TEXT),
    "half an answer": (
        raw(b'HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{"text_response": "Half'),
        FaultKind.BROKEN_OFF,
    ),
    "closed without a word": (raw(b""), FaultKind.BROKEN_OFF),
    "not HTTP": (raw(b"SSH-2.0-OpenSSH_9.2\r\n"), FaultKind.BROKEN_OFF),
    "stream that fails at once": (stream({"type": "error", "content": "Boom"}), FaultKind.STREAM_ERROR),
    "stream with an error behind its end": (
        stream({"type": "end"}, {"type": "error", "content": "Boom"}),
        FaultKind.STREAM_ERROR,
    ),
    "stream of nothing": (stream({"type": "end"}), FaultKind.EMPTY),
    "stream that never begins": (stream(60), FaultKind.TIMEOUT),
    "no audio": (body(b"\0\1\2\3" * 500, 200, "audio/mpeg"), FaultKind.BAD_AUDIO),
    "audio at a private address": (reply({"audio_url": "http://10.0.0.1/hours.mp3"}), FaultKind.BAD_AUDIO),
    "audio at a cloud's secrets": (
        reply({"audio_url": "http://169.254.169.254/latest/meta-data"}),
        FaultKind.BAD_AUDIO,
    ),
    "audio in a file": (reply({"audio_url": "file:///etc/passwd"}), FaultKind.BAD_AUDIO),
    "megabytes of JSON": (reply({"text_response": "word " * 300_000}), FaultKind.TOO_LARGE),
}


@pytest.mark.parametrize("name", FAULTS)
async def test_a_failed_turn_is_apologised_for_and_told(name: str) -> None:
    play, kind = FAULTS[name]
    async with N8nServer(play, play) as server, call(server, agent_of(server)) as booth:
        ended = await booth.ask()
        await booth.until(lambda: booth.agent_speaks)
        assert booth.now - ended < SOON
        own = OURS.sorry if kind in LASTING else MANNERS.say_again
        await booth.until_said(own)
        ours = {"Hello there.", OURS.filler, OURS.hold_on, MANNERS.try_again, own}
        assert set(booth.voice.said) <= ours, "nothing but our own words is spoken"
        assert booth.faults[0] == kind
        event = next(note.event for note in booth.notes if note.event.kind == "brain-fault")
        assert event.data["remedy"] == MEANING[kind][1]
        if kind in LASTING:
            assert (await booth.until_over()).by is HangUpBy.AGENT


async def test_every_kind_has_a_meaning_and_a_remedy() -> None:
    assert set(MEANING) == set(FaultKind)


async def test_only_what_surely_never_ran_is_asked_again() -> None:
    starting, down = body(b"n8n is starting up. Please wait"), reply({"message": "Error in workflow"}, 500)
    async with N8nServer(starting) as server, call(server, agent_of(server)) as booth:
        await booth.ask()
        await booth.until_said("Fine.")
        assert booth.turns[-1].text == f"{MANNERS.try_again} Fine."
        assert len(server.turns) == 2
    async with N8nServer(down) as server, call(server, agent_of(server)) as booth:
        await booth.ask()
        await booth.until_said(MANNERS.say_again)
        assert len(server.turns) == 1, "it may have run: it is not run twice"


async def test_n8n_goes_away_in_a_call_and_comes_back() -> None:
    async with N8nServer() as server, call(server, agent_of(server)) as booth:
        await server.stop()
        await booth.wait(10)  # what was opened ahead is gone by now
        ended = await booth.ask()
        await booth.until(lambda: booth.agent_speaks)
        assert booth.now - ended < SOON
        await booth.until_said(MANNERS.say_again)
        assert booth.faults == [FaultKind.UNREACHABLE] * 2
        async with server:
            await booth.ask()
            await booth.until_said("Fine.")


async def test_the_second_failure_in_a_row_ends_the_call_with_an_apology() -> None:
    down = reply({"message": "Error in workflow"}, 500)
    async with N8nServer(down, down) as server, call(server, agent_of(server)) as booth:
        await booth.ask()
        await booth.until_said(MANNERS.say_again)
        await booth.ask()
        ending = await booth.until_over()
        assert ending.by is HangUpBy.AGENT and booth.turns[-1].text == OURS.sorry


async def test_a_good_turn_between_two_failures_forgives_them() -> None:
    down = reply({"message": "Error in workflow"}, 500)
    async with N8nServer(down, reply("Good."), down) as server, call(server, agent_of(server)) as booth:
        for words in (MANNERS.say_again, "Good.", MANNERS.say_again):
            before = len(booth.turns)
            await booth.ask()
            await booth.until(lambda before=before: len(booth.turns) == before + 2)  # type: ignore[misc]
            assert booth.turns[-1].text == words


async def test_the_script_goes_on_where_the_settings_want_that() -> None:
    async with N8nServer(reply(NOT_REGISTERED, 404)) as server:
        async with call(server, agent_of(server, fallback="script")) as booth:
            await booth.ask()
            await booth.until(lambda: len(booth.turns) == 3)
            assert "appointment" in booth.turns[-1].text.lower()
            await booth.ask()
            await booth.until(lambda: len(booth.turns) == 5)
        assert len(server.turns) == 1, "the workflow isn't asked any more"


class Line:
    def __init__(self) -> None:
        self.done: list[str] = []

    async def send_keys(self, keys: str) -> None:
        self.done.append(keys)

    async def transfer(self, to: str, about: str) -> str:
        self.done.append(to)
        return to


async def test_the_person_is_put_through_where_the_settings_want_that() -> None:
    line = Line()
    async with N8nServer(reply(NOT_REGISTERED, 404)) as server:
        async with call(server, agent_of(server, transfer_to="+14155550177"), control=line) as booth:
            await booth.ask()
            ending = await booth.until_over()
        assert ending.transferred_to == "+14155550177" and line.done == ["+14155550177"]
        assert booth.turns[-1].text == MANNERS.transfer_farewell


# ── streams ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_stream_that_stalls_is_bridged_and_given_up() -> None:
    play = stream("The first sentence is here. ", "The second", 60, " never comes.")
    async with N8nServer(play) as server, call(server, agent_of(server)) as booth:
        await booth.ask()
        await booth.until_quiet()
        silent_since = booth.now
        await booth.until(lambda: booth.agent_speaks)
        assert booth.now - silent_since < SOON
        await booth.until_said(MANNERS.say_again)
        assert booth.faults == [FaultKind.STALLED]
        assert "second" not in " ".join(booth.voice.said)


@pytest.mark.parametrize("end", [{"type": "error", "content": "TypeError: boom"}, None], ids=["error", "broken off"])
async def test_a_stream_that_fails_midway(end: object) -> None:
    play = stream("The first sentence is here. ", "And half", end)
    async with N8nServer(play) as server, call(server, agent_of(server)) as booth:
        await booth.ask()
        await booth.until_said(MANNERS.say_again)
        assert booth.turns[-1].text == f"The first sentence is here. {MANNERS.say_again}"
        assert booth.faults == [FaultKind.STREAM_ERROR if end else FaultKind.BROKEN_OFF]


# ── audio ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_gigabyte_of_audio_is_cut() -> None:
    piece = tone(1.0)

    async def play(exchange: Exchange) -> None:
        await endless(exchange, wav_of(piece)[:40] + b"\xff\xff\xff\x7f", piece)

    async with N8nServer(play) as server:
        async with call(server, agent_of(server, longest_audio_seconds=5)) as booth:
            ended = await booth.ask()
            await booth.until(lambda: booth.agent_speaks)
            assert booth.now - ended < SOON
            await booth.until(lambda: len(booth.turns) == 3)
            assert booth.turns[-1].ended - booth.turns[-1].started == pytest.approx(5, abs=1)
            assert booth.notes[-1].event.kind == "answer-cut"
            await booth.ask()
            await booth.until_said("Fine.")
        assert server.turns[0].sent < 30_000_000 and server.turns[0].gone.is_set()


async def test_an_audio_address_that_redirects_to_a_private_one() -> None:
    """Ours is private itself, so it is allowed here; where it leads to never is."""
    async with N8nServer() as server:
        server.files["a.mp3"] = body(b"", 302, None, Location="http://169.254.169.254/latest")
        server.plays = [reply({"audio_url": server.address_of("a.mp3")})]
        async with call(server, agent_of(server, allow_private_audio=True)) as booth:
            await booth.ask()
            await booth.until_said(MANNERS.say_again)
            assert booth.faults == [FaultKind.BAD_AUDIO]


async def test_audio_that_breaks_off_is_played_as_far_as_it_came() -> None:
    async def play(exchange: Exchange) -> None:
        wav = wav_of(tone(4.0))
        exchange.head(200, "audio/wav", Content_Length=str(len(wav)))
        exchange.send(wav[: len(wav) // 2])

    async with N8nServer(play) as server, call(server, agent_of(server)) as booth:
        await booth.ask()
        await booth.until_said(MANNERS.say_again)
        assert booth.faults == [FaultKind.BAD_AUDIO]
        assert booth.turns[-1].ended - booth.turns[-1].started > 2


# ── words ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_twenty_thousand_characters_are_cut_at_a_sentence() -> None:
    text = "This is one of very many sentences. " * 556
    server = N8nServer(reply({"text_response": text}))
    async with server, call(server, agent_of(server, longest_answer=200)) as booth:
        ended = await booth.ask()
        await booth.until(lambda: booth.agent_speaks)
        assert booth.now - ended < SOON
        await booth.until(lambda: len(booth.turns) == 3)
        assert booth.turns[-1].text == " ".join(["This is one of very many sentences."] * 5)
        assert booth.notes[-1].event.kind == "answer-cut"


async def test_words_as_models_write_them() -> None:
    text = "# Sure! 😀\n\n* **Monday**, at 3.5 p.m.\n* see [our page](https://example.com/a.b?c=d) or https://www.example.com/x?y=z\n\n```js\nx()\n```\n👍\nBye."
    async with N8nServer(reply({"output": text})) as server, call(server, agent_of(server)) as booth:
        await booth.ask()
        await booth.until_said("Bye.")
        ours = (OURS.filler, OURS.hold_on, "Hello there.")
        assert [text for text in booth.voice.said if text not in ours] == [
            "Sure!",
            "Monday, at 3.5 p.m.",
            "see our page or example dot com.",
            "Bye.",
        ]
        assert not booth.faults


# ── the welcome ────────────────────────────────────────────────────────────────────────────────────────────────────

WELCOMES: dict[str, Play] = {
    "not active": reply(NOT_REGISTERED, 404),
    "empty": body(b""),
    "a page": body(PAGE),
    "failed": reply({"message": "Error in workflow"}, 500),
    "late": hang,
    "broken off": raw(b"HTTP/1.1 200 OK\r\n"),
}


@pytest.mark.parametrize("name", WELCOMES)
async def test_a_welcome_that_fails(name: str) -> None:
    async with N8nServer() as server:
        server.welcome = WELCOMES[name]
        async with call(server, agent_of(server), greeted=False) as booth:
            await booth.until(lambda: booth.agent_speaks)
            assert booth.now - booth.start < SOON
            await booth.until_said(MANNERS.welcome_fallback)
            assert len(booth.faults) == 1
            assert set(booth.voice.said) <= {MANNERS.welcome_fallback, OURS.filler, OURS.hold_on}


# ── giving up on our side ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("play", [hang, stream("A first sentence. ", 60), late(0.5, stream(60))])
async def test_a_hang_up_in_the_middle_of_a_request_ends_it(play: Play) -> None:
    async with N8nServer(play) as server:
        async with call(server, agent_of(server)) as booth:
            await booth.ask()
            await booth.until(lambda: bool(server.turns))
            await booth.wait(1.0)
            assert not server.turns[0].gone.is_set()
        assert server.turns[0].gone.is_set()


async def test_an_interruption_ends_the_request_and_tells_what_was_heard() -> None:
    first = "This sentence is long enough to be interrupted in its middle, isn't it?"
    server = N8nServer(stream(f"{first} ", "More. ", 30))
    async with server, call(server, agent_of(server), "one", "stop it right now please") as booth:
        await booth.ask()
        await booth.until(lambda: booth.agent_speaks)
        await booth.wait(2.0)
        await booth.ask(1.5)
        await booth.until_said("Fine.")
        second = server.turns[1].fields
        assert server.turns[0].gone.is_set()
        assert second["interrupted"] == "true" and second["transcript"] == "stop it right now please"
        assert first.startswith(second["heard"]) and 10 < len(second["heard"]) < len(first)
        assert json.loads(second["variables"]) == {"name": "Jürgen & Söhne"}
