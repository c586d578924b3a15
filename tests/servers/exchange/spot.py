"""The spot account: balances, stops that wait in the order list, and one-cancels-the-other."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import ROUND_DOWN, Decimal

from tests.servers.exchange.book import crosses
from tests.servers.exchange.engine import Engine, Number, WallClock, at_one_moment, money, trailed
from tests.servers.exchange.refusals import Refusal, Why
from tests.servers.exchange.rules import Rules, check_spot
from tests.servers.exchange.values import (
    LIMITS,
    ZERO,
    AccountTold,
    ListTold,
    Order,
    OrderList,
    OrderTold,
    Trade,
    Trigger,
    Wish,
)

STOPS = {"STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"}
TYPES = {"LIMIT", "MARKET", "LIMIT_MAKER", *STOPS}


class SpotEngine(Engine):
    """`balances` are totals; what open orders lock is always computed from the orders.

    Fees are taken from what is received, or in `fee_asset` (at `fee_asset_price` quote units) as
    with BNB.
    """

    def __init__(
        self,
        *,
        rules: Iterable[Rules],
        clock: WallClock,
        balances: Mapping[str, Number],
        maker_fee: Decimal = Decimal("0.001"),
        taker_fee: Decimal = Decimal("0.001"),
        fee_asset: str = "",
        fee_asset_price: Decimal = Decimal(600),
    ) -> None:
        super().__init__(rules=rules, clock=clock, maker_fee=maker_fee, taker_fee=taker_fee)
        self.balances = {asset: Decimal(total) for asset, total in balances.items()}
        self.fee_asset = fee_asset
        self.fee_asset_price = fee_asset_price
        self.lists: dict[int, OrderList] = {}
        self._list_ids = itertools.count(701)

    # --- balances ---

    def total(self, asset: str) -> Decimal:
        return self.balances.get(asset, ZERO)

    def locked(self, asset: str) -> Decimal:
        """The legs of an order list lock the larger of their needs, not the sum."""
        needs: dict[tuple[str, int], Decimal] = {}
        for order in self.open_orders():
            key = ("list", order.list_id) if order.list_id > 0 else ("order", order.id)
            needs[key] = max(needs.get(key, ZERO), self._need(order, asset))
        return sum(needs.values(), ZERO)

    def free(self, asset: str) -> Decimal:
        return self.total(asset) - self.locked(asset)

    def deposit(self, asset: str, amount: Number) -> None:
        self._transfer("DEPOSIT", asset, Decimal(amount))

    def withdraw(self, asset: str, amount: Number) -> None:
        self._transfer("WITHDRAW", asset, -Decimal(amount))

    def transfer(self, asset: str, amount: Number) -> None:
        """From (positive) or to another wallet of the same owner."""
        self._transfer("TRANSFER", asset, Decimal(amount))

    def _transfer(self, kind: str, asset: str, amount: Decimal) -> None:
        if self.free(asset) + amount < 0:
            raise Refusal(Why.NO_FUNDS)
        self.balances[asset] = self.total(asset) + amount
        self._move(kind, asset, amount)
        self._tell_moved()
        self._tell(AccountTold(reason=kind, time=self.now, assets=(asset,)))

    # --- orders ---

    @at_one_moment
    def place(self, wish: Wish) -> Order:
        wish = self._checked(wish)
        quantity = wish.quantity or self._affordable(wish)
        if not quantity:
            raise Refusal(Why.TOO_SMALL, self.rules[wish.symbol].least)
        self._refuse_unpaid(wish, quantity)
        order = self._accept(wish, quantity=quantity, trigger=self._trigger_of(wish))
        self._tell_account(order)
        if order.working:
            self._work(order.id)
        self._settle(wish.symbol)
        return self.orders[order.id]

    def place_oco(self, above: Wish, below: Wish, *, client_id: str = "") -> OrderList:
        """Two legs of one side, *above* and *below* the market; refused as a whole."""
        legs = [self._checked(leg) for leg in (above, below)]
        price = self.price(above.symbol)
        if price and not _aim(above) > price > _aim(below):
            raise Refusal(Why.WRONG_SIDES)
        for leg in legs:
            self._refuse_unpaid(leg, leg.quantity)
        list_id = next(self._list_ids)
        orders = [
            self._accept(leg, quantity=leg.quantity, trigger=self._trigger_of(leg), list_id=list_id)
            for leg in legs
        ]
        both = OrderList(
            id=list_id,
            client_id=client_id or f"venue-list-{list_id}",
            symbol=above.symbol,
            order_ids=tuple(order.id for order in orders),
            status="EXECUTING",
            time=self.now,
        )
        self.lists[list_id] = both
        self._tell(ListTold(orders=both))
        self._tell_account(orders[0])
        for order in orders:
            if order.working:
                self._work(order.id)
        self._settle(above.symbol)
        return self.lists[list_id]

    def find_list(self, *, list_id: int = 0, client_id: str = "") -> OrderList | None:
        if list_id:
            return self.lists.get(list_id)
        named = (both for both in self.lists.values() if both.client_id == client_id)
        return next(named, None)

    def cancel_list(self, both: OrderList) -> OrderList:
        """Refused when it is done already."""
        if both.status != "EXECUTING":
            raise Refusal(Why.UNKNOWN_ORDER)
        self._end_list(both.id, "CANCELED")
        self._settle(both.symbol)
        return self.lists[both.id]

    # --- checks ---

    def _checked(self, wish: Wish) -> Wish:
        rules = self._known(wish.symbol)
        if wish.symbol in self.halted:
            raise Refusal(Why.HALTED)
        if wish.type not in TYPES:
            raise Refusal(Why.BAD_TYPE)
        if wish.type not in rules.types:
            raise Refusal(Why.TYPE_NOT_TAKEN, wish.type)
        if wish.client_id and self.is_taken(wish.client_id):
            raise Refusal(Why.DUPLICATE_ID)
        self._refuse_crowd(rules, wish)
        if wish.type not in LIMITS:
            wish = replace(wish, price=ZERO)
        check_spot(rules, wish, self.price(wish.symbol))
        if wish.type == "LIMIT_MAKER" and self._would_take(wish):
            raise Refusal(Why.WOULD_TAKE)
        trigger = self._trigger_of(wish)
        price = self.price(wish.symbol)
        if trigger and price is not None and trigger.reached(price):
            raise Refusal(Why.WOULD_TRIGGER)
        return wish

    def _refuse_crowd(self, rules: Rules, wish: Wish) -> None:
        resting = self.open_orders(wish.symbol)
        if wish.type != "MARKET" and len(resting) >= rules.max_orders:
            raise Refusal(Why.TOO_MANY_ORDERS)
        stops = [order for order in resting if order.trigger is not None]
        if wish.type in STOPS and len(stops) >= rules.max_stops:
            raise Refusal(Why.TOO_MANY_STOPS)

    def _would_take(self, wish: Wish) -> bool:
        best = self.books[wish.symbol].best_price("SELL" if wish.side == "BUY" else "BUY")
        return best is not None and crosses(wish.side, wish.price, best)

    def _affordable(self, wish: Wish) -> Decimal:
        """How many base units `quote_quantity` buys or sells for at once, to the lot."""
        left, quantity = wish.quote_quantity, ZERO
        for resting in self.books[wish.symbol].crossing(wish.side, None):
            traded = min(resting.quantity, left / resting.price)
            quantity += traded
            left -= traded * resting.price
        lot = self.rules[wish.symbol].lot
        return (quantity / lot).to_integral_value(ROUND_DOWN) * lot

    def _refuse_unpaid(self, wish: Wish, quantity: Decimal) -> None:
        rules = self.rules[wish.symbol]
        if wish.side == "SELL":
            asset, need = rules.base, quantity
        else:
            unit = wish.price or wish.stop_price
            asset = rules.quote
            need = quantity * unit if unit else self.books[wish.symbol].cost("BUY", quantity)
        if self.free(asset) < need:
            raise Refusal(Why.NO_FUNDS)

    def _trigger_of(self, wish: Wish) -> Trigger | None:
        """A stop loss sells when the price falls and buys when it rises; a take profit reversed."""
        if wish.type not in STOPS:
            return None
        falling = (wish.side == "SELL") == wish.type.startswith("STOP")
        trail = Decimal(wish.trailing_delta) / 10_000
        trigger = Trigger(
            price=wish.stop_price, falling=falling, trail=trail, activation=wish.stop_price
        )
        price = self.price(wish.symbol)
        return trailed(trigger, price) if price is not None else trigger

    # --- what trades change ---

    def _need(self, order: Order, asset: str) -> Decimal:
        rules = self.rules[order.symbol]
        if order.side == "SELL":
            return order.remaining if asset == rules.base else ZERO
        if asset != rules.quote:
            return ZERO
        return order.remaining * (order.wish.price or order.wish.stop_price)

    def _book_trade(self, order: Order, price: Decimal, quantity: Decimal, *, maker: bool) -> Trade:
        rules = self.rules[order.symbol]
        bought = order.side == "BUY"
        given, got = (rules.quote, rules.base) if bought else (rules.base, rules.quote)
        paid, received = (price * quantity, quantity) if bought else (quantity, price * quantity)
        rate = self.maker_fee if maker else self.taker_fee
        fee, fee_asset = money(received * rate), got
        if self.fee_asset:
            fee, fee_asset = money(price * quantity * rate / self.fee_asset_price), self.fee_asset
        for asset, change in ((given, -paid), (got, received), (fee_asset, -fee)):
            self.balances[asset] = self.total(asset) + change
        return Trade(
            id=next(self._trade_ids),
            order_id=order.id,
            symbol=order.symbol,
            side=order.side,
            price=price,
            quantity=quantity,
            fee=fee,
            fee_asset=fee_asset,
            maker=maker,
            time=self.now,
        )

    def _tell_trade(self, told: OrderTold) -> None:
        self._tell(told)
        self._tell_account(told.order)
        self._end_other_legs(told.order)

    def _tell_account(self, order: Order) -> None:
        rules = self.rules[order.symbol]
        assets = [rules.base, rules.quote]
        if self.fee_asset and self.fee_asset not in assets:
            assets.append(self.fee_asset)
        self._tell(AccountTold(reason="ORDER", time=self.now, assets=tuple(assets)))

    def _tradable(self, order: Order) -> Decimal:
        return order.remaining

    # --- what ends or begins with it ---

    def _ended(self, order: Order) -> None:
        both = self.lists.get(order.list_id)
        if order.status != "FILLED":
            self._tell_account(order)
        if both is None or both.status != "EXECUTING":
            return
        if order.status == "CANCELED":
            self._end_list(both.id, "CANCELED")
        elif not any(self.orders[leg].is_open for leg in both.order_ids):
            self._finish_list(both.id)

    def _end_other_legs(self, order: Order) -> None:
        for leg in self._other_legs(order):
            self._end(leg, "EXPIRED")

    def _other_legs(self, order: Order) -> list[int]:
        both = self.lists.get(order.list_id)
        legs = both.order_ids if both else ()
        return [leg for leg in legs if leg != order.id and self.orders[leg].is_open]

    def _end_list(self, list_id: int, status: str) -> None:
        both = self.lists[list_id]
        self._finish_list(list_id)
        for leg in both.order_ids:
            if self.orders[leg].is_open:
                self._end(leg, status)

    def _finish_list(self, list_id: int) -> None:
        self.lists[list_id] = replace(self.lists[list_id], status="ALL_DONE", time=self.now)
        self._tell(ListTold(orders=self.lists[list_id]))

    def _trigger_one(self, symbol: str) -> bool:
        price = self.price(symbol)
        if price is None or symbol in self.halted:
            return False
        for order in self.open_orders(symbol):
            if order.working or order.trigger is None:
                continue
            trigger = trailed(order.trigger, price)
            if trigger.reached(price):
                self._let_go(replace(order, trigger=trigger))
                return True
            self.orders[order.id] = replace(order, trigger=trigger)
        return False

    def _let_go(self, order: Order) -> None:
        order = replace(order, working=True, working_since=self.now, updated=self.now)
        self.orders[order.id] = order
        self._end_other_legs(order)
        self._tell(OrderTold(order=order, kind="NEW", time=self.now))
        self._work(order.id)


def _aim(wish: Wish) -> Decimal:
    return wish.stop_price or wish.price
