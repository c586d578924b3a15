"""Orders that are not ours: told once, left alone, and remembered where they cost us something."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from trading.accounts.ledger import Ledger
from trading.types import OrderReport, Symbol

REMEMBERED = 10_000
"""Strangers' orders that are told once; of more, the oldest might be told again."""


@dataclass(frozen=True, slots=True)
class Reduced:
    """A stranger's fill that made what we hold smaller."""

    why: str
    """In the venue's words, as far as it said."""
    price: Decimal


class ForeignOrders:
    def __init__(
        self,
        *,
        ledger: Ledger,
        is_ours: Callable[[str], bool],
        tell: Callable[[Symbol, str], None],
    ) -> None:
        """*tell* hears the symbol and id of each order that is seen for the first time."""
        self._ledger = ledger
        self._is_ours = is_ours
        self._tell = tell
        self._told: dict[str, None] = {}
        self._reduced_by: dict[Symbol, Reduced] = {}
        self.on_reduced: list[Callable[[], None]] = []
        """Called, synchronously, when a stranger's fill may have made what we hold smaller."""

    def see(self, report: OrderReport) -> None:
        self._see_reduced(report)
        if report.order_id in self._told:
            return
        self._told[report.order_id] = None
        if len(self._told) > REMEMBERED:
            del self._told[next(iter(self._told))]
        if report.order is not None and not self._is_ours(report.order_id):
            self._tell(report.order.symbol, report.order_id)

    def reduced(self, symbol: Symbol) -> Reduced | None:
        """The last such fill in *symbol*; it is told once."""
        return self._reduced_by.pop(symbol, None)

    def _see_reduced(self, report: OrderReport) -> None:
        """A forced close, or one by hand: the books are compared at once, and then know why."""
        for fill in report.fills:
            position = self._ledger.positions.get(fill.symbol)
            if position is not None and position.side is not fill.side:
                self._reduced_by[fill.symbol] = Reduced(report.note, fill.price)
                for hear in self.on_reduced:
                    hear()
