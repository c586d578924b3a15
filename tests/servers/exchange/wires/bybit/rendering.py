"""What Bybit tells about orders, fills, positions and money, over REST and in its streams alike.

Keys and types: samples/bybit_*.json of the tests; both markets' orders have one shape.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.servers.exchange import orders
from tests.servers.exchange.figures import plain
from tests.servers.exchange.orders import Shown
from tests.servers.exchange.values import ZERO, Position, Trade
from tests.servers.exchange.wires.bybit.words import REJECTIONS

Json = Any
UUID = "{:08x}-7847-404e-b947-{:012x}"
PLACED = {"BUY": "Buy", "SELL": "Sell"}


def order_id(engine: Any, number: int) -> str:
    """Digits on spot, the form of a UUID for perpetuals."""
    return UUID.format(number, number) if is_swap(engine) else str(number)


def number_of(text: str) -> int:
    """The engine's number of an order id; 0 of what is none."""
    try:
        return int(text.split("-", maxsplit=1)[0], 16) if "-" in text else int(text or 0)
    except ValueError:
        return 0


def is_swap(engine: Any) -> bool:
    return hasattr(engine, "leverages")


def category(engine: Any) -> str:
    return "linear" if is_swap(engine) else "spot"


def position_index(side: str) -> int:
    return {"BOTH": 0, "LONG": 1, "SHORT": 2}[side]


# --- orders --------------------------------------------------------------------------------------


def status(engine: Any, shown: Shown) -> str:
    """`PartiallyFilledCanceled` is spot's only; a stop that never triggered is `Deactivated`."""
    match shown.state:
        case orders.WAITING:
            return "Triggered" if shown.triggered else "Untriggered"
        case orders.OPEN:
            return "PartiallyFilled" if shown.filled else "New"
        case orders.FILLED:
            return "Filled"
        case orders.FAILED:
            return "Rejected" if shown.stop else "Cancelled"
    if shown.stop and shown.child is None:
        return "Deactivated"
    partly = shown.filled and not is_swap(engine)
    return "PartiallyFilledCanceled" if partly else "Cancelled"


def order(engine: Any, shown: Shown) -> Json:
    wish = shown.wish
    left = shown.quantity - shown.filled if shown.is_open else ZERO
    trades = orders.fills(engine, shown)
    fees: dict[str, Decimal] = {}
    for trade in trades:
        fees[trade.fee_asset] = fees.get(trade.fee_asset, ZERO) + trade.fee
    in_quote = bool(wish.quote_quantity)
    return {
        "symbol": shown.symbol,
        "orderType": "Market" if shown.is_market else "Limit",
        "orderLinkId": wish.client_id,
        "slLimitPrice": "0",
        "orderId": order_id(engine, shown.id),
        "cancelType": "UNKNOWN",
        "avgPrice": plain(shown.average) if shown.filled else "",
        "stopOrderType": _stop_type(shown),
        "lastPriceOnCreated": "",
        "orderStatus": status(engine, shown),
        "takeProfit": "",
        "cumExecValue": plain(shown.quote_filled),
        "cumFeeDetail": {asset: plain(fee) for asset, fee in fees.items()},
        "smpType": "None",
        "triggerDirection": _direction(engine, shown),
        "blockTradeId": "",
        "isLeverage": "" if is_swap(engine) else "0",
        "rejectReason": REJECTIONS.get(shown.failure, "EC_NoError"),
        "price": plain(wish.price),
        "orderIv": "",
        "createdTime": str(shown.created),
        "tpTriggerBy": "",
        "positionIdx": position_index(wish.position_side),
        "timeInForce": _time_in_force(shown),
        "leavesValue": plain(left * (wish.price or shown.average)),
        "updatedTime": str(shown.updated),
        "side": PLACED[shown.side],
        "smpGroup": 0,
        "triggerPrice": plain(wish.stop_price) if shown.stop else "",
        "tpLimitPrice": "0",
        "cumExecFee": plain(sum(fees.values(), ZERO)),
        "leavesQty": plain(left),
        "slTriggerBy": "",
        "closeOnTrigger": False,
        "placeType": "",
        "cumExecQty": plain(shown.filled),
        "reduceOnly": wish.reduce_only,
        "qty": plain(wish.quote_quantity if in_quote else shown.quantity),
        "stopLoss": "",
        "marketUnit": _unit(engine, shown),
        "feeCurrency": next(iter(fees), ""),
        "smpOrderId": "",
        "triggerBy": _trigger_by(shown),
        "tpslMode": "Full" if is_swap(engine) else "",
    }


def _unit(engine: Any, shown: Shown) -> str:
    if is_swap(engine) or not shown.is_market:
        return ""
    return "quoteCoin" if shown.wish.quote_quantity else "baseCoin"


def _stop_type(shown: Shown) -> str:
    if not shown.stop:
        return ""
    return "tpslOrder" if shown.wish.note == "tpslOrder" else "Stop"


def _direction(engine: Any, shown: Shown) -> int:
    if shown.trigger is None or not is_swap(engine):
        return 0
    return 2 if shown.trigger.falling else 1


def _trigger_by(shown: Shown) -> str:
    if not shown.stop:
        return ""
    return "MarkPrice" if shown.wish.working_type == "MARK_PRICE" else "LastPrice"


def _time_in_force(shown: Shown) -> str:
    if shown.post_only:
        return "PostOnly"
    return "IOC" if shown.is_market else shown.wish.time_in_force


# --- fills ---------------------------------------------------------------------------------------


def execution(engine: Any, trade: Trade) -> Json:
    shown = orders.owner(engine, trade)
    filled = sum((t.quantity for t in orders.fills(engine, shown) if t.id <= trade.id), ZERO)
    return {
        "symbol": trade.symbol,
        "orderType": "Market" if shown.is_market else "Limit",
        "underlyingPrice": "",
        "orderLinkId": shown.wish.client_id,
        "side": PLACED[trade.side],
        "indexPrice": "",
        "orderId": order_id(engine, shown.id),
        "stopOrderType": _stop_type(shown) or "UNKNOWN",
        "leavesQty": plain(shown.quantity - filled),
        "execTime": str(trade.time),
        "feeCurrency": "" if is_swap(engine) else trade.fee_asset,
        "isMaker": trade.maker,
        "execFee": plain(trade.fee),
        "feeRate": plain(engine.maker_fee if trade.maker else engine.taker_fee),
        "execId": UUID.format(trade.id, trade.id),
        "tradeIv": "",
        "blockTradeId": "",
        "markPrice": plain(trade.price),
        "execPrice": plain(trade.price),
        "markIv": "",
        "orderQty": plain(shown.quantity),
        "orderPrice": plain(shown.wish.price),
        "execValue": plain(trade.quote),
        "execType": _exec_type(shown),
        "execQty": plain(trade.quantity),
        "closedSize": "",
        "seq": trade.id,
    }


def _exec_type(shown: Shown) -> str:
    forced = shown.child.forced if shown.child else ""
    return {"LIQUIDATION": "BustTrade", "ADL": "AdlTrade"}.get(forced, "Trade")


# --- the account ---------------------------------------------------------------------------------


def position(engine: Any, of: Position) -> Json:
    """*avgPrice* over REST is *entryPrice* in the stream: both are given by the callers."""
    mark = engine.mark(of.symbol) or of.entry
    side = ("Buy" if of.amount > 0 else "Sell") if of.amount else ""
    liquidation = engine.liquidation_price(of)
    return {
        "positionIdx": position_index(of.side),
        "riskId": 1,
        "riskLimitValue": "2000000",
        "symbol": of.symbol,
        "side": side,
        "size": plain(abs(of.amount)),
        "positionValue": plain(abs(of.amount) * of.entry) if of.amount else "",
        "tradeMode": 0,
        "positionStatus": "Normal",
        "autoAddMargin": 0,
        "adlRankIndicator": 2 if of.amount else 0,
        "leverage": str(engine.leverages[of.symbol]),
        "positionBalance": plain(round(engine.margin_of(of), 8)),
        "markPrice": plain(mark),
        "liqPrice": plain(round(liquidation, 8)) if liquidation else "",
        "bustPrice": "",
        "positionMM": plain(round(engine.maintenance_of(of), 8)),
        "positionIM": plain(round(engine.margin_of(of), 8)),
        "tpslMode": "Full",
        "takeProfit": "",
        "stopLoss": "",
        "trailingStop": "0",
        "unrealisedPnl": plain(of.profit(mark)) if of.amount else "",
        "curRealisedPnl": plain(of.realized),
        "cumRealisedPnl": plain(of.realized),
        "sessionAvgPrice": "",
        "seq": 8327597863,
        "isReduceOnly": False,
        "mmrSysUpdatedTime": "",
        "leverageSysUpdatedTime": "",
        "createdTime": str(of.updated),
        "updatedTime": str(of.updated),
    }


def wallet(engine: Any, only: str = "") -> Json:
    """A unified account; its totals are in USD, which a USDT is taken for."""
    coins = _swap_coins(engine) if is_swap(engine) else _spot_coins(engine)
    worth = sum((Decimal(coin["equity"]) for coin in coins if coin["coin"] == "USDT"), ZERO)
    margin = sum((Decimal(coin["totalPositionIM"]) for coin in coins), ZERO)
    return {
        "totalEquity": plain(worth),
        "accountIMRate": "0",
        "totalMarginBalance": plain(worth),
        "totalInitialMargin": plain(margin),
        "accountType": "UNIFIED",
        "totalAvailableBalance": plain(worth - margin),
        "accountMMRate": "0",
        "totalPerpUPL": plain(engine.profit()) if is_swap(engine) else "0",
        "totalWalletBalance": plain(worth),
        "accountLTV": "0",
        "totalMaintenanceMargin": "0",
        "coin": [coin for coin in coins if only in {"", coin["coin"]}],
    }


def _spot_coins(engine: Any) -> list[Json]:
    return [
        _coin(asset, total=engine.total(asset), locked=engine.locked(asset))
        for asset in engine.balances
        if engine.total(asset)
    ]


def _swap_coins(engine: Any) -> list[Json]:
    held = sum((engine.margin_of(p) for p in engine.positions()), ZERO)
    return [
        _coin(
            "USDT",
            total=engine.wallet,
            profit=engine.profit(),
            positions=held,
            orders_margin=engine.orders_margin(),
            maintenance=engine.maintenance(),
        )
    ]


def _coin(
    asset: str,
    *,
    total: Decimal,
    locked: Decimal = ZERO,
    profit: Decimal = ZERO,
    positions: Decimal = ZERO,
    orders_margin: Decimal = ZERO,
    maintenance: Decimal = ZERO,
) -> Json:
    """`availableToWithdraw` is empty, as it is in a unified account today."""
    return {
        "availableToBorrow": "",
        "bonus": "0",
        "accruedInterest": "0",
        "availableToWithdraw": "",
        "totalOrderIM": plain(round(orders_margin, 8)),
        "equity": plain(total + profit),
        "totalPositionMM": plain(round(maintenance, 8)),
        "usdValue": plain(total + profit),
        "spotHedgingQty": "0",
        "unrealisedPnl": plain(profit),
        "collateralSwitch": True,
        "borrowAmount": "0.0",
        "totalPositionIM": plain(round(positions, 8)),
        "walletBalance": plain(total),
        "cumRealisedPnl": "0",
        "locked": plain(locked),
        "marginCollateral": True,
        "coin": asset,
    }
