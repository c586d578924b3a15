"""A venue of ours on the loopback exchange, through the real ccxt over real sockets."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Any

from tests.servers.exchange import OWNER, ApiKey, ExchangeServer, Wish
from trading.clocks import Clock, SystemClock
from trading.ports import Feed, Venue
from trading.types import Order, OrderReport, OrderRole, OrderType, Quote, Side, Symbol
from trading.venues.ccxt.breaker import Breaker
from trading.venues.ccxt.connection import ApiAccess, Connection
from trading.venues.ccxt.exchange import Exchange
from trading.venues.ccxt.live_feed import LiveFeed
from trading.venues.ccxt.row import Market, Row
from trading.venues.ccxt.venue import CcxtVenue
from trading.venues.exchanges import exchange

BTC, ETH = Symbol("BTC", "USDT"), Symbol("ETH", "USDT")
D = Decimal


class CcxtWorld:
    """`market` is spot, swap or hedge; `heard` is what the listener was told."""

    def __init__(self, server: ExchangeServer, market: str, clock: Clock, **settings: Any) -> None:
        self.server = server
        self.engine = server.engine
        self.faults = server.faults
        self.clock = clock
        self.market = market
        self.heard: list[OrderReport] = []
        self._numbers = itertools.count(1)
        self.connection = connect(server, clock, **settings.pop("access", {}))
        self._settings = settings
        self.venue = self.another_venue()

    def another_venue(self) -> CcxtVenue:
        """Of the same account, as after a restart: it remembers nothing."""
        return CcxtVenue(
            name=self.server.exchange,
            trader="majors",
            connection=self.connection,
            symbols=self._settings.get("ours", (BTC, ETH)),
            price=lambda symbol: Quote(symbol=symbol, price=D(600), at=self.clock.now()),
            read_only=self._settings.get("read_only", False),
            clock=self.clock,
            every=self._settings.get("every", False),
        )

    @property
    def is_spot(self) -> bool:
        return self.market == "spot"

    def order(self, role: OrderRole = OrderRole.ENTRY, **changed: Any) -> Order:
        """A buy of 0.01 at market; a sale of the same when it is no entry."""
        letter = {"entry": "e", "protect": "p", "exit": "x"}[role.value]
        facts: dict[str, Any] = {
            "id": f"qd-1f3a-{letter}-{next(self._numbers):016x}",
            "trader": "majors",
            "symbol": BTC,
            "side": Side.BUY if role is OrderRole.ENTRY else Side.SELL,
            "type": OrderType.MARKET,
            "role": role,
            "quantity": D("0.01"),
            "created_at": self.clock.now(),
            "reduce_only": role is not OrderRole.ENTRY and not self.is_spot,
        }
        return Order(**(facts | changed))

    def limit(self, price: str = "40000", **changed: Any) -> Order:
        return self.order(type=OrderType.LIMIT, price=D(price), **changed)

    def stop(self, price: str = "45000", **changed: Any) -> Order:
        return self.order(OrderRole.PROTECT, type=OrderType.STOP, stop_price=D(price), **changed)

    def target(self, price: str = "55000", **changed: Any) -> Order:
        return self.order(OrderRole.PROTECT, type=OrderType.TARGET, stop_price=D(price), **changed)

    async def place(self, order: Order) -> OrderReport:
        return await self.venue.place(order, allowed)

    def told_of(self, order: Order) -> list[OrderReport]:
        return [report for report in self.heard if report.order_id == order.id]

    def fills_of(self, order: Order) -> dict[str, Decimal]:
        """What a ledger would have booked of what was heard, by fill."""
        return {f.id: f.quantity for report in self.told_of(order) for f in report.fills}

    def put_by_hand(self, order: Order) -> None:
        """The limit order is there without our having sent it."""
        assert order.price is not None
        self.engine.place(
            Wish(
                symbol=f"{order.symbol.base}{order.symbol.quote}",
                side=order.side.value.upper(),
                type="LIMIT",
                quantity=order.quantity,
                price=order.price,
                client_id=self.connection.exchange.encode(order.id),
                position_side="LONG" if self.market == "hedge" else "BOTH",
            )
        )

    def asked(self, method: str, path: str) -> int:
        return len(self.server.asked(method, path))


def allowed() -> None:
    pass


def connect(
    server: ExchangeServer,
    clock: Clock,
    *,
    key: ApiKey = OWNER,
    timeout: float = 4.0,
    lacks: Mapping[str, Any] | None = None,
    made: Callable[[Row], Exchange] | None = None,
    failures: int = 1_000,
    **settings: Any,
) -> Connection:
    """*lacks*: what its row would say if the exchange could do less, or did it otherwise; *made*:
    what is made of the row, in place of what there is; *failures*: in a row, before its breaker
    opens."""
    real = exchange(server.exchange, Market(server.market))
    return Connection(
        exchange=(made or type(real))(replace(real.row, **(lacks or {}))),
        access=ApiAccess(key=key.key, secret=server.wire.secret_of(key), password=key.passphrase),
        clock=clock,
        url=server.url,
        ws_url=server.ws_url,
        timeout=timeout,
        breaker=Breaker(clock=clock, failures=failures),
        **settings,
    )


@asynccontextmanager
async def a_world(
    market: str = "swap",
    *,
    at: str = "binance",
    symbols: Any = ("BTC", "ETH"),
    opens: bool = True,
    **settings: Any,
) -> AsyncIterator[CcxtWorld]:
    """*at*: the exchange, by its name."""
    clock = SystemClock()
    kind = "spot" if market == "spot" else "swap"
    async with ExchangeServer(exchange=at, market=kind, symbols=symbols, beat=0.1) as server:
        if market == "hedge":
            server.engine.set_hedge(hedge=True)
        world = CcxtWorld(server, market, clock, **settings)
        try:
            if opens:
                await world.venue.open(world.heard.append)
            yield world
        finally:
            server.faults.clear()
            await world.venue.close()


def as_ports(venue: CcxtVenue, feed: LiveFeed) -> tuple[Venue, Feed]:
    """The type checker proves that they are what the core asks for."""
    return venue, feed
