"""What a backtest exports is enough to work its figures out again, by who knows nothing else."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from chatbot.cli.backtest_export import as_json, write_tables
from tests.builders import BTC, ETH
from tests.chatbot.cli.test_say import quarterdeck
from tests.trading.backtest.worlds import a_backtest, a_walk
from trading.backtest.asked import Backtest
from trading.backtest.engine import run
from trading.backtest.result import Result
from trading.market.recording import crash_of_may_2021
from trading.model.exit_rules import ExitRules, PartialRule
from trading.risk.limits import EntryRules, EntryStyle, Limits
from trading.types import Symbol

Row = Mapping[str, Any]


def some(**changes: Any) -> Backtest:
    test = a_backtest(
        a_walk(1_500, symbols=(BTC, ETH), seed=11, gaps=0.02, volume=3e3),
        exits=ExitRules(partials=(PartialRule(share=Decimal("0.5"), at_r=Decimal("0.5")),)),
        limits=Limits(loss_streak=50, max_daily_loss=Decimal("0.5"), max_weekly_loss=Decimal("0.5"),
                      max_drawdown=Decimal("0.5")),
    )  # fmt: skip
    return replace(test, trader=replace(test.trader, **changes))


BACKTESTS: Mapping[str, Callable[[], Backtest]] = {
    "market": some,
    "limit": lambda: some(entries=EntryRules(style=EntryStyle.LIMIT)),
    "maker": lambda: some(entries=EntryRules(style=EntryStyle.MAKER)),
    "something open": lambda: replace(some(), end=run(some()).trades[9].opened_at),
}


@pytest.fixture(scope="module", params=BACKTESTS)
def result(request: pytest.FixtureRequest) -> Result:
    return run(BACKTESTS[request.param]())


@pytest.fixture(params=["json", "folder"])
def exported(request: pytest.FixtureRequest, result: Result, tmp_path: Path) -> Row:
    """Read back from the file alone; both forms hold the same."""
    if request.param == "json":
        (tmp_path / "result.json").write_text(json.dumps(as_json(result)))
        whole: Row = json.loads((tmp_path / "result.json").read_text())
        return whole
    write_tables(result, tmp_path / "made")
    figures = json.loads((tmp_path / "made" / "result.json").read_text())
    curve = table(tmp_path / "made" / "curve.csv")
    return {
        **figures,
        "trades": table(tmp_path / "made" / "trades.csv"),
        "fills": table(tmp_path / "made" / "fills.csv"),
        "curve": {
            "times": [row["times"] for row in curve],
            **{key: [float(row[key]) for row in curve] for key in ("equity", "drawdown", "held")},
        },
    }


def table(file: Path) -> Sequence[Row]:
    with file.open(encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened))


def by_trade(fills: Sequence[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for fill in fills:
        found.setdefault(fill["trade_id"], []).append(fill)
    return found


def paid(fills: Sequence[Row]) -> Decimal:
    """Money that came of them, before fees."""
    return sum(
        (Decimal(f["quantity"]) * Decimal(f["price"]) * (-1 if f["side"] == "buy" else 1)
         for f in fills), Decimal(0),
    )  # fmt: skip


def fees(fills: Sequence[Row]) -> Decimal:
    return sum((Decimal(fill["fee"]) for fill in fills), Decimal(0))


def close(one: Decimal | str, other: Decimal | str) -> bool:
    return abs(Decimal(one) - Decimal(other)) < Decimal("1e-12")


def test_every_trade_follows_from_its_fills(exported: Row) -> None:
    fills = by_trade(exported["fills"])
    assert len(exported["trades"]) == exported["trade_count"] > 8
    for trade in exported["trades"]:
        those = fills.pop(trade["id"])
        assert close(trade["fees"], fees(those))
        assert close(trade["profit"], paid(those) - fees(those))
        assert trade["closed_at"] == those[-1]["at"]
        assert {fill["symbol"] for fill in those} == {trade["symbol"]}
    assert set(fills) == {position["trade_id"] for position in exported["positions"]}


def test_the_totals_follow_from_the_trades(exported: Row) -> None:
    profits = [Decimal(trade["profit"]) for trade in exported["trades"]]
    assert close(exported["profit"], sum(profits, Decimal(0)))
    assert close(exported["best"], max(profits))
    assert close(exported["worst"], min(profits))
    assert exported["wins"] == sum(profit > 0 for profit in profits)
    assert close(
        exported["fees"], sum((Decimal(t["fees"]) for t in exported["trades"]), Decimal(0))
    )
    for name, tally in exported["by_exit"].items():
        those = [t for t in exported["trades"] if t["reason"] == name]
        assert close(tally["profit"], sum((Decimal(t["profit"]) for t in those), Decimal(0)))


def test_all_fees_and_all_slippage_follow_from_the_fills(exported: Row) -> None:
    assert (
        exported["fill_count"]
        == len(exported["fills"])
        == len({f["id"] for f in exported["fills"]})
    )
    assert close(exported["all_fees"], fees(exported["fills"]))
    slippage = [Decimal(fill["slippage"]) for fill in exported["fills"]]
    assert close(exported["slippage"], sum(slippage, Decimal(0)))
    assert all(cost >= 0 for cost in slippage)
    commission = Decimal(exported["costs"]["commission"])
    for fill in exported["fills"]:
        assert close(fill["fee"], Decimal(fill["quantity"]) * Decimal(fill["price"]) * commission)


def test_the_last_equity_follows_from_the_fills_and_what_is_open(exported: Row) -> None:
    fills = exported["fills"]
    worth = sum(
        (Decimal(p["quantity"]) * Decimal(repr(p["price"])) * (1 if p["side"] == "long" else -1)
         for p in exported["positions"]), Decimal(0),
    )  # fmt: skip
    equity = Decimal(repr(exported["start"])) + paid(fills) - fees(fills) + worth
    assert float(equity) == pytest.approx(exported["curve"]["equity"][-1], abs=1e-6)
    assert round(float(equity), 2) == exported["end"]


def test_the_drawdown_follows_from_the_curve(exported: Row) -> None:
    curve = exported["curve"]
    assert len(curve["times"]) == len(curve["equity"]) == exported["bars"]
    assert (curve["times"][0], curve["times"][-1]) == (exported["from"], exported["to"])
    peak, deepest = 0.0, 0.0
    for equity in curve["equity"]:
        peak = max(peak, equity)
        deepest = max(deepest, 1 - equity / peak)
    assert exported["max_drawdown"]["share"] == pytest.approx(deepest, abs=1e-9)
    assert -min(curve["drawdown"]) == pytest.approx(deepest, abs=1e-7)
    assert exported["growth"] == pytest.approx(curve["equity"][-1] / curve["equity"][0] - 1)


def test_a_fill_tells_what_it_lost_to_slippage_and_why_it_was_made() -> None:
    test = some()
    found = as_json(run(test))
    candles, closes = test.candles, test.candles.times.tolist()
    market = [fill for fill in found["fills"] if fill["type"] == "market"]
    assert len(market) > 20
    for fill in market:
        at = closes.index(_milliseconds(fill["at"]))
        row = candles.row(Symbol.parse(fill["symbol"]))
        assert row is not None
        seen = Decimal(repr(float(candles.close[row, at])))
        worse = (Decimal(fill["price"]) - seen) * (1 if fill["side"] == "buy" else -1)
        assert close(fill["slippage"], worse * Decimal(fill["quantity"]))
    assert {fill["role"] for fill in found["fills"]} >= {"entry", "exit", "protect"}
    entries = {fill["reason"] for fill in found["fills"] if fill["role"] == "entry"}
    assert entries == {"EMA 3 crossed above 8", "EMA 3 crossed below 8"}
    ends = {trade["id"]: trade["reason"] for trade in found["trades"]}
    for fill in found["fills"]:
        if fill["role"] == "exit" and fill["reason"] == "signal":
            assert ends.get(fill["trade_id"], "signal") == "signal"


def _milliseconds(at: str) -> int:
    from datetime import datetime

    return int(datetime.fromisoformat(at).timestamp() * 1000)


async def test_the_command_line_writes_a_folder(tmp_path: Path) -> None:
    from tests.chatbot.cli.test_backtest import SHIPPED, as_csv

    (tmp_path / "bot.toml").write_text(SHIPPED, encoding="utf-8")
    as_csv(crash_of_may_2021().candles, tmp_path / "crash.csv")
    ended = await quarterdeck(
        "backtest", "--trader", "majors", "--data", "crash.csv", "--export", "a/b", "--json",
        cwd=tmp_path,
    )  # fmt: skip
    assert ended.code == 0, ended.err
    told = json.loads(ended.out)
    assert [row["id"] for row in table(tmp_path / "a/b/fills.csv")] == [
        fill["id"] for fill in told["fills"]
    ]
    ended = await quarterdeck(
        "backtest", "--trader", "majors", "--data", "crash.csv", "--export", "crash.csv",
        cwd=tmp_path,
    )  # fmt: skip
    assert ended.code == 1
    assert "crash.csv" in ended.err
    assert "Traceback" not in ended.err
