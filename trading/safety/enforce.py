"""Carrying halts out: cancel what could still open something, close what must be flat.

For as long as it takes, after restarts too.  A stop cancels our ENTRY orders only; stops, exits
and strangers' orders are never touched.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from trading.common.precedence import PRECEDENCE
from trading.context.trader import TraderContext
from trading.errors import VenueError, VenueRejected
from trading.execution.exits import Exits
from trading.execution.orders import Orders
from trading.execution.timeouts import OrderTimeouts
from trading.model.halt import Halt, Stage, Verb
from trading.safety.account_reconciler import AccountReconciler
from trading.safety.halting import Halter
from trading.types import (
    ZERO,
    ExitReason,
    Held,
    Order,
    OrderRole,
    OrderStatus,
    Symbol,
    Trade,
)

log = logging.getLogger(__name__)

REFUSALS_TO_BLOCK = 3
"""Definite refusals of one close after which the halt says FLAT_BLOCKED; it goes on trying."""

ASK_EVERY = 60.0
"""Seconds between two looks whether a market that was shut is open again."""

SWEPT = (Verb.STOP, Verb.FLATTEN)


@dataclass(frozen=True, slots=True)
class Entries:
    """The entries that were alive when a halt came, and what has become of them."""

    ids: frozenset[str]
    ended: int
    cancelled: int
    alive: int
    unknown: int


class Enforcer:
    _begins = False
    """The books are being compared: what they say is open may be closed already."""
    _asked_at: float | None = None
    """When a flatten that waits for shut markets asked for them (monotonic); None: none does."""

    def __init__(
        self,
        *,
        context: TraderContext,
        halter: Halter,
        orders: Orders,
        exits: Exits,
        books: AccountReconciler,
        timeouts: OrderTimeouts,
    ) -> None:
        self._books = books
        self._trader = context.name
        self._halter = halter
        self._orders = orders
        self._exits = exits
        self._ledger = orders.ledger
        self._clock = context.clock
        self._timeouts = timeouts
        self._wake = asyncio.Event()
        self._nudged = asyncio.Event()
        self._moved = asyncio.Event()
        """Set, and replaced, after each attempt: who waits for a stage looks again."""
        self._reminded: dict[str, datetime] = {}
        self._refused: dict[Symbol, int] = {}
        self._swept_at: float | None = None
        self._still_here: set[str] = set()
        """Entries of this sweep whose cancel has not left yet."""
        self._entries: frozenset[str] = frozenset()
        self._trades: frozenset[str] = frozenset()
        """What rested, and what was closed already, when the latest halt came."""
        self._covering: frozenset[str] = frozenset()
        """The halts that were known here."""
        self.problem = ""
        self.tries = 0
        halter.on_engage(self._engaged)
        orders.outcomes.on_touch.append(self._nudge)

    def _engaged(self) -> None:
        """Another trader's halt changes nothing here, least of all what is told of ours."""
        if self._ids() - self._covering:
            self.wake()

    def _ids(self) -> frozenset[str]:
        return frozenset(h.id for h in self._halter.latch.covering(self._trader))

    def wake(self) -> None:
        """A halt was engaged: note what rests now, and go to work."""
        self.tries = 0
        self._covering = self._ids()
        self._refused.clear()
        self._entries = frozenset(o.id for o in self._ledger.alive_of(OrderRole.ENTRY))
        self._trades = frozenset(t.id for t in self._ledger.trades)
        self._exits.dust.left.clear()
        if self._entries:
            PRECEDENCE.take(self)
        self._wake.set()

    @asynccontextmanager
    async def cancelling(self) -> AsyncIterator[None]:
        """Until it runs: halts cancel what rests, however long it takes to compare the books."""
        self._begins = True
        task = asyncio.create_task(self.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            self._begins = False
            self.go_on()  # with what was cut off, once it runs

    @property
    def strictest(self) -> Halt | None:
        """Of the halts that hold its trader."""
        return self._halter.latch.strictest(self._trader)

    def resume_refusal(self, halt: Halt) -> str:
        """Why *halt* is not carried out yet; empty if it is."""
        if halt.verb is not Verb.FLATTEN:
            return ""
        if self._ledger.positions:
            return f"{self._trader} is still being flattened: {self._still_open()}"
        if not halt.is_flat(self._trader):
            return f"{self._trader} is still being flattened: the venue has not confirmed it"
        return ""

    def _still_open(self) -> str:
        held = self._ledger.positions
        stuck = [symbol.base for symbol in held if self._orders.line.untraded(symbol)]
        if len(stuck) < len(held):
            return f"{len(held)} open"
        return f"{', '.join(stuck)} cannot be sold; /write_off {stuck[0]} books it out"

    def go_on(self) -> None:
        """Look again at what every halt still wants."""
        self._wake.set()

    def _nudge(self) -> None:
        """An order changed: what a halt waits for may have come, or what was flat is no more."""
        self._nudged.set()
        if self._ledger.positions and any(self._is_flat(h) for h in self._flattening()):
            self.go_on()

    async def look_for_buyers(self) -> None:
        """Go on with a flatten whose markets were shut, once one of them is open again.

        However short it was shut; asked for once a minute.
        """
        if self._asked_at is None:
            return
        if self._is_stuck() and self._clock.monotonic() - self._asked_at >= ASK_EVERY:
            self._asked_at = self._clock.monotonic()
            for symbol in list(self._ledger.positions):
                await self._orders.line.rules_now(symbol)
        if not self._is_stuck():
            self._asked_at = None
            self.go_on()

    def _flattening(self) -> list[Halt]:
        covering = self._halter.latch.covering(self._trader)
        return [h for h in covering if h.verb is Verb.FLATTEN]

    async def run(self) -> None:
        """Carry out every halt that covers the trader, until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            self._nudged.clear()
            delay = self._timeouts.first_retry
            while not await self.attempt():
                await self._remind()
                await self._pause(delay)
                delay = min(delay * 2, self._timeouts.longest_retry)

    async def attempt(self) -> bool:
        """Try everything once.  True: nothing is left to do."""
        self.tries += 1
        try:
            done = await self._attempt()
            self.problem = "" if done else self.problem
        except VenueError as error:
            self.problem = str(error)
            done = False
        except Exception:
            # A halt is carried out whatever breaks: the next try may succeed.
            log.exception("an attempt to carry out a halt failed")
            self.problem = "an internal error, see the log"
            done = False
        self._tell_waiting()
        return done

    async def swept_since(self, began: float, *, within: float) -> bool:
        """Wait until a sweep begun after *began* (monotonic) has found every entry ended."""
        try:
            async with asyncio.timeout(within):
                while self._swept_at is None or self._swept_at < began:
                    await self._moved.wait()
        except TimeoutError:
            return False
        return True

    async def flat(self, halt: Halt, *, within: float) -> bool:
        """Wait until *halt* has made this trader flat, for *within* seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                while not self._is_flat_now(halt):
                    await self._moved.wait()
        return self._is_flat_now(halt)

    def entries(self, ids: Iterable[str]) -> Entries:
        """What has become of the entries *ids*, and of any sent since."""
        known = [self._ledger.orders[i] for i in ids if i in self._ledger.orders]
        alive = self._ledger.alive_of(OrderRole.ENTRY)
        ended = [o for o in known if not o.is_alive]
        return Entries(
            ids=frozenset(o.id for o in known),
            ended=len(ended),
            cancelled=sum(o.status is not OrderStatus.FILLED for o in ended),
            alive=len(alive),
            unknown=sum(o.status is OrderStatus.UNKNOWN for o in alive),
        )

    # -- one attempt ----------------------------------------------------------------------

    async def _attempt(self) -> bool:
        halts = [h for h in self._halter.latch.covering(self._trader) if h.verb in SWEPT]
        if not halts:
            return True
        if not await self.sweep():
            return False
        for halt in halts:
            self._halter.reach(
                halt, self._trader, Stage.CANCELS_CONFIRMED,
                note=self._count(), left_open=tuple(self._ledger.positions),
            )  # fmt: skip
        flattening = [h for h in halts if h.verb is Verb.FLATTEN]
        if all(map(self._is_flat_now, flattening)):
            return True
        if self._begins:
            self.problem = "the books are still being compared with the venue"
            return False
        return await self._flatten(flattening)

    async def sweep(self) -> bool:
        """Cancel all our entries.  True: every entry ever sent is known to have ended."""
        began = self._clock.monotonic()
        entries = self._ledger.alive_of(OrderRole.ENTRY)
        self._still_here = {o.id for o in entries}
        PRECEDENCE.take(self)
        try:
            outcomes = await asyncio.gather(
                *(self._end_entry(o) for o in entries), return_exceptions=True
            )
        finally:
            PRECEDENCE.give_back(self)
        await self._cancel_strays()
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                self.problem = _in_words(outcome)
        alive = self._ledger.alive_of(OrderRole.ENTRY)
        if alive:
            self.problem = self.problem or "not every entry has ended yet"
            return False
        self._swept_at = began
        self._tell_waiting()
        return True

    async def _end_entry(self, order: Order) -> None:
        """What is on its way out ends by itself: its permit no longer holds."""
        if order.status is not OrderStatus.OPEN:
            order = await self._orders.resolve(order)
        if order.status is OrderStatus.OPEN:
            await self._orders.cancel(order, leaving=partial(self._cancel_leaves, order.id))

    def _cancel_leaves(self, order_id: str) -> None:
        """The last cancel that is still here is about to leave: that is a stage of its own."""
        self._still_here.discard(order_id)
        if not self._still_here:
            PRECEDENCE.give_back(self)
            self._reach_all(Stage.CANCELS_SENT, note=str(len(self._entries) or ""))

    def _reach_all(self, stage: Stage, *, note: str) -> None:
        """Of every halt that cancels."""
        for halt in self._halter.latch.covering(self._trader):
            if halt.verb in SWEPT:
                self._halter.reach(halt, self._trader, stage, note=note)

    async def _cancel_strays(self) -> None:
        """Entries with our tag that our books do not have, or believe to have ended."""
        for report in await self._orders.line.open_orders():
            known = self._ledger.orders.get(report.order_id)
            stray = known or report.order
            if stray is None or not self._orders.ids.is_ours(report.order_id):
                continue
            if (known and known.is_alive) or stray.role is not OrderRole.ENTRY:
                continue
            if known is None:
                self._ledger.adopt(stray)
            await self._orders.cancel(stray)

    # -- flat -----------------------------------------------------------------------------

    async def _flatten(self, halts: list[Halt]) -> bool:
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
            self.problem = self.problem or f"{len(self._ledger.positions)} still open"
            return False
        return await self._confirm_flat(halts)

    async def _confirm_flat(self, halts: list[Halt]) -> bool:
        left = await self._left_at_venue()
        if left:
            self.problem = left
            self._block_unproven(halts)
            await self._books.again()
            return False
        await self._exits.protection.watch()
        if self._ledger.positions or self._ledger.alive:
            self.problem = self._still_alive()
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
                self.problem = untraded or f"{symbol.base}: {_in_words(outcome)}"
                refused = isinstance(outcome, VenueRejected)
            else:
                notes = [o.note for o in outcome if o.status is OrderStatus.REJECTED]
                self.problem = f"{symbol.base}: {notes[0]}" if notes else self.problem
                refused = bool(notes)
            if refused:
                self._note_refusal(halts, symbol)

    def _note_refusal(self, halts: list[Halt], symbol: Symbol) -> None:
        self._refused[symbol] = self._refused.get(symbol, 0) + 1
        if self._refused[symbol] >= REFUSALS_TO_BLOCK:
            self._block(halts, self.problem)

    def _block(self, halts: list[Halt], why: str) -> None:
        for halt in halts:
            self._halter.reach(halt, self._trader, Stage.FLAT_BLOCKED, note=why)

    def _block_unproven(self, halts: list[Halt]) -> None:
        """Not by trying on: a person has to look."""
        if self._books.unproven():
            self._block(halts, self.problem)

    def _count(self) -> str:
        entries = self.entries(self._entries)
        return f"{entries.cancelled}/{len(entries.ids)}" if entries.ids else ""

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

    def _is_flat(self, halt: Halt) -> bool:
        known = self._halter.latch.get(halt.id)
        return known is not None and known.is_flat(self._trader)

    def _is_flat_now(self, halt: Halt) -> bool:
        """It was confirmed, and no late fill came since."""
        return self._is_flat(halt) and not self._ledger.positions

    def _tell_waiting(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()

    # -- waiting --------------------------------------------------------------------------

    async def _pause(self, seconds: float) -> None:
        """Sleep, but not past the next halt or the next change of an order."""
        waits = [
            asyncio.ensure_future(wait)
            for wait in (self._clock.sleep(seconds), self._wake.wait(), self._nudged.wait())
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._wake.clear()  # left set, the next pauses would be none
            self._nudged.clear()
            for wait in waits:
                wait.cancel()

    async def _remind(self) -> None:
        now = self._clock.now()
        for halt in self._halter.latch.covering(self._trader):
            if not halt.missing(self._trader):
                continue  # what holds the others up is no news of this one
            since = self._reminded.get(halt.id, halt.at)
            if now - since >= timedelta(seconds=self._timeouts.reminder):
                self._reminded[halt.id] = now + timedelta(hours=1)
                await self._halter.remind(
                    halt, self._trader, why=self.problem, waited=now - halt.at
                )


def _in_words(error: BaseException) -> str:
    """What the venue said; what broke on our side is for the log."""
    if isinstance(error, VenueError):
        return str(error)
    log.error("a halt could not be carried out in full", exc_info=error)
    return "an internal error, see the log"
