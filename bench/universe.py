"""A desk that follows 648 symbols which it found by itself: its memory, and how soon it is there.

The exchange is the loopback Binance of the tests (spot), in a process of its own, its quotas set
aside; ours are kept.  The desk trades on paper there, with the scanner's strategy as it ships.  It
is started twice: at first it surveys the market and finds its symbols, then it knows them already.
Then it analyses all of them, once by each of two strategies.  Beside it the same many symbols of a
recording, without the exchange's client: `python -m bench.scan` is a process that runs cycles
over them, with all that a desk loads.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

from bench.chats import compiled_desk, rss
from bench.figures import Figure
from bench.scan import MANY
from tests.process.desk_process import DeskProcess
from tests.servers.exchange.process import ExchangeProcess
from trading.strategies import strategy

SYMBOLS = MANY
GOAL, FEW_GOAL = 150, 122
"""MB; with 200 candles each fewer."""
AFTER = 70.0
"""Seconds: within a minute the desk gives back what it needed for a moment."""
HOUR = 3_600_000
PRICE = 50_000
LONGEST = 120.0
"""Seconds until all are there."""

SETTINGS = """
[bot]
name = "bench"
state_dir = "state"

[chat.console]
enabled = false

[venues.paper]
kind = "paper"

[feeds.prices]
kind = "ccxt"
exchange = "binance"
market = "spot"
url = "{url}"
ws_url = "{ws_url}"

[traders.smc]
venue = "paper"
feed = "prices"
strategy = "smc"
symbols = ["S000/USDT"]
timeframe = "1h"

[traders.smc.universe]
min_volume = 5_000_000
max_symbols = 648
cycles = 1
"""


def measure() -> list[Figure]:
    bases = [f"S{number:03}" for number in range(SYMBOLS)]
    with (
        ExchangeProcess(market="spot", symbols=bases) as venue,
        tempfile.TemporaryDirectory() as folder,
    ):
        venue.tell("unlimited")
        venue.tell("klines", symbol="*", interval="1h", rows=_candles())
        for base in bases:
            venue.engine("others_trade", f"{base}USDT", PRICE, 200)
        settings = SETTINGS.format(url=venue.url, ws_url=venue.ws_url)
        desk = compiled_desk(Path(folder) / "desk", {}, settings)
        found = _started(desk, _surveyed)
        again = _started(desk, _analysed)
    what = f"{SYMBOLS} symbols found on an exchange"
    return [
        *(
            Figure(
                name=f"resident memory, {SYMBOLS} recorded symbols x {bars}, after cycles",
                value=_recorded(bars), unit="MB", goal=goal, headline=True,
            )
            for bars, goal in ((200, FEW_GOAL), (_warm(), GOAL))
        ),
        Figure(
            name=f"resident memory, {what}, analysed, a minute later",
            value=again[1], unit="MB", goal=GOAL, headline=True,
        ),
        Figure(name=f"from the first start until {what} are followed", value=found[0], unit="s"),
        Figure(name=f"from the second start until {what} are followed", value=again[0], unit="s"),
    ]  # fmt: skip


def _started(desk: DeskProcess, then: Callable[[DeskProcess], float]) -> tuple[float, float]:
    """Seconds until everybody is there, and what comes of it *then*."""
    began = perf_counter()
    desk.start()
    try:
        while not _is_there(desk):
            if perf_counter() - began > LONGEST:
                raise TimeoutError("the universe does not get whole")
            sleep(0.05)
        return perf_counter() - began, then(desk)
    finally:
        desk.terminate()


def _surveyed(desk: DeskProcess) -> float:
    return rss(desk)


def _analysed(desk: DeskProcess) -> float:
    """The memory once another strategy and then its own have looked at all candles."""
    for name in ("rules", "smc"):
        answer = desk.do(f"/strategy smc {name}")
        if answer["outcome"] != "done":
            raise RuntimeError(answer["plain"])
    sleep(AFTER)
    return rss(desk)


def _is_there(desk: DeskProcess) -> bool:
    """All may be entered, and the one that joined last has a price."""
    known = desk.say("/universe")["title"].startswith(f"{SYMBOLS} symbols")
    return known and "Price" in desk.say(f"/price S{SYMBOLS - 1:03}")["plain"]


def _warm() -> int:
    """Candles that the scanner needs as it ships, and a few more."""
    return strategy("smc", {}).warmup + 60


def _recorded(bars: int) -> float:
    told = subprocess.run(
        [sys.executable, "-m", "bench.scan", str(bars)], check=True, capture_output=True, text=True
    )
    return float(told.stdout)


def _candles() -> list[list[Any]]:
    """A warm-up's worth and a few more, up to the last that has closed."""
    now = int(time.time() * 1000)
    last = now - now % HOUR
    return [_candle(last - n * HOUR, PRICE * (1 + n % 7 / 1_000)) for n in range(_warm(), 0, -1)]


def _candle(start: int, close: float) -> list[Any]:
    high, low, price = f"{close * 1.01:.2f}", f"{close * 0.99:.2f}", f"{close:.2f}"
    return [start, price, high, low, price, "1000", start + HOUR - 1, "1000", 10, "500", "500", "0"]
