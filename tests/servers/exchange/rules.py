"""What a symbol accepts: tick, lot, notional and price band, checked as each market words it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tests.servers.exchange import refusals
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
    """Refuses with -1013, naming the filter, as the spot exchange does."""
    for price in (wish.price, wish.stop_price):
        if price < 0 or price % rules.tick:
            raise refusals.filter_failure("PRICE_FILTER")
    if wish.quantity:
        _check_spot_lot(rules, wish)
    if wish.price and reference and not _within(rules, wish.price, reference):
        raise refusals.filter_failure("PERCENT_PRICE_BY_SIDE")
    if _notional(wish, reference) < rules.notional and (wish.price or reference):
        raise refusals.filter_failure("NOTIONAL")


def _check_spot_lot(rules: Rules, wish: Wish) -> None:
    quantity = wish.quantity
    if quantity % rules.lot or not rules.least <= quantity <= rules.most:
        raise refusals.filter_failure("LOT_SIZE")
    if not wish.price and quantity > rules.market_most:
        raise refusals.filter_failure("MARKET_LOT_SIZE")


def check_swap(rules: Rules, wish: Wish, mark: Decimal | None) -> None:
    """Refuses with the futures' own codes; a reduce-only order is exempt from the notional."""
    for price in (wish.price, wish.stop_price):
        if price % rules.tick:
            raise refusals.off_tick()
    if wish.close_position:
        return
    _check_swap_lot(rules, wish)
    if wish.price and mark:
        _check_swap_band(rules, wish, mark)
    known = wish.price or wish.stop_price or mark
    if known and not wish.reduce_only and known * wish.quantity < rules.notional:
        raise refusals.notional_too_small(rules.notional)


def _check_swap_lot(rules: Rules, wish: Wish) -> None:
    if wish.quantity % rules.lot:
        raise refusals.over_precision()
    if wish.quantity < rules.least:
        raise refusals.quantity_too_small(rules.least)
    most = rules.most if wish.price else rules.market_most
    if wish.quantity > most:
        raise refusals.quantity_too_large(most)


def _check_swap_band(rules: Rules, wish: Wish, mark: Decimal) -> None:
    if wish.side == "BUY" and wish.price > mark * rules.band_up:
        raise refusals.price_too_high(mark * rules.band_up)
    if wish.side == "SELL" and wish.price < mark * rules.band_down:
        raise refusals.price_too_low(mark * rules.band_down)


def _within(rules: Rules, price: Decimal, reference: Decimal) -> bool:
    return reference * rules.band_down <= price <= reference * rules.band_up


def _notional(wish: Wish, reference: Decimal | None) -> Decimal:
    if wish.quote_quantity:
        return wish.quote_quantity
    return wish.quantity * (wish.price or wish.stop_price or reference or ZERO)


def _places(step: Decimal) -> int:
    return max(0, -int(step.normalize().as_tuple().exponent))
