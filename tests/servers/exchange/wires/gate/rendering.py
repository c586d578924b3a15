"""What Gate tells about orders, stops and fills: each market in a form of its own.

Perpetuals have signed sizes in contracts.  A stop is told by the conditional order, which names
the order it became; that one has an id of its own and the source `ao-<stop>` in place of a text.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.servers.exchange import orders
from tests.servers.exchange.figures import plain
from tests.servers.exchange.orders import Shown
from tests.servers.exchange.values import ZERO, Trade

Json = Any
SIDES = {"BUY": "buy", "SELL": "sell"}
USER = 20011


def is_swap(engine: Any) -> bool:
    return hasattr(engine, "leverages")


def instrument(engine: Any, symbol: str) -> str:
    rules = engine.rules[symbol]
    return f"{rules.base}_{rules.quote}"


def contracts(engine: Any, symbol: str, quantity: Decimal, side: str) -> str:
    """Signed: negative when it sells."""
    count = quantity / engine.rules[symbol].contract
    return plain(count if side == "BUY" else -count)


def seconds(moment: int) -> float:
    return moment / 1000


def text_of(shown: Shown) -> str:
    """What a stop becomes does not carry the stop's."""
    if shown.stop:
        return f"ao-{shown.stop_id}"
    return shown.wish.client_id or "apiv4"


def time_in_force(shown: Shown) -> str:
    if shown.post_only:
        return "poc"
    return "ioc" if shown.is_market else shown.wish.time_in_force.lower()


def finished_as(shown: Shown) -> str:
    if shown.is_open:
        return "open"
    if shown.state == orders.FILLED:
        return "filled"
    if shown.child is not None and shown.child.forced:
        return "liquidated"
    ended = shown.wish.time_in_force in {"IOC", "FOK"} or shown.is_market
    return "ioc" if ended and shown.state == orders.EXPIRED else "cancelled"


def order(engine: Any, shown: Shown) -> Json:
    return swap_order(engine, shown) if is_swap(engine) else spot_order(engine, shown)


def spot_order(engine: Any, shown: Shown) -> Json:
    """A market buy is of so much quote: `amount` and `left` too."""
    wish, rules = shown.wish, engine.rules[shown.symbol]
    in_quote = bool(wish.quote_quantity)
    amount = wish.quote_quantity if in_quote else shown.quantity
    left = amount - (shown.quote_filled if in_quote else shown.filled)
    fills = orders.fills(engine, shown)
    fee = sum((fill.fee for fill in fills), ZERO)
    created = shown.child.created if shown.child else shown.created
    return {
        "id": str(shown.order_id or shown.id),
        "text": text_of(shown),
        "amend_text": "-",
        "create_time": str(created // 1000),
        "update_time": str(shown.updated // 1000),
        "create_time_ms": created,
        "update_time_ms": shown.updated,
        "status": _status(shown),
        "currency_pair": instrument(engine, shown.symbol),
        "type": "market" if shown.is_market else "limit",
        "account": "spot",
        "side": SIDES[shown.side],
        "amount": plain(amount),
        "price": plain(wish.price),
        "time_in_force": time_in_force(shown),
        "iceberg": "0",
        "left": plain(left),
        "filled_amount": plain(shown.filled),
        "fill_price": plain(shown.quote_filled),
        "filled_total": plain(shown.quote_filled),
        "avg_deal_price": plain(shown.average),
        "fee": plain(fee),
        "fee_currency": rules.base if shown.side == "BUY" else rules.quote,
        "point_fee": "0",
        "gt_fee": "0",
        "gt_maker_fee": "0",
        "gt_taker_fee": "0",
        "gt_discount": False,
        "rebated_fee": "0",
        "rebated_fee_currency": rules.quote if shown.side == "BUY" else rules.base,
        "finish_as": finished_as(shown),
    }


def _status(shown: Shown) -> str:
    if shown.is_open:
        return "open"
    return "closed" if shown.state == orders.FILLED else "cancelled"


def swap_order(engine: Any, shown: Shown) -> Json:
    wish, symbol, side = shown.wish, shown.symbol, shown.side
    told = {
        "id": shown.order_id or shown.id,
        "user": USER,
        "contract": instrument(engine, symbol),
        "create_time": seconds(shown.child.created if shown.child else shown.created),
        "update_time": seconds(shown.updated),
        "size": contracts(engine, symbol, shown.quantity, side),
        "iceberg": 0,
        "left": contracts(engine, symbol, shown.quantity - shown.filled, side),
        "price": plain(wish.price),
        "fill_price": plain(shown.average),
        "mkfr": plain(engine.maker_fee),
        "tkfr": plain(engine.taker_fee),
        "tif": time_in_force(shown),
        "refu": 0,
        "is_reduce_only": wish.reduce_only or _closes(shown),
        "is_close": False,
        "is_liq": bool(shown.child and shown.child.forced),
        "text": text_of(shown),
        "status": "open" if shown.is_open else "finished",
        "stp_id": 0,
        "stp_act": "-",
        "amend_text": "-",
    }
    if shown.is_open:
        return told
    return told | {"finish_time": seconds(shown.updated), "finish_as": finished_as(shown)}


def _closes(shown: Shown) -> bool:
    """Of a leg in dual mode."""
    return (shown.wish.position_side, shown.side) in {("LONG", "SELL"), ("SHORT", "BUY")}


# --- stops ---------------------------------------------------------------------------------------


def stop_state(shown: Shown) -> str:
    """open, succeeded, cancelled, expired or failed; spot says `finish` of the second."""
    if shown.child is not None:
        return "succeeded"
    match shown.state:
        case orders.WAITING:
            return "open"
        case orders.FAILED:
            return "failed"
        case orders.EXPIRED:
            return "expired"
    return "cancelled"


def stop(engine: Any, shown: Shown, *, expired: bool, expiration: int) -> Json:
    state = "expired" if expired else stop_state(shown)
    show = _swap_stop if is_swap(engine) else _spot_stop
    told: Json = show(engine, shown, state, expiration)
    return told


def _spot_stop(engine: Any, shown: Shown, state: str, expiration: int) -> Json:
    wish = shown.wish
    assert shown.trigger is not None
    return {
        "trigger": {
            "price": plain(wish.stop_price),
            "rule": "<=" if shown.trigger.falling else ">=",
            "expiration": expiration,
        },
        "put": {
            "type": "market" if shown.is_market else "limit",
            "side": SIDES[shown.side],
            "price": plain(wish.price),
            "amount": plain(shown.quantity),
            "account": "normal",
            "time_in_force": wish.time_in_force.lower(),
            "text": "api",
        },
        "id": shown.stop_id,
        "user": USER,
        "market": instrument(engine, shown.symbol),
        "ctime": shown.created // 1000,
        "ftime": 0 if state == "open" else shown.updated // 1000,
        "fired_order_id": shown.order_id,
        "status": "finish" if state == "succeeded" else state,
        "reason": shown.failure,
    }


def _swap_stop(engine: Any, shown: Shown, state: str, expiration: int) -> Json:
    wish = shown.wish
    assert shown.trigger is not None
    told = {
        "user": USER,
        "trigger": {
            "strategy_type": 0,
            "price_type": 1 if wish.working_type == "MARK_PRICE" else 0,
            "price": plain(wish.stop_price),
            "rule": 2 if shown.trigger.falling else 1,
            "expiration": expiration,
        },
        "initial": {
            "contract": instrument(engine, shown.symbol),
            "size": contracts(engine, shown.symbol, wish.quantity, shown.side),
            "price": plain(wish.price),
            "tif": "ioc" if shown.is_market else "gtc",
            "text": wish.client_id or "api",
            "iceberg": 0,
            "is_close": False,
            "is_reduce_only": wish.reduce_only or _closes(shown),
            "auto_size": "",
        },
        "name": "price_autoorders",
        "is_stop_order": False,
        "stop_trigger": {"rule": 0, "trigger_price": "", "order_price": ""},
        "id": shown.stop_id,
        "trade_id": shown.order_id,
        "me_order_id": str(shown.order_id),
        "status": "open" if state == "open" else "finished",
        "reason": shown.failure,
        "create_time": seconds(shown.created),
        "order_type": "",
    }
    if state == "open":
        return told
    return told | {"finish_as": state, "finish_time": seconds(shown.updated)}


# --- fills ---------------------------------------------------------------------------------------


def fill(engine: Any, trade: Trade) -> Json:
    shown = orders.owner(engine, trade)
    if is_swap(engine):
        return {
            "id": trade.id,
            "trade_id": trade.id,
            "create_time": seconds(trade.time),
            "contract": instrument(engine, trade.symbol),
            "order_id": str(trade.order_id),
            "size": contracts(engine, trade.symbol, trade.quantity, trade.side),
            "price": plain(trade.price),
            "text": text_of(shown),
            "fee": plain(trade.fee),
            "point_fee": "0",
            "role": "maker" if trade.maker else "taker",
        }
    return {
        "id": str(trade.id),
        "create_time": str(trade.time // 1000),
        "create_time_ms": f"{trade.time}.000",
        "currency_pair": instrument(engine, trade.symbol),
        "order_id": str(trade.order_id),
        "side": SIDES[trade.side],
        "role": "maker" if trade.maker else "taker",
        "amount": plain(trade.quantity),
        "price": plain(trade.price),
        "fee": plain(trade.fee),
        "fee_currency": trade.fee_asset,
        "point_fee": "0",
        "gt_fee": "0",
        "sequence_id": str(trade.id),
        "text": text_of(shown),
    }
