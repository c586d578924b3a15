"""Prices of any size: a coin of a trillionth of a dollar is traded as one of a million is."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatbot.cli.backtest import as_text
from handlers.texts.backtests import result_reply
from tests.builders import BTC, ETH
from tests.trading.backtest.worlds import a_backtest, a_walk
from trading.backtest.engine import run
from trading.backtest.parts import KeptHistory
from trading.backtest.result import Result, Summary
from trading.backtest.rules import rules_for
from trading.market.candles import Candles, Panel
from trading.types import Symbol

COIN = Symbol("COIN", "USDT")


def at_scale(candles: Candles, exponent: int) -> Candles:
    """The same market, its prices times ten to that power, to the last digit."""

    def panel(values: Panel) -> Panel:
        return np.array([[float(f"{v:.2f}e{exponent}") for v in row] for row in values.tolist()])

    return replace(
        candles,
        open=panel(candles.open), high=panel(candles.high), low=panel(candles.low),
        close=panel(candles.close), volume=candles.volume * 10.0**-exponent,
    )  # fmt: skip


def at_prices_of(exponent: int, *, symbol: Symbol = COIN, bars: int = 1_500) -> Result:
    candles = at_scale(a_walk(bars, symbols=(symbol,), seed=7), exponent)
    return run(replace(a_backtest(candles), rules=rules_for(candles)))


@pytest.mark.parametrize("symbol", [COIN, BTC])
@pytest.mark.parametrize("exponent", [-14, -12, -9, -8, -7, -4, 3, 7])
def test_the_size_of_a_price_changes_nothing(symbol: Symbol, exponent: int) -> None:
    usual, found = at_prices_of(0), at_prices_of(exponent, symbol=symbol)
    assert len(usual.trades) > 90
    assert len(found.trades) == pytest.approx(len(usual.trades), abs=2)  # the step is 1 at most
    assert found.growth == pytest.approx(usual.growth, abs=3e-3)
    assert found.refused.keys() == usual.refused.keys()
    for trade in found.trades:
        assert trade.entry_price > 0
        assert trade.quantity * trade.entry_price > 100


PRICES = st.integers(-12, 8).flatmap(
    lambda e: st.decimals(1, 9, places=5).map(lambda d: d.scaleb(e))
)


@given(prices=st.lists(PRICES, min_size=1, max_size=12))
def test_no_price_is_lost_on_the_grid_that_is_read_off_it(prices: list[Decimal]) -> None:
    panel = np.array([[float(price) for price in prices]])
    candles = Candles(
        symbols=(COIN,), times=np.arange(len(prices)), open=panel, high=panel, low=panel,
        close=panel, volume=panel,
    )  # fmt: skip
    (rules,) = rules_for(candles).values()
    for price in prices:
        assert abs(rules.price(float(price)) - price) <= price * Decimal("1e-11")


def test_a_report_says_why_signals_were_refused_and_how_often() -> None:
    test = a_backtest(a_walk(900, symbols=(BTC, ETH), seed=7))
    dear = {symbol: replace(rules, lot=Decimal(1_000)) for symbol, rules in test.rules.items()}
    found = run(replace(test, rules=dear))
    refused = sum(found.refused.values())
    assert refused > 10
    text = as_text(found)
    assert f"0 signals approved, {refused} refused; 0 orders" in text
    assert f"{refused}  size is below one lot of …" in text
    told = result_reply(Summary.of(found, points=50))
    assert f"{refused} of {refused} signals refused, most often: size is below one lot" in told.text


def test_reasons_are_counted_together_whatever_their_figures_and_symbols() -> None:
    found = at_prices_of(0, symbol=Symbol("S", "USDT"))
    assert set(found.refused) == {"halted by H#"}
    assert not any("1E" in reason for reason in at_prices_of(-14).refused)


def test_a_unit_is_a_word_of_its_own() -> None:
    history = KeptHistory()
    for reason in ("outside the universe, good in 2 of 3 surveys", "price is 48 s old"):
        history.refuse(BTC, reason)
    assert list(history.refused) == [
        "outside the universe, good in # of # surveys", "price is # old",
    ]  # fmt: skip
