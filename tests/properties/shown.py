"""What a person is shown, held against the books it is taken from."""

from __future__ import annotations

from trading.accounts.views import View
from trading.trader import Trader
from trading.types import OrderType, Quote


def check_shown(view: View, trader: Trader) -> None:
    """Every figure of *view*, looked for anew and by itself, at the same instant."""
    protection, valuer, ledger = trader.protection, trader.valuer, trader.ledger
    assert [held.position for held in view.holdings] == list(ledger.positions.values())
    for held in view.holdings:
        symbol = held.position.symbol
        assert held.plan == ledger.plans[symbol]
        assert held.quote == valuer.quote(symbol)
        assert held.stop_on_venue == protection.confirmed(symbol)
        assert held.target_on_venue == protection.confirmed(symbol, OrderType.TARGET)
        assert held.cover == protection.covers.of(symbol)
    stale = any(held.stale and not held.apart for held in view.holdings)
    assert view.equity == (None if stale else valuer.equity())
    assert view.exposures == valuer.exposures()
    quotes: list[Quote] = [q for s in trader.symbols if (q := valuer.quote(s)) is not None]
    newest = max((quote.at for quote in quotes), default=None)
    assert view.price_age == (None if newest is None else view.market - newest)
