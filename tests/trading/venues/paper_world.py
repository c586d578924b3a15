"""A small market and a paper venue in it, for tests that read as stories.

The market trades BTC (tick 0.01, lot 0.001) and ETH (tick 0.01, lot 0.01), least notional 5, in
one-minute bars.  NOON is the close of the first bar.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np

from trading.clocks import ManualClock
from trading.errors import StoreError
from trading.market.candles import Candles
from trading.market.recording import Recording
from trading.ports import Journal
from trading.types import (
    Costs,
    MarketRules,
    Order,
    OrderReport,
    OrderRole,
    OrderType,
    Side,
    Symbol,
)
from trading.venues.paper.venue import PaperVenue
from trading.venues.replay import ReplayFeed

BTC = Symbol("BTC", "USDT")
ETH = Symbol("ETH", "USDT")
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
RULES = {
    BTC: MarketRules(tick=Decimal("0.01"), lot=Decimal("0.001"), min_notional=Decimal(5)),
    ETH: MarketRules(tick=Decimal("0.01"), lot=Decimal("0.01"), min_notional=Decimal(5)),
}

Bar = tuple[float, float, float, float, float] | None
"""Open, high, low, close, volume; None: missing."""

QUIET: Bar = (100, 100, 100, 100, 1000)
FREE: Mapping[str, Any] = {"slippage": Decimal(0), "commission": Decimal(0)}
"""Settings of a venue that costs nothing, for tests about something else."""


def recording(bars: Sequence[Bar], eth: Sequence[Bar] | None = None) -> Recording:
    """BTC trades *bars*, ETH always at 10 unless told otherwise; the first closes at NOON."""
    others: Sequence[Bar] = eth if eth is not None else [(10, 10, 10, 10, 10_000)] * len(bars)
    rows = np.array([[_row(bar) for bar in row] for row in (bars, others)], dtype=np.float64)
    first = int(NOON.timestamp() * 1000)
    candles = Candles(
        symbols=(BTC, ETH),
        times=first + 60_000 * np.arange(len(bars), dtype=np.int64),
        open=rows[:, :, 0],
        high=rows[:, :, 1],
        low=rows[:, :, 2],
        close=rows[:, :, 3],
        volume=rows[:, :, 4],
    )
    return Recording(candles=candles, start=NOON)


def _row(bar: Bar) -> tuple[float, ...]:
    return bar if bar is not None else (np.nan,) * 5


class FaultyJournal:
    """A journal that fails when told to, and waits when told to."""

    def __init__(self) -> None:
        self.kept: list[Mapping[str, object]] = []
        self.fails = False
        self.writes_and_fails = False
        self.unreadable = False
        self.gate = asyncio.Event()
        self.gate.set()
        self.closed = False

    async def append(self, *records: Mapping[str, object]) -> None:
        await self.gate.wait()
        if self.fails:
            raise StoreError("no space left")
        self.kept.extend(records)
        if self.writes_and_fails:
            raise StoreError("fdatasync failed")

    async def records(self) -> Sequence[Mapping[str, object]]:
        if self.unreadable:
            raise StoreError("the disk is gone")
        return tuple(self.kept)

    async def rewrite(self, records: Sequence[Mapping[str, object]]) -> None:
        await self.gate.wait()
        if self.fails:
            raise StoreError("no space left")
        self.kept = list(records)

    async def drop(self, is_done: Callable[[Mapping[str, object]], bool]) -> None:
        await self.rewrite([record for record in self.kept if not is_done(record)])

    async def close(self) -> None:
        self.closed = True


class PaperWorld:
    """One paper venue in its market, which moves bar by bar.

    With `reopens`, the venue dies before each question and a new one reads its journal.
    """

    def __init__(
        self,
        *bars: Bar,
        journal: Callable[[], Journal],
        eth: Sequence[Bar] | None = None,
        reopens: bool = False,
        **settings: Any,
    ) -> None:
        self.clock = ManualClock(NOON)
        self.feed = ReplayFeed(
            name="replay",
            clock=self.clock,
            recording=lambda: recording(bars, eth),
            rules=RULES,
        )
        self.feed.resume(NOON)
        self.heard: list[OrderReport] = []
        self._journal = journal
        self._reopens = reopens
        self._settings = settings
        self._venue: PaperVenue | None = None

    async def venue(self) -> PaperVenue:
        if self._venue is not None and self._reopens:
            await self.close()
        if self._venue is None:
            self._venue = await self.another()
        return self._venue

    async def another(self) -> PaperVenue:
        """A second venue on the same journal, as after a crash of the first."""
        venue = self.unopened()
        await venue.open(self.heard.append)
        return venue

    def unopened(self) -> PaperVenue:
        settings: dict[str, Any] = {"capital": Decimal(10_000), "rules": RULES, **self._settings}
        costs = {f.name: settings.pop(f.name) for f in fields(Costs) if f.name in settings}
        return PaperVenue(
            name="paper", feed=self.feed, journal=self._journal(), costs=Costs(**costs), **settings
        )

    async def close(self) -> None:
        if self._venue is not None:
            await self._venue.close()
        self._venue = None

    async def next_bar(self, count: int = 1) -> list[OrderReport]:
        """Let the market print *count* bars; return what the venue said of them."""
        before = len(self.heard)
        self.clock.advance(60 * count)
        await (await self.venue()).catch_up(self.clock.now())
        return self.heard[before:]

    async def place(self, order: Order) -> OrderReport:
        return await (await self.venue()).place(order, allowed)

    async def cancel(self, order: Order) -> OrderReport:
        return await (await self.venue()).cancel(order)

    async def find(self, order: Order) -> OrderReport | None:
        return await (await self.venue()).find(order)

    async def open_orders(self) -> Sequence[OrderReport]:
        return await (await self.venue()).open_orders()

    async def positions(self) -> Mapping[Symbol, Decimal]:
        theirs = await (await self.venue()).positions()
        return {symbol: held.net for symbol, held in theirs.items()}

    async def wallet(self) -> Decimal:
        return await (await self.venue()).wallet()


def allowed() -> None:
    """A permit that lets everything pass."""


_numbers = itertools.count(1)


def an_order(side: Side, quantity: str, **changes: Any) -> Order:
    asked: dict[str, Any] = {
        "id": f"qd-{next(_numbers)}",
        "trader": "majors",
        "symbol": BTC,
        "type": OrderType.MARKET,
        "role": OrderRole.ENTRY,
        "created_at": NOON,
        **changes,
    }
    return Order(side=side, quantity=Decimal(quantity), **asked)


def buy(quantity: str, **changes: Any) -> Order:
    return an_order(Side.BUY, quantity, **changes)


def sell(quantity: str, **changes: Any) -> Order:
    return an_order(Side.SELL, quantity, **changes)


def at_limit(price: str) -> dict[str, Any]:
    return {"type": OrderType.LIMIT, "price": Decimal(price)}


def at_stop(price: str) -> dict[str, Any]:
    return {"type": OrderType.STOP, "stop_price": Decimal(price)}


def at_target(price: str) -> dict[str, Any]:
    return {"type": OrderType.TARGET, "stop_price": Decimal(price)}


REDUCING: Mapping[str, Any] = {"reduce_only": True, "role": OrderRole.EXIT}


def later(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)
