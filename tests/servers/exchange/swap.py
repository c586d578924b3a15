"""The account of USDT-margined perpetuals: one wallet, positions, conditional orders, funding.

Cross margin only: the margin type is kept and told, and changes no figure.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal

from tests.servers.exchange.engine import Engine, Number, WallClock, at_one_moment, money, trailed
from tests.servers.exchange.refusals import Refusal, Why
from tests.servers.exchange.rules import Rules, check_swap
from tests.servers.exchange.values import (
    LIMITS,
    ZERO,
    AccountTold,
    Algo,
    AlgoTold,
    LeverageTold,
    Order,
    OrderTold,
    Position,
    Trade,
    Trigger,
    Wish,
    opposite,
    sign,
)

CONDITIONAL = {"STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"}
MARGIN = "USDT"
SIDES = {False: ("BOTH",), True: ("LONG", "SHORT")}


class SwapEngine(Engine):
    """`wallet` is settled USDT; `marks` follow the last price unless the test sets them.

    `children_keep_id`: a triggered conditional order's child carries its client id, else an id of
    the venue's making, and only the conditional order tells which child is its own.
    """

    def __init__(
        self,
        *,
        rules: Iterable[Rules],
        clock: WallClock,
        wallet: Number,
        hedge: bool = False,
        leverage: int = 20,
        maker_fee: Decimal = Decimal("0.0002"),
        taker_fee: Decimal = Decimal("0.0005"),
        children_keep_id: bool = False,
    ) -> None:
        super().__init__(rules=rules, clock=clock, maker_fee=maker_fee, taker_fee=taker_fee)
        self.wallet = Decimal(wallet)
        self.hedge = hedge
        self.leverages = dict.fromkeys(self.rules, leverage)
        self.margin_types = dict.fromkeys(self.rules, "CROSSED")
        self.marks: dict[str, Decimal] = {}
        self.funding_rate = Decimal("0.0001")
        self.algos: dict[int, Algo] = {}
        self.children_keep_id = children_keep_id
        self._positions: dict[tuple[str, str], Position] = {}
        self._algo_ids = itertools.count(2_000_001)

    # --- prices and positions ---

    def mark(self, symbol: str) -> Decimal | None:
        return self.marks.get(symbol) or self.price(symbol)

    def set_mark(self, symbol: str, price: Number) -> None:
        """Pin the mark price; may trigger what waits for it, and liquidate."""
        self.marks[symbol] = Decimal(price)
        self._settle(symbol)

    def position(self, symbol: str, side: str = "BOTH") -> Position:
        return self._positions.get((symbol, side), Position(symbol=symbol, side=side))

    def positions(self, symbol: str | None = None) -> list[Position]:
        """Those that are or were open."""
        return [p for p in self._positions.values() if symbol in {None, p.symbol}]

    def set_position(
        self, symbol: str, amount: Number, entry: Number, *, side: str = "BOTH"
    ) -> None:
        """As if somebody with the same account had traded elsewhere, without a trade to show."""
        self._hold(
            Position(
                symbol=symbol,
                side=side,
                amount=Decimal(amount),
                entry=Decimal(entry),
                updated=self.now,
            )
        )
        self._tell_account("ORDER", symbol)

    def profit(self) -> Decimal:
        """Unrealised, over all positions."""
        return sum((p.profit(self._mark_of(p)) for p in self.positions()), ZERO)

    def maintenance(self) -> Decimal:
        return sum((self.maintenance_of(p) for p in self.positions()), ZERO)

    def maintenance_of(self, position: Position) -> Decimal:
        notional = abs(position.amount) * self._mark_of(position)
        return notional * self.rules[position.symbol].maintenance

    def margin_of(self, position: Position) -> Decimal:
        notional = abs(position.amount) * self._mark_of(position)
        return notional / self.leverages[position.symbol]

    def orders_margin(self) -> Decimal:
        opening = (order for order in self.open_orders() if not order.wish.reduce_only)
        return sum((self._margin_for(order.wish, order.remaining) for order in opening), ZERO)

    def available(self) -> Decimal:
        used = sum((self.margin_of(position) for position in self.positions()), ZERO)
        return self.wallet + self.profit() - used - self.orders_margin()

    def liquidation_price(self, position: Position) -> Decimal:
        """Where the cross margin would be used up by this position alone; 0 when nowhere."""
        if not position.amount:
            return ZERO
        others = [p for p in self.positions() if p != position]
        buffer = self.wallet + sum(
            (p.profit(self._mark_of(p)) - self.maintenance_of(p) for p in others), ZERO
        )
        share = self.rules[position.symbol].maintenance
        keeps = position.amount - abs(position.amount) * share
        return max(ZERO, (position.amount * position.entry - buffer) / keeps)

    # --- the account, as its owner or the venue changes it ---

    def set_leverage(self, symbol: str, leverage: int) -> None:
        if not 1 <= leverage <= self._known(symbol).max_leverage:
            raise Refusal(Why.BAD_LEVERAGE)
        self.leverages[symbol] = leverage
        self._tell(LeverageTold(symbol=symbol, leverage=leverage, time=self.now))

    def set_margin_type(self, symbol: str, margin_type: str) -> None:
        self._known(symbol)
        if self.margin_types[symbol] == margin_type:
            raise Refusal(Why.SAME_MARGIN_TYPE)
        self.margin_types[symbol] = margin_type

    def set_hedge(self, hedge: bool) -> None:
        if hedge == self.hedge:
            raise Refusal(Why.SAME_POSITION_MODE)
        if self.open_orders() or self.open_algos():
            raise Refusal(Why.POSITION_MODE_WITH_ORDERS)
        if any(position.amount for position in self.positions()):
            raise Refusal(Why.POSITION_MODE_WITH_POSITIONS)
        self.hedge = hedge
        self._positions.clear()

    def transfer(self, amount: Number) -> None:
        """Into (positive) or out of the futures wallet."""
        self._credit("TRANSFER", Decimal(amount))
        self._tell_account("DEPOSIT" if Decimal(amount) > 0 else "WITHDRAW")

    def pay_funding(self, symbol: str, rate: Number) -> None:
        """Longs pay *rate* of the notional to shorts; only the wallet is told, as for cross."""
        self.funding_rate = Decimal(rate)
        for position in self.positions(symbol):
            if position.amount:
                due = money(-position.amount * self._mark_of(position) * self.funding_rate)
                self._credit("FUNDING_FEE", due, symbol=symbol)
        self._tell_account("FUNDING_FEE")

    def liquidate(self, symbol: str, side: str = "BOTH") -> None:
        """Close the position by force at the mark price; its open orders go first."""
        self._clear_orders(symbol)
        position = self.position(symbol, side)
        self._force(position, abs(position.amount), "LIQUIDATION", f"autoclose-{self.now}")
        if self.wallet < 0:
            self._credit("INSURANCE_CLEAR", -self.wallet, symbol=symbol)
            self._tell_account("INSURANCE_CLEAR")
        self._settle(symbol)

    def deleverage(self, symbol: str, quantity: Number, *, side: str = "BOTH") -> None:
        """Auto-deleveraging: part of a winning position is closed against somebody's loss."""
        self._force(self.position(symbol, side), Decimal(quantity), "ADL", "adl_autoclose")
        self._settle(symbol)

    def delist(self, symbol: str) -> None:
        """Every position is settled at the mark price first, as contracts are."""
        self._clear_orders(symbol)
        for algo in self.open_algos(symbol):
            self._end_algo(algo, "EXPIRED")
        for position in self.positions(symbol):
            name = f"settlement_autoclose-{self.now}"
            self._force(position, abs(position.amount), "LIQUIDATION", name)
        super().delist(symbol)

    # --- orders ---

    @at_one_moment
    def place(self, wish: Wish) -> Order:
        if wish.type in CONDITIONAL:
            raise Refusal(Why.STOP_ELSEWHERE)
        if wish.type not in {"LIMIT", "MARKET"}:
            raise Refusal(Why.BAD_TYPE)
        self._check(wish)
        if wish.client_id and self.is_taken(wish.client_id):
            raise Refusal(Why.DUPLICATE_ID)
        crowd = len(self.open_orders(wish.symbol))
        if wish.type == "LIMIT" and crowd >= self.rules[wish.symbol].max_orders:
            raise Refusal(Why.TOO_MANY_ORDERS)
        self._refuse_by_account(wish)
        order = self._accept(wish, quantity=wish.quantity)
        self._work(order.id)
        self._settle(wish.symbol)
        return self.orders[order.id]

    def place_algo(self, wish: Wish) -> Algo:
        """A conditional order; margin and reduce-only are looked at when it triggers, not now."""
        if wish.type not in CONDITIONAL:
            raise Refusal(Why.BAD_TYPE)
        self._check(wish)
        self._refuse_algo(wish)
        trigger = self._trigger_of(wish)
        price = self._working_price(wish)
        if price is not None and trigger.reached(price):
            raise Refusal(Why.WOULD_TRIGGER)
        algo_id = next(self._algo_ids)
        algo = Algo(
            id=algo_id,
            client_id=wish.client_id or f"venue-algo-{algo_id}",
            wish=wish,
            trigger=trigger,
            status="NEW",
            created=self.now,
            updated=self.now,
        )
        self._keep_algo(algo)
        self._settle(wish.symbol)
        return self.algos[algo_id]

    def find_algo(self, *, algo_id: int = 0, client_id: str = "") -> Algo | None:
        """By client id the latest one."""
        if algo_id:
            return self.algos.get(algo_id)
        named = [algo for algo in self.algos.values() if algo.client_id == client_id]
        return named[-1] if named else None

    def open_algos(self, symbol: str | None = None) -> list[Algo]:
        algos = self.algos.values()
        return [algo for algo in algos if algo.is_open and symbol in {None, algo.wish.symbol}]

    def cancel_algo(self, *, algo_id: int = 0, client_id: str = "") -> Algo:
        algo = self.find_algo(algo_id=algo_id, client_id=client_id)
        if algo is None or not algo.is_open:
            raise Refusal(Why.UNKNOWN_ORDER)
        return self._end_algo(algo, "CANCELED")

    def cancel_algos(self, symbol: str) -> None:
        for algo in self.open_algos(symbol):
            self._end_algo(algo, "CANCELED")

    # --- checks ---

    def _check(self, wish: Wish) -> None:
        rules = self._known(wish.symbol)
        if wish.symbol in self.halted:
            raise Refusal(Why.HALTED)
        if wish.position_side not in SIDES[self.hedge]:
            raise Refusal(Why.WRONG_POSITION_SIDE)
        if self.hedge and wish.reduce_only:
            raise Refusal(Why.REDUCE_ONLY_IN_HEDGE)
        check_swap(rules, wish, self.mark(wish.symbol))

    def _refuse_by_account(self, wish: Wish) -> None:
        limit = wish.price if wish.type in LIMITS else None
        if wish.time_in_force == "GTX" and any(
            self.books[wish.symbol].crossing(wish.side, wish.price)
        ):
            raise Refusal(Why.WOULD_TAKE)
        if wish.time_in_force == "FOK" and (
            self.books[wish.symbol].available(wish.side, limit) < wish.quantity
        ):
            raise Refusal(Why.CANNOT_FILL)
        if self._only_reduces(wish) and not self._closable(wish):
            raise Refusal(Why.NOTHING_TO_REDUCE)
        if self._margin_for(wish, wish.quantity) > self.available():
            raise Refusal(Why.NO_FUNDS)

    def _refuse_algo(self, wish: Wish) -> None:
        if len(self.open_algos(wish.symbol)) >= self.rules[wish.symbol].max_stops:
            raise Refusal(Why.TOO_MANY_STOPS)
        if wish.client_id and any(algo.client_id == wish.client_id for algo in self.open_algos()):
            raise Refusal(Why.DUPLICATE_ID)
        if wish.close_position:
            same = (a.wish for a in self.open_algos(wish.symbol) if a.wish.close_position)
            family = wish.type.split("_")[0]
            if any(w.side == wish.side and w.type.startswith(family) for w in same):
                raise Refusal(Why.CLOSE_ALL_EXISTS)
            if not self._closable(wish):
                raise Refusal(Why.NO_POSITION)

    def _only_reduces(self, wish: Wish) -> bool:
        if self.hedge:
            return (wish.position_side == "LONG") != (wish.side == "BUY")
        return wish.reduce_only or wish.close_position

    def _closable(self, wish: Wish) -> Decimal:
        """How much of a position an order of this side could close."""
        amount = self.position(wish.symbol, wish.position_side).amount
        return max(ZERO, -amount * sign(wish.side))

    def _margin_for(self, wish: Wish, quantity: Decimal) -> Decimal:
        """What *quantity* takes beyond what it closes."""
        if self._only_reduces(wish):
            return ZERO
        opening = max(ZERO, quantity - self._closable(wish))
        price = wish.price or self.mark(wish.symbol) or ZERO
        return opening * price / self.leverages[wish.symbol]

    def _working_price(self, wish: Wish) -> Decimal | None:
        marked = wish.working_type == "MARK_PRICE"
        return self.mark(wish.symbol) if marked else self.price(wish.symbol)

    def _trigger_of(self, wish: Wish) -> Trigger:
        falling = (wish.side == "SELL") != wish.type.startswith("TAKE_PROFIT")
        trigger = Trigger(
            price=wish.stop_price,
            falling=falling,
            trail=wish.callback_rate / 100,
            activation=wish.stop_price,
        )
        price = self._working_price(wish)
        return trailed(trigger, price) if price is not None else trigger

    # --- what trades change ---

    def _tradable(self, order: Order) -> Decimal:
        if order.forced or not self._only_reduces(order.wish):
            return order.remaining
        return min(order.remaining, self._closable(order.wish))

    def _book_trade(self, order: Order, price: Decimal, quantity: Decimal, *, maker: bool) -> Trade:
        wish = order.wish
        before = self.position(wish.symbol, wish.position_side)
        after, realized = _traded(before, sign(wish.side) * quantity, price)
        self._hold(replace(after, updated=self.now))
        fee = money(price * quantity * (self.maker_fee if maker else self.taker_fee))
        trade_id = next(self._trade_ids)
        if realized:
            self._credit("REALIZED_PNL", realized, symbol=wish.symbol, trade_id=trade_id)
        self._credit("COMMISSION", -fee, symbol=wish.symbol, trade_id=trade_id)
        return Trade(
            id=trade_id,
            order_id=order.id,
            symbol=wish.symbol,
            side=wish.side,
            price=price,
            quantity=quantity,
            fee=fee,
            fee_asset=MARGIN,
            maker=maker,
            time=self.now,
            position_side=wish.position_side,
            realized=realized,
        )

    def _tell_trade(self, told: OrderTold) -> None:
        order = told.order
        self._tell_account("ORDER", order.symbol)
        self._tell(told)
        if not self.position(order.symbol, order.wish.position_side).amount:
            self._end_what_only_reduces(order)

    def _end_what_only_reduces(self, order: Order) -> None:
        """Flat: the venue expires resting reduce-only orders and close-all conditionals."""
        side = order.wish.position_side
        for other in self.open_orders(order.symbol):
            same = other.id != order.id and other.wish.position_side == side
            if same and self._only_reduces(other.wish) and not other.forced:
                self._end(other.id, "EXPIRED")
        for algo in self.open_algos(order.symbol):
            if algo.wish.close_position and algo.wish.position_side == side:
                self._end_algo(algo, "EXPIRED")

    def _hold(self, position: Position) -> None:
        self._positions[position.symbol, position.side] = position

    def _credit(self, kind: str, amount: Decimal, *, symbol: str = "", trade_id: int = 0) -> None:
        self.wallet += amount
        self._move(kind, MARGIN, amount, symbol=symbol, trade_id=trade_id)

    def _tell_account(self, reason: str, symbol: str | None = None) -> None:
        changed = tuple(self.positions(symbol)) if symbol else ()
        self._tell(AccountTold(reason=reason, time=self.now, assets=(MARGIN,), positions=changed))

    def _mark_of(self, position: Position) -> Decimal:
        return self.mark(position.symbol) or position.entry

    # --- conditional orders ---

    def _trigger_one(self, symbol: str) -> bool:
        if symbol in self.halted:
            return False
        for algo in self.open_algos(symbol):
            price = self._working_price(algo.wish)
            if price is None:
                continue
            trigger = trailed(algo.trigger, price)
            if trigger.reached(price):
                self._let_go(replace(algo, trigger=trigger))
                return True
            self.algos[algo.id] = replace(algo, trigger=trigger)
        return self._liquidate_if_due()

    def _let_go(self, algo: Algo) -> None:
        algo = replace(algo, triggered=self.now)
        self._keep_algo(replace(algo, status="TRIGGERING"))
        wish = self._child_of(algo)
        try:
            self._refuse_by_account(wish)
        except Refusal as why:
            self._end_algo(replace(algo, failure=why.why), "REJECTED")
            return
        child = self._accept(wish, quantity=wish.quantity, algo_id=algo.id)
        self._keep_algo(replace(algo, status="TRIGGERED", order_id=child.id))
        self._work(child.id)

    def _child_of(self, algo: Algo) -> Wish:
        wish = algo.wish
        priced = wish.type in {"STOP", "TAKE_PROFIT"}
        return replace(
            wish,
            type="LIMIT" if priced else "MARKET",
            quantity=self._closable(wish) if wish.close_position else wish.quantity,
            client_id=algo.client_id if self.children_keep_id else "",
            stop_price=ZERO,
        )

    def _ended(self, order: Order) -> None:
        algo = self.algos.get(order.algo_id)
        if algo and algo.status == "TRIGGERED":
            self._keep_algo(replace(algo, status="FINISHED"))

    def _end_algo(self, algo: Algo, status: str) -> Algo:
        self._keep_algo(replace(algo, status=status))
        return self.algos[algo.id]

    def _keep_algo(self, algo: Algo) -> None:
        self.algos[algo.id] = replace(algo, updated=self.now)
        self._tell(AlgoTold(algo=self.algos[algo.id], time=self.now))

    # --- by force ---

    def _liquidate_if_due(self) -> bool:
        """Liquidate the largest position while the margin is below its maintenance."""
        held = [position for position in self.positions() if position.amount]
        if not held or self.wallet + self.profit() >= self.maintenance():
            return False
        worst = max(held, key=self.maintenance_of)
        self._clear_orders(worst.symbol)
        self._force(worst, abs(worst.amount), "LIQUIDATION", f"autoclose-{self.now}")
        return True

    def _clear_orders(self, symbol: str) -> None:
        for order in self.open_orders(symbol):
            self._end(order.id, "CANCELED")

    def _force(self, position: Position, quantity: Decimal, why: str, client_id: str) -> None:
        wish = Wish(
            symbol=position.symbol,
            side=opposite("BUY" if position.amount > 0 else "SELL"),
            type="LIMIT",
            quantity=min(quantity, abs(position.amount)),
            price=self._mark_of(position),
            time_in_force="IOC",
            client_id=client_id,
            position_side=position.side,
        )
        if wish.quantity:
            order = self._accept(wish, quantity=wish.quantity, forced=why)
            self._fill(order.id, wish.price, wish.quantity, maker=False)


def _traded(before: Position, change: Decimal, price: Decimal) -> tuple[Position, Decimal]:
    """The position after trading *change* (signed) at *price*, and the profit realised by it."""
    amount = before.amount + change
    if before.amount * change >= 0:
        cost = before.amount * before.entry + change * price
        return replace(before, amount=amount, entry=cost / amount), ZERO
    closed = min(abs(before.amount), abs(change))
    direction = 1 if before.amount > 0 else -1
    realized = money((price - before.entry) * closed * direction)
    flipped = before.amount * amount < 0
    entry = price if flipped else (before.entry if amount else ZERO)
    after = replace(before, amount=amount, entry=entry, realized=before.realized + realized)
    return after, realized
