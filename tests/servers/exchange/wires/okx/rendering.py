"""What OKX tells about orders, fills, positions and money, over REST and in its streams alike.

Quantities of perpetuals are contracts.  A fee is negative when it was paid.  What a stop becomes is
another order, with an id of its own and without our client id: it names the stop instead.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.servers.exchange import orders
from tests.servers.exchange.figures import plain
from tests.servers.exchange.orders import Shown
from tests.servers.exchange.refusals import Refusal
from tests.servers.exchange.values import ZERO, Trade
from tests.servers.exchange.wires.okx.words import worded

Json = Any
SIDES = {"BUY": "buy", "SELL": "sell"}
POSITIONS = {"BOTH": "net", "LONG": "long", "SHORT": "short"}


def is_swap(engine: Any) -> bool:
    return hasattr(engine, "leverages")


def instrument_type(engine: Any) -> str:
    return "SWAP" if is_swap(engine) else "SPOT"


def instrument(engine: Any, symbol: str) -> str:
    rules = engine.rules[symbol]
    return f"{rules.base}-{rules.quote}" + ("-SWAP" if is_swap(engine) else "")


def size(engine: Any, symbol: str, quantity: Decimal) -> str:
    """In contracts, where there are contracts."""
    return plain(quantity / engine.rules[symbol].contract)


def margin_mode(engine: Any, shown: Shown) -> str:
    """As it was asked for."""
    return shown.wish.note.split(" ")[0] or ("cross" if is_swap(engine) else "cash")


# --- orders --------------------------------------------------------------------------------------


def state(shown: Shown) -> str:
    """Of what is (or was) in the book."""
    match shown.state:
        case orders.OPEN:
            return "partially_filled" if shown.filled else "live"
        case orders.FILLED:
            return "filled"
    return "canceled"


def order_type(shown: Shown) -> str:
    if shown.post_only:
        return "post_only"
    if shown.is_market:
        return "market"
    return {"IOC": "ioc", "FOK": "fok"}.get(shown.wish.time_in_force, "limit")


def order(engine: Any, shown: Shown, trade: Trade | None = None) -> Json:
    """With *trade*, as the stream tells it right after that fill; else with the last fill."""
    wish, symbol, stop = shown.wish, shown.symbol, shown.stop
    fills = orders.fills(engine, shown)
    last = trade or (fills[-1] if fills else None)
    fee = sum((fill.fee for fill in fills), ZERO)
    in_quote = bool(wish.quote_quantity)
    return {
        "accFillSz": size(engine, symbol, shown.filled),
        "algoClOrdId": wish.client_id if stop else "",
        "algoId": str(shown.stop_id) if stop else "",
        "attachAlgoClOrdId": "",
        "attachAlgoOrds": [],
        "avgPx": plain(shown.average) if shown.filled else "",
        "cTime": str(shown.child.created if shown.child else shown.created),
        "cancelSource": _cancel_source(shown),
        "cancelSourceReason": "",
        "category": "normal",
        "ccy": "",
        "clOrdId": "" if stop else wish.client_id,
        "fee": plain(-fee),
        "feeCcy": last.fee_asset if last else "",
        "fillPx": plain(last.price) if last else "",
        "fillSz": size(engine, symbol, last.quantity) if last else "0",
        "fillTime": str(last.time) if last else "",
        "instId": instrument(engine, symbol),
        "instType": instrument_type(engine),
        "isTpLimit": "false",
        "lever": str(engine.leverages[symbol]) if is_swap(engine) else "",
        "linkedAlgoOrd": {"algoId": ""},
        "ordId": str(shown.order_id or shown.id),
        "ordType": order_type(shown),
        "pnl": plain(sum((fill.realized for fill in fills), ZERO)),
        "posSide": POSITIONS[wish.position_side] if is_swap(engine) else "",
        "px": plain(wish.price) if wish.price else "",
        "pxType": "",
        "pxUsd": "",
        "pxVol": "",
        "quickMgnType": "",
        "rebate": "0",
        "rebateCcy": engine.rules[symbol].quote,
        "reduceOnly": "true" if wish.reduce_only else "false",
        "side": SIDES[shown.side],
        "slOrdPx": "",
        "slTriggerPx": "",
        "slTriggerPxType": "",
        "source": "7" if stop else "",
        "state": state(shown),
        "stpId": "",
        "stpMode": "cancel_maker",
        "sz": plain(wish.quote_quantity) if in_quote else size(engine, symbol, shown.quantity),
        "tag": "",
        "tdMode": margin_mode(engine, shown),
        "tgtCcy": _target(engine, shown),
        "tpOrdPx": "",
        "tpTriggerPx": "",
        "tpTriggerPxType": "",
        "tradeId": str(last.id) if last else "",
        "uTime": str(shown.updated),
    }


def streamed(engine: Any, shown: Shown, trade: Trade | None) -> Json:
    """Of the stream: the fill is this event's, empty when it is about none."""
    line: Json = order(engine, shown, trade) | {
        "amendResult": "",
        "amendSource": "",
        "code": "0",
        "execType": "",
        "fillFee": "0",
        "fillFeeCcy": "",
        "fillNotionalUsd": "",
        "fillPnl": "0",
        "fillPxVol": "",
        "fillPxUsd": "",
        "fillMarkVol": "",
        "fillFwdPx": "",
        "fillMarkPx": "",
        "msg": "",
        "notionalUsd": plain(shown.quantity * (shown.wish.price or shown.average)),
        "reqId": "",
        "lastPx": plain(engine.price(shown.symbol) or ZERO),
    }
    if trade is None:
        return line | {"tradeId": "", "fillPx": "", "fillSz": "0", "fillTime": ""}
    return line | {
        "execType": "M" if trade.maker else "T",
        "fillFee": plain(-trade.fee),
        "fillFeeCcy": trade.fee_asset,
        "fillNotionalUsd": plain(trade.quote),
        "fillPnl": plain(trade.realized),
        "fillMarkPx": plain(trade.price),
    }


def _cancel_source(shown: Shown) -> str:
    """31: a post-only order would have taken; 1: by the user."""
    if shown.failure:
        return "31" if shown.post_only else "34"
    return "1" if shown.state == orders.CANCELLED else ""


def _target(engine: Any, shown: Shown) -> str:
    if is_swap(engine) or not shown.is_market:
        return ""
    return "quote_ccy" if shown.wish.quote_quantity else "base_ccy"


# --- stops ---------------------------------------------------------------------------------------


def algo_kind(shown: Shown) -> str:
    """`conditional` or `trigger`, as it was asked for."""
    return shown.wish.note.split(" ")[-1]


def algo_state(shown: Shown) -> str:
    if shown.child is not None or shown.state == orders.FILLED:
        return "effective"
    match shown.state:
        case orders.WAITING:
            return "live"
        case orders.FAILED:
            return "order_failed"
    return "canceled"


def algo(engine: Any, shown: Shown) -> Json:
    wish, symbol, kind = shown.wish, shown.symbol, algo_kind(shown)
    price = plain(wish.price) if wish.price else "-1"
    trigger, looks = plain(wish.stop_price), _looks(shown)
    loss = kind == "conditional" and not wish.type.startswith("TAKE_PROFIT")
    profit = kind == "conditional" and not loss
    child = str(shown.order_id) if shown.child else ""
    return {
        "activePx": "",
        "actualPx": plain(shown.average) if shown.filled else "",
        "actualSide": ("sl" if loss else "tp") if child and kind == "conditional" else "",
        "actualSz": size(engine, symbol, shown.filled),
        "algoClOrdId": wish.client_id,
        "algoId": str(shown.stop_id),
        "amendPxOnTriggerType": "0",
        "amendResult": "",
        "attachAlgoOrds": [],
        "cTime": str(shown.created),
        "callbackRatio": "",
        "callbackSpread": "",
        "ccy": "",
        "clOrdId": "",
        "closeFraction": "",
        "failCode": worded(Refusal(shown.failure)).code if shown.failure else "0",
        "instId": instrument(engine, symbol),
        "instType": instrument_type(engine),
        "last": plain(engine.price(symbol) or ZERO),
        "lever": str(engine.leverages[symbol]) if is_swap(engine) else "",
        "linkedOrd": {"ordId": ""},
        "moveTriggerPx": "",
        "notionalUsd": plain(wish.quantity * wish.stop_price),
        "ordId": child,
        "ordIdList": [child] if child else [],
        "ordPx": price if kind == "trigger" else "",
        "ordType": kind,
        "posSide": POSITIONS[wish.position_side] if is_swap(engine) else "",
        "pxLimit": "",
        "pxSpread": "",
        "pxVar": "",
        "quickMgnType": "",
        "reduceOnly": "true" if wish.reduce_only else "false",
        "reqId": "",
        "side": SIDES[shown.side],
        "slOrdPx": price if loss else "",
        "slTriggerPx": trigger if loss else "",
        "slTriggerPxType": looks if loss else "",
        "state": algo_state(shown),
        "sz": plain(wish.quote_quantity)
        if wish.quote_quantity
        else size(engine, symbol, wish.quantity),
        "szLimit": "",
        "tag": "",
        "tdMode": margin_mode(engine, shown),
        "tgtCcy": _target(engine, shown),
        "timeInterval": "",
        "tpOrdPx": price if profit else "",
        "tpTriggerPx": trigger if profit else "",
        "tpTriggerPxType": looks if profit else "",
        "triggerPx": trigger if kind == "trigger" else "",
        "triggerPxType": looks if kind == "trigger" else "",
        "triggerTime": str(shown.triggered or ""),
        "uTime": str(shown.updated),
    }


def _looks(shown: Shown) -> str:
    return "mark" if shown.wish.working_type == "MARK_PRICE" else "last"


# --- fills ---------------------------------------------------------------------------------------


def fill(engine: Any, trade: Trade) -> Json:
    shown = orders.owner(engine, trade)
    return {
        "side": SIDES[trade.side],
        "fillSz": size(engine, trade.symbol, trade.quantity),
        "fillPx": plain(trade.price),
        "fillPxVol": "",
        "fillFwdPx": "",
        "fee": plain(-trade.fee),
        "fillPnl": plain(trade.realized),
        "ordId": str(trade.order_id),
        "feeRate": plain(-(engine.maker_fee if trade.maker else engine.taker_fee)),
        "instType": instrument_type(engine),
        "fillPxUsd": "",
        "instId": instrument(engine, trade.symbol),
        "clOrdId": "" if shown.stop else shown.wish.client_id,
        "posSide": POSITIONS[trade.position_side],
        "billId": str(trade.id),
        "subType": "1" if trade.side == "BUY" else "2",
        "fillMarkVol": "",
        "tag": "",
        "fillTime": str(trade.time),
        "execType": "M" if trade.maker else "T",
        "fillIdxPx": "",
        "tradeId": str(trade.id),
        "fillMarkPx": "",
        "feeCcy": trade.fee_asset,
        "ts": str(trade.time),
    }
