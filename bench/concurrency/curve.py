"""The curve as a picture and as a table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from trunkline.ports import LoadLevel

Point = Mapping[str, Any]
Value = Callable[[Point], float]

OURS, ASTERISK, FAR_END, ALARM = "#0b6e4f", "#e08e45", "#9aa5b1", "#c0392b"
BAD_LIMIT = 0.1
"""Per cent of bad frames beyond which a conversation isn't held."""


def best(points: Sequence[Point]) -> dict[int, list[Point]]:
    """By number of calls: the undisturbed measurements, or the least disturbed one where there is none."""
    by_calls: dict[int, list[Point]] = defaultdict(list)
    for point in points:
        by_calls[point["calls"]].append(point)
    return {
        calls: [p for p in found if not p["disturbed"]] or [min(found, key=lambda p: p["others_cpu"])]
        for calls, found in sorted(by_calls.items())
    }


def _medians(points: Sequence[Point], value: Value) -> tuple[list[int], list[float]]:
    found = best(points)
    return list(found), [median(value(point) for point in measured) for measured in found.values()]


def table(points: Sequence[Point]) -> str:
    """Markdown; medians where there are several measurements."""
    columns: dict[str, tuple[str, Value]] = {
        "turn gap p50 / p95, ms": ("{:.0f}", lambda p: p["heard"]["gap_ms_p50"]),
        "turns": ("{:.0f}", lambda p: p["heard"]["turns"]),
        "bad frames, %": ("{:.3f}", lambda p: p["bad_percent"]),
        "CPU per call, % of a core: ours": ("{:.2f}", lambda p: p["service_cpu"]),
        "Asterisk": ("{:.2f}", lambda p: p["asterisk_cpu"]),
        "far end": ("{:.2f}", lambda p: p["far_end_cpu"]),
        "memory per call, kB: ours": ("{:.0f}", lambda p: p["service_kb"]),
        "Asterisk's": ("{:.0f}", lambda p: p["asterisk_kb"]),
        "speech workers, % of a core": ("{:.0f}", lambda p: p["workers_cpu"]),
        "time at level 0 / 1 / 2, %": ("{:.0f}", lambda p: 100 * p["told"]["load_levels"][0]),
        "clock late p99, ms": ("{:.0f}", lambda p: p["told"]["clock_late_ms_p99"]),
        "tick p50 / p99, ms": ("{:.0f}", lambda p: p["told"]["tick_ms_p50"]),
        "others, % of a core": ("{:.0f}", lambda p: p["others_cpu"]),
    }
    further: dict[str, Sequence[Value]] = {
        "turn gap p50 / p95, ms": [lambda p: p["heard"]["gap_ms_p95"]],
        "tick p50 / p99, ms": [lambda p: p["told"]["tick_ms_p99"]],
        "time at level 0 / 1 / 2, %": [
            lambda p: 100 * p["told"]["load_levels"][1],
            lambda p: 100 * p["told"]["load_levels"][2],
        ],
    }
    lines = ["| calls | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for calls, measured in best(points).items():
        cells = [str(calls)]
        for name, (form, value) in columns.items():
            values = (value, *further.get(name, ()))
            cells.append(" / ".join(form.format(median(map(each, measured))) for each in values))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def draw(points: Sequence[Point], file: Path) -> None:
    """Six panels over the number of calls; the measurements that don't count as well, pale."""
    figure = Figure(figsize=(15, 7.5), layout="constrained")
    gap, bad, levels, cpu, memory, late = figure.subplots(2, 3).flat
    _line(gap, points, lambda p: p["heard"]["gap_ms_p50"], OURS, "p50")
    _line(gap, points, lambda p: p["heard"]["gap_ms_p95"], ASTERISK, "p95")
    gap.set(title="Turn gap at the person's ear, ms", ylim=(0, None))
    _line(bad, points, lambda p: p["bad_percent"], ALARM, "lost, late or bunched")
    bad.axhline(BAD_LIMIT, color=FAR_END, linestyle=":", label="0.1 %")
    bad.set(title="Bad frames, %", ylim=(0, None))
    _line(cpu, points, lambda p: p["service_cpu"], OURS, "Trunkline")
    _line(cpu, points, lambda p: p["asterisk_cpu"], ASTERISK, "Asterisk")
    _line(cpu, points, lambda p: p["far_end_cpu"], FAR_END, "far end (the load)")
    # One call pays alone for what all share, the clock's fifty wake-ups a second before all.
    cpu.set(title="CPU per call, % of a core", ylim=(0, 1.0))
    _line(memory, points, lambda p: p["service_kb"] / 1024, OURS, "Trunkline")
    _line(memory, points, lambda p: p["asterisk_kb"] / 1024, ASTERISK, "Asterisk")
    # Likewise: threads, buffers and caches of the first call are everybody's.
    memory.set(title="Memory per call, MB", ylim=(0, 2.0))
    _levels(levels, points)
    _line(late, points, lambda p: p["told"]["clock_late_ms_p99"], OURS, "clock late, p99")
    _line(late, points, lambda p: p["told"]["tick_ms_p99"], ASTERISK, "work of a tick, p99")
    late.axhline(20, color=FAR_END, linestyle=":", label="a frame")
    late.set(title="The 20 ms clock, ms", ylim=(0, None))
    for axes in (gap, bad, levels, cpu, memory, late):
        axes.set_xlabel("simultaneous conversations")
        axes.grid(color="#e5e8ec")
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
    figure.savefig(file, dpi=110)


def _share(level: LoadLevel) -> Value:
    return lambda p: 100 * float(p["told"]["load_levels"][level])


def _levels(axes: Axes, points: Sequence[Point]) -> None:
    counted = list(best(points))
    shares = [_medians(points, _share(level))[1] for level in LoadLevel]
    names = ("nothing", "the end-of-turn model", "and what is begun before a turn is over")
    axes.stackplot(counted, *shares, labels=names, colors=(f"{OURS}55", f"{ASTERISK}aa", f"{ALARM}aa"))
    axes.set(title="What is left out, % of the time", ylim=(0, 100))


def _line(axes: Axes, points: Sequence[Point], value: Value, colour: str, label: str) -> None:
    counted, figures = _medians(points, value)
    axes.plot(counted, figures, color=colour, marker="o", markersize=4, label=label)
    pale = [p for p in points if p["disturbed"]]
    axes.scatter([p["calls"] for p in pale], [value(p) for p in pale], color=colour, s=10, alpha=0.25)
