"""A real exchange as a venue, through ccxt: orders by REST, news by its streams.

One adapter for all exchanges; what differs is a row in `quirks`.  A stream only tells sooner what
REST would tell: an interruption costs time, never truth.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from trading.clocks import Clock
from trading.errors import (
    VenueError,
    VenueMisfit,
    VenueRejected,
    VenueUnavailable,
    VenueUncertain,
)
from trading.execution.order_ids import is_of_a_desk
from trading.model.halt import Permit
from trading.ports import Leaving, unwatched
from trading.types import (
    CONDITIONAL,
    FINEST,
    ZERO,
    Depth,
    Held,
    MarketRules,
    Movement,
    Order,
    OrderReport,
    OrderRole,
    OrderStatus,
    OrderType,
    Preview,
    Rules,
    Side,
    Symbol,
    Untraded,
)
from trading.venues.ccxt.account_stream import AccountStream
from trading.venues.ccxt.answers import NotFound
from trading.venues.ccxt.connection import Connection
from trading.venues.ccxt.history import PAGE, AccountHistory
from trading.venues.ccxt.listed import EveryMarket
from trading.venues.ccxt.order_stream import OrderStream
from trading.venues.ccxt.preview import Asking
from trading.venues.ccxt.quirks import Market
from trading.venues.ccxt.rules_told import PostedRules
from trading.venues.ccxt.translation import (
    Price,
    Translation,
    child_of,
    exact,
    millis,
    misfit,
    number,
    pair_params,
    written_off,
)
from trading.venues.ccxt.weights import Urgency
from trading.venues.lacking import refuse_impossible, refuse_unpaired

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

TRADES_BACK = timedelta(minutes=5)
"""How far before an order's intent its trades are looked for: clocks differ."""
PAGES = 20
"""How many requests one question about money may take."""
MOST_FOREIGN = 20
"""Orders that are asked for, to find whose some trades are; the newest."""
ALL_AT_ONCE = 10
"""With more symbols than this, open orders are asked for all together."""
STREAM_TIMEOUT = 3.0
"""Seconds that opening waits for the stream."""

_URGENCY = {
    OrderRole.ENTRY: Urgency.ENTRY,
    OrderRole.PROTECT: Urgency.REDUCTION,
    OrderRole.EXIT: Urgency.REDUCTION,
}


class CcxtVenue:
    """Implements `trading.ports.Venue` on an account of an exchange."""

    costs = None

    def __init__(
        self,
        *,
        name: str,
        trader: str,
        connection: Connection,
        symbols: Sequence[Symbol],
        price: Price,
        read_only: bool,
        clock: Clock,
        every: bool = False,
    ) -> None:
        """*price*: the last one known, to value fees in other currencies.

        *every*: it trades more than *symbols*, whatever is listed in the same quote currency.
        """
        self.name = name
        self.window = connection.quirks.window
        self.cash = connection.quirks.market is Market.SPOT
        self.targets = connection.quirks.targets
        self.writes_off = self.cash
        self._connection = connection
        self._quirks = connection.quirks
        self._symbols = tuple(symbols)
        self._every = every
        self._read_only = read_only
        self._clock = clock
        self._hedged = False
        self._rules: dict[Symbol, MarketRules] = {}
        """The last ones that each of them had."""
        self._read: dict[Symbol, Rules] = {}
        """What was made of the markets as they were last read."""
        self._generation = 0
        self._fees: dict[str, Any] = {}
        """As previews were told them, by market."""
        self._permissions_told: frozenset[str] = frozenset()
        """Of the account, where the exchange tells them."""
        self._told = PostedRules(connection=connection, clock=clock)
        self._words = Translation(
            venue=name,
            trader=trader,
            quirks=connection.quirks,
            symbols=symbols,
            price=price,
            clock=clock,
            every=EveryMarket(connection, symbols[0].quote) if every else None,
        )
        self._stream = OrderStream(
            name=name, words=self._words, quirks=self._quirks, clock=clock, find=self.find
        )
        self._history = AccountHistory(
            ask=self._urgently, quirks=connection.quirks, now=lambda: millis(clock.now())
        )
        self._news = AccountStream(
            name=name,
            connection=connection,
            clock=clock,
            on_order=self._stream.order,
            on_trade=self._stream.trade,
        )

    @property
    def reduce_only(self) -> bool:
        """Marked so, or by the side of the position, which a reduction names in hedge mode."""
        return self._quirks.reduce_only or self._hedged

    @property
    def interruptions(self) -> int:
        return self._news.interruptions + self._stream.interruptions

    @property
    def refuses_until(self) -> datetime | None:
        return self._connection.refuses_until

    # -- opening ----------------------------------------------------------------------------

    async def open(self, listener: Callable[[OrderReport], None]) -> None:
        self._stream.listener = listener
        await self._connection.open(self)
        if self._quirks.hedge:
            mode = await self._ask("account", self._exchange.fetch_position_mode)
            self._hedged = bool(mode["hedged"])
        for why in self._untraded():
            log.warning("%s", why)
        await self._news.start(within=STREAM_TIMEOUT)

    async def close(self) -> None:
        await self._news.stop()
        await self._stream.stop()
        await self._connection.close(self)

    async def catch_up(self, until: datetime) -> None:
        """Nothing waits here: streams tell at once, and `find` what they missed."""

    async def examine(self) -> Sequence[str]:
        """What would keep this account from trading, one sentence each; reads only."""
        asker = object()
        try:
            await self._connection.open(asker)
            missing = await self._permissions()  # they say what the account may trade, too
            return [*(f"{why}." for why in self._untraded()), *missing]
        except VenueError as error:
            return [f"The account cannot be read: {error}."]
        finally:
            await self._connection.close(asker)

    async def _permissions(self) -> list[str]:
        await self._balance()
        if not self._quirks.permissions:
            return []
        try:
            told = await self._ask("account", getattr(self._exchange, self._quirks.permissions))
        except VenueError as error:
            return [f"What the key may do cannot be asked: {error}."]
        return [
            asked.words
            for asked in self._quirks.wanted
            if bool(told.get(asked.name)) is not asked.wanted
            and not (asked.for_trading and self._read_only)
        ]

    # -- markets ----------------------------------------------------------------------------

    def rules(self, symbol: Symbol) -> Rules:
        """Before the exchange was reached for the first time there is something to show by."""
        if not self._connection.is_open:
            return self._rules.get(symbol, FINEST)
        if self._generation != self._connection.markets.generation:
            self._generation = self._connection.markets.generation
            self._read.clear()
            self._fees.clear()
        if symbol not in self._read:
            self._read[symbol] = self._made_of(symbol)
        return self._read[symbol]

    def _made_of(self, symbol: Symbol) -> Rules:
        markets = self._connection.markets
        if not self._words.covers(symbol):
            why = f"{symbol} is not traded on {self.name}: the settings do not name it"
            return Untraded(why=why, shown=FINEST)
        why = markets.untraded(symbol) or self._closed_to_us(symbol)
        if self._is_listed(symbol):
            self._rules[symbol] = self._words.rules(markets.of(symbol))
        shown = self._rules.get(symbol, FINEST)
        return Untraded(why=why, shown=shown) if why else shown

    def _closed_to_us(self, symbol: Symbol) -> str:
        """Why this account may not trade what others may; empty as far as nobody tells."""
        sets = (self._connection.markets.of(symbol).get("info") or {}).get("permissionSets") or ()
        ours = self._permissions_told
        if not ours or not sets or any(ours.intersection(one) for one in sets):
            return ""
        return f"{symbol} is not traded on {self._quirks.exchange} by accounts like this one"

    async def reread(self) -> None:
        await self._connection.markets.reread()

    def include(self, symbols: Collection[Symbol]) -> None:
        self._words.include(symbols)

    async def rules_now(self, symbol: Symbol) -> Rules:
        market = self._connection.markets.of(symbol)
        if market is not None:
            await self._told.read(market)
            self._read.pop(symbol, None)
        return self.rules(symbol)

    def _market(self, symbol: Symbol) -> Any:
        """ccxt's.  Raises `VenueRejected` for what is not traded here."""
        rules = self.rules(symbol)
        if isinstance(rules, Untraded):
            raise VenueRejected(rules.why)
        return self._connection.markets.of(symbol)

    def _untraded(self) -> list[str]:
        """Why those of the settings are not traded that are not."""
        rules = map(self.rules, self._symbols)
        return [each.why for each in rules if isinstance(each, Untraded)]

    def _is_listed(self, symbol: Symbol) -> bool:
        return self._connection.markets.of(symbol) is not None

    def _name(self, symbol: Symbol) -> str:
        """ccxt's, also of a market that is listed no more."""
        return self._quirks.market_of(symbol)

    def _remember(self, order: Order) -> None:
        self.include((order.symbol,))
        self._stream.remember(order)

    # -- acting -----------------------------------------------------------------------------

    async def place(self, order: Order, permit: Permit) -> OrderReport:
        self._check(order)
        self._remember(order)
        with self._stream.using(order):
            raw = await self._connection.act(
                self._exchange.create_order,
                self._name(order.symbol),
                "market" if order.price is None else "limit",
                order.side.value,
                exact(order.quantity),
                exact(order.price),
                self._params(order),
                permit=permit,
                must_contain=self._marks(order),
                urgency=_URGENCY[order.role],
                orders=1,
            )
        return await self._surely(self._report(order, raw))

    async def place_pair(
        self, stop: Order, target: Order, permit: Permit
    ) -> tuple[OrderReport, OrderReport]:
        """As an order list (OCO): each waits for its price, and is a market order then."""
        refuse_unpaired(self)
        for order in (stop, target):
            self._check(order)
            self._remember(order)
        market = self._market(stop.symbol)
        with self._stream.using(stop, target):
            raw = await self._connection.act(
                self._exchange.private_post_orderlist_oco,
                {"symbol": market["id"], **pair_params(stop, target)},
                permit=permit,
                must_contain=[stop.id, target.id, "Type=STOP_LOSS", "Type=TAKE_PROFIT"],
                urgency=Urgency.REDUCTION,
                orders=2,
            )
        raws = {str(leg["clientOrderId"]): leg for leg in raw["orderReports"]}
        parse = self._exchange.parse_order
        return (
            await self._surely(self._report(stop, parse(raws[stop.id], market))),
            await self._surely(self._report(target, parse(raws[target.id], market))),
        )

    async def _surely(self, report: Awaitable[Answer]) -> Answer:
        """Of what was done already: that no more of it can be had does not undo it."""
        try:
            return await report
        except VenueUnavailable as error:
            raise VenueUncertain(
                f"it was done, and what came of it is not told: {error}"
            ) from error

    async def write_off(self, order: Order, price: Decimal) -> OrderReport:
        """The coins stay where they are, beside our money."""
        if not self.writes_off:
            raise VenueRejected("the exchange settles its contracts itself, and the books follow")
        return written_off(order, price, self._clock.now())

    def _check(self, order: Order) -> None:
        if self._read_only:
            raise VenueRejected(f"{self.name} is read_only in the settings")
        if not self._quirks.accepts_id(order.id):
            raise VenueRejected(f"{self.name} does not take the id {order.id}")
        rules = self.rules(order.symbol)
        if isinstance(rules, Untraded) and not self._may_be_tried(order):
            raise VenueRejected(rules.why)
        refuse_impossible(self, order, rules.shown)
        if self._stream.is_used(order.id):
            raise VenueUncertain(f"the id {order.id} was sent already: its order may be there")
        wrong = misfit(order, rules.shown)
        if wrong:
            raise VenueMisfit(wrong)

    def _may_be_tried(self, order: Order) -> bool:
        """A market that was halted when it was read last may be open by now."""
        return order.role is not OrderRole.ENTRY and self._is_listed(order.symbol)

    async def cancel(self, order: Order, leaving: Leaving = unwatched) -> OrderReport:
        """The answer itself tells how it ended; where it does not, the order is asked for."""
        self._remember(order)
        entry = order.role is OrderRole.ENTRY
        raw: Any = {}
        with contextlib.suppress(NotFound):  # it has ended, or never was: `find` tells which
            raw = await self._connection.act(
                self._exchange.cancel_order,
                order.venue_id or order.id,
                self._name(order.symbol),
                self._by_id(order),
                permit=leaving,
                must_contain=(),
                urgency=Urgency.EMERGENCY if entry else Urgency.REDUCTION,
            )
        if raw.get("status") == "canceled" and raw.get("id"):
            return await self._surely(self._report(order, raw))
        found = await self._surely(self.find(order))
        if found is None:
            raise VenueRejected(f"{self.name} does not know the order {order.id}")
        return found

    def _params(self, order: Order) -> dict[str, Any]:
        params: dict[str, Any] = {"clientOrderId": order.id}
        if order.type in CONDITIONAL:
            price = "stopLossPrice" if order.type is OrderType.STOP else "takeProfitPrice"
            params |= {price: exact(order.stop_price), **self._quirks.conditional_params}
        if order.post_only:
            params["postOnly"] = True
        reduces = order.role is not OrderRole.ENTRY
        if self._hedged:
            opens = order.side.opposite if reduces else order.side
            params["positionSide"] = "LONG" if opens is Side.BUY else "SHORT"
        elif self._quirks.reduce_only and reduces:
            params["reduceOnly"] = True
        return params

    def _marks(self, order: Order) -> list[str]:
        quirks, marks = self._quirks, [order.id]
        if order.type in CONDITIONAL:
            marks.append(quirks.trigger_field)
        return [*marks, quirks.target_type] if order.type is OrderType.TARGET else marks

    def _by_id(self, order: Order) -> dict[str, Any]:
        return {"clientOrderId": order.id, **self._where(order)}

    def _where(self, order: Order) -> dict[str, Any]:
        return {"trigger": True} if self._stream.is_apart(order) else {}

    # -- asking -----------------------------------------------------------------------------

    async def find(self, order: Order) -> OrderReport | None:
        """Ask by our id; by the venue's; in open orders; by the trades since it was written."""
        self._remember(order)
        if self._connection.is_open and not self._is_listed(order.symbol):
            return await self._without_market(order)
        raw = await self._order(order, order.venue_id or order.id, self._by_id(order))
        if raw is None and order.venue_id:
            raw = await self._order(order, order.venue_id, self._where(order))
        if raw is None:
            raw = await self._found_otherwise(order)
        return None if raw is None else await self._report(order, raw)

    async def _without_market(self, order: Order) -> OrderReport:
        """Where a market is gone nothing can be asked about its orders but whether they are open.

        What they have done is told by what is held: the books are compared with that.
        """
        for raw in await self._open_raw(None):
            if raw.get("clientOrderId") == order.id:
                return self._words.state(order.id, raw)
        note = f"ended by the venue: {order.symbol} is not listed there any more"
        return OrderReport(order_id=order.id, status=OrderStatus.EXPIRED, note=note)

    async def _order(self, order: Order, venue_id: str, params: dict[str, Any]) -> Any:
        """None: there is none such."""
        market = self._name(order.symbol)
        with contextlib.suppress(NotFound):
            return await self._urgently(self._exchange.fetch_order, venue_id, market, params)

    async def _found_otherwise(self, order: Order) -> Any:
        for raw in await self._open_raw(order.symbol):
            if raw.get("clientOrderId") == order.id:
                return raw
        if self._stream.is_apart(order):
            return await self._among_all(order)
        return await self._by_trades(order)

    async def _among_all(self, order: Order) -> Any:
        """Conditional orders that have ended; their trades are another order's."""
        since, market = millis(order.created_at - TRADES_BACK), self._name(order.symbol)
        raws = await self._history.conditional(self._exchange, market, since)
        return next((raw for raw in raws if raw.get("clientOrderId") == order.id), None)

    async def _by_trades(self, order: Order) -> Any:
        """Whose are the trades since it was written down?"""
        trades = await self._trades(order.symbol, millis(order.created_at - TRADES_BACK))
        venue_ids = dict.fromkeys(str(trade["order"]) for trade in reversed(trades))
        foreign = [i for i in venue_ids if not self._stream.is_known(i)]
        for venue_id in foreign[:MOST_FOREIGN]:
            raw = await self._order(order, venue_id, {})
            if raw is not None and raw.get("clientOrderId") == order.id:
                return raw
        return None

    async def _trades(self, symbol: Symbol, since: int) -> list[Any]:
        """All of the symbol since *since*, in milliseconds."""
        return await self._history.trades(self._exchange, self._name(symbol), since)

    async def ours_since(self, symbol: Symbol, since: datetime) -> Sequence[OrderReport]:
        """Each asked for its fills only where the trades of the time do not tell them."""
        begin = millis(since)
        raws = await self._history.orders(self._exchange, self._name(symbol), begin)
        ours = [raw for raw in raws if is_of_a_desk(str(raw.get("clientOrderId") or ""))]
        filled = any(number(raw.get("filled")) for raw in ours)
        trades = await self._trades(symbol, begin) if filled else []
        return [await self._told_of(symbol, raw, trades) for raw in ours]

    async def _told_of(self, symbol: Symbol, raw: Any, trades: Sequence[Any]) -> OrderReport:
        order = self._words.order(symbol, raw)
        self._stream.remember(order)
        theirs = [trade for trade in trades if str(trade["order"]) == str(raw["id"])]
        return replace(await self._report(order, {**raw, "trades": theirs}), order=order)

    async def open_orders(self) -> Sequence[OrderReport]:
        symbols = [s for s in self._words.ours() if self._is_listed(s)]
        if len(symbols) > ALL_AT_ONCE:
            raws = await self._open_raw(None)
        else:
            asked = await asyncio.gather(*(self._open_raw(symbol) for symbol in symbols))
            raws = [raw for some in asked for raw in some]
        reports = []
        for raw in raws:
            symbol = self._words.symbol(raw)
            if symbol is not None:
                order = self._words.order(symbol, raw)
                self._stream.learn(raw)
                reports.append(replace(self._words.state(order.id, raw), order=order))
        return reports

    async def _open_raw(self, symbol: Symbol | None) -> list[Any]:
        """Regular and conditional ones; of all symbols without *symbol*."""
        market = None if symbol is None else self._name(symbol)
        fetch = self._exchange.fetch_open_orders
        found = list(await self._urgently(fetch, market))
        if self._quirks.conditional_apart:
            found += await self._urgently(fetch, market, None, None, {"trigger": True})
        return found

    async def positions(self) -> Mapping[Symbol, Held]:
        if self.cash:
            total = (await self._balance())["total"]
            held = {symbol: number(total.get(symbol.base)) for symbol in self._words.ours()}
            return {symbol: Held(long=size) for symbol, size in held.items() if size}
        ours = self._words.ours()
        every = self._every or not all(map(self._is_listed, ours))
        markets = None if every else [self._name(symbol) for symbol in ours]
        fetch = self._exchange.fetch_positions
        return self._words.held(
            await self._ask("account", fetch, markets, urgency=Urgency.REDUCTION)
        )

    async def wallet(self) -> Decimal:
        balance = await self._balance()
        for asset in balance["info"].get("assets", ()) if not self.cash else ():
            if asset.get("asset") == self._quote:
                return Decimal(asset["walletBalance"])
        return number(balance["total"].get(self._quote))

    async def movements(self, since: datetime) -> Sequence[Movement]:
        """What a key may not read, or an exchange does not tell, is left out with a log line."""
        found = await (self._payments(since) if self.cash else self._incomes(since))
        return sorted(
            (movement for movement in found if movement.at >= since), key=lambda m: (m.at, m.id)
        )

    async def _incomes(self, since: datetime) -> list[Movement]:
        begin, found = millis(since), dict[str, Movement]()
        for _ in range(PAGES):
            page = await self._ask("account", self._exchange.fetch_ledger, None, begin, PAGE)
            told = (self._words.income(raw, self._quote) for raw in page)
            found.update({movement.id: movement for movement in told if movement is not None})
            if len(page) < PAGE:
                break
            begin = int(page[-1]["timestamp"])
        return list(found.values())

    async def _payments(self, since: datetime) -> list[Movement]:
        exchange = self._exchange
        asked: tuple[tuple[Any, dict[str, Any], bool], ...] = (
            (exchange.fetch_deposits, {}, True),
            (exchange.fetch_withdrawals, {}, False),
            (exchange.fetch_transfers, {"fromAccount": "swap", "toAccount": "spot"}, True),
            (exchange.fetch_transfers, {"fromAccount": "spot", "toAccount": "swap"}, False),
        )
        found: list[Movement] = []
        for fetch, params, came in asked:
            try:
                raws = await self._ask("account", fetch, self._quote, millis(since), None, params)
            except VenueRejected as error:
                log.warning("%s does not tell what was paid in or out: %s", self.name, error)
                continue
            done = (raw for raw in raws if raw.get("status") not in ("failed", "canceled"))
            counted = (raw for raw in done if not came or raw.get("status") == "ok")
            found += [self._words.payment(raw, came=came) for raw in counted]
        return found

    async def depth(self, symbol: Symbol) -> Depth:
        market = self._market(symbol)["symbol"]
        fetch = self._exchange.fetch_order_book
        raw = await self._ask("book", fetch, market, 100, urgency=Urgency.ENTRY)
        return self._words.depth(raw)

    async def preview(self, symbol: Symbol, side: Side, quantity: Decimal) -> Preview:
        asking = Asking(
            ask=self._ask,
            exchange=self._exchange,
            market=self._market(symbol)["symbol"],
            quote=self._quote,
            cash=self.cash,
            fees=self._fees,
        )
        return await asking.preview(side, quantity)

    async def _balance(self) -> Any:
        fetch = self._exchange.fetch_balance
        balance = await self._ask("account", fetch, urgency=Urgency.REDUCTION)
        told = frozenset(map(str, balance["info"].get("permissions") or ()))
        if told != self._permissions_told:
            self._permissions_told = told
            self._read.clear()
        return balance

    # -- reports ----------------------------------------------------------------------------

    async def _report(self, order: Order, raw: Any) -> OrderReport:
        """The state of *order*, with every fill; a conditional one's are its child's.

        It has not ended before all its fills are known.
        """
        self._stream.learn(raw, order.id)
        venue_id, child = str(raw["id"]), child_of(raw)
        if child:
            raw = await self._order(order, child, {})
        elif self._stream.is_apart(order) and raw.get("status") == "closed":
            raw = {**raw, "status": "open"}  # triggered, and its child is not named yet
        if raw is None:
            return OrderReport(order_id=order.id, status=OrderStatus.OPEN, venue_id=venue_id)
        report = replace(self._words.state(order.id, raw), venue_id=venue_id)
        trades = await self._fills_of(order, raw)
        told = sum((number(trade["amount"]) for trade in trades), ZERO)
        if told < report.filled:
            log.warning("the fills of %s cannot be had yet: %s", order.id, report.filled - told)
            report = replace(report, status=OrderStatus.OPEN)
        await self._price_fees(order.symbol, trades)
        fills = tuple(self._words.fill(order.id, order.symbol, trade) for trade in trades)
        report = replace(report, fills=fills)
        self._stream.asked(order, report, {str(trade["id"]): trade for trade in trades})
        return report

    async def _price_fees(self, symbol: Symbol, trades: Sequence[Any]) -> None:
        """Ask what the coins cost that fees were paid in; a fill is told even if nobody answers."""
        for coin in {self._words.unpriced(trade, symbol) for trade in trades} - {None}:
            if coin is None or self._connection.markets.of(coin) is None:
                continue
            with contextlib.suppress(VenueError):
                told = await self._urgently(self._exchange.fetch_ticker, self._name(coin))
                if number(told.get("last")) > ZERO:
                    self._words.learn_price(coin, number(told["last"]))

    async def _fills_of(self, order: Order, raw: Any) -> Sequence[Any]:
        """From the answer itself where it names them, else asked for; empty while they cannot be
        had."""
        filled = number(raw.get("filled"))
        there = [trade for trade in raw.get("trades") or () if trade.get("id")]
        if sum((number(trade["amount"]) for trade in there), ZERO) >= filled:
            known = {"timestamp": raw.get("timestamp"), "side": raw.get("side")}
            return [trade | {k: trade.get(k) or v for k, v in known.items()} for trade in there]
        try:
            trades: list[Any] = await self._urgently(
                self._exchange.fetch_my_trades,
                self._name(order.symbol),
                None,
                PAGE,
                {"orderId": str(raw["id"])},
            )
        except VenueError as error:
            log.warning("%s does not tell the fills of %s: %s", self.name, order.id, error)
            return ()
        return trades

    # -- inside -----------------------------------------------------------------------------

    @property
    def _quote(self) -> str:
        return self._symbols[0].quote

    @property
    def _exchange(self) -> Any:
        return self._connection.exchange

    async def _urgently(self, request: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
        """About orders: as urgent as a reduction, since one may depend on it."""
        return await self._ask("orders", request, *arguments, urgency=Urgency.REDUCTION)

    async def _ask(
        self,
        family: str,
        request: Callable[..., Awaitable[Any]],
        *arguments: Any,
        urgency: Urgency | None = None,
    ) -> Any:
        return await self._connection.ask(family, request, *arguments, urgency=urgency)
