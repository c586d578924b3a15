"""A desk that trades live on the test exchange: both as they are run, joined by real sockets.

The exchange runs in a thread of the test's process, on a loop of its own; the desk is a process.
"""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar

from storage.store import SqlStore
from tests.loops import SteadyLoop
from tests.process import books
from tests.process.desk_process import DeskProcess
from tests.servers.exchange import OWNER, ApiKey, ExchangeServer, Fault, Recorded, Wish
from tests.servers.exchange.access import KEYS
from tests.servers.exchange.faults import Act
from tests.servers.exchange.wires.binance.access import Quota
from trading.clocks import SystemClock
from trading.ports import Change
from trading.safety.guards import new_account

T = TypeVar("T")

TRADER = books.TRADER
PRICE = 50_000
DAY = 86_400_000
DAYS = 200
TEN = ("BTC", "ETH", "XRP", "ADA", "DOGE", "SOL", "LTC", "DOT", "LINK", "UNI")

SETTINGS = """
[bot]
name = "live"
state_dir = "state"

[schedule]
reconcile_every = "5s"

[chat.console]
enabled = true

[venues.real]
kind = "ccxt"
exchange = "binance"
market = "{market}"
read_only = false
accept_unproven = true
url = "{url}"
ws_url = "{ws_url}"

[feeds.prices]
kind = "ccxt"
exchange = "binance"
market = "{market}"
url = "{url}"
ws_url = "{ws_url}"

[traders.majors]
venue = "real"
feed = "prices"
strategy = "ema_cross"
symbols = [{symbols}]
timeframe = "1d"
mode = "live"
capital = 10000

[traders.majors.parameters]
fast = 2
slow = 3
atr = 2
stop_atr = 1.0
target_atr = 20.0
short = false

[traders.majors.entries]
style = "{style}"
min_depth = 0
max_spread = 0.1
max_slippage = 0.1

[traders.majors.limits]
max_positions = 50
risk_per_trade = 0.02
max_exposure = 1
max_daily_loss = 0.05
max_weekly_loss = 0.05
max_drawdown = 0.05
loss_streak = 100
loss_streak_rest = "0s"
symbol_rest = "0s"
max_price_age = "1d"
"""


class Exchange:
    """`with Exchange(market="swap") as venue: venue.do(lambda v: v.engine.quote("BTCUSDT", 1))`.

    Its candles move nowhere, so that no strategy wishes anything: see `rise`.
    """

    def __init__(
        self,
        *,
        market: str = "swap",
        bases: Sequence[str] = ("BTC", "ETH"),
        hedge: bool = False,
        keys: Sequence[ApiKey] = KEYS,
    ) -> None:
        self.market = market
        self.bases = tuple(bases)
        self._hedge = hedge
        self._keys = keys
        self._loop = SteadyLoop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self.server: ExchangeServer

    def __enter__(self) -> Self:
        self._thread.start()
        self.run(self._open())
        return self

    def __exit__(self, *_: object) -> None:
        self.run(self.server.__aexit__(None, None, None))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _open(self) -> None:
        self.server = ExchangeServer(market=self.market, symbols=self.bases, keys=self._keys)
        await self.server.__aenter__()
        if self.market == "swap":  # fewer than a hundred bars at a time weigh 1 there
            path = ("GET", "/fapi/v1/klines")
            routes = self.server.wire.routes
            routes[path] = replace(routes[path], weight=1)
        if self._hedge:
            self.server.engine.hedge = True
        for base in self.bases:
            self.server.klines[f"{base}USDT", "1d"] = candles(lambda _: PRICE)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def do(self, act: Callable[[ExchangeServer], T]) -> T:
        """Run *act* where the server runs: nothing happens there meanwhile."""

        async def acted() -> T:
            return act(self.server)

        return self.run(acted())

    def on(self, method: str, path: str, act: Act, **where: Any) -> Fault:
        return self.do(lambda v: v.faults.on(method, path, act, **where))

    def rise(self, *bases: str, to: float) -> None:
        """They fell slowly, and yesterday rose to *to*: the averages cross upwards."""

        def close(days_ago: int) -> float:
            return to if days_ago <= 1 else to * (0.98 + days_ago / 10_000)

        def told(venue: ExchangeServer) -> None:
            for base in bases:
                venue.klines[f"{base}USDT", "1d"] = candles(close)

        self.do(told)

    def trades_at(self, base: str, price: int) -> None:
        """Somebody trades at *price*, and the book follows."""

        def moved(venue: ExchangeServer) -> None:
            venue.engine.trade_through(f"{base}USDT", price)
            venue.engine.quote(f"{base}USDT", price)

        self.do(moved)

    def trades_once_at(self, base: str, price: int) -> None:
        """One trade that makes no sense: neither the book nor the mark price follows."""

        def printed(venue: ExchangeServer) -> None:
            venue.engine.set_mark(f"{base}USDT", PRICE)
            venue.engine.trade_through(f"{base}USDT", price)
            venue.engine.quote(f"{base}USDT", PRICE)

        self.do(printed)

    def a_minute_passes(self) -> None:
        """For what it counts: the weight that was used belongs to the minute before."""

        def emptied(venue: ExchangeServer) -> None:
            venue.wire.quota = Quota(market=self.market)

        self.do(emptied)

    def forget_ended(self) -> None:
        """What has ended is listed no more, nor what it traded: it was long ago."""

        def forgotten(venue: ExchangeServer) -> None:
            engine = venue.engine
            for order_id in [i for i, order in engine.orders.items() if not order.is_open]:
                del engine.orders[order_id]
            engine.trades.clear()

        self.do(forgotten)

    def buys(self, base: str, quantity: str, **more: Any) -> None:
        """The operator, by hand."""
        self._by_hand(base, "BUY", quantity, more)

    def sells(self, base: str, quantity: str, **more: Any) -> None:
        self._by_hand(base, "SELL", quantity, more)

    def _by_hand(self, base: str, side: str, quantity: str, more: dict[str, Any]) -> None:
        wish = Wish(
            symbol=f"{base}USDT", side=side, quantity=Decimal(quantity), **{"type": "MARKET"} | more
        )
        self.do(lambda v: v.engine.place(wish))

    # -- what it knows ------------------------------------------------------------------------

    def asked(self, method: str = "*", path: str = "*", *, since: int = 0) -> list[Recorded]:
        return self.do(lambda v: v.asked(method, path, since=since))

    def entries(self, *, since: int = 0) -> list[Recorded]:
        """Requests that would open something."""
        return [r for r in self.asked(since=since) if r.is_new_order and is_entry(r)]

    def held(self, base: str) -> Decimal:
        """Signed, of both sides together; on spot all of the coin."""

        def look(venue: ExchangeServer) -> Decimal:
            if self.market == "spot":
                return Decimal(venue.engine.total(base))
            sides = ("BOTH", "LONG", "SHORT")
            return sum(
                (venue.engine.position(f"{base}USDT", side).amount for side in sides), Decimal(0)
            )

        return self.do(look)

    def leg(self, base: str, side: str) -> Decimal:
        """Signed; *side* is LONG or SHORT, of hedge mode."""
        return self.do(lambda v: Decimal(v.engine.position(f"{base}USDT", side).amount))

    def resting(self) -> list[tuple[str, str, Decimal, Decimal, str]]:
        """Id, side, quantity, trigger or limit, and leg of each open order, in order."""
        wishes = [order.wish for order in self.open_orders()]
        return sorted(
            (w.client_id, w.side, w.quantity, w.stop_price or w.price, w.position_side)
            for w in wishes
        )

    def open_orders(self) -> list[Any]:
        """Regular and conditional ones."""

        def look(venue: ExchangeServer) -> list[Any]:
            regular = list(venue.engine.open_orders())
            apart = getattr(venue.engine, "algos", {}).values()
            return regular + [algo for algo in apart if algo.is_open]

        return self.do(look)

    def legs(self, base: str) -> list[str]:
        """`stop` and `target` of what waits there for a price, in order."""
        kinds = [order.wish.type for order in self.stops(base)]
        return sorted("target" if kind.startswith("TAKE_PROFIT") else "stop" for kind in kinds)

    def stops(self, base: str) -> list[Any]:
        return [o for o in self.open_orders() if o.wish.symbol == f"{base}USDT"]


def is_entry(request: Recorded) -> bool:
    own = request.params.get("newClientOrderId") or request.params.get("clientAlgoId") or ""
    return own.count("-") == 3 and own.split("-")[2] == "e"


def candles(close: Callable[[int], float]) -> list[list[Any]]:
    """Those of `DAYS` days and today's; *close* by how many days ago, 0 is today."""
    now = int(time.time() * 1000)
    today = now - now % DAY
    return [candle(today - n * DAY, DAY, close(n)) for n in reversed(range(DAYS))]


def candle(start: int, step: int, close: float) -> list[Any]:
    """It moves by one part in a hundred, so that there is a range to place a stop in."""
    high, low, price = f"{close * 1.01:.2f}", f"{close * 0.99:.2f}", f"{close:.2f}"
    end = start + step - 1
    return [start, price, high, low, price, "1000", end, "1000", 10, "500", "500", "0"]


def settings(venue: Exchange, *, style: str = "market") -> str:
    symbols = ", ".join(f'"{base}/USDT"' for base in venue.bases)
    return SETTINGS.format(
        market=venue.market,
        url=venue.server.url,
        ws_url=venue.server.ws_url,
        symbols=symbols,
        style=style,
    )


def keys(key: ApiKey = OWNER) -> dict[str, str]:
    return {
        "QUARTERDECK__VENUES__REAL__KEY": key.key,
        "QUARTERDECK__VENUES__REAL__SECRET": key.secret,
    }


class LiveDesk(DeskProcess):
    """A desk whose keys are in its environment, and what one asks of it again and again."""

    def __init__(self, folder: Path, venue: Exchange, **more: str) -> None:
        folder.mkdir(exist_ok=True)
        super().__init__(folder, settings(venue, **more), **keys())
        self.venue = venue

    def bought(self, *bases: str, money: int = 500) -> None:
        """Entered by hand, each protected by a stop that rests at the venue."""
        for base in bases:
            answer = self.do(f"/buy {base} {money}")
            assert answer["outcome"] == "done", answer
        for base in bases:
            self.until(partial(self.venue.stops, base), f"a stop of {base} rests")

    def hears_prices(self) -> None:
        """Of every symbol: until then the last close is all it knows."""
        for base in self.venue.bases:
            self.until(partial(self._hears, base), f"a price of {base}")

    def _hears(self, base: str) -> bool:
        return re.search(r"Price \d+\ss old", self.say(f"/price {base}")["plain"]) is not None

    def ran_until_yesterday(self) -> None:
        """As if it had run, and done nothing: the candle that has closed since is news."""
        self.state.mkdir(mode=0o700)
        asyncio.run(_write_account(self.state / "history.db"))

    def at_ease(self) -> None:
        """Nothing goes wrong any more, nothing is open, nobody has halted."""
        self.venue.do(lambda v: v.faults.clear())
        if self.positions():
            self.do("/flatten")
            self.until(lambda: not self.positions(), "it is flat")
        if "Halted" in self.say("/status")["title"]:
            self.until(lambda: self.do("/resume")["outcome"] == "done", "the halt is lifted")

    def positions(self) -> list[str]:
        table = self.say("/positions")["table"]
        return [row[0].split()[0] for row in table["rows"]] if table else []

    def is_flat(self) -> bool:
        return all(self.venue.held(base) == 0 for base in self.venue.bases)

    def halts(self) -> str:
        return str(self.say("/halts")["plain"])


@contextmanager
def live_desk(folder: Path, venue: Exchange, **more: str) -> Iterator[LiveDesk]:
    """Started; killed at the end, whatever happened."""
    desk = LiveDesk(folder, venue, **more)
    try:
        desk.start()
        desk.hears_prices()
        yield desk
    finally:
        desk.kill()


async def _write_account(history: Path) -> None:
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    begun = new_account(TRADER, books.CAPITAL, today - timedelta(days=1), UTC)
    account = replace(begun, cursor=today - timedelta(days=1))
    store = await SqlStore.open(history, clock=SystemClock())
    try:
        await store.commit(Change(accounts=(account,)))
    finally:
        await store.close()


def doubled(orders: Sequence[Recorded]) -> set[str]:
    """Ids that were sent more than once."""
    sent = [r.params.get("newClientOrderId") or r.params.get("clientAlgoId", "") for r in orders]
    return {each for each in sent if sent.count(each) > 1}
