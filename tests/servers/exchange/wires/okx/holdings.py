"""What OKX tells about positions and money, over REST and in its streams alike."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from zlib import crc32

from tests.servers.exchange.entries import Entry
from tests.servers.exchange.figures import plain
from tests.servers.exchange.values import ZERO, Position
from tests.servers.exchange.wires.okx.rendering import (
    POSITIONS,
    instrument,
    instrument_type,
    is_swap,
    size,
)

Json = Any

_EMPTY = (
    "deltaBS", "deltaPA", "gammaBS", "gammaPA", "thetaBS", "thetaPA", "vegaBS", "vegaPA", "optVal",
    "liab", "liabCcy", "baseBorrowed", "baseInterest", "quoteBorrowed", "quoteInterest", "posCcy",
    "spotInUseAmt", "spotInUseCcy", "clSpotInUseAmt", "maxSpotInUseAmt", "bizRefId", "bizRefType",
    "usdPx", "margin",
)  # fmt: skip


def position(engine: Any, of: Position) -> Json:
    """Cross margin; in contracts, negative when short in net mode, never in hedge mode."""
    mark = engine.mark(of.symbol) or of.entry
    amount = of.amount if of.side == "BOTH" else abs(of.amount)
    value, margin = abs(of.amount) * mark, engine.margin_of(of)
    liquidation = engine.liquidation_price(of)
    profit = of.profit(mark)
    return dict.fromkeys(_EMPTY, "") | {
        "adl": "1",
        "availPos": size(engine, of.symbol, abs(of.amount)),
        "avgPx": plain(of.entry) if of.amount else "",
        "cTime": str(of.updated),
        "ccy": "USDT",
        "imr": plain(round(margin, 8)),
        "instId": instrument(engine, of.symbol),
        "instType": "SWAP",
        "interest": "0",
        "idxPx": plain(mark),
        "bePx": plain(of.entry),
        "last": plain(engine.price(of.symbol) or ZERO),
        "lever": str(engine.leverages[of.symbol]),
        "liqPx": plain(round(liquidation, 8)) if liquidation else "",
        "markPx": plain(mark),
        "mgnMode": "cross",
        "mgnRatio": "11.73",
        "mmr": plain(round(engine.maintenance_of(of), 8)),
        "notionalUsd": plain(value),
        "pendingCloseOrdLiabVal": "0",
        "pTime": str(engine.now),
        "pos": size(engine, of.symbol, amount),
        "posId": str(307173036000000000 + crc32(f"{of.symbol}{of.side}".encode())),
        "posSide": POSITIONS[of.side],
        "tradeId": "",
        "uTime": str(of.updated),
        "upl": plain(profit),
        "uplLastPx": plain(profit),
        "uplRatio": plain(round(profit / margin, 8)) if margin else "0",
        "uplRatioLastPx": "0",
        "realizedPnl": plain(of.realized),
        "pnl": plain(of.realized),
        "fee": "0",
        "fundingFee": "0",
        "liqPenalty": "0",
        "closeOrderAlgo": [],
    }


def balance(engine: Any, only: str = "") -> Json:
    lines = (
        [_swap_money(engine)]
        if is_swap(engine)
        else [
            _money(engine, asset, engine.total(asset), engine.free(asset))
            for asset in engine.balances
            if engine.total(asset)
        ]
    )
    shown = [line for line in lines if not only or line["ccy"] in only.split(",")]
    total = sum((Decimal(line["eq"]) for line in lines if line["ccy"] == "USDT"), ZERO)
    return {
        "adjEq": plain(total),
        "borrowFroz": "0",
        "details": shown,
        "imr": "0",
        "isoEq": "0",
        "mgnRatio": "",
        "mmr": plain(round(engine.maintenance(), 8)) if is_swap(engine) else "",
        "notionalUsd": "0",
        "ordFroz": "0",
        "totalEq": plain(total),
        "uTime": str(engine.now),
        "upl": plain(engine.profit()) if is_swap(engine) else "0",
    }


def _swap_money(engine: Any) -> Json:
    equity = engine.wallet + engine.profit()
    return _money(engine, "USDT", equity, round(engine.available(), 8)) | {
        "cashBal": plain(engine.wallet),
        "availEq": plain(round(engine.available(), 8)),
        "upl": plain(engine.profit()),
    }


_NOTHING = (
    "borrowFroz", "crossLiab", "fixedBal", "interest", "isoEq", "isoLiab", "isoUpl", "liab",
    "rewardBal", "spotIsoBal", "stgyEq", "twap", "upl", "uplLiab", "maxLoan",
)  # fmt: skip


def _money(engine: Any, asset: str, total: Decimal, free: Decimal) -> Json:
    """`availEq` is empty on a simple account, and `availBal` counts."""
    return dict.fromkeys(_NOTHING, "0") | {
        "availBal": plain(free),
        "availEq": "",
        "cashBal": plain(total),
        "ccy": asset,
        "disEq": plain(total),
        "eq": plain(total),
        "eqUsd": plain(total),
        "frozenBal": plain(total - free),
        "imr": "",
        "mgnRatio": "",
        "mmr": "",
        "notionalLever": "",
        "ordFrozen": plain(total - free),
        "spotInUseAmt": "",
        "clSpotInUseAmt": "",
        "maxSpotInUseAmt": "",
        "coinUsdPrice": "1" if asset == "USDT" else "",
        "uTime": str(engine.now),
    }


BILLS = {"TRADE": "2", "FUNDING_FEE": "8"}
"""Type 1 is a transfer (deposits reach the trading account by one), 2 a trade, 8 a funding fee."""


def bill(engine: Any, entry: Entry) -> Json:
    """A trade of perpetuals is one bill, profit and fee in it; a fee is negative when paid."""
    kind = BILLS.get(entry.kind, "1")
    total = engine.wallet if is_swap(engine) else engine.total(entry.asset)
    return {
        "bal": plain(total),
        "balChg": plain(entry.amount),
        "billId": str(entry.id),
        "ccy": entry.asset,
        "clOrdId": "",
        "execType": "T" if kind == "2" else "",
        "fee": plain(-entry.fee),
        "fillFwdPx": "",
        "fillIdxPx": "",
        "fillMarkPx": "",
        "fillMarkVol": "",
        "fillPxUsd": "",
        "fillPxVol": "",
        "fillTime": "",
        "from": "6" if kind == "1" else "",
        "instId": instrument(engine, entry.symbol) if entry.symbol else "",
        "instType": instrument_type(engine) if entry.symbol else "",
        "interest": "0",
        "mgnMode": "cross" if is_swap(engine) and entry.symbol else "",
        "notes": "",
        "ordId": "",
        "pnl": plain(entry.profit) if kind in {"2", "8"} else "0",
        "posBal": "0",
        "posBalChg": "0",
        "px": "",
        "subType": {"1": "11" if entry.amount > 0 else "12", "8": "173"}.get(kind, "1"),
        "sz": plain(abs(entry.amount)),
        "tag": "",
        "to": "18" if kind == "1" else "",
        "tradeId": str(entry.trade_id or ""),
        "ts": str(entry.time),
        "type": kind,
    }
