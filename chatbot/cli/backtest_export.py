"""A backtest as data: everything that its figures come from, as JSON or as tables in a folder.

From the fills alone every trade, fee and total can be worked out again, from the curve the
drawdown and the yearly ratios.  Money and prices are texts with every digit, times ISO 8601 in UTC.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from handlers.texts.report import parts_json, risk_json, tally_json
from trading.accounts.booking import book
from trading.accounts.round_trips import trade_id
from trading.backtest.result import Result
from trading.stats.curve import falls_of
from trading.types import ZERO, Fill, Position, Symbol, Trade

Row = dict[str, Any]
_DECIMALS = 8
"""Of equity: exact to the cent, and no digit that only a float has."""


def as_json(result: Result) -> Row:
    """Everything; None where a figure does not exist.

    `trades` and `fills` are lists here, `trade_count` and `fill_count` their numbers.
    """
    rows = curve_rows(result)
    return {
        **figures(result),
        "curve": {key: [row[key] for row in rows] for key in rows[0]},
        "trades": trade_rows(result),
        "fills": fill_rows(result),
    }


def write_tables(result: Result, folder: Path) -> None:
    """Write `fills.csv`, `trades.csv`, `curve.csv` and `result.json`, which has the figures.

    The folder is made where there is none.  Raises `OSError`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tables = {
        "fills": fill_rows(result), "trades": trade_rows(result), "curve": curve_rows(result),
    }  # fmt: skip
    for name, rows in tables.items():
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            table = csv.DictWriter(file, _COLUMNS[name])
            table.writeheader()
            table.writerows(rows)
    told = json.dumps(figures(result), indent=1)
    (folder / "result.json").write_text(f"{told}\n", encoding="utf-8")


_COLUMNS: Mapping[str, Sequence[str]] = {
    "fills": (
        "id", "order_id", "trade_id", "at", "symbol", "side", "role", "type", "quantity", "price",
        "fee", "slippage", "reason",
    ),
    "trades": (
        "id", "symbol", "side", "quantity", "entry_price", "exit_price", "opened_at", "closed_at",
        "profit", "fees", "reason",
    ),
    "curve": ("times", "equity", "drawdown", "held"),
}  # fmt: skip


# -- tables -----------------------------------------------------------------------------------


def fill_rows(result: Result) -> list[Row]:
    """Each fill in the order in which it was booked, and the trade that it is part of."""
    orders = {order.id: order for order in result.sent}
    found: list[Row] = []
    for fill, trade in zip(result.fills, _trades_of(result.fills), strict=True):
        order = orders[fill.order_id]
        found.append({
            "id": fill.id,
            "order_id": fill.order_id,
            "trade_id": trade,
            "at": fill.at.isoformat(),
            "symbol": str(fill.symbol),
            "side": fill.side.value,
            "role": order.role.value,
            "type": order.type.value,
            "quantity": f"{fill.quantity:f}",
            "price": f"{fill.price:f}",
            "fee": f"{fill.fee:f}",
            "slippage": f"{result.slippage.get(fill.id, ZERO):f}",
            "reason": order.reason,
        })  # fmt: skip
    return found


def _trades_of(fills: Iterable[Fill]) -> Iterable[str]:
    """The id of the trade that each is part of; of one that closes and opens, the one it closes."""
    open_now: dict[Symbol, Position | None] = {}
    for fill in fills:
        booked = book(open_now.get(fill.symbol), fill)
        open_now[fill.symbol] = booked.after
        position = booked.closed or booked.after
        yield "" if position is None else trade_id(position)


def trade_rows(result: Result) -> list[Row]:
    return [_trade(trade) for trade in result.trades]


def _trade(trade: Trade) -> Row:
    return {
        "id": trade.id,
        "symbol": str(trade.symbol),
        "side": trade.side.held,
        "quantity": f"{trade.quantity:f}",
        "entry_price": f"{trade.entry_price:f}",
        "exit_price": f"{trade.exit_price:f}",
        "opened_at": trade.opened_at.isoformat(),
        "closed_at": trade.closed_at.isoformat(),
        "profit": f"{trade.profit:f}",
        "fees": f"{trade.fees:f}",
        "reason": trade.reason.value,
    }


def curve_rows(result: Result) -> list[Row]:
    """Equity at the close of every bar, its fall from the highest before, and positions open."""
    falls = falls_of(result.equity)
    columns = (
        result.times.tolist(), result.equity.round(_DECIMALS).tolist(),
        falls.round(_DECIMALS).tolist(), result.held.tolist(),
    )  # fmt: skip
    return [
        {
            "times": datetime.fromtimestamp(at, UTC).isoformat(),
            "equity": equity,
            "drawdown": fall,
            "held": held,
        }
        for at, equity, fall, held in zip(*columns, strict=True)
    ]


# -- figures ----------------------------------------------------------------------------------


def figures(result: Result) -> Row:
    """The figures alone."""
    stats, held = result.stats, result.average_hold
    return {
        "trader": result.trader.name,
        "strategy": result.strategy,
        "parameters": {key: str(value) for key, value in result.trader.parameters.items()},
        "symbols": [str(symbol) for symbol in result.trader.symbols],
        "currency": result.trader.symbols[0].quote,
        "timeframe_seconds": result.trader.timeframe.total_seconds(),
        "from": result.begin.isoformat(),
        "to": result.end.isoformat(),
        "bars": len(result.times),
        "start": float(result.equity[0]),
        "end": round(float(result.equity[-1]), 2),
        "growth": result.growth,
        "buy_and_hold": {"growth": result.holding_growth, **risk_json(result.holding_stats)},
        **risk_json(stats),
        **tally_json(stats.total),
        "trade_count": stats.total.trades,
        "exposure": result.exposure,
        "average_hold_seconds": None if held is None else held.total_seconds(),
        "orders": result.orders,
        "fill_count": len(result.fills),
        "all_fees": f"{sum((fill.fee for fill in result.fills), ZERO):f}",
        "slippage": f"{sum(result.slippage.values(), ZERO):f}",
        "costs": {name: f"{value:f}" for name, value in result.costs.items()},
        "decisions": {"approved": result.approved, "refused": dict(result.refused)},
        "data": _data(result),
        "halts": [
            {"at": halt.at.isoformat(), "guard": halt.guard, "why": halt.why}
            for halt in result.halts
        ],
        "open_positions": len(result.open_positions),
        "positions": [_position(result, position) for position in result.open_positions],
        **parts_json(stats),
        "by_regime": {name: tally_json(tally) for name, tally in result.by_regime().items()},
    }


def _data(result: Result) -> Row:
    found = result.flaws
    return {
        "bars": found.bars,
        "missing": found.missing,
        "without_volume": found.still,
        "jumps": [
            {"symbol": str(jump.symbol), "at": jump.at.isoformat(), "times": jump.times}
            for jump in found.jumps
        ],
        "notes": list(result.notes),
    }


def _position(result: Result, position: Position) -> Row:
    """What is open at the end, and the price that it is worth there."""
    return {
        "trade_id": trade_id(position),
        "symbol": str(position.symbol),
        "side": position.side.held,
        "quantity": f"{abs(position.quantity):f}",
        "entry_price": f"{position.average_price:f}",
        "price": result.last_prices[position.symbol],
        "opened_at": position.opened_at.isoformat(),
    }
