"""OKX's private paths about orders: placed and cancelled one by one or in lists, stops apart."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar

from tests.servers.exchange import orders
from tests.servers.exchange.figures import DAY, INTERVALS
from tests.servers.exchange.orders import Shown
from tests.servers.exchange.paging import between
from tests.servers.exchange.refusals import Refusal, Why
from tests.servers.exchange.values import ZERO, Trade, Wish
from tests.servers.exchange.wires.base import Ask, Said, Site
from tests.servers.exchange.wires.okx import rendering, words
from tests.servers.exchange.wires.okx.market import Market
from tests.servers.exchange.wires.okx.rendering import is_swap
from tests.servers.exchange.wires.okx.words import absent, parameter

Json = Any
T = TypeVar("T")
SIDES = {"buy": "BUY", "sell": "SELL"}
POSITIONS = {"": "BOTH", "net": "BOTH", "long": "LONG", "short": "SHORT"}
ORDER_TYPES = {"market", "limit", "post_only", "fok", "ioc", "optimal_limit_ioc"}
CLIENT_ID = re.compile(r"[A-Za-z0-9]{1,32}")
PAGE = 100
UNFILLED_FOR = 2 * INTERVALS["1h"]
"""How long an order that ended without a fill is told."""
STATES = {"live", "partially_filled", "filled", "canceled"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of a request whose parts may fail on their own: `code` 1 when all did, 2 when some."""

    data: list[Json]

    @property
    def code(self) -> str:
        failed = [item for item in self.data if item["sCode"] != "0"]
        if not failed:
            return "0"
        return "1" if len(failed) == len(self.data) else "2"


class Trading:
    """Each public method is a path's."""

    def __init__(self, site: Site, market: Market) -> None:
        self._engine = site.engine
        self._later = site.later
        self._market = market
        self.level = "1" if site.market == "spot" else "2"
        """`acctLv`: 1 is simple (spot only, no margin), 2 has perpetuals."""

    # --- placing ---

    def place(self, ask: Ask) -> Outcome:
        return Outcome([self._each(ask, self._place, "ordId", "clOrdId")])

    def place_batch(self, ask: Ask) -> Outcome:
        """Twenty at most; each is taken or refused on its own."""
        return self._batch(ask, self._place, "ordId", "clOrdId")

    def place_algo(self, ask: Ask) -> Outcome:
        return Outcome([self._each(ask, self._place_algo, "algoId", "algoClOrdId")])

    def _batch(self, ask: Ask, act: Callable[[Ask], Json], number: str, name: str) -> Outcome:
        asked = ask.params.get("batch") or []
        if len(asked) > 20:
            raise Said("51111", "Maximum 20 orders can be placed in bulk.", 400)
        parts = [Ask(params=one, key=ask.key, hidden=ask.hidden) for one in asked]
        return Outcome([self._each(part, act, number, name) for part in parts])

    def _each(self, ask: Ask, act: Callable[[Ask], Json], number: str, name: str) -> Json:
        """What one part came to: its ids, or `sCode` and `sMsg`."""
        try:
            return act(ask) | {"sCode": "0", "sMsg": "", "ts": str(self._engine.now)}
        except (Said, Refusal) as why:
            said = why if isinstance(why, Said) else words.worded(why)
            named = {number: ask.text(number), name: ask.text(name), "tag": ask.text("tag")}
            return named | {"sCode": said.code, "sMsg": said.text, "ts": str(self._engine.now)}

    def _place(self, ask: Ask) -> Json:
        """An order that would take (post-only) or cannot be filled at once (fill-or-kill) is
        answered like any other, and is cancelled."""
        if ask.params.get("attachAlgoOrds"):
            raise Said("50062", "This feature is currently unavailable.", 200)
        wish = self._wish(ask)
        try:
            shown = orders.place(self._engine, wish)
        except Refusal as why:
            if why.why not in {Why.WOULD_TAKE, Why.CANNOT_FILL}:
                raise
            order = self._engine.take_and_refuse(wish, why.why)
            shown = orders.of_order(self._engine, order)
        return {"ordId": str(shown.id), "clOrdId": wish.client_id, "tag": ask.text("tag")}

    def _wish(self, ask: Ask) -> Wish:
        kind = ask.text("ordType")
        if kind not in ORDER_TYPES:
            raise Refusal(Why.BAD_TYPE, kind)
        market = kind in {"market", "optimal_limit_ioc"}
        price = ZERO if market else ask.decimal("px")
        if not market and not price:
            raise parameter("px")
        return self._common(
            ask,
            price=price,
            tif={"fok": "FOK", "ioc": "IOC"}.get(kind, "GTC"),
            post_only=kind == "post_only",
            client_id=self._client_id(ask, "clOrdId"),
            note=self._trade_mode(ask),
        )

    def _common(self, ask: Ask, *, price: Decimal, **more: Any) -> Wish:
        symbol, side = self._market.symbol(ask), SIDES.get(ask.text("side"))
        if side is None:
            raise parameter("side")
        amount = ask.decimal("sz")
        if not amount:
            raise parameter("sz")
        in_quote = self._in_quote(ask, side, market=not price)
        swap = is_swap(self._engine)
        return orders.wish(
            self._engine,
            symbol,
            side,
            quantity=ZERO if in_quote else amount * self._engine.rules[symbol].contract,
            cost=amount if in_quote else ZERO,
            price=price,
            reduce_only=swap and ask.flag("reduceOnly"),
            position_side=self._position_side(ask),
            **more,
        )

    def _in_quote(self, ask: Ask, side: str, *, market: bool) -> bool:
        """Market buys on spot are of so much quote, unless `tgtCcy` says otherwise."""
        if is_swap(self._engine) or not market:
            return False
        usual = "quote_ccy" if side == "BUY" else "base_ccy"
        return ask.text("tgtCcy", usual) == "quote_ccy"

    def _trade_mode(self, ask: Ask) -> str:
        """`tdMode`: a simple account has cash only, and no perpetuals.

        With margin a spot order may borrow; that is not done here.
        """
        mode, swap = ask.text("tdMode"), is_swap(self._engine)
        if mode not in ({"cross", "isolated"} if swap else {"cash", "cross", "isolated"}):
            raise parameter("tdMode")
        if self.level == "1" and (swap or mode != "cash"):
            text = "You can't complete this request under your current account mode."
            raise Said("51010", text, 200)
        return mode

    def _position_side(self, ask: Ask) -> str:
        """Small letters; needed in hedge mode, and `net` or nothing in the other."""
        if not is_swap(self._engine):
            return "BOTH"
        side = POSITIONS.get(ask.text("posSide"))
        if side is None or (side == "BOTH") == self._engine.hedge:
            raise parameter("posSide")
        return side

    def _client_id(self, ask: Ask, name: str) -> str:
        client_id = ask.text(name)
        if client_id and not CLIENT_ID.fullmatch(client_id):
            raise parameter(name)
        return client_id

    def _place_algo(self, ask: Ask) -> Json:
        """`clOrdId` is no parameter of a stop, and is not read: its id is `algoClOrdId`."""
        kind = ask.text("ordType")
        if kind in {"oco", "move_order_stop", "iceberg", "twap", "chase"}:
            raise Said("50062", "This feature is currently unavailable.", 200)
        if kind not in {"conditional", "trigger"}:
            raise Refusal(Why.BAD_TYPE, kind)
        leg, trigger, price, looks = self._trigger(ask, kind)
        side = SIDES.get(ask.text("side"), "")
        falling = {"sl": side == "SELL", "tp": side == "BUY"}.get(leg)
        wish = self._common(
            ask,
            price=price,
            trigger=trigger,
            falling=falling,
            mark=looks in {"mark", "index"},
            client_id=self._client_id(ask, "algoClOrdId"),
            note=f"{self._trade_mode(ask)} {kind}",
        )
        try:
            shown = orders.place(self._engine, wish)
        except Refusal as why:
            if why.why == Why.WOULD_TRIGGER and leg:
                raise Said(*words.WRONG_SIDE[leg, side], 200) from None
            raise
        return {
            "algoId": str(shown.stop_id), "algoClOrdId": wish.client_id, "clOrdId": "",
            "tag": ask.text("tag"),
        }  # fmt: skip

    def _trigger(self, ask: Ask, kind: str) -> tuple[str, Decimal, Decimal, str]:
        """Which leg (sl, tp, or neither), its trigger, its limit (0: market), what it looks at."""
        legs = ("sl", "tp") if kind == "conditional" else ("",)
        for leg in legs:
            trigger = ask.decimal(f"{leg}TriggerPx" if leg else "triggerPx")
            if not trigger:
                continue
            limit = ask.text(f"{leg}OrdPx" if leg else "orderPx")
            looks = ask.text(f"{leg}TriggerPxType" if leg else "triggerPxType", "last")
            if not limit:
                raise parameter(f"{leg}OrdPx" if leg else "orderPx")
            return leg, trigger, ZERO if limit == "-1" else Decimal(limit), looks
        raise parameter("slTriggerPx or tpTriggerPx" if kind == "conditional" else "triggerPx")

    # --- cancelling ---

    def cancel(self, ask: Ask) -> Outcome:
        return Outcome([self._each(ask, self._cancel, "ordId", "clOrdId")])

    def cancel_batch(self, ask: Ask) -> Outcome:
        return self._batch(ask, self._cancel, "ordId", "clOrdId")

    def cancel_algos(self, ask: Ask) -> Outcome:
        return self._batch(ask, self._cancel_algo, "algoId", "algoClOrdId")

    def _cancel(self, ask: Ask) -> Json:
        """Acknowledged now, done afterwards."""
        symbol = self._market.symbol(ask)
        shown = self._one(ask, "51003")
        if shown is None or shown.symbol != symbol or not shown.is_open:
            raise Refusal(Why.UNKNOWN_ORDER)
        self._cancel_later(shown)
        return {"ordId": str(shown.order_id), "clOrdId": _own_id(shown)}

    def _cancel_algo(self, ask: Ask) -> Json:
        shown = self._one_algo(ask)
        if shown is None or shown.state != orders.WAITING:
            raise Refusal(Why.UNKNOWN_ORDER)
        self._cancel_later(shown)
        return {"algoId": str(shown.stop_id), "algoClOrdId": shown.wish.client_id}

    def _cancel_later(self, shown: Shown) -> None:
        def act() -> None:
            current = orders.find(self._engine, order_id=shown.id)
            if current is not None and current.is_open:
                orders.cancel(self._engine, current)

        self._later.do(act)

    def cancel_all_after(self, ask: Ask) -> Json:
        """Dead man's switch: regular orders only; 0, or 10 to 120 seconds."""
        seconds = ask.integer("timeOut", -1)
        if seconds != 0 and not 10 <= seconds <= 120:
            raise parameter("timeOut")
        self._engine.deadlines.clear()
        due = self._engine.now + seconds * 1000
        if seconds:
            self._engine.deadlines.update(dict.fromkeys(self._engine.rules, due))
        now = str(self._engine.now)
        return [{"triggerTime": str(due) if seconds else "0", "tag": ask.text("tag"), "ts": now}]

    # --- finding ---

    def _one(self, ask: Ask, code: str) -> Shown | None:
        """By `ordId`, else the latest of a `clOrdId`; of what is (or was) in the book."""
        number, name = ask.text("ordId"), ask.text("clOrdId")
        if not number and not name:
            raise Said(code, "Either client order ID or order ID is required.", 400)
        found = [shown for shown in orders.orders(self._engine) if shown.child is not None]
        named = [
            shown
            for shown in found
            if (str(shown.order_id) == number if number else _own_id(shown) == name)
            and not ask.hidden(shown.client_id)
        ]
        return named[-1] if named else None

    def _one_algo(self, ask: Ask) -> Shown | None:
        number, name = ask.text("algoId"), ask.text("algoClOrdId")
        if not number and not name:
            raise Said("51000", "Parameter algoId error", 400)
        named = [
            shown
            for shown in self._stops(ask)
            if (str(shown.stop_id) == number if number else shown.wish.client_id == name)
        ]
        return named[-1] if named else None

    def _stops(self, ask: Ask) -> list[Shown]:
        found = orders.orders(self._engine)
        return [shown for shown in found if shown.stop and not ask.hidden(shown.client_id)]

    def order(self, ask: Ask) -> Json:
        symbol, shown = self._market.symbol(ask), self._one(ask, "51003")
        if shown is None or shown.symbol != symbol or self._is_gone(shown):
            raise _not_found()
        return [rendering.order(self._engine, shown)]

    def algo(self, ask: Ask) -> Json:
        shown = self._one_algo(ask)
        if shown is None:
            raise _not_found()
        return [rendering.algo(self._engine, shown)]

    def pending(self, ask: Ask) -> Json:
        kinds = ask.text("ordType")
        found = [
            shown
            for shown in self._placed(ask)
            if shown.is_open
            and (not kinds or rendering.order_type(shown) in kinds.split(","))
            and ask.text("state") in {"", rendering.state(shown)}
        ]
        return self._page(ask, found, _order_id, self._rendered)

    def history(self, ask: Ask) -> Json:
        """Ended orders of seven days; those without a fill for two hours."""
        return self._history(ask, 7 * DAY)

    def archive(self, ask: Ask) -> Json:
        """Of three months, and only what was filled at least in part."""
        return self._history(ask, 90 * DAY, filled=True)

    def _history(self, ask: Ask, span: int, *, filled: bool = False) -> Json:
        if not ask.text("instType"):
            raise absent("instType")
        wanted = ask.text("state")
        if wanted and wanted not in STATES:
            raise parameter("state")
        since = max(ask.integer("begin"), self._engine.now - span)
        found = [
            shown
            for shown in self._placed(ask)
            if not shown.is_open
            and wanted in {"", rendering.state(shown)}
            and not self._is_gone(shown)
            and (shown.filled or not filled)
        ]
        found = between(found, lambda shown: shown.created, since, ask.integer("end"))
        return self._page(ask, found, _order_id, self._rendered)

    def _placed(self, ask: Ask) -> list[Shown]:
        """What is or was in the book, of what is asked about."""
        kind, only = ask.text("instType"), ask.text("instId")
        return [
            shown
            for shown in orders.orders(self._engine)
            if shown.child is not None
            and kind in {"", "ANY", rendering.instrument_type(self._engine)}
            and only in {"", rendering.instrument(self._engine, shown.symbol)}
            and not ask.hidden(shown.client_id)
        ]

    def algos_pending(self, ask: Ask) -> Json:
        """Of one `ordType` (`conditional` and `oco` may be asked for together)."""
        found = [shown for shown in self._algos_of(ask) if rendering.algo_state(shown) == "live"]
        return self._page(ask, found, _stop_id, self._rendered_algo)

    def algos_history(self, ask: Ask) -> Json:
        """Needs a `state`, or an `algoId`."""
        wanted, number = ask.text("state"), ask.text("algoId")
        if not wanted and not number:
            raise Said("50015", "Either parameter state or algoId is required.", 400)
        if wanted and wanted not in {"effective", "canceled", "order_failed"}:
            raise parameter("state")
        found = [
            shown
            for shown in self._algos_of(ask)
            if wanted in {"", rendering.algo_state(shown)}
            and rendering.algo_state(shown) != "live"
            and number in {"", str(shown.stop_id)}
        ]
        return self._page(ask, found, _stop_id, self._rendered_algo)

    def _algos_of(self, ask: Ask) -> list[Shown]:
        kinds = ask.text("ordType")
        if not kinds:
            raise absent("ordType")
        only = ask.text("instId")
        return [
            shown
            for shown in self._stops(ask)
            if rendering.algo_kind(shown) in kinds.split(",")
            and only in {"", rendering.instrument(self._engine, shown.symbol)}
        ]

    def fills(self, ask: Ask) -> Json:
        """Of three days."""
        return self._fills(ask, 3 * DAY)

    def fills_history(self, ask: Ask) -> Json:
        """Of three months; needs to be told of which type."""
        if not ask.text("instType"):
            raise absent("instType")
        return self._fills(ask, 90 * DAY)

    def _fills(self, ask: Ask, span: int) -> Json:
        """`ordId` narrows to an order; `orderId` is no parameter."""
        number, only = ask.text("ordId"), ask.text("instId")
        since = max(ask.integer("begin"), self._engine.now - span)
        found = [
            trade
            for trade in self._engine.trades
            if number in {"", str(trade.order_id)}
            and only in {"", rendering.instrument(self._engine, trade.symbol)}
            and not ask.hidden(self._engine.orders[trade.order_id].client_id)
        ]
        found = between(found, lambda trade: trade.time, since, ask.integer("end"))
        return self._page(ask, found, _trade_id, lambda trade: rendering.fill(self._engine, trade))

    def _page(
        self, ask: Ask, found: Sequence[T], number: Callable[[T], int], show: Callable[[T], Json]
    ) -> list[Json]:
        """Newest first; `after` an id are older ones, `before` it newer."""
        after, before = ask.integer("after"), ask.integer("before")
        kept = [
            item
            for item in sorted(found, key=number, reverse=True)
            if number(item) > before and (not after or number(item) < after)
        ]
        return [show(item) for item in kept[: max(1, min(ask.integer("limit", PAGE), PAGE))]]

    def _rendered(self, shown: Shown) -> Json:
        return rendering.order(self._engine, shown)

    def _rendered_algo(self, shown: Shown) -> Json:
        return rendering.algo(self._engine, shown)

    def _is_gone(self, shown: Shown) -> bool:
        """Ended without a fill, and too long ago."""
        unfilled = not shown.is_open and not shown.filled
        return unfilled and shown.updated < int(self._engine.now) - UNFILLED_FOR


def _own_id(shown: Shown) -> str:
    """What a stop becomes does not carry the stop's."""
    return "" if shown.stop else shown.wish.client_id


def _not_found() -> Said:
    return Said("51603", "Order does not exist.", 200)


def _order_id(shown: Shown) -> int:
    return shown.order_id


def _stop_id(shown: Shown) -> int:
    return shown.stop_id


def _trade_id(trade: Trade) -> int:
    return trade.id
