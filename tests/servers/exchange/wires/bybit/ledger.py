"""What Bybit books: the transaction log of a unified account, and funding among the executions."""

from __future__ import annotations

from typing import Any

from tests.servers.exchange.entries import Entry
from tests.servers.exchange.figures import plain
from tests.servers.exchange.values import ZERO
from tests.servers.exchange.wires.bybit.rendering import UUID, category, is_swap

Json = Any
KINDS = {
    "TRADE": "TRADE",
    "FUNDING_FEE": "SETTLEMENT",
    "DEPOSIT": "TRANSFER_IN",
    "WITHDRAW": "TRANSFER_OUT",
    "INSURANCE_CLEAR": "BONUS",
}


def transaction(engine: Any, entry: Entry) -> Json:
    """One line of the log: `change` is what `cashFlow` and `funding` brought, less the `fee`."""
    kind = KINDS.get(entry.kind, "TRANSFER_IN" if entry.amount > 0 else "TRANSFER_OUT")
    funding = entry.kind == "FUNDING_FEE"
    return {
        "id": f"592324_{entry.symbol or entry.asset}_{entry.id}",
        "symbol": entry.symbol,
        "side": "None",
        "funding": plain(entry.amount) if funding else "",
        "orderLinkId": "",
        "orderId": "",
        "fee": plain(entry.fee),
        "change": plain(entry.amount),
        "cashFlow": plain(ZERO if funding else entry.profit),
        "transactionTime": str(entry.time),
        "type": kind,
        "feeRate": "0",
        "bonusChange": "",
        "size": "0",
        "qty": "0",
        "cashBalance": plain(engine.wallet if is_swap(engine) else engine.total(entry.asset)),
        "currency": entry.asset,
        "category": category(engine) if entry.symbol else "",
        "tradePrice": "",
        "tradeId": UUID.format(entry.trade_id, entry.trade_id) if entry.trade_id else "",
    }


def funding_execution(engine: Any, entry: Entry) -> Json:
    """Of no order; the fee is negative when funding was received."""
    mark = plain(engine.mark(entry.symbol) or ZERO)
    return {
        "symbol": entry.symbol,
        "orderType": "UNKNOWN",
        "underlyingPrice": "",
        "orderLinkId": "",
        "side": "Buy",
        "indexPrice": "",
        "orderId": UUID.format(entry.id, 0),
        "stopOrderType": "UNKNOWN",
        "leavesQty": "0",
        "execTime": str(entry.time),
        "feeCurrency": "",
        "isMaker": False,
        "execFee": plain(-entry.amount),
        "feeRate": plain(engine.funding_rate),
        "execId": UUID.format(entry.id, entry.id),
        "tradeIv": "",
        "blockTradeId": "",
        "markPrice": mark,
        "execPrice": mark,
        "markIv": "",
        "orderQty": "0",
        "orderPrice": "0",
        "execValue": "0",
        "execType": "Funding",
        "execQty": plain(abs(engine.position(entry.symbol).amount)),
        "closedSize": "",
        "seq": entry.id,
    }
