"""What the venue cannot sell: left over from exits on a cash account, and booked out.

It stays at the venue, the operator's from then on.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from trading.accounts.recorder import Recorder
from trading.accounts.round_trips import exit_reason
from trading.accounts.valuation import Valuer
from trading.context.trader import TraderContext
from trading.events import DustLeft
from trading.execution.orders import Orders
from trading.types import (
    ZERO,
    ExitReason,
    Fill,
    OrderReport,
    OrderRole,
    OrderStatus,
    Position,
    Symbol,
)

MOST_DUST = Decimal("0.01")
"""Share of the capital: what is worth more is never booked out, whatever the rules say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dust:
    context: TraderContext
    orders: Orders
    valuer: Valuer
    recorder: Recorder
    left: dict[Symbol, Decimal] = field(default_factory=dict)
    """What was left at the venue, latest of each symbol."""

    def is_left_over(self, position: Position) -> bool:
        """Whether so little is left of a position after its exits that nobody can sell it."""
        return (
            self.orders.venue.cash
            and position.exited > ZERO
            and self.is_dust(position, position.quantity)
            and not self.orders.ledger.alive_of(OrderRole.EXIT, position.symbol)
        )

    def is_dust(self, position: Position, quantity: Decimal) -> bool:
        """Too small to be sold or to have a stop, and too small to matter.

        What only new rules have made unsellable may be worth a lot: that is no dust.
        """
        rules = self.orders.venue.rules(position.symbol).shown
        price = self.price(position)
        if not rules.objection(rules.quantity(quantity), price, cash=True):
            return False
        return quantity * price <= self.orders.ledger.account.capital * MOST_DUST

    async def write_off(self, position: Position, reason: ExitReason | None = None) -> None:
        """Book it out at the last price: equity stays, the coins lie beside our money now."""
        price, quantity = self.price(position), abs(position.quantity)
        symbol, reason = position.symbol, reason or self._last_reason(position.symbol)
        order = self.orders.prepare(
            symbol=symbol, side=position.side.opposite, role=OrderRole.EXIT,
            quantity=quantity, reason=reason.value,
        )  # fmt: skip
        self.orders.ledger.shift_offset(-quantity * price)
        self.left[symbol] = quantity
        fill = Fill(
            id=f"dust-{order.id}", order_id=order.id, trader=order.trader, symbol=symbol,
            side=order.side, quantity=quantity, price=price, fee=ZERO, at=self.context.clock.now(),
        )  # fmt: skip
        self.orders.outcomes.hear(
            OrderReport(
                order_id=order.id, status=OrderStatus.FILLED, filled=quantity, fills=(fill,),
                note="too small to sell: left at the venue",
            )
        )  # fmt: skip
        await self.recorder.say(
            DustLeft(
                **self.context.about_symbol(symbol),
                quantity=quantity, worth=quantity * price,
            )
        )  # fmt: skip

    def price(self, position: Position) -> Decimal:
        quote = self.valuer.quote(position.symbol)
        return quote.price if quote is not None else position.average_price

    def _last_reason(self, symbol: Symbol) -> ExitReason:
        """Of the latest exit: what is left over from it ended for the same reason."""
        left = (o for o in self.orders.ledger.orders.values() if o.symbol == symbol and o.filled)
        exits = [o for o in left if o.role is not OrderRole.ENTRY]
        return exit_reason(exits[-1]) if exits else ExitReason.SIGNAL
