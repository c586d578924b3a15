"""When and at what price a bar fills an order.  Pure; of two readings the worse one for us."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from trading.common.frozen import fast_frozen
from trading.market.candles import Candles
from trading.types import CONDITIONAL, ONE, MarketRules, Order, OrderType, Side

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@fast_frozen
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
    if is_missing(candles, row, column):
        return None
    return Bar(
        at=close_time(candles, column),
        open=rules.price(float(candles.open[row, column])),
        high=rules.price(float(candles.high[row, column])),
        low=rules.price(float(candles.low[row, column])),
        close=rules.price(float(candles.close[row, column])),
        volume=volume_of(candles, row, column),
    )


def is_missing(candles: Candles, row: int, column: int) -> bool:
    return not math.isfinite(candles.close[row, column])


def volume_of(candles: Candles, row: int, column: int) -> Decimal:
    return Decimal(repr(float(candles.volume[row, column])))


def is_out_of_reach(
    orders: Iterable[Order], candles: Candles, row: int, column: int, rules: MarketRules
) -> bool:
    """Whether that bar stays away from what all *orders* wait for, by a tick at least: so most bars
    do, and are seen to do without one exact price.  False where it is not sure."""
    low, high = candles.low.item(row, column), candles.high.item(row, column)
    opened = candles.open.item(row, column)
    low, high, tick = min(low, opened), max(high, opened), float(rules.tick)
    for order in orders:
        if order.type not in CONDITIONAL or order.stop_price is None:
            return False
        price, falls = (
            float(order.stop_price),
            (order.type is OrderType.STOP) is (order.side is Side.SELL),
        )
        if not (low > price + tick if falls else high < price - tick):
            return False
    return True


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
    """Whether *price* is already where the stop or target triggers."""
    if (order.type is OrderType.STOP) is (order.side is Side.BUY):
        return _stop(order) <= price
    return _stop(order) >= price


def limit_fill(order: Order, bar: Bar) -> Decimal | None:
    """Price at which *bar* fills a resting limit: its own, or the open that gapped beyond it."""
    limit = _limit(order)
    if order.side is Side.BUY:
        return min(limit, bar.open) if bar.low <= limit else None
    return max(limit, bar.open) if bar.high >= limit else None


def touched(order: Order, bar: Bar) -> Decimal | None:
    """Price, before slippage, at which *bar* triggers a stop or target; None: it does not.

    Of a stop the worse of its own and the open; of a target its own, however far beyond it opens.
    """
    own, buys = _stop(order), order.side is Side.BUY
    rises = (order.type is OrderType.STOP) is buys
    if not (bar.high >= own if rises else bar.low <= own):
        return None
    if order.type is OrderType.TARGET:
        return own
    return max(own, bar.open) if buys else min(own, bar.open)


def taken_later(order: Order, price: Decimal) -> Decimal:
    """What a market order, or one that was triggered in an earlier bar, meets at *price*.

    A target never gets better than its own price.
    """
    if order.type is not OrderType.TARGET:
        return price
    own = _stop(order)
    return max(own, price) if order.side is Side.BUY else min(own, price)


def _limit(order: Order) -> Decimal:
    if order.price is None:
        raise ValueError(f"{order.id}: a limit order without a price")
    return order.price


def _stop(order: Order) -> Decimal:
    if order.stop_price is None:
        raise ValueError(f"{order.id}: a stop order without a stop price")
    return order.stop_price
