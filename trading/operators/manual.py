"""What people do to one trader: close, enter, cancel, all through the same checks as its own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from trading.accounts.round_trips import trade_id
from trading.accounts.views import Closed, Ticket
from trading.clocks import Clock
from trading.cycle.deciding import Decider
from trading.errors import NotDone, Refused, VenueError
from trading.execution import order_book
from trading.execution.order_book import LOOK_WITHIN, BookAnswer
from trading.model.halt import Latch, Verb
from trading.operators.views import TraderViews
from trading.ports import FeedState
from trading.trader import Trader
from trading.types import (
    ONE,
    ZERO,
    ExitReason,
    Order,
    OrderRole,
    OrderStatus,
    OrderType,
    Position,
    Preview,
    Side,
    Signal,
    Symbol,
    Trade,
    traded,
)


class ManualTrading:
    def __init__(
        self,
        trader: Trader,
        *,
        views: TraderViews,
        decider: Decider,
        latch: Latch,
        clock: Clock,
    ) -> None:
        self._trader = trader
        self._views = views
        self._decider = decider
        self._latch = latch
        self._clock = clock

    async def close(self, symbol: Symbol, *, share: Decimal, by: str, origin: str = "") -> Closed:
        """Close *share* (0 to 1) of what is open in *symbol*, at market.  Raises `Refused`.

        *origin*, here and below, is the chat that is answered: it gets no alert about the same.
        """
        held = self._trader.ledger.positions.get(symbol)
        if held is None:
            raise Refused(f"There is no open position in {symbol.base}")
        await self.look_at_lots(symbol, share)
        rules = self._trader.steps(symbol)
        open_now = abs(held.quantity)
        quantity = open_now if share == ONE else rules.quantity(open_now * share)
        if quantity == ZERO:
            raise Refused(
                f"{share:%} of {open_now} {symbol.base} is less than one lot, {rules.lot}"
            )
        acts = self._trader.orders.acts[symbol]
        try:
            orders = await self._trader.exits.close(
                symbol, quantity, ExitReason.HAND, by, origin=origin
            )
        except VenueError as error:
            raise self._not_done(f"{symbol.base} was not closed: {error}", symbol, acts) from None
        if orders:
            return self._closed(symbol, orders, held)
        if symbol not in self._trader.ledger.positions:
            why = (
                f"{open_now} {symbol.base} is too small for the venue to sell: it stays there, "
                "and left our books at the last price"
            )
        else:
            why = f"{symbol.base} is being closed already; its order has no answer yet"
        raise self._not_done(why, symbol, acts)

    async def look_at_lots(self, symbol: Symbol, share: Decimal) -> None:
        """Read the market's rules again where *share* comes to no lot by those that are known:
        lots grow and shrink."""
        held = self._trader.ledger.positions.get(symbol)
        part = ZERO if held is None else abs(held.quantity) * share
        if part and self._trader.steps(symbol).quantity(part) == ZERO:
            await self._trader.orders.line.rules_now(symbol)

    def _not_done(self, why: str, symbol: Symbol, acts: int) -> Refused | NotDone:
        """*acts*: as they were counted before; a stop may have been cancelled for the sale."""
        return NotDone(why) if self._trader.orders.acts[symbol] != acts else Refused(why)

    def _closed(self, symbol: Symbol, sent: Sequence[Order], before: Position) -> Closed:
        ledger = self._trader.ledger
        entry, sign = before.average_price, before.side.sign
        orders = [ledger.orders[order.id] for order in sent]
        filled = sum((o.filled for o in orders), ZERO)
        value = sum((o.filled * (o.average_price or ZERO) for o in orders), ZERO)
        price = value / filled if filled else None
        fee = sum((ledger.fees_of(o.id) for o in orders), ZERO)
        left = self._trader.ledger.positions.get(symbol)
        return Closed(
            order=orders[-1],
            asked=sum((o.quantity for o in orders), ZERO),
            trade=next((t for t in ledger.trades if t.id == trade_id(before)), None),
            symbol=symbol,
            quantity=filled,
            price=None if price is None else self._trader.steps(symbol).price(price),
            profit=None if price is None else (price - entry) * sign * filled - fee,
            left=abs(left.quantity) if left else ZERO,
            reason=ExitReason.HAND,
            known=all(o.status is not OrderStatus.UNKNOWN for o in orders),
            problem=next((o.note for o in orders if o.note), ""),
        )

    async def cancel_order(self, order_id: str, *, origin: str = "") -> Order:
        """Cancel one resting entry by its id or the end of it.  Raises `Refused`, `VenueError`."""
        found = [o for o in self._trader.ledger.alive.values() if o.id.endswith(order_id.lower())]
        if len(found) != 1:
            many = "no" if not found else "more than one"
            raise Refused(f"There is {many} resting order whose id ends with {order_id}")
        (order,) = found
        if order.type is OrderType.TARGET:
            raise Refused(f"/take_profit {order.symbol.base} PRICE moves its target")
        if order.role is OrderRole.PROTECT:
            raise Refused(
                f"{order.symbol.base} would be unprotected; /stop_loss {order.symbol.base} PRICE "
                "moves its stop"
            )
        if order.role is OrderRole.EXIT:
            raise Refused(f"It closes {order.symbol.base}; exits go on")
        return await self._trader.orders.cancel(order, origin=origin)

    async def move_stop(self, symbol: Symbol, price: Decimal, *, by: str, origin: str = "") -> None:
        """Put the stop at *price*.  Raises `Refused` if it would fill now."""
        await self._trader.exits.move_stop(symbol, price, by=by, origin=origin)

    async def move_target(self, symbol: Symbol, price: Decimal, *, by: str) -> None:
        """Put the target at *price*.  Raises `Refused` if it is reached already."""
        await self._trader.exits.move_target(symbol, price, by=by)

    async def look_aside(self) -> None:
        """Set aside what is held and nobody trades now, and count again what is traded."""
        await self._trader.aside.look()

    async def write_off(self, symbol: Symbol, *, by: str, origin: str = "") -> Trade:
        """Book out what was set aside.  Raises `Refused`; nothing has changed then."""
        return await self._trader.aside.write_off(symbol, by=by, origin=origin)

    def ticket(
        self, symbol: Symbol, side: Side, notional: Decimal, look: BookAnswer = None
    ) -> Ticket:
        """What an entry by hand would be now, after the same risk checks.  Raises `Refused`."""
        self._check_entries()
        wish = self._wish_by_hand(symbol, side)
        quantity, most = self._decider.propose(wish, notional=notional, look=look)
        return Ticket(
            symbol=symbol,
            side=side,
            quantity=quantity,
            price=wish.price,
            notional=quantity * wish.price,
            stop=wish.stop,
            risk=quantity * abs(wish.price - wish.stop),
            most=most.notional,
            bound=most.bound,
        )

    async def preview(self, symbol: Symbol, side: Side, notional: Decimal) -> Ticket:
        """The ticket with what it would meet at the venue; nothing is sent.  Raises `Refused`."""
        wish = self.ticket(symbol, side, notional)
        look, met = await asyncio.gather(
            order_book.look(self._trader.venue, symbol), self._preview(symbol, side, wish.quantity)
        )
        return replace(self.ticket(symbol, side, notional, look), met=met)

    async def _preview(self, symbol: Symbol, side: Side, quantity: Decimal) -> Preview:
        """All unknown where the venue does not tell it in time."""
        try:
            async with asyncio.timeout(LOOK_WITHIN):
                return await self._trader.venue.preview(symbol, side, quantity)
        except (VenueError, TimeoutError):
            return Preview()

    async def enter(
        self, symbol: Symbol, side: Side, notional: Decimal, *, by: str, origin: str = ""
    ) -> Order:
        """Enter by hand, at market, protected like any other.  Raises `Refused`."""
        self._check_entries()
        look = await order_book.look(self._trader.venue, symbol)
        self._check_entries()
        wish = self._wish_by_hand(symbol, side)
        quantity, _ = self._decider.propose(wish, notional=notional, look=look)
        approval = self._decider.approve(wish, quantity, now=self._clock.now(), by=by)
        order = await self._trader.orders.enter(
            approval.order, approval.permit, approval.decision, origin=origin
        )
        # Who keeps the stops may be placing it already, and the answer says what rests.
        await self._trader.protection.converge(symbol)
        return order

    def _check_entries(self) -> None:
        """Raises `Refused` while no entry is taken, whoever wishes it."""
        halt = self._latch.strictest(self._trader.name)
        if halt is not None:
            word = "paused" if halt.verb is Verb.PAUSE else "halted"
            raise Refused(f"No entry while {word}: {halt.id} by {halt.by}")
        if not self._trader.ready or self._trader.block:
            raise Refused(
                f"No entry now: {self._trader.block or 'the books are still being compared'}"
            )
        if self._trader.feed.state() is FeedState.ENDED:
            raise Refused("No entry: the feed has ended")

    def _wish_by_hand(self, symbol: Symbol, side: Side) -> Signal:
        rules = traded(self._trader.rules(symbol))
        outside = self._trader.universe.objection(symbol, self._trader.feed.now())
        if outside:
            raise Refused(f"No entry in {symbol.base}: {outside}")
        price = self._views.price(symbol)
        quote = price.quote
        if symbol not in self._trader.symbols or quote is None:
            raise Refused(f"There is no price of {symbol.base}")
        if price.stale:
            raise Refused(f"The price of {symbol.base} is too old to enter at")
        distance = quote.price * self._trader.settings.manual_stop
        now = self._trader.feed.now()
        return Signal(
            symbol=symbol,
            side=side,
            bar=now,
            price=quote.price,
            stop=rules.price(quote.price - distance * side.sign),
            target=None,
            confidence=0,
            reason="by hand",
        )
