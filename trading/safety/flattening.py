"""Closing, for a halt, all that a trader has open, until the venue says that it is flat."""

from __future__ import annotations

import asyncio

from trading.clocks import Clock
from trading.errors import VenueRejected
from trading.execution.exits import Exits
from trading.execution.orders import Orders
from trading.model.halt import Halt, Stage
from trading.safety.account_reconciler import AccountReconciler
from trading.safety.halting import Halter
from trading.safety.obstacle import Obstacle, in_words
from trading.types import ZERO, ExitReason, Held, Order, OrderRole, OrderStatus, Symbol, Trade

REFUSALS_TO_BLOCK = 3
"""Definite refusals of one close after which the halt says FLAT_BLOCKED; it goes on trying."""

ASK_EVERY = 60.0
"""Seconds between two looks whether a market that was shut is open again."""


class Flattening:
    """Of one trader; tried on for as long as it takes."""

    _asked_at: float | None = None
    """When it began to wait for shut markets, or asked for them last (monotonic)."""

    def __init__(
        self,
        *,
        trader: str,
        halter: Halter,
        orders: Orders,
        exits: Exits,
        books: AccountReconciler,
        clock: Clock,
        obstacle: Obstacle,
    ) -> None:
        self._trader = trader
        self._halter = halter
        self._orders = orders
        self._exits = exits
        self._books = books
        self._ledger = orders.ledger
        self._clock = clock
        self._obstacle = obstacle
        self._refused: dict[Symbol, int] = {}
        self._trades: frozenset[str] = frozenset()
        """What was closed already when the latest halt came."""

    def begin(self) -> None:
        """A halt was engaged: what is closed from now on is its."""
        self._refused.clear()
        self._trades = frozenset(t.id for t in self._ledger.trades)
        self._exits.dust.left.clear()

    async def run(self, halts: list[Halt]) -> bool:
        """Try everything once.  True: it is flat, or nobody buys what is left."""
        by = halts[0].by
        symbols = list(self._ledger.positions)
        for halt in halts if symbols else ():
            self._halter.reach(halt, self._trader, Stage.FLATTENING, note=str(len(symbols)))
        outcomes = await asyncio.gather(
            *(self._close(symbol, by) for symbol in symbols), return_exceptions=True
        )
        self._note_refusals(halts, symbols, outcomes)
        for order in self._ledger.alive_of(OrderRole.EXIT):
            if order.status is not OrderStatus.OPEN:
                await self._orders.resolve(order)
        if self._is_stuck():
            self._asked_at = self._clock.monotonic()
            return True
        if self._ledger.positions or self._ledger.alive_of(OrderRole.EXIT):
            self._obstacle.said = self._obstacle.said or f"{len(self._ledger.positions)} still open"
            return False
        return await self._confirm_flat(halts)

    async def _confirm_flat(self, halts: list[Halt]) -> bool:
        left = await self._left_at_venue()
        if left:
            self._obstacle.said = left
            self._block_unproven(halts)
            await self._books.again()
            return False
        await self._exits.protection.watch()
        if self._ledger.positions or self._ledger.alive:
            self._obstacle.said = self._still_alive()
            return False
        dust = ", ".join(f"{q:f} {s.base}" for s, q in self._exits.dust.left.items())
        stage = Stage.FLAT_EXCEPT_DUST if dust else Stage.FLAT
        for halt in halts:
            self._halter.reach(halt, self._trader, stage, note=dust, closes=self.closes())
        return True

    def _is_stuck(self) -> bool:
        """Nobody buys what is left: a person writes it off, or its market comes back."""
        held = self._ledger.positions
        return (
            bool(held)
            and all(map(self._orders.line.untraded, held))
            and not self._ledger.alive_of(OrderRole.EXIT)
        )

    async def has_buyers_again(self) -> bool:
        """Whether one of the shut markets that it waits for is open again, however short it was.

        Asked for once a minute.
        """
        if self._asked_at is None:
            return False
        if self._is_stuck() and self._clock.monotonic() - self._asked_at >= ASK_EVERY:
            self._asked_at = self._clock.monotonic()
            for symbol in list(self._ledger.positions):
                await self._orders.line.rules_now(symbol)
        if self._is_stuck():
            return False
        self._asked_at = None
        return True

    def still_open(self) -> str:
        """What is left, and what to do about it where nobody buys it."""
        held = self._ledger.positions
        stuck = [symbol.base for symbol in held if self._orders.line.untraded(symbol)]
        if len(stuck) < len(held):
            return f"{len(held)} open"
        return f"{', '.join(stuck)} cannot be sold; /write_off {stuck[0]} books it out"

    def closes(self) -> tuple[Trade, ...]:
        """What was closed since the latest halt came, oldest first."""
        return tuple(t for t in reversed(self._ledger.trades) if t.id not in self._trades)

    async def _left_at_venue(self) -> str:
        """Flat is what the venue says is flat: nothing left of what was closed, but a stranger's.

        On a cash account the coins beside ours are the operator's, and the fills tell.  Never
        said over what carries our tag and is not proven.
        """
        if unproven := self._books.unproven():
            return f"{unproven}: see /accept_books"
        theirs = await self._orders.venue.positions()
        closed = {(t.symbol, t.side) for t in self._ledger.trades}
        for symbol, side in [] if self._orders.venue.cash else sorted(closed):
            held = theirs.get(symbol, Held()).on(side)
            if held > self._books.foreign(symbol, side):
                return f"{symbol.base}: the venue still has {held:f}"
        return ""

    def _still_alive(self) -> str:
        """What is no position any more, or is one again, and keeps it from being flat."""
        names = sorted({o.symbol.base for o in self._ledger.alive.values()})
        what = "orders" if self._ledger.positions else "stops"
        return f"{what} of {', '.join(names)} have not ended yet" if names else "a late fill came"

    async def _close(self, symbol: Symbol, by: str) -> tuple[Order, ...]:
        quantity = self._ledger.closable(symbol)
        if quantity == ZERO:
            return ()
        return await self._exits.close(symbol, quantity, ExitReason.FLATTEN, by)

    def _note_refusals(
        self,
        halts: list[Halt],
        symbols: list[Symbol],
        outcomes: list[tuple[Order, ...] | BaseException],
    ) -> None:
        """What was refused for sure, again and again, blocks; anything else is only tried on."""
        for symbol, outcome in zip(symbols, outcomes, strict=True):
            untraded = self._orders.line.untraded(symbol)
            if untraded:
                self._block(halts, untraded)
            if isinstance(outcome, BaseException):
                self._obstacle.said = untraded or f"{symbol.base}: {in_words(outcome)}"
                refused = isinstance(outcome, VenueRejected)
            else:
                notes = [o.note for o in outcome if o.status is OrderStatus.REJECTED]
                self._obstacle.said = f"{symbol.base}: {notes[0]}" if notes else self._obstacle.said
                refused = bool(notes)
            if refused:
                self._note_refusal(halts, symbol)

    def _note_refusal(self, halts: list[Halt], symbol: Symbol) -> None:
        self._refused[symbol] = self._refused.get(symbol, 0) + 1
        if self._refused[symbol] >= REFUSALS_TO_BLOCK:
            self._block(halts, self._obstacle.said)

    def _block(self, halts: list[Halt], why: str) -> None:
        for halt in halts:
            self._halter.reach(halt, self._trader, Stage.FLAT_BLOCKED, note=why)

    def _block_unproven(self, halts: list[Halt]) -> None:
        """Not by trying on: a person has to look."""
        if self._books.unproven():
            self._block(halts, self._obstacle.said)
