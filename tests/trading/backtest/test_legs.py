"""What rests unseen in the fast path is there for whoever has to see it."""

from __future__ import annotations

import pytest

from tests.builders import BTC, ETH, XRP
from tests.trading.backtest.test_fast import same
from tests.trading.backtest.worlds import Whims, a_backtest, a_walk
from trading.backtest.engine import run
from trading.types import OrderRole, OrderStatus

SYMBOLS = (BTC, ETH, XRP)


@pytest.mark.parametrize("every", [2, 7, 50])
def test_a_trader_who_takes_over_finds_every_stop_and_target(every: int) -> None:
    candles = a_walk(500, symbols=SYMBOLS, seed=every, crashes=0.01)
    test = a_backtest(candles, uses=Whims(seed=every, often=0.1, doubts=True))
    trader = run(test, every_bar=True)
    assert {trade.reason for trade in trader.trades} >= {"stop", "target", "signal"}
    same(run(test, by_trader=lambda column: column % every == 0), trader)


def test_orders_that_nothing_touched_are_told_as_the_trader_tells_them() -> None:
    candles = a_walk(500, symbols=SYMBOLS, seed=1)
    test = a_backtest(candles, uses=Whims(seed=1, often=0.1, doubts=False))
    fast, trader = run(test), run(test, every_bar=True)
    same(fast, trader)
    assert fast.orders == len(fast.sent) == trader.orders
    kept = [
        order
        for order in fast.sent
        if order.role is OrderRole.PROTECT and order.status is OrderStatus.CANCELLED
    ]
    assert len(kept) > 10
    assert len({order.id for order in fast.sent}) == fast.orders
