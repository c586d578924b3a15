"""Whose prices the feed shows: what may be entered, now or soon, and what is held or under way."""

from __future__ import annotations

from datetime import datetime

from trading.accounts.valuation import Valuer
from trading.context.trader import TraderContext
from trading.cycle.universe import TradableUniverse
from trading.types import Symbol

SCAN_LOOK_EVERY = 30.0
"""Seconds between two looks whether a survey of a live market is due, or is to be tried again."""


class Following:
    def __init__(
        self, *, context: TraderContext, universe: TradableUniverse, valuer: Valuer
    ) -> None:
        self._context = context
        self._universe = universe
        self._valuer = valuer

    async def load(self, cursor: datetime) -> None:
        """Take over what the last process knew, and follow what a start has to wait for.

        The others join while exits go on already.
        """
        await self._universe.load(cursor)
        await self._follow(at_once=True)

    async def run(self) -> None:
        """Survey a live market beside the cycles: its many questions hold up no exit."""
        while not self._universe.by_bars:
            await self._universe.refresh(self._valuer.feed.now())
            await self._follow()
            await self._context.clock.sleep(SCAN_LOOK_EVERY)

    def under_way(self) -> tuple[Symbol, ...]:
        """What is held, or may soon be, whether the settings still name it or not."""
        ledger = self._valuer.ledger
        return (*ledger.positions, *(order.symbol for order in ledger.alive.values()))

    async def _follow(self, *, at_once: bool = False) -> None:
        feed = self._valuer.feed
        followed = self._universe.followed(self.under_way(), at_once=at_once)
        if not self._universe.by_bars or not set(followed) <= set(feed.symbols):
            await feed.follow(followed)
