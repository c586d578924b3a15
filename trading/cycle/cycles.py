"""A trader's cycles: every bar that closed, again and again, and what is told of them."""

from __future__ import annotations

import asyncio
import logging
import secrets
from datetime import datetime

from trading.accounts.recorder import Recorder
from trading.accounts.views import Cycle, Scan
from trading.context.settings import SettingsInForce
from trading.context.trader import TraderContext
from trading.cycle.bars import Bars, Undecided
from trading.cycle.outages import FeedWatch
from trading.cycle.strategist import Strategist
from trading.cycle.universe import TradableUniverse
from trading.errors import Refused, VenueError
from trading.events import CycleFailed, ScanSlow, SettingsReloaded
from trading.ports import Meter
from trading.safety.account_reconciler import AccountReconciler

log = logging.getLogger(__name__)

AGAIN = "exits and stops are tried again in the next scan"
WENT_ON = "exits and stops went on"


class Cycles:
    last: Cycle | None = None
    last_look: Cycle | None = None
    """The last one that had a new bar."""

    def __init__(
        self,
        *,
        context: TraderContext,
        settings: SettingsInForce,
        bars: Bars,
        strategist: Strategist,
        books: AccountReconciler,
        feed_watch: FeedWatch,
        recorder: Recorder,
        meter: Meter,
        busy: asyncio.Lock,
    ) -> None:
        """*busy* is held by a comparison of the books too: the two never overlap."""
        self.bars = bars
        self.strategist = strategist
        self._context = context
        self._settings = settings
        self._books = books
        self._feed_watch = feed_watch
        self._recorder = recorder
        self._meter = meter
        self._busy = busy

    @property
    def cursor(self) -> datetime:
        """Close time of the last bar handled."""
        return self.bars.cursor.at

    @property
    def universe(self) -> TradableUniverse:
        return self.bars.universe

    def prepare(self) -> None:
        """Load what the first cycle needs; slow, for a thread."""
        self.strategist.prepare(self.cursor)

    # -- running --------------------------------------------------------------------------

    async def run(self) -> None:
        """Handle every bar that closed since the cursor, exits first.  Never overlaps itself."""
        if not self._books.ready or self._busy.locked():
            return
        async with self._busy:
            await self._cycle()

    async def scan(self) -> Scan:
        """Run a cycle now, and return what it found.

        Raises `Refused` while one runs already, and before the books are compared.
        """
        if not self._books.ready:
            raise Refused("The books are still being compared with the venue")
        if self._busy.locked():
            raise Refused("A scan is under way already")
        async with self._busy:
            problem = await self._cycle()
            return Scan(
                cycle=None if problem else self.last,
                decisions=self.bars.wishes.decided,
                problem=problem,
            )

    async def choose(self, name: str, *, by: str) -> None:
        """Go by another strategy from the next cycle on; what is open keeps its plan.

        Raises `Refused` where there is none of that name, or it cannot do with the candles here.
        """
        was, choice = self.strategist.strategy.name, await self.strategist.tried(name, self.cursor)
        async with self._busy:
            self.strategist.use(choice, since=self.cursor)
        change = f"traders.{self._context.name}.strategy {was} to {name}"
        at = self._context.clock.now()
        await self._recorder.say(SettingsReloaded(at=at, by=by, changes=(change,)))

    # -- inside ---------------------------------------------------------------------------

    async def _cycle(self) -> str:
        """Return what went wrong, or nothing."""
        began = self._context.clock.monotonic()
        try:
            bars, decisions = await self.bars.handle()
            await self._feed_watch.answered(
                last_bar=self.cursor,
                all_done=not await self.bars.waiting(),
                open_positions=self.bars.held,
            )
        except VenueError as error:
            await self._feed_watch.failed(error)
            return f"no prices: {error}; {AGAIN}"
        except Exception as error:  # noqa: BLE001  # told and logged
            self._meter.count("cycle_errors")
            return await self._broke(error)
        seconds = self._context.clock.monotonic() - began
        self.last = Cycle(
            at=self._context.clock.now(),
            seconds=seconds,
            bars=bars,
            decisions=decisions,
            triggers=self.bars.wishes.triggers,
        )
        if bars:
            self.last_look = self.last
        self._meter.time("scan", seconds)
        await self._tell_slow(seconds)
        return ""

    async def _broke(self, error: Exception) -> str:
        reference, protected = secrets.token_hex(3), isinstance(error, Undecided)
        log.error("a cycle failed, reference %s", reference, exc_info=error)
        failed = CycleFailed(reference=reference, protected=protected, **self._context.about())
        await self._recorder.say(failed)
        return f"an error of ours, reference {reference}; {WENT_ON if protected else AGAIN}"

    async def _tell_slow(self, seconds: float) -> None:
        limit = self._settings.now.slow_scan.total_seconds()
        if seconds > limit:
            await self._recorder.say(
                ScanSlow(seconds=seconds, limit=limit, **self._context.about())
            )
