"""Prometheus metrics."""

from __future__ import annotations

from dataclasses import dataclass

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.store.records import a_call, a_turn, an_event, at
from tests.web.desk import Desk
from trunkline.conversation.load import LoadGauge
from trunkline.events import CallCreated, CallNoted, CallStateChanged, GreetingStarted, SpeechHeard, TurnFinished
from trunkline.models import CallEnd, CallEvent, CallId, CallState, Disposition, HangUpBy, TurnTimings
from trunkline.speech.measured import EngineCounters, EngineUse
from trunkline.telephony.pacing_clock import ClockReport
from trunkline.web import Metrics


def samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return samples(metrics.text().decode()).get((name, frozenset(labels.items())))


def ended(call_id: CallId, disposition: Disposition, sip_code: int | None) -> CallStateChanged:
    end = CallEnd(disposition, "Why.", HangUpBy.PERSON, sip_code=sip_code)
    return CallStateChanged(call_id, CallState.ENDED, at(9), end)


def test_calls_are_counted_by_how_they_ended() -> None:
    metrics = Metrics()
    calls = [a_call() for _ in range(4)]
    for call in calls:
        metrics.watch(CallCreated(call))
    assert value(metrics, "trunkline_calls_live") == 4
    metrics.watch(ended(calls[0].id, Disposition.BUSY, 486))
    metrics.watch(ended(calls[1].id, Disposition.BUSY, 486))
    metrics.watch(ended(calls[2].id, Disposition.FAILED, None))
    metrics.watch(CallStateChanged(calls[3].id, CallState.ANSWERED, at(5)))
    assert value(metrics, "trunkline_calls_created_total", direction="outbound") == 4
    assert value(metrics, "trunkline_calls_ended_total", disposition="busy", sip_code="486") == 2
    assert value(metrics, "trunkline_calls_ended_total", disposition="failed", sip_code="") == 1
    assert value(metrics, "trunkline_calls_live") == 1


def test_an_end_told_twice_leaves_no_negative_number_of_calls() -> None:
    metrics = Metrics()
    call = a_call()
    metrics.watch(CallCreated(call))
    metrics.watch(ended(call.id, Disposition.BUSY, 486))
    metrics.watch(ended(call.id, Disposition.BUSY, 486))
    assert value(metrics, "trunkline_calls_live") == 0


def test_gaps_and_where_they_went() -> None:
    metrics = Metrics()
    call = a_call()
    timings = TurnTimings(endpointing_ms=500, transcription_ms=150, gap_ms=750)
    metrics.watch(TurnFinished(call.id, a_turn(2, timings=timings)))
    metrics.watch(TurnFinished(call.id, a_turn(3, timings=None)))
    metrics.watch(GreetingStarted(call.id, 90))
    metrics.watch(SpeechHeard(call.id, True))
    metrics.watch(CallNoted(call.id, an_event(call.id)))
    assert value(metrics, "trunkline_turn_gap_seconds_count") == 1
    assert value(metrics, "trunkline_turn_gap_seconds_sum") == pytest.approx(0.75)
    assert value(metrics, "trunkline_turn_gap_seconds_bucket", le="0.7") == 0
    assert value(metrics, "trunkline_turn_gap_seconds_bucket", le="0.8") == 1
    assert value(metrics, "trunkline_turn_step_seconds_sum", step="endpointing") == pytest.approx(0.5)
    assert value(metrics, "trunkline_turn_step_seconds_sum", step="brain") is None
    assert value(metrics, "trunkline_greeting_delay_seconds_sum") == pytest.approx(0.09)


@dataclass
class Counters:
    legs_open: int = 2
    frames_in: int = 1000
    frames_out: int = 1001
    refused_unknown: int = 3
    refused_duplicate: int = 4
    refused_foreign: int = 0
    malformed: int = 5
    handshake_timeouts: int = 6
    stalled: int = 7


def test_telephonys_counters_are_read_when_asked_for() -> None:
    counters = Counters()
    metrics = Metrics(lambda: counters)
    counters.malformed += 1
    assert value(metrics, "trunkline_audio_faults_total", fault="malformed") == 6
    assert value(metrics, "trunkline_audio_faults_total", fault="unknown_call") == 3
    assert value(metrics, "trunkline_audio_frames_total", direction="out") == 1001
    assert value(metrics, "trunkline_audio_legs") == 2


def test_how_the_clock_kept_time() -> None:
    report = ClockReport(ticks=1000, caught_up=30, rebased=1, skipped=4, late_ms_p50=1.0, late_ms_p99=9.0)
    metrics = Metrics(clock=lambda: report)
    kept = {kept: value(metrics, "trunkline_clock_ticks_total", kept=kept) for kept in ("in_time", "late", "never")}
    assert kept == {"in_time": 970, "late": 30, "never": 4}


def test_how_speech_engines_do() -> None:
    counters = EngineCounters()
    counters.uses["stt", "studio"] = EngineUse(answered=3, failed=1, seconds=0.75)
    metrics = Metrics(engines=counters)
    told = {"task": "stt", "engine": "studio"}
    assert value(metrics, "trunkline_speech_requests_total", outcome="answered", **told) == 3
    assert value(metrics, "trunkline_speech_requests_total", outcome="failed", **told) == 1
    assert value(metrics, "trunkline_speech_seconds_total", **told) == 0.75


def test_what_a_busy_machine_leaves_out() -> None:
    load = LoadGauge()
    metrics = Metrics(load=load)
    for _ in range(50):
        load.woke(0.0)
    assert value(metrics, "trunkline_load_level") == 0
    for _ in range(60):
        load.woke(1.0)
    assert value(metrics, "trunkline_load_level") == 2
    assert value(metrics, "trunkline_load_seconds_total", level="normal") == pytest.approx(54 * 0.02)
    assert value(metrics, "trunkline_load_seconds_total", level="no_turn_model") == pytest.approx(50 * 0.02)
    assert value(metrics, "trunkline_load_seconds_total", level="no_speculation") == pytest.approx(6 * 0.02)


def test_two_services_in_one_process_do_not_mix() -> None:
    one, other = Metrics(), Metrics()
    one.watch(CallCreated(a_call()))
    assert value(other, "trunkline_calls_live") == 0


async def test_metrics_over_http(desk: Desk, client: httpx.AsyncClient) -> None:
    await client.post("/call", json={"phoneNumber": "+14155550100"})
    answer = await client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    found = samples(answer.text)
    assert found["trunkline_calls_live", frozenset()] == 1
    assert found["process_open_fds", frozenset()] > 0


def test_failures_of_brains_are_counted_by_kind() -> None:
    metrics = Metrics()
    call = a_call()
    for fault in ("timeout", "timeout", "not-active"):
        note = CallEvent(call.id, at(3), "brain-fault", "The workflow took too long.", {"fault": fault})
        metrics.watch(CallNoted(call.id, note))
    assert value(metrics, "trunkline_brain_faults_total", fault="timeout") == 2
    assert value(metrics, "trunkline_brain_faults_total", fault="not-active") == 1
