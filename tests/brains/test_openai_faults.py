"""Whatever a model's server does, the person hears something sensible soon, never the error, and nothing stays open."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.brains.n8n_call import call
from tests.brains.n8n_server import Exchange, Play, body, raw, reply
from tests.brains.openai_server import KEY, ModelServer, agent_of, chunk, error, event, says, uses
from trunkline.brains.openai_faults import LASTING, MEANING, PASSING, ModelFaultKind
from trunkline.models import HangUpBy
from trunkline.settings import AgentSettings
from trunkline.settings.openai import OpenAISettings

SOON = 2.0
"""Seconds of silence after their turn within which the person hears something."""
OURS = AgentSettings()
MANNERS = OpenAISettings()
K = ModelFaultKind
PAGE = b"<!DOCTYPE html><html><head><title>502</title></head><body>Bad Gateway</body></html>"


async def hang(exchange: Exchange) -> None:
    await asyncio.sleep(60)
    await says("Far too late.")(exchange)


def whole(message: dict[str, object]) -> bytes:
    return json.dumps({"object": "chat.completion", "choices": [{"index": 0, "message": message}]}).encode()


FAULTS: dict[str, tuple[Play, ModelFaultKind]] = {
    "401": (error(401, "Incorrect API key provided: sk-te********4711.", "invalid_api_key"), K.KEY),
    "403": (error(403, "Project has no access."), K.KEY),
    "404": (error(404, "The model `small` does not exist.", "model_not_found"), K.NOT_FOUND),
    "400": (error(400, "Unsupported parameter: 'temperature'."), K.BAD_REQUEST),
    "context full": (error(400, "Maximum context length is 8192.", "context_length_exceeded"), K.TOO_LONG),
    "context full, in other words": (error(400, "It exceeds the available context size."), K.TOO_LONG),
    "prompt filtered": (error(400, "Filtered.", "content_filter"), K.FILTERED),
    "429": (error(429, "Rate limit reached.", "rate_limit_exceeded"), K.RATE),
    "429 for a long time": (error(429, "Rate limit reached.", Retry_After="30"), K.RATE),
    "429 until tomorrow": (error(429, "Slow.", Retry_After="Wed, 21 Oct 2037 07:28:00 GMT"), K.RATE),
    "no credit": (error(429, "You exceeded your current quota.", "insufficient_quota"), K.QUOTA),
    "500": (error(500, "The server had an error."), K.SERVER),
    "502 of a proxy": (body(PAGE, 502), K.SERVER),
    "503": (error(503, "That model is overloaded."), K.OVERLOADED),
    "529": (error(529, "Overloaded."), K.OVERLOADED),
    "a redirect": (body(b"", 307, None, Location="https://10.0.0.1/v1"), K.REDIRECT),
    "a page as success": (body(PAGE), K.NO_COMPLETION),
    "other JSON": (reply({"text": "Hello."}), K.NO_COMPLETION),
    "no JSON": (body(b"[1, 2", 200, "application/json"), K.NO_COMPLETION),
    "nothing at all": (body(b"", 200, None), K.BROKEN_OFF),
    "closed without a word": (raw(b""), K.BROKEN_OFF),
    "not HTTP": (raw(b"SSH-2.0-OpenSSH_9.2\r\n"), K.BROKEN_OFF),
    "half a completion": (body(whole({"content": "Half a"})[:-20], 200, "application/json"), K.BROKEN_OFF),
    "no answer for a minute": (hang, K.TIMEOUT),
    "only comments": (says(*[b": keep-alive\n\n", 2] * 30), K.TIMEOUT),
    "thinks for a minute": (says(*[chunk({"reasoning_content": "Hm. "}), 2] * 30), K.TIMEOUT),
    "stalls in its first word": (says("Well", 60), K.STALLED),
    "closes in its first sentence": (says("The first sentence is", None), K.BROKEN_OFF),
    "ends without a reason": (says("The first sentence is", reason=None, done=False), K.BROKEN_OFF),
    "broken chunk": (says(b'data: {"choices": [\n\n'), K.STREAM_ERROR),
    "error in the stream": (says({"error": {"message": "Boom", "code": 500}}), K.STREAM_ERROR),
    "limit in the stream": (says({"error": {"message": "Slow", "code": "rate_limit_exceeded"}}), K.RATE),
    "empty": (says(), K.EMPTY),
    "only white space": (says(" ", "\n"), K.EMPTY),
    "only thoughts": (says("<think>Well, well.</think>"), K.EMPTY),
    "thoughts that used up all tokens": (says("<think>Well, well.", reason="length"), K.EMPTY),
    "filtered": (says(reason="content_filter"), K.FILTERED),
    "an exception as words": (says("Traceback (most recent call last):\n  File x"), K.NOT_WORDS),
    "a number": (says(event(7)), K.NO_COMPLETION),
}


@pytest.mark.parametrize("name", FAULTS)
async def test_a_failed_turn_is_apologised_for_and_told(name: str) -> None:
    play, kind = FAULTS[name]
    async with ModelServer(play, play) as server, call(server, agent_of(server)) as booth:
        ended = await booth.ask()
        await booth.until(lambda: booth.agent_speaks)
        assert booth.now - ended < SOON
        own = OURS.sorry if kind in LASTING else MANNERS.say_again
        await booth.until_said(own)
        assert set(booth.voice.said) <= {"Hello there.", OURS.filler, OURS.hold_on, own}, "only our own words"
        assert booth.faults == [kind]
        told = next(note.event for note in booth.notes if note.event.kind == "brain-fault")
        assert told.data["remedy"] == MEANING[kind][1]
        assert len(server.asked) == (2 if kind in PASSING and "long" not in name and "until" not in name else 1)
        if kind in LASTING:
            assert (await booth.until_over()).by is HangUpBy.AGENT


async def test_every_kind_has_a_meaning_and_a_remedy() -> None:
    assert set(MEANING) == set(ModelFaultKind)
    assert not LASTING & PASSING


@pytest.mark.parametrize("play", [FAULTS[name][0] for name in ("429", "500", "503", "closed without a word", "empty")])
async def test_what_may_be_well_a_moment_later_is_asked_again_without_a_word(play: Play) -> None:
    async with ModelServer(play) as server, call(server, agent_of(server)) as booth:
        await booth.ask()
        await booth.until_said("Fine.")
        assert booth.turns[-1].text == "Fine." and not booth.faults
        assert [note.event.kind for note in booth.notes] == ["brain-retry"]
        assert len(server.asked) == 2


async def test_a_server_that_repeats_the_key_does_not_bring_it_into_the_history() -> None:
    play = error(401, f"No such key: {KEY}.")
    async with ModelServer(play) as server, call(server, agent_of(server)) as booth:
        await booth.ask()
        await booth.until_over()
        assert "No such key: ***" in booth.notes[0].event.text and KEY not in str(booth.updates)


async def test_the_server_says_when_it_wants_to_be_asked_again() -> None:
    async with ModelServer(error(429, Retry_After="2")) as server, call(server, agent_of(server)) as booth:
        ended = await booth.ask()
        await booth.until(lambda: len(server.asked) == 2)
        assert booth.now - ended > 2
        await booth.until_said("Fine.")


async def test_a_conversation_that_got_too_long_is_halved() -> None:
    full = error(400, "Too long.", "context_length_exceeded")
    long = "I want to tell you all about it. " * 40
    async with ModelServer(says("Go on."), says("Go on."), full) as server:
        async with call(server, agent_of(server, history_characters=4000), long, long, "Bye.") as booth:
            for _ in range(2):
                before = len(booth.turns)
                await booth.ask()
                await booth.until(lambda before=before: len(booth.turns) == before + 2)  # type: ignore[misc]
            await booth.ask()
            await booth.until_said("Fine.")
        assert len(server.asked[-1]["messages"]) < len(server.asked[-2]["messages"])
        assert server.asked[-1]["messages"][0] == server.asked[0]["messages"][0], "the prompt stays"


async def test_a_stream_that_stalls_is_bridged_and_given_up() -> None:
    play = says("The first sentence is here. ", "The second", 60)
    async with ModelServer(play) as server, call(server, agent_of(server)) as booth:
        await booth.ask()
        await booth.until_quiet()
        silent_since = booth.now
        await booth.until(lambda: booth.agent_speaks)
        assert booth.now - silent_since < SOON
        await booth.until_said(MANNERS.say_again)
        assert booth.faults == [K.STALLED]
        assert "second" not in " ".join(booth.voice.said)


async def test_a_slow_stream_is_spoken_while_it_comes() -> None:
    words = "Good morning to you. We are open from nine to five. What can I do for you?"
    steps = [step for word in words.split() for step in (f"{word} ", 0.4)]
    async with ModelServer(says(*steps)) as server, call(server, agent_of(server)) as booth:
        ended = await booth.ask()
        await booth.until(lambda: "Good morning to you." in booth.voice.said)
        assert booth.now - ended < 4, "long before the last word"
        await booth.until_said("What can I do for you?")
        assert not booth.faults


async def test_a_stream_that_breaks_off_after_a_sentence() -> None:
    play = says("The first sentence is here. ", "And half", None)
    async with ModelServer(play) as server, call(server, agent_of(server)) as booth:
        await booth.ask()
        await booth.until_said(MANNERS.say_again)
        assert booth.turns[-1].text == f"The first sentence is here. {MANNERS.say_again}"
        assert booth.faults == [K.BROKEN_OFF] and len(server.asked) == 1


async def test_an_answer_that_was_cut_ends_with_its_last_whole_sentence() -> None:
    play = says("We are open. ", "You can come from nine ", "to", reason="length")
    async with ModelServer(play) as server, call(server, agent_of(server)) as booth:
        await booth.ask()
        await booth.until_said("We are open.")
        assert booth.turns[-1].text == "We are open." and not booth.faults
        assert booth.notes[-1].event.kind == "answer-cut"


async def test_half_a_sentence_is_better_than_nothing() -> None:
    play = says("You can come from nine to", reason="length")
    async with ModelServer(play) as server, call(server, agent_of(server)) as booth:
        await booth.ask()
        await booth.until_said("You can come from nine to")


async def test_a_refusal_is_spoken() -> None:
    play = says(chunk({"refusal": "I'm sorry, I can't help with that."}))
    async with ModelServer(play) as server, call(server, agent_of(server)) as booth:
        await booth.ask()
        await booth.until_said("I'm sorry, I can't help with that.")


@pytest.mark.parametrize("done", [True, False])
async def test_ends_of_other_servers_are_understood(done: bool) -> None:
    """A reason without `[DONE]`, and `[DONE]` without a reason."""
    play = says("We are open.", reason=None if done else "eos", done=done)
    async with ModelServer(play) as server, call(server, agent_of(server)) as booth:
        await booth.ask()
        await booth.until_said("We are open.")
        assert not booth.faults


async def test_a_completion_in_one_piece_is_understood() -> None:
    play = body(whole({"role": "assistant", "content": "We are open."}), 200, "application/json")
    async with ModelServer(play) as server, call(server, agent_of(server)) as booth:
        await booth.ask()
        await booth.until_said("We are open.")


async def test_a_server_that_is_gone_and_comes_back() -> None:
    async with ModelServer() as server, call(server, agent_of(server)) as booth:
        await server.stop()
        await booth.wait(10)  # what was opened ahead is gone by then
        await booth.ask()
        await booth.until_said(MANNERS.say_again)
        assert booth.faults == [K.UNREACHABLE]
        async with server:
            await booth.ask()
            await booth.until_said("Fine.")


async def test_the_script_goes_on_where_the_settings_want_that() -> None:
    async with ModelServer(error(401)) as server:
        async with call(server, agent_of(server, fallback="script")) as booth:
            await booth.ask()
            await booth.until(lambda: len(booth.turns) == 3)
            assert "still suit you" in booth.turns[-1].text
            await booth.ask()
            await booth.until(lambda: len(booth.turns) == 5)
        assert len(server.asked) == 1, "the model isn't asked any more"


async def test_tools_again_and_again_end_in_words() -> None:
    again = uses(("nothing_of_ours", {}))
    async with ModelServer(*[again] * 5) as server, call(server, agent_of(server, tool_rounds=2)) as booth:
        await booth.ask()
        await booth.until_said(MANNERS.say_again)
        assert booth.faults == [K.ONLY_TOOLS]
        assert [asked.get("tool_choice") for asked in server.asked] == [None, None, "none"]


# ── the greeting ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["401", "429", "500", "no answer for a minute", "empty", "closed without a word"])
async def test_a_greeting_that_fails(name: str) -> None:
    play, kind = FAULTS[name]
    server = ModelServer(play, play)
    async with server, call(server, agent_of(server, manners={"greeting": None}), greeted=False) as booth:
        await booth.until(lambda: booth.agent_speaks)
        assert booth.now - booth.start < SOON
        await booth.until_said(MANNERS.welcome_fallback)
        assert booth.faults == [kind]


# ── giving up on our side ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("play", [hang, says("A first sentence. ", 60)])
async def test_a_hang_up_in_the_middle_of_a_request_ends_it(play: Play) -> None:
    async with ModelServer(play) as server:
        async with call(server, agent_of(server)) as booth:
            await booth.ask()
            await booth.until(lambda: bool(server.asked))
            await booth.wait(1.0)
            assert not server.exchanges[0].gone.is_set()
        assert server.exchanges[0].gone.is_set()
