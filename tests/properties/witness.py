"""Who sees all that happens at the exchange, whoever does it, and remembers it for the tests.

`Operator` is somebody with the same account: their orders, closes and money.  `Witness` keeps the
desk's promises in view in the instant in which something trades.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal

from tests.properties.engine_venue import TAG, Exchange, role_of
from tests.servers.exchange.refusals import Refusal
from tests.servers.exchange.spot import SpotEngine
from tests.servers.exchange.swap import SwapEngine
from tests.servers.exchange.values import Algo, AlgoTold, OrderTold, Told, Trade, Wish, sign
from tests.servers.exchange.values import Order as Theirs
from trading.ports import Store
from trading.types import ONE, ZERO, ExitReason, Order, OrderRole, Side, Symbol


@dataclass
class Witness:
    """What the desk's own orders have traded, and what it should never have done."""

    exchange: Exchange
    traded: dict[tuple[str, str], Decimal] = field(default_factory=dict)
    """Signed, by market and position side; less what a fee took of what was bought."""
    trades: dict[str, Trade] = field(default_factory=dict)
    """Of the desk's orders, by the id that its fill must have."""
    taken: dict[str, set[int]] = field(default_factory=dict)
    """The venue's ids of the orders that it took, by ours."""
    broken: list[str] = field(default_factory=list)
    gone: dict[str, Order] = field(default_factory=dict)
    """What the desk has booked as closed elsewhere."""
    forgotten: frozenset[str] = frozenset()
    """Orders of a desk that has lost its history: to the next one they are a stranger's."""
    perhaps: set[str] = field(default_factory=set)
    """Their trades since."""
    others_act: bool = False
    """Somebody else, or the venue itself, is the one who acts now."""
    venue_name: str = "engine"
    """What the ids of its fills begin with."""
    others_traded = False
    """What is at the venue is not the desk's alone."""

    def __post_init__(self) -> None:
        self.exchange.engine.listen(self.see)

    @contextmanager
    def looking_away(self) -> Iterator[None]:
        self.others_act = True
        try:
            yield
        finally:
            self.others_act = False

    def see(self, told: Told) -> None:
        if isinstance(told, AlgoTold) and told.algo.status == "NEW":
            self._take(told.algo)
        if isinstance(told, OrderTold):
            if told.kind == "NEW" and not told.order.algo_id:
                self._take(told.order)
            if told.kind == "CANCELED":
                self._see_cancel(told.order)
            if told.trade is not None:
                self._see_trade(told.order, told.trade)

    def _take(self, theirs: Theirs | Algo) -> None:
        ids = self.taken.setdefault(theirs.client_id, set())
        ids.add(theirs.id)
        if theirs.client_id.startswith(TAG) and len(ids) > 1:
            self.broken.append(f"{theirs.client_id} was sent twice")

    def _see_cancel(self, order: Theirs) -> None:
        if not self.others_act and not self._owner(order).startswith(TAG):
            self.broken.append(f"{order.client_id} is a stranger's and was cancelled")

    def _see_trade(self, order: Theirs, trade: Trade) -> None:
        owner = self._owner(order)
        if not owner.startswith(TAG):
            self.others_traded = True
            return
        key = (trade.symbol, trade.position_side)
        before = self.traded.get(key, ZERO) + self._booked_out(trade)
        if role_of(owner) is not OrderRole.ENTRY and not _reduces(before, trade):
            self.broken.append(f"{owner} sold {trade.quantity} of {before} that are ours: {key}")
        if owner in self.forgotten:
            self.perhaps.add(f"{self.venue_name}:{trade.symbol}:{trade.id}")
        self.traded[key] = self.traded.get(key, ZERO) + bought(self.exchange, trade)
        if self.exchange.spot and self.traded[key] < ZERO:
            self.broken.append(f"{owner} sold {trade.symbol} that was never bought")
        self.trades[f"{self.venue_name}:{trade.symbol}:{trade.id}"] = trade

    def begin_anew(self) -> None:
        """The desk has lost its history: nothing that was traded before is in its books."""
        self.trades.clear()
        self.perhaps.clear()
        self.forgotten = frozenset(self.taken)
        self.others_traded = True

    def _booked_out(self, trade: Trade) -> Decimal:
        """What the desk knows to be gone from where this trade belongs, signed."""
        symbol = self.exchange.symbol(trade.symbol)
        hedged = {"LONG": Side.BUY, "SHORT": Side.SELL}.get(trade.position_side)
        gone = (
            order.filled * order.side.sign
            for order in self.gone.values()
            if order.symbol == symbol and hedged in {None, order.side.opposite}
        )
        return sum(gone, ZERO)

    def remember(self, orders: Iterable[Order]) -> None:
        """Note what the desk's books say was closed elsewhere."""
        gone = (o for o in orders if o.reason == ExitReason.EXTERNAL.value and o.filled)
        self.gone.update({order.id: order for order in gone})

    async def forget_unsaved(self, store: Store) -> None:
        """The desk has died: what its history does not have, the next one books anew."""
        self.gone = {i: o for i, o in self.gone.items() if await store.order(i) is not None}

    def _owner(self, order: Theirs) -> str:
        """The client id of the order, or of the conditional order it came of."""
        if isinstance(self.exchange.engine, SwapEngine) and order.algo_id:
            return self.exchange.engine.algos[order.algo_id].client_id
        return order.client_id

    def ours(self, symbol: Symbol, side: Side) -> Decimal:
        """Unsigned."""
        market = self.exchange.market(symbol)
        found = (q for (m, _), q in self.traded.items() if m == market)
        return sum((max(ZERO, q * side.sign) for q in found), ZERO)

    def worth(self, prices: Mapping[str, Decimal]) -> Decimal:
        """What all those trades have brought, at *prices* by market, less fees; in quote."""
        total = ZERO
        for trade in self.trades.values():
            base = self.exchange.engine.rules[trade.symbol].base
            fee = trade.fee * (trade.price if trade.fee_asset == base else 1)
            gross = sign(trade.side) * trade.quantity * trade.price
            total -= gross + (fee if trade.fee_asset != base else ZERO)
        for (market, _), quantity in self.traded.items():
            total += quantity * prices[market]
        return total


def bought(exchange: Exchange, trade: Trade) -> Decimal:
    """Signed; less what the fee took of it."""
    in_base = trade.fee_asset == exchange.engine.rules[trade.symbol].base
    return sign(trade.side) * trade.quantity - (trade.fee if in_base else ZERO)


def _reduces(before: Decimal, trade: Trade) -> bool:
    change = sign(trade.side) * trade.quantity
    return before * change < 0 and abs(change) <= abs(before)


class Operator:
    """Trades on the desk's account by hand.  What the venue refuses is not done."""

    def __init__(self, exchange: Exchange, witness: Witness) -> None:
        self.exchange = exchange
        self.witness = witness
        self.moved_money = False
        self.resting: list[Theirs] = []
        self._numbers = itertools.count(1)

    def rest(self, symbol: Symbol, side: Side) -> None:
        rules = self.exchange.rules(symbol)
        price = (self.exchange.engine.price(rules.symbol) or ZERO) * (1 - side.sign * ONE / 40)
        away = price // rules.tick * rules.tick
        with self.witness.looking_away():
            placed = self._place(symbol, side, "LIMIT", ONE, price=away)
        if placed is not None:
            self.resting.append(placed)

    def buy(self, symbol: Symbol, side: Side) -> None:
        """More, on one side or the other."""
        with self.witness.looking_away():
            self._place(symbol, side, "MARKET", Decimal(2))

    def close(self, symbol: Symbol, share: Decimal) -> None:
        """Sell what the desk holds; on spot its stop has to go first."""
        with self.witness.looking_away():
            for side in Side:
                held = self._held(symbol, side)
                lot = self.exchange.rules(symbol).lot
                quantity = held * share // lot * lot
                if quantity:
                    self._free(symbol)
                    self._place(symbol, side.opposite, "MARKET", quantity, closes=side)

    def _held(self, symbol: Symbol, side: Side) -> Decimal:
        engine = self.exchange.engine
        if isinstance(engine, SpotEngine):
            return self.witness.ours(symbol, side)
        amounts = (p.amount for p in engine.positions(self.exchange.market(symbol)))
        return sum((max(ZERO, a * side.sign) for a in amounts), ZERO)

    def _free(self, symbol: Symbol) -> None:
        if self.exchange.spot:
            for order in self.exchange.engine.open_orders(self.exchange.market(symbol)):
                if order.side == "SELL" and self.exchange.engine.orders[order.id].is_open:
                    self.exchange.engine.cancel(order.symbol, order_id=order.id)
            self.resting = [o for o in self.resting if o.side != "SELL"]

    def cancel_a_stop(self) -> None:
        """One of the desk's, on the venue's own page."""
        engine = self.exchange.engine
        with self.witness.looking_away():
            if isinstance(engine, SwapEngine):
                for algo in engine.open_algos()[:1]:
                    engine.cancel_algo(algo_id=algo.id)
            else:
                for order in [o for o in engine.open_orders() if o.trigger is not None][:1]:
                    engine.cancel(order.symbol, order_id=order.id)

    def liquidate(self, symbol: Symbol) -> None:
        engine = self.exchange.engine
        if not isinstance(engine, SwapEngine):
            return
        with self.witness.looking_away():
            for position in engine.positions(self.exchange.market(symbol)):
                if position.amount:
                    engine.liquidate(position.symbol, position.side)
                    self.resting = [o for o in self.resting if o.symbol != position.symbol]

    def fund(self, symbol: Symbol, rate: Decimal) -> None:
        if isinstance(self.exchange.engine, SwapEngine):
            self.moved_money = True
            self.exchange.engine.pay_funding(self.exchange.market(symbol), rate)

    def transfer(self, amount: Decimal) -> None:
        self.moved_money = True
        if isinstance(self.exchange.engine, SpotEngine):
            self.exchange.engine.deposit(self.exchange.symbols[0].quote, amount)
        else:
            self.exchange.engine.transfer(amount)

    def still_resting(self) -> bool:
        """What rests of theirs has only ever ended by trading, or by the venue's own rules."""
        now = [self.exchange.engine.orders[order.id] for order in self.resting]
        return all(order.status != "CANCELED" for order in now)

    def _place(
        self,
        symbol: Symbol,
        side: Side,
        kind: str,
        quantity: Decimal,
        *,
        price: Decimal = ZERO,
        closes: Side | None = None,
    ) -> Theirs | None:
        hedge = isinstance(self.exchange.engine, SwapEngine) and self.exchange.engine.hedge
        wish = Wish(
            symbol=self.exchange.market(symbol),
            side=side.name,
            type=kind,
            quantity=quantity,
            price=price,
            client_id=f"hand-{next(self._numbers)}",
            position_side=(closes or side).held.upper() if hedge else "BOTH",
            reduce_only=closes is not None and not hedge and not self.exchange.spot,
        )
        try:
            return self.exchange.engine.place(wish)
        except Refusal:
            return None
