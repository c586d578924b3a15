"""An exchange in memory, and a `Venue` on it: the servers' engine without sockets, with faults.

`Exchange` outlives each desk: the engine, what is on the wire, and how the line misbehaves.
`EngineVenue` is what one life of a desk has of it.  It means what the ccxt adapter means: our ids
on regular and conditional endpoints, a conditional order's child told under its parent, a fee in
base taken off what was bought, news that only tell sooner what a question would tell.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from tests.servers.exchange.refusals import Refusal
from tests.servers.exchange.rules import Rules as TheirRules
from tests.servers.exchange.spot import SpotEngine
from tests.servers.exchange.swap import SwapEngine
from tests.servers.exchange.values import Algo, AlgoTold, OrderTold, Told, Trade, Wish
from tests.servers.exchange.values import Movement as Moved
from tests.servers.exchange.values import Order as Theirs
from tests.servers.exchange.wires.binance.refusals import worded
from trading.clocks import ManualClock
from trading.errors import VenueMisfit, VenueRejected, VenueUnavailable, VenueUncertain
from trading.model.halt import Permit
from trading.ports import Leaving, unwatched
from trading.types import (
    CONDITIONAL,
    ZERO,
    Depth,
    Fill,
    Held,
    MarketRules,
    Movement,
    MovementKind,
    Order,
    OrderReport,
    OrderRole,
    OrderStatus,
    OrderType,
    Preview,
    Rules,
    Side,
    Stops,
    Symbol,
    Targets,
    Untraded,
)
from trading.venues.ccxt.row import Market
from trading.venues.exchanges import exchange

MISFITS = exchange("binance", Market.SWAP).row.misfits
TAG = "qd-test"
"""What the ids of our desks' orders begin with, whichever history they have; everybody else's
begin otherwise."""
WINDOW = 10.0
HIDDEN_FOR, LATE_BY = timedelta(seconds=8), timedelta(seconds=4)
"""Less than the window: what the venue's own words promise, even a fault keeps."""
SLOW_FOR = 30
"""Turns of the loop: others act meanwhile, and nobody gives up waiting."""
NEAR = Decimal("0.002")

PLACE_FAULTS = (
    *("", "refuse", "unavailable", "lost", "late", "drop"),
    *("hidden", "hang", "slow", "slow answer"),
)
"""`refuse`; `unavailable`: nothing left; `lost`: left, never arrives; `late`: arrives after a
while; `drop`: accepted, no answer; `hidden`: as `drop`, and not found for a while; `hang`: as
`drop`, and the line stays open; `slow`: waits before it leaves; `slow answer`: and afterwards."""
CANCEL_FAULTS = ("", "unavailable", "lost", "drop", "slow", "slow answer")
ASK_FAULTS = ("", "unavailable", "uncertain", "slow")
TELL_FAULTS = ("", "twice", "later", "dropped")

_STATUS = {
    "NEW": OrderStatus.OPEN,
    "PARTIALLY_FILLED": OrderStatus.OPEN,
    "FILLED": OrderStatus.FILLED,
    "CANCELED": OrderStatus.CANCELLED,
    "REJECTED": OrderStatus.REJECTED,
    "EXPIRED": OrderStatus.EXPIRED,
    "EXPIRED_IN_MATCH": OrderStatus.EXPIRED,
    "TRIGGERING": OrderStatus.OPEN,
    "TRIGGERED": OrderStatus.OPEN,
}
_TYPES = {
    OrderType.MARKET: "MARKET",
    OrderType.LIMIT: "LIMIT",
    OrderType.STOP: "STOP_MARKET",
    OrderType.TARGET: "TAKE_PROFIT_MARKET",
}
_MOVED = {
    "DEPOSIT": MovementKind.TRANSFER,
    "WITHDRAW": MovementKind.TRANSFER,
    "TRANSFER": MovementKind.TRANSFER,
    "FUNDING_FEE": MovementKind.FUNDING,
    "INSURANCE_CLEAR": MovementKind.LIQUIDATION,
}


@dataclass
class Faults:
    """What goes wrong next; each list is used up from the front."""

    place: list[str] = field(default_factory=list)
    cancel: list[str] = field(default_factory=list)
    ask: list[str] = field(default_factory=list)
    tell: list[str] = field(default_factory=list)

    def clear(self) -> None:
        for faults in (self.place, self.cancel, self.ask, self.tell):
            faults.clear()


class Exchange:
    """The engine and the line to it; no desk's death changes anything here."""

    def __init__(
        self, *, engine: SpotEngine | SwapEngine, clock: ManualClock, symbols: Sequence[Symbol]
    ) -> None:
        self.engine = engine
        self.clock = clock
        self.symbols = tuple(symbols)
        self.faults = Faults()
        self.down_until = clock.now()
        self.interruptions = 0
        self.hidden: dict[str, datetime] = {}
        self.subscriber: Callable[[Told], None] = _nobody
        self.leaving: Callable[[Order], None] = _nobody
        """Called in the instant in which an order's bytes leave, after its permit."""
        self._late: list[tuple[datetime, tuple[Order, ...]]] = []
        engine.listen(self._pass_on)

    def _pass_on(self, told: Told) -> None:
        self.subscriber(told)

    @property
    def spot(self) -> bool:
        return isinstance(self.engine, SpotEngine)

    @property
    def is_down(self) -> bool:
        return self.clock.now() < self.down_until

    def go_down(self, seconds: float) -> None:
        """Nothing is answered or told for so long."""
        self.down_until = max(self.down_until, self.clock.now() + timedelta(seconds=seconds))
        self.interruptions += 1

    def become_well(self) -> None:
        self.down_until = self.clock.now()
        self.faults.clear()

    def tick(self) -> None:
        """Time has passed: what was long on its way arrives."""
        due = [orders for at, orders in self._late if at <= self.clock.now()]
        self._late = [(at, orders) for at, orders in self._late if at > self.clock.now()]
        for orders in due:
            self._arrive(orders)

    def delay(self, *orders: Order) -> None:
        self._late.append((self.clock.now() + LATE_BY, orders))

    def _arrive(self, orders: tuple[Order, ...]) -> None:
        try:
            self.carry_out(*orders)
        except Refusal:
            return  # nobody waits for the answer any more

    def rest_of(self, order: Order) -> Decimal:
        """How much of it another may do in its place: nothing while it may still trade."""
        theirs = self.engine.find(self.market(order.symbol), client_id=order.id)
        on_the_way = any(late.id == order.id for _, those in self._late for late in those)
        if on_the_way or (theirs is not None and theirs.is_open):
            return ZERO
        return order.quantity - (theirs.filled if theirs is not None else ZERO)

    def hide(self, order_id: str) -> None:
        self.hidden[order_id] = self.clock.now() + HIDDEN_FOR

    def is_hidden(self, order_id: str) -> bool:
        return self.clock.now() < self.hidden.get(order_id, self.clock.now())

    def carry_out(self, *orders: Order) -> Sequence[Theirs | Algo]:
        """One order, or a stop with its target.  Raises `Refusal`."""
        if len(orders) == 1:
            return (self._carry_out(orders[0]),)
        assert isinstance(self.engine, SpotEngine)
        stop, target = orders
        both = self.engine.place_oco(self.wish(target), self.wish(stop))
        found = {leg.client_id: leg for leg in map(self.engine.orders.__getitem__, both.order_ids)}
        return found[stop.id], found[target.id]

    def _carry_out(self, order: Order) -> Theirs | Algo:
        wish = self.wish(order)
        if order.type in CONDITIONAL and isinstance(self.engine, SwapEngine):
            return self.engine.place_algo(wish)
        return self.engine.place(wish)

    def wish(self, order: Order) -> Wish:
        """*order* as the venue's request has it."""
        reduces = order.role is not OrderRole.ENTRY
        kind = _TYPES[order.type]
        if self.spot:
            kind = {"STOP_MARKET": "STOP_LOSS", "TAKE_PROFIT_MARKET": "TAKE_PROFIT"}.get(kind, kind)
            kind += "_LIMIT" if order.type in CONDITIONAL and order.price else ""
            kind = "LIMIT_MAKER" if order.post_only else kind
        hedge = isinstance(self.engine, SwapEngine) and self.engine.hedge
        opens = order.side.opposite if reduces else order.side
        return Wish(
            symbol=self.market(order.symbol),
            side=order.side.name,
            type=kind,
            quantity=order.quantity,
            price=order.price or ZERO,
            stop_price=order.stop_price or ZERO,
            time_in_force="GTX" if order.post_only else "GTC",
            client_id=order.id,
            position_side=opens.held.upper() if hedge else "BOTH",
            reduce_only=reduces and not hedge and not self.spot,
            working_type="CONTRACT_PRICE" if self.spot else "MARK_PRICE",
        )

    def market(self, symbol: Symbol) -> str:
        return f"{symbol.base}{symbol.quote}"

    def symbol(self, market: str) -> Symbol | None:
        return next((s for s in self.symbols if self.market(s) == market), None)

    def rules(self, symbol: Symbol) -> TheirRules:
        return self.engine.rules[self.market(symbol)]


class EngineVenue:
    """Implements `trading.ports.Venue`; each request waits on its way out and on its way back."""

    costs = None

    def __init__(self, exchange: Exchange, *, trader: str, name: str = "engine") -> None:
        self.name = name
        self.window = WINDOW
        self.cash = exchange.spot
        self.reduce_only = not exchange.spot
        self.shows_books = True
        self.writes_off = exchange.spot
        self.targets = Targets.PAIRED if exchange.spot else Targets.BESIDE
        self._exchange = exchange
        self._engine = exchange.engine
        self._trader = trader
        self._listener: Callable[[OrderReport], None] = _nobody
        self._parents: dict[int, str] = {}
        """Our id of the conditional order whose child an order is, as far as we were told."""
        self._later: list[OrderReport] = []
        self._rules: dict[Symbol, Rules] = {}

    @property
    def interruptions(self) -> int:
        return self._exchange.interruptions

    @property
    def refuses_until(self) -> datetime | None:
        """None: it never bans."""
        return None

    async def open(self, listener: Callable[[OrderReport], None]) -> None:
        await self._ask()
        self._listener = listener
        self._exchange.subscriber = self._hear

    async def close(self) -> None:
        self._exchange.subscriber = _nobody

    async def catch_up(self, until: datetime) -> None:
        """Nothing waits here."""

    def rules(self, symbol: Symbol) -> Rules:
        """As they were when they were last asked for."""
        if symbol not in self._rules:
            self._rules[symbol] = self._read(symbol)
        return self._rules[symbol]

    async def rules_now(self, symbol: Symbol) -> Rules:
        await self._ask()
        self._rules[symbol] = self._read(symbol)
        return self._rules[symbol]

    def _read(self, symbol: Symbol) -> Rules:
        rules = self._exchange.rules(symbol)
        told = MarketRules(
            tick=rules.tick,
            lot=rules.lot,
            min_notional=rules.notional,
            max_quantity=rules.market_most,
            min_quantity=rules.least,
            stops=self._stops(rules.types) if self.cash else Stops.MARKET,
        )
        if rules.symbol in self._engine.halted:
            return Untraded(why=f"{symbol} is not traded here: its market is halted", shown=told)
        return told

    def _stops(self, types: Sequence[str]) -> Stops:
        if "STOP_LOSS" in types:
            return Stops.MARKET
        return Stops.LIMIT if "STOP_LOSS_LIMIT" in types else Stops.DESK

    async def write_off(self, order: Order, price: Decimal) -> OrderReport:
        raise NotImplementedError

    async def reread(self) -> None:
        await self._ask()
        self._rules.clear()

    def include(self, symbols: Collection[Symbol]) -> None:
        """It has no others."""

    # -- acting -------------------------------------------------------------------------------

    async def place(self, order: Order, permit: Permit) -> OrderReport:
        return (await self._place((order,), permit))[0]

    async def place_pair(
        self, stop: Order, target: Order, permit: Permit
    ) -> tuple[OrderReport, OrderReport]:
        first, second = await self._place((stop, target), permit)
        return first, second

    async def _place(self, orders: tuple[Order, ...], permit: Permit) -> Sequence[OrderReport]:
        fault = _next(self._exchange.faults.place)
        await self._go_out(slow=fault == "slow")
        self._check_line()
        if fault == "unavailable":
            raise VenueUnavailable("connection refused")
        permit()
        for order in orders:
            self._exchange.leaving(order)
        if fault in {"lost", "late"}:
            if fault == "late":
                self._exchange.delay(*orders)
            raise VenueUncertain("no answer")
        reports = self._accepted(orders, refuse=fault == "refuse")
        await self._come_back(fault, *orders)
        return reports

    def _accepted(self, orders: tuple[Order, ...], *, refuse: bool) -> Sequence[OrderReport]:
        if refuse:
            raise VenueRejected("-1013 Filter failure: the test's")
        try:
            taken = self._exchange.carry_out(*orders)
        except Refusal as why:
            said = worded(why, "spot" if self._exchange.spot else "swap")
            kind = VenueMisfit if str(said.code) in MISFITS else VenueRejected
            raise kind(str(said)) from None
        pairs = zip(orders, taken, strict=True)
        return [self._report_of(order.id, theirs) for order, theirs in pairs]

    async def cancel(self, order: Order, leaving: Leaving = unwatched) -> OrderReport:
        if not order.id.startswith(TAG):
            raise AssertionError(f"{order.id} is not ours to cancel")
        fault = _next(self._exchange.faults.cancel)
        await self._go_out(slow=fault == "slow")
        self._check_line()
        if fault == "unavailable":
            raise VenueUnavailable("connection refused")
        leaving()
        if fault == "lost":
            raise VenueUncertain("no answer")
        self._end(order)
        await self._come_back(fault, order)
        found = self._found(order)
        if found is None:
            raise VenueRejected(f"the order {order.id} is not known")
        return found

    def _end(self, order: Order) -> None:
        market = self._exchange.market(order.symbol)
        try:
            if self._is_apart(order):
                assert isinstance(self._engine, SwapEngine)
                self._engine.cancel_algo(client_id=order.id)
            else:
                self._engine.cancel(market, client_id=order.id)
        except Refusal:
            return  # it has ended, or never was: the question after it tells which

    async def _come_back(self, fault: str, *orders: Order) -> None:
        for order in orders if fault == "hidden" else ():
            self._exchange.hide(order.id)
        if fault in {"drop", "hidden"}:
            raise VenueUncertain("no answer")
        if fault == "hang":
            await asyncio.Event().wait()
        await _turns(SLOW_FOR if fault == "slow answer" else 1)
        if self._exchange.is_down:
            raise VenueUncertain("the connection was lost")

    async def _go_out(self, *, slow: bool) -> None:
        await _turns(SLOW_FOR if slow else 1)

    # -- asking -------------------------------------------------------------------------------

    async def find(self, order: Order) -> OrderReport | None:
        await self._ask()
        return None if self._exchange.is_hidden(order.id) else self._found(order)

    def _found(self, order: Order) -> OrderReport | None:
        if self._is_apart(order):
            assert isinstance(self._engine, SwapEngine)
            algo = self._engine.find_algo(client_id=order.id)
            return None if algo is None else self._report_of(order.id, algo)
        theirs = self._engine.find(self._exchange.market(order.symbol), client_id=order.id)
        return None if theirs is None else self._report_of(order.id, theirs)

    async def open_orders(self) -> Sequence[OrderReport]:
        await self._ask()
        resting: list[Theirs | Algo] = list(self._engine.open_orders())
        if isinstance(self._engine, SwapEngine):
            resting += self._engine.open_algos()
        reports = (self._report_of(self._id_of(one), one) for one in resting)
        return [
            replace(report, order=self._order_of(one, report.order_id))
            for one, report in zip(resting, reports, strict=True)
            if not self._exchange.is_hidden(report.order_id)
        ]

    async def ours_since(self, symbol: Symbol, since: datetime) -> Sequence[OrderReport]:
        await self._ask()
        market = self._exchange.market(symbol)
        all_of_them: list[Theirs | Algo] = list(self._engine.orders.values())
        if isinstance(self._engine, SwapEngine):
            all_of_them += self._engine.algos.values()
        return [
            replace(self._report_of(one.client_id, one), order=self._order_of(one, one.client_id))
            for one in all_of_them
            if one.wish.symbol == market and one.client_id.startswith(TAG)
            if _time(one.created) >= since and not self._exchange.is_hidden(one.client_id)
        ]

    async def positions(self) -> Mapping[Symbol, Held]:
        await self._ask()
        held = {symbol: self._held(symbol) for symbol in self._exchange.symbols}
        return {symbol: one for symbol, one in held.items() if one.long or one.short}

    def _held(self, symbol: Symbol) -> Held:
        if isinstance(self._engine, SpotEngine):
            return Held(long=self._engine.total(symbol.base))
        amounts = [p.amount for p in self._engine.positions(self._exchange.market(symbol))]
        return Held(
            long=sum((a for a in amounts if a > 0), ZERO),
            short=-sum((a for a in amounts if a < 0), ZERO),
        )

    async def wallet(self) -> Decimal:
        await self._ask()
        return money_at(self._exchange)

    async def movements(self, since: datetime) -> Sequence[Movement]:
        await self._ask()
        quote = self._exchange.symbols[0].quote
        found = (m for m in self._engine.movements if m.kind in _MOVED and m.asset == quote)
        return [self._movement(m) for m in found if _time(m.time) >= since]

    def _movement(self, moved: Moved) -> Movement:
        return Movement(
            id=f"{self.name}:{moved.id}",
            kind=_MOVED[moved.kind],
            amount=moved.amount,
            at=_time(moved.time),
            symbol=self._exchange.symbol(moved.symbol),
        )

    async def preview(self, symbol: Symbol, side: Side, quantity: Decimal) -> Preview:
        """Unknown: nobody here reads it."""
        await self._ask()
        return Preview()

    async def depth(self, symbol: Symbol) -> Depth | None:
        await self._ask()
        book = self._engine.books[self._exchange.market(symbol)]
        bid, ask = book.best_price("BUY"), book.best_price("SELL")
        if bid is None or ask is None:
            return None
        lowest, highest = (bid + ask) / 2 * (1 - NEAR), (bid + ask) / 2 * (1 + NEAR)
        return Depth(
            bid=bid,
            ask=ask,
            bids=sum((p * q for p, q in book.depth("BUY") if p >= lowest), ZERO),
            asks=sum((p * q for p, q in book.depth("SELL") if p <= highest), ZERO),
            at=self._exchange.clock.now(),
        )

    async def _ask(self) -> None:
        fault = _next(self._exchange.faults.ask)
        await self._go_out(slow=fault == "slow")
        self._check_line()
        if fault == "unavailable":
            raise VenueUnavailable("503 Service Unavailable")
        if fault == "uncertain":
            raise VenueUncertain("the connection was lost")
        await asyncio.sleep(0)

    def _check_line(self) -> None:
        if self._exchange.is_down:
            raise VenueUnavailable("connection refused")

    # -- what is told unasked -----------------------------------------------------------------

    def _hear(self, told: Told) -> None:
        if isinstance(told, AlgoTold):
            algo = told.algo
            if algo.order_id:
                self._parents[algo.order_id] = algo.client_id
            if algo.status != "FINISHED":  # its child tells the rest
                self._tell(self._told_of(algo))
        if isinstance(told, OrderTold):
            trades = (told.trade,) if told.trade else ()
            report = self._state(self._id_of(told.order), told.order, trades)
            if not report.order_id.startswith(TAG):
                report = replace(report, order=self._order_of(told.order, report.order_id))
            self._tell(report)

    def _told_of(self, algo: Algo) -> OrderReport:
        return OrderReport(
            order_id=algo.client_id,
            status=_STATUS[algo.status],
            venue_id=str(algo.id),
            note=algo.failure,
            order=None if algo.client_id.startswith(TAG) else self._order_of(algo, algo.client_id),
        )

    def _tell(self, report: OrderReport) -> None:
        fault = _next(self._exchange.faults.tell)
        if fault == "dropped" or self._exchange.is_down:
            self._exchange.interruptions += 1
            return
        if fault == "later":
            self._later.append(report)
            return
        held, self._later = self._later, []
        for one in (report, *([report] if fault == "twice" else []), *held):
            asyncio.get_running_loop().call_soon(self._deliver, one)

    def _deliver(self, report: OrderReport) -> None:
        if self._exchange.subscriber == self._hear:
            self._listener(report)

    # -- from the engine's words to ours ------------------------------------------------------

    def _is_apart(self, order: Order) -> bool:
        return order.type in CONDITIONAL and not self.cash

    def _id_of(self, theirs: Theirs | Algo) -> str:
        if isinstance(theirs, Algo):
            return theirs.client_id
        return self._parents.get(theirs.id, theirs.client_id)

    def _report_of(self, order_id: str, theirs: Theirs | Algo) -> OrderReport:
        """The state, with every fill; a triggered conditional order's are its child's."""
        if isinstance(theirs, Theirs):
            trades = tuple(t for t in self._engine.trades if t.order_id == theirs.id)
            return self._state(order_id, theirs, trades)
        if theirs.order_id:
            self._parents[theirs.order_id] = theirs.client_id
            return self._report_of(order_id, self._engine.orders[theirs.order_id])
        return self._told_of(theirs)

    def _state(self, order_id: str, theirs: Theirs, trades: Sequence[Trade]) -> OrderReport:
        return OrderReport(
            order_id=order_id,
            status=_STATUS[theirs.status],
            venue_id=str(theirs.id),
            filled=theirs.filled,
            average_price=theirs.average or None,
            fills=tuple(self._fill(order_id, trade) for trade in trades),
            triggered=theirs.trigger is not None and theirs.working,
        )

    def _fill(self, order_id: str, trade: Trade) -> Fill:
        symbol = self._exchange.symbol(trade.symbol)
        assert symbol is not None
        in_base = trade.fee_asset == symbol.base
        return Fill(
            id=f"{self.name}:{trade.symbol}:{trade.id}",
            order_id=order_id,
            trader=self._trader,
            symbol=symbol,
            side=Side[trade.side],
            quantity=trade.quantity - (trade.fee if in_base else ZERO),
            price=trade.price,
            fee=trade.fee * (trade.price if in_base else 1),
            at=_time(trade.time),
        )

    def _order_of(self, theirs: Theirs | Algo, order_id: str) -> Order:
        wish = theirs.wish
        symbol = self._exchange.symbol(wish.symbol)
        assert symbol is not None
        kind = OrderType.LIMIT if wish.price else OrderType.MARKET
        waits = OrderType.TARGET if wish.type.startswith("TAKE_PROFIT") else OrderType.STOP
        return Order(
            id=order_id,
            trader=self._trader,
            symbol=symbol,
            side=Side[wish.side],
            type=waits if wish.stop_price else kind,
            role=role_of(order_id),
            quantity=wish.quantity,
            created_at=_time(theirs.created),
            price=wish.price or None,
            stop_price=wish.stop_price or None,
            reduce_only=wish.reduce_only,
            status=OrderStatus.OPEN,
            venue_id=str(theirs.id),
        )


def money_at(exchange: Exchange) -> Decimal:
    """In quote currency, without open profit."""
    if isinstance(exchange.engine, SpotEngine):
        return exchange.engine.total(exchange.symbols[0].quote)
    return exchange.engine.wallet


def role_of(order_id: str) -> OrderRole:
    """By the letter in ids of ours; a stranger's order counts as an entry."""
    letters = {"p": OrderRole.PROTECT, "x": OrderRole.EXIT}
    letter = order_id.split("-")[2] if order_id.startswith(TAG) else ""
    return letters.get(letter, OrderRole.ENTRY)


async def _turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def _next(faults: list[str]) -> str:
    return faults.pop(0) if faults else ""


def _time(millis: int) -> datetime:
    return datetime.fromtimestamp(millis / 1000, UTC)


def _nobody(told: object) -> None:
    return None
