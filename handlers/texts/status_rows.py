"""The table of `/status`: a position in a row each, as many as there is room for."""

from __future__ import annotations

from functools import cache

from handlers.format import gain, percent
from handlers.texts.phrases import apart, base_and_side, stale, total
from trading.accounts.views import View
from trading.types import Symbol


class StatusRows:
    """Of one view at several lengths: each row is written once, and only if it is shown."""

    def __init__(self, view: View) -> None:
        odd = [*apart(view), *stale(view)]
        self._all = view.holdings
        self._first = (*odd, *(h for h in view.holdings if h not in odd)) if odd else self._all
        """Those that need a look go before where not all have room."""
        self._profits = {h.position.symbol: None if h.apart else h.profit for h in self._all}
        self._held = {h.position.symbol: h for h in self._all}
        self._row = cache(self._written)

    def at_most(self, rows: int) -> list[tuple[str, ...]]:
        if rows >= len(self._all):
            return [self._row(h.position.symbol) for h in self._all]
        shown, hidden = self._first[: max(rows - 1, 0)], self._first[max(rows - 1, 0) :]
        profit = total([self._profits[h.position.symbol] for h in hidden if not h.apart])
        more = (f"{len(hidden)} more", gain(profit), "")
        return [*(self._row(h.position.symbol) for h in shown), more]

    def _written(self, symbol: Symbol) -> tuple[str, ...]:
        held = self._held[symbol]
        return (
            base_and_side(held),
            "not traded" if held.apart else gain(self._profits[symbol]),
            percent(held.share) if held.share is not None else "",
        )
