"""OKX: spot, and perpetuals in USDT or USDC, which are counted in contracts.

Sources: okx.com/docs-v5 (orders, algo orders, fills, bills, account configuration, error codes),
and ccxt's adapter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from functools import partial
from types import MappingProxyType
from typing import Any

from trading.types import Movement, MovementKind, Order, OrderRole, Side, Stops, Symbol, Targets
from trading.venues.ccxt.asking import Account, AccountWatch, Api, Ban
from trading.venues.ccxt.exchange import Exchange
from trading.venues.ccxt.paging import by_cursor
from trading.venues.ccxt.row import Can, Market, Permission, Row
from trading.venues.ccxt.values import info_of, millis_of, moment, number

OURS = re.compile(r"qd-([0-9a-z]+)-([epx])-([0-9a-f]{16})")
ON_THE_WIRE = re.compile(r"qd([0-9a-z]+)([epx])([0-9a-f]{16})")
SIMPLE = "1"
"""`acctLv` of an account without margin, which has no perpetuals."""
RECENT = 1_400
"""Bars back to which ccxt asks for recent candles; older ones come in smaller pages."""
OLD_CANDLES = 100
"""Of these, in one answer."""
NEW_FILLS, NEW_ORDERS = timedelta(days=3), timedelta(days=7)
"""As far back go the lists that are told at once; others go further, and may lag."""
A_MOMENT = 2.0
"""Seconds after which a path that was asked too often may be asked again."""


class Okx(Exchange):
    """What both markets have in common; `kind` is OKX's word for the market."""

    kind = ""

    # -- names ------------------------------------------------------------------------------

    def market_id(self, symbol: Symbol) -> str:
        return f"{symbol.base}-{symbol.quote}"

    def encode(self, order_id: str) -> str:
        """Letters and digits alone are taken: ours without its hyphens, whose places are known."""
        ours = OURS.fullmatch(order_id)
        return order_id if ours is None else f"qd{''.join(ours.groups())}"

    def decode(self, wire_id: str) -> str:
        ours = ON_THE_WIRE.fullmatch(wire_id)
        return wire_id if ours is None else f"qd-{'-'.join(ours.groups())}"

    def our_id(self, raw: Any) -> str:
        """What waits for a price has its id apart, and what it becomes names that one alone."""
        return str(info_of(raw).get("algoClOrdId") or super().our_id(raw))

    def venue_id(self, raw: Any) -> str:
        """ccxt calls what an order that waited has become by the id of the one that waited."""
        told = info_of(raw)
        return str(told["ordId"]) if _is_on_the_book(told) else super().venue_id(raw)

    def child_of(self, raw: Any) -> str:
        """Both name it: the one that waited, and it itself."""
        told = info_of(raw)
        return str(told.get("ordId") or "") if told.get("algoId") else ""

    def is_touched(self, raw: Any) -> bool:
        return bool(self.child_of(raw)) or info_of(raw).get("state") == "effective"

    def is_target(self, raw: Any) -> bool:
        return bool(info_of(raw).get("tpTriggerPx"))

    def note_of(self, raw: Any) -> str:
        told = info_of(raw)
        if told.get("state") != "order_failed":
            return ""
        return f"its price was reached, and OKX refused the order (code {told.get('failCode')})"

    # -- orders -----------------------------------------------------------------------------

    def side_params(self, account: Account, order: Order) -> dict[str, Any]:
        return {**super().side_params(account, order), "tdMode": self.margin(account)}

    def carries(self, account: Account, order: Order) -> dict[str, str]:
        return super().carries(account, order) | {"tdMode": self.margin(account)}

    def margin(self, account: Account) -> str:
        """`tdMode`, which every order names."""
        raise NotImplementedError

    # -- where orders and fills are found -----------------------------------------------------

    async def _one(self, api: Api, venue_id: str, order: Order, params: Mapping[str, Any]) -> Any:
        """An empty list is no order, of which ccxt makes one that tells nothing."""
        found = await super()._one(api, venue_id, order, params)
        return found if found is not None and found.get("id") else None

    async def open_orders(self, api: Api, symbol: Symbol | None) -> list[Any]:
        trade, asked = api.ccxt, self._of(api, symbol)
        found = await self._orders(api, trade.private_get_trade_orders_pending, asked)
        for params in self.row.trigger_lists if self.row.triggers_apart else ():
            call = trade.private_get_trade_orders_algo_pending
            found += await self._orders(api, call, {**asked, **params}, by="algoId")
        return found

    async def orders_since(
        self, api: Api, symbol: Symbol, since: int, *, triggers_only: bool = False
    ) -> list[Any]:
        """Open ones first: what ends meanwhile stands on both lists, and never on none.

        What an order that waited has become is left out: that order tells of it.
        """
        asked, found = self._of(api, symbol), list[Any]()
        if self.row.triggers_apart:
            found += await self._waiting_since(api, asked, since)
        if not triggers_only:
            every = await self._placed_since(api, asked, since)
            found += [order for order in every if not self.child_of(order)]
        late = {str(o["id"]): o for o in found if int(o["timestamp"] or 0) >= since}
        return sorted(late.values(), key=lambda order: int(order["timestamp"] or 0))

    async def _placed_since(self, api: Api, asked: Mapping[str, Any], since: int) -> list[Any]:
        """What ended without a fill is told for two hours alone, whoever asks."""
        trade, begun = api.ccxt, {**asked, "begin": since}
        found = await self._orders(api, trade.private_get_trade_orders_pending, asked)
        found += await self._orders(api, trade.private_get_trade_orders_history, begun)
        if since < api.now() - millis_of(NEW_ORDERS):
            archive = trade.private_get_trade_orders_history_archive
            found += await self._orders(api, archive, begun)
        return found

    async def _waiting_since(self, api: Api, asked: Mapping[str, Any], since: int) -> list[Any]:
        """Ours are of one kind, and each state stands on a list of its own."""
        trade, kind = api.ccxt, {**asked, "ordType": "conditional"}
        open_now = trade.private_get_trade_orders_algo_pending
        found = await self._orders(api, open_now, kind, by="algoId")
        for state in ("effective", "canceled", "order_failed"):
            ended = trade.private_get_trade_orders_algo_history
            of_state = {**kind, "state": state}
            found += await self._orders(api, ended, of_state, by="algoId", since=since)
        return found

    async def trades_since(self, api: Api, symbol: Symbol, since: int) -> list[Any]:
        new = since >= api.now() - millis_of(NEW_FILLS)
        lists = api.ccxt.private_get_trade_fills, api.ccxt.private_get_trade_fills_history
        asked = {**self._of(api, symbol), "begin": since}
        found = await self._trades(api, lists[0] if new else lists[1], asked)
        return sorted(found, key=lambda trade: int(trade["timestamp"]))

    async def fills(self, api: Api, raw: Any, order: Order) -> list[Any]:
        """Of three days; older ones are found among all of the time."""
        asked = {**self._of(api, order.symbol), "ordId": str(raw["id"])}
        return await self._trades(api, api.ccxt.private_get_trade_fills, asked)

    async def _orders(
        self, api: Api, call: Any, asked: Mapping[str, Any], *, by: str = "ordId", since: int = 0
    ) -> list[Any]:
        rows = await self._rows(api, call, asked, by=by, since=since)
        return [api.ccxt.parse_order(row, self._market(api, row)) for row in rows]

    async def _trades(self, api: Api, call: Any, asked: Mapping[str, Any]) -> list[Any]:
        rows = await self._rows(api, call, asked, by="billId")
        return [api.ccxt.parse_trade(row, self._market(api, row)) for row in rows]

    async def _rows(
        self, api: Api, call: Any, asked: Mapping[str, Any], *, by: str, since: int = 0,
        about: str = "orders",
    ) -> list[Any]:  # fmt: skip
        """All rows of a list, newest first, by the id that pages are turned with.

        *since*: where the list cannot be asked from a moment on; pages of older ones are left.
        """

        async def page(cursor: str) -> tuple[list[Any], str]:
            params = {**asked, "limit": self.row.page, **({"after": cursor} if cursor else {})}
            rows = list((await api.ask(call, params, about=about))["data"])
            newest = max((int(row.get("cTime") or row.get("ts") or 0) for row in rows), default=0)
            return rows, str(rows[-1][by]) if rows and newest >= since else ""

        return await by_cursor(page, key=lambda row: str(row[by]))

    def _of(self, api: Api, symbol: Symbol | None) -> dict[str, str]:
        kind = {"instType": self.kind}
        if symbol is None:
            return kind
        return {**kind, "instId": api.ccxt.market(self.row.market_of(symbol))["id"]}

    def _market(self, api: Api, row: Any) -> Any:
        """None: it is not listed any more, and ccxt makes what it can of its name."""
        found = api.ccxt.markets_by_id.get(str(row.get("instId"))) or ()
        return next(iter(found), None)

    # -- the account ------------------------------------------------------------------------

    async def account(self, api: Api) -> Account:
        config = await self._config(api)
        level, hedged = str(config.get("acctLv")), config.get("posMode") == "long_short_mode"
        return Account(
            hedged=hedged and not self.row.is_spot,
            kind=_LEVELS.get(level, f"of level {level}"),
            refused="" if level != SIMPLE or self.row.is_spot else _NO_PERPETUALS,
        )

    async def permissions(self, api: Api) -> Mapping[str, Any] | None:
        may = str((await self._config(api)).get("perm") or "").split(",")
        return {"trades": "trade" in may, "withdraws": "withdraw" in may}

    async def _config(self, api: Api) -> Mapping[str, Any]:
        told = await api.ask(api.ccxt.private_get_account_config, about="account")
        config: Mapping[str, Any] = told["data"][0]
        return config

    def wallet(self, balance: Any, quote: str) -> Any:
        """With what stands as margin beside single positions, without what these have gained."""
        for coin in balance["info"]["data"][0]["details"]:
            if coin["ccy"] == quote:
                return _told(coin["eq"]) - _told(coin.get("upl")) - _told(coin.get("isoUpl"))
        return 0

    async def movements(self, api: Api, since: int, quote: str) -> list[Movement]:
        """By the bills of the trading account, which hold both markets' money."""
        begin = max(since, api.now() - millis_of(self.row.history_back))
        call = (
            api.ccxt.private_get_account_bills
            if begin >= api.now() - millis_of(NEW_ORDERS)
            else api.ccxt.private_get_account_bills_archive
        )
        asked = {"ccy": quote, "begin": begin}
        rows = await self._rows(api, call, asked, by="billId", about="account")
        told = (self.movement(api, row, quote) for row in rows)
        return [movement for movement in told if movement is not None]

    def entry_kind(self, raw: Any) -> str:
        """What another market of the account gained or paid is money that came or went here."""
        kind, where = str(raw.get("type") or ""), raw.get("instType") or self.kind
        return kind if where == self.kind else f"{kind} elsewhere"

    def movement(self, api: Api, raw: Any, quote: str) -> Movement | None:
        ours = self.row.money.get(self.entry_kind(raw), MovementKind.TRANSFER)
        amount, at = _told(raw.get("balChg")), moment(raw.get("ts"))
        if ours is None or raw.get("ccy") != quote or not amount or at is None:
            return None
        market = self._market(api, raw)
        return Movement(
            id=f"{self.entry_kind(raw)}:{raw['billId']}",
            kind=ours,
            amount=amount,
            at=at,
            symbol=None if market is None else Symbol(market["base"], market["quote"]),
        )

    # -- limits, prices, streams --------------------------------------------------------------

    def ban(self, status: int, headers: Mapping[str, str], body: str) -> Ban | None:
        """One path asked too often is free again in a moment; the edge shuts out for longer."""
        banned = super().ban(status, headers, body)
        if banned is None or status not in _TOO_OFTEN or "retry-after" in headers:
            return banned
        return replace(banned, seconds=A_MOMENT)

    async def candles(
        self, api: Api, market: str, timeframe: str, begin: int, count: int
    ) -> list[list[Any]]:
        """Of more old ones than fit in a page OKX tells the newest, and not those from *begin*."""
        step = api.ccxt.parse_timeframe(timeframe) * 1000
        most = count if begin > api.now() - RECENT * step else OLD_CANDLES
        rows: list[list[Any]] = []
        for done in range(0, count, most):
            part = min(most, count - done)
            rows += await super().candles(api, market, timeframe, begin + done * step, part)
        return rows

    def streams(self, exchange: Any) -> Sequence[AccountWatch]:
        """Of this market alone: ccxt stumbles over orders of those that it has not listed."""
        of = {"type": str(self.row.market)}
        orders = partial(exchange.watch_orders, None, None, None, of)

        async def trades() -> list[Any]:
            return [
                _put_right(each) for each in await exchange.watch_my_trades(None, None, None, of)
            ]

        return (
            AccountWatch(call=orders, awaits="orders", tells_orders=True),
            AccountWatch(call=trades, awaits="orders::myTrades", tells_orders=False),
        )

    def has_begun(self, url: str, message: Any) -> bool:
        told = message if isinstance(message, dict) else {}
        channel = (told.get("arg") or {}).get("channel")
        return told.get("event") == "subscribe" and channel in {"orders", "orders-algo"}


class OkxSpot(Okx):
    kind = "SPOT"

    def margin(self, account: Account) -> str:
        return "cash"

    def carries(self, account: Account, order: Order) -> dict[str, str]:
        """A market buy would be taken for so much money otherwise."""
        fields = super().carries(account, order)
        return fields | ({"tgtCcy": "base_ccy"} if order.price is None else {})


class OkxSwap(Okx):
    kind = "SWAP"

    def market_id(self, symbol: Symbol) -> str:
        return f"{super().market_id(symbol)}-SWAP"

    def margin(self, account: Account) -> str:
        return str(account.options.get(_MARGIN, "cross"))

    def id_params(self, order: Order) -> dict[str, Any]:
        """ccxt sends the usual field alone, in which what waits for a price has no id."""
        own = {"algoClOrdId": self.encode(order.id)} if self.is_apart(order) else {}
        return {**super().id_params(order), **own}

    def carries(self, account: Account, order: Order) -> dict[str, str]:
        fields = super().carries(account, order)
        return fields | ({"posSide": _position_side(order)} if account.hedged else {})

    async def account(self, api: Api) -> Account:
        """With the margin mode of what is held: an order in the other would open beside it."""
        found = await super().account(api)
        held = [] if found.refused else await self._held(api)
        modes = sorted({str(row["mgnMode"]) for row in held})
        mode = modes[0] if modes else "cross"
        return replace(
            found,
            refused=found.refused or (_TWO_MODES if len(modes) > 1 else ""),
            facts={"margin mode": mode},
            options={_MARGIN: mode},
        )

    async def positions(self, api: Api, symbols: Sequence[Symbol] | None) -> Iterable[Any]:
        """All that are held: ccxt asks for a few at most."""
        rows = await self._held(api)
        return [api.ccxt.parse_position(row, self._market(api, row)) for row in rows]

    async def _held(self, api: Api) -> list[Any]:
        told = await api.ask(
            api.ccxt.private_get_account_positions, {"instType": self.kind}, about="account"
        )
        return [row for row in told["data"] if _told(row.get("pos"))]

    def turnover(self, ticker: Any, contract: Decimal | None) -> Decimal | None:
        """By coins: what ccxt takes for these are contracts."""
        coins, price = info_of(ticker).get("volCcy24h"), ticker.get("last")
        return None if not coins or price is None else number(coins) * number(price)

    def streams(self, exchange: Any) -> Sequence[AccountWatch]:
        """With that of what waits for a price, on a connection of its own."""
        of = {"type": str(self.row.market), "trigger": True}
        waiting = partial(exchange.watch_orders, None, None, None, of)
        apart = AccountWatch(call=waiting, awaits="orders-algo", tells_orders=True)
        return *super().streams(exchange), apart


def _is_on_the_book(told: Any) -> bool:
    """And waits for no price: what does has no word for what has filled."""
    return "accFillSz" in told and bool(told.get("ordId"))


def _put_right(trade: Any) -> dict[str, Any]:
    """A fill as ccxt reads it off the stream: it leaves the fee negative, as OKX tells what was
    paid, and names the order that waited in place of the one that filled."""
    told, fee = info_of(trade), dict(trade.get("fee") or {})
    fee["cost"] = -_told(told.get("fillFee"))
    return {**trade, "order": str(told["ordId"]), "fee": fee, "fees": [fee]}


def _told(amount: Any) -> Decimal:
    """What is empty is nothing."""
    return number(amount or None)


def _position_side(order: Order) -> str:
    opens = order.side if order.role is OrderRole.ENTRY else order.side.opposite
    return "long" if opens is Side.BUY else "short"


_MARGIN = "defaultMarginMode"
_TOO_OFTEN = frozenset({200, 429})
_LEVELS = {"1": "simple", "2": "single-currency", "3": "multi-currency", "4": "portfolio"}
_NO_PERPETUALS = (
    "This OKX account is a simple one, which has no perpetuals: set its account mode to futures,"
    " at the exchange."
)
_TWO_MODES = (
    "This OKX account holds positions in cross and in isolated margin: close those of one of them,"
    " or a stop would stand beside the position that it is for."
)

# -- rows -------------------------------------------------------------------------------------

_BOTH: Mapping[str, Any] = {
    "exchange": "okx",
    "sandbox": True,
    "credentials": ("key", "secret", "passphrase"),
    "id_pattern": r"[A-Za-z0-9]{1,32}",
    "id_field": "clOrdId",
    "duplicates": frozenset({"51011", "51016", "51065"}),
    "page": 100,
    "weight_per_minute": 545,
    "orders_per_10s": 300,
    "too_many_orders": frozenset({"50061"}),
    "ban_statuses": frozenset({403, 429}),
    "ban_codes": frozenset({"50011", "50061"}),
    "window": None,
    "acknowledges": True,
    "code_at": ("data.0.sCode", "code"),
    "message_at": ("data.0.sMsg", "msg"),
    "fine": frozenset({"0", "1", "2"}),
    "turned_away": frozenset({"50011", "50061", "50102"}),
    "unclear": frozenset({"50001", "50004", "50005", "50013", "50026"}),
    "not_found": frozenset({"51400", "51401", "51402", "51603"}),
    "no_market": frozenset({"51001", "51021", "51022", "51027", "51028"}),
    "clock_codes": frozenset({"50102"}),
    "misfits": frozenset(
        {"51005", "51006", "51007", "51020", "51100", "51120", "51121", "51137", "51138", "51202"}
    ),
    "explained": {
        "50102": "our clock differed from the venue's, and has been set by it",
        "50101": "the key is of the other environment: check this venue's sandbox setting",
        "50105": "the passphrase is not the key's: check this venue's passphrase",
        "50110": "the key may not be used from this address: check its list of addresses",
        "50111": "the key is not valid: check this venue's key",
        "50113": "the signature is not valid: check this venue's secret",
        "50119": "there is no such key: check this venue's key",
        "50120": "the key may not do that: check its permissions",
        "51008": "not enough money for this order",
        "51010": "the account's mode does not allow that: set it at the exchange",
    },
    "hints": {
        "posSide": "the account keeps positions in another way than when it was opened",
    },
    "money": {
        "2": None,  # trades
        "5": None,  # liquidations, and
        "9": None,  # deleveraging: both are told by fills
        "6": None,  # margin that goes to a position, and comes back: it is in the wallet
        "8": MovementKind.FUNDING,
    },
}  # fmt: skip

_OPTIONS: Mapping[str, Any] = {
    "adjustForTimeDifference": True,
    "createMarketBuyOrderRequiresPrice": False,
    "tgtCcy": "base_ccy",
}
_WANTED = (
    Permission(
        name="trades", wanted=True, words="The key may not trade: every order would be refused."
    ),
    Permission(
        name="withdraws",
        wanted=False,
        words="The key may withdraw money: take that permission away, the desk never needs it.",
        for_trading=False,
    ),
)

SPOT = Row(
    **_BOTH,
    market=Market.SPOT,
    suffix="",
    lacks={
        Can.STOPS: "Stops of OKX's spot market are not proven yet: the desk keeps them itself.",
    },
    wanted=_WANTED,
    options={**_OPTIONS, "defaultType": "spot", "fetchMarkets": {"types": ["spot"]}},
)

SWAP = Row(
    **_BOTH,
    market=Market.SWAP,
    suffix=":{quote}",
    contracts=True,
    stops=Stops.MARKET,
    targets=Targets.BESIDE,
    reduce_only=True,
    reduce_fields={"reduceOnly": "true"},
    hedge=True,
    trigger_id_field="algoClOrdId",
    stop_fields={
        "ordType": "conditional",
        "slTriggerPx": "{trigger}",
        "slTriggerPxType": "mark",
    },
    target_fields={
        "ordType": "conditional",
        "tpTriggerPx": "{trigger}",
        "tpTriggerPxType": "mark",
    },
    trigger_params={"slTriggerPxType": "mark", "tpTriggerPxType": "mark"},
    triggers_apart=True,
    trigger_lists=({"ordType": "conditional,oco"}, {"ordType": "trigger"}),
    wanted=_WANTED,
    options={
        **_OPTIONS,
        "defaultType": "swap",
        "fetchMarkets": {"types": ["swap"]},
    },
)

EXCHANGES: Mapping[Market, Exchange] = MappingProxyType(
    {Market.SPOT: OkxSpot(SPOT), Market.SWAP: OkxSwap(SWAP)}
)
