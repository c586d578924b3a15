"""Binance: spot, and perpetuals in USDT or USDC.

Sources: developers.binance.com (order endpoints, error code pages, limits), and ccxt's adapter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from trading.types import (
    CONDITIONAL,
    MovementKind,
    Order,
    OrderRole,
    OrderType,
    Side,
    Stops,
    Targets,
)
from trading.venues.ccxt.asking import Account, Api, VenueRequest
from trading.venues.ccxt.exchange import Exchange, StreamedBar
from trading.venues.ccxt.row import Market, PageCut, Permission, Row
from trading.venues.ccxt.values import exact, info_of

_STREAM_ENDED = "listenKeyExpired"


class Binance(Exchange):
    """What both markets have in common."""

    cancels_by: str
    """The endpoint, as ccxt calls it, of orders that do not wait apart."""

    def hedge_params(self, order: Order) -> dict[str, Any]:
        return {"positionSide": _position_side(order)}

    def carries(self, account: Account, order: Order) -> dict[str, str]:
        fields = super().carries(account, order)
        if order.type in CONDITIONAL:
            fields["type"] = self.kind(order)
        if account.hedged:
            fields["positionSide"] = _position_side(order)
        return fields

    def kind(self, order: Order) -> str:
        """Of what waits for a price: as a stop a target would sell at once."""
        raise NotImplementedError

    def child_of(self, raw: Any) -> str:
        told = info_of(raw)
        child = str(told.get("actualOrderId") or told.get("ai") or "")
        return "" if child == "0" else child

    def is_touched(self, raw: Any) -> bool:
        told, waited = info_of(raw), self.trigger_of(raw)
        return bool(waited) and (told.get("isWorking") is True or told.get("w") is True)

    def note_of(self, raw: Any) -> str:
        return str(info_of(raw).get("rm") or "")

    async def permissions(self, api: Api) -> Mapping[str, Any] | None:
        if "sapi" not in api.ccxt.urls["api"]:
            return None  # where the money is not real nobody tells
        asked = api.ccxt.sapi_get_account_apirestrictions
        told: Mapping[str, Any] = await api.ask(asked, about="account", urgency=None)
        return told

    async def _parsed(self, api: Api, tell: Any, params: Mapping[str, str]) -> Mapping[str, Any]:
        told = await api.ask(tell, dict(params), about="markets")
        return {str(row["symbol"]): api.ccxt.parse_market(row) for row in told["symbols"]}

    def bar_of(self, message: Any) -> StreamedBar | None:
        told = message.get("data", message) if isinstance(message, dict) else None
        if not isinstance(told, dict) or told.get("e") != "kline":
            return None
        bar = told["k"]
        return StreamedBar(
            market_id=str(bar["s"]),
            timeframe=str(bar["i"]),
            row=[bar["t"], bar["o"], bar["h"], bar["l"], bar["c"], bar["v"]],
            is_closed=bar["x"] is True,
        )

    def last_word(self, message: Any) -> str:
        told = message.get("data", message) if isinstance(message, dict) else None
        event = str(told.get("e", "")) if isinstance(told, dict) else ""
        return event if event == _STREAM_ENDED else ""

    def forget_login(self, exchange: Any) -> None:
        for options in exchange.options.values():
            if isinstance(options, dict) and "lastAuthenticatedTime" in options:
                options["lastAuthenticatedTime"] = 0

    def cancelling(self, api: Api, order: Order) -> VenueRequest:
        """At the endpoint itself: ccxt asks its options a dozen times which of eleven it is."""
        if self.is_apart(order):
            return super().cancelling(api, order)
        wire_id, market = self.encode(order.id), self.row.market_of(order.symbol)
        return VenueRequest(call=self._cancelled, arguments=(api, wire_id, market))

    async def _cancelled(self, api: Api, wire_id: str, name: str) -> Any:
        market, endpoint = api.ccxt.market(name), getattr(api.ccxt, self.cancels_by)
        told = await endpoint({"symbol": market["id"], "origClientOrderId": wire_id})
        return api.ccxt.parse_order(told, market)


class BinanceSpot(Binance):
    cancels_by = "private_delete_order"

    def kind(self, order: Order) -> str:
        return _spot_kind(order)

    def is_halted(self, market: Any) -> bool:
        return super().is_halted(market) or info_of(market).get("isSpotTradingAllowed") is False

    def groups(self, balance: Any) -> frozenset[str]:
        return frozenset(map(str, balance["info"].get("permissions") or ()))

    def is_closed_to(self, groups: frozenset[str], market: Any) -> bool:
        sets = info_of(market).get("permissionSets") or ()
        return bool(groups and sets) and not any(groups.intersection(one) for one in sets)

    def stops_of(self, market: Any) -> Stops:
        """By the order types that a market takes; all of them where it does not tell."""
        types = info_of(market).get("orderTypes")
        if types is None or "STOP_LOSS" in types:
            return self.row.stops
        return Stops.LIMIT if "STOP_LOSS_LIMIT" in types else Stops.DESK

    async def markets_now(self, api: Api, market_id: str) -> Mapping[str, Any]:
        return await self._parsed(api, api.ccxt.public_get_exchangeinfo, {"symbol": market_id})

    def pairing(self, api: Api, stop: Order, target: Order) -> VenueRequest:
        """As an order list (OCO): what is above the price, and what is below it."""
        market = api.ccxt.market(self.row.market_of(stop.symbol))
        above, below = (target, stop) if stop.side is Side.SELL else (stop, target)
        params, carried = dict[str, Any](), dict[str, str]()
        for place, order in (("above", above), ("below", below)):
            params |= _leg(place, order)
            carried |= {
                f"{place}Type": _spot_kind(order),
                f"{place}ClientOrderId": order.id,
                f"{place}StopPrice": exact(order.stop_price) or "",
            }
        params |= {
            "symbol": market["id"],
            "side": stop.side.name,
            "quantity": exact(stop.quantity),
            "listClientOrderId": f"{stop.id}.pair",
            "newOrderRespType": "RESULT",
        }
        return VenueRequest(
            call=api.ccxt.private_post_orderlist_oco, arguments=(params,), carries=carried
        )

    def paired(self, api: Api, answer: Any, stop: Order, target: Order) -> tuple[Any, Any]:
        market = api.ccxt.market(self.row.market_of(stop.symbol))
        legs = {str(leg["clientOrderId"]): leg for leg in answer["orderReports"]}
        parse = api.ccxt.parse_order
        return parse(legs[stop.id], market), parse(legs[target.id], market)

    def payment_lists(self, api: Api) -> Sequence[tuple[Any, Mapping[str, Any], bool]]:
        moved = api.ccxt.fetch_transfers
        return (
            *super().payment_lists(api),
            (moved, {"fromAccount": "swap", "toAccount": "spot"}, True),
            (moved, {"fromAccount": "spot", "toAccount": "swap"}, False),
        )


class BinanceSwap(Binance):
    cancels_by = "fapiprivate_delete_order"

    def kind(self, order: Order) -> str:
        kind = "TAKE_PROFIT" if order.type is OrderType.TARGET else "STOP"
        return kind if order.price is not None else f"{kind}_MARKET"

    def enter_sandbox(self, exchange: Any) -> None:
        """The old testnet of futures is closed, and ccxt refuses it: this is demo trading."""
        exchange.enable_demo_trading(True)

    async def markets_now(self, api: Api, market_id: str) -> Mapping[str, Any]:
        return await self._parsed(api, api.ccxt.fapipublic_get_exchangeinfo, {})

    def wallet(self, balance: Any, quote: str) -> Any:
        for asset in balance["info"].get("assets", ()):
            if asset.get("asset") == quote:
                return asset["walletBalance"]
        return super().wallet(balance, quote)

    def entry_kind(self, raw: Any) -> str:
        return str(info_of(raw).get("incomeType") or super().entry_kind(raw))

    def entry_id(self, raw: Any) -> str:
        """What it was paid for, too: one transaction may pay several."""
        return f"{super().entry_id(raw)}:{info_of(raw).get('symbol') or ''}"


def _position_side(order: Order) -> str:
    opens = order.side if order.role is OrderRole.ENTRY else order.side.opposite
    return "LONG" if opens is Side.BUY else "SHORT"


def _spot_kind(order: Order) -> str:
    kind = "TAKE_PROFIT" if order.type is OrderType.TARGET else "STOP_LOSS"
    return kind if order.price is None else f"{kind}_LIMIT"


def _leg(place: str, order: Order) -> dict[str, Any]:
    leg = {
        f"{place}Type": _spot_kind(order),
        f"{place}StopPrice": exact(order.stop_price),
        f"{place}ClientOrderId": order.id,
    }
    if order.price is not None:
        leg |= {f"{place}Price": exact(order.price), f"{place}TimeInForce": "GTC"}
    return leg


# -- rows -------------------------------------------------------------------------------------

_BOTH: Mapping[str, Any] = {
    "exchange": "binance",
    "sandbox": True,
    "guide": "docs/binance.md",
    "id_pattern": r"[.A-Z:/a-z0-9_-]{1,36}",
    "id_field": "newClientOrderId",
    "duplicate": "duplicate",
    "page": 1_000,
    "cut": PageCut.OLDEST_FIRST,
    "fills_by": "orderId",
    "streams_candles": True,
    "used_header": "X-MBX-USED-WEIGHT-1M",
    "orders_header": "X-MBX-ORDER-COUNT-10S",
    "too_many_orders": frozenset({"-1015"}),
    "window": 10.0,
    "code_at": ("code",),
    "message_at": ("msg",),
    "turned_away": frozenset({"-1003", "-1008", "-1015", "-1016", "-1021"}),
    "unclear": frozenset({"-1000", "-1001", "-1006", "-1007"}),
    "no_market": frozenset({"-1121", "-4108", "-4140"}),
    "clock_codes": frozenset({"-1021"}),
    "misfits": frozenset(
        {"-1013", "-1111", "-4003", "-4004", "-4005", "-4014", "-4016", "-4023", "-4024", "-4131"}
    ),
    "explained": {
        "-1021": "our clock differed from the venue's, and has been set by it",
        "-1022": "the signature is not valid: check this venue's secret",
        "-2014": "the key is not valid: check this venue's key",
        "-2015": "the key is refused: check it, the addresses it may be used from, and its"
        " permissions",
    },
    "hints": {
        "PERCENT_PRICE": "the price is too far from the market's",
        "Limit price can't be": "the price is too far from the market's",
        "MARKET_LOT_SIZE": "too much for one market order",
        "LOT_SIZE": "the quantity is not one that this market takes",
        "NOTIONAL": "worth less than this market takes",
    },
}  # fmt: skip

_WITHDRAWALS = Permission(
    name="enableWithdrawals",
    wanted=False,
    words="The key may withdraw money: take that permission away, the desk never needs it.",
    for_trading=False,
)
_READING = Permission(
    name="enableReading", wanted=True, words="The key may not read.", for_trading=False
)

_OPTIONS: Mapping[str, Any] = {
    "fetchCurrencies": False,
    "fetchMargins": False,
    "watchPositions": {"fetchPositionsSnapshot": False},  # nobody reads it; its sums need floats
    "adjustForTimeDifference": True,
    "recvWindow": 5_000,
    "warnOnFetchOpenOrdersWithoutSymbol": False,
}

SPOT = Row(
    **_BOTH,
    market=Market.SPOT,
    suffix="",
    stops=Stops.MARKET,
    targets=Targets.PAIRED,
    stop_fields={"stopPrice": "{trigger}"},
    target_fields={"stopPrice": "{trigger}"},
    rules_of_one=True,
    weight_per_minute=1_200,
    used_factor=0.2,
    orders_per_10s=100,
    history_window=timedelta(days=1),
    wanted=(
        _READING,
        Permission(
            name="enableSpotAndMarginTrading",
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
    hedge=True,
    trigger_id_field="clientAlgoId",
    stop_fields={"triggerPrice": "{trigger}"},
    target_fields={"triggerPrice": "{trigger}"},
    trigger_params={"workingType": "MARK_PRICE"},
    triggers_apart=True,
    weight_per_minute=2_400,
    orders_per_10s=300,
    history_window=timedelta(days=7),
    forced={
        "autoclose-": "a liquidation by the exchange",
        "adl_autoclose": "an automatic deleveraging by the exchange",
        "settlement_autoclose-": "a settlement by the exchange",
    },
    money={
        "FUNDING_FEE": MovementKind.FUNDING,
        "INSURANCE_CLEAR": MovementKind.LIQUIDATION,
        "REALIZED_PNL": None,
        "COMMISSION": None,
    },
    wanted=(
        _READING,
        Permission(
            name="enableFutures",
            wanted=True,
            words="The key may not trade futures: every order would be refused.",
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
    {Market.SPOT: BinanceSpot(SPOT), Market.SWAP: BinanceSwap(SWAP)}
)
