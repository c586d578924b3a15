"""What a symbol accepts: tick, lot, notional and price band."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tests.servers.exchange.refusals import Refusal, Why
from tests.servers.exchange.values import ZERO, Wish

SPOT_TYPES = (
    "LIMIT",
    "LIMIT_MAKER",
    "MARKET",
    "STOP_LOSS",
    "STOP_LOSS_LIMIT",
    "TAKE_PROFIT",
    "TAKE_PROFIT_LIMIT",
)
LIMITS_ONLY = tuple(kind for kind in SPOT_TYPES if kind not in {"STOP_LOSS", "TAKE_PROFIT"})
"""Of symbols whose stops are limits, once they are touched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """One symbol.  The bands multiply the reference price; `maintenance` is a share.

    A market order's notional is taken at the reference price, as the real filter does.
    """

    symbol: str
    base: str
    quote: str = "USDT"
    contract: Decimal = Decimal(1)
    """Base units of one contract, for wires that tell quantities in contracts."""
    tick: Decimal = Decimal("0.01")
    lot: Decimal = Decimal("0.00001")
    least: Decimal = Decimal("0.00001")
    most: Decimal = Decimal(9000)
    market_most: Decimal = Decimal(100)
    notional: Decimal = Decimal(5)
    band_up: Decimal = Decimal(5)
    band_down: Decimal = Decimal("0.2")
    maintenance: Decimal = Decimal("0.004")
    max_leverage: int = 125
    max_orders: int = 200
    max_stops: int = 5
    types: tuple[str, ...] = SPOT_TYPES
    """Of spot orders: not every symbol takes each."""

    @property
    def price_places(self) -> int:
        return _places(self.tick)

    @property
    def quantity_places(self) -> int:
        return _places(self.lot)


def spot_rules(base: str, **changed: Any) -> Rules:
    return Rules(symbol=f"{base}USDT", base=base, **changed)


def swap_rules(base: str, **changed: Any) -> Rules:
    usual: dict[str, Any] = {
        "tick": Decimal("0.10"),
        "lot": Decimal("0.001"),
        "least": Decimal("0.001"),
        "most": Decimal(1000),
        "market_most": Decimal(120),
        "band_up": Decimal("1.05"),
        "band_down": Decimal("0.95"),
        "max_stops": 100,
    }
    return Rules(symbol=f"{base}USDT", base=base, **(usual | changed))


def check_spot(rules: Rules, wish: Wish, reference: Decimal | None) -> None:
    """A price of 0 is none: of a market order."""
    for price in (wish.price, wish.stop_price):
        if price < 0 or price % rules.tick:
            raise Refusal(Why.OFF_TICK)
    if wish.quantity:
        _check_spot_lot(rules, wish)
    if wish.price and reference and not _within(rules, wish.price, reference):
        high = wish.price > reference
        raise Refusal(Why.PRICE_TOO_HIGH if high else Why.PRICE_TOO_LOW)
    if _notional(wish, reference) < rules.notional and (wish.price or reference):
        raise Refusal(Why.NOTIONAL, rules.notional)


def _check_spot_lot(rules: Rules, wish: Wish) -> None:
    quantity = wish.quantity
    if quantity % rules.lot:
        raise Refusal(Why.OFF_LOT)
    if quantity < rules.least:
        raise Refusal(Why.TOO_SMALL, rules.least)
    if quantity > rules.most:
        raise Refusal(Why.TOO_LARGE, rules.most)
    if not wish.price and quantity > rules.market_most:
        raise Refusal(Why.MARKET_TOO_LARGE)


def check_swap(rules: Rules, wish: Wish, mark: Decimal | None) -> None:
    """A reduce-only order is exempt from the notional."""
    for price in (wish.price, wish.stop_price):
        if price % rules.tick:
            raise Refusal(Why.OFF_TICK)
    if wish.close_position:
        return
    _check_swap_lot(rules, wish)
    if wish.price and mark:
        _check_swap_band(rules, wish, mark)
    known = wish.price or wish.stop_price or mark
    if known and not wish.reduce_only and known * wish.quantity < rules.notional:
        raise Refusal(Why.NOTIONAL, rules.notional)


def _check_swap_lot(rules: Rules, wish: Wish) -> None:
    if wish.quantity % rules.lot:
        raise Refusal(Why.OFF_LOT)
    if wish.quantity < rules.least:
        raise Refusal(Why.TOO_SMALL, rules.least)
    most = rules.most if wish.price else rules.market_most
    if wish.quantity > most:
        raise Refusal(Why.TOO_LARGE, most)


def _check_swap_band(rules: Rules, wish: Wish, mark: Decimal) -> None:
    if wish.side == "BUY" and wish.price > mark * rules.band_up:
        raise Refusal(Why.PRICE_TOO_HIGH, mark * rules.band_up)
    if wish.side == "SELL" and wish.price < mark * rules.band_down:
        raise Refusal(Why.PRICE_TOO_LOW, mark * rules.band_down)


def _within(rules: Rules, price: Decimal, reference: Decimal) -> bool:
    return reference * rules.band_down <= price <= reference * rules.band_up


def _notional(wish: Wish, reference: Decimal | None) -> Decimal:
    if wish.quote_quantity:
        return wish.quote_quantity
    return wish.quantity * (wish.price or wish.stop_price or reference or ZERO)


def _places(step: Decimal) -> int:
    return max(0, -int(step.normalize().as_tuple().exponent))
