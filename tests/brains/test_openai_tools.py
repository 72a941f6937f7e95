"""Tools of a model: what it may use, what it is told came of it, and what the person hears meanwhile."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.brains.n8n_call import N8nBooth, call
from tests.brains.n8n_server import Exchange, Play, body, late, raw, reply
from tests.brains.openai_server import ModelServer, agent_of, says, uses
from trunkline.brains import make_brain
from trunkline.brains.tools import MASK
from trunkline.errors import InvalidNumber, SettingsError, TrunklineError
from trunkline.models import HangUpBy
from trunkline.settings import AgentSettings
from trunkline.settings.openai import OpenAISettings

FILLER = OpenAISettings().tool_filler
SLOTS: dict[str, Any] = {
    "description": "Free times on a day.",
    "method": "GET",
    "parameters": {
        "type": "object",
        "properties": {"day": {"type": "string"}, "card": {"type": "string"}},
        "required": ["day"],
    },
    "allow_private": True,
}


def tool(server: ModelServer, play: Play, path: str = "slots", **changes: Any) -> dict[str, Any]:
    """A tool of that name, which finds this."""
    server.files[path.partition("?")[0].replace("{day}", "Monday")] = play
    return SLOTS | {"url": server.address_of(path)} | changes


def results(server: ModelServer) -> list[str]:
    """What the model was last told of its tools."""
    return [message["content"] for message in server.asked[-1]["messages"] if message["role"] == "tool"]


def notes(booth: N8nBooth) -> list[dict[str, Any]]:
    return [dict(note.event.data) for note in booth.notes if note.event.kind == "tool"]


class Line:
    """The call's control side; refuses what it is told to."""

    def __init__(self, refuse: TrunklineError | None = None) -> None:
        self.refuse = refuse
        self.done: list[str] = []
        self.about: list[str] = []

    async def send_keys(self, keys: str) -> None:
        self.done.append(keys)

    async def transfer(self, to: str, about: str) -> str:
        if self.refuse is not None:
            raise self.refuse
        self.done.append(to)
        self.about.append(about)
        return to


# ── what a tool finds ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_what_a_tool_finds_is_told_and_spoken() -> None:
    server = ModelServer(uses(("slots", {"day": "Monday", "card": "4111"})), says("Nine is free."))
    async with server:
        slots = tool(server, reply({"free": ["9:00"]}), "slots/{day}?lang=en", secret_arguments=["card"])
        async with call(server, agent_of(server, tools={"slots": slots})) as booth:
            await booth.ask()
            await booth.until_said("Nine is free.")
            assert booth.turns[-1].text == "Nine is free.", "a quick tool needs no filler"
            (note,) = notes(booth)
            assert note.pop("seconds") < 1
            assert note == {
                "tool": "slots",
                "arguments": {"day": "Monday", "card": MASK},
                "result": '{"free": ["9:00"]}',
                "failed": False,
            }
        asked = next(exchange for exchange in server.exchanges if exchange.path.startswith("/files/"))
        assert asked.method == "GET" and asked.path == "/files/slots/Monday"
        assert asked.query == {"lang": "en", "card": "4111"}
        *_, wanted, told = server.asked[1]["messages"]
        assert wanted["tool_calls"][0]["function"]["name"] == "slots"
        assert told == {"role": "tool", "tool_call_id": "call_0", "content": '{"free": ["9:00"]}'}


async def test_what_the_settings_fix_no_model_changes() -> None:
    server = ModelServer(uses(("book", {"day": "Monday", "phone": "+19005550100"})), says("Booked."))
    async with server:
        book = tool(
            server,
            reply({"ok": True}),
            "book",
            method="POST",
            fixed={"phone": "{number}", "who": "{name}", "call": "{call_id}"},
            headers={"Authorization": "Bearer tool-secret"},
        )
        async with call(server, agent_of(server, tools={"book": book})) as booth:
            await booth.ask()
            await booth.until_said("Booked.")
        asked = next(exchange for exchange in server.exchanges if exchange.path == "/files/book")
        assert asked.headers["authorization"] == "Bearer tool-secret"
        assert asked.fields == {
            "day": "Monday", "phone": "+14155550123", "who": "Jürgen & Söhne", "call": booth.call_id
        }  # fmt: skip


@pytest.mark.parametrize("day", ["../../admin", "a b/c?d=e#f", "Grüße", "{day}", "%2e%2e"])
async def test_an_argument_stays_in_its_place_of_the_address(day: str) -> None:
    server = ModelServer(uses(("slots", {"day": day})))
    async with server:
        slots = tool(server, reply({}), "slots/{day}/free")
        server.files = dict.fromkeys([], reply({}))
        agent = agent_of(server, tools={"slots": slots})
        seen: list[str] = []

        class Files(dict[str, Play]):
            def __missing__(self, path: str) -> Play:
                seen.append(path)
                return reply({})

        server.files = Files()
        async with call(server, agent) as booth:
            await booth.ask()
            await booth.until_said("Fine.")
        (path,) = seen
        assert path.startswith("slots/") and path.endswith("/free") and path.count("/") == 2


async def test_tools_asked_for_together_run_together() -> None:
    server = ModelServer(uses(("one", {"day": "1"}), ("two", {"day": "2"}), ("three", {"day": "3"})), says("Done."))
    async with server:
        tools = {name: tool(server, late(2, reply(name)), name) for name in ("one", "two", "three")}
        async with call(server, agent_of(server, tools=tools)) as booth:
            await booth.ask()
            await booth.until(lambda: len(server.asked) == 2)
            assert results(server) == ['"one"', '"two"', '"three"']
            assert all(note["seconds"] < 3.5 for note in notes(booth))
            kinds = [exchange.path for exchange in server.exchanges]
            assert kinds[1:4] != kinds[-3:], "all were asked before the model was told"
            await booth.until_said("Done.")


async def test_a_slow_tool_is_bridged_with_words() -> None:
    server = ModelServer(uses(("slots", {"day": "Monday"})), says("Nine is free."))
    async with server:
        slots = tool(server, late(5, reply({})), filler="Let me look at the calendar.")
        async with call(server, agent_of(server, tools={"slots": slots})) as booth:
            ended = await booth.ask()
            await booth.until(lambda: booth.agent_speaks)
            assert booth.now - ended < 2.0
            await booth.until_said("Nine is free.")
            assert "Let me look at the calendar. Nine is free." in booth.turns[-1].text
        wanted = next(m for m in server.asked[1]["messages"] if m.get("tool_calls"))
        assert wanted["content"] == "Let me look at the calendar."


async def test_a_model_that_spoke_itself_needs_no_filler() -> None:
    server = ModelServer(uses(("slots", {"day": "Monday"}), words="I'll have a look. "), says("Nine is free."))
    async with server:
        slots = tool(server, late(1.5, reply({})))
        async with call(server, agent_of(server, tools={"slots": slots})) as booth:
            await booth.ask()
            await booth.until_said("Nine is free.")
            assert FILLER not in booth.voice.said


# ── what goes wrong ────────────────────────────────────────────────────────────────────────────────────────────────

WRONG_CALLS: dict[str, tuple[tuple[str, object], str]] = {
    "no such tool": (("book", {"day": "Monday"}), "no tool 'book'"),
    "no JSON": (("slots", '{"day": "Mon'), "no JSON"),
    "no object": (("slots", '["Monday"]'), "JSON object"),
    "an argument is missing": (("slots", {}), "'day' is a required property"),
    "an argument of the wrong type": (("slots", {"day": 7}), "is not of type 'string'"),
    "no name": (("", {"day": "Monday"}), "no tool ''"),
}


@pytest.mark.parametrize("name", WRONG_CALLS)
async def test_a_wrong_use_is_told_to_the_model_and_never_to_the_person(name: str) -> None:
    wrong, words = WRONG_CALLS[name]
    server = ModelServer(uses(wrong), says("Nine is free."))
    async with server:
        slots = tool(server, reply({}))
        async with call(server, agent_of(server, tools={"slots": slots})) as booth:
            await booth.ask()
            await booth.until_said("Nine is free.")
            assert words in json.loads(results(server)[0])["error"]
            assert notes(booth)[0]["failed"] and not booth.faults
            assert booth.turns[-1].text == "Nine is free."
        assert not [exchange for exchange in server.exchanges if exchange.path.startswith("/files/")]


WRONG_ANSWERS: dict[str, tuple[Play, dict[str, Any], str]] = {
    "500": (reply({"error": "Boom"}, 500), {}, "HTTP 500"),
    "404": (body(b"", 404), {}, "HTTP 404"),
    "too slow": (late(30, reply({})), {"timeout_seconds": 2}, "too long"),
    "broken off": (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{"), {}, "can't be reached"),
    "elsewhere": (body(b"", 302, None, Location="http://169.254.169.254/"), {}, "leads elsewhere"),
    "far too large": (body(b"x" * 300_000), {}, "too large"),
    "a private address": (reply({}), {"allow_private": False}, "don't allow"),
    "a cloud's secrets": (reply({}), {"url": "http://169.254.169.254/latest"}, "don't allow"),
    "nobody there": (reply({}), {"url": "http://127.0.0.1:1/x"}, "can't be reached"),
}


@pytest.mark.parametrize("name", WRONG_ANSWERS)
async def test_a_tool_that_fails_is_told_to_the_model(name: str) -> None:
    play, changes, words = WRONG_ANSWERS[name]
    server = ModelServer(uses(("slots", {"day": "Monday"})), says("I can't look just now."))
    async with server:
        slots = tool(server, play, **changes)
        async with call(server, agent_of(server, tools={"slots": slots})) as booth:
            ended = await booth.ask()
            await booth.until(lambda: booth.agent_speaks)
            assert booth.now - ended < 2.0
            await booth.until_said("I can't look just now.")
            assert words in json.loads(results(server)[0])["error"]
            assert notes(booth)[0]["failed"] and not booth.faults


async def test_a_long_result_is_cut_for_the_model_and_masked_for_the_history() -> None:
    server = ModelServer(uses(("slots", {"day": "Monday"})))
    async with server:
        slots = tool(server, body(b"word " * 10_000, 200, "text/plain"), secret_result=True)
        async with call(server, agent_of(server, tools={"slots": slots})) as booth:
            await booth.ask()
            await booth.until_said("Fine.")
            assert len(results(server)[0]) < 6100
            assert notes(booth)[0]["result"] == MASK


@pytest.mark.parametrize(
    "tools",
    [
        {"slots": {"parameters": {"type": "nonsense"}}},
        {"hang_up": {}},
    ],
)
def test_tools_that_cannot_be_are_refused_at_the_start(tools: dict[str, dict[str, Any]]) -> None:
    declared = {name: SLOTS | {"url": "https://example.com/"} | changes for name, changes in tools.items()}
    with pytest.raises(SettingsError):
        make_brain(AgentSettings(brain="openai", openai=OpenAISettings.model_validate({"tools": declared})))


async def test_a_schema_does_not_make_us_fetch_an_address() -> None:
    server = ModelServer(uses(("slots", {"day": "Monday"})), says("I can't look just now."))
    async with server:
        schema = {"type": "object", "properties": {"day": {"$ref": server.address_of("schema")}}}
        slots = tool(server, reply({}), parameters=schema)
        server.files["schema"] = reply({"type": "string"})
        async with call(server, agent_of(server, tools={"slots": slots})) as booth:
            await booth.ask()
            await booth.until_said("I can't look just now.")
        assert not [exchange for exchange in server.exchanges if exchange.path.startswith("/files/")]


# ── interrupted ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_tool_that_was_begun_is_seen_through_and_told_of_later() -> None:
    """Interrupted in a booking: it is booked once, and the model knows it before it answers again."""
    server = ModelServer(uses(("book", {"day": "Monday"})), says("It is booked."))
    async with server:
        book = tool(server, late(4, reply({"booked": True})), "book", method="POST")
        agent = agent_of(server, tools={"book": book})
        async with call(server, agent, "Book Monday.", "Are you still there at all?") as booth:
            await booth.ask()
            await booth.until(lambda: booth.agent_speaks)
            await booth.wait(0.5)
            await booth.ask(1.5)
            await booth.until_said("It is booked.")
            assert len([e for e in server.exchanges if e.path == "/files/book"]) == 1
            assert not next(e for e in server.exchanges if e.path == "/files/book").gone.is_set()
            assert results(server) == ['{"booked": true}']
            assert [note["tool"] for note in notes(booth)] == ["book"]
            assert server.asked[-1]["messages"][-1]["content"].endswith("Are you still there at all?")


async def test_a_person_who_hangs_up_does_not_stop_the_booking() -> None:
    done: list[bool] = []

    async def book(exchange: Exchange) -> None:
        await asyncio.sleep(0.5)
        done.append(not exchange.gone.is_set())
        await reply({})(exchange)

    server = ModelServer(uses(("book", {"day": "Monday"})))
    async with server:
        brain_tool = tool(server, book, "book", method="POST")
        async with call(server, agent_of(server, tools={"book": brain_tool})) as booth:
            await booth.ask()
            await booth.until(lambda: any(e.path == "/files/book" for e in server.exchanges))
            booth.hang_up()
            await booth.wait(1.0)
        assert done == [True]


async def test_an_interruption_of_the_filler_forgets_no_booking() -> None:
    server = ModelServer(uses(("book", {"day": "Monday"})), says("It is booked."))
    async with server:
        words = "Let me write that down for you, this can take me quite a while, I'm afraid."
        book = tool(server, late(2, reply({"booked": True})), "book", method="POST", filler=words)
        agent = agent_of(server, manners={"filler": "", "hold_on": ""}, tools={"book": book})
        async with call(server, agent, "Book Monday.", "Stop it right now, please.") as booth:
            await booth.ask()
            await booth.until(lambda: booth.agent_speaks)
            await booth.wait(0.6)
            await booth.ask(1.5)
            await booth.until_said("It is booked.")
            assert len([e for e in server.exchanges if e.path == "/files/book"]) == 1
            wanted = next(message for message in server.asked[-1]["messages"] if message.get("tool_calls"))
            assert words.startswith(wanted["content"]) and len(wanted["content"]) < len(words)
            assert results(server) == ['{"booked": true}']


async def test_a_goodbye_that_is_interrupted_ends_nothing() -> None:
    server = ModelServer(uses(("hang_up", {"words": "Thank you for calling, and have a very nice day. Goodbye."})))
    async with server, call(server, agent_of(server), "Bye.", "No wait, one more thing please.") as booth:
        await booth.ask()
        await booth.until(lambda: booth.agent_speaks)
        await booth.wait(0.6)
        await booth.ask(1.5)
        await booth.until_said("Fine.")
        assert not [m for m in server.asked[-1]["messages"] if m["role"] == "tool" and "Not done" not in m["content"]]


# ── the call itself ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("play", "heard"),
    [
        (uses(("hang_up", {}), words="Thank you, goodbye."), "Thank you, goodbye."),
        (uses(("hang_up", {"words": "Until Monday, then."})), "Until Monday, then."),
        (uses(("hang_up", {"words": "Goodbye."}), words="Thank you. Goodbye."), "Thank you. Goodbye."),
        (uses(("hang_up", {})), "Goodbye."),
    ],
)
async def test_the_model_hangs_up_and_never_without_a_word(play: Play, heard: str) -> None:
    async with ModelServer(play) as server, call(server, agent_of(server)) as booth:
        await booth.ask()
        assert (await booth.until_over()).by is HangUpBy.AGENT
        assert booth.turns[-1].text == heard
        assert len(server.asked) == 1


async def test_the_model_puts_the_person_through_to_whom_the_settings_name() -> None:
    line = Line()
    arguments = {"to": "sales", "about": "a refund"}
    server = ModelServer(uses(("transfer", {"to": "+19005550100"})), uses(("transfer", arguments)))
    async with server:
        agent = agent_of(server, transfers={"sales": "+14155550177", "support": "Anna"})
        async with call(server, agent, control=line) as booth:
            await booth.ask()
            ending = await booth.until_over()
            assert ending.transferred_to == "+14155550177" and line.done == ["+14155550177"]
            assert line.about == ["a refund"]
            assert booth.turns[-1].text == "I'll put you through."
        schema = next(t["function"] for t in server.asked[0]["tools"] if t["function"]["name"] == "transfer")
        assert schema["parameters"]["properties"]["to"]["enum"] == ["sales", "support"]
        assert "is not one of" in results(server)[0]


async def test_a_transfer_that_is_refused_is_known_to_the_model() -> None:
    line = Line(InvalidNumber("That number is not allowed."))
    server = ModelServer(uses(("transfer", {"to": "sales", "words": "One moment."})))
    async with server, call(server, agent_of(server, transfers={"sales": "+14155550177"}), control=line) as booth:
        await booth.ask()
        await booth.until_said(AgentSettings().transfer_failed)
        await booth.ask()
        await booth.until_said("Fine.")
        assert results(server) == ["It could not be arranged, and the person was told so."]


async def test_the_model_presses_keys_and_waits_for_what_is_said() -> None:
    line = Line()
    server = ModelServer(uses(("send_keys", {"keys": "1 2#"})))
    async with server, call(server, agent_of(server, keys=True), control=line) as booth:
        await booth.ask()
        await booth.until(lambda: bool(line.done))
        assert line.done == ["12#"]
        assert len(server.asked) == 1
        await booth.ask()
        await booth.until_said("Fine.")
        assert "pressed" in results(server)[0]


async def test_the_model_has_nothing_kept_while_a_card_number_is_told() -> None:
    asks, thanks = uses(("be_discreet", {"on": True})), uses(("be_discreet", {"on": False}))
    server = ModelServer(asks, says("Your number?"), thanks, says("Thank you."))
    async with server, call(server, agent_of(server, discreet=True), "I'll pay.", "four one one one") as booth:
        await booth.ask()
        await booth.until(lambda: "Your number?" in booth.voice.said)
        await booth.until_quiet()
        await booth.ask()
        await booth.until_said("Thank you.")
        assert "four one one one" in server.asked[2]["messages"][-1]["content"]
        told = [note.event.kind for note in booth.notes]
        assert (told, "four one one one" in repr(booth.updates)) == (["recording-paused", "recording-resumed"], False)


async def test_nothing_ends_before_the_other_results_are_known() -> None:
    both = uses(("hang_up", {"words": "Goodbye."}), ("slots", {"day": "Monday"}))
    server = ModelServer(both, uses(("hang_up", {"words": "Nine is free. Goodbye."})))
    async with server:
        slots = tool(server, reply({"free": 9}))
        async with call(server, agent_of(server, tools={"slots": slots})) as booth:
            await booth.ask()
            await booth.until_over()
            assert booth.turns[-1].text == "Nine is free. Goodbye."
            told = results(server)
            assert told[0].startswith("Not done yet") and told[1] == '{"free": 9}'
