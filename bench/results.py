"""What the strategies that come with it would have made of real markets: `python -m bench.results`.

Prints the tables of docs/strategies.md.  QUARTERDECK_DATA names the folder with the candles; each
row is what `quarterdeck backtest --trader TRADER --data FILE ... --resume-daily` says with the
shipped bot.toml, but for the length of the candles.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from chatbot.cli.backtest import BacktestArguments, backtest
from chatbot.settings import Settings, load
from trading.backtest.result import Result
from trading.stats.ratios import Ratio

SETTINGS = Path(__file__).parents[1] / "bot.toml"
TRADERS = ("majors", "smc", "rules")
COLUMNS = (
    "market", "strategy", "made", "CAGR", "Sharpe", "worst fall", "trades", "won",
    "profit factor", "halts", "hold", "its fall",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Market:
    name: str
    file: str
    minutes: int
    begin: str = ""
    end: str = ""
    traders: tuple[str, ...] = TRADERS


HOURS = "crypto/binance_usdtm_majors_1h_3y_2022-10_2025-10.parquet"
QUARTERS = "crypto/binance_usdtm_majors_15m_1y_2024-10_2025-10.parquet"
LISTED = "crypto/binance_spot_1h_from_listing_to_2022-10_BTC_ETH_SOL.parquet"
FTX = "crypto/binance_spot_universe_1h_FTX_2022-11-03_2022-11-14.parquet"
UNIVERSE = "crypto/binance_usdtm_universe_1h_2026-02-24_2026-03-19.parquet"

MARKETS = (
    Market(name="BNB BTC ETH SOL, 1 h, 3 years", file=HOURS, minutes=60),
    Market(name="BTC ETH SOL, 15 min, a year", file=QUARTERS, minutes=15),
    Market(name="BTC ETH SOL, spot, 1 h, from listing", file=LISTED, minutes=60),
    Market(
        name="the same, May 2021", file=LISTED, minutes=60, begin="2021-05-10", end="2021-05-23"
    ),
    Market(
        name="327 pairs, spot, 1 h, FTX", file=FTX, minutes=60, begin="2022-11-11",
        traders=("rules",),
    ),  # 182 hours of warm-up; those of the others are not in the file
    Market(
        name="BTC ETH SOL, 15 min, 10 October 2025", file=QUARTERS, minutes=15,
        begin="2025-10-09", end="2025-10-13",
    ),
    Market(
        name="539 perpetuals, 1 h, March 2026", file=UNIVERSE, minutes=60, begin="2026-03-10",
        traders=("majors", "rules"),  # the scanner looks back further than the file
    ),
)  # fmt: skip


def main() -> int:
    folder = os.environ.get("QUARTERDECK_DATA")
    if folder is None:
        print("QUARTERDECK_DATA is not set: it names the folder with the candles", file=sys.stderr)
        return 2
    print(f"| {' | '.join(COLUMNS)} |")
    print("|---" * len(COLUMNS) + "|")
    for market in MARKETS:
        for trader in market.traders:
            found = backtest(*asked_of(market, trader, Path(folder)))
            print(f"| {' | '.join(_cells(market, found))} |", flush=True)
    return 0


def asked_of(
    market: Market, trader: str, folder: Path = Path()
) -> tuple[Settings, BacktestArguments]:
    """As shipped; the rules desk must know how long its candles are."""
    key = "QUARTERDECK__TRADERS__RULES__PARAMETERS__BAR_MINUTES"
    asked = BacktestArguments(
        trader=trader, data=folder / market.file, begin=market.begin, end=market.end,
        timeframe=timedelta(minutes=market.minutes), symbols="all", lift="daily",
    )  # fmt: skip
    return load(SETTINGS, {key: str(market.minutes)}), asked


def _cells(market: Market, found: Result) -> Iterator[str]:
    stats, held = found.stats, found.holding_stats
    total = stats.total
    yield from (market.name, f"`{found.strategy}`", _percent(found.growth), _ratio(stats.cagr, "%"))
    yield _ratio(stats.sharpe)
    yield "" if stats.drawdown is None else _percent(-stats.drawdown.share)
    yield f"{total.trades:,}"
    yield "" if total.win_rate is None else f"{total.win_rate:.0%}".replace("%", " %")
    yield _ratio(total.profit_factor)
    yield str(len(found.halts))
    yield _percent(found.holding_growth)
    yield "" if held.drawdown is None else _percent(-held.drawdown.share)


def _percent(share: float) -> str:
    return f"{share:+,.1%}".replace("%", " %")


def _ratio(of: Ratio, unit: str = "") -> str:
    if of.value is None:
        return of.word
    return _percent(of.value) if unit else f"{of.value:.2f}"


if __name__ == "__main__":
    sys.exit(main())
