"""Conversations with a model: what it is asked, what is said of its answers, and what it is told was heard."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace
from datetime import datetime
from urllib.parse import urlsplit

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from tests.brains.n8n_call import BRIEFING, call
from tests.brains.n8n_server import Exchange
from tests.brains.openai_server import KEY, ModelServer, agent_of, chunk, error, event, says, uses
from tests.doubles import FakeSpeechToText, FakeTextToSpeech
from trunkline.brains import make_brain
from trunkline.brains.openai_faults import ModelFault
from trunkline.brains.openai_history import BEGIN, CUT_OFF, LEFT_OUT, NOT_HEARD, TAKEN_OVER, History, Step
from trunkline.brains.openai_prompt import rendered
from trunkline.brains.openai_stream import CompletionEvent, CompletionStream, Ended, ToolCall, Words
from trunkline.logs import secrets_of
from trunkline.models import HangUpBy, Speaker, Turn
from trunkline.ports import PersonTurn, Say
from trunkline.rehearsal.openai_stand_in import openai_stand_in
from trunkline.settings import AgentSettings
from trunkline.settings.openai import OpenAISettings

# ── what it is asked ───────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_turn_is_asked_about_with_everything_before_it() -> None:
    async with ModelServer(says("What is it ", "about?")) as server:
        agent = agent_of(server, temperature=0.3, max_tokens=99, body={"seed": 7}, headers={"api-key": "topsecret"})
        async with call(server, agent, "Hi there.", "My tooth hurts.") as booth:
            await booth.ask()
            await booth.until_said("What is it about?")
            await booth.ask()
            await booth.until_said("Fine.")
        exchange, asked = server.exchanges[-1], server.asked[-1]
        assert (exchange.method, exchange.target) == ("POST", "/v1/chat/completions")
        assert exchange.headers["authorization"] == f"Bearer {KEY}" and exchange.headers["api-key"] == "topsecret"
        prompt, *rest = asked["messages"]
        assert prompt["role"] == "system"
        assert rest == [
            {"role": "user", "content": BEGIN},
            {"role": "assistant", "content": "Hello there."},
            {"role": "user", "content": "Hi there."},
            {"role": "assistant", "content": "What is it about?"},
            {"role": "user", "content": "My tooth hurts."},
        ]
        expected = {"model": "small", "stream": True, "temperature": 0.3, "max_tokens": 99, "seed": 7}
        assert {key: asked[key] for key in expected} == expected
        assert [tool["function"]["name"] for tool in asked["tools"]] == ["hang_up"]


async def test_the_model_greets_where_nobody_else_does() -> None:
    async with ModelServer(says("Good morning, ", "this is the clinic.")) as server:
        async with call(server, agent_of(server, manners={"greeting": None}), "Hi.") as booth:
            assert booth.turns[0].text == "Good morning, this is the clinic."
            await booth.ask()
            await booth.until_said("Fine.")
        assert "tools" not in server.asked[0], "nothing is done while the phone rings"
        assert [message["content"] for message in server.asked[1]["messages"][1:]] == [
            BEGIN, "Good morning, this is the clinic.", "Hi."
        ]  # fmt: skip


async def test_keys_and_what_was_not_understood_are_told() -> None:
    async with ModelServer() as server, call(server, agent_of(server)) as booth:
        booth.press("4")
        booth.press("#")
        await booth.until_said("Fine.")
        assert server.asked[-1]["messages"][-1]["content"] == "[The person pressed the keys 4]"


def test_notes_stand_in_brackets_before_what_the_person_said() -> None:
    history = History().asked(PersonTurn(1, "Hi.", b"", notes=("They are a VIP.",)))
    assert history.messages("P", 10_000)[1:] == [{"role": "user", "content": "[They are a VIP.] Hi."}]


async def test_a_model_that_takes_a_call_over_has_read_what_was_said() -> None:
    so_far = (
        Turn(1, Speaker.AGENT, "Hello there.", 0, 1),
        Turn(2, Speaker.PERSON, "I want to buy something.", 2, 3),
        Turn(3, Speaker.AGENT, "Sales will help.", 4, 5),
    )
    async with ModelServer(says("Sales here.")) as server:
        brain = make_brain(agent_of(server, manners={"greeting": None}))
        session = await brain.open(replace(BRIEFING, so_far=so_far))
        assert [action async for action in session.greet()] == [Say("Sales here.")]
        await brain.close()
        assert [(m["role"], m["content"]) for m in server.asked[0]["messages"][1:]] == [
            ("user", BEGIN),
            ("assistant", "Hello there."),
            ("user", "I want to buy something."),
            ("assistant", "Sales will help."),
            ("user", TAKEN_OVER),
        ]


def test_a_prompt_is_filled_in() -> None:
    prompt = 'Call {name}[no optional] at {number} on {today}, {time}.\nAnswer {"like": "this"}. {unknown}'
    agent = AgentSettings(openai=OpenAISettings(prompt=prompt), variables={"name": "nobody"})
    found = rendered(agent, BRIEFING, datetime(2026, 3, 5, 9, 7))
    assert found == (
        'Call Jürgen & Söhne[no optional] at +14155550123 on Thursday, 5 March 2026, 09:07.\nAnswer {"like": "this"}. '
    )


async def test_a_connection_is_opened_ahead_and_kept_between_the_requests_of_a_turn() -> None:
    async with ModelServer() as server, call(server, agent_of(server)) as booth:
        await booth.until(lambda: server.accepted == 1)
        assert not server.exchanges, "before anything was asked"
        await booth.ask()
        await booth.until_said("Fine.")
        assert server.accepted == 1


async def test_the_connection_of_one_turn_serves_the_next() -> None:
    script = make_brain(AgentSettings())
    async with openai_stand_in(script, FakeSpeechToText(), FakeTextToSpeech(), key=KEY, token_seconds=0) as url:
        settings = OpenAISettings(base_url=url, api_key=SecretStr(KEY), model="gpt-4o-mini")
        brain = make_brain(AgentSettings(brain="openai", openai=settings))
        session = await brain.open(BRIEFING)
        ours = set()
        for number, words in enumerate(("No, can we move it?", "Next Thursday.", "At ten."), start=1):
            said = [action async for action in session.reply(PersonTurn(number, words, b""))]
            assert any(isinstance(action, Say) for action in said)
            connections = psutil.Process().net_connections("tcp")
            ours |= {c.laddr.port for c in connections if c.raddr and c.raddr.port == urlsplit(url).port}
        await brain.close()
        assert len(ours) == 1


# ── what was heard ─────────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_interruption_ends_the_request_and_the_model_is_told_what_was_heard() -> None:
    first = "This sentence is long enough to be interrupted in its middle, isn't it?"
    server = ModelServer(says(f"{first} ", "More. ", 30))
    async with server, call(server, agent_of(server), "one", "stop it right now please") as booth:
        await booth.ask()
        await booth.until(lambda: booth.agent_speaks)
        await booth.wait(2.0)
        await booth.ask(1.5)
        await booth.until_said("Fine.")
        assert server.exchanges[0].gone.is_set()
        *_, heard, person = server.asked[1]["messages"]
        assert heard["role"] == "assistant"
        assert first.startswith(heard["content"]) and 10 < len(heard["content"]) < len(first)
        assert person == {"role": "user", "content": f"{CUT_OFF} stop it right now please"}


def test_what_was_not_heard_was_not_said() -> None:
    asked = History().asked(PersonTurn(1, "Hi.", b""))
    calls = (ToolCall("c", "look", "{}"),)
    history = asked.answered(Step("One two three.", calls, ("found",)), Step("Four five."))
    all_of_it = history.asked(PersonTurn(2, "And?", b"")).messages("P", 10_000)
    assert [message.get("content") for message in all_of_it] == [
        "P", "Hi.", "One two three.", "found", "Four five.", "And?"
    ]  # fmt: skip
    some = history.asked(PersonTurn(2, "Stop.", b"", heard="One two three. Four")).messages("P", 10_000)
    assert [message.get("content") for message in some[2:]] == ["One two three.", "found", "Four", f"{CUT_OFF} Stop."]
    none = history.asked(PersonTurn(2, "Stop.", b"", heard="")).messages("P", 10_000)
    assert [message.get("content") for message in none[2:]] == [None, "found", f"{NOT_HEARD} Stop."]


def test_words_of_one_side_are_joined() -> None:
    history = History().asked(PersonTurn(1, "I would", b"")).asked(PersonTurn(2, "like to move it.", b"", heard=""))
    assert history.messages("P", 10_000)[1:] == [{"role": "user", "content": f"I would {NOT_HEARD} like to move it."}]


@given(st.lists(st.integers(1, 400), min_size=1, max_size=30), st.integers(2000, 4000))
def test_a_long_history_loses_its_beginning_and_never_half_a_tool(sizes: list[int], room: int) -> None:
    history = History()
    for number, size in enumerate(sizes, start=1):
        history = history.asked(PersonTurn(number, "word " * size, b""))
        calls = (ToolCall("a", "look", "{}"), ToolCall("b", "book", "{}"))
        history = history.answered(Step("", calls, ("x" * size,)), Step("Done."))
    prompt, first, *rest = history.messages("P", room)
    assert prompt == {"role": "system", "content": "P"}
    assert first["role"] == "user"
    kept = sum(message["role"] == "user" for message in [first, *rest])
    assert first["content"].startswith(LEFT_OUT) == (kept < len(sizes))
    whole = [message["role"] for message in [first, *rest]]
    assert whole == ["user", "assistant", "tool", "tool", "assistant"] * (len(whole) // 5)
    size = sum(len(message.get("content") or "") for message in [first, *rest])
    assert size < room + len(LEFT_OUT) + 2 or len(whole) == 5


# ── speculation ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_nothing_is_asked_before_it_is_needed() -> None:
    async with ModelServer() as server, call(server, agent_of(server), "I would", "like to move it.") as booth:
        await booth.say(0.6)
        await booth.wait(0.2)
        assert not server.asked
        await booth.ask()
        await booth.until_said("Fine.")
        assert len(server.asked) == 1


async def test_a_speculative_answer_is_asked_for_in_every_pause_and_only_the_last_one_counts() -> None:
    server = ModelServer(says("Too early."))
    async with server, call(server, agent_of(server, speculate=True), "I would", "I would like to move it.") as booth:
        await booth.say(0.6)
        await booth.wait(0.2)
        await booth.until(lambda: len(server.asked) == 1)
        await booth.say(0.6)
        await booth.until_said("Fine.")
        assert "Too early." not in [turn.text for turn in booth.turns]
        assert len(server.asked) == 2
        assert server.asked[1]["messages"][-1]["content"] == "I would like to move it."
        assert "Too early." not in str(server.asked[1]["messages"])
        await booth.ask()
        await booth.until(lambda: len(server.asked) == 3)
        assert server.asked[2]["messages"][-2]["content"] == "Fine.", "what was said became the history"


async def test_a_speculative_answer_has_no_effects() -> None:
    """The tool runs when the turn is surely over, and once."""
    ran = []

    async def book(exchange: Exchange) -> None:
        ran.append(exchange.fields)
        await says()(exchange)

    tool = {"description": "Book.", "url": "http://127.0.0.1:1/book", "allow_private": True}
    server = ModelServer(uses(("book", {})), uses(("book", {})), says("Booked."))
    async with server:
        server.files["book"] = book
        tool["url"] = server.address_of("book")
        agent = agent_of(server, speculate=True, tools={"book": tool})
        async with call(server, agent, "Book it", "Book it please.") as booth:
            await booth.say(0.6)
            await booth.wait(0.3)
            await booth.until(lambda: len(server.asked) == 1)
            assert not ran
            await booth.say(0.6)
            await booth.until_said("Booked.")
        assert len(ran) == 1


async def test_a_failed_guess_is_no_fault() -> None:
    server = ModelServer(error(401))
    async with server, call(server, agent_of(server, speculate=True), "I would", "I would like to move it.") as booth:
        await booth.say(0.6)
        await booth.wait(0.2)
        await booth.until(lambda: len(server.asked) == 1)
        await booth.say(0.6)
        await booth.until_said("Fine.")
        assert not booth.faults


# ── answers ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_words_as_models_write_them() -> None:
    text = "# Sure! 😀\n\n* **Monday**, at 3.5 p.m.\n\n```js\nx()\n```\n<think>Hm.</think>Bye."
    async with ModelServer(says(*text)) as server, call(server, agent_of(server)) as booth:
        await booth.ask()
        await booth.until_said("Bye.")
        assert booth.turns[-1].text == "Sure! Monday, at 3.5 p.m. Bye."


async def test_a_model_without_tools_hangs_up_by_a_mark() -> None:
    async with ModelServer(says("Goodbye. [hangup]")) as server, call(server, agent_of(server)) as booth:
        await booth.ask()
        assert (await booth.until_over()).by is HangUpBy.AGENT
        assert booth.turns[-1].text == "Goodbye."


@pytest.mark.parametrize("mark", ["[transfer: +14155550199]", "[dtmf: 12#]"])
async def test_a_mark_does_only_what_the_settings_allow(mark: str) -> None:
    async with ModelServer(says(f"Very well. {mark}")) as server, call(server, agent_of(server)) as booth:
        await booth.ask()
        await booth.until_said("Very well.")
        await booth.wait(1)
        assert not booth.notes and booth.turns[-1].text == "Very well."


async def test_a_very_long_answer_is_cut_at_a_sentence() -> None:
    server = ModelServer(says(*["This is one of very many sentences. "] * 100))
    async with server, call(server, agent_of(server, longest_answer=200)) as booth:
        await booth.ask()
        await booth.until(lambda: len(booth.turns) == 3)
        assert booth.turns[-1].text == " ".join(["This is one of very many sentences."] * 5)
        assert [note.event.kind for note in booth.notes] == ["answer-cut"]
        assert len(server.asked) == 1


# ── the stream ─────────────────────────────────────────────────────────────────────────────────────────────────────

STREAM = b"".join(
    [
        b": a comment\n\nevent: message\r\nid: 7\r\n",
        event(chunk({"role": "assistant", "content": ""})),
        event(chunk({"content": "Grüß "})).replace(b"\n", b"\r\n"),
        'data:{"choices": [{"delta": {"content": "Göttin."}}]}\n\n'.encode(),
        event({"choices": [], "usage": {"total_tokens": 1}}),
        event(chunk({"tool_calls": [{"index": 1, "id": "b", "function": {"name": "two", "arguments": ""}}]})),
        event(chunk({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "one", "arguments": '{"x"'}}]})),
        event(chunk({"tool_calls": [{"index": 0, "function": {"arguments": ": 1}"}}]})),
        event(chunk({}, "tool_calls")),
        b"data: [DONE]\n\n",
    ]
)


@given(st.lists(st.integers(1, len(STREAM) - 1)))
def test_a_stream_says_the_same_wherever_it_is_cut(cuts: list[int]) -> None:
    edges = [0, *sorted(set(cuts)), len(STREAM)]
    stream, found = CompletionStream(), list[CompletionEvent]()
    for start, end in itertools.pairwise(edges):
        found += stream.feed(STREAM[start:end])
    found += stream.finish()
    assert "".join(item.text for item in found if isinstance(item, Words)) == "Grüß Göttin."
    assert found[-1] == Ended("tool_calls", (ToolCall("a", "one", '{"x": 1}'), ToolCall("b", "two", "")))


def test_calls_that_share_an_index_are_told_apart_by_their_ids() -> None:
    stream = CompletionStream()
    for name in ("one", "two"):
        function = {"name": name, "arguments": "{}"}
        stream.feed(event(chunk({"tool_calls": [{"index": 0, "id": name[0], "function": function}]})))
    (ended,) = stream.feed(b"data: [DONE]\n\n")
    assert ended == Ended("tool_calls", (ToolCall("o", "one", "{}"), ToolCall("t", "two", "{}")))


@given(st.binary(max_size=300))
def test_any_bytes_are_a_completion_or_a_fault(data: bytes) -> None:
    for body in (data, b"data: " + data, b'data: {"choices": [' + data):
        stream = CompletionStream()
        try:
            found = stream.feed(body) + stream.finish()
        except ModelFault:
            continue
        assert isinstance(found[-1], Ended)


KEYS = st.sampled_from(
    ["choices", "delta", "content", "tool_calls", "function", "name", "arguments", "index", "id", "error"]
)
JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
)


@given(JSON)
def test_any_json_is_a_completion_or_a_fault(value: object) -> None:
    for body in (event(value), event({"choices": [value]}), event({"choices": [{"delta": value}]})):
        stream = CompletionStream()
        try:
            stream.feed(body)
            stream.finish()
        except ModelFault:
            continue


# ── settings ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_key_of_the_environment_goes_to_openai_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-environment")
    there, elsewhere = OpenAISettings(), OpenAISettings(base_url="https://models.example.com/v1")
    assert there.api_key is not None and there.api_key.get_secret_value() == "sk-environment"
    assert elsewhere.api_key is None
    own = OpenAISettings.model_validate({"api_key": "sk-own"}).api_key
    assert own is not None and own.get_secret_value() == "sk-own"


def test_every_secret_is_masked() -> None:
    tool = {"description": "x", "url": "https://example.com/x", "headers": {"Authorization": "Bearer tool-secret"}}
    settings = OpenAISettings.model_validate(
        {
            "api_key": "sk-secret",
            "headers": {"api-key": "header-secret"},
            "tools": {"x": tool},
            "mcp": {"y": {"url": "https://example.com/mcp", "headers": {"X-Key": "mcp-secret"}}},
        }
    )
    assert set(secrets_of(settings)) == {"sk-secret", "header-secret", "Bearer tool-secret", "mcp-secret"}
    assert "secret" not in repr(settings).replace("secret_", "")


@pytest.mark.parametrize(
    "wrong",
    [
        {"base_url": "api.openai.com"},
        {"base_url": "https://user:pass@example.com/v1"},
        {"api_key": "two words"},
        {"headers": {"X Y": "z"}},
        {"headers": {"X": "a\nb"}},
        {"transfers": {"sales": "4155550100"}},
        {"tools": {"a b": {"description": "x", "url": "https://example.com/"}}},
        {"tools": {"a": {"description": "x", "url": "https://{host}/"}}},
        {"mcp": {"a": {"url": "ftp://example.com/"}}},
    ],
)
def test_settings_that_cannot_be_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        OpenAISettings.model_validate(wrong)


def test_an_agent_with_a_model_needs_words_and_patience() -> None:
    with pytest.raises(ValidationError, match="transcribe"):
        AgentSettings(brain="openai", transcribe=False)
    with pytest.raises(ValidationError, match="answer_seconds"):
        AgentSettings(brain="openai", openai=OpenAISettings(answer_seconds=20))


async def test_two_calls_at_a_time_share_nothing_but_connections() -> None:
    """Each hears its own answer, and their histories stay apart."""
    async with ModelServer() as server:
        brain = make_brain(agent_of(server))
        minds = [await brain.open(BRIEFING) for _ in range(2)]

        async def talk(number: int) -> None:
            for turn in range(1, 4):
                async for _ in minds[number].reply(PersonTurn(turn, f"I am {number}.", b"")):
                    pass

        await asyncio.gather(talk(0), talk(1))
        await brain.close()
        for asked in server.asked:
            said = {message["content"] for message in asked["messages"] if message["role"] == "user"}
            assert len(said) == 1
