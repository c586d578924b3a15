"""Traders side by side: one that breaks on our side is contained, announced, and run again.

Its stops rest at the venue meanwhile, it takes no entries, and the others never notice.  A halt
does not wait for the back-off: it starts the trader again at once, which then carries it out.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime, timedelta

from chatbot.delivery.bursts import Repeats
from chatbot.supervise import failure_of
from trading.accounts.recorder import Recorder
from trading.clocks import Clock
from trading.common.tasks import within
from trading.events import TraderCrashed, TraderRestarted
from trading.ports import Meter
from trading.safety.halting import Halter
from trading.trader import Trader

log = logging.getLogger(__name__)

FIRST_DELAY, LONGEST_DELAY = 1.0, 60.0
"""Seconds between a crash and the next start; doubled each time."""
STEADY = 30.0
"""Seconds after which a trader that was started again is said to run again."""
CRASHED = "it crashed, and is being started again"


class KeptTrader:
    """Keeps one trader running.  *live* is all that it does until it is cancelled."""

    def __init__(
        self,
        trader: Trader,
        *,
        live: Callable[[], Awaitable[None]],
        halter: Halter,
        recorder: Recorder,
        clock: Clock,
        meter: Meter,
    ) -> None:
        self._trader = trader
        self._live = live
        self._recorder = recorder
        self._clock = clock
        self._meter = meter
        self._halted = asyncio.Event()
        self._crashed_at: datetime | None = None
        self._crashes: Repeats | None = None
        halter.on_engage(self._halted.set)

    @property
    def ok(self) -> bool:
        return self._crashed_at is None

    async def run(self) -> None:
        """Run it again and again, until cancelled."""
        delay = FIRST_DELAY
        while True:
            began = self._clock.monotonic()
            steady = asyncio.get_running_loop().create_task(self._say_when_steady())
            try:
                error = await failure_of(self._live)
            finally:
                steady.cancel()
            if self._clock.monotonic() - began > LONGEST_DELAY:
                delay = FIRST_DELAY  # it had recovered: this is news
            await self._crashed(error, delay)
            await self._back_off(delay)
            delay = min(delay * 2, LONGEST_DELAY)
            self._begin_again()

    async def _crashed(self, error: Exception, delay: float) -> None:
        """The first time is told, and each tenth: the log has them all."""
        self._halted.clear()
        self._trader.broken = CRASHED
        self._meter.count("crashes")
        reference, now = secrets.token_hex(3), self._clock.now()
        log.error("%s crashed, reference %s", self._trader.name, reference, exc_info=error)
        self._crashed_at = self._crashed_at or now
        self._crashes = self._crashes.again(now) if self._crashes else Repeats.of_one(now)
        if self._crashes.to_tell:
            await self._recorder.say(
                TraderCrashed(
                    at=now,
                    trader=self._trader.name,
                    mode=self._trader.mode,
                    reference=reference,
                    again_in=timedelta(seconds=delay),
                )
            )

    async def _back_off(self, delay: float) -> None:
        """Wait, but not while a halt does."""
        with suppress(TimeoutError):
            await within(self._clock, delay, self._halted.wait())

    def _begin_again(self) -> None:
        self._trader.broken = ""
        # It may have broken in the midst of either: look at everything again.
        self._trader.orders.outcomes.touched.update(self._trader.ledger.positions)
        self._trader.enforcer.wake()
        for wake in self._trader.orders.outcomes.on_touch:
            wake()

    async def _say_when_steady(self) -> None:
        if self._crashed_at is None:
            return
        await self._clock.sleep(STEADY)
        now, since = self._clock.now(), self._crashed_at
        self._crashed_at = self._crashes = None
        await self._recorder.say(
            TraderRestarted(
                at=now, trader=self._trader.name, mode=self._trader.mode, after=now - since
            )
        )
