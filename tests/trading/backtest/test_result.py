"""The figures of a backtest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta, timezone
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatbot.cli.backtest import as_text
from chatbot.cli.backtest_export import as_json
from tests.builders import BTC, ETH
from tests.trading.backtest.worlds import a_backtest, a_walk
from tests.trading.strategies.recorded import majors
from trading.backtest.engine import run
from trading.backtest.result import Result, Summary, book_of, whole
from trading.backtest.rules import rules_for
from trading.market.candles import Candles
from trading.risk.limits import Limits
from trading.stats.tally import RoundTrip, Tally
from trading.strategies.ema_cross import EmaCross
from trading.strategies.rules import Rules
from trading.types import ZERO

MIDNIGHT = datetime(2026, 1, 5, tzinfo=UTC)


class Moody(EmaCross):
    """Knows a regime: by the hour."""

    def regime_names(self, candles: Candles) -> Sequence[str]:
        hours = candles.times // 3_600_000
        return ["calm" if hour % 2 else "wild" for hour in hours.tolist()]


@pytest.fixture(scope="module")
def result() -> Result:
    return run(a_backtest(a_walk(900, symbols=(BTC, ETH), seed=7)))


def test_by_symbol_and_by_exit_add_up_to_the_whole(result: Result) -> None:
    profit = sum((trade.profit for trade in result.trades), ZERO)
    assert result.stats.total.profit == profit
    for parts in (result.stats.symbols, result.stats.reasons):
        assert sum((tally.profit for tally in parts.values()), ZERO) == profit


@given(
    hours=st.lists(st.integers(0, 96), min_size=1, max_size=12),
    offset=st.integers(-12, 14),
    bars=st.integers(2, 97),
)
def test_totals_are_the_sums_of_the_list_whenever_its_trades_closed(
    hours: list[int], offset: int, bars: int
) -> None:
    trips = [
        RoundTrip(MIDNIGHT + timedelta(hours=hour), "BTC/USDT", "stop", Decimal(n) - 3, Decimal(1))
        for n, hour in enumerate(sorted(hour % bars for hour in hours))
    ]
    times = MIDNIGHT.timestamp() + np.arange(bars, dtype=np.float64) * 3_600
    book = book_of(times, np.full(bars, 100.0), timezone(timedelta(hours=offset)))
    found = whole(book.after(trips, ()))
    assert found.total == Tally.of(trips)
    assert Tally.total(found.symbols.values()) == Tally.of(trips)
    assert Tally.total(found.reasons.values()) == Tally.of(trips)


def test_a_trade_closed_at_the_last_instant_of_the_last_day_counts() -> None:
    test = a_backtest(a_walk(900, symbols=(BTC, ETH), seed=7))
    at = run(test).trades[4].closed_at
    midnight = timezone(timedelta(days=1) - timedelta(hours=at.hour, minutes=at.minute))
    trader = replace(test.trader, zone=midnight)
    found = run(replace(test, trader=trader, end=at))
    assert found.trades[-1].closed_at == found.end == at
    assert found.end.astimezone(midnight).time() == time()
    assert found.stats.total == Tally.of([RoundTrip.of(trade) for trade in found.trades])
    told = as_json(found)
    assert told["trade_count"] == len(told["trades"]) == len(found.trades) >= 5
    assert f"{len(found.trades)} trades, " in as_text(found)


def test_buy_and_hold_is_equal_parts_of_every_symbol(result: Result) -> None:
    candles = a_walk(900, symbols=(BTC, ETH), seed=7)
    first = candles.bars - len(result.times)
    growth = (candles.close[:, -1] / candles.close[:, first]).mean() - 1
    assert result.holding_growth == pytest.approx(growth)


def test_the_deepest_fall_is_that_of_every_bar(result: Result) -> None:
    peaks = np.maximum.accumulate(result.equity)
    assert result.stats.drawdown is not None
    deepest = float(((peaks - result.equity) / peaks).max())
    assert result.stats.drawdown.share == pytest.approx(deepest)


def test_exposure_is_the_share_of_bars_with_something_held(result: Result) -> None:
    assert 0 < result.exposure < 1
    assert result.exposure == np.mean(result.held > 0)


def test_trades_are_told_by_the_regime_in_which_they_were_opened() -> None:
    candles = a_walk(900, symbols=(BTC,), seed=7)
    found = run(a_backtest(candles, uses=Moody(fast=3, slow=8)))
    parts = found.by_regime()
    assert set(parts) == {"calm", "wild"}
    assert sum(tally.trades for tally in parts.values()) == len(found.trades)
    odd = sum(int(t.opened_at.timestamp()) // 3_600 % 2 for t in found.trades)
    assert parts["calm"].trades == odd


def test_the_rules_desk_is_told_by_its_regimes() -> None:
    candles = majors().upto(700)
    limits = Limits(loss_streak=50, max_price_age=timedelta(hours=1))
    test = a_backtest(candles, uses=Rules(), limits=limits)
    found = run(replace(test, trader=replace(test.trader, timeframe=timedelta(hours=1))))
    parts = found.by_regime()
    assert sum(tally.trades for tally in parts.values()) == len(found.trades) > 0
    assert set(parts) <= {"bull", "chop", "bear"}


def test_who_knows_no_regime_has_none(result: Result) -> None:
    assert result.by_regime() == {}


def test_a_summary_is_small_and_begins_and_ends_as_the_result(result: Result) -> None:
    told = Summary.of(result, points=50)
    assert told.curve is not None
    assert len(told.curve.times) <= 50
    assert told.curve.equity[-1] == pytest.approx(float(result.equity[-1]), abs=0.01)
    assert (told.begin, told.end) == (result.begin, result.end)


def test_a_result_without_a_trade_has_figures_all_the_same() -> None:
    test = a_backtest(a_walk(400, symbols=(BTC,), seed=7))
    limits = replace(test.trader.limits, min_notional=Decimal(1_000_000))
    found = run(replace(test, trader=replace(test.trader, limits=limits)))
    assert found.trades == ()
    assert found.growth == 0.0
    assert sum(found.refused.values()) > 0
    assert found.average_hold is None


def test_steps_of_unknown_markets_are_read_off_their_prices() -> None:
    candles = a_walk(100, symbols=(BTC,), seed=7, step=timedelta(hours=1))
    (rules,) = rules_for(candles, known={}).values()
    assert rules.tick == Decimal("0.01")
    assert rules.lot * Decimal(repr(float(candles.close[0, -1]))) <= Decimal("0.2")
