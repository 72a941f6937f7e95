"""Whole calls over real UDP: SIP and RTP both ways, measured on both ends."""

from __future__ import annotations

import asyncio
import json
import wave
from pathlib import Path
from typing import Any

import pytest

from tests.rehearsal.sip_caller import CALLER_ID, HOST, NUMBER, SipCaller, Wording, new_branch
from tests.rehearsal.talking_caller import GREETING, REPLY, talking_caller
from trunkline.audio import seconds_of, to_samples
from trunkline.errors import NotReady
from trunkline.ports import SpeechToText, Transcript
from trunkline.rehearsal import rtp
from trunkline.rehearsal.carrier import NO_ACK, StandInCarrier
from trunkline.rehearsal.clip import Clip
from trunkline.rehearsal.config import CarrierConfig
from trunkline.rehearsal.progress import AgentSpoke, CallOver, PersonSpoke, PhoneAnswered, PhoneRang, Progress
from trunkline.rehearsal.scenario import Scenario
from trunkline.rehearsal.studio import tone
from trunkline.rehearsal.termination import Cause

LINE = tone((1000.0,), 0.4)
AGREE_SECONDS = 0.01
"""How far the two ends may disagree: they stamp the same packets, each on its own side of a busy machine."""
BUSY_SECONDS = 0.1
"""How far a recording may be shifted on a machine that wakes us late."""


@pytest.fixture
def person(tmp_path: Path) -> Any:
    """Makes scenarios; `line.wav` is 100 ms of silence, 400 ms of a 1 kHz tone, 150 ms of silence."""
    with wave.open(str(tmp_path / "line.wav"), "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(8000)
        wav.writeframes(bytes(1600) + LINE + bytes(2400))

    def make(*steps: object, **more: object) -> Scenario:
        content = {"name": "somebody", "folder": tmp_path, "phone": {"rings_ms": 0}, "steps": list(steps)}
        return Scenario.model_validate(content | more)

    return make


SAY = {"wav": "line.wav", "text": "hello"}
WAIT = {"wait_for_agent": {"silence_ms": 250, "timeout_ms": 4000}}


def carrier_of(
    *people: Scenario, out_dir: Path | None = None, ears: SpeechToText | None = None, **config: object
) -> StandInCarrier:
    settings = CarrierConfig.model_validate({"calls_per_second": None} | config)
    return StandInCarrier(settings, people, out_dir=out_dir, recogniser=ears)


class Ears:
    """Understands each stretch of audio as the next of the given texts."""

    def __init__(self, *texts: str) -> None:
        self._texts = iter(texts)
        self.heard: list[float] = []

    async def warm_up(self) -> None: ...

    async def transcribe(self, audio: bytes, *, language: str = "en", hint: str = "") -> Transcript:
        self.heard.append(seconds_of(audio))
        return Transcript(next(self._texts), 1.0)

    async def close(self) -> None: ...


async def test_a_conversation_is_measured_as_the_other_end_measures_it(person: Any, tmp_path: Path) -> None:
    seen: list[Progress] = []
    async with carrier_of(person(WAIT, SAY, WAIT, SAY, WAIT, "hang_up"), out_dir=tmp_path / "out") as carrier:
        carrier.on_event(seen.append)
        async with talking_caller(carrier) as caller:
            await caller.connect()
            await caller.say(GREETING)
            gaps = []
            for number in (1, 2):
                _, ended = await caller.heard(number)
                began, _ = await caller.say(REPLY)
                gaps.append(began - ended)
            await caller.bye_received()
        report = await carrier.next_report(5)

    assert (report.number, report.caller_id) == (NUMBER, CALLER_ID)
    assert (report.outcome, report.ended_by) == ("answered", "person")
    assert report.problems == ()
    assert [turn.text for turn in report.turns] == ["hello", "hello"]
    for gap, measured in zip(gaps, report.gaps_ms, strict=True):
        assert measured == pytest.approx(gap * 1000, abs=AGREE_SECONDS * 1000)
    assert report.turns[0].ended - report.turns[0].began == pytest.approx(0.4, abs=AGREE_SECONDS)
    assert report.agent_heard
    assert report.person_heard
    assert report.greeting_ms is not None
    assert report.greeting_ms < 500
    assert (report.received.lost, report.received.reordered, report.stray_datagrams) == (0, 0, 0)
    kinds = [type(event) for event in seen if not isinstance(event, CallOver)]
    assert kinds == [PhoneRang, PhoneAnswered, AgentSpoke, PersonSpoke, AgentSpoke, PersonSpoke, AgentSpoke]
    live = [event.gap_ms for event in seen if isinstance(event, AgentSpoke)]
    assert live == [None, *report.gaps_ms]
    assert [line.line for line in report.sip][-1].startswith("BYE")


async def test_both_directions_are_carried_and_recorded_unchanged(person: Any, tmp_path: Path) -> None:
    async with carrier_of(person(WAIT, SAY, {"pause_ms": 100}, "hang_up"), out_dir=tmp_path / "out") as carrier:
        async with talking_caller(carrier) as caller:
            await caller.connect()
            await caller.say(GREETING)
            await caller.bye_received()
            heard = rtp.decode(b"".join(caller.line.reception.log.payloads), "ulaw")
        report = await carrier.next_report(5)

    said = rtp.decode(rtp.encode(LINE, "ulaw"), "ulaw")
    greeting = rtp.decode(rtp.encode(GREETING.pcm, "ulaw"), "ulaw")
    assert said in heard  # bit by bit what was coded at the other end
    with wave.open(str(tmp_path / "out" / str(report.recording))) as wav:
        both = to_samples(wav.readframes(wav.getnframes())).reshape(-1, 2)
    person_side, agent_side = both[:, 0].tobytes(), both[:, 1].tobytes()
    assert person_side.find(said) / 16000 == pytest.approx(report.turns[0].began, abs=BUSY_SECONDS)
    assert agent_side.find(greeting) / 16000 == pytest.approx(report.agent_speech[0].began, abs=BUSY_SECONDS)

    written = json.loads((tmp_path / "out" / str(report.recording).replace(".wav", ".json")).read_text())
    assert written["turns"][0]["text"] == "hello"
    assert written["agent_heard"] is True
    assert len(written["packets"]["sequence"]) == report.received.packets


async def test_a_person_interrupts_and_the_stop_is_timed(person: Any) -> None:
    interrupt = {"interrupt": {"after_ms": 200, **SAY}}
    async with carrier_of(person(interrupt, WAIT, "hang_up")) as carrier:
        async with talking_caller(carrier) as caller:
            await caller.connect()
            caller.line.play(Clip("[long]", tone((400.0,), 3.0)))
            await caller.until(lambda: caller.line.agent.began is not None)
            caller.line.hush()
            began, _ = await caller.heard()
            stopped = caller.line.sent[0][0]
            for at, payload in caller.line.sent:
                if payload is not None and payload != rtp.ULAW_SILENCE:
                    stopped = at + 0.02
            await caller.say(REPLY)
            await caller.bye_received()
        report = await carrier.next_report(5)
    (turn,) = report.turns
    assert turn.interrupted
    assert turn.began - report.agent_speech[0].began == pytest.approx(0.2, abs=0.035)
    # The last frame sent is not the last sample of it: the comparison is good to a packet.
    assert turn.stop_ms == pytest.approx((stopped - began) * 1000, abs=20)
    assert turn.gap_ms is not None
    assert turn.gap_ms > 0


async def test_a_person_waits_for_words(person: Any) -> None:
    ears = Ears("Hello.", "Which day, please?")
    wait = {"wait_for_words": {"words": "which day", "silence_ms": 250, "timeout_ms": 4000}}
    async with carrier_of(person(wait, SAY, WAIT, "hang_up"), ears=ears) as carrier:
        async with talking_caller(carrier) as caller:
            await caller.connect()
            await caller.say(GREETING)
            await caller.until(lambda: len(ears.heard) == 1)
            await caller.say(REPLY)
            await caller.heard()
            await caller.say(REPLY)
            await caller.bye_received()
        report = await carrier.next_report(5)
    assert report.problems == ()
    assert len(report.gaps_ms) == 1
    assert ears.heard[1] >= 0.3


async def test_words_that_never_come_are_told_with_what_was_said(person: Any) -> None:
    wait = {"wait_for_words": {"words": "which day", "silence_ms": 250, "timeout_ms": 1000}}
    async with carrier_of(person(wait), ears=Ears("Hello.")) as carrier:
        async with talking_caller(carrier) as caller:
            await caller.connect()
            await caller.say(GREETING)
            await caller.bye_received()
        report = await carrier.next_report(5)
    assert report.problems == ("Step 1 (wait_for_words): the agent did not say 'which day'. It said: Hello.",)


async def test_keys_go_both_ways(person: Any) -> None:
    async with carrier_of(person({"keys": "1*9"}, WAIT, "hang_up")) as carrier:
        async with talking_caller(carrier) as caller:
            await caller.connect()
            caller.line.press("42#")
            await caller.until(lambda: len(caller.keys) == 3 and not caller.line.pressing)
            await caller.say(GREETING)
            await caller.bye_received()
            assert caller.keys == "1*9"
            assert caller.line.reception.summary().lost == 0
        report = await carrier.next_report(5)
    assert (report.keys_sent, report.keys_heard) == ("1*9", "42#")
    assert report.received.lost == 0


@pytest.mark.parametrize(("then", "code"), [("busy", 486), ("declined", 603)])
async def test_a_phone_that_refuses(person: Any, then: str, code: int) -> None:
    async with carrier_of(person(phone={"then": then, "rings_ms": 20})) as carrier:
        async with SipCaller((carrier.host, carrier.port)) as caller:
            await caller.invite_with_password()
            assert (await caller.response()).code == 180
            refusal = await caller.response()
            caller.ack_refusal(refusal)
        report = await carrier.next_report(5)
    assert (refusal.code, report.outcome, report.ended_by) == (code, then, "person")
    assert (report.duration, report.greeting_ms, report.recording) == (None, None, None)


async def test_a_phone_that_nobody_picks_up_rings_until_the_caller_gives_up(person: Any) -> None:
    async with carrier_of(person(phone={"then": "no-answer"})) as carrier:
        async with SipCaller((carrier.host, carrier.port)) as caller:
            await caller.invite_with_password()
            assert (await caller.response()).code == 180
            caller.cancel()
            assert [(await caller.response()).code for _ in range(2)] == [200, 487]
        report = await carrier.next_report(5)
    assert (report.outcome, report.ended_by) == ("no-answer", "caller")


async def test_a_caller_who_gives_up_too_early(person: Any) -> None:
    phone = {"rings_ms": 60_000}
    async with carrier_of(person(SAY, phone=phone)) as carrier, SipCaller((carrier.host, carrier.port)) as caller:
        await caller.invite_with_password()
        await caller.response()
        caller.cancel()
        report = await carrier.next_report(5)
    assert report.outcome == "cancelled"
    assert report.turns == ()


async def test_early_media_is_heard_before_the_answer(person: Any) -> None:
    phone = {"early_media": True, "ringing": False, "rings_ms": 400}
    async with carrier_of(person({"pause_ms": 300}, SAY, "hang_up", phone=phone)) as carrier:
        async with talking_caller(carrier) as caller:
            await caller.sip.invite_with_password()
            progress = await caller.sip.response()
            assert progress.code == 183
            answer = await caller.sip.response()
            ringback = len(caller.line.agent.speech())
            assert (answer.code, answer.body) == (200, progress.body)
            assert ringback == 1
            caller.acknowledge(answer)
            began, _ = await caller.heard(2)
            assert began > caller.line.agent.finished[0].ended
            await caller.bye_received()
        report = await carrier.next_report(5)
    assert report.turns[0].began > 0


async def test_the_caller_hangs_up_in_the_middle_of_a_word(person: Any) -> None:
    async with carrier_of(person(SAY, SAY, SAY)) as carrier:
        async with talking_caller(carrier) as caller:
            await caller.connect()
            await caller.until(lambda: caller.line.agent.began is not None)
            caller.sip.bye()
            assert (await caller.sip.response()).code == 200
        report = await carrier.next_report(5)
        assert carrier.live_calls == 0
    assert (report.outcome, report.ended_by) == ("answered", "caller")
    assert report.turns[0].ended <= (report.duration or 0)
    assert not report.agent_heard


async def test_an_agent_that_says_nothing_is_a_problem(person: Any) -> None:
    async with carrier_of(person({"wait_for_agent": {"timeout_ms": 150}})) as carrier:
        async with talking_caller(carrier) as caller:
            await caller.connect()
            await caller.bye_received()
        report = await carrier.next_report(5)
    assert report.problems == ("Step 1 (wait_for_agent): waited 0.15 s; the agent said nothing.",)
    assert not report.agent_heard


async def test_an_answer_without_proper_ack_drops_the_call(person: Any) -> None:
    async with carrier_of(person(WAIT), t1=0.005) as carrier:
        async with talking_caller(carrier) as caller:
            await caller.sip.invite_with_password()
            answer = await caller.sip.response(skip=(100, 180))
            caller.sip.ack(answer, routed=False)
            await caller.bye_received()
        report = await carrier.next_report(5)
        assert carrier.agent.lost_acks == 1
    assert (report.ended_by, report.problems, report.ack_after_ms) == ("carrier", (NO_ACK,), None)


async def test_a_number_nobody_has_is_not_found(person: Any) -> None:
    async with carrier_of(person(numbers=["+14155550177"])) as carrier:
        async with SipCaller((carrier.host, carrier.port)) as caller:
            await caller.invite_with_password()
            assert (await caller.response()).code == 404
        assert carrier.refused == [(NUMBER, Cause.NOBODY)]
        with pytest.raises(TimeoutError):
            await carrier.next_report(0.01)


async def test_refusals_are_kept(person: Any) -> None:
    async with carrier_of(person(), caller_ids=["+14155550111"]) as carrier:
        async with SipCaller((carrier.host, carrier.port)) as caller:
            await caller.invite_with_password()
            assert (await caller.response()).phrase == "Caller ID is unauthorized"
        assert carrier.refused == [(NUMBER, Cause.CALLER_ID_NOT_ALLOWED)]


async def test_people_are_found_by_number_and_talk_at_the_same_time(person: Any) -> None:
    numbers = ["+14155550171", "+14155550172"]
    people = [person(WAIT, SAY, WAIT, "hang_up", numbers=[number], name=number) for number in numbers]
    async with carrier_of(*people) as carrier:

        async def converse(number: str) -> None:
            async with talking_caller(carrier, Wording(uri=f"sip:{number}@{HOST}")) as caller:
                await caller.connect()
                await caller.say(GREETING)
                await caller.heard()
                await caller.say(REPLY)
                await caller.bye_received()

        await asyncio.gather(*map(converse, numbers))
        reports = [await carrier.next_report(5) for _ in numbers]
    assert sorted((report.person, report.number) for report in reports) == [(n, n) for n in numbers]
    assert all(len(report.gaps_ms) == 1 for report in reports)


async def test_rubbish_on_the_wire_changes_nothing(person: Any) -> None:
    async with carrier_of(person(WAIT, SAY, WAIT, "hang_up")) as carrier:
        async with talking_caller(carrier) as caller:
            for rubbish in (b"", b"\0" * 900, b"INVITE sip:\xff SIP/2.0\r\n\r\n", b"SIP/2.0 200\r\n\r\n"):
                caller.sip.send(rubbish)
            await caller.connect()
            for rubbish in (b"", b"x", b"\x80" * 40, b"\xff" * 1500):
                caller.line._socket.sendto(rubbish, caller.line.remote)
            await caller.say(GREETING)
            await caller.heard()
            await caller.say(REPLY)
            await caller.bye_received()
        report = await carrier.next_report(5)
        assert carrier.agent.malformed >= 2
    assert len(report.gaps_ms) == 1
    assert report.stray_datagrams >= 3


async def test_a_carrier_that_closes_hangs_up(person: Any) -> None:
    carrier = carrier_of(person({"pause_ms": 60_000}))
    async with carrier, talking_caller(carrier) as caller:
        await caller.connect()
        await caller.until(lambda: len(caller.line.reception.log.arrival) > 2)
        closing = asyncio.ensure_future(carrier.__aexit__(None, None, None))
        await caller.bye_received()
        await closing
        assert carrier.reports[0].ended_by == "carrier"


async def test_nothing_is_left_of_many_calls(person: Any) -> None:
    async with carrier_of(person(SAY)) as carrier:
        before = len(asyncio.all_tasks())
        for _ in range(5):
            async with talking_caller(carrier) as caller:
                await caller.connect()
                caller.sip.bye()
                await carrier.next_report(5)
        assert carrier.live_calls == 0
        assert len(asyncio.all_tasks()) == before


async def test_options_is_answered(person: Any) -> None:
    async with carrier_of(person()) as carrier, SipCaller((carrier.host, carrier.port)) as caller:
        caller.send(caller.wording.request("OPTIONS", 1, new_branch()))
        assert (await caller.response()).code == 200


async def test_a_taken_port_is_told(person: Any) -> None:
    async with carrier_of(person()) as first:
        with pytest.raises(NotReady, match=f"can't listen on 127.0.0.1:{first.port}"):
            async with carrier_of(person(), listen_port=first.port):
                pass


async def test_the_trunk_settings_are_told(person: Any) -> None:
    async with carrier_of(person(), caller_ids=["+14155550111"]) as carrier:
        assert carrier.trunk_settings() == {
            "host": HOST,
            "proxy": f"127.0.0.1:{carrier.port}",
            "username": "trunk",
            "password": "rehearsal-Password-1",
            "caller_ids": ["+14155550111"],
        }
