"""Kraken's private paths: orders, fills, money.

Only the parameters that are documented are read: what ccxt passes on besides (`triggerPrice`,
`orderId`, `limit`) changes nothing, as there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

from tests.servers.exchange import orders
from tests.servers.exchange.figures import fixed
from tests.servers.exchange.orders import Shown
from tests.servers.exchange.refusals import Refusal, Why
from tests.servers.exchange.values import ZERO, Wish
from tests.servers.exchange.wires.base import Ask, Site
from tests.servers.exchange.wires.kraken import rendering
from tests.servers.exchange.wires.kraken.market import Market
from tests.servers.exchange.wires.kraken.rendering import number_of, trade_id, txid
from tests.servers.exchange.wires.kraken.words import malformed, said

Json = Any
T = TypeVar("T")
PAGE = 50
ASKED_AT_ONCE = 50
"""Orders of one `QueryOrders`; of `QueryTrades` 20."""
TRADES_AT_ONCE = 20
UUID = re.compile(r"[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}")
FREE = re.compile(r"[\x21-\x7e]{1,18}")
STOPS = {"stop-loss", "stop-loss-limit", "take-profit", "take-profit-limit"}
TYPES = {"market", "limit", *STOPS}
SOONEST, LATEST = 2_000, 60_000
"""Milliseconds from now at which a deadline may lie."""


class Trading:
    """Each public method is a path's."""

    def __init__(self, site: Site, market: Market) -> None:
        self._engine = site.engine
        self._market = market

    # --- placing ---

    def add(self, ask: Ask) -> Json:
        """Answered before the book is looked at: what would take (post-only) or cannot be filled
        (fill-or-kill) is an order, and is cancelled."""
        self._check_deadline(ask)
        wish = self._wish(ask)
        if ask.flag("validate"):
            return {"descr": {"order": "validated"}}
        self._refuse_unpaid_fee(wish)
        try:
            shown = orders.place(self._engine, wish)
        except Refusal as why:
            if why.why not in {Why.WOULD_TAKE, Why.CANNOT_FILL}:
                raise
            order = self._engine.take_and_refuse(wish, why.why)
            shown = orders.of_order(self._engine, order)
        name = self._market.name(wish.symbol)
        return {
            "descr": {"order": rendering.sentence(shown, name)},
            "txid": [txid(shown.id)],
        }

    def _check_deadline(self, ask: Ask) -> None:
        """What came too late is not looked at; what is out of bounds is refused."""
        text = ask.text("deadline")
        if not text:
            return
        try:
            until = datetime.fromisoformat(text).timestamp() * 1000
        except ValueError:
            raise malformed("deadline") from None
        left = until - self._engine.now
        if left <= 0:
            raise said("EService:Deadline elapsed")
        if not SOONEST <= left <= LATEST:
            raise malformed("deadline")

    def _wish(self, ask: Ask) -> Wish:
        symbol, kind = self._symbol(ask), ask.required("ordertype")
        side = ask.required("type").upper()
        if side not in {"BUY", "SELL"}:
            raise malformed("type")
        if kind not in TYPES:
            raise Refusal(Why.BAD_TYPE, kind)
        price, trigger = self._prices(ask, kind)
        flags = set(filter(None, ask.text("oflags").split(",")))
        volume, tif = ask.decimal("volume"), ask.text("timeinforce", "GTC")
        if not volume:
            raise malformed("volume")
        if ask.text("leverage", "none") != "none" or ask.flag("reduce_only"):
            raise said("EOrder:Margin trading is not offered to this account")
        in_quote = "viqc" in flags and kind == "market"
        loss = kind.startswith("stop")
        if not flags & {"fciq", "fcib"}:
            flags.add("fciq" if side == "BUY" else "fcib")
        return orders.wish(
            self._engine,
            symbol,
            side,
            quantity=ZERO if in_quote else volume,
            cost=volume if in_quote else ZERO,
            price=price,
            trigger=trigger,
            falling=(side == "SELL") == loss if trigger else None,
            tif=tif if tif in {"IOC", "FOK"} else "GTC",
            post_only="post" in flags and kind == "limit",
            client_id=self._client_id(ask),
            note=",".join(sorted(flags)),
        )

    def _prices(self, ask: Ask, kind: str) -> tuple[Decimal, Decimal]:
        """The limit, and the trigger: of a stop `price` is the trigger."""
        if kind == "market":
            return ZERO, ZERO
        first = ask.decimal("price")
        if not first:
            raise malformed("price")
        if kind == "limit":
            return first, ZERO
        second = ask.decimal("price2") if kind.endswith("limit") else ZERO
        if kind.endswith("limit") and not second:
            raise malformed("price2")
        return second, first

    def _client_id(self, ask: Ask) -> str:
        """Free text of 18 characters, or a UUID; only open orders keep theirs."""
        name = ask.text("cl_ord_id")
        if name and ask.text("userref"):
            raise malformed("cl_ord_id and userref")
        if name and not (UUID.fullmatch(name) or FREE.fullmatch(name)):
            raise malformed("cl_ord_id")
        return name

    def _refuse_unpaid_fee(self, wish: Wish) -> None:
        """The fee of a buy is paid from the same money."""
        unit = wish.price or wish.stop_price
        if wish.side == "SELL" or not unit:
            return
        rules = self._engine.rules[wish.symbol]
        need = wish.quantity * unit * (1 + self._engine.taker_fee)
        if self._engine.free(rules.quote) < need:
            raise Refusal(Why.NO_FUNDS)

    # --- cancelling ---

    def cancel(self, ask: Ask) -> Json:
        """By `txid` (or a user reference, which no order here has), or by `cl_ord_id`."""
        wanted, name = ask.text("txid"), ask.text("cl_ord_id")
        if not wanted and not name:
            raise malformed("txid")
        if wanted and not number_of(wanted):
            raise said("EOrder:Invalid order")
        found = [
            shown
            for shown in orders.orders(self._engine)
            if shown.is_open
            and (shown.wish.client_id == name if name else shown.id == number_of(wanted))
        ]
        if not found:
            raise Refusal(Why.UNKNOWN_ORDER)
        for shown in found:
            orders.cancel(self._engine, shown)
        return {"count": len(found)}

    def cancel_all(self, _ask: Ask) -> Json:
        """Of the account: every pair, stops too."""
        gone = [shown for shown in orders.orders(self._engine) if shown.is_open]
        for shown in gone:
            current = orders.find(self._engine, order_id=shown.id)
            if current is not None and current.is_open:
                orders.cancel(self._engine, current)
        return {"count": len(gone)}

    # --- looking ---

    def open(self, ask: Ask) -> Json:
        """All, of every pair, on one answer."""
        found = [s for s in self._found(ask) if s.is_open]
        return {"open": self._orders(ask, orders.newest_first(found))}

    def closed(self, ask: Ask) -> Json:
        """Newest first, 50 a page; `closetime` says by which of an order's times, usually by
        both, which is taken here for either."""
        by = ask.text("closetime", "both")
        found = [
            shown
            for shown in self._found(ask)
            if not shown.is_open
            and (
                (by != "close" and self._within(ask, shown.created))
                or (by != "open" and self._within(ask, shown.updated))
            )
        ]
        page = _page(ask, orders.newest_first(found))
        return {"closed": self._orders(ask, page), "count": len(found)}

    def query(self, ask: Ask) -> Json:
        """By id; what is well written and unknown is left out."""
        numbers = self._numbers(ask, ASKED_AT_ONCE, "EOrder:Invalid order")
        userref = ask.text("userref")
        found = [s for s in self._found(ask) if s.id in numbers and userref in {"", "0"}]
        return self._orders(ask, found)

    def _found(self, ask: Ask) -> list[Shown]:
        """Those that the filter names, and that may be seen."""
        name = ask.text("cl_ord_id")
        return [
            shown
            for shown in orders.orders(self._engine)
            if name in {"", shown.wish.client_id} and not ask.hidden(shown.client_id)
        ]

    def _orders(self, ask: Ask, found: Sequence[Shown]) -> Json:
        return {
            txid(shown.id): rendering.order(
                self._engine, shown, name=self._market.name(shown.symbol), trades=ask.flag("trades")
            )
            for shown in found
        }

    def trades(self, ask: Ask) -> Json:
        """All of the account, whichever order is asked for; newest first, 50 a page."""
        found = [
            trade
            for trade in reversed(self._engine.trades)
            if self._within(ask, trade.time) and not ask.hidden(self._client_of(trade))
        ]
        shown = {trade_id(trade.id): self._trade(trade) for trade in _page(ask, found)}
        return {"trades": shown, "count": len(found)}

    def query_trades(self, ask: Ask) -> Json:
        numbers = self._numbers(ask, TRADES_AT_ONCE, "EQuery:Invalid trade")
        found = [trade for trade in self._engine.trades if trade.id in numbers]
        seen = [trade for trade in found if not ask.hidden(self._client_of(trade))]
        return {trade_id(trade.id): self._trade(trade) for trade in seen}

    def _trade(self, trade: Any) -> Json:
        return rendering.trade(self._engine, trade, name=self._market.name(trade.symbol))

    def _client_of(self, trade: Any) -> str:
        return orders.owner(self._engine, trade).client_id

    def _numbers(self, ask: Ask, most: int, refusal: str) -> set[int]:
        names = ask.required("txid").split(",")
        numbers = {number_of(name) for name in names}
        if 0 in numbers or len(names) > most:
            raise said(refusal)
        return numbers

    def _within(self, ask: Ask, time: int) -> bool:
        """After `start` (exclusive), up to `end`; both in seconds."""
        start, end = (self._moment(ask, name) for name in ("start", "end"))
        return time > start and (not end or time <= end)

    def _moment(self, ask: Ask, name: str) -> float:
        text = ask.text(name, "0")
        try:
            return float(text) * 1000
        except ValueError:
            raise malformed(name) from None

    def _symbol(self, ask: Ask) -> str:
        return self._market.symbol_of(ask.required("pair"))

    # --- the account ---

    def balance(self, _ask: Ask) -> Json:
        return {name: fixed(total) for name, (total, _) in rendering.balances(self._engine).items()}

    def balance_extended(self, _ask: Ask) -> Json:
        return {
            name: {"balance": fixed(total), "hold_trade": fixed(held)}
            for name, (total, held) in rendering.balances(self._engine).items()
        }

    def ledgers(self, ask: Ask) -> Json:
        """Newest first, 50 a page; fills are on it, too."""
        lines: dict[str, Json] = {}
        for trade in self._engine.trades:
            lines |= rendering.traded(self._engine, trade)
        for moved in self._engine.movements:
            lines[rendering.ledger_id(moved.id)] = rendering.entry(self._engine, moved)
        names = set(filter(None, ask.text("asset", "all").split(",")))
        kind = ask.text("type", "all")
        found = [
            (name, line)
            for name, line in sorted(lines.items(), key=lambda item: -item[1]["time"])
            if names & {"all", line["asset"], "XBT" if line["asset"] == "XXBT" else ""}
            and kind in {"all", line["type"]}
            and self._within(ask, round(line["time"] * 1000))
        ]
        return {"ledger": dict(_page(ask, found)), "count": len(found)}

    def volume(self, ask: Ask) -> Json:
        names = [self._market.name(self._market.symbol_of(one)) for one in _listed(ask, "pair")]
        rates = {"fees": self._engine.taker_fee, "fees_maker": self._engine.maker_fee}
        told = {
            kind: {
                name: {
                    "fee": fixed(rate * 100, 4),
                    "minfee": "0.0000",
                    "maxfee": fixed(rate * 100, 4),
                    "nextfee": None,
                    "nextvolume": None,
                    "tiervolume": "0.0000",
                }
                for name in names
            }
            for kind, rate in rates.items()
        }
        return {"currency": "ZUSD", "volume": "0.0000", **told}

    def positions(self, _ask: Ask) -> Json:
        """Of margin trading, which this account does not do."""
        return {}

    def key_info(self, window: Callable[[], int]) -> Callable[[Ask], Json]:
        """*window*: of the key's nonces."""

        def told(ask: Ask) -> Json:
            assert ask.key is not None
            may = ["query-funds", "query-open-trades", "query-closed-trades", "query-ledger"]
            may += ["modify-trades", "close-trades"] if ask.key.spot else []
            may += ["withdraw-funds"] if ask.key.withdrawals else []
            return {
                "api_key_name": "desk",
                "api_key": ask.key.key,
                "nonce": str(self._engine.now),
                "nonce_window": str(window()),
                "permissions": [*may, "create-ws-token"],
                "iban": "AA88 N84G WOBO CF4A",
                "valid_until": "0",
                "query_from": "0",
                "query_to": "0",
                "created_time": "1522132642",
                "modified_time": "1618230358",
                "ip_allowlist": [""],
                "last_used": str(self._engine.now // 1000),
            }

        return told


def _page(ask: Ask, found: Sequence[T]) -> Sequence[T]:
    start = ask.integer("ofs")
    return found[start : start + PAGE]


def _listed(ask: Ask, name: str) -> list[str]:
    return [one for one in ask.text(name).split(",") if one]
