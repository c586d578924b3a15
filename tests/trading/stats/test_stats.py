"""The figures, against published values where there are any, and against what they mean.

tests/data/empyrical.json holds inputs and expected values of empyrical's own tests (its source,
commit and licence stand in the file).  Where its conventions are not ours:

- its year has 252 days (52 weeks, 12 months), ours 365: here it is told;
- a missing return is NaN there and skipped; here it is left out to begin with.  Its annual return
  counts that day nevertheless, so it is counted here too;
- what cannot be computed is NaN there, None here;
- a drawdown is negative there, positive here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import builders
from tests.builders import ADA, BTC, ETH
from trading.stats import ratios
from trading.stats.daybook import DayBook, EquityReading
from trading.stats.ratios import FEWEST_RETURNS, TOO_FEW, Drawdown, Ratio
from trading.stats.summary import Stats, Unit, periods, summarise
from trading.stats.tally import RoundTrip, Tally
from trading.types import EquityPoint, ExitReason, Symbol, Trade

PUBLISHED = json.loads((Path(__file__).parents[2] / "data" / "empyrical.json").read_text("utf-8"))
A_YEAR = {"empyrical.DAILY": 252, "empyrical.WEEKLY": 52, "empyrical.MONTHLY": 12}


def published(test: str) -> pytest.MarkDecorator:
    found = PUBLISHED["expected"][test]
    return pytest.mark.parametrize(found["args"], found["cases"])


def series(name: str) -> list[float | None]:
    return [None if r is None else r / 100 for r in PUBLISHED["returns_percent"][name]]


def known(name: str) -> list[float]:
    return [r for r in series(name) if r is not None]


def excess(name: str, riskless: str | float) -> list[float]:
    """Returns over those of another series, or over a constant, where both are known."""
    returns = series(name)
    others = series(riskless) if isinstance(riskless, str) else [riskless] * len(returns)
    both = zip(returns, others, strict=True)
    return [r - o for r, o in both if r is not None and o is not None]


def growth(returns: Sequence[float]) -> list[float]:
    """The curve that *returns* make of 1, which stands first."""
    return list(accumulate(returns, lambda value, r: value * (1 + r), initial=1.0))


def number(expected: Any) -> float | None:
    if expected == "np.nan":
        return None
    if expected == "np.inf":
        return math.inf
    if isinstance(expected, str):  # cum_returns_final(name)
        return growth(known(expected.partition("(")[2].rstrip(")")))[-1] - 1
    return float(expected)


def agrees(ours: float | None, expected: Any, *, places: int = 8) -> bool:
    there = number(expected)
    if ours is None or there is None:
        return ours is there
    return ours == pytest.approx(there, abs=10**-places)


def fall_of(curve: Sequence[float]) -> Drawdown | None:
    return ratios.drawdown(np.arange(len(curve), dtype=float), np.array(curve, dtype=float))


@published("test_cum_returns")
def test_the_curve_of_these_tests_is_the_published_one(
    returns: str, starting_value: float, expected: list[float]
) -> None:
    curve = growth([r or 0.0 for r in series(returns)])[1:]
    scaled = [c * starting_value if starting_value else c - 1 for c in curve]

    assert scaled == pytest.approx(expected, abs=1e-4)


@published("test_sharpe_ratio")
def test_sharpe_agrees(returns: str, risk_free: str | float, expected: Any) -> None:
    assert agrees(ratios.sharpe(excess(returns, risk_free), 252), expected)


@published("test_sortino")
def test_sortino_agrees(
    returns: str, required_return: str | float, period: str, expected: Any
) -> None:
    assert agrees(ratios.sortino(excess(returns, required_return), A_YEAR[period]), expected)


@published("test_annual_volatility")
def test_volatility_agrees(returns: str, period: str, expected: float) -> None:
    assert agrees(ratios.volatility(known(returns), A_YEAR[period]), expected)


@published("test_cagr")
def test_cagr_agrees(returns: str, period: str, expected: Any) -> None:
    assert agrees(yearly(returns, period), expected)


@published("test_annual_ret")
def test_annual_return_agrees(returns: str, period: str, expected: float) -> None:
    assert agrees(yearly(returns, period), expected)


def yearly(name: str, period: str) -> float | None:
    return ratios.cagr(growth(known(name))[-1], len(series(name)), A_YEAR[period])


@published("test_max_drawdown")
def test_drawdown_agrees(returns: str, expected: Any) -> None:
    found = fall_of(growth(known(returns))) if returns != "empty_returns" else fall_of([])

    assert agrees(None if found is None else -found.share, expected)


@published("test_roll_max_drawdown")
def test_drawdown_agrees_in_every_window(returns: str, window: int, expected: list[float]) -> None:
    falls = [fall_of(growth(part)) for part in windows(returns, window)]

    assert [-f.share for f in falls if f] == pytest.approx(expected, abs=1e-4)


@published("test_roll_sharpe_ratio")
def test_sharpe_agrees_in_every_window(returns: str, window: int, expected: list[float]) -> None:
    found = [ratios.sharpe(part, 252) for part in windows(returns, window)]

    assert found == pytest.approx(expected, abs=1e-6)


def windows(name: str, length: int) -> list[list[float]]:
    values = series(name)
    parts = [values[at : at + length] for at in range(len(values) - length + 1)]
    return [[r for r in part if r is not None] for part in parts]


# -- ratios at their edges ----------------------------------------------------------------


def test_ratios_are_per_year_of_365_days() -> None:
    returns = [0.01, -0.005, 0.02, 0.0]
    mean, deviation = 0.00625, 0.0110867789
    downside = math.sqrt(0.005**2 / 4)

    assert ratios.sharpe(returns) == pytest.approx(mean / deviation * math.sqrt(365))
    assert ratios.sortino(returns) == pytest.approx(mean / downside * math.sqrt(365))


@pytest.mark.parametrize("ratio", [ratios.sharpe, ratios.sortino, ratios.volatility])
@pytest.mark.parametrize("returns", [[], [0.01]])
def test_one_day_has_no_ratio(ratio: Any, returns: list[float]) -> None:
    assert ratio(returns) is None


def test_nothing_gained_and_nothing_risked_is_no_ratio() -> None:
    assert ratios.sharpe([0.0] * 20) is None
    assert ratios.sortino([0.0] * 20) is None


def test_loss_without_deviation_is_infinitely_bad() -> None:
    assert ratios.sharpe([-0.5] * 20) == -math.inf


@pytest.mark.parametrize(
    ("growth", "days", "expected"),
    [(1.1, 365, 0.1), (1.1, 730, math.sqrt(1.1) - 1), (1.0, 9, 0.0), (0.0, 9, -1.0),
     (-0.2, 9, -1.0), (1e300, 1, math.inf), (1.1, 0, None)],
)  # fmt: skip
def test_cagr(growth: float, days: int, expected: float | None) -> None:
    found = ratios.cagr(growth, days)

    assert found is expected is None or found == pytest.approx(expected)


@pytest.mark.parametrize(
    ("value", "ratio"),
    [(1.5, Ratio(1.5)), (None, Ratio(None, "none")), (math.nan, Ratio(None, "none")),
     (math.inf, Ratio(None, "infinite"))],
)  # fmt: skip
def test_what_is_no_number_is_a_word(value: float | None, ratio: Ratio) -> None:
    assert Ratio.of(value) == ratio


# -- drawdown -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("curve", "share", "peak", "trough", "back", "lasted"),
    [
        ([100], 0.0, 0, 0, 0, 0),
        ([100, 101, 102], 0.0, 0, 0, 0, 0),
        ([100, 90], 0.1, 0, 1, None, 1),
        ([100, 90, 95], 0.1, 0, 1, None, 2),
        ([100, 90, 100, 110], 0.1, 0, 1, 2, 2),
        ([100, 100, 90, 120, 119], 0.1, 1, 2, 3, 2),
        ([100, 90, 120, 60, 130], 0.5, 2, 3, 4, 2),
        ([100, -50], 1.5, 0, 1, None, 1),
        ([-5, -10, -5], 0.0, 0, 0, 0, 0),
    ],
)
def test_the_deepest_fall_with_its_length(
    curve: list[float], share: float, peak: int, trough: int, back: int | None, lasted: int
) -> None:
    start = datetime(1970, 1, 1, tzinfo=UTC)

    def moment(number: int) -> datetime:
        return start + timedelta(seconds=number)

    assert fall_of(curve) == Drawdown(
        share=share,
        peak_at=moment(peak),
        trough_at=moment(trough),
        recovered_at=None if back is None else moment(back),
        lasted=timedelta(seconds=lasted),
    )


# -- trades -------------------------------------------------------------------------------


def D(text: str) -> Decimal:  # noqa: N802  # as in tests/handlers/story.py
    return Decimal(text)


def trip(profit: str, fees: str = "0.10", **changes: Any) -> RoundTrip:
    trade = builders.a_trade(profit=Decimal(profit), fees=Decimal(fees), **changes)
    return RoundTrip.of(trade)


def test_a_tally_is_what_the_trades_say() -> None:
    tally = Tally.of([trip("30"), trip("-20", "0.25"), trip("10.5"), trip("-5"), trip("0")])

    assert (tally.trades, tally.wins, tally.losses) == (5, 2, 2)
    assert (tally.won, tally.lost, tally.profit) == (D("40.5"), D("-25"), D("15.5"))
    assert tally.fees == Decimal("0.65")
    assert (tally.best, tally.worst) == (D("30"), D("-20"))
    assert tally.win_rate == 0.4
    assert tally.profit_factor == Ratio(1.62)
    assert tally.expectancy == Decimal("3.1")
    assert (tally.average_win, tally.average_loss) == (Decimal("20.25"), Decimal("-12.5"))


def test_no_trades_have_no_averages() -> None:
    none = Tally.of([])

    assert none == Tally() == Tally.total([])
    assert (none.win_rate, none.expectancy, none.average_win, none.average_loss) == (None,) * 4
    assert (none.best, none.worst, none.profit) == (None, None, D("0"))
    assert none.profit_factor == Ratio(None, "none")


def test_without_losses_the_profit_factor_is_infinite() -> None:
    lucky = Tally.of([trip("30"), trip("0")])

    assert lucky.profit_factor == Ratio(None, "infinite")
    assert (lucky.average_loss, lucky.worst) == (None, D("0"))


def test_without_wins_the_profit_factor_is_zero() -> None:
    unlucky = Tally.of([trip("-30"), trip("0")])

    assert unlucky.profit_factor == Ratio(0.0)
    assert (unlucky.average_win, unlucky.win_rate, unlucky.expectancy) == (None, 0.0, D("-15"))


def test_trades_that_came_out_even_have_no_profit_factor() -> None:
    assert Tally.of([trip("0"), trip("-0.00")]).profit_factor == Ratio(None, "none")


def test_sums_never_round() -> None:
    profits = ["12345678901234567890.123456789", "1E-18", "-0.1"]

    tally = Tally.of([trip(p, p.lstrip("-")) for p in profits])

    assert tally.profit == Decimal("12345678901234567890.023456789000000001")
    assert tally.fees == Decimal("12345678901234567890.223456789000000001")


@given(st.lists(st.decimals(-1000, 1000, places=6), max_size=30), st.integers(0, 30))
def test_tallies_add_up(profits: list[Decimal], cut: int) -> None:
    trips = [trip(str(p)) for p in profits]

    assert Tally.total([Tally.of(trips[:cut]), Tally.of(trips[cut:])]) == Tally.of(trips)


# -- the book of days ---------------------------------------------------------------------

MONDAY = date(2026, 1, 5)
BERLIN = ZoneInfo("Europe/Berlin")


def midnight(days: int, zone: timezone | ZoneInfo = UTC) -> datetime:
    """When the day begins that is so many days after that Monday."""
    day = MONDAY + timedelta(days=days)
    return datetime(day.year, day.month, day.day, tzinfo=zone)


def day(days: int) -> date:
    return MONDAY + timedelta(days=days)


def point(at: datetime, equity: float) -> EquityPoint:
    return builders.an_equity_point(at=at, equity=Decimal(str(equity)))


def at_midnights(*equity: float, first: int = 0) -> list[EquityPoint]:
    """One reading at the beginning of each day."""
    return [point(midnight(first + n), value) for n, value in enumerate(equity)]


def closed(at: datetime, profit: str, symbol: Symbol = BTC, **changes: Any) -> Trade:
    return builders.a_trade(closed_at=at, profit=Decimal(profit), symbol=symbol, **changes)


def figures(book: DayBook, *, first: int | None = None, last: int = 0, today: int = 99) -> Stats:
    begun = None if first is None else day(first)
    return summarise(book, first=begun, last=day(last), today=day(today))


def test_a_trade_belongs_to_the_day_it_closed_in_by_the_zone() -> None:
    late = closed(midnight(0) + timedelta(hours=23, minutes=30), "5")

    assert list(DayBook.of([late], [], UTC).trades) == [day(0)]
    assert list(DayBook.of([late], [], BERLIN).trades) == [day(1)]


def test_a_trade_at_midnight_begins_a_day_and_a_reading_ends_one() -> None:
    book = DayBook.of([closed(midnight(1), "5")], [point(midnight(1), 10_005)], UTC)

    assert list(book.trades) == [day(1)]
    assert dict(book.closes) == {day(0): 10_005}


def test_days_are_as_long_as_the_clocks_make_them() -> None:
    """29 March 2026 has 23 hours in Berlin: 22:30 UTC is the next day already."""
    before = datetime(2026, 3, 29, 21, 30, tzinfo=UTC)
    after = before + timedelta(hours=1)

    book = DayBook.of([closed(before, "1"), closed(after, "2")], [], BERLIN)

    assert list(book.trades) == [date(2026, 3, 29), date(2026, 3, 30)]


@given(st.integers(0, 12), st.integers(0, 24))
def test_a_book_that_grows_is_the_book_read_at_once(trades: int, points: int) -> None:
    all_trades = [closed(midnight(0) + timedelta(hours=5 * n), str(n - 6)) for n in range(12)]
    all_points = [point(midnight(0) + timedelta(hours=3 * n), 10_000 + n) for n in range(24)]
    whole = DayBook.of(all_trades, all_points, UTC)

    grown = DayBook.of(all_trades[:trades], all_points[:points], UTC).after(
        [RoundTrip.of(t) for t in all_trades[trades:]],
        [EquityReading(p.at, p.equity) for p in all_points[points:]],
    )

    assert (dict(grown.trades), dict(grown.closes)) == (dict(whole.trades), dict(whole.closes))
    assert (grown.opening, grown.all_time) == (whole.opening, whole.all_time)
    assert figures(grown, last=9) == figures(whole, last=9)


# -- a period -----------------------------------------------------------------------------


def test_nothing_at_all() -> None:
    found = figures(DayBook(zone=UTC))

    assert found.total == Tally()
    assert (found.start, found.share, found.drawdown, found.returns) == (None, None, None, 0)
    assert {found.sharpe, found.sortino, found.cagr, found.calmar} == {TOO_FEW}


def test_a_period_takes_the_trades_of_its_days_both_ends_included() -> None:
    trades = [closed(midnight(n) + timedelta(hours=1), str(n)) for n in range(10)]

    found = figures(DayBook.of(trades, [], UTC), first=3, last=5)

    assert found.total.trades == 3
    assert found.total.profit == 3 + 4 + 5


def test_all_time_is_every_day_together() -> None:
    trades = [closed(midnight(n), str(n - 4), ETH if n % 2 else BTC) for n in range(10)]
    book = DayBook.of(trades, [], UTC)

    assert figures(book, last=9) == replace(figures(book, first=0, last=9), first=None)
    assert figures(book, last=8).total.trades == 9


def test_symbols_and_reasons_come_most_profitable_first() -> None:
    trades = [
        closed(midnight(0), "-5", BTC, reason=ExitReason.STOP),
        closed(midnight(0), "7", ETH, reason=ExitReason.TARGET),
        closed(midnight(1), "2", BTC, reason=ExitReason.TARGET),
        closed(midnight(1), "1", ADA, reason=ExitReason.TIME),
    ]

    found = figures(DayBook.of(trades, [], UTC), last=1)

    assert [(s, int(t.profit)) for s, t in found.symbols.items()] == [(ETH, 7), (ADA, 1), (BTC, -3)]
    assert [(r, int(t.profit)) for r, t in found.reasons.items()] == [
        (ExitReason.TARGET, 9), (ExitReason.TIME, 1), (ExitReason.STOP, -5),
    ]  # fmt: skip
    assert found.total.profit == 5


def test_profit_is_a_share_of_the_equity_before_the_period() -> None:
    trades = [closed(midnight(5) + timedelta(hours=1), "50")]

    book = DayBook.of(trades, at_midnights(10_000, 11_000, 12_000, 12_500), UTC)

    assert figures(book, first=2, last=5).start == 12_000
    assert figures(book, first=5, last=5).share == Decimal("0.004")
    assert figures(book, last=5).start == 10_000, "of all time: what it began with"


def test_a_desk_that_begins_within_the_period_began_with_its_first_reading() -> None:
    book = DayBook.of([], at_midnights(10_000, 11_000, first=5), UTC)

    assert figures(book, first=1, last=8).start == 10_000
    assert figures(book, first=1, last=3).start is None


def test_a_share_of_nothing_is_unknown() -> None:
    book = DayBook.of([closed(midnight(0), "5")], at_midnights(0), UTC)

    assert figures(book).share is None


def test_returns_are_of_whole_days_and_today_is_not_one_yet() -> None:
    readings = at_midnights(*(10_000 + 10 * n for n in range(FEWEST_RETURNS + 2)))
    book = DayBook.of([], readings, UTC)
    whole = [b / a - 1 for a, b in pairwise(10_000.0 + 10 * n for n in range(FEWEST_RETURNS + 1))]

    today = figures(book, last=FEWEST_RETURNS, today=FEWEST_RETURNS)
    tomorrow = figures(book, last=FEWEST_RETURNS, today=FEWEST_RETURNS + 1)

    assert today.returns == FEWEST_RETURNS
    assert today.sharpe.value == pytest.approx(ratios.sharpe(whole))
    assert tomorrow.returns == FEWEST_RETURNS + 1


def test_ratios_over_nine_days_are_too_few() -> None:
    readings = at_midnights(*(10_000 + 10 * n for n in range(FEWEST_RETURNS)))

    found = figures(DayBook.of([], readings, UTC), last=30)

    assert found.returns == FEWEST_RETURNS - 1
    assert (found.sharpe, found.sortino, found.cagr, found.calmar) == (TOO_FEW,) * 4
    assert found.drawdown is not None


def test_one_day_only() -> None:
    trades = [closed(midnight(0) + timedelta(hours=9), "-5")]
    readings = [point(midnight(0) + timedelta(hours=n), 10_000 - n) for n in range(9, 12)]

    found = figures(DayBook.of(trades, readings, UTC), first=0, last=0, today=0)

    assert (found.returns, found.sharpe) == (0, TOO_FEW)
    assert found.start == 9991
    assert found.drawdown is not None
    assert found.drawdown.share == pytest.approx(2 / 9991)


def test_a_month_without_a_losing_day() -> None:
    found = figures(DayBook.of([], at_midnights(*(100 + n for n in range(20))), UTC), last=30)

    assert found.sortino == found.calmar == Ratio(None, "infinite")
    assert found.sharpe.value is not None
    assert found.drawdown is not None
    assert found.drawdown.share == 0


def test_a_month_in_which_nothing_happened() -> None:
    found = figures(DayBook.of([], at_midnights(*[10_000] * 20), UTC), last=30)

    assert (found.sharpe, found.sortino) == (Ratio(None, "none"),) * 2
    assert found.cagr == Ratio(0.0)


def test_a_day_without_a_reading_makes_no_return() -> None:
    readings = [p for p in at_midnights(*range(100, 115)) if p.at.day not in (8, 9)]

    found = figures(DayBook.of([], readings, UTC), last=30)

    assert found.returns == 12
    assert found.cagr.value == pytest.approx(math.pow(114 / 100, 365 / 14) - 1)


def test_calmar_is_the_yearly_growth_over_the_deepest_fall() -> None:
    readings = at_midnights(100, 102, 104, 91, 95, 97, 99, 101, 104, 105, 106, 107)

    found = figures(DayBook.of([], readings, UTC), last=30)

    assert found.calmar.value == pytest.approx((math.pow(1.07, 365 / 11) - 1) / 0.125)


def test_the_drawdown_of_a_period_begins_with_the_equity_it_began_with() -> None:
    book = DayBook.of([], at_midnights(100, 200, 150, 120, 130), UTC)

    all_time, later = figures(book, last=9), figures(book, first=2, last=9)

    assert all_time.drawdown is not None
    assert all_time.drawdown.share == pytest.approx(0.4)
    assert later.drawdown is not None
    assert later.drawdown.share == pytest.approx(0.2)
    assert later.drawdown.peak_at == midnight(2)


# -- period by period ---------------------------------------------------------------------

WEEKS = DayBook.of(
    [closed(midnight(n) + timedelta(hours=1), str(n)) for n in range(40)],
    at_midnights(*(10_000 + 10 * n for n in range(40))),
    UTC,
)


def told(book: DayBook, unit: Unit, count: int, *, today: int) -> Iterator[tuple[Any, ...]]:
    now = midnight(today) + timedelta(hours=12)
    for each in periods(book, unit, count, now=now, equity=Decimal(20_000)):
        yield each.first, each.last, each.profit, each.trades.trades, each.over


def test_days_newest_first_the_running_one_by_what_it_is_worth_now() -> None:
    assert list(told(WEEKS, "day", 3, today=39)) == [
        (day(39), day(39), 20_000 - 10_390, 1, False),
        (day(38), day(38), 10, 1, True),
        (day(37), day(37), 10, 1, True),
    ]


def test_weeks_begin_on_monday() -> None:
    assert list(told(WEEKS, "week", 2, today=38)) == [
        (day(35), day(41), 20_000 - 10_350, 5, False),
        (day(28), day(34), 70, 7, True),
    ]


def test_months_are_those_of_the_calendar_and_end_with_the_desk_s_first() -> None:
    assert list(told(WEEKS, "month", 8, today=39)) == [
        (date(2026, 2, 1), date(2026, 2, 28), 20_000 - 10_270, 13, False),
        (date(2026, 1, 1), date(2026, 1, 31), 270, 27, True),
    ]


def test_a_december_ends_on_its_31st() -> None:
    book = DayBook.of([], [point(datetime(2025, 12, 30, tzinfo=UTC), 1)], UTC)

    months = periods(book, "month", 8, now=midnight(0), equity=None)

    assert [(m.first.month, m.last.month, m.last.day) for m in months] == [(1, 1, 31), (12, 12, 31)]


def test_what_nobody_read_is_unknown_and_the_next_tells_the_change() -> None:
    readings = [*at_midnights(10_000, 10_010), *at_midnights(10_050, first=4)]
    now = midnight(4) + timedelta(hours=1)

    found = periods(DayBook.of([], readings, UTC), "day", 8, now=now, equity=None)

    assert [(p.first.day, p.profit) for p in found] == [
        (9, None), (8, 40), (7, None), (6, None), (5, 10), (4, 0),
    ]  # fmt: skip


def test_no_periods_before_anything_happened() -> None:
    assert periods(DayBook(zone=UTC), "day", 8, now=midnight(0), equity=Decimal(1)) == ()


def test_periods_of_trades_without_a_reading_are_counted_all_the_same() -> None:
    book = DayBook.of([closed(midnight(0), "5")], [], UTC)

    (today,) = periods(book, "day", 8, now=midnight(0), equity=Decimal(10_000))

    assert (today.trades.trades, today.profit, today.share) == (1, None, None)
