"""OpenTelemetry spans: one per call, one per reply, one per step of its turn gap. No names, numbers or words in them.

Without the SDK (`pip install 'trunkline[otel]'`) and `OTEL_EXPORTER_OTLP_ENDPOINT` nothing is recorded or sent.
"""

from __future__ import annotations

import logging
import os
from datetime import datetime, timedelta

from opentelemetry import trace
from opentelemetry.trace import Span, Tracer, set_span_in_context

import trunkline
from trunkline.events import CallCreated, CallStateChanged, CallUpdate, GreetingStarted, TurnFinished
from trunkline.models import CallId, CallState, Turn, TurnTimings

log = logging.getLogger(__name__)

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
_STEPS = ("endpointing_ms", "transcription_ms", "brain_ms", "synthesis_ms", "playout_ms")


def tracer() -> Tracer:
    """The tracer of this process; sends spans away where the environment says so."""
    if os.environ.get(ENDPOINT):
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
            from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
            from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
        except ImportError:
            log.warning("%s is set, but the exporter isn't installed: pip install 'trunkline[otel]'", ENDPOINT)
        else:
            provider = TracerProvider()
            provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
            trace.set_tracer_provider(provider)
    return trace.get_tracer("trunkline", trunkline.__version__)


class Tracing:
    """A watcher of the switchboard."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self._calls: dict[CallId, Span] = {}
        self._answered: dict[CallId, datetime] = {}

    def watch(self, update: CallUpdate) -> None:
        match update:
            case CallCreated(call):
                attributes = {"trunkline.call.id": call.id, "trunkline.direction": call.direction.value}
                self._calls[call.id] = self._tracer.start_span(
                    "call", attributes=attributes | {"trunkline.agent": call.agent}, start_time=_ns(call.created_at)
                )
            case CallStateChanged(call_id):
                self._moved(update, self._calls.get(call_id))
            case GreetingStarted(call_id, greeting_ms) if (span := self._calls.get(call_id)) is not None:
                span.set_attribute("trunkline.greeting_ms", greeting_ms)
            case TurnFinished(call_id, turn) if turn.timings is not None and call_id in self._answered:
                self._replied(self._calls[call_id], self._answered[call_id], turn, turn.timings)
            case _:
                pass

    def _moved(self, change: CallStateChanged, span: Span | None) -> None:
        if span is None:
            return
        span.add_event(change.state, timestamp=_ns(change.at))
        if change.state is CallState.ANSWERED:
            self._answered[change.call_id] = change.at
        elif change.state is CallState.ENDED:
            if change.end is not None:
                span.set_attribute("trunkline.disposition", change.end.disposition.value)
                if change.end.sip_code is not None:
                    span.set_attribute("sip.status_code", change.end.sip_code)
            span.end(_ns(change.at))
            del self._calls[change.call_id]
            self._answered.pop(change.call_id, None)

    def _replied(self, call: Span, answered: datetime, turn: Turn, timings: TurnTimings) -> None:
        if timings.gap_ms is None:
            return
        at = answered + timedelta(seconds=turn.started, milliseconds=-timings.gap_ms)
        reply = self._tracer.start_span(
            "reply",
            set_span_in_context(call),
            attributes={"trunkline.turn": turn.number, "trunkline.gap_ms": timings.gap_ms},
            start_time=_ns(at),
        )
        for name in _STEPS:
            milliseconds: float | None = getattr(timings, name)
            if milliseconds is not None:
                step = self._tracer.start_span(name.removesuffix("_ms"), set_span_in_context(reply), start_time=_ns(at))
                at += timedelta(milliseconds=milliseconds)
                step.end(_ns(at))
        reply.end(_ns(answered + timedelta(seconds=turn.ended)))


def _ns(at: datetime) -> int:
    """Nanoseconds since the epoch, as OpenTelemetry counts."""
    return round(at.timestamp() * 1e9)
