"""Metrics for Prometheus, fed by the updates of calls and by the counters of telephony."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from typing import Final, Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

import trunkline
from trunkline.events import CallCreated, CallNoted, CallStateChanged, CallUpdate, GreetingStarted, TurnFinished
from trunkline.models import CallId, CallState, TurnTimings
from trunkline.ports import Load, LoadLevel

_GAP_BUCKETS: Final = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2, 1.5, 2.0, 3.0, 5.0, 10.0)
_STEPS: Final = tuple(field.name for field in fields(TurnTimings) if field.name != "gap_ms")


class AudioCounters(Protocol):
    """What telephony counts on the audio of calls, since its start."""

    @property
    def legs_open(self) -> int: ...
    @property
    def frames_in(self) -> int: ...
    @property
    def frames_out(self) -> int: ...
    @property
    def refused_unknown(self) -> int: ...
    @property
    def refused_duplicate(self) -> int: ...
    @property
    def refused_foreign(self) -> int: ...
    @property
    def malformed(self) -> int: ...
    @property
    def handshake_timeouts(self) -> int: ...
    @property
    def stalled(self) -> int: ...


class MediaClock(Protocol):
    """How well the clock of the calls' audio kept time, since its start: frames of each call."""

    @property
    def ticks(self) -> int: ...
    @property
    def caught_up(self) -> int:
        """Of the ticks: those that came too late, together with the one that was due."""

    @property
    def skipped(self) -> int: ...


class LoadTime(Load, Protocol):
    """What is left out because the machine is busy, and for how long it was, in seconds."""

    @property
    def seconds(self) -> Mapping[LoadLevel, float]: ...


class EngineUse(Protocol):
    """What was asked of a speech engine, since its start."""

    @property
    def answered(self) -> int: ...
    @property
    def failed(self) -> int: ...
    @property
    def seconds(self) -> float:
        """From request to first answer, of all that were answered."""


class EngineUses(Protocol):
    @property
    def uses(self) -> Mapping[tuple[str, str], EngineUse]:
        """By task (`stt`, `tts`) and engine."""


class Refusals(Protocol):
    @property
    def refused(self) -> Mapping[str, int]:
        """Numbers that were not dialled, by the code of their refusal, since the start."""


class Metrics:
    """A watcher of the switchboard, with a registry of its own."""

    def __init__(
        self,
        audio: Callable[[], AudioCounters] | None = None,
        clock: Callable[[], MediaClock] | None = None,
        load: LoadTime | None = None,
        engines: EngineUses | None = None,
        refusals: Refusals | None = None,
    ) -> None:
        registry = self._registry = CollectorRegistry()
        Info("trunkline_build", "What is running.", registry=registry).info({"version": trunkline.__version__})
        self._created = Counter("trunkline_calls_created", "Calls taken on.", ["direction"], registry=registry)
        self._ended = Counter(
            "trunkline_calls_ended",
            "Calls by how they ended and by the far end's final SIP status (empty where there was none).",
            ["disposition", "sip_code"],
            registry=registry,
        )
        self._live = Gauge("trunkline_calls_live", "Calls that have not ended.", registry=registry)
        self._gap = Histogram(
            "trunkline_turn_gap_seconds",
            "Silence the person hears between the end of their speech and the reply.",
            buckets=_GAP_BUCKETS,
            registry=registry,
        )
        self._step = Histogram(
            "trunkline_turn_step_seconds",
            "Where the turn gap goes: endpointing, transcription, brain, synthesis, playout.",
            ["step"],
            buckets=(0.01, 0.02, 0.05, *_GAP_BUCKETS),
            registry=registry,
        )
        self._brain_faults = Counter(
            "trunkline_brain_faults",
            "Turns without a usable answer of the brain, by kind.",
            ["fault"],
            registry=registry,
        )
        self._greeting = Histogram(
            "trunkline_greeting_delay_seconds",
            "From the answer to the greeting's first sound.",
            buckets=(0.02, 0.04, 0.06, 0.08, *_GAP_BUCKETS),
            registry=registry,
        )
        if audio is not None:
            registry.register(_AudioCollector(audio))
        if engines is not None:
            registry.register(_EngineCollector(engines))
        if clock is not None:
            registry.register(_ClockCollector(clock))
        if load is not None:
            registry.register(_LoadCollector(load))
        if refusals is not None:
            registry.register(_RefusalCollector(refusals))
        ProcessCollector(registry=registry)
        self._open: set[CallId] = set()

    def watch(self, update: CallUpdate) -> None:
        match update:
            case CallCreated(call):
                self._created.labels(call.direction).inc()
                self._open.add(call.id)
            case CallStateChanged(call_id, CallState.ENDED, _, end):
                self._open.discard(call_id)
                if end is not None:
                    self._ended.labels(end.disposition, "" if end.sip_code is None else str(end.sip_code)).inc()
            case GreetingStarted(_, greeting_ms):
                self._greeting.observe(greeting_ms / 1000)
            case CallNoted(_, event) if event.kind == "brain-fault":
                self._brain_faults.labels(str(event.data.get("fault", "failed"))).inc()
            case TurnFinished(_, turn) if turn.timings is not None:
                self._observe(turn.timings)
            case _:
                return
        self._live.set(len(self._open))

    def text(self) -> bytes:
        """All of them in Prometheus's text format."""
        return generate_latest(self._registry)

    def _observe(self, timings: TurnTimings) -> None:
        if timings.gap_ms is not None:
            self._gap.observe(timings.gap_ms / 1000)
        for name in _STEPS:
            milliseconds: float | None = getattr(timings, name)
            if milliseconds is not None:
                self._step.labels(name.removesuffix("_ms")).observe(milliseconds / 1000)


class _AudioCollector(Collector):
    """Telephony counts by itself, without knowing of Prometheus; here its numbers are read when somebody asks."""

    def __init__(self, counters: Callable[[], AudioCounters]) -> None:
        self._counters = counters

    def collect(self) -> Iterable[Metric]:
        now = self._counters()
        yield GaugeMetricFamily("trunkline_audio_legs", "Open audio connections from Asterisk.", value=now.legs_open)
        frames = CounterMetricFamily("trunkline_audio_frames", "Audio frames of 20 ms.", labels=["direction"])
        frames.add_metric(["in"], now.frames_in)
        frames.add_metric(["out"], now.frames_out)
        yield frames
        faults = CounterMetricFamily(
            "trunkline_audio_faults", "Audio connections that were refused or broken off.", labels=["fault"]
        )
        faults.add_metric(["unknown_call"], now.refused_unknown)
        faults.add_metric(["duplicate_call"], now.refused_duplicate)
        faults.add_metric(["foreign_address"], now.refused_foreign)
        faults.add_metric(["malformed"], now.malformed)
        faults.add_metric(["no_handshake"], now.handshake_timeouts)
        faults.add_metric(["stalled"], now.stalled)
        yield faults


class _ClockCollector(Collector):
    def __init__(self, clock: Callable[[], MediaClock]) -> None:
        self._clock = clock

    def collect(self) -> Iterable[Metric]:
        now = self._clock()
        ticks = CounterMetricFamily(
            "trunkline_clock_ticks", "Frames of 20 ms by how the clock of all calls kept to them.", labels=["kept"]
        )
        ticks.add_metric(["in_time"], now.ticks - now.caught_up)
        ticks.add_metric(["late"], now.caught_up)
        ticks.add_metric(["never"], now.skipped)
        yield ticks


class _LoadCollector(Collector):
    def __init__(self, load: LoadTime) -> None:
        self._load = load

    def collect(self) -> Iterable[Metric]:
        yield GaugeMetricFamily(
            "trunkline_load_level",
            "What a busy machine leaves out: 0 nothing, 1 the end-of-turn model, 2 work before a turn is over as well.",
            value=self._load.level,
        )
        seconds = CounterMetricFamily(
            "trunkline_load_seconds", "How long each level was in force while anybody talked.", labels=["level"]
        )
        for level, passed in self._load.seconds.items():
            seconds.add_metric([level.name.lower()], passed)
        yield seconds


class _EngineCollector(Collector):
    def __init__(self, engines: EngineUses) -> None:
        self._engines = engines

    def collect(self) -> Iterable[Metric]:
        requests = CounterMetricFamily(
            "trunkline_speech_requests",
            "What speech engines were asked, `local` or a server's name; after a failure another one is asked.",
            labels=["task", "engine", "outcome"],
        )
        seconds = CounterMetricFamily(
            "trunkline_speech_seconds",
            "Time to the words (stt) or to the first sound (tts), of all that were answered.",
            labels=["task", "engine"],
        )
        for (task, engine), use in sorted(self._engines.uses.items()):
            requests.add_metric([task, engine, "answered"], use.answered)
            requests.add_metric([task, engine, "failed"], use.failed)
            seconds.add_metric([task, engine], use.seconds)
        yield requests
        yield seconds


class _RefusalCollector(Collector):
    def __init__(self, refusals: Refusals) -> None:
        self._refusals = refusals

    def collect(self) -> Iterable[Metric]:
        refused = CounterMetricFamily("trunkline_dialling_refused", "Numbers that were not dialled.", labels=["code"])
        for code, times in sorted(self._refusals.refused.items()):
            refused.add_metric([code], times)
        yield refused
