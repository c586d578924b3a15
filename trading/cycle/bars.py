"""Every bar that closed, one after the other: what protects, then what the strategy wishes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from trading.accounts.recorder import Recorder
from trading.cycle.cursor import Cursor
from trading.cycle.deciding import Approval, approvals
from trading.cycle.resting import RestingEntries
from trading.cycle.rests import Rests
from trading.cycle.universe import TradableUniverse
from trading.cycle.wishes import Wishes
from trading.execution.exits import Exits
from trading.execution.orders import Orders
from trading.ports import Feed
from trading.safety.loss_watch import LossWatch


class Undecided(Exception):
    """At a bar everything was done that protects, and nothing was decided: its cause says why."""


class Bars:
    def __init__(
        self,
        *,
        feed: Feed,
        orders: Orders,
        exits: Exits,
        resting_entries: RestingEntries,
        losses: LossWatch,
        universe: TradableUniverse,
        wishes: Wishes,
        rests: Rests,
        cursor: Cursor,
        recorder: Recorder,
    ) -> None:
        self.universe = universe
        self.wishes = wishes
        self.rests = rests
        self.cursor = cursor
        self._feed = feed
        self._orders = orders
        self._exits = exits
        self._resting_entries = resting_entries
        self._losses = losses
        self._recorder = recorder

    def go_on(self) -> None:
        """Take up where the last process ended."""
        self.wishes.go_on(self.cursor.go_on())

    async def waiting(self) -> Sequence[datetime]:
        """Bars that have closed and are not handled yet."""
        return await self._feed.closes(self.cursor.at)

    @property
    def held(self) -> int:
        """How many positions are open."""
        return len(self._orders.ledger.positions)

    async def handle(self) -> tuple[int, int]:
        """Handle every bar that closed; raise what fails.  Return their number, and of answers.

        Raises `Undecided` after all of them when a strategy failed: its bar counts as handled, so
        that the exits of the bars after it wait for nothing.
        """
        decisions = 0
        self.wishes.begin()
        failure: Exception | None = None
        closes = await self.waiting()
        for bar in closes:
            self.cursor.begin()
            await self.leave_at(bar)
            try:
                made = await self.enter_at(bar)
            except Exception as error:  # noqa: BLE001  # whatever a strategy raises
                made, failure = 0, failure or error
            decisions += made
            await self._save_cursor(bar, made)
            self._feed.handled(bar)
        if failure is not None:
            raise Undecided from failure
        return len(closes), decisions

    # -- one of them ----------------------------------------------------------------------

    async def leave_at(self, bar: datetime) -> None:
        """What protects comes first, and depends on nothing that the strategy says.

        Entries whose time was over before *bar* closed are gone by then: it does not fill them.
        """
        await self._resting_entries.watch(bar - timedelta.resolution)
        await self._resting_entries.pass_bar(bar)
        await self._orders.venue.catch_up(bar)
        await self._recorder.settle()
        await self._protect()
        await self._exits.carry_out(bar)
        await self._exits.protection.rest_targets()
        await self._losses.observe(bar)

    async def _protect(self) -> None:
        await self._exits.protection.settle()
        if self._feed.speed is not None:  # a recording's time goes on when all has been done
            await self._exits.protection.idle.wait()

    async def enter_at(self, bar: datetime) -> int:
        """Answer every signal of *bar* in one go; return how many answers were given."""
        if self.universe.by_bars:
            await self.universe.refresh(bar)
        answers = await self.wishes.answers(bar)
        await self.send(approvals(answers), bar)
        await self._tell_rest(bar)
        return len(answers)

    async def send(self, approved: Iterable[Approval], bar: datetime) -> None:
        """Send what was *approved* at *bar*, together, and see that it is protected."""
        await self.wishes.send(approved)
        await self._resting_entries.watch(bar)
        await self._protect()

    async def _tell_rest(self, bar: datetime) -> None:
        await self.rests.tell(bar)

    async def _save_cursor(self, bar: datetime, decisions: int) -> None:
        await self.cursor.save(bar, decisions)
