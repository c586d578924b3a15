"""Draws charts for the width of a phone, in a process of its own (`pictures.py` starts it).

The only place that loads matplotlib.  Its pyplot keeps figures for the whole process and is left
alone.  A picture is 1080 x 810 pixels and shown at 360: letters are three times as large as they
would be on a screen.
"""

from __future__ import annotations

import io
import json
import os
import queue
import sys
import threading
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import pairwise
from typing import IO, TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from handlers.chart import CandleChart, Chart, ChartMark, EquityChart, MarkKind, chart_from_dict
from handlers.format import MONTHS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, HEIGHT, DPI = 1080, 810, 100
TITLE, TEXT, SMALL = 30.0, 24.0, 21.0
"""Points; at 360 pixels a letter of 24 is 11 high."""
EDGE = 24
"""Pixels that stay free around everything."""


@dataclass(frozen=True, slots=True)
class Colours:
    """Two colours that mean something; they differ in brightness, too."""

    paper: str
    ink: str
    faint: str
    grid: str
    up: str
    down: str


THEMES = {
    "light": Colours("#ffffff", "#12161b", "#5d6772", "#e1e6ea", "#3f9be0", "#9a2c00"),
    "dark": Colours("#14181d", "#f4f6f8", "#a3adb8", "#2b333b", "#86ccfa", "#df5f1c"),
}
SHAPES: dict[MarkKind, tuple[Any, str]] = {
    MarkKind.LONG: ([(0, 0), (-0.62, -1), (0.62, -1)], "▲"),
    MarkKind.SHORT: ([(0, 0), (-0.62, 1), (0.62, 1)], "▼"),
    MarkKind.WIN: ("D", "◆"),
    MarkKind.LOSS: ("X", "✖"),
}
"""Marker (of the triangles the tip is at the price), and how the legend shows it."""


def png(chart: Chart, theme: str) -> bytes:
    """Return the picture.  *theme*: `light` or `dark`."""
    from matplotlib import rcParams
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rcParams.update({"font.family": "DejaVu Sans", "font.size": TEXT, "path.simplify": True})
    colours = THEMES[theme]
    figure = Figure(figsize=(WIDTH / DPI, HEIGHT / DPI), dpi=DPI, facecolor=colours.paper)
    FigureCanvasAgg(figure)
    sheet = DrawingSheet(figure, colours, ZoneInfo(chart.zone))
    if isinstance(chart, CandleChart):
        draw_candles(sheet, chart)
    else:
        draw_equity(sheet, chart)
    file = io.BytesIO()
    figure.savefig(file, format="png", pil_kwargs={"optimize": True})
    return file.getvalue()


# -- what both have in common --------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tag:
    """A value with its name at the edge of a panel."""

    value: float
    text: str
    name: str = ""
    colour: str = ""
    style: str = "-"
    line: bool = True


class DrawingSheet:
    """A figure with a header, panels below each other, and labels at the right."""

    def __init__(self, figure: Figure, colours: Colours, zone: tzinfo) -> None:
        self.figure = figure
        self.colours = colours
        self.zone = zone

    def width_of(self, text: str, size: float = TEXT) -> float:
        """In pixels."""
        from matplotlib.text import Text

        probe = Text(text=text, fontsize=size, figure=self.figure)
        renderer: Any = self.figure.canvas
        return float(probe.get_window_extent(renderer.get_renderer()).width)

    def write(
        self, x: float, top: float, text: str, *, size: float, colour: str, right: bool = False
    ) -> None:
        """At pixels from the left (or right) and from the top."""
        place = 1 - x / WIDTH if right else x / WIDTH
        align: Any = "right" if right else "left"
        self.figure.text(
            place, 1 - top / HEIGHT, text, fontsize=size, color=colour, ha=align, va="top"
        )

    def header(self, title: str, times: Sequence[datetime], marks: Sequence[ChartMark]) -> int:
        """Title, date and legend.  Returns the pixels that they take."""
        until = day_words(times[-1].astimezone(self.zone).date(), year=True)
        room = WIDTH - 3 * EDGE - self.width_of(until, SMALL)
        size = min(TITLE, TITLE * room / self.width_of(title, TITLE))
        self.write(EDGE, EDGE, title, size=size, colour=self.colours.ink)
        self.write(EDGE, EDGE + 8, until, size=SMALL, colour=self.colours.faint, right=True)
        kinds = [kind for kind in MarkKind if any(mark.kind is kind for mark in marks)]
        if not kinds:
            return EDGE + 58
        legend = "   ".join(f"{SHAPES[kind][1]} {kind.value}" for kind in kinds)
        self.write(EDGE, EDGE + 56, legend, size=SMALL, colour=self.colours.faint)
        return EDGE + 104

    def panel(self, top: float, bottom: float, right: float) -> Axes:
        """From pixels to pixels, counted from above; *right*: what stays for labels."""
        box = (
            EDGE / WIDTH,
            1 - bottom / HEIGHT,
            (WIDTH - EDGE - right) / WIDTH,
            (bottom - top) / HEIGHT,
        )
        axes = self.figure.add_axes(box, facecolor=self.colours.paper)
        axes.margins(0)
        for spine in axes.spines.values():
            spine.set_visible(False)
        axes.tick_params(
            colors=self.colours.faint, length=0, pad=8, left=False, labelleft=False,
            right=False, labelright=True, bottom=False, labelbottom=False,
        )  # fmt: skip
        axes.set_axisbelow(True)
        return axes

    def time_axis(self, axes: Axes, ticks: Sequence[tuple[float, str]]) -> None:
        """Labels below *axes* that do not touch each other, and the zone at the right."""
        free = axes.get_xlim()
        pixels = axes.get_window_extent().width / (free[1] - free[0])
        left, shown = EDGE - 12.0, []
        for x, label in ticks:
            half = self.width_of(label) / 2
            middle = EDGE + (x - free[0]) * pixels
            if middle - half >= left:
                shown.append((x, label))
                left = middle + half + EDGE
        axes.set_xticks([x for x, _ in shown], [label for _, label in shown])
        axes.tick_params(axis="x", labelbottom=True)
        zone = str(self.zone).rpartition("/")[2].replace("_", " ")
        self.write(EDGE, HEIGHT - 52, zone, size=SMALL, colour=self.colours.faint, right=True)

    def grid(self, axes: Axes, ticks: Sequence[tuple[float, str]]) -> None:
        axes.set_yticks([value for value, _ in ticks], [text for _, text in ticks])
        axes.grid(axis="y", color=self.colours.grid, linewidth=2)

    def tags(self, axes: Axes, tags: Sequence[Tag], ticks: Sequence[tuple[float, str]]) -> None:
        """Lines with their names at the left and their values at the right, none over another.

        A line outside the panel is told at its edge, with an arrow.  *ticks* that a tag would
        cover are left out.
        """
        low, high = axes.get_ylim()
        height = axes.get_window_extent().height
        edge = 20 / height
        places = apart(
            [min(max((t.value - low) / (high - low), edge), 1 - edge) for t in tags], 44 / height
        )
        free = [
            (value, text)
            for value, text in ticks
            if all(abs((value - low) / (high - low) - place) > 40 / height for place in places)
        ]
        self.grid(axes, free)
        for tag, place in zip(tags, places, strict=True):
            self._tag(axes, tag, place, outside=not low <= tag.value <= high)

    def _tag(self, axes: Axes, tag: Tag, place: float, *, outside: bool) -> None:
        colour = tag.colour or self.colours.ink
        if tag.line and not outside:
            axes.axhline(tag.value, color=colour, linewidth=2.5, linestyle=tag.style, zorder=2.5)
        axes.annotate(
            tag.text, (1, place), xycoords="axes fraction", xytext=(6, 0),
            textcoords="offset points", color=self.colours.paper, va="center", fontsize=TEXT,
            bbox={"boxstyle": "square,pad=0.12", "facecolor": colour, "edgecolor": "none"},
            annotation_clip=False, zorder=6,
        )  # fmt: skip
        if tag.name:
            arrow = (" ↑" if place > 0.5 else " ↓") if outside else ""  # noqa: PLR2004  # the middle
            axes.annotate(
                f"{tag.name}{arrow}", (0, place), xycoords="axes fraction", xytext=(4, 0),
                textcoords="offset points", color=colour, va="center", fontsize=SMALL,
                bbox={"boxstyle": "square,pad=0.08", "facecolor": self.colours.paper,
                      "edgecolor": "none", "alpha": 0.85},
                annotation_clip=False, zorder=6,
            )  # fmt: skip

    def marks(
        self, axes: Axes, marks: Sequence[ChartMark], x_of: Callable[[datetime], float]
    ) -> None:
        for kind, (shape, _) in SHAPES.items():
            size = 260 if kind is MarkKind.WIN else 420 if kind is MarkKind.LOSS else 1200
            those = [mark for mark in marks if mark.kind is kind]
            axes.scatter(
                [x_of(mark.at) for mark in those], [mark.value for mark in those],
                s=size, marker=shape, color=self.colours.ink, edgecolors=self.colours.paper,
                linewidths=2.5, zorder=5, clip_on=False,
            )  # fmt: skip


def apart(places: Sequence[float], gap: float) -> list[float]:
    """Move *places* (0 to 1) as little as needed so that no two are nearer than *gap*."""
    order = sorted(range(len(places)), key=lambda i: places[i])
    moved = list(places)
    for before, i in pairwise(order):
        moved[i] = max(moved[i], moved[before] + gap)
    ceiling = 1.0
    for i in reversed(order):
        moved[i] = min(moved[i], ceiling)
        ceiling = moved[i] - gap
    return moved


def value_ticks(low: float, high: float, decimals: int, most: int = 6) -> list[tuple[float, str]]:
    """Round values within, each with its text; without decimals where none is needed."""
    from matplotlib.ticker import MaxNLocator

    found = MaxNLocator(nbins=most, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    inside = [float(value) for value in found if low <= value <= high]
    places = 0 if all(value == round(value) for value in inside) else decimals
    return [(value, f"{value:,.{places}f}") for value in inside]


def room_around(low: float, high: float, share: float = 0.06) -> tuple[float, float]:
    """Some space above and below; what never moved gets some, too."""
    span = high - low or abs(high) * 0.01 or 1.0
    return low - span * share, high + span * share


# -- candles -------------------------------------------------------------------------------


def draw_candles(sheet: DrawingSheet, chart: CandleChart) -> None:
    low, high = candle_range(chart)
    tags = level_tags(sheet.colours, chart)
    ticks = value_ticks(low, high, chart.decimals)
    labels = [tag.text for tag in tags] + [text for _, text in ticks]
    right = max(map(sheet.width_of, labels)) + EDGE
    top = sheet.header(chart.title, chart.times, chart.marks)
    price = sheet.panel(top + 14, HEIGHT - 204, right)
    volume = sheet.panel(HEIGHT - 176, HEIGHT - 76, right)
    count = len(chart.times)
    for axes in (price, volume):
        axes.set_xlim(-0.7, max(count - 1, 20) + 0.7)
    price.set_ylim(low, high)
    _bodies(price, chart, sheet.colours)
    _volumes(volume, chart, sheet.colours)
    for x in gaps(chart.times):
        price.axvline(x - 0.5, color=sheet.colours.faint, linewidth=2, linestyle=(0, (1, 3)))
    sheet.tags(price, tags, ticks)
    sheet.marks(price, chart.marks, lambda at: min(bisect_left(chart.times, at), count - 1))
    moments = time_ticks(chart.times[0], chart.times[-1], sheet.zone)
    sheet.time_axis(volume, [(bisect_left(chart.times, at), text) for at, text in moments])


def candle_range(chart: CandleChart) -> tuple[float, float]:
    """What the panel shows: the candles, the marks, and the levels that are not far away."""
    marked = [mark.value for mark in chart.marks]
    low, high = min(*chart.lows, *marked, chart.lows[0]), max(*chart.highs, *marked, chart.highs[0])
    far = (high - low or abs(high) * 0.01 or 1.0) * 0.6
    near = [level.value for level in chart.levels if low - far <= level.value <= high + far]
    return room_around(min(low, *near, low), max(high, *near, high))


def level_tags(colours: Colours, chart: CandleChart) -> list[Tag]:
    """The last price, and each level in its own kind of line."""
    shown = {"stop": (colours.down, "--"), "trail": (colours.down, "--")}
    levels = [
        Tag(level.value, f"{level.value:,.{chart.decimals}f}", level.name, *known)
        for level in chart.levels
        for known in [shown.get(level.name, (colours.faint, (0, (1, 2))))]
    ]
    last = chart.closes[-1]
    return [*levels, Tag(last, f"{last:,.{chart.decimals}f}", line=False)]


def _bodies(axes: Axes, chart: CandleChart, colours: Colours) -> None:
    both = list(zip(chart.opens, chart.closes, strict=True))
    paint = [colours.up if close >= opened else colours.down for opened, close in both]
    xs = range(len(both))
    low, high = axes.get_ylim()
    thin = (high - low) * 0.004
    axes.vlines(xs, chart.lows, chart.highs, colors=paint, linewidth=2.2, zorder=3)
    heights = [max(abs(close - opened), thin) for opened, close in both]
    axes.bar(xs, heights, 0.74, [min(pair) for pair in both], color=paint, zorder=3)


def _volumes(axes: Axes, chart: CandleChart, colours: Colours) -> None:
    axes.bar(range(len(chart.volumes)), chart.volumes, 0.74, color=colours.faint, alpha=0.55)
    axes.set_ylim(0, max(chart.volumes) * 1.4 or 1.0)
    axes.set_yticks([])
    axes.text(
        0, 1.04, "volume", transform=axes.transAxes, color=colours.faint, fontsize=SMALL, va="top"
    )


def gaps(times: Sequence[datetime]) -> list[int]:
    """Where candles are missing: the numbers of those that come after."""
    steps = [after - before for before, after in pairwise(times)]
    usual = sorted(steps)[len(steps) // 2] if steps else timedelta(0)
    return [n for n, step in enumerate(steps, 1) if step > usual * 1.5]


# -- equity --------------------------------------------------------------------------------


def draw_equity(sheet: DrawingSheet, chart: EquityChart) -> None:
    xs = [at.timestamp() for at in chart.times]
    low, high = room_around(
        min(*chart.equity, chart.equity[0]), max(*chart.equity, chart.equity[0])
    )
    ticks = value_ticks(low, high, 2)
    first, last, deepest = chart.equity[0], chart.equity[-1], min(0.0, *chart.drawdown, 0.0)
    tags = [Tag(last, f"{last:,.2f}", line=False)]
    if first != last:
        tags.append(Tag(first, f"{first:,.2f}", "start", sheet.colours.faint, (0, (1, 2))))  # type: ignore[arg-type]  # as matplotlib takes it
    right = max(sheet.width_of(text) for text in [t.text for t in tags] + [t for _, t in ticks])
    top = sheet.header(chart.title, chart.times, chart.marks)
    equity = sheet.panel(top + 14, HEIGHT - 262, right + EDGE)
    fall = sheet.panel(HEIGHT - 226, HEIGHT - 76, right + EDGE)
    span = xs[-1] - xs[0] or 2.0
    lead = span * (sheet.width_of("start") + EDGE) / (WIDTH - 2 * EDGE - right)
    for axes in (equity, fall):
        axes.set_xlim(xs[0] - lead, xs[-1] if len(xs) > 1 else xs[0] + span)
    equity.set_ylim(low, high)
    equity.plot(xs, chart.equity, color=sheet.colours.up, linewidth=4.5, clip_on=False, zorder=3)
    equity.plot(xs[-1:], chart.equity[-1:], "o", color=sheet.colours.up, ms=13, clip_on=False)
    sheet.tags(equity, tags, ticks)
    sheet.marks(equity, chart.marks, lambda at: min(max(at.timestamp(), xs[0]), xs[-1]))
    _drawdown(sheet, fall, xs, chart.drawdown, deepest)
    moments = time_ticks(chart.times[0], chart.times[-1], sheet.zone)
    sheet.time_axis(fall, [(at.timestamp(), text) for at, text in moments])


def _drawdown(
    sheet: DrawingSheet, axes: Axes, xs: Sequence[float], falls: Sequence[float], deepest: float
) -> None:
    colours = sheet.colours
    axes.set_ylim(deepest * 1.25 or -0.01, 0)
    place = deepest or -0.005
    axes.fill_between(xs, falls, 0, color=colours.down, linewidth=0, alpha=0.9)
    axes.axhline(0, color=colours.grid, linewidth=2)
    sheet.tags(axes, [Tag(place, f"{deepest * 100:.2f} %", colour=colours.down, line=False)], [])
    axes.text(
        0.005, 1.04, "drawdown", transform=axes.transAxes, color=colours.faint, fontsize=SMALL,
        va="bottom",
    )  # fmt: skip


# -- times ---------------------------------------------------------------------------------

_MINUTES = (1, 5, 10, 15, 30, 60, 120, 180, 240, 360, 720)
_DAYS = (1, 2, 4, 7, 14)
_MONTHS = (1, 2, 3, 6, 12, 24, 60)
_TICKS = 6


def time_ticks(first: datetime, last: datetime, zone: tzinfo) -> list[tuple[datetime, str]]:
    """Round times from *first* to *last* with their labels, at most six; the last at least."""
    begin, end = first.astimezone(zone), last.astimezone(zone)
    for steps in (
        *(_by_minutes(begin, end, n) for n in _MINUTES),
        *(_by_days(begin, end, n) for n in _DAYS),
        *(_by_months(begin, end, n) for n in _MONTHS),
    ):
        found = [tick for _, tick in zip(range(_TICKS + 1), steps, strict=False)]
        if len(found) <= _TICKS:
            break
    return found or [(last, clock(end))]


def _by_minutes(begin: datetime, end: datetime, step: int) -> Iterator[tuple[datetime, str]]:
    at = begin.replace(hour=0, minute=0, second=0, microsecond=0)
    passed = int((begin - at) / timedelta(minutes=step))
    at += timedelta(minutes=step) * passed
    while at <= end:
        if at >= begin:
            yield at.astimezone(UTC), clock(at)
        at += timedelta(minutes=step)


def _by_days(begin: datetime, end: datetime, step: int) -> Iterator[tuple[datetime, str]]:
    day = begin.date()
    while day <= end.date():
        if day.toordinal() % step == 0 and _midnight(day, begin) >= begin:
            yield _midnight(day, begin).astimezone(UTC), day_words(day)
        day += timedelta(days=1)


def _by_months(begin: datetime, end: datetime, step: int) -> Iterator[tuple[datetime, str]]:
    for month in range(begin.year * 12 + begin.month, end.year * 12 + end.month):
        day = date(month // 12, month % 12 + 1, 1)
        if month % step == 0:
            label = str(day.year) if day.month == 1 else MONTHS[day.month - 1]
            yield _midnight(day, begin).astimezone(UTC), label


def _midnight(day: date, like: datetime) -> datetime:
    return datetime.combine(day, time(), like.tzinfo)


def clock(at: datetime) -> str:
    """As in `14:30`; midnight is told by the day that begins."""
    return day_words(at.date()) if (at.hour, at.minute) == (0, 0) else f"{at:%H:%M}"


def day_words(day: date, *, year: bool = False) -> str:
    return f"{day.day} {MONTHS[day.month - 1]}" + (f" {day.year}" if year else "")


# -- the process ---------------------------------------------------------------------------


def serve() -> None:
    """Answer requests from standard input until it ends.

    Each way 4 bytes say how many follow.  A request is JSON; an answer begins with one byte: 1
    before a picture, 0 before a sentence on why there is none.  When the desk is gone, however it
    went, its end of the pipe is closed and this process leaves, in the midst of a drawing too.
    """
    os.nice(10)  # trading goes first
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is not an answer
    requests: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(sys.stdin.buffer, requests), daemon=True).start()
    while True:
        answer = _answer(requests.get())
        answers.write(len(answer).to_bytes(4, "big") + answer)
        answers.flush()


def _listen(stream: IO[bytes], requests: queue.SimpleQueue[bytes]) -> None:
    while True:
        size = int.from_bytes(stream.read(4), "big")
        if not size:
            os._exit(0)
        requests.put(stream.read(size))


def _answer(request: bytes) -> bytes:
    try:
        raw = json.loads(request)
        return b"\x01" + png(chart_from_dict(raw["chart"]), raw["theme"])
    except Exception as error:  # noqa: BLE001  # whatever breaks is told, and the next one drawn
        return b"\x00" + f"{type(error).__name__}: {error}".encode()


if __name__ == "__main__":
    serve()
