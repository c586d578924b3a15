"""Bybit's private paths: orders, fills, positions, money."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from tests.servers.exchange import orders
from tests.servers.exchange.entries import entries
from tests.servers.exchange.figures import DAY
from tests.servers.exchange.orders import Shown
from tests.servers.exchange.paging import between, page
from tests.servers.exchange.refusals import Refusal, Why
from tests.servers.exchange.values import ZERO, Wish
from tests.servers.exchange.wires.base import Ask, Said, Site
from tests.servers.exchange.wires.bybit import asking, ledger, rendering
from tests.servers.exchange.wires.bybit.rendering import is_swap, order_id
from tests.servers.exchange.wires.bybit.words import malformed, worded, wrong_direction

Json = Any
SIDES = {"Buy": "BUY", "Sell": "SELL"}
POSITIONS = {0: "BOTH", 1: "LONG", 2: "SHORT"}
LINK = re.compile(r"[A-Za-z0-9_-]{1,36}")
FILTERS = {"Order", "StopOrder", "tpslOrder"}
MOST_AT_ONCE = {"spot": 10, "swap": 20}
"""Orders of a list."""
KEPT = 500
"""Ended orders that `order/realtime` still knows."""


class Trading:
    """Each public method is a path's."""

    def __init__(self, site: Site) -> None:
        self._engine = site.engine
        self._later = site.later
        self._market = site.market

    # --- placing ---

    def create(self, ask: Ask) -> Json:
        """Answered before the book is looked at: what would take (post-only) or cannot be filled
        (fill-or-kill) is an order, and is cancelled."""
        wish = self._wish(ask)
        try:
            shown = orders.place(self._engine, wish)
        except Refusal as why:
            shown = self._taken(wish, why)
        return self._named(shown)

    def _taken(self, wish: Wish, why: Refusal) -> Shown:
        if why.why == Why.WOULD_TRIGGER:
            price = self._engine.price(wish.symbol)
            falling = wish.stop_price >= (price or ZERO)
            raise wrong_direction(falling=falling, trigger=wish.stop_price, price=price) from None
        if why.why not in {Why.WOULD_TAKE, Why.CANNOT_FILL}:
            raise why
        order = self._engine.take_and_refuse(wish, why.why)
        return orders.of_order(self._engine, order)

    def create_batch(self, ask: Ask) -> Json:
        """Each on its own; what each came to is told beside the list (see `extended`)."""
        return self._batch(ask, self.create)

    def cancel_batch(self, ask: Ask) -> Json:
        return self._batch(ask, self.cancel)

    def _batch(self, ask: Ask, act: Callable[[Ask], Json]) -> Json:
        done, told = [], []
        requests = ask.params.get("request") or []
        if len(requests) > MOST_AT_ONCE[self._market]:
            raise malformed("request")
        for one in requests:
            each = Ask(
                params={"category": ask.text("category"), **one}, key=ask.key, hidden=ask.hidden
            )
            try:
                done.append(act(each) | {"category": ask.text("category"), "symbol": one["symbol"]})
                told.append({"code": 0, "msg": "OK"})
            except (Said, Refusal) as why:
                said = why if isinstance(why, Said) else worded(why, self._market)
                done.append({"category": ask.text("category"), "symbol": one.get("symbol", "")})
                done[-1] |= {"orderId": "", "orderLinkId": one.get("orderLinkId", "")}
                told.append({"code": said.code, "msg": said.text})
        return {"list": done, "retExtInfo": {"list": told}}

    def _wish(self, ask: Ask) -> Wish:
        symbol, kind = asking.symbol_of(self._engine, ask), ask.required("orderType")
        side = SIDES.get(ask.required("side"))
        if side is None:
            raise malformed("Side")
        if kind not in {"Market", "Limit"}:
            raise Refusal(Why.BAD_TYPE, kind)
        price = ask.decimal("price") if kind == "Limit" else ZERO
        if kind == "Limit" and not price:
            raise malformed("Price")
        client_id = self._link(ask)
        trigger, falling, note = self._trigger(ask)
        amount, tif = ask.decimal("qty"), ask.text("timeInForce", "GTC")
        if not amount:
            raise malformed("Qty")
        in_quote = self._in_quote(ask, side, kind)
        swap = is_swap(self._engine)
        return orders.wish(
            self._engine,
            symbol,
            side,
            quantity=ZERO if in_quote else amount,
            cost=amount if in_quote else ZERO,
            price=price,
            trigger=trigger,
            falling=falling,
            tif=tif if tif in {"IOC", "FOK"} else "GTC",
            post_only=tif == "PostOnly",
            client_id=client_id,
            reduce_only=swap and ask.flag("reduceOnly"),
            position_side=self._position_side(ask),
            mark=ask.text("triggerBy") in {"MarkPrice", "IndexPrice"},
            note=note,
        )

    def _link(self, ask: Ask) -> str:
        """An id may be used once, whatever became of its order."""
        client_id = ask.text("orderLinkId")
        if client_id and not LINK.fullmatch(client_id):
            raise malformed("OrderLinkId")
        if orders.is_taken(self._engine, client_id):
            raise Refusal(Why.DUPLICATE_ID)
        return client_id

    def _trigger(self, ask: Ask) -> tuple[Any, bool | None, str]:
        """The price, the direction (None: from where the market is), and the kind on spot.

        Spot reads `triggerPrice` for its two kinds of stop only, and no direction.
        """
        trigger = ask.decimal("triggerPrice")
        if is_swap(self._engine):
            direction = ask.integer("triggerDirection")
            if trigger and direction not in {1, 2}:
                raise malformed("TriggerDirection")
            return trigger, direction == 2, ""
        kind = ask.text("orderFilter", "Order")
        if kind not in FILTERS:
            raise Said(170202, "Invalid orderFilter parameter.", 200)
        if kind == "Order":
            return ZERO, None, ""
        if not trigger:
            raise Said(170203, "Please enter the TP/SL price.", 200)
        return trigger, None, kind

    def _in_quote(self, ask: Ask, side: str, kind: str) -> bool:
        """Market buys on spot are of so much quote, unless `marketUnit` says otherwise."""
        if is_swap(self._engine) or kind != "Market":
            return False
        usual = "quoteCoin" if side == "BUY" else "baseCoin"
        return ask.text("marketUnit", usual) == "quoteCoin"

    def _position_side(self, ask: Ask) -> str:
        if not is_swap(self._engine):
            return "BOTH"
        side = POSITIONS.get(ask.integer("positionIdx"))
        if side is None:
            raise malformed("PositionIdx")
        return side

    # --- cancelling ---

    def cancel(self, ask: Ask) -> Json:
        """Acknowledged now, done afterwards."""
        symbol, number = (
            asking.symbol_of(self._engine, ask),
            rendering.number_of(ask.text("orderId")),
        )
        link = ask.text("orderLinkId")
        if not ask.text("orderId") and not link:
            raise malformed("OrderId or OrderLinkId")
        shown = orders.find(self._engine, order_id=number, client_id=link)
        if shown is None or shown.symbol != symbol or not shown.is_open:
            raise Refusal(Why.UNKNOWN_ORDER)
        if not is_swap(self._engine) and _filter_of(shown) != ask.text("orderFilter", "Order"):
            raise Refusal(Why.UNKNOWN_ORDER)
        self._cancel_later(shown)
        return self._named(shown)

    def cancel_all(self, ask: Ask) -> Json:
        """Of spot only active orders, unless it is asked for others."""
        asking.check_category(self._engine, ask)
        wanted = ask.text("orderFilter", "" if is_swap(self._engine) else "Order")
        gone = [
            shown
            for shown in self._found(ask)
            if shown.is_open and wanted in {"", _filter_of(shown)}
        ]
        for shown in gone:
            self._cancel_later(shown)
        return {"list": [self._named(shown) for shown in gone], "success": "1"}

    def _cancel_later(self, shown: Shown) -> None:
        def act() -> None:
            current = orders.find(self._engine, order_id=shown.id)
            if current is not None and current.is_open:
                orders.cancel(self._engine, current)

        self._later.do(act)

    # --- looking ---

    def realtime(self, ask: Ask) -> Json:
        """Open orders; one that is named, and with `openOnly` all, also of the last 500 ended."""
        asking.check_category(self._engine, ask)
        found = self._found(ask)
        if is_swap(self._engine) and not any(
            ask.text(name) for name in ("symbol", "baseCoin", "settleCoin")
        ):
            raise malformed("symbol, settleCoin or baseCoin")
        named = bool(ask.text("orderId") or ask.text("orderLinkId"))
        last = [shown.id for shown in orders.orders(self._engine) if not shown.is_open][-KEPT:]
        known, only_ended = set(last), ask.integer("openOnly") == 1
        found = [
            shown
            for shown in found
            if (shown.is_open and not (only_ended and not named))
            or (shown.id in known and (named or only_ended))
        ]
        return self._page(ask, found)

    def history(self, ask: Ask) -> Json:
        """Ended orders of seven days; those that ended without a fill are gone after one."""
        asking.check_category(self._engine, ask)
        start, end = asking.span(self._engine, ask)
        gone = self._engine.now - DAY
        found = [
            shown
            for shown in self._found(ask)
            if not shown.is_open and (shown.filled or shown.updated >= gone)
        ]
        return self._page(ask, between(found, lambda shown: shown.created, start, end))

    def executions(self, ask: Ask) -> Json:
        """Newest first; funding stands among the fills, of no order that was asked about."""
        asking.check_category(self._engine, ask)
        start, end = asking.span(self._engine, ask)
        wanted = {shown.order_id for shown in self._found(ask)}
        found = [trade for trade in self._engine.trades if trade.order_id in wanted]
        found = between(found, lambda trade: trade.time, start, end)
        lines = [rendering.execution(self._engine, trade) for trade in found]
        if not ask.text("orderId") and not ask.text("orderLinkId"):
            lines += self._funding(ask.text("symbol"), start, end)
        kind = ask.text("execType")
        lines = [line for line in lines if kind in {"", line["execType"]}]
        lines.sort(key=lambda line: (int(line["execTime"]), line["seq"]), reverse=True)
        shown, cursor = page(lines, ask.text("cursor"), asking.limit(ask, 50, 100))
        return asking.listed(self._engine, shown, cursor)

    def _funding(self, symbol: str, start: int, end: int) -> list[Json]:
        paid = [entry for entry in entries(self._engine) if entry.kind == "FUNDING_FEE"]
        return [
            ledger.funding_execution(self._engine, entry)
            for entry in between(paid, lambda entry: entry.time, start, end)
            if symbol in {"", entry.symbol}
        ]

    def _found(self, ask: Ask) -> list[Shown]:
        """Those that the filters name, and that may be seen."""
        symbol, link = ask.text("symbol"), ask.text("orderLinkId")
        number, kind = rendering.number_of(ask.text("orderId")), ask.text("orderFilter")
        by_number = bool(ask.text("orderId"))
        return [
            shown
            for shown in orders.orders(self._engine)
            if symbol in {"", shown.symbol}
            and (not by_number or shown.id == number)
            and link in {"", shown.wish.client_id}
            and kind in {"", _filter_of(shown)}
            and not ask.hidden(shown.client_id)
        ]

    def _page(self, ask: Ask, found: list[Shown]) -> Json:
        shown, cursor = page(
            orders.newest_first(found), ask.text("cursor"), asking.limit(ask, 20, 50)
        )
        return asking.listed(
            self._engine, [rendering.order(self._engine, one) for one in shown], cursor
        )

    def _named(self, shown: Shown) -> Json:
        return {
            "orderId": order_id(self._engine, shown.id), "orderLinkId": shown.wish.client_id,
        }  # fmt: skip


def _filter_of(shown: Shown) -> str:
    """Under which `orderFilter` an order is; on spot a stop that has triggered is active."""
    if not shown.stop or (shown.child is not None and shown.wish.note):
        return "Order"
    return shown.wish.note or ("StopOrder" if shown.child is None else "Order")
