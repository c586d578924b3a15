"""Gate's private paths about orders, stops and fills of both markets."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

from tests.servers.exchange import orders
from tests.servers.exchange.figures import DAY, INTERVALS
from tests.servers.exchange.orders import Shown
from tests.servers.exchange.paging import between
from tests.servers.exchange.refusals import Refusal, Why
from tests.servers.exchange.values import ZERO, Trade, Wish
from tests.servers.exchange.wires.base import Ask, Said, Site
from tests.servers.exchange.wires.gate import rendering
from tests.servers.exchange.wires.gate.market import Market
from tests.servers.exchange.wires.gate.rendering import is_swap
from tests.servers.exchange.wires.gate.words import invalid, missing

Json = Any
T = TypeVar("T")
TEXT = re.compile(r"t-[0-9A-Za-z_.-]{1,28}")
TIFS = {"gtc": "GTC", "ioc": "IOC", "fok": "FOK", "poc": "GTC"}
LONGEST = 30 * DAY // 1000
"""Seconds that a stop of spot may wait."""
UNFILLED_FOR = INTERVALS["1h"]
"""How long an order of spot that ended without a fill is still known."""


class Trading:
    """Each public method is a path's.  `expirations`: how long each stop waits, in seconds."""

    def __init__(self, site: Site, market: Market) -> None:
        self._engine = site.engine
        self._market = market
        self.expirations: dict[int, int] = {}
        self._expired: set[int] = set()

    # --- placing ---

    def place(self, ask: Ask) -> Json:
        wish = self._swap_wish(ask) if is_swap(self._engine) else self._spot_wish(ask)
        return rendering.order(self._engine, orders.place(self._engine, wish))

    def place_batch(self, ask: Ask) -> Json:
        """Ten at most; each is taken or refused on its own."""
        asked = ask.params.get("batch") or []
        if not 1 <= len(asked) <= 10:
            raise invalid("orders")
        return [self._one_of_many(ask, one) for one in asked]

    def _one_of_many(self, ask: Ask, one: Json) -> Json:
        part = Ask(params={**one, "settle": ask.text("settle")}, key=ask.key, hidden=ask.hidden)
        named = {"text": part.text("text")}
        try:
            return self.place(part) | {"succeeded": True, "label": "", "message": ""}
        except Said as said:
            return named | {"succeeded": False, "label": said.code, "message": said.text}
        except Refusal as why:
            return named | {"succeeded": False, "label": why.why, "message": str(why)}

    def _spot_wish(self, ask: Ask) -> Wish:
        symbol, side, kind = self._market.symbol(ask), ask.text("side"), ask.text("type", "limit")
        if side not in {"buy", "sell"}:
            raise invalid("side")
        if kind not in {"limit", "market"}:
            raise Refusal(Why.BAD_TYPE, kind)
        if ask.text("account", "spot") != "spot":
            raise invalid("account")
        tif = ask.text("time_in_force", "gtc")
        if tif not in TIFS or (kind == "market" and tif not in {"ioc", "fok"}):
            raise invalid("time_in_force")
        amount, price = ask.decimal("amount"), ask.decimal("price") if kind == "limit" else ZERO
        if not amount:
            raise invalid("amount")
        if kind == "limit" and not price:
            raise invalid("price")
        in_quote = kind == "market" and side == "buy"
        return orders.wish(
            self._engine,
            symbol,
            side.upper(),
            quantity=ZERO if in_quote else amount,
            cost=amount if in_quote else ZERO,
            price=price,
            tif=TIFS[tif],
            post_only=tif == "poc",
            client_id=self._text(ask),
        )

    def _text(self, ask: Ask) -> str:
        """Ours begins with `t-`."""
        text = ask.text("text")
        if text and not TEXT.fullmatch(text):
            raise invalid("text")
        return text

    def _swap_wish(self, ask: Ask) -> Wish:
        if not self._market.settles_here(ask):
            raise Refusal(Why.UNKNOWN_SYMBOL, ask.text("contract"))
        price, tif = ask.decimal("price"), ask.text("tif", "gtc")
        if tif not in TIFS or (not price and tif not in {"ioc", "fok"}):
            raise invalid("tif")
        return self._sized(
            ask,
            price=price,
            tif=TIFS[tif],
            post_only=tif == "poc",
            client_id=self._text(ask),
        )

    def _sized(self, ask: Ask, *, price: Decimal, **more: Any) -> Wish:
        """Whole contracts; the sign is the side.  In dual mode `reduce_only` says which leg."""
        symbol = self._market.symbol(ask)
        try:
            size = Decimal(ask.text("size", "0"))
        except InvalidOperation:
            raise invalid("size") from None
        if not size or size != size.to_integral_value():
            raise invalid("size")
        side, reduces = ("BUY" if size > 0 else "SELL"), ask.flag("reduce_only")
        leg = "BOTH"
        if self._engine.hedge:
            leg = "LONG" if (side == "BUY") != reduces else "SHORT"
        return orders.wish(
            self._engine,
            symbol,
            side,
            quantity=abs(size) * self._engine.rules[symbol].contract,
            price=price,
            reduce_only=reduces,
            position_side=leg,
            **more,
        )

    # --- stops ---

    def place_stop(self, ask: Ask) -> Json:
        """Answered with its id alone; what a trigger's own `text` says is not read."""
        wish, expiration = self._swap_stop(ask) if is_swap(self._engine) else self._spot_stop(ask)
        shown = orders.place(self._engine, wish)
        self.expirations[shown.id] = expiration
        return {"id": shown.stop_id}

    def _spot_stop(self, ask: Ask) -> tuple[Wish, int]:
        """It waits as many seconds as it says, a month at most, and has no id of ours."""
        trigger, put = ask.params.get("trigger") or {}, ask.params.get("put") or {}
        expiration = int(trigger.get("expiration") or 0)
        if trigger.get("rule") not in {"<=", ">="} or not 1 <= expiration <= LONGEST:
            raise invalid("trigger")
        if put.get("account", "normal") != "normal":
            raise invalid("put.account")
        inner = {**put, "account": "spot", "currency_pair": ask.text("market"), "text": ""}
        if inner.get("type") == "market":
            inner["time_in_force"] = "ioc"
        wish = self._spot_wish(Ask(params=inner, key=ask.key, hidden=ask.hidden))
        return self._waiting(wish, trigger, falling=trigger["rule"] == "<="), expiration

    def _swap_stop(self, ask: Ask) -> tuple[Wish, int]:
        trigger, initial = ask.params.get("trigger") or {}, ask.params.get("initial") or {}
        if trigger.get("rule") not in {1, 2} or trigger.get("price_type", 0) not in {0, 1, 2}:
            raise invalid("trigger")
        inner = Ask(
            params={**initial, "settle": ask.text("settle")}, key=ask.key, hidden=ask.hidden
        )
        text = inner.text("text")
        price = inner.decimal("price")
        wish = self._sized(
            inner,
            price=price,
            client_id=text if TEXT.fullmatch(text) else "",
            mark=trigger.get("price_type", 0) != 0,
        )
        falling = trigger["rule"] == 2
        self._refuse_reached(wish, Decimal(str(trigger["price"])), falling=falling)
        expiration = int(trigger.get("expiration") or 0)
        return self._waiting(wish, trigger, falling=falling), expiration

    def _refuse_reached(self, wish: Wish, trigger: Decimal, *, falling: bool) -> None:
        last = self._engine.price(wish.symbol)
        if last is None:
            return
        text = "invalid argument: Trigger.Price must {} last_price"
        if falling and trigger >= last:
            raise Said("AUTO_TRIGGER_PRICE_LESS_LAST", text.format("<"), 400)
        if not falling and trigger <= last:
            raise Said("AUTO_TRIGGER_PRICE_GREATE_LAST", text.format(">"), 400)

    def _waiting(self, wish: Wish, trigger: Json, *, falling: bool) -> Wish:
        return orders.wish(
            self._engine,
            wish.symbol,
            wish.side,
            quantity=wish.quantity,
            cost=wish.quote_quantity,
            price=wish.price,
            trigger=Decimal(str(trigger.get("price") or 0)),
            falling=falling,
            tif=wish.time_in_force,
            client_id=wish.client_id,
            reduce_only=wish.reduce_only,
            position_side=wish.position_side,
            mark=wish.working_type == "MARK_PRICE",
        )

    def expire(self) -> None:
        """Stops whose time is over."""
        for shown in orders.orders(self._engine):
            seconds = self.expirations.get(shown.id, 0)
            over = seconds and self._engine.now >= shown.created + seconds * 1000
            if over and shown.state == orders.WAITING:
                self._expired.add(shown.id)
                orders.cancel(self._engine, shown)

    # --- cancelling: done when it is answered ---

    def cancel(self, ask: Ask) -> Json:
        shown = self._named(ask)
        if not shown.is_open:
            ended = {orders.FILLED: "ORDER_CLOSED"}.get(shown.state, "ORDER_CANCELLED")
            raise Said("ORDER_FINISHED" if is_swap(self._engine) else ended, "order finished", 400)
        orders.cancel(self._engine, shown)
        return self._rendered(self._again(shown))

    def cancel_all(self, ask: Ask) -> Json:
        symbol = self._market.symbol(ask)
        gone = [shown for shown in self._placed(ask, symbol) if shown.is_open]
        for shown in gone:
            orders.cancel(self._engine, shown)
        return [self._rendered(self._again(shown)) for shown in gone]

    def cancel_stop(self, ask: Ask) -> Json:
        shown = self._named_stop(ask)
        if shown.state != orders.WAITING:
            raise Refusal(Why.UNKNOWN_ORDER)
        orders.cancel(self._engine, shown)
        return self._rendered_stop(self._again(shown))

    def cancel_stops(self, ask: Ask) -> Json:
        gone = [shown for shown in self._stops(ask) if shown.state == orders.WAITING]
        for shown in gone:
            orders.cancel(self._engine, shown)
        return [self._rendered_stop(self._again(shown)) for shown in gone]

    def _again(self, shown: Shown) -> Shown:
        found = orders.find(self._engine, order_id=shown.id)
        assert found is not None
        return found

    # --- finding ---

    def order(self, ask: Ask) -> Json:
        return self._rendered(self._named(ask))

    def _named(self, ask: Ask) -> Shown:
        """By the exchange's id; by ours only while it is open."""
        named = ask.text("order_id")
        symbol = "" if is_swap(self._engine) else self._market.symbol(ask)
        by_text = named.startswith("t-")
        found = [
            shown
            for shown in self._placed(ask, symbol)
            if (
                shown.is_open and not shown.stop and shown.wish.client_id == named
                if by_text
                else str(shown.order_id) == named
            )
        ]
        if not found and by_text and not is_swap(self._engine):
            raise Said("CLIENT_ID_NOT_FOUND", "Order with given client id not found", 404)
        if not found:
            raise Refusal(Why.UNKNOWN_ORDER)
        return found[-1]

    def open_orders(self, ask: Ask) -> Json:
        """Of spot, by pair: a hundred of each at most."""
        limit = max(1, min(ask.integer("limit", 100), 100))
        start = (max(1, ask.integer("page", 1)) - 1) * limit
        told = []
        for symbol in self._engine.rules:
            found = [shown for shown in self._placed(ask, symbol) if shown.is_open]
            page = orders.newest_first(found)[start : start + limit]
            if page:
                named = rendering.instrument(self._engine, symbol)
                shown = [self._rendered(one) for one in page]
                told.append({"currency_pair": named, "total": len(found), "orders": shown})
        return told

    def orders(self, ask: Ask) -> Json:
        """Needs a `status`; an ended order without a fill is soon forgotten on spot."""
        wanted = ask.text("status")
        if wanted not in {"open", "finished"}:
            raise invalid("status")
        spot = not is_swap(self._engine)
        named = spot or bool(ask.text("contract"))
        symbol = self._market.symbol(ask) if named else ""
        found = [
            shown
            for shown in self._placed(ask, symbol)
            if shown.is_open == (wanted == "open") and not (spot and self._is_gone(shown))
        ]
        return self._page(ask, found, lambda shown: shown.created, self._rendered)

    def orders_by_time(self, ask: Ask) -> Json:
        """Ended ones of perpetuals, from one moment to another."""
        symbol = self._market.symbol(ask) if ask.text("contract") else ""
        found = [shown for shown in self._placed(ask, symbol) if not shown.is_open]
        return self._page(ask, found, lambda shown: shown.created, self._rendered)

    def _is_gone(self, shown: Shown) -> bool:
        unfilled = not shown.is_open and not shown.filled
        return unfilled and shown.updated < int(self._engine.now) - UNFILLED_FOR

    def _placed(self, ask: Ask, symbol: str = "") -> list[Shown]:
        """What is or was in the book."""
        return [
            shown
            for shown in orders.orders(self._engine)
            if shown.child is not None
            and symbol in {"", shown.symbol}
            and not ask.hidden(shown.client_id)
        ]

    def stop(self, ask: Ask) -> Json:
        return self._rendered_stop(self._named_stop(ask))

    def _named_stop(self, ask: Ask) -> Shown:
        """By the exchange's id alone."""
        named = [shown for shown in self._stops(ask) if str(shown.stop_id) == ask.text("order_id")]
        if not named:
            raise Refusal(Why.UNKNOWN_ORDER)
        return named[-1]

    def stops(self, ask: Ask) -> Json:
        wanted = ask.text("status")
        if wanted not in {"open", "finished"}:
            raise invalid("status")
        found = [s for s in self._stops(ask) if (s.state == orders.WAITING) == (wanted == "open")]
        return self._page(ask, found, lambda shown: shown.created, self._rendered_stop)

    def _stops(self, ask: Ask) -> list[Shown]:
        only = ask.text("contract" if is_swap(self._engine) else "market")
        return [
            shown
            for shown in orders.orders(self._engine)
            if shown.stop
            and only in {"", rendering.instrument(self._engine, shown.symbol)}
            and not ask.hidden(shown.client_id)
        ]

    # --- fills ---

    def fills(self, ask: Ask) -> Json:
        """Spot narrows by `order_id`; so does `my_trades` of perpetuals, by `order`."""
        return self._fills(ask, ask.text("order" if is_swap(self._engine) else "order_id"))

    def fills_by_time(self, ask: Ask) -> Json:
        """Of perpetuals: no order can be named."""
        return self._fills(ask, "")

    def _fills(self, ask: Ask, number: str) -> Json:
        name = "contract" if is_swap(self._engine) else "currency_pair"
        if not is_swap(self._engine) and number and not ask.text(name):
            raise missing(name)
        symbol = self._market.symbol(ask) if ask.text(name) else ""
        found = [
            trade
            for trade in self._engine.trades
            if symbol in {"", trade.symbol}
            and number in {"", str(trade.order_id)}
            and not ask.hidden(orders.owner(self._engine, trade).client_id)
        ]
        return self._page(ask, found, _time, lambda t: rendering.fill(self._engine, t))

    def _page(
        self, ask: Ask, found: Sequence[T], time: Callable[[T], int], show: Callable[[T], Json]
    ) -> list[Json]:
        """Newest first, from `from` to `to` (seconds), by `page` or `offset`."""
        begin, end = ask.integer("from") * 1000, ask.integer("to") * 1000
        kept = between(found, time, begin, end + 999 if end else 0)
        limit = max(1, min(ask.integer("limit", 100), 1000))
        start = ask.integer("offset") or (max(1, ask.integer("page", 1)) - 1) * limit
        return [show(item) for item in list(reversed(kept))[start : start + limit]]

    def _rendered(self, shown: Shown) -> Json:
        return rendering.order(self._engine, shown)

    def rendered_stop(self, shown: Shown) -> Json:
        return self._rendered_stop(shown)

    def _rendered_stop(self, shown: Shown) -> Json:
        return rendering.stop(
            self._engine,
            shown,
            expired=shown.id in self._expired,
            expiration=self.expirations.get(shown.id, 0),
        )


def _time(trade: Trade) -> int:
    return trade.time
