"""What the paper venue refuses, and how it says so."""

from __future__ import annotations

from decimal import Decimal

from trading.errors import VenueMisfit, VenueRejected
from trading.market import matching
from trading.types import CONDITIONAL, ZERO, MarketRules, Order, OrderType, Side


def refuse_wrong(
    order: Order, rules: MarketRules, *, price: Decimal, held: Decimal, cash: bool = False
) -> None:
    """Raise `VenueRejected` unless *order* fits the rules, the *price* and the position *held*."""
    _refuse_odd_steps(order, rules)
    _refuse_large(order, rules)
    if order.post_only and matching.is_marketable(order, price):
        raise VenueRejected(f"post-only, and {order.price} would be filled at once at {price}")
    if order.type in CONDITIONAL and matching.is_crossed(order, price):
        what = f"the {order.type} at {order.stop_price}"
        raise VenueRejected(f"{what} would trigger immediately: the price is {price}")
    if cash or not order.reduce_only:
        _refuse_small(order, rules, price)
    elif not reduces(order, held):
        name = order.side.opposite.held
        raise VenueRejected(f"reduce-only, and there is no {name} position in {order.symbol}")


def refuse_unpaid(order: Order, *, price: Decimal, coins: Decimal, money: Decimal) -> None:
    """Raise `VenueRejected` unless free *coins* or free *money* pay for *order* in full."""
    if order.side is Side.SELL:
        if order.quantity > coins:
            raise VenueRejected(f"insufficient balance: {coins} {order.symbol.base} are free")
    elif order.quantity * (order.price or price) > money:
        raise VenueRejected(f"insufficient balance: {money:.2f} {order.symbol.quote} are free")


def reduces(order: Order, held: Decimal) -> bool:
    """Whether *order* goes against the signed quantity *held*."""
    return held * order.side.sign < ZERO


def _refuse_odd_steps(order: Order, rules: MarketRules) -> None:
    if order.quantity <= ZERO or order.quantity % rules.lot:
        raise VenueMisfit(f"the quantity {order.quantity} is not a multiple of the lot {rules.lot}")
    if order.type is OrderType.LIMIT:
        _refuse_odd_price("limit", order.price, rules)
    if order.type in CONDITIONAL:
        _refuse_odd_price(order.type.value, order.stop_price, rules)


def _refuse_large(order: Order, rules: MarketRules) -> None:
    most = rules.max_quantity
    if most is not None and order.type is not OrderType.LIMIT and order.quantity > most:
        raise VenueMisfit(f"the quantity {order.quantity} is above the market lot {most}")


def _refuse_odd_price(kind: str, price: Decimal | None, rules: MarketRules) -> None:
    if price is None or price <= ZERO:
        raise VenueRejected(f"a {kind} order needs a price above 0")
    if price % rules.tick:
        raise VenueMisfit(f"the {kind} price {price} is not a multiple of the tick {rules.tick}")


def _refuse_small(order: Order, rules: MarketRules, price: Decimal) -> None:
    """Reduce-only is exempt: what is left of a position may always be closed."""
    notional = order.quantity * (order.price or order.stop_price or price)
    if notional < rules.min_notional:
        quote = order.symbol.quote
        raise VenueMisfit(
            f"{notional.normalize():f} {quote} is below the least notional of"
            f" {rules.min_notional} {quote}"
        )
