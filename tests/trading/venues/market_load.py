"""An exchange under load, in faster time: candles of many symbols while it fails in every way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from tests.servers.exchange import ExchangeServer, Fault, Garble, Hold, Refuse, Swallow, spot_rules
from tests.trading.venues.ccxt_world import connect
from trading.clocks import SystemClock
from trading.errors import VenueError
from trading.market.candles import Candles
from trading.types import Symbol
from trading.venues.ccxt.connection import Connection
from trading.venues.ccxt.live_feed import LiveFeed
from trading.venues.ccxt.weights import Urgency

MINUTE = timedelta(minutes=1)
BARS = 30
_MS = 60_000
BEGIN = datetime(2026, 3, 2, tzinfo=UTC)


class FasterClock(SystemClock):
    """So many times as fast, for both sides: limits and rests end as much sooner."""

    def __init__(self, times: float) -> None:
        self._times = times
        self._since = super().monotonic()

    def monotonic(self) -> float:
        return (super().monotonic() - self._since) * self._times

    def now(self) -> datetime:
        return BEGIN + timedelta(seconds=self.monotonic())

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self._times)

    async def beat(self, seconds: float) -> None:
        await self.sleep(seconds - self.monotonic() % seconds)


class EndlessBars(dict[tuple[str, str], list[Any]]):
    """The bars of every market at every minute; each price tells whose and of when it is."""

    def __init__(self, clock: FasterClock, symbols: Sequence[Symbol]) -> None:
        super().__init__()
        self._clock = clock
        self._worth = {f"{s.base}{s.quote}": n + 1 for n, s in enumerate(symbols)}
        self._made: dict[str, list[Any]] = {}

    def get(self, key: tuple[str, str], default: Any = None) -> Any:
        """Those of a day before the beginning until now; the last has not closed yet."""
        first = int(BEGIN.timestamp() * 1000) - 1_440 * _MS
        count = (int(self._clock.now().timestamp() * 1000) - first) // _MS + 1
        made = self._made.setdefault(key[0], [])
        for number in range(len(made), count):
            made.append(self._bar(key[0], first + number * _MS))
        return made

    def _bar(self, market: str, opened: int) -> list[Any]:
        price = str(price_of(self._worth[market], opened + _MS))
        return [opened, price, price, price, price, "5", opened + _MS - 1, "5", 1, "1", "1", "0"]


def price_of(worth: int, closed: int) -> int:
    return worth * 10_000 + closed // _MS % 10_000


class MarketLoad:
    def __init__(
        self, server: ExchangeServer, clock: FasterClock, feed: LiveFeed, connection: Connection
    ) -> None:
        self.server = server
        self.clock = clock
        self.feed = feed
        self.connection = connection
        self.seen: set[datetime] = set()
        self.overtaken: list[int] = []
        """Of each urgent request: how many for candles reached the exchange before it did."""
        self._cursor = feed.first_cursor
        self._held: list[Fault] = []

    # -- what goes wrong --------------------------------------------------------------------

    def plight(self, number: int) -> None:
        """Another one each minute; what was slow is let go."""
        for fault in self._held:
            fault.gate.set()
        self.server.faults.clear()
        self._held = []
        _PLIGHTS[number % len(_PLIGHTS)](self)

    def nothing(self) -> None: ...

    def too_many(self) -> None:
        self._candles(Refuse(429, -1003, "Too many requests.", retry_after=2), times=5)

    def banned(self) -> None:
        self._candles(Refuse(418, -1003, "Banned.", retry_after=20), times=1)

    def forbidden(self) -> None:
        self._candles(Refuse(403, 0, "Forbidden"), times=4)

    def overloaded(self) -> None:
        self._candles(Refuse(503, -1008, "Overloaded."), times=30)

    def slow(self) -> None:
        fault = self._candles(Hold(), times=3)
        self._held.append(fault)

    def dead(self) -> None:
        self._candles(Swallow(), times=3)

    def garbled(self) -> None:
        self._candles(Garble(), times=3)

    def unstreamed(self) -> None:
        self.server.faults.on("WS", "*", Garble(), times=None)
        self.server.disconnect()

    def dropped(self) -> None:
        self.server.disconnect()

    def _candles(self, act: Any, *, times: int) -> Fault:
        self.unstreamed()  # or nobody would ask
        return self.server.faults.on("GET", "*/klines", act, times=times)

    # -- minutes ----------------------------------------------------------------------------

    async def minute(self) -> None:
        """The next one ends: it is streamed, then looked at, and something urgent is asked."""
        wait = 60 - self.clock.now().timestamp() % 60
        await self.clock.sleep(wait + 0.5)
        self.server.wire.beat()
        looking = asyncio.create_task(self._look())
        await asyncio.sleep(0)
        await self._be_urgent()
        await looking

    async def _look(self) -> None:
        try:
            for close in await self.feed.closes(self._cursor):
                self._cursor = close
                self.seen.add(close)
        except VenueError:
            return  # the next minute has it, too

    async def _be_urgent(self) -> None:
        """As a stop's cancels are; those are signed besides, by a time that this is not."""
        began = len(self.server.asked("GET", "*/klines"))
        fetch = self.connection.ccxt.fetch_time
        try:
            await self.connection.ask(fetch, about="time", urgency=Urgency.EMERGENCY)
        except VenueError as error:
            assert "BANNED" in str(error) or "refused" in str(error)  # noqa: PT017
            return
        arrived = self.server.asked("GET", "*/time")[-1].arrived
        asked = self.server.asked("GET", "*/klines")[began:]
        self.overtaken.append(sum(request.arrived < arrived for request in asked))

    # -- what came of it --------------------------------------------------------------------

    @property
    def gaps(self) -> int:
        candles = self._candles_now()
        return int(np.isnan(candles.close).sum())

    async def is_whole(self) -> None:
        """Everything is well again: wait until nothing is missing, or for half as long as kept."""
        self.plight(0)
        for _ in range(BARS // 2):
            await self.minute()
            if not self.gaps:
                return

    def wrong(self) -> int:
        """Bars that are not what their symbol had at their time."""
        candles = self._candles_now()
        worth = np.arange(1, len(candles.symbols) + 1)[:, np.newaxis]
        expected = worth * 10_000 + candles.times // _MS % 10_000
        return int((candles.close != expected).sum())

    def _candles_now(self) -> Candles:
        return self.feed.candles(self.clock.now(), BARS)

    @property
    def refused_by_count(self) -> int:
        """How often the exchange itself counted more than it takes."""
        return int(self.server.wire.quota.exceeded)


_PLIGHTS: tuple[Callable[[MarketLoad], None], ...] = (
    MarketLoad.nothing,
    MarketLoad.unstreamed,
    MarketLoad.too_many,
    MarketLoad.dropped,
    MarketLoad.forbidden,
    MarketLoad.banned,
    MarketLoad.slow,
    MarketLoad.overloaded,
    MarketLoad.dead,
    MarketLoad.garbled,
)
PLIGHTS = len(_PLIGHTS)


@asynccontextmanager
async def a_loaded_market(*, symbols: int, times: float) -> AsyncIterator[MarketLoad]:
    clock = FasterClock(times)
    wanted = tuple(Symbol(f"C{n:03}", "USDT") for n in range(symbols))
    rules = [spot_rules(symbol.base) for symbol in wanted]
    bars = EndlessBars(clock, wanted)
    async with ExchangeServer(
        market="spot", symbols=rules, beat=3_600, clock=clock, klines=bars
    ) as server:
        connection = connect(server, clock, timeout=0.5, failures=5)
        feed = LiveFeed(
            name="prices", connection=connection, symbols=wanted, timeframe=MINUTE,
            bars=BARS, clock=clock,
        )  # fmt: skip
        try:
            yield MarketLoad(server, clock, feed, connection)
        finally:
            server.faults.clear()
            await feed.close()
