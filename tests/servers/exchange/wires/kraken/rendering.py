"""What Kraken tells about orders, fills and money over REST.

Keys and types: samples.json.  `misc` of a stop that was triggered is `stopped`, of a target
`touched`, as the documentation of `OpenOrders` says; the id stays the same.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.servers.exchange import orders
from tests.servers.exchange.figures import fixed, plain
from tests.servers.exchange.orders import Shown
from tests.servers.exchange.values import ZERO, Movement, Trade
from tests.servers.exchange.wires.kraken.words import REASONS

Json = Any
ASSETS = {"BTC": "XXBT", "ETH": "XETH", "USD": "ZUSD", "EUR": "ZEUR"}
"""Where an asset is not called as everywhere; pairs without a fiat money begin with `XBT`."""
KINDS = {"STOP_LOSS": "stop-loss", "TAKE_PROFIT": "take-profit"}
KINDS |= {f"{engine}_LIMIT": f"{name}-limit" for engine, name in KINDS.items()}
LEDGER = {"DEPOSIT": "deposit", "WITHDRAW": "withdrawal"}


def asset(name: str) -> str:
    return ASSETS.get(name, name)


def pair(base: str, quote: str) -> str:
    """Of crypto money alone, where id and `altname` are one."""
    return f"{'XBT' if base == 'BTC' else base}{quote}"


def txid(number: int) -> str:
    return f"O{number:05X}-QUART-{number:06X}"


def trade_id(number: int) -> str:
    return f"T{number:05X}-RDECK-{number:06X}"


def number_of(name: str) -> int:
    """The engine's number in an id; 0 of what is none."""
    first, _, last = name.rpartition("-")
    try:
        return int(last, 16) if first.endswith(("-QUART", "-RDECK")) else 0
    except ValueError:
        return 0


def seconds(millis: int) -> float:
    return millis / 1000


# --- orders --------------------------------------------------------------------------------------


def status(shown: Shown) -> str:
    """What was filled in part and then cancelled is `canceled`."""
    match shown.state:
        case orders.WAITING | orders.OPEN:
            return "open"
        case orders.FILLED:
            return "closed"
        case orders.EXPIRED if shown.wish.time_in_force == "GTD":
            return "expired"
    return "canceled"


def kind(shown: Shown) -> str:
    if shown.stop:
        return KINDS[shown.wish.type]
    return "market" if shown.is_market else "limit"


def sentence(shown: Shown, name: str) -> str:
    wish, amount = shown.wish, fixed(shown.wish.quote_quantity or shown.quantity)
    begun = f"{shown.side.lower()} {amount} {name} @"
    if shown.stop:
        word = kind(shown).removesuffix("-limit").replace("-", " ")
        after = f" -> limit {wish.price:f}" if wish.price else ""
        return f"{begun} {word} {wish.stop_price:f}{after}"
    return f"{begun} market" if shown.is_market else f"{begun} limit {wish.price:f}"


def order(engine: Any, shown: Shown, *, name: str, trades: bool) -> Json:
    """*trades*: with the ids of its fills."""
    wish, fills = shown.wish, orders.fills(engine, shown)
    first, second = (wish.stop_price, wish.price) if shown.stop else (wish.price, ZERO)
    told: dict[str, Json] = {
        "refid": None,
        "userref": None,
        "status": status(shown),
        "opentm": seconds(shown.created),
        "starttm": 0,
        "expiretm": 0,
        "descr": {
            "pair": name,
            "type": shown.side.lower(),
            "ordertype": kind(shown),
            "price": plain(first),
            "price2": plain(second),
            "leverage": "none",
            "order": sentence(shown, name),
            "close": "",
        },
        "vol": fixed(shown.quantity),
        "vol_exec": fixed(shown.filled),
        "cost": fixed(shown.quote_filled, 5),
        "fee": fixed(sum((trade.fee for trade in fills), ZERO), 5),
        "price": fixed(shown.average, 5),
        "stopprice": "0.00000",
        "limitprice": "0.00000",
        "misc": _misc(shown),
        "oflags": wish.note,
    }
    if wish.client_id:
        told["cl_ord_id"] = wish.client_id
    if not shown.is_open:
        told |= {"reason": reason(shown), "closetm": seconds(shown.updated)}
    if shown.stop:
        told["trigger"] = "last"
    if trades and fills:
        told["trades"] = [trade_id(trade.id) for trade in fills]
    return told


def reason(shown: Shown) -> str | None:
    if status(shown) == "closed":
        return None
    return REASONS.get(shown.failure, "User requested")


def _misc(shown: Shown) -> str:
    if shown.child is None or not shown.stop:
        return ""
    return "stopped" if kind(shown).startswith("stop") else "touched"


# --- fills ---------------------------------------------------------------------------------------


def trade(engine: Any, of: Trade, *, name: str) -> Json:
    shown = orders.owner(engine, of)
    return {
        "ordertxid": txid(shown.id),
        "postxid": "TKH2SE-M7IF5-CFI7LT",
        "pair": name,
        "time": seconds(of.time),
        "type": of.side.lower(),
        "ordertype": kind(shown),
        "price": fixed(of.price, 5),
        "cost": fixed(of.quote, 5),
        "fee": fixed(of.fee),
        "vol": fixed(of.quantity),
        "margin": "0.00000",
        "misc": "",
        "trade_id": of.id,
        "maker": of.maker,
    }


# --- the account ---------------------------------------------------------------------------------


def balances(engine: Any) -> dict[str, tuple[Decimal, Decimal]]:
    """What there is and what orders hold, by Kraken's names."""
    named = ((name, engine.total(name)) for name in engine.balances)
    return {asset(name): (total, engine.locked(name)) for name, total in named if total}


def ledger_id(number: int) -> str:
    return f"L{number:05X}-QUART-{number:06X}"


def entry(engine: Any, moved: Movement) -> Json:
    """Of money that came or went."""
    return {
        "refid": f"Q{moved.id:05X}-QUART-{moved.id:06X}",
        "time": seconds(moved.time),
        "type": LEDGER.get(moved.kind, "transfer"),
        "subtype": "",
        "aclass": "currency",
        "asset": asset(moved.asset),
        "amount": fixed(moved.amount),
        "fee": "0.00000000",
        "balance": fixed(engine.total(moved.asset)),
    }


def traded(engine: Any, of: Trade) -> dict[str, Json]:
    """The two entries that a fill makes: what was given, with the fee, and what was got."""
    rules = engine.rules[of.symbol]
    sign = 1 if of.side == "BUY" else -1
    money = {rules.base: of.quantity * sign, rules.quote: -of.quote * sign}
    return {
        ledger_id(2 * of.id + number): {
            "refid": trade_id(of.id),
            "time": seconds(of.time),
            "type": "trade",
            "subtype": "",
            "aclass": "currency",
            "asset": asset(name),
            "amount": fixed(amount),
            "fee": fixed(of.fee if name == of.fee_asset else ZERO),
            "balance": fixed(engine.total(name)),
        }
        for number, (name, amount) in enumerate(money.items())
    }
