"""When a bar fills what waits for a price."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import BTC, an_order
from trading.market import matching
from trading.market.candles import Candles
from trading.types import MarketRules, Order, OrderType, Side

TICKS = st.sampled_from(["0.01", "0.05", "0.1", "1", "0.00001"]).map(Decimal)


def one_bar(opened: float, high: float, low: float, close: float) -> Candles:
    panels = [np.array([[price]]) for price in (opened, high, low, close, 1e6)]
    return Candles(
        symbols=(BTC,), times=np.array([0], dtype=np.int64), open=panels[0], high=panels[1],
        low=panels[2], close=panels[3], volume=panels[4],
    )  # fmt: skip


def waiting(kind: OrderType, side: Side, price: Decimal) -> Order:
    return an_order(type=kind, side=side, stop_price=price)


@given(
    st.lists(st.floats(0.5, 1.5), min_size=4, max_size=4),
    st.floats(0.5, 1.5),
    TICKS,
    st.sampled_from([OrderType.STOP, OrderType.TARGET]),
    st.sampled_from(Side),
    st.booleans(),
)
def test_what_a_bar_is_said_to_stay_away_from_it_does_not_touch(
    prices: list[float], level: float, tick: Decimal, kind: OrderType, side: Side, near: bool
) -> None:
    """Whatever the prices off the grid are rounded to, an open outside its own bar included."""
    scale = float(tick) * 40
    candles = one_bar(*(price * scale for price in prices))
    rules = MarketRules(tick=tick, lot=tick)
    aimed = prices[1] if near else level
    order = waiting(kind, side, rules.price(aimed * scale))
    bar = matching.bar_at(candles, 0, 0, rules)
    assert bar is not None
    if matching.is_out_of_reach([order], candles, 0, 0, rules):
        assert matching.touched(order, bar) is None
        assert not matching.is_crossed(order, bar.open)
    elif matching.touched(order, bar) is None and not matching.is_crossed(order, bar.open):
        edges = [bar.open, bar.high, bar.low]
        assert min(abs(edge - (order.stop_price or tick)) for edge in edges) <= 2 * tick


def test_of_what_fills_otherwise_nothing_is_said() -> None:
    candles = one_bar(1.0, 1.0, 1.0, 1.0)
    rules = MarketRules(tick=Decimal("0.01"), lot=Decimal(1))
    limit = an_order(type=OrderType.LIMIT, side=Side.BUY, price=Decimal("0.5"))
    market = an_order(type=OrderType.MARKET)
    far = waiting(OrderType.STOP, Side.SELL, Decimal("0.5"))
    assert matching.is_out_of_reach([far], candles, 0, 0, rules)
    for other in (limit, market):
        assert not matching.is_out_of_reach([far, other], candles, 0, 0, rules)
