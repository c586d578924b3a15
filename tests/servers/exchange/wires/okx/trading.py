"""OKX's paths that place and cancel: one order or a list of them, stops apart."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar

from tests.servers.exchange import orders
from tests.servers.exchange.orders import Shown
from tests.servers.exchange.refusals import Refusal, Why
from tests.servers.exchange.values import ZERO, Wish
from tests.servers.exchange.wires.base import Ask, Said, Site
from tests.servers.exchange.wires.okx import words
from tests.servers.exchange.wires.okx.finding import Finding, own_id
from tests.servers.exchange.wires.okx.market import Market
from tests.servers.exchange.wires.okx.rendering import is_swap
from tests.servers.exchange.wires.okx.words import parameter

Json = Any
T = TypeVar("T")
SIDES = {"buy": "BUY", "sell": "SELL"}
POSITIONS = {"": "BOTH", "net": "BOTH", "long": "LONG", "short": "SHORT"}
ORDER_TYPES = {"market", "limit", "post_only", "fok", "ioc", "optimal_limit_ioc"}
CLIENT_ID = re.compile(r"[A-Za-z0-9]{1,32}")


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

    def __init__(self, site: Site, market: Market, finding: Finding) -> None:
        self._engine = site.engine
        self._finding = finding
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
        shown = self._finding.one(ask, "51003")
        if shown is None or shown.symbol != symbol or not shown.is_open:
            raise Refusal(Why.UNKNOWN_ORDER)
        self._cancel_later(shown)
        return {"ordId": str(shown.order_id), "clOrdId": own_id(shown)}

    def _cancel_algo(self, ask: Ask) -> Json:
        shown = self._finding.one_algo(ask)
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
