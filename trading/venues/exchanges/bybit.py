"""Bybit: spot, and perpetuals in USDT or USDC, of a unified trading account.

Sources: bybit-exchange.github.io/docs/v5 (orders, executions, transaction log, error codes, rate
limits), and ccxt's adapter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from operator import itemgetter
from types import MappingProxyType
from typing import Any

from trading.types import CONDITIONAL, Movement, MovementKind, Order, Stops, Symbol, Targets
from trading.venues.ccxt.asking import Account, Api, Ban, VenueRequest
from trading.venues.ccxt.exchange import Exchange
from trading.venues.ccxt.paging import by_cursor
from trading.venues.ccxt.placing import Placing
from trading.venues.ccxt.row import Can, Market, Permission, Row
from trading.venues.ccxt.values import info_of

UNIFIED = 3
"""`unifiedMarginStatus` from here on is a unified account's: 3 and 4 of the first kind, 5 and 6 of
the second."""
TOO_FAST = "10006"
"""Of one path, for the rest of a second."""
POSITIONS_A_PAGE = 200


class Bybit(Exchange):
    """What both markets have in common; `category` is Bybit's word for the market."""

    category = ""

    # -- orders -----------------------------------------------------------------------------

    def cancelling(self, api: Api, order: Order) -> VenueRequest:
        """By our id alone: ccxt would send a `clientOrderId` as Bybit's own."""
        params = {"orderLinkId": self.encode(order.id)}
        return VenueRequest(
            call=api.ccxt.cancel_order,
            arguments=(None, self.row.market_of(order.symbol), params),
            carries=params,
        )

    def is_touched(self, raw: Any) -> bool:
        told = info_of(raw)
        waits = told.get("orderStatus") in {"Untriggered", "Deactivated"}
        return bool(self.trigger_of(raw)) and bool(told.get("orderStatus")) and not waits

    def is_target(self, raw: Any) -> bool:
        """By where its price lies: Bybit calls stops and targets alike."""
        rises, sells = str(info_of(raw).get("triggerDirection")) == "1", raw.get("side") == "sell"
        return rises is sells

    def note_of(self, raw: Any) -> str:
        why = str(info_of(raw).get("rejectReason") or "")
        return "" if why == "EC_NoError" else why

    # -- where orders and fills are found -----------------------------------------------------

    async def by_our_id(self, api: Api, order: Order) -> Any:
        return await self._named(api, order.symbol, {"orderLinkId": self.encode(order.id)})

    async def by_venue_id(
        self, api: Api, venue_id: str, order: Order, *, child: bool = False
    ) -> Any:
        return await self._named(api, order.symbol, {"orderId": venue_id})

    async def _named(self, api: Api, symbol: Symbol, which: Mapping[str, str]) -> Any:
        """Among those that are open, and the last that ended; then in history."""
        market = api.ccxt.market(self.row.market_of(symbol))
        asked = {"symbol": market["id"], **which}
        for call in (api.ccxt.private_get_v5_order_realtime, api.ccxt.private_get_v5_order_history):
            found = await self._orders(api, call, asked)
            if found:
                return found[0]
        return None

    async def open_orders(self, api: Api, symbol: Symbol | None) -> list[Any]:
        """Stops stand on the same list."""
        call = api.ccxt.private_get_v5_order_realtime
        if symbol is not None:
            return await self._orders(api, call, self._of(api, symbol))
        return [
            each for asked in self._everywhere(api) for each in await self._orders(api, call, asked)
        ]

    async def orders_since(
        self, api: Api, symbol: Symbol, since: int, *, triggers_only: bool = False
    ) -> list[Any]:
        """Open ones first: what ends meanwhile stands on both lists, and never on none."""
        asked = self._of(api, symbol)
        still = await self._orders(api, api.ccxt.private_get_v5_order_realtime, asked)
        ended = [
            order
            for span in self._spans(api, since)
            for order in await self._orders(
                api, api.ccxt.private_get_v5_order_history, {**asked, **span}
            )
        ]
        found = {str(order["id"]): order for order in [*still, *ended]}
        late = (each for each in found.values() if int(each["timestamp"] or 0) >= since)
        return sorted(late, key=lambda order: int(order["timestamp"] or 0))

    async def trades_since(self, api: Api, symbol: Symbol, since: int) -> list[Any]:
        asked = self._of(api, symbol)
        found = [
            trade
            for span in self._spans(api, since)
            for trade in await self._trades(api, {**asked, **span})
        ]
        return sorted(found, key=lambda trade: int(trade["timestamp"]))

    async def fills(self, api: Api, raw: Any, order: Order) -> list[Any]:
        """Also those of a liquidation, which are no `Trade` to Bybit."""
        asked = {**self._of(api, order.symbol), "orderId": str(raw["id"])}
        return await self._trades(api, asked)

    async def _orders(self, api: Api, call: Any, asked: Mapping[str, Any]) -> list[Any]:
        rows = await self._rows(api, call, asked, key=itemgetter("orderId"))
        return [api.ccxt.parse_order(row, self._market(api, row)) for row in rows]

    async def _trades(self, api: Api, asked: Mapping[str, Any]) -> list[Any]:
        """Of an order's life alone: funding stands on the same list."""
        call = api.ccxt.private_get_v5_execution_list
        rows = await self._rows(api, call, asked, key=itemgetter("execId"))
        return [
            api.ccxt.parse_trade(row, self._market(api, row))
            for row in rows
            if row.get("execType") in _FILLS
        ]

    async def _rows(
        self,
        api: Api,
        call: Any,
        asked: Mapping[str, Any],
        *,
        key: Callable[[Any], str],
        about: str = "orders",
    ) -> list[Any]:
        """All rows of a list, once each by their *key*, as Bybit tells them, by its cursor."""

        async def page(cursor: str) -> tuple[list[Any], str]:
            params = {"category": self.category, "limit": self.row.page, **asked}
            told = await api.ask(call, params | ({"cursor": cursor} if cursor else {}), about=about)
            result = told["result"]
            return list(result.get("list") or ()), str(result.get("nextPageCursor") or "")

        return await by_cursor(page, key=key)

    def _of(self, api: Api, symbol: Symbol) -> dict[str, str]:
        return {"symbol": api.ccxt.market(self.row.market_of(symbol))["id"]}

    def _market(self, api: Api, row: Any) -> Any:
        """None: it is not listed any more, and ccxt makes what it can of its name."""
        found = api.ccxt.markets_by_id.get(str(row.get("symbol"))) or ()
        return next(iter(found), None)

    def _everywhere(self, api: Api) -> Sequence[Mapping[str, str]]:
        """What to ask with so that a list tells all symbols."""
        return ({},)

    def _spans(self, api: Api, since: int) -> Iterable[dict[str, int]]:
        """From *since* to now, none longer than one request may ask for."""
        width = int(self.row.history_window.total_seconds() * 1000)
        now, back = api.now(), int(self.row.history_back.total_seconds() * 1000)
        for begin in range(max(since, now - back), now + 1, width):
            yield {"startTime": begin, "endTime": begin + width - 1}

    # -- the account ------------------------------------------------------------------------

    async def account(self, api: Api) -> Account:
        info = await api.ask(api.ccxt.private_get_v5_account_info, about="account")
        status = int(info["result"].get("unifiedMarginStatus") or 1)
        margin = str(info["result"].get("marginMode") or "").lower().replace("_", " ")
        held = await self.positions(api, None) if not self.row.is_spot else ()
        return Account(
            hedged=any(str(info_of(each).get("positionIdx") or 0) != "0" for each in held),
            refused="" if status >= UNIFIED else _CLASSIC,
            kind="unified" if status >= UNIFIED else "classic",
            facts={"margin mode": margin} if margin else {},
            options={
                "enableUnifiedMargin": False,
                "enableUnifiedAccount": True,
                "unifiedMarginStatus": status,
            },
        )

    async def permissions(self, api: Api) -> Mapping[str, Any] | None:
        told = await api.ask(api.ccxt.private_get_v5_user_query_api, about="account", urgency=None)
        granted = told["result"].get("permissions") or {}
        orders = "Order" in (granted.get("ContractTrade") or ())
        return {
            "trades spot": "SpotTrade" in (granted.get("Spot") or ()),
            "trades perpetuals": orders and "Position" in granted["ContractTrade"],
            "writes": str(told["result"].get("readOnly")) != "1",
            "withdraws": "Withdraw" in (granted.get("Wallet") or ()),
        }

    def wallet(self, balance: Any, quote: str) -> Any:
        """What a unified account has of *quote*, without open profit."""
        coins = (coin for each in balance["info"]["result"]["list"] for coin in each["coin"])
        found = (coin["walletBalance"] for coin in coins if coin["coin"] == quote)
        return next(found, None) or 0

    async def movements(self, api: Api, since: int, quote: str) -> list[Movement]:
        """By the unified account's log, which tells transfers of either market's money."""
        rows: dict[str, Any] = {}
        call = api.ccxt.private_get_v5_account_transaction_log
        # of every category: what came and went at other markets is the same money
        asked = {"currency": quote, "category": None}
        for span in self._spans(api, since):
            lines = self._rows(api, call, {**asked, **span}, key=itemgetter("id"), about="account")
            rows |= {str(line["id"]): line for line in await lines}
        told = (self.movement(api, api.ccxt.parse_ledger_entry(r), quote) for r in rows.values())
        return [movement for movement in told if movement is not None]

    def entry_kind(self, raw: Any) -> str:
        """What another market of the account gained or paid is money that came or went here."""
        told = info_of(raw)
        kind, where = str(told.get("type") or ""), told.get("category") or self.category
        return kind if where == self.category else f"{kind} elsewhere"

    # -- streams and limits -----------------------------------------------------------------

    def has_begun(self, url: str, message: Any) -> bool:
        told = message if isinstance(message, dict) else {}
        return "/private" in url and told.get("op") == "subscribe" and bool(told.get("success"))

    def ban(self, status: int, headers: Mapping[str, str], body: str) -> Ban | None:
        """One path asked too often is free again within a second."""
        banned = super().ban(status, headers, body)
        if banned is not None and self.told(body)[0] == TOO_FAST:
            return Ban(seconds=1.0)
        return banned


class BybitSpot(Bybit):
    category = "spot"

    def carries(self, account: Account, order: Order) -> dict[str, str]:
        """A market buy would be taken for so much money otherwise."""
        fields = super().carries(account, order)
        return fields | ({"marketUnit": "baseCoin"} if order.price is None else {})


class BybitSwap(Bybit):
    category = "linear"

    def market_id(self, symbol: Symbol) -> str:
        return f"{symbol.base}PERP" if symbol.quote == "USDC" else super().market_id(symbol)

    def side_params(self, account: Account, order: Order) -> dict[str, Any]:
        """With the one position that is meant: where they are kept by side it is refused."""
        return {**Placing.side_params(self, account, order), "positionIdx": 0}

    def carries(self, account: Account, order: Order) -> dict[str, str]:
        fields = super().carries(account, order) | {"positionIdx": "0"}
        return fields | ({"triggerBy": "MarkPrice"} if order.type in CONDITIONAL else {})

    def _everywhere(self, api: Api) -> Sequence[Mapping[str, str]]:
        """Each money apart."""
        settled = {str(market["settle"]) for market in api.ccxt.markets.values()}
        return [{"settleCoin": money} for money in sorted(settled)]

    async def positions(self, api: Api, symbols: Sequence[Symbol] | None) -> Iterable[Any]:
        """All that are held: ccxt asks for one symbol, or for the first page of USDT's."""
        call: Callable[..., Any] = api.ccxt.private_get_v5_position_list
        rows = [
            row
            for asked in self._everywhere(api)
            for row in await self._rows(
                api, call, {**asked, "limit": POSITIONS_A_PAGE}, key=_held, about="account"
            )
        ]
        return [api.ccxt.parse_position(row, self._market(api, row)) for row in rows]


def _held(row: Any) -> str:
    return f"{row['symbol']} {row.get('positionIdx')}"


_FILLS = frozenset({"Trade", "AdlTrade", "BustTrade", "Delivery", "Settle", "BlockTrade"})
_CLASSIC = (
    "This Bybit account is a classic one: upgrade it to a unified trading account, the desk trades"
    " no other."
)

# -- rows -------------------------------------------------------------------------------------

_WITHDRAWALS = Permission(
    name="withdraws",
    wanted=False,
    words="The key may withdraw money: take that permission away, the desk never needs it.",
    for_trading=False,
)
_WRITES = Permission(
    name="writes", wanted=True, words="The key may only read: every order would be refused."
)

_BOTH: Mapping[str, Any] = {
    "exchange": "bybit",
    "sandbox": True,
    "id_pattern": r"[A-Za-z0-9_-]{1,36}",
    "id_field": "orderLinkId",
    "duplicates": frozenset({"110072", "170141"}),
    "page": 50,
    "history_window": timedelta(days=7),
    "weight_per_minute": 3_000,
    "orders_per_10s": 100,
    "ban_statuses": frozenset({403, 418, 429}),
    "ban_codes": frozenset({"10018", TOO_FAST}),
    "ban_seconds": 600.0,
    "window": 10.0,
    "acknowledges": True,
    "code_at": ("retCode", "ret_code"),
    "message_at": ("retMsg", "ret_msg"),
    "fine": frozenset({"0"}),
    "turned_away": frozenset({"10002", "10006", "10018", "10429", "170222"}),
    "unclear": frozenset(
        {"10000", "10016", "5004", "170001", "170007", "170032", "170149"}
    ),
    "not_found": frozenset({"110001", "170213", "20001"}),
    "no_market": frozenset({"170121", "170151", "110066"}),
    "clock_codes": frozenset({"10002"}),
    "misfits": frozenset(
        {"110003", "110094", "170134", "170135", "170136", "170137", "170140", "170193", "170194"}
    ),
    "explained": {
        "10002": "our clock differed from the venue's, and has been set by it",
        "10003": "the key is not valid: check this venue's key",
        "10004": "the signature is not valid: check this venue's secret",
        "10005": "the key may not do that: check its permissions",
        "10010": "the key may not be used from this address: check its list of addresses",
        "33004": "the key has expired: make a new one at the exchange",
        "110007": "not enough money for this order",
        "170131": "not enough money for this order",
    },
    "hints": {
        "position idx": "the account keeps positions by side (hedge mode): set it to one-way",
        "position mode": "the account keeps positions by side (hedge mode): set it to one-way",
    },
    "money": {
        "SETTLEMENT": MovementKind.FUNDING,
        "LIQUIDATION": MovementKind.LIQUIDATION,
                "TRADE": None,
        "DELIVERY": None,
    },
}  # fmt: skip

_OPTIONS: Mapping[str, Any] = {"adjustForTimeDifference": True, "recvWindow": 5_000}

SPOT = Row(
    **_BOTH,
    market=Market.SPOT,
    suffix="",
    lacks={
        Can.STOPS: "Stops of Bybit's spot market are not proven yet: the desk keeps them itself.",
    },
    wanted=(
        _WRITES,
        Permission(
            name="trades spot",
            wanted=True,
            words="The key may not trade on spot: every order would be refused.",
        ),
        _WITHDRAWALS,
    ),
    options={**_OPTIONS, "defaultType": "spot", "fetchMarkets": {"types": ["spot"]}},
)

SWAP = Row(
    **_BOTH,
    market=Market.SWAP,
    suffix=":{quote}",
    stops=Stops.MARKET,
    targets=Targets.BESIDE,
    reduce_only=True,
    reduce_fields={"reduceOnly": "true"},
    stop_fields={"triggerPrice": "{trigger}", "triggerDirection": "{direction}"},
    target_fields={"triggerPrice": "{trigger}", "triggerDirection": "{direction}"},
    trigger_params={"triggerBy": "MarkPrice"},
    wanted=(
        _WRITES,
        Permission(
            name="trades perpetuals",
            wanted=True,
            words="The key may not trade perpetuals: every order would be refused.",
        ),
        _WITHDRAWALS,
    ),
    options={
        **_OPTIONS,
        "defaultType": "swap",
        "defaultSubType": "linear",
        "fetchMarkets": {"types": ["linear"]},
    },
)

EXCHANGES: Mapping[Market, Exchange] = MappingProxyType(
    {Market.SPOT: BybitSpot(SPOT), Market.SWAP: BybitSwap(SWAP)}
)
