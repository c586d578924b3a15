"""Kraken: spot, without margin.

Sources: docs.kraken.com (spot REST and WebSocket v2: orders, executions, errors, rate limits), and
ccxt's adapter.
"""

from __future__ import annotations

import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, timedelta
from types import MappingProxyType
from typing import Any

from trading.types import CONDITIONAL, Movement, MovementKind, Order, OrderType, Stops, Symbol
from trading.venues.ccxt.asking import Account, AccountWatch, Api, Ban, VenueRequest
from trading.venues.ccxt.exchange import Exchange
from trading.venues.ccxt.paging import by_offset
from trading.venues.ccxt.row import Can, Market, Permission, Row
from trading.venues.ccxt.values import EPOCH, exact, info_of, moment, number

FEES_IN_QUOTE = "fciq"
"""The flag of an order without which the fee of a sale may be taken in coins."""
DEADLINE = timedelta(seconds=10)
"""How long an order may take to arrive; Kraken takes 2 to 60 seconds."""
PAGE = 50
TRADES_AT_ONCE = 20
"""That can be asked for by their ids."""
LOCKED_OUT, TOO_FAST = 900.0, 10.0
"""Seconds."""

_OURS = re.compile(r"qd-([0-9a-z]{4})-([epx])-([0-9a-f]{16})")
_WIRE = re.compile(r"qd([0-9A-Za-z]{15})")
_DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
_ROLES = "epx"
_TAGS, _RANDOM = 36**4, 2**64
_NAMES = {"BTC": "XBT", "DOGE": "XDG"}


class Kraken(Exchange):
    # -- names ------------------------------------------------------------------------------

    def market_id(self, symbol: Symbol) -> str:
        """As orders name a pair."""
        return "".join(_NAMES.get(name, name) for name in (symbol.base, symbol.quote))

    def encode(self, order_id: str) -> str:
        """In at most 18 characters: tag, role and the random 64 bits as one number, to base 62."""
        ours = _OURS.fullmatch(order_id)
        if ours is None:
            return order_id
        tag, role, random = ours.groups()
        value = (int(tag, 36) * len(_ROLES) + _ROLES.index(role)) * _RANDOM + int(random, 16)
        return f"qd{_in_base_62(value)}"

    def decode(self, wire_id: str) -> str:
        wire = _WIRE.fullmatch(wire_id)
        if wire is None:
            return wire_id
        value = 0
        for digit in wire[1]:
            value = value * len(_DIGITS) + _DIGITS.index(digit)
        rest, random = divmod(value, _RANDOM)
        number_of_tag, role = divmod(rest, len(_ROLES))
        if number_of_tag >= _TAGS:
            return wire_id
        return f"qd-{_tag(number_of_tag)}-{_ROLES[role]}-{random:016x}"

    def our_id(self, raw: Any) -> str:
        """A user reference, which ccxt tells in its place, is a number and none of ours."""
        told = str(info_of(raw).get("cl_ord_id") or raw.get("clientOrderId") or "")
        return "" if told.lstrip("-").isdigit() else told

    def is_touched(self, raw: Any) -> bool:
        told = str(info_of(raw).get("misc") or "").split(",")
        return bool(self.trigger_of(raw)) and bool({"stopped", "touched"} & set(told))

    def note_of(self, raw: Any) -> str:
        return str(info_of(raw).get("reason") or "")

    # -- orders -----------------------------------------------------------------------------

    def placing(self, api: Api, order: Order, *, limit: str | None = None) -> VenueRequest:
        """It cannot arrive after its deadline: then it is refused, unseen."""
        request = super().placing(api, order, limit=limit)
        *rest, params = request.arguments
        until = {"deadline": _deadline(api)}
        return replace(
            request, arguments=(*rest, params | until), carries={**request.carries, **until}
        )

    def params(self, account: Account, order: Order) -> dict[str, Any]:
        return {**super().params(account, order), "oflags": FEES_IN_QUOTE}

    def carries(self, account: Account, order: Order) -> dict[str, str]:
        """What ccxt has left of a stop is a market order."""
        fields = super().carries(account, order) | {"ordertype": _kind(order)}
        fields["oflags"] = f"{FEES_IN_QUOTE},post" if order.post_only else FEES_IN_QUOTE
        if order.price is not None:
            place = "price2" if order.type in CONDITIONAL else "price"
            fields[place] = exact(order.price) or ""
        return fields

    def cancelling(self, api: Api, order: Order) -> VenueRequest:
        """By our id, which open orders alone keep."""
        wire_id = self.encode(order.id)
        return VenueRequest(
            call=api.ccxt.cancel_order,
            arguments=(None, self.row.market_of(order.symbol), {"clientOrderId": wire_id}),
            carries={"cl_ord_id": wire_id},
        )

    # -- where orders and fills are found -----------------------------------------------------

    async def by_our_id(self, api: Api, order: Order) -> Any:
        """Open ones first: what ends meanwhile stands on both lists, and never on none."""
        if order.venue_id:
            return await self.by_venue_id(api, order.venue_id, order)
        named = {"cl_ord_id": self.encode(order.id)}
        found = [*await self._open(api, named)] or await self._ended(api, named)
        mine = (raw for raw in found if self.our_id(raw) == named["cl_ord_id"])
        return next(mine, None)

    async def by_venue_id(
        self, api: Api, venue_id: str, order: Order, *, child: bool = False
    ) -> Any:
        asked = {"txid": venue_id, "trades": "true"}
        told = await api.ask(api.ccxt.private_post_queryorders, asked)
        found = self._orders(api, told["result"])
        return next((raw for raw in found if raw["id"] == venue_id), None)

    async def open_orders(self, api: Api, symbol: Symbol | None) -> list[Any]:
        """All stand on one answer, stops too."""
        found = await self._open(api, {})
        return [raw for raw in found if symbol is None or self._is_of(raw, symbol)]

    async def orders_since(
        self, api: Api, symbol: Symbol, since: int, *, triggers_only: bool = False
    ) -> list[Any]:
        asked = {"start": _before(since), "closetime": "open"}
        still = await self._open(api, {})
        found = {raw["id"]: raw for raw in [*still, *await self._ended(api, asked)]}
        late = (raw for raw in found.values() if int(raw["timestamp"] or 0) >= since)
        of_symbol = (raw for raw in late if self._is_of(raw, symbol))
        return sorted(of_symbol, key=lambda raw: int(raw["timestamp"]))

    async def trades_since(self, api: Api, symbol: Symbol, since: int) -> list[Any]:
        """Of the account, of all pairs; no order can be asked for."""
        call, asked = api.ccxt.private_post_tradeshistory, {"start": _before(since)}
        rows = await self._rows(api, call, asked, inner="trades")
        trades = self._trades(api, rows)
        late = (each for each in trades if self._is_of(each, symbol) and each["timestamp"] >= since)
        return sorted(late, key=lambda each: int(each["timestamp"]))

    async def fills(self, api: Api, raw: Any, order: Order) -> list[Any]:
        """By their ids, which the order names."""
        names = [str(name) for name in info_of(raw).get("trades") or ()]
        found: list[Any] = []
        for begin in range(0, len(names), TRADES_AT_ONCE):
            asked = {"txid": ",".join(names[begin : begin + TRADES_AT_ONCE])}
            told = await api.ask(api.ccxt.private_post_querytrades, asked)
            found += self._trades(api, told["result"])
        return found

    async def _open(self, api: Api, asked: Mapping[str, str]) -> list[Any]:
        told = await api.ask(api.ccxt.private_post_openorders, {"trades": "true", **asked})
        return self._orders(api, told["result"]["open"])

    async def _ended(self, api: Api, asked: Mapping[str, str]) -> list[Any]:
        call = api.ccxt.private_post_closedorders
        rows = await self._rows(api, call, {"trades": "true", **asked}, inner="closed")
        return self._orders(api, rows)

    async def _rows(
        self, api: Api, call: Any, asked: Mapping[str, str], *, inner: str, about: str = "orders"
    ) -> dict[str, Any]:
        """A list to its end, by name.  What it counts is believed only where a page is not full:
        each answer is dear."""
        ended = False

        async def page(passed: int) -> list[Any]:
            nonlocal ended
            if ended:
                return []
            told = (await api.ask(call, {**asked, "ofs": str(passed)}, about=about))["result"]
            rows = list((told.get(inner) or {}).items())
            ended = len(rows) < PAGE and passed + len(rows) >= int(told.get("count") or 0)
            return rows

        return dict(await by_offset(page, key=lambda row: str(row[0])))

    def _orders(self, api: Api, rows: Mapping[str, Any]) -> list[Any]:
        found = ((row, api.ccxt.parse_order({"id": name, **row})) for name, row in rows.items())
        return [self._named(api, raw, row["descr"]["pair"]) for row, raw in found]

    def _trades(self, api: Api, rows: Mapping[str, Any]) -> list[Any]:
        found = ((row, api.ccxt.parse_trade({"id": name, **row})) for name, row in rows.items())
        return [self._named(api, raw, row["pair"]) for row, raw in found]

    def _named(self, api: Api, raw: Any, pair: str) -> Any:
        """A pair that is not listed any more keeps its name: ccxt would guess where to cut it."""
        listed = pair in api.ccxt.options["marketsByAltname"] or pair in api.ccxt.markets_by_id
        return raw if listed else {**raw, "symbol": pair}

    def _is_of(self, raw: Any, symbol: Symbol) -> bool:
        return raw["symbol"] in {self.row.market_of(symbol), self.market_id(symbol)}

    # -- the account ------------------------------------------------------------------------

    async def account(self, api: Api) -> Account:
        return Account(
            facts={
                "key": "for this desk alone: of two programs with one key, Kraken refuses whichever"
                " counts behind (nonce)"
            }
        )

    async def permissions(self, api: Api) -> Mapping[str, Any] | None:
        told = await api.ask(api.ccxt.private_post_getapikeyinfo, about="account", urgency=None)
        key = told["result"]
        granted = {str(name): True for name in key.get("permissions") or ()}
        return {**granted, "nonce window": number(key.get("nonce_window")) > 0}

    async def movements(self, api: Api, since: int, quote: str) -> list[Movement]:
        """By the ledger, which tells whatever came and went."""
        begin = self._told_from(api, since)
        asked = {"asset": _asset(api, quote), "start": _before(begin)}
        call = api.ccxt.private_post_ledgers
        rows = await self._rows(api, call, asked, inner="ledger", about="account")
        told = (_movement(name, row, self.row.money) for name, row in rows.items())
        first = EPOCH + timedelta(milliseconds=begin)
        return [each for each in told if each is not None and each.at >= first]

    # -- the account's streams --------------------------------------------------------------

    def streams(self, exchange: Any) -> Sequence[AccountWatch]:
        """Both on one subscription."""

        async def orders() -> list[Any]:
            return [_counted(raw) for raw in await exchange.watch_orders()]

        return (
            AccountWatch(call=orders, awaits="orders", tells_orders=True),
            AccountWatch(call=exchange.watch_my_trades, awaits="myTrades", tells_orders=False),
        )

    def has_begun(self, url: str, message: Any) -> bool:
        """Said twice for what tells orders and fills at once: that it is taken, then what rests (or
        that it is alive)."""
        told = message if isinstance(message, dict) else {}
        if "ws-auth" not in url:
            return False
        taken = told.get("method") == "subscribe" and told.get("success") is True
        rests = told.get("channel") == "executions" and told.get("type") == "snapshot"
        return taken or rests or told.get("channel") == "heartbeat"

    def last_word(self, message: Any) -> str:
        """A subscription that is refused: ccxt tells nobody, and waits."""
        told = message if isinstance(message, dict) else {}
        if told.get("method") != "subscribe" or told.get("success") is not False:
            return ""
        return str(told.get("error") or "not subscribed")

    def forget_login(self, exchange: Any) -> None:
        for client in exchange.clients.values():
            client.subscriptions.pop("authenticated", None)

    # -- errors -----------------------------------------------------------------------------

    def told(self, text: str) -> tuple[str, str]:
        """`E<category>:<text>`; what follows is a detail, but for which argument is wrong."""
        whole, words = super().told(text)
        parts = [part.strip() for part in whole.split(":")]
        if parts[1:2] == ["Invalid arguments"]:
            return ":".join([*parts[:2], *(part.split()[0] for part in parts[2:3] if part)]), words
        return ":".join(parts[:2]), words

    def ban(self, status: int, headers: Mapping[str, str], body: str) -> Ban | None:
        banned = super().ban(status, headers, body)
        if banned is not None and self.told(body)[0] in self.row.ban_codes:
            return Ban(seconds=LOCKED_OUT)
        return banned


def _kind(order: Order) -> str:
    if order.type not in CONDITIONAL:
        return "market" if order.price is None else "limit"
    kind = "take-profit" if order.type is OrderType.TARGET else "stop-loss"
    return kind if order.price is None else f"{kind}-limit"


def _deadline(api: Api) -> str:
    """By the venue's clock."""
    off = int(api.ccxt.options.get("timeDifference") or 0)
    until = EPOCH + timedelta(milliseconds=api.now() - off) + DEADLINE
    return until.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _before(since: int) -> str:
    """Seconds; the moment itself is left out by Kraken."""
    return str(since // 1000 - 1)


def _in_base_62(value: int) -> str:
    digits = []
    for _ in range(15):
        value, digit = divmod(value, len(_DIGITS))
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))


def _tag(value: int) -> str:
    base_36 = string.digits + string.ascii_lowercase
    digits = []
    for _ in range(4):
        value, digit = divmod(value, 36)
        digits.append(base_36[digit])
    return "".join(reversed(digits))


def _counted(raw: Any) -> Any:
    """An event that ends an order tells what had filled, which ccxt takes for its amount."""
    told = info_of(raw)
    return {**raw, "amount": told.get("order_qty"), "filled": told.get("cum_qty")}


def _asset(api: Api, quote: str) -> str:
    """Kraken's name of a currency, as its pairs say it."""
    markets = api.ccxt.markets.values()
    return next((str(info_of(m)["quote"]) for m in markets if m["quote"] == quote), quote)


def _movement(
    name: str, row: Mapping[str, Any], money: Mapping[str, MovementKind | None]
) -> Movement | None:
    kind, amount = str(row.get("type") or ""), number(row["amount"]) - number(row.get("fee"))
    ours, at = money.get(kind, MovementKind.TRANSFER), moment(float(row["time"]) * 1000)
    if ours is None or not amount or at is None:
        return None
    return Movement(id=f"{kind}:{name}", kind=ours, amount=amount, at=at)


# -- rows -------------------------------------------------------------------------------------


def _permission(name: str, words: str, **more: bool) -> Permission:
    return Permission(name=name, words=words, **{"wanted": True, **more})


_PUBLIC = ("Time", "SystemStatus", "AssetPairs", "Ticker", "OHLC", "Depth", "Trades")
_BOTH: Mapping[str, Any] = {
    "exchange": "kraken",
    "guide": "docs/kraken.md",
    "id_pattern": r"[0-9A-Za-z_-]{1,18}",
    "id_field": "cl_ord_id",
    "duplicate": "duplicate",
    "page": PAGE,
    "history_back": timedelta(days=365),
    "weight_per_minute": 60,  # 20 questions about the account, of 3 each, may come at once
    "costs": dict.fromkeys(_PUBLIC, 0.25),  # by address and pair, apart from the account's
    "orders_per_10s": 60,
    "ban_codes": frozenset({"EGeneral:Temporary lockout"}),
    "ban_seconds": TOO_FAST,
    "window": 15.0,
    "code_at": ("error.0",),
    "message_at": ("error.0",),
    "turned_away": frozenset(
        {
            "EAPI:Invalid nonce", "EAPI:Rate limit exceeded", "EGeneral:Invalid arguments:deadline",
            "EGeneral:Temporary lockout", "EGeneral:Too many requests",
            "EOrder:Rate limit exceeded",
            "EService:Deadline elapsed", "EService:Market in cancel_only mode",
            "EService:Market in limit_only mode", "EService:Market in post_only mode",
            "EService:Throttled",
        }
    ),
    "unclear": frozenset(
        {
            "EDatabase:Internal error", "EGeneral:Internal error", "EGeneral:Timeout",
            "EService:Busy", "EService:Internal error", "EService:Timeout", "EService:Unavailable",
        }
    ),
    "not_found": frozenset({"EOrder:Invalid order", "EOrder:Unknown order"}),
    "no_market": frozenset(
        {
            "EQuery:Invalid asset pair", "EQuery:Unknown asset pair",
            "EService:Market in cancel_only mode",
        }
    ),
    "clock_codes": frozenset({"EGeneral:Invalid arguments:deadline", "EService:Deadline elapsed"}),
    "misfits": frozenset(
        {
            "EGeneral:Invalid arguments:price", "EGeneral:Invalid arguments:volume",
            "EOrder:Cost minimum not met", "EOrder:Invalid price", "EOrder:Order minimum not met",
            "EOrder:Tick size check failed",
        }
    ),
    "explained": {
        "EAPI:Invalid key": "the key is not valid: check this venue's key",
        "EAPI:Invalid signature": "the signature is not valid: check this venue's secret",
        "EGeneral:Permission denied": "the key may not do that: check its permissions",
        "EOrder:Insufficient funds": "not enough money for this order",
        "EQuery:Unknown asset pair": "Kraken knows no such market",
    },
    "hints": {
        "Invalid nonce": "requests overtook each other, or another program uses this key: give the"
        " key a nonce window at Kraken, and each program a key of its own",
        "Rate limit exceeded": "asked too often; it is possible again in a few seconds",
        "Temporary lockout": "asked too often; Kraken takes nothing for 15 minutes",
        "Deadline elapsed": "it came too late, or our clock differed; it has been set",
        "minimum not met": "worth less than this market takes",
        "Invalid price": "the price is not one that this market takes now",
        "Market in": "the market takes no such orders now",
    },
    "money": {"trade": None},
    "options": {"adjustForTimeDifference": True},
}  # fmt: skip

SPOT = Row(
    **_BOTH,
    market=Market.SPOT,
    suffix="",
    stops=Stops.MARKET,
    stop_fields={"price": "{trigger}"},
    target_fields={"price": "{trigger}"},
    acknowledges=True,
    opens_together=True,
    candles=720,
    wanted=(
        _permission("query-funds", "The key may not read what is held.", for_trading=False),
        _permission("query-open-trades", "The key may not read open orders.", for_trading=False),
        _permission("query-closed-trades", "The key may not read ended orders.", for_trading=False),
        _permission("query-ledger", "The key may not read the ledger.", for_trading=False),
        _permission("create-ws-token", "The key may not open the account's stream."),
        _permission("modify-trades", "The key may not trade: every order would be refused."),
        _permission("close-trades", "The key may not cancel: every cancel would be refused."),
        _permission(
            "withdraw-funds",
            "The key may withdraw money: take that permission away, the desk never needs it.",
            wanted=False,
            for_trading=False,
        ),
        _permission(
            "nonce window",
            "The key has no nonce window: set it to 10000 at Kraken, or requests that overtake each"
            " other on the way are refused.",
        ),
    ),
)

_APART = (
    "Kraken's perpetuals are an exchange of their own (Kraken Futures), with other keys: they are"
    " not offered yet."
)
SWAP = Row(
    **_BOTH,
    market=Market.SWAP,
    suffix=":{quote}",
    lacks=dict.fromkeys((Can.ENTRIES, Can.PRICES), _APART),
)

EXCHANGES: Mapping[Market, Exchange] = MappingProxyType(
    {Market.SPOT: Kraken(SPOT), Market.SWAP: Kraken(SWAP)}
)
