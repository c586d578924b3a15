"""A trader: one account, one feed, one strategy, its limits; the only sender of its orders."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from trading.accounts.ledger import Ledger
from trading.accounts.valuation import Valuer
from trading.accounts.views import Scan
from trading.context.settings import SettingsInForce, TraderSettings
from trading.cycle.cycles import Cycles
from trading.cycle.opening import Opening, Start
from trading.cycle.universe import TradableUniverse
from trading.cycle.upkeep import Upkeep
from trading.errors import VenueError
from trading.execution.exits import Exits
from trading.execution.orders import Orders
from trading.execution.protection import Protection
from trading.execution.set_aside import Aside
from trading.model.halt import Halt
from trading.ports import Feed, Venue
from trading.safety.account_reconciler import AccountReconciler
from trading.safety.enforce import Enforcer
from trading.safety.loss_watch import LossWatch
from trading.strategies.base import Strategy
from trading.types import MarketRules, Mode, Rules, Symbol

if TYPE_CHECKING:  # it brings TA-Lib, which a trader with another strategy does without
    from trading.strategies.rules.regime import RegimeReading


class Trader:
    """What its parts are is said in `trading/assembly.py`; none of them knows it."""

    def __init__(
        self,
        *,
        settings: SettingsInForce,
        valuer: Valuer,
        orders: Orders,
        exits: Exits,
        books: AccountReconciler,
        enforcer: Enforcer,
        losses: LossWatch,
        cycles: Cycles,
        opening: Opening,
        upkeep: Upkeep,
    ) -> None:
        self.valuer = valuer
        self.orders = orders
        self.exits = exits
        self.books = books
        self.enforcer = enforcer
        self.losses = losses
        self.cycles = cycles
        self._settings = settings
        self._opening = opening
        self._upkeep = upkeep

    # -- what it is -------------------------------------------------------------------------

    @property
    def settings(self) -> TraderSettings:
        """Those in force."""
        return self._settings.now

    @property
    def name(self) -> str:
        return self.settings.name

    @property
    def mode(self) -> Mode:
        return self.settings.mode

    @property
    def feed(self) -> Feed:
        return self.valuer.feed

    @property
    def venue(self) -> Venue:
        return self.orders.venue

    @property
    def ledger(self) -> Ledger:
        return self.orders.ledger

    @property
    def protection(self) -> Protection:
        return self.exits.protection

    @property
    def aside(self) -> Aside:
        """What it holds and nobody trades."""
        return self.books.aside

    @property
    def strategy(self) -> Strategy:
        return self.cycles.strategist.strategy

    @property
    def universe(self) -> TradableUniverse:
        """Which symbols may be entered."""
        return self.cycles.universe

    @property
    def symbols(self) -> tuple[Symbol, ...]:
        """Those whose prices it follows; the universe says which of them may be entered."""
        return tuple(self.feed.symbols)

    def rules(self, symbol: Symbol) -> Rules:
        return self.venue.rules(symbol)

    def steps(self, symbol: Symbol) -> MarketRules:
        """To show figures by, of any symbol there is or was."""
        return self.venue.rules(symbol).shown

    # -- whether it takes entries -------------------------------------------------------------

    @property
    def ready(self) -> bool:
        """The books were compared with the venue; entries wait until then."""
        return self.books.ready

    @property
    def block(self) -> str:
        """Why no entries are taken although nobody halted; empty if they are."""
        return self.books.block.why

    @property
    def broken(self) -> str:
        """Its loops broke on our side and are started again: no entries until they run."""
        return self.books.block.broken

    @broken.setter
    def broken(self, why: str) -> None:
        self.books.block.broken = why

    # -- beginning ------------------------------------------------------------------------

    async def load(self) -> None:
        """Take over the books that history has."""
        await self._opening.load()

    def obeying(self) -> AbstractAsyncContextManager[None]:
        """Until it runs: halts cancel what rests, however long it takes to compare the books."""
        return self.enforcer.cancelling()

    async def start(self, start: Start) -> None:
        """Compare our books with the venue's; entries wait until that is done.

        Raises `VenueError` when the venue cannot be asked: call again.
        """
        await self._opening.start(start)

    def prepare(self) -> None:
        """Load what the first cycle needs; slow, for a thread."""
        self.cycles.prepare()

    # -- again and again ------------------------------------------------------------------

    async def run(self) -> None:
        """What goes on between the cycles: halts carried out, stops repaired, doubts resolved."""
        await self._upkeep.run()

    async def cycle(self) -> None:
        """Handle every bar that closed since the cursor, exits first.  Never overlaps itself."""
        await self.cycles.run()

    async def scan(self) -> Scan:
        """Run a cycle now, and return what it found.  Raises `Refused` while it cannot."""
        return await self.cycles.scan()

    async def reconcile(self) -> bool:
        """Compare the books with the venue again.  False: it could not be done now."""
        return await self.books.again()

    async def upkeep(self) -> None:
        """Ask about orders in doubt, end old entries, and repair what protects."""
        await self._upkeep.look()

    async def cancel_entries(self) -> bool:
        """Before the process ends.  True: no entry rests."""
        try:
            return await self.enforcer.sweep()
        except VenueError:
            return False

    async def close(self) -> None:
        """Let go of the feed, the venue and what surveys the market."""
        closing = (self.feed.close(), self.venue.close(), self.universe.close())
        await asyncio.gather(*closing, return_exceptions=True)

    # -- what people ask for --------------------------------------------------------------

    def use(self, settings: TraderSettings) -> None:
        """Go by new limits, exits and alert threshold from now on; what is open keeps its plan.

        Only what can change while trading does: the rest must equal the settings in use.  A
        strategy that was chosen meanwhile stays.
        """
        self._settings.now = replace(settings, parameters=self.settings.parameters)
        self.losses.guards.begin_anew()

    async def choose(self, name: str, *, by: str) -> None:
        """Go by another strategy from the next cycle on; what is open keeps its plan.

        Raises `Refused` where there is none of that name, or it cannot do with the candles here.
        """
        await self.cycles.choose(name, by=by)

    async def regime(self) -> RegimeReading:
        """What kind of market it is at the last candle, as its strategy reads it.

        Raises `Refused` where the strategy reads none.
        """
        return await self.cycles.strategist.regime(self.cycles.cursor)

    def resume_refusal(self, halt: Halt) -> str:
        """Why *halt* may not be lifted now; empty if it may."""
        return self.enforcer.resume_refusal(halt) or self.losses.past(halt)

    async def rebase(self, halt: Halt) -> None:
        """Measure the guard of *halt* afresh from the equity now.  Raises `Refused`."""
        await self.losses.rebase(halt)

    async def untraded(self, symbol: Symbol) -> str:
        """Why its venue does not trade *symbol*, looked at again; empty: it does."""
        if self.orders.line.untraded(symbol):
            with suppress(VenueError):  # then it is as it was
                await self.venue.reread()
        return self.orders.line.untraded(symbol)
