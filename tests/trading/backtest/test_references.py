"""Published results, reproduced; each difference of convention is said where it is bridged.

The reference is the unit test of backtesting.py (`SmaCross`, 10 and 30 days, on its GOOG.csv):
66 trades, 10,000 become 51,422.99.  Its conventions, and what is done about them here:

* It fills at the OPEN of the next bar, we at the close of the bar that brought the signal.  So the
  candles here close where the next day opens, while the averages see the true closes.
* It always puts all its equity in, in whole shares.  So the limits allow all of it, the lot is one
  share, and the stops lie where the price never comes.
* It closes what is open at the end, at the last bar's open, and counts that as a trade; ours
  stays open, in the equity, at the same price.
* Its days are weekdays without holidays; here they are numbered, one bar after the other.
* Its drawdown and ratios rest on closes, ours here on the next opens: so for them our fills are
  valued at the closes (`at_closes`).
* Its Sharpe is the geometric mean of a year over the deviation of compounded returns; ours (and
  empyrical's) the arithmetic mean over the plain deviation.  Its formula, on our curve, gives its
  figure.
"""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.trading.backtest.worlds import trader_settings
from trading.backtest.asked import Backtest
from trading.backtest.engine import run
from trading.backtest.result import Result
from trading.market.candles import Candles
from trading.risk.limits import Limits
from trading.stats.ratios import drawdown, sharpe
from trading.strategies.base import Signals
from trading.types import Costs, MarketRules, Symbol

GOOG = Symbol("GOOG", "USD")
DAY = timedelta(days=1)
FILE = Path(__file__).parents[2] / "data" / "backtests" / "goog_daily.csv"
EVERYTHING = Limits(
    max_positions=1,
    risk_per_trade=Decimal(1_000),
    max_position=Decimal(1),
    max_exposure=Decimal(2),
    max_daily_loss=Decimal("0.99"),
    max_weekly_loss=Decimal("0.99"),
    max_drawdown=Decimal("0.99"),
    loss_streak=10_000,
    symbol_rest=timedelta(0),
    max_price_age=DAY,
)


class SmaCross:
    """Long where the average of 10 closes crosses above that of 30, short where it crosses below.

    The averages are those of the true closes, which the candles do not hold.
    """

    name = "sma_cross"
    warmup = 0

    def __init__(self, closes: NDArray[np.float64]) -> None:
        fast, slow = _sma(closes, 10), _sma(closes, 30)
        gap = fast - slow
        up = (gap[1:] > 0) & (gap[:-1] < 0)
        down = (gap[1:] < 0) & (gap[:-1] > 0)
        self._score = np.concatenate(([0.0], np.where(up, 50.0, np.where(down, -50.0, 0.0))))

    def signals(self, candles: Candles) -> Signals:
        score = self._score[np.newaxis, : candles.bars]
        price = candles.close
        stop = np.where(score > 0, price * 0.001, np.where(score < 0, price * 100, np.nan))
        return Signals(
            score=score,
            stop=np.round(stop, 4).astype(np.float64),
            target=np.full(score.shape, np.nan),
        )

    def explain(self, candles: Candles, row: int, column: int) -> str:
        return "SMA 10 crossed 30"


def _sma(closes: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    sums = np.cumsum(np.insert(closes, 0, 0.0))
    found = np.full(len(closes), np.nan)
    found[length - 1 :] = (sums[length:] - sums[:-length]) / length
    return found


@pytest.fixture(scope="module")
def goog() -> Result:
    with FILE.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    opens = np.array([float(row["open"]) for row in rows])
    closes = np.array([float(row["close"]) for row in rows])
    meets = np.append(opens[1:], opens[-1])[np.newaxis]
    first = datetime(2004, 8, 19, tzinfo=UTC)
    size = int(DAY.total_seconds() * 1000)
    candles = Candles(
        symbols=(GOOG,),
        times=np.arange(1, len(rows) + 1, dtype=np.int64) * size + int(first.timestamp() * 1000),
        open=meets, high=meets, low=meets, close=meets,
        volume=np.full_like(meets, 1e9),
    )  # fmt: skip
    return run(
        Backtest(
            trader=trader_settings((GOOG,), limits=EVERYTHING, step=DAY),
            strategy=SmaCross(closes),
            candles=candles,
            rules={GOOG: MarketRules(tick=Decimal("0.0001"), lot=Decimal(1))},
            costs=Costs(slippage=Decimal(0), commission=Decimal(0)),
        )
    )


def test_the_published_number_of_trades(goog: Result) -> None:
    assert len(goog.trades) + len(goog.open_positions) == 66


def test_the_published_end_of_the_equity(goog: Result) -> None:
    assert goog.equity[-1] == pytest.approx(51_422.99, abs=0.005)
    assert goog.growth == pytest.approx(4.142298999999996, abs=1e-6)


def test_the_published_share_of_winners_best_and_worst(goog: Result) -> None:
    (last,) = goog.open_positions
    left = float(last.open_profit(Decimal("797.8")))
    shares = [float(trade.share) for trade in goog.trades]
    shares.append(left / float(abs(last.quantity) * last.average_price))
    assert sum(share > 0 for share in shares) / 66 == pytest.approx(0.4696969696969697)
    assert max(shares) == pytest.approx(0.5359595229490424, abs=1e-6)
    assert min(shares) == pytest.approx(-0.1839887353835481, abs=1e-6)
    won = sum(share for share in shares if share > 0)
    lost = -sum(share for share in shares if share < 0)
    assert won / lost == pytest.approx(2.167945974262033, abs=1e-5)


def test_it_is_nearly_always_in_the_market(goog: Result) -> None:
    first = goog.trades[0].opened_at
    after = goog.times >= first.timestamp()
    assert goog.held[after].all()


@pytest.fixture(scope="module")
def at_closes(goog: Result) -> NDArray[np.float64]:
    """The equity at each day's close; a fill at the end of a day counts from the next on."""
    with FILE.open(encoding="utf-8") as file:
        closes = np.array([float(row["close"]) for row in csv.DictReader(file)])
    bought, paid = np.zeros_like(closes), np.zeros_like(closes)
    for fill in goog.fills:
        day = goog.times.tolist().index(fill.at.timestamp()) + 1
        if day < closes.size:
            bought[day] += fill.side.sign * float(fill.quantity)
            paid[day] += fill.side.sign * float(fill.quantity * fill.price)
    curve = 10_000 - np.cumsum(paid) + np.cumsum(bought) * closes
    return np.append(curve[:-1], goog.equity[-1])  # it closes at the last open


def test_the_published_peak_and_drawdown(at_closes: NDArray[np.float64]) -> None:
    assert at_closes.max() == pytest.approx(75_787.44, abs=0.005)
    found = drawdown(np.arange(at_closes.size, dtype=float), at_closes)
    assert found is not None
    assert found.share == pytest.approx(0.4798012705007589, abs=1e-9)


def test_the_published_sharpe_and_calmar_by_its_own_formulas(
    at_closes: NDArray[np.float64],
) -> None:
    returns = np.diff(at_closes) / at_closes[:-1]
    mean = (at_closes[-1] / at_closes[0]) ** (1 / returns.size)
    year = mean**252 - 1
    spread = np.sqrt((returns.var(ddof=1) + mean**2) ** 252 - mean ** (2 * 252))
    assert year == pytest.approx(0.21191099249053224, abs=1e-9)
    assert spread == pytest.approx(0.3649716090702389, abs=1e-9)
    assert year / spread == pytest.approx(0.5806232244485349, abs=1e-9)
    assert year / 0.4798012705007589 == pytest.approx(0.44166409202994605, abs=1e-9)


def test_our_sharpe_of_that_curve_differs_by_the_convention_only(
    at_closes: NDArray[np.float64],
) -> None:
    returns = np.diff(at_closes) / at_closes[:-1]
    plain = returns.mean() / returns.std(ddof=1) * np.sqrt(252)
    assert sharpe(returns.tolist(), 252) == pytest.approx(plain)
    assert 0.70 < plain < 0.85
