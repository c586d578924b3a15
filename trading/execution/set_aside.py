"""Positions whose symbol is not traded now: they count at 0 until it is, or are written off.

What losses are measured from (day, week and peak) moves with them by the same amount, so that no
guard fires on the change, and none is blind to what the rest of the account loses.  What is traded
again counts again, and so does whatever it has lost meanwhile.  What is sold of it at more than it
counted at counts with the very fill: read between the two, its price would pass for a gain, and a
peak for good.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from typing import Any, Self

from trading.accounts.booking import Booked
from trading.accounts.recorder import Recorder
from trading.accounts.valuation import Valuer
from trading.context.settings import SettingsInForce
from trading.context.trader import TraderContext
from trading.errors import InvalidSymbol, NotDone, Refused, VenueError, VenueRejected
from trading.events import CountedAgain, SetAside
from trading.execution.orders import Orders
from trading.execution.protection import Protection
from trading.ports import Change, Store, WritePriority
from trading.types import (
    ZERO,
    ExitReason,
    OrderRole,
    OrderStatus,
    Position,
    Symbol,
    Trade,
)

log = logging.getLogger(__name__)

FIRST_LOOK, LAST_LOOK = 30.0, 900.0
"""Seconds between two readings of the markets while something held has no price; they double."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Apart:
    """One position that is set aside."""

    price: Decimal
    """At which it counts."""
    moved: Decimal
    """By how much equity, day, week and peak are moved for what is held; at most 0."""

    def written(self) -> list[str]:
        return [str(self.price), str(self.moved)]

    @classmethod
    def read(cls, raw: list[str]) -> Self:
        price, moved = map(Decimal, raw[:2])
        return cls(price=price, moved=moved)

    def came(self, booked: Booked) -> Decimal:
        """What of `moved` comes back with a fill: its share, if it was worth more than counted."""
        before = booked.before
        if before is None or booked.reduced == ZERO:
            return ZERO
        share = booked.reduced / abs(before.quantity)
        counted = booked.reduced * (self.price - before.average_price) * before.side.sign
        return share * self.moved if booked.profit > counted else ZERO

    def less(self, booked: Booked) -> Self:
        """For what is held after that fill."""
        before = booked.before
        if before is None or booked.reduced == ZERO:
            return self
        return replace(self, moved=self.moved * (1 - booked.reduced / abs(before.quantity)))


class Aside:
    """*max_age* of a price that is believed; *on_change* hears of each that comes or goes."""

    def __init__(
        self,
        *,
        context: TraderContext,
        orders: Orders,
        protection: Protection,
        valuer: Valuer,
        store: Store,
        recorder: Recorder,
        settings: SettingsInForce,
    ) -> None:
        self.apart: dict[Symbol, Apart] = {}
        self.on_change: list[Callable[[], None]] = []
        self._context = context
        self._orders = orders
        self._protection = protection
        self._ledger = orders.ledger
        self._valuer = valuer
        self._store = store
        self._recorder = recorder
        self._clock = context.clock
        self._settings = settings
        self._look_at, self._delay = float("-inf"), FIRST_LOOK
        orders.outcomes.on_booked.append(self._reduced)

    async def load(self) -> None:
        """Take over what the last process knew."""
        self.apart = _read(await self._store.note(self._note), Apart.read)
        self._valuer.marked = _read(await self._store.note(self._marks_note), Decimal)
        self._count()

    def marks(self) -> tuple[tuple[str, str], ...]:
        """The prices that equity was measured at last, to be written down with it."""
        told = {str(symbol): str(price) for symbol, price in self._valuer.marked.items()}
        return ((self._marks_note, json.dumps(told)),) if told else ()

    # -- looking --------------------------------------------------------------------------

    async def look(self) -> None:
        """Set aside what is not traded, and count again what is; told, and durable."""
        await self._look_at_markets()
        for symbol in [s for s in self.apart if s not in self._ledger.positions]:
            await self._keep(-self.apart.pop(symbol).moved)  # nobody knows what came of it
        for symbol, position in list(self._ledger.positions.items()):
            why = self._orders.line.untraded(symbol)
            if why and symbol not in self.apart:
                await self._set_aside(position, why)
            elif not why and symbol in self.apart and self._is_priced(symbol):
                await self._count_again(symbol)

    async def _look_at_markets(self) -> None:
        """A price that has stopped may mean that its market has."""
        held = self._ledger.positions
        if all(symbol not in self.apart and self._is_priced(symbol) for symbol in held):
            self._look_at, self._delay = float("-inf"), FIRST_LOOK
            return
        now = self._clock.monotonic()
        if now < self._look_at:
            return
        self._look_at, self._delay = now + self._delay, min(2 * self._delay, LAST_LOOK)
        try:
            await self._orders.venue.reread()
        except VenueError as error:
            log.warning("%s cannot look at its markets again: %s", self._context.name, error)

    def _is_priced(self, symbol: Symbol) -> bool:
        quote = self._valuer.quote(symbol)
        return (
            quote is not None
            and self._valuer.feed.now() - quote.at <= self._settings.now.limits.max_price_age
        )

    async def _set_aside(self, position: Position, why: str) -> None:
        symbol = position.symbol
        mark = self._valuer.mark_of(position)
        price = self._counted_at(position, mark)
        worth = position.open_profit(price)
        apart = Apart(price=price, moved=worth - position.open_profit(mark))
        self.apart[symbol] = apart
        self._count()
        cost = abs(position.quantity) * position.average_price
        await self._keep(
            apart.moved,
            SetAside(
                symbol=symbol, why=why, quantity=abs(position.quantity), cost=cost,
                moved=apart.moved, written_off=self._orders.venue.writes_off,
                **self._context.about(),
            ),
        )  # fmt: skip

    def _counted_at(self, position: Position, mark: Decimal) -> Decimal:
        """Coins at 0; a contract at what it has lost, but at no profit."""
        if self._orders.venue.cash:
            return ZERO
        return mark if position.open_profit(mark) <= ZERO else position.average_price

    async def _count_again(self, symbol: Symbol) -> None:
        apart = self.apart.pop(symbol)
        self._count()
        told = CountedAgain(symbol=symbol, moved=-apart.moved, **self._context.about())
        await self._keep(-apart.moved, told)

    def _reduced(self, booked: Sequence[Booked]) -> tuple[tuple[str, str], ...]:
        """What was sold counts at what came of it: from the fill on, in whatever is measured."""
        those = [done for done in booked if done.fill.symbol in self.apart and done.reduced]
        for done in those:
            symbol = done.fill.symbol
            apart = self.apart.pop(symbol)
            self._ledger.move_baselines(-apart.came(done))
            if symbol in self._ledger.positions and done.closed is None:
                self.apart[symbol] = apart.less(done)
        if not those:
            return ()
        self._changed()
        return (self._written(),)

    async def _keep(self, moved: Decimal, *events: SetAside | CountedAgain) -> None:
        account = self._ledger.move_baselines(moved, least=self._valuer.equity())
        change = Change(accounts=(account,), notes=(self._written(),))
        await self._recorder.keep(change, WritePriority.FILL, *events)
        self._changed()

    def _changed(self) -> None:
        self._count()
        for hear in self.on_change:
            hear()

    def _written(self) -> tuple[str, str]:
        written = {str(symbol): apart.written() for symbol, apart in self.apart.items()}
        return self._note, json.dumps(written)

    def _count(self) -> None:
        self._valuer.apart = {symbol: apart.price for symbol, apart in self.apart.items()}

    # -- writing off ----------------------------------------------------------------------

    async def write_off(self, symbol: Symbol, *, by: str, origin: str = "") -> Trade:
        """Book the position out at what it counts at.  Raises `Refused`; nothing has changed then.

        *origin* is the chat that is answered.
        """
        async with self._protection.held(symbol):
            apart, position = self.apart.get(symbol), self._ledger.positions.get(symbol)
            if position is None:
                raise Refused(f"There is no open position in {symbol.base}")
            if apart is None:
                raise Refused(f"{symbol.base} counts as ever: nothing was set aside yet")
            acts = self._orders.acts[symbol]
            try:
                await self._end_orders(symbol)
                order = await self._orders.write_off(
                    self._orders.prepare(
                        symbol=symbol, side=position.side.opposite, role=OrderRole.EXIT,
                        quantity=abs(position.quantity), reason=ExitReason.WRITTEN_OFF.value, by=by,
                    ),
                    apart.price, origin=origin,
                )  # fmt: skip
            except VenueError as error:
                sent = self._orders.acts[symbol] != acts
                why = f"{symbol.base} was not written off: {error}"
                raise (NotDone(why) if sent else Refused(why)) from error
        if order.status is not OrderStatus.FILLED:
            raise NotDone(f"{symbol.base} was not written off: {order.note or 'no answer yet'}")
        await self.look()
        return self._ledger.last_trades()[symbol]

    async def _end_orders(self, symbol: Symbol) -> None:
        """What still rests there would sell what is not ours any more, if it is traded again."""
        for order in [o for o in self._ledger.alive.values() if o.symbol == symbol]:
            if (await self._orders.cancel(order)).is_alive:
                raise VenueRejected(f"its order {order.id} may still rest")

    # -- inside ---------------------------------------------------------------------------

    @property
    def _note(self) -> str:
        return f"apart:{self._context.name}"

    @property
    def _marks_note(self) -> str:
        return f"marks:{self._context.name}"


def _read(saved: str | None, of: Callable[[Any], Any]) -> dict[Symbol, Any]:
    """What was saved by symbol; nothing of what cannot be read."""
    try:
        return {Symbol.parse(name): of(raw) for name, raw in json.loads(saved or "{}").items()}
    except (ValueError, TypeError, AttributeError, InvalidOperation, InvalidSymbol) as error:
        log.warning("what was set aside cannot be read, and is measured anew: %s", error)
        return {}
