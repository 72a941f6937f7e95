"""Spans tell where the time went, and nothing of what was said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from trunkline.events import CallCreated, CallStateChanged, GreetingStarted, TurnFinished
from trunkline.models import (
    CallEnd,
    CallId,
    CallRecord,
    CallState,
    Direction,
    Disposition,
    HangUpBy,
    Speaker,
    Turn,
    TurnTimings,
)
from trunkline.tracing import Tracing

CALL = CallId("c")
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def test_a_call_its_replies_and_their_steps() -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracing = Tracing(provider.get_tracer("test"))
    answered = START + timedelta(seconds=2)
    timings = TurnTimings(300.0, 50.0, 10.0, 20.0, 20.0, 400.0)
    end = CallEnd(Disposition.ANSWERED, "The person hung up.", HangUpBy.PERSON, 200)
    for update in (
        CallCreated(CallRecord(CALL, Direction.OUTBOUND, "+14155550100", "me", CallState.QUEUED, START)),
        CallStateChanged(CALL, CallState.ANSWERED, answered),
        GreetingStarted(CALL, 42.0),
        TurnFinished(CALL, Turn(1, Speaker.PERSON, "secret words", 1.0, 2.0)),
        TurnFinished(CALL, Turn(2, Speaker.AGENT, "more secret words", 2.4, 4.0, timings)),
        CallStateChanged(CALL, CallState.ENDED, START + timedelta(seconds=9), end),
    ):
        tracing.watch(update)
    spans = {span.name: span for span in exporter.get_finished_spans()}
    assert set(spans) == {"call", "reply", "endpointing", "transcription", "brain", "synthesis", "playout"}
    call, reply = spans["call"], spans["reply"]
    assert (call.end_time or 0) - (call.start_time or 0) == 9_000_000_000
    assert reply.parent is not None
    assert reply.parent.span_id == call.context.span_id
    assert (reply.start_time or 0) == int((answered.timestamp() + 2.0) * 1e9)
    steps = [spans[name] for name in ("endpointing", "transcription", "brain", "synthesis", "playout")]
    assert steps[0].start_time == reply.start_time
    assert all(before.end_time == after.start_time for before, after in pairwise(steps))
    assert (steps[-1].end_time or 0) - (reply.start_time or 0) == 400_000_000
    everything = str([span.to_json() for span in exporter.get_finished_spans()])
    assert "secret" not in everything
    assert "4155550100" not in everything
    assert (call.attributes or {})["trunkline.disposition"] == "answered"
