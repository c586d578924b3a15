"""Backtests of `smc` and `rules` as they ship: four majors, three years of hours, in loops.

As `quarterdeck backtest --symbols all --resume-daily`.  With QUARTERDECK_DATA the candles are real;
without it random walks of their length, which wander through calm and storm.  Each runs in an
interpreter of its own, with the loop before and after it.

Run as a module it is that: `python -m bench.shipped TRADER`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from bench import results
from bench.figures import SLOW, Figure
from bench.machine import in_loops
from chatbot.cli.backtest import made
from trading.backtest.engine import run

TRADERS = ("smc", "rules")
GOAL = 2.0
COINS = ("BNB", "BTC", "ETH", "SOL")
BARS = 26_280
HOUR = 3_600_000
BEGIN = 1_664_582_400_000  # October 2022
VOLUME = 30_000_000
"""A typical hour's, in quote currency: every tier of the universe takes them."""


def measure() -> list[Figure]:
    return [_figure(trader) for trader in TRADERS]


def _figure(trader: str) -> Figure:
    told = subprocess.run(
        [sys.executable, "-m", "bench.shipped", trader], stdout=subprocess.PIPE, check=True
    )
    loops, trades = json.loads(told.stdout)
    which = "real" if "QUARTERDECK_DATA" in os.environ else "made-up"
    return Figure(
        name=f"backtest of {trader} as shipped, {len(COINS)} {which} majors x {BARS:,} hours",
        value=loops, unit="loops", goal=GOAL, at=SLOW, note=f"{trades:,} trades", headline=True,
    )  # fmt: skip


# -- in the child ---------------------------------------------------------------------------------


def once(trader: str) -> tuple[float, int]:
    """Loops that it took, the candles read already; and trades."""
    with _market() as market:
        settings, asked = results.asked_of(market, trader)
        test = made(settings, asked)
    loops, _, result = in_loops(lambda: run(test))
    return loops, len(result.trades)


@contextmanager
def _market() -> Iterator[results.Market]:
    data = os.environ.get("QUARTERDECK_DATA")
    if data is not None:
        yield results.Market(name="real", file=str(Path(data) / results.HOURS), minutes=60)
        return
    with tempfile.TemporaryDirectory() as folder:
        for coin in COINS:
            (Path(folder) / f"{coin}_USDT-1h.csv").write_text("\n".join(_rows(coin)))
        yield results.Market(name="made-up", file=folder, minutes=60)


def _rows(coin: str) -> Iterator[str]:
    """Hours that move by 0.6 % on average, for weeks at a time by half or twice that."""
    dice = np.random.default_rng([26, *coin.encode()])
    storm = np.exp(np.repeat(dice.normal(0, 0.4, BARS // 300 + 1), 300)[:BARS])
    close = 100 * np.exp(np.cumsum(dice.standard_t(4, BARS) * 0.0042 * storm))
    opened = np.concatenate([close[:1], close[:-1]])
    wicks = np.exp(np.abs(dice.normal(0, 0.003, (2, BARS))) * storm)
    columns = (
        BEGIN + HOUR * np.arange(BARS),
        *(np.round(each, 6) for each in (opened, np.maximum(opened, close) * wicks[0],
                                         np.minimum(opened, close) / wicks[1], close)),
        np.round(VOLUME * dice.lognormal(0, 0.5, BARS) / close, 3),
    )  # fmt: skip
    yield "timestamp,open,high,low,close,volume"
    for row in zip(*(column.tolist() for column in columns), strict=True):
        yield ",".join(map(str, row))


if __name__ == "__main__":
    print(json.dumps(once(sys.argv[1])))
