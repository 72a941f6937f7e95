"""Every form an answer may have, and what is done for it: pure, bytes in, replies out."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.brains.n8n_faults import FaultKind, N8nFault, of_status, of_text
from trunkline.brains.n8n_reply import Reply
from trunkline.brains.n8n_stream import ReplyStream, is_audio

HELLO = [Reply("Hello."), Reply("How are you?")]
TEXT = "Hello. How are you?"


def read(*pieces: str | bytes) -> list[Reply]:
    stream, found = ReplyStream(), []
    for piece in pieces:
        found += stream.feed(piece.encode() if isinstance(piece, str) else piece)
    return found + stream.finish()


def fault(*pieces: str) -> FaultKind:
    with pytest.raises(N8nFault) as caught:
        read(*pieces)
    return caught.value.kind


def items(*tokens: object) -> list[str]:
    """n8n's streaming lines."""
    lines = [{"type": "begin", "metadata": {"nodeId": "1"}}]
    lines += [{"type": "item", "content": token, "metadata": {"nodeId": "1"}} for token in tokens]  # type: ignore[dict-item]
    return [json.dumps(line) + "\n" for line in [*lines, {"type": "end"}]]


@pytest.mark.parametrize(
    "answer",
    [
        *({key: TEXT} for key in ("text_response", "text", "response", "output", "message", "answer", "textResponse")),
        TEXT,
        [{"text_response": TEXT}],
        [TEXT],
        [[{"output": TEXT}]],
        {"output": {"text_response": TEXT}},
        {"output": json.dumps({"text": TEXT})},
        {"text": f"```json\n{json.dumps({'text': TEXT})}\n```"},
        {"json": {"answer": TEXT}},
        {"data": [{"answer": TEXT}]},
        {"text_response": TEXT, "message": "ignored, as the first name counts"},
        {"text_response": None, "output": TEXT},
        [{"text": "Hello."}, {"text": "How are you?"}],
    ],
    ids=lambda value: json.dumps(value)[:40],
)
def test_json_in_every_wrapping(answer: object) -> None:
    assert read(json.dumps(answer)) == HELLO
    assert read(json.dumps(answer, indent=2)) == HELLO
    assert read("\ufeff" + json.dumps(answer) + "\n") == HELLO


@pytest.mark.parametrize("text", [TEXT, f"{TEXT}\n", "Hello.\nHow are you?", "Hello.\r\n\r\nHow are you?"])
def test_plain_text(text: str) -> None:
    assert read(text) == HELLO


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ({"hangup": True}, [Reply(hang_up=True)]),
        ({"text": "Bye.", "hangup": "true"}, [Reply("Bye."), Reply(hang_up=True)]),
        ({"text": "Bye.", "hangup": False}, [Reply("Bye.")]),
        ({"audio_url": "https://x/a.mp3"}, [Reply(audio_url="https://x/a.mp3")]),
        ({"audioUrl": " https://x/a.mp3 ", "text": "Our hours."}, [Reply("Our hours.", "https://x/a.mp3")]),
        ({"transfer": "+14155550177"}, [Reply(transfer="+14155550177")]),
        ({"transfer": "Anna", "about": " A refund. "}, [Reply(transfer="Anna", about="A refund.")]),
        ({"transfer": {"to": "Anna", "about": "a refund"}}, [Reply(transfer="Anna", about="a refund")]),
        (
            {"text": "One moment.", "transfer": {"to": 14155550177}},
            [Reply("One moment."), Reply(transfer="14155550177")],
        ),
        ({"dtmf": "12 #"}, [Reply(keys="12#")]),
        (
            {"text": "Done.", "results": {"day": "Monday", "people": 4, "inner": {}}},
            [Reply("Done."), Reply(results={"day": "Monday", "people": "4"})],
        ),
        ({"text": "Done.", "results": ["Monday"]}, [Reply("Done.")]),
        ({"text": "Your card number?", "discreet": True}, [Reply(discreet=True), Reply("Your card number?")]),
        ({"text": "Thank you.", "discreet": "false"}, [Reply("Thank you."), Reply(discreet=False)]),
        ({"dtmf": 5, "text": "Five."}, [Reply("Five."), Reply(keys="5")]),
        ({"text": 42}, [Reply("42")]),
        (
            {"text": "It costs 3.50 dollars, Dr. Smith. Fine?"},
            [Reply("It costs 3.50 dollars, Dr. Smith."), Reply("Fine?")],
        ),
        ("Goodbye! [hangup]", [Reply("Goodbye!"), Reply(hang_up=True)]),
        ("Please hold. [transfer: +1 415 555 0177]", [Reply("Please hold."), Reply(transfer="+1 415 555 0177")]),
        ("Pressing. [dtmf: 1 2#]", [Reply("Pressing."), Reply(keys="12#")]),
        ("Don't hangup yet.", [Reply("Don't hangup yet.")]),
        ("First this. Hang up. Then call again.", [Reply("First this."), Reply("Hang up."), Reply("Then call again.")]),
        ("Transfer 100", [Reply("Transfer 100")]),
        ("Bye.\nhangup: true", [Reply("Bye."), Reply(hang_up=True)]),
        ("Bye.\n**[HANGUP]**", [Reply("Bye."), Reply(hang_up=True)]),
        ("Bye [hang up].", [Reply("Bye."), Reply(hang_up=True)]),
        ("[transfer +14155550177]", [Reply(transfer="+14155550177")]),
        ("<p>Hello there.</p>", [Reply("<p>Hello there.</p>")]),
        ("<b>Hello</b> there.", [Reply("<b>Hello</b> there.")]),
        ("<think>They say hi.</think>Hi.", [Reply("Hi.")]),
    ],
    ids=lambda value: json.dumps(value, default=str)[:40],
)
def test_what_is_asked_for(answer: object, found: list[Reply]) -> None:
    assert read(json.dumps(answer)) == found


def test_a_stream_is_spoken_sentence_by_sentence() -> None:
    stream = ReplyStream()
    said = [stream.feed(line.encode()) for line in items("Hel", "lo", ".", " How", " are you", "? I", " am")]
    assert [reply.text for replies in said for reply in replies] == ["Hello.", "How are you?", "I am"]
    assert said[4] == [Reply("Hello.")], "known as soon as the next word begins"
    stream.finish()


@pytest.mark.parametrize(
    ("tokens", "found"),
    [
        (["Bye.", "\nhang", "up"], [Reply("Bye."), Reply(hang_up=True)]),
        (["Bye. [han", "gup]"], [Reply("Bye."), Reply(hang_up=True)]),
        (
            ["I'll connect you.\ntrans", "fer: +1415", "5550177\n"],
            [Reply("I'll connect you."), Reply(transfer="+14155550177")],
        ),
        (["dtmf: 12#\n"], [Reply(keys="12#")]),
        (['{"text_resp', 'onse": "Bye."', ', "hangup": true}'], [Reply("Bye."), Reply(hang_up=True)]),
        (['Bye.\n{"hangup": true}'], [Reply("Bye."), Reply(hang_up=True)]),
        ([json.dumps({"text_response": TEXT})], HELLO),
        ([{"text_response": TEXT}], HELLO),
        (["", "Hello. ", "", "How are you?"], HELLO),
        (["Hello.", " ```py\nprint(1. )\n```", "\nHow are you?"], HELLO),
        (["1. One", "\n2. Two."], [Reply("1. One"), Reply("2. Two.")]),
    ],
    ids=lambda value: json.dumps(value, default=str)[:40],
)
def test_marks_and_json_inside_a_stream(tokens: list[object], found: list[Reply]) -> None:
    assert read(*items(*tokens)) == found
    assert read("".join(items(*tokens)).replace("\n", "")) == found, "with nothing between the chunks as well"


def test_lines_of_replies_and_server_sent_events() -> None:
    lines = [json.dumps({"text": "Hello."}), json.dumps({"text": "How are you?"})]
    assert read("\n".join(lines)) == HELLO
    assert read("".join(f"event: message\ndata: {line}\n\n" for line in lines) + "data: [DONE]\n\n") == HELLO


@given(st.data())
def test_however_the_bytes_are_cut(data: st.DataObject) -> None:
    whole = data.draw(
        st.sampled_from(
            [
                json.dumps([{"output": f"{TEXT} Ünïcödé 😀. 3.5 p.m. [hangup]", "dtmf": "1"}], ensure_ascii=False),
                "".join(items("Hel", "lo. Ünï", "cödé 😀.\ntransfer: +1415", "5550177\n", '{"hangup": true}')),
                f"{TEXT} Ünïcödé.\nhangup\n",
            ]
        )
    ).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=12)))
    pieces = [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    assert read(*pieces) == read(whole)


@given(st.binary(max_size=300))
def test_no_bytes_break_it(data: bytes) -> None:
    try:
        found = read(data)
    except N8nFault:
        return
    assert found


@given(st.lists(st.text(max_size=40), max_size=8))
def test_no_tokens_break_it(tokens: list[str]) -> None:
    try:
        found = read(*items(*tokens))
    except N8nFault:
        return
    assert all(reply != Reply() for reply in found)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("", FaultKind.EMPTY),
        ("  \n", FaultKind.EMPTY),
        ("{}", FaultKind.UNKNOWN_REPLY),
        ("[]", FaultKind.UNKNOWN_REPLY),
        ("null", FaultKind.ERROR_TEXT),
        ('{"text": ', FaultKind.BROKEN_OFF),
        ('{"text": "a"}\n{"te', FaultKind.BROKEN_OFF),
        ('{"code": 404, "message": "not registered", "hint": "…"}', FaultKind.ERROR_TEXT),
        ('{"output": "[object Object]"}', FaultKind.ERROR_TEXT),
        ('{"output": "Error: 401 - invalid key"}', FaultKind.ERROR_TEXT),
        ('{"output": "Sorry:\\n    at Object.fn (/usr/lib/n8n/x.js:10:5)"}', FaultKind.ERROR_TEXT),
        ("<html>Hello</html>", FaultKind.HTML),
        ("n8n is starting up. Please wait", FaultKind.STARTING),
        ("🙂", FaultKind.UNKNOWN_REPLY),
    ],
)
def test_what_is_no_answer(answer: str, kind: FaultKind) -> None:
    assert fault(answer) == kind


@pytest.mark.parametrize("text", ["An error in the bill? I'm sorry.", "Nothing is null and void.", "a < b, c > d"])
def test_what_only_looks_like_an_error(text: str) -> None:
    assert of_text(text) is None


def test_a_message_of_n8n_is_kept_for_the_operator_and_cut() -> None:
    found = of_status(500, json.dumps({"message": "Error in workflow " + "x" * 1000}).encode())
    assert found is not None and found.kind is FaultKind.WORKFLOW_FAILED and len(str(found)) < 500


@pytest.mark.parametrize(
    ("head", "declared", "audio"),
    [
        (b"RIFF\0\0\0\0WAVE", "application/json", True),
        (b"ID3\4", "", True),
        (b"\xff\xfb\x90\x00", "text/plain", True),
        (b"OggS", "", True),
        (b"fLaC", "", True),
        (b"\0\0\0\x20ftypM4A ", "", True),
        (b'{"text": "x"}', "audio/wav", False),
        (b"<html>", "audio/wav", False),
        (b"Hello there, you.", "text/html", False),
        (b"\x12\x34\x56\x78" * 4, "audio/basic", True),
        (b"", "audio/wav", None),
        (b"Hel", "", None),
    ],
)
def test_bytes_beat_declared_types(head: bytes, declared: str, audio: bool | None) -> None:
    assert is_audio(head, declared) is audio
