"""What an optimisation found, as text, as JSON and as a page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from chatbot.cli.optimize import BestParameters
from chatbot.cli.page import drawn, image, page, preformatted, table
from chatbot.render.pictures import Theme
from handlers.chart import EquityChart
from handlers.format import percent
from handlers.texts.figures import ratio
from handlers.texts.report import risk_json
from trading.backtest.result import last_day
from trading.optimize.luck import SURE
from trading.optimize.measure import Course
from trading.optimize.walk import Sides, Walked, WalkReport
from trading.stats.curve import curve

POINTS = 1_000
"""Of the curve."""
_HEAD = (
    "fold", "out of sample from", "to", "Sharpe in", "out", "yearly in", "out", "gain out", "fall",
    "trades", "as it is", "hold", "deflated",
)  # fmt: skip


# -- as JSON ----------------------------------------------------------------------------------


def as_json(found: BestParameters) -> dict[str, Any]:
    """Everything, as plain numbers; None where a figure does not exist."""
    report, plan = found.report, found.report.plan
    return {
        "study": plan.name,
        "metric": plan.metric.value,
        "trials": plan.trials,
        "stopped": found.stopped,
        "space": [
            {"name": d.name, "low": d.low, "high": d.high, "step": d.step}
            for d in plan.space.dimensions
        ],
        "fixed": dict(plan.space.fixed),
        "folds": [_fold_json(each) for each in report.folds],
        "joined": {
            "sharpe_in_sample": report.inside,
            "chosen": _course_json(report.chosen),
            "as_it_is": _course_json(report.shipped),
            "buy_and_hold": _course_json(report.held),
        },
        "moved": {d.name: report.wandered(d) for d in plan.space.dimensions},
        "values": dict(report.values),
        "doubts": report.doubts(),
    }


def _fold_json(walked: Walked) -> dict[str, Any]:
    fold = walked.fold
    return {
        "fold": fold.number,
        "begin": fold.begin.isoformat(),
        "cut": fold.cut.isoformat(),
        "end": fold.end.isoformat(),
        "tries": walked.tries,
        "values": dict(walked.values),
        "deflated_sharpe": walked.deflated,
        "chosen": _sides_json(walked.chosen),
        "as_it_is": _sides_json(walked.shipped),
        "buy_and_hold": {
            "in_sample": _course_json(walked.chosen.inside.held),
            "out_of_sample": _course_json(walked.chosen.outside.held),
        },
    }


def _sides_json(sides: Sides) -> dict[str, Any]:
    return {
        "in_sample": _course_json(sides.inside.traded),
        "out_of_sample": _course_json(sides.outside.traded),
    }


def _course_json(course: Course) -> dict[str, Any]:
    return {
        "growth": course.growth,
        "trades": len(course.trips),
        "halts": course.halts,
        **risk_json(course.stats),
    }


# -- as text ----------------------------------------------------------------------------------


def as_text(found: BestParameters) -> str:
    return "\n".join(_lines(found))


def _lines(found: BestParameters) -> Iterator[str]:
    report, plan = found.report, found.report.plan
    yield (
        f"{plan.name}: {len(report.folds)} folds, {sum(f.tries for f in report.folds):,} sets of "
        f"settings measured, chosen by {plan.metric}"
    )
    if found.stopped:
        yield "Stopped early: fewer tries than were asked for"
    yield ""
    yield from _aligned([_HEAD, *_rows(report)])
    yield ""
    yield "In sample the settings were chosen; out of sample shows what became of them. `As it is`"
    yield "and `hold` are the gains out of sample of the trader's own settings, and of holding."
    yield ""
    yield from _aligned(_settings(report))
    yield ""
    doubts = report.doubts()
    yield from (f"⚠ {doubt}" for doubt in doubts)
    if not doubts:
        yield "Nothing here speaks against it. What comes is still another market."
    yield f"Newest values: {', '.join(f'{key} = {_said(v)}' for key, v in report.values.items())}"


def _rows(report: WalkReport) -> Iterator[tuple[str, ...]]:
    for each in report.folds:
        inside, outside = each.chosen.inside.traded, each.chosen.outside
        yield (
            str(each.fold.number), f"{each.fold.cut:%Y-%m-%d}", f"{each.fold.end:%Y-%m-%d}",
            ratio(inside.stats.sharpe), ratio(outside.traded.stats.sharpe),
            _yearly(inside), *_figures(outside.traded),
            _gain(each.shipped.outside.traded.growth), _gain(outside.held.growth),
            "unknown" if each.deflated is None else f"{each.deflated:.2f}",
        )  # fmt: skip
    first, last = report.folds[0].fold, report.folds[-1].fold
    yield (
        "all", f"{first.cut:%Y-%m-%d}", f"{last.end:%Y-%m-%d}", f"{report.inside:.2f}",
        ratio(report.chosen.stats.sharpe), "", *_figures(report.chosen),
        _gain(report.shipped.growth), _gain(report.held.growth), "",
    )  # fmt: skip


def _figures(course: Course) -> tuple[str, ...]:
    fallen = course.stats.drawdown
    return (
        _yearly(course),
        _gain(course.growth),
        "unknown" if fallen is None else _gain(-fallen.share),
        f"{len(course.trips):,}",
    )


def _settings(report: WalkReport) -> Iterator[tuple[str, ...]]:
    """The settings of each fold, and how far each moved within its range."""
    tuned = report.plan.space.dimensions
    yield ("setting", *(f"fold {each.fold.number}" for each in report.folds), "range", "moved")
    for d in tuned:
        values = (_said(each.values[d.name]) for each in report.folds)
        moved = percent(Decimal(repr(round(report.wandered(d), 4))), signed=False)
        yield (d.name, *values, f"{_said(d.value(d.low))} to {_said(d.value(d.high))}", moved)


def _said(value: float) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:g}"


def _yearly(course: Course) -> str:
    found = course.stats.cagr
    return found.word if found.value is None else _gain(found.value)


def _gain(share: float) -> str:
    return percent(Decimal(repr(round(share, 6))))


def _aligned(rows: Sequence[tuple[str, ...]] | Iterator[tuple[str, ...]]) -> Iterator[str]:
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        first, *rest = zip(row, widths, strict=True)
        cells = [first[0].ljust(first[1]), *(text.rjust(width) for text, width in rest)]
        yield "  ".join(cells).rstrip()


# -- as a page --------------------------------------------------------------------------------


def as_page(found: BestParameters, picture: bytes | None) -> str:
    """One page of HTML that needs nothing else."""
    report = found.report
    head, *settings = _settings(report)
    doubts = report.doubts()
    return page(
        f"Walk-forward of {report.plan.name}",
        preformatted(doubts or ["Nothing here speaks against it."]),
        image(picture, "Equity out of sample"),
        table("In sample and out of it", _HEAD, _rows(report)),
        preformatted([f"A deflated Sharpe ratio below {SURE:.2f} means: likely luck."]),
        table("Settings", head, settings),
    )


def chart(report: WalkReport) -> EquityChart:
    """Equity out of sample, joined."""
    course = report.chosen
    found = curve(course.book, first=None, last=last_day(course.book), most=POINTS)
    if found is None:
        raise ValueError("There is no bar to draw")
    return EquityChart(
        title=f"{report.plan.name} out of sample",
        quote="",
        times=found.times,
        equity=found.equity,
        drawdown=found.drawdown,
        zone=found.zone,
    )


def write_page(found: BestParameters, file: Path, *, theme: Theme) -> None:
    """Write the page, with its picture if one can be drawn.  Raises `OSError`."""
    file.write_text(as_page(found, drawn(chart(found.report), theme)), "utf-8")
