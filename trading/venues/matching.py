"""When and at what price a bar fills an order.  Pure; of two readings the worse one for us."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

import numpy as np

from trading.market.candles import Candles
from trading.types import ONE, MarketRules, Order, Side
from trading.values import quick

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One symbol's closed bar; prices on the tick, volume in base units."""

    at: datetime
    """Close time."""
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal


def bar_at(candles: Candles, row: int, column: int, rules: MarketRules) -> Bar | None:
    """Return that bar, or None where it is missing."""
    if not np.isfinite(candles.close[row, column]):
        return None
    return Bar(
        at=close_time(candles, column),
        open=rules.price(float(candles.open[row, column])),
        high=rules.price(float(candles.high[row, column])),
        low=rules.price(float(candles.low[row, column])),
        close=rules.price(float(candles.close[row, column])),
        volume=Decimal(repr(float(candles.volume[row, column]))),
    )


def close_time(candles: Candles, column: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=int(candles.times[column]))


def slipped(price: Decimal, side: Side, slippage: Decimal, tick: Decimal) -> Decimal:
    """Move *price* against us by the share *slippage*, and on to the next tick."""
    if side is Side.BUY:
        return (price * (ONE + slippage) / tick).to_integral_value(ROUND_CEILING) * tick
    return (price * (ONE - slippage) / tick).to_integral_value(ROUND_FLOOR) * tick


def not_beyond(limit: Decimal, price: Decimal, side: Side) -> Decimal:
    """The price of a taker, but never worse than the limit."""
    return min(limit, price) if side is Side.BUY else max(limit, price)


def is_marketable(order: Order, price: Decimal) -> bool:
    """Whether a limit order could be filled at *price* at once."""
    return _limit(order) >= price if order.side is Side.BUY else _limit(order) <= price


def is_crossed(order: Order, price: Decimal) -> bool:
    """Whether *price* is already where the stop order triggers."""
    return _stop(order) <= price if order.side is Side.BUY else _stop(order) >= price


def limit_fill(order: Order, bar: Bar) -> Decimal | None:
    """Price at which *bar* fills a resting limit: its own, or the open that gapped beyond it."""
    limit = _limit(order)
    if order.side is Side.BUY:
        return min(limit, bar.open) if bar.low <= limit else None
    return max(limit, bar.open) if bar.high >= limit else None


def stop_fill(order: Order, bar: Bar) -> Decimal | None:
    """Price, before slippage, at which *bar* triggers a stop: the worse of stop and open."""
    stop = _stop(order)
    if order.side is Side.BUY:
        return max(stop, bar.open) if bar.high >= stop else None
    return min(stop, bar.open) if bar.low <= stop else None


def _limit(order: Order) -> Decimal:
    if order.price is None:
        raise ValueError(f"{order.id}: a limit order without a price")
    return order.price


def _stop(order: Order) -> Decimal:
    if order.stop_price is None:
        raise ValueError(f"{order.id}: a stop order without a stop price")
    return order.stop_price
