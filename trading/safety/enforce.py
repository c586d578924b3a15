"""Carrying halts out: a sweep first, then what must be flat; for as long as it takes.

After restarts too.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta

from trading.common.tasks import set_within
from trading.context.trader import TraderContext
from trading.errors import VenueError
from trading.execution.exits import Exits
from trading.execution.orders import Orders
from trading.execution.timeouts import OrderTimeouts
from trading.model.halt import Halt, Stage, Verb
from trading.safety.account_reconciler import AccountReconciler
from trading.safety.flattening import Flattening
from trading.safety.halting import Halter
from trading.safety.obstacle import Obstacle
from trading.safety.sweep import SWEPT, Sweep

log = logging.getLogger(__name__)


class Enforcer:
    _begins = False
    """The books are being compared: what they say is open may be closed already."""

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
        self._trader = context.name
        self._halter = halter
        self._obstacle = Obstacle()
        self.sweeping = Sweep(
            trader=context.name, halter=halter, orders=orders, clock=context.clock,
            obstacle=self._obstacle,
        )  # fmt: skip
        self.flattening = Flattening(
            trader=context.name, halter=halter, orders=orders, exits=exits, books=books,
            clock=context.clock, obstacle=self._obstacle,
        )  # fmt: skip
        self._ledger = orders.ledger
        self._clock = context.clock
        self._timeouts = timeouts
        self._wake = asyncio.Event()
        self._nudged = asyncio.Event()
        self._moved = asyncio.Event()
        """Set, and replaced, after each attempt: who waits for a stage looks again."""
        self._reminded: dict[str, datetime] = {}
        self._covering: frozenset[str] = frozenset()
        """The halts that were known here."""
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
        self.sweeping.begin()
        self.flattening.begin()
        self._wake.set()

    @property
    def problem(self) -> str:
        """What keeps a halt from being carried out; empty: nothing does."""
        return self._obstacle.said

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
            return f"{self._trader} is still being flattened: {self.flattening.still_open()}"
        if not halt.is_flat(self._trader):
            return f"{self._trader} is still being flattened: the venue has not confirmed it"
        return ""

    def go_on(self) -> None:
        """Look again at what every halt still wants."""
        self._wake.set()

    def _nudge(self) -> None:
        """An order changed: what a halt waits for may have come, or what was flat is no more."""
        self._nudged.set()
        if self._ledger.positions and any(self._is_flat(h) for h in self._flattens()):
            self.go_on()

    async def look_for_buyers(self) -> None:
        """Go on with a flatten whose markets were shut, once one of them is open again."""
        if await self.flattening.has_buyers_again():
            self.go_on()

    def _flattens(self) -> list[Halt]:
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
            self._obstacle.said = "" if done else self._obstacle.said
        except VenueError as error:
            self._obstacle.said = str(error)
            done = False
        except Exception:
            # A halt is carried out whatever breaks: the next try may succeed.
            log.exception("an attempt to carry out a halt failed")
            self._obstacle.said = "an internal error, see the log"
            done = False
        self._tell_waiting()
        return done

    async def swept_since(self, began: float, *, within: float) -> bool:
        """Wait until a sweep begun after *began* (monotonic) has found every entry ended."""
        try:
            async with asyncio.timeout(within):
                while self.sweeping.done_at is None or self.sweeping.done_at < began:
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

    async def sweep(self) -> bool:
        """Cancel all our entries.  True: every entry ever sent is known to have ended."""
        done = await self.sweeping.run()
        if done:
            self._tell_waiting()
        return done

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
                note=self.sweeping.count(), left_open=tuple(self._ledger.positions),
            )  # fmt: skip
        flattening = [h for h in halts if h.verb is Verb.FLATTEN]
        if all(map(self._is_flat_now, flattening)):
            return True
        if self._begins:
            self._obstacle.said = "the books are still being compared with the venue"
            return False
        return await self.flattening.run(flattening)

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
        try:
            await set_within(self._clock, seconds, self._wake, self._nudged)
        finally:
            self._wake.clear()  # left set, the next pauses would be none
            self._nudged.clear()

    async def _remind(self) -> None:
        now = self._clock.now()
        for halt in self._halter.latch.covering(self._trader):
            if not halt.missing(self._trader):
                continue  # what holds the others up is no news of this one
            since = self._reminded.get(halt.id, halt.since(self._trader))
            if now - since >= timedelta(seconds=self._timeouts.reminder):
                self._reminded[halt.id] = now + timedelta(hours=1)
                waited = now - halt.since(self._trader)
                await self._halter.remind(halt, self._trader, why=self.problem, waited=waited)
