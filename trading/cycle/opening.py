"""How a trader begins: with the books that history has, then compared with its venue."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from trading.accounts.recorder import Recorder
from trading.accounts.valuation import Valuer
from trading.context.settings import SettingsInForce
from trading.context.trader import TraderContext
from trading.cycle.cycles import Cycles
from trading.cycle.following import Following
from trading.events import StopsAreLimits, TraderStarted
from trading.execution.orders import Orders
from trading.execution.reconcile import Reconciled
from trading.ports import Change, Store, WritePriority
from trading.safety.account_reconciler import AccountReconciler
from trading.safety.enforce import Enforcer
from trading.safety.guards import new_account
from trading.types import Stops


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What the process knows of the time before it."""

    took: timedelta
    down_for: timedelta | None
    clean: bool


class Opening:
    def __init__(
        self,
        *,
        context: TraderContext,
        settings: SettingsInForce,
        orders: Orders,
        valuer: Valuer,
        store: Store,
        recorder: Recorder,
        books: AccountReconciler,
        enforcer: Enforcer,
        cycles: Cycles,
        following: Following,
    ) -> None:
        self._context = context
        self._settings = settings
        self._orders = orders
        self._ledger = orders.ledger
        self._valuer = valuer
        self._store = store
        self._recorder = recorder
        self._books = books
        self._enforcer = enforcer
        self._cycles = cycles
        self._following = following

    async def load(self) -> None:
        """Take over the books that history has."""
        await self._restore()
        self._orders.venue.include(self._following.under_way())
        await self._books.aside.load()
        self._books.aside.on_change.append(self._enforcer.go_on)
        self._cycles.bars.go_on()
        await self._following.load(self._cycles.cursor)
        self._valuer.note(self._context.clock.now())

    async def _restore(self) -> None:
        settings, first = self._settings.now, self._valuer.feed.first_cursor
        books = await self._store.books(settings.name)
        account = books.account or new_account(
            settings.name, settings.capital, first, settings.zone
        )
        self._ledger.restore(account, books)
        for order in await self._orders.intents.noted():
            if await self._store.order(order.id) is None:
                self._ledger.add(order)

    async def start(self, start: Start) -> None:
        """Compare our books with the venue's; entries wait until that is done.

        Raises `VenueError` when the venue cannot be asked: call again.
        """
        result = await self._books.first(self._cycles.cursor)
        self._cycles.bars.rests.go_on(self._cycles.cursor)
        self._valuer.note(self._context.clock.now())
        self._enforcer.wake()
        change = Change(accounts=(self._ledger.account,))
        await self._recorder.keep(change, WritePriority.REST, self._started(start, result))
        await self._tell_limits()

    def _started(self, start: Start, result: Reconciled) -> TraderStarted:
        return TraderStarted(
            took=start.took,
            down_for=start.down_for,
            clean=start.clean,
            positions=len(self._ledger.positions),
            orders=len(self._ledger.alive),
            unknown=result.unknown,
            missed_fills=result.missed_fills,
            differs=self._books.block.differs,
            halt=self._enforcer.strictest,
            place=self._settings.now.place,
            unproven=self._settings.now.unproven,
            **self._context.about(),
        )

    async def _tell_limits(self) -> None:
        """Where stops rest as limits, there is a price below which nothing sells by itself."""
        symbols = {*self._settings.now.symbols, *self._ledger.positions}
        rules = self._orders.venue.rules
        limits = tuple(s for s in sorted(symbols) if rules(s).shown.stops is Stops.LIMIT)
        if limits:
            gap = self._settings.now.exit_rules.stop_limit_gap
            await self._recorder.say(
                StopsAreLimits(symbols=limits, gap=gap, **self._context.about())
            )
