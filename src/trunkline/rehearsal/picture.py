"""The picture of a call: what both sides said, as waveforms with their words, and every turn gap between them.

Drawn like a score: the person above, the agent below, time from left to right, in several rows where a call is long.
"""

from __future__ import annotations

import wave
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from trunkline.errors import StoreError
from trunkline.models import HangUpBy, Speaker, Turn
from trunkline.rehearsal.picture_layout import BETWEEN, FOOT, LANE, LEFT, LINE, PAGE, RIGHT, Box, Row, lay_out

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DOTS_PER_INCH: Final = 150
HEAD: Final = 70.0
_FIGURES: Final = 46.0
"""Room for the milliseconds of a gap."""
TITLE, WORDS, SMALL = 18.0, 11.0, 9.0
"""Sizes of type in points."""

INK, GREY, HAIRLINE, PAPER = "#1f2430", "#717a89", "#cfd5dd", "#ffffff"


@dataclass(frozen=True, slots=True)
class _Colours:
    loud: str
    peaks: str
    words: str
    ground: str


SIDES: Final = {
    Speaker.PERSON: _Colours(loud="#1565a8", peaks="#8dbbe0", words="#0d3f68", ground="#eff5fb"),
    Speaker.AGENT: _Colours(loud="#d2601a", peaks="#f1b48d", words="#84370a", ground="#fdf3ec"),
}
"""Told apart in print without colour as well: their places never change."""

QUICK, FAIR, SLOW = ("#cdeed6", "#14592a"), ("#ffe9a8", "#6b4d00"), ("#fbcfc9", "#8c1d13")
"""Fill and ink of a turn gap: below 0.6 s, below 1 s, and longer."""


@dataclass(frozen=True, slots=True)
class _Call:
    sides: dict[Speaker, NDArray[np.float32]]
    rate: int
    turns: Sequence[Turn]
    greeting_ms: float | None
    hung_up_by: HangUpBy | None

    @property
    def length(self) -> float:
        last = max((turn.ended for turn in self.turns), default=0.0)
        return max(len(self.sides[Speaker.PERSON]) / self.rate, last, 1.0)

    @property
    def gaps(self) -> list[tuple[float, float]]:
        """Second in which the agent begins, and the milliseconds before that."""
        found = [(turn.started, turn.timings.gap_ms) for turn in self.turns if turn.timings]
        greeting = [] if self.greeting_ms is None else [(self.greeting_ms / 1000, self.greeting_ms)]
        return greeting + [(begins, gap) for begins, gap in found if gap is not None]


def draw_call(
    wav_path: Path,
    turns: Sequence[Turn],
    out_png: Path,
    title: str,
    *,
    subtitle: str = "",
    greeting_ms: float | None = None,
    hung_up_by: HangUpBy | None = None,
) -> None:
    """Draw the call recorded in `wav_path` (stereo, left the person, right the agent, from the answer to the hang-up).

    Takes a second of CPU: call it in a thread. Raises `StoreError` when the recording can't be read.
    """
    sides, rate = _read(wav_path)
    call = _Call(sides, rate, turns, greeting_ms, hung_up_by)
    # Imported here: it takes half a second, and the service never draws.
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(dpi=DOTS_PER_INCH, facecolor=PAPER)
    canvas: Any = FigureCanvasAgg(figure)  # matplotlib leaves its renderer untyped
    renderer = canvas.get_renderer()
    rows = lay_out(turns, call.length, lambda words: _width(words, renderer))
    height = HEAD + sum(row.height for row in rows)
    figure.set_size_inches(PAGE / 72, height / 72)
    page = figure.add_axes((0, 0, 1, 1))
    page.set_xlim(0, PAGE)
    page.set_ylim(height, 0)
    page.set_axis_off()
    _draw_head(page, title, subtitle, call)
    top = HEAD
    for row in rows:
        _draw_row(page, row, top, call)
        top += row.height
    figure.savefig(out_png, format="png")


def _read(path: Path) -> tuple[dict[Speaker, NDArray[np.float32]], int]:
    try:
        with wave.open(str(path), "rb") as file:
            if (file.getnchannels(), file.getsampwidth()) != (2, 2):
                raise StoreError(f"{path} is not a stereo recording of 16 bit.", remedy="Name the recording of a call.")
            samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").reshape(-1, 2)
            rate = file.getframerate()
    except (OSError, wave.Error, EOFError) as error:
        raise StoreError(f"The recording {path} can't be read: {error}.", remedy="Check the path.") from error
    left_and_right = (Speaker.PERSON, Speaker.AGENT)
    return {side: samples[:, n].astype(np.float32) / np.float32(32768) for n, side in enumerate(left_and_right)}, rate


def _width(words: str, renderer: Any) -> float:
    from matplotlib.font_manager import FontProperties  # noqa: PLC0415

    dots, _, _ = renderer.get_text_width_height_descent(words, FontProperties(size=WORDS), ismath=False)
    return float(dots) * 72 / DOTS_PER_INCH


def _draw_head(page: Axes, title: str, subtitle: str, call: _Call) -> None:
    page.text(LEFT, 34, title, size=TITLE, weight="bold", color=INK, parse_math=False)
    page.text(LEFT, 54, subtitle, size=WORDS, color=GREY, parse_math=False)
    gaps = [turn.timings.gap_ms for turn in call.turns if turn.timings and turn.timings.gap_ms is not None]
    if gaps:
        figures = f"turn gap: median {np.median(gaps):.0f} ms, longest {max(gaps):.0f} ms"
        page.text(RIGHT, 54, figures, size=WORDS, color=GREY, ha="right")


def _draw_row(page: Axes, row: Row, top: float, call: _Call) -> None:
    upper = top + row.reach(Speaker.PERSON)
    lower = upper + LANE + BETWEEN
    lanes = {Speaker.PERSON: upper, Speaker.AGENT: lower}
    ends = row.x(row.end)
    for side, lane in lanes.items():
        colours = SIDES[side]
        page.fill_between([LEFT, ends], lane, lane + LANE, color=colours.ground, linewidth=0, zorder=1)
        page.text(
            LEFT - 10,
            lane + LANE / 2,
            side.value,
            size=WORDS,
            weight="bold",
            color=colours.words,
            ha="right",
            va="center",
        )
        _draw_wave(page, row, lane + LANE / 2, side, call)
    for box in row.boxes:
        _draw_words(page, row, box, upper if box.turn.speaker is Speaker.PERSON else lower + LANE)
    free = LEFT
    for begins, gap in call.gaps:
        if row.start <= begins < row.end:
            free = _draw_gap(page, row, upper, begins, gap, free=free)
    _draw_axis(page, row, lower + LANE + row.reach(Speaker.AGENT), call)
    if row.end >= call.length:
        page.plot([ends, ends], [upper - 4, lower + LANE + 4], color=INK, linewidth=1.8, zorder=4)


def _draw_wave(page: Axes, row: Row, middle: float, side: Speaker, call: _Call) -> None:
    """Two columns a point: their peaks, and darker within them how loud they are; grey where nobody's turn is known."""
    samples = np.abs(call.sides[side])
    columns = np.arange(LEFT, row.x(row.end), 0.5)
    seconds = row.start + (columns - LEFT) / row.per_second
    edges = (np.append(seconds, row.end) * call.rate).astype(int)
    slices = [samples[start:end] for start, end in pairwise(edges)]
    peaks = np.array([piece.max(initial=0.0) for piece in slices])
    loudness = np.array([np.sqrt(np.mean(piece**2)) if len(piece) else 0.0 for piece in slices])
    loudest = max(float(np.percentile(peaks[peaks > 0], 99)) if peaks.any() else 0.0, 0.01)
    spoken = np.zeros(len(columns), dtype=bool)
    for turn in call.turns:
        if turn.speaker is side:
            spoken |= (seconds >= turn.started - 0.05) & (seconds <= turn.ended + 0.05)
    colours = SIDES[side]
    for heights, colour in ((peaks, colours.peaks), (loudness, colours.loud)):
        reach = np.clip(heights / loudest, 0.0, 1.0) * (LANE / 2 - 4) + 0.4
        for where, paint in ((spoken, colour), (~spoken, HAIRLINE if heights is peaks else GREY)):
            page.fill_between(
                columns, middle - reach, middle + reach, where=where.tolist(), color=paint, linewidth=0, zorder=3
            )


def _draw_words(page: Axes, row: Row, box: Box, edge: float) -> None:
    """`edge`: the outer border of the side's waveform."""
    colours = SIDES[box.turn.speaker]
    outwards = -1 if box.turn.speaker is Speaker.PERSON else 1
    near = edge + outwards * (box.level + 7)
    x = row.x(box.turn.started)
    page.plot([x, x], [edge, near], color=colours.loud, linewidth=1.0, alpha=0.6, zorder=2)
    first = near - (len(box.lines) - 1) * LINE - 4 if outwards < 0 else near + LINE - 2
    for number, line in enumerate(box.lines):
        page.text(
            box.left,
            first + number * LINE,
            line,
            size=WORDS,
            color=colours.words,
            zorder=5,
            parse_math=False,
            bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 1.0},  # no line of another turn runs through words
        )


def _draw_gap(page: Axes, row: Row, upper: float, begins: float, gap_ms: float, *, free: float) -> float:
    """`free`: where there is room for the figures; returns that for the next one."""
    fill, ink = QUICK if gap_ms < 600 else FAIR if gap_ms < 1000 else SLOW
    band = [row.x(begins - gap_ms / 1000), row.x(begins)]
    page.fill_between(band, upper, upper + 2 * LANE + BETWEEN, color=fill, linewidth=0, alpha=0.75, zorder=2)
    middle = max(sum(band) / 2, free + _FIGURES / 2)
    page.text(
        middle,
        upper + LANE + BETWEEN / 2,
        f"{gap_ms:.0f} ms",
        size=SMALL + 0.5,
        color=ink,
        ha="center",
        va="center",
        zorder=5,
        bbox={"boxstyle": "round,pad=0.35", "facecolor": fill, "edgecolor": PAPER, "linewidth": 1.5},
    )
    return middle + _FIGURES / 2


def _draw_axis(page: Axes, row: Row, y: float, call: _Call) -> None:
    """Seconds since the answer, and below them what began and ended the call."""
    ends = row.x(row.end)
    page.plot([LEFT, ends], [y, y], color=HAIRLINE, linewidth=1.2)
    step = next(step for step in (1, 2, 5, 10, 30, 60) if step * row.per_second >= 36)
    for second in range(int(np.ceil(row.start / step)) * step, int(row.end) + 1, step):
        page.plot([row.x(second)] * 2, [y, y + 4], color=GREY, linewidth=0.8)
        page.text(row.x(second), y + 15, f"{second} s", size=SMALL, color=GREY, ha="center")
    if row.start == 0:
        greeting = "" if call.greeting_ms is None else f", greeting after {call.greeting_ms:.0f} ms"
        page.text(LEFT, y + FOOT - 22, f"answered{greeting}", size=SMALL, weight="bold", color=INK)
    if row.end >= call.length:
        by = f" by the {call.hung_up_by}" if call.hung_up_by else ""
        text = f"hung up{by} after {call.length:.1f} s"
        page.text(ends, y + FOOT - 22, text, size=SMALL, weight="bold", color=INK, ha="right")
