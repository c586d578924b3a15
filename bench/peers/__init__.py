"""The others beside us, in one run on one machine: freqtrade and smartmoneyconcepts, as ratios.

What counts is theirs / ours.  Both sides answer to the same servers on loopback, which run in this
process; the desk is `bench.chats`'s, freqtrade is `peers/freqtrade.py`'s.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter, process_time

from bench import backtest
from bench.analysis import BARS, LISTED_LATE, SWING, SYMBOLS, WITH_HOLES, indicators, made_up
from bench.analysis import structure as market_structure
from bench.chats import (
    ANNA,
    WatchedDiscord,
    WatchedTelegram,
    compiled_desk,
    cpu_of,
    desk_with,
    until,
)
from bench.figures import Figure, median
from bench.peers import freqtrade
from bench.peers.telegram import PeerTelegram
from tests.servers.exchange.process import ExchangeProcess

BACKTEST_GOAL, SMC_GOAL, SCAN_GOAL, START_GOAL = 50.0, 80.0, 50.0, 6.0
OPEN = {
    (10, False): (8.0, 2.5),
    (100, False): (40.0, 5.0),
    (10, True): (20.0, 8.0),
}
"""Open trades, and whether under scans: how many times as long its messages, its table may take."""
PARTS = ("backtest", "smc", "start", "status")
"""All that is measured; `BENCH_PEERS` names some of them."""
TURNS, EACH, PAUSE = 10, 5, 0.05
"""Turns of each, its questions in one, and seconds before a question."""
STARTS = 3
LONGEST = 120.0
"""Seconds after which a bot that has not read its candles and analysed them twice never will."""
QUIET = 1.0
"""Seconds of silence after which a bot has told what it tells at its start."""
HOUR = 3_600_000
CANDLES = 220
BASES = [f"S{number:03}" for number in range(SYMBOLS)]
PAIRS = [f"{base}/USDT" for base in BASES]
SETTINGS = """
[bot]
name = "bench"
state_dir = "state"

[chat.console]
enabled = false

[chat.telegram]
enabled = true
base_url = "{chat}"
users = {{ "{user}" = "owner" }}

[venues.paper]
kind = "paper"

[feeds.prices]
kind = "ccxt"
exchange = "binance"
market = "spot"
url = "{url}"
ws_url = "{ws_url}"

[traders.majors]
venue = "paper"
feed = "prices"
strategy = "ema_cross"
symbols = ["S000/USDT", "S001/USDT"]
timeframe = "1h"

[traders.majors.parameters]
fast = 12
slow = 48
"""


def measure() -> list[Figure]:
    if excuse := freqtrade.excuse():
        return [Figure(name="freqtrade / ours", value=None, unit="x", note=excuse)]
    wanted = os.environ.get("BENCH_PEERS", "").split() or PARTS
    if unknown := set(wanted) - set(PARTS):
        raise ValueError(f"no part {min(unknown)}; there are: {', '.join(PARTS)}")
    figures = [*_backtests()] if "backtest" in wanted else []
    figures += _structures() if "smc" in wanted else ()
    bots = {"start", "status"} & {*wanted}
    return [*figures, *(asyncio.run(_bots(bots)) if bots else ())]


def _times(
    name: str, theirs: float, ours: float, unit: str, goal: float | None = None
) -> list[Figure]:
    """Both, and the ratio."""
    note = f"{theirs:.3g} {unit} / {ours:.3g} {unit}"
    return [
        Figure(
            name=name, value=theirs / ours, unit="x", goal=goal, better="more", note=note,
            headline=goal is not None,
        )
    ]  # fmt: skip


# -- a backtest -----------------------------------------------------------------------------------


def _backtests() -> list[Figure]:
    test = backtest.a_backtest()
    capital = float(test.trader.capital)
    with tempfile.TemporaryDirectory() as folder:
        theirs = freqtrade.backtest(
            Path(folder), test.candles, capital=capital, stake=capital * 0.02
        )
    told = subprocess.run(
        [sys.executable, "-m", "bench.backtest"], stdout=subprocess.PIPE, check=True
    )
    _, seconds, peak, trades = json.loads(told.stdout)
    which = f"freqtrade {freqtrade.version('freqtrade')}'s / ours"
    what = f"backtest of {backtest.SYMBOLS} x {backtest.BARS:,}, EMA 12/48, {which}"
    figures = [
        *_times(f"{what}, processor time", theirs.seconds, seconds, "s", BACKTEST_GOAL),
        *_times(f"{what}, memory", theirs.peak, peak, "MB"),
    ]
    print(f"freqtrade made {theirs.trades:,} trades, we {trades:,}", file=sys.stderr)
    return figures


# -- the analysis of a scan -----------------------------------------------------------------------


def _structures() -> list[Figure]:
    scan = made_up(SYMBOLS, BARS, late=LISTED_LATE, holes=WITH_HOLES)
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "scan.npz"
        freqtrade.save(archive, scan, PAIRS, opens=scan.times - HOUR)
        theirs = float(
            freqtrade.inside(freqtrade.INSIDE / "public_smc.py", archive, str(SWING)).split()[-1]
        )
    ours = _processor_time(lambda: market_structure(scan))
    public = f"smartmoneyconcepts {freqtrade.version('smartmoneyconcepts')}'s / ours"
    name = f"SMC, {SYMBOLS} x {BARS}, {public}, processor time"
    return _times(name, theirs, ours, "s", SMC_GOAL)


def _processor_time(work: Callable[[], None]) -> float:
    """After a round to warm up."""
    times = []
    for _ in range(6):
        began = process_time()
        work()
        times.append(process_time() - began)
    return median(times[1:])


# -- bots -----------------------------------------------------------------------------------------


async def _bots(parts: Collection[str]) -> list[Figure]:
    figures: list[Figure] = []
    with ExchangeProcess(market="spot", symbols=BASES) as venue:
        venue.tell("unlimited")
        venue.tell("klines", symbol="*", interval="1h", rows=_candles())
        figures += await _starts(venue) if "start" in parts else ()
        for (count, scan), goals in OPEN.items() if "status" in parts else ():
            figures += await _statuses(venue, count, goals, scan=scan)
    return figures


def _candles() -> list[list[object]]:
    """The last has not closed: without it freqtrade would read all of them again in each round."""
    now = int(time.time() * 1000)
    last = now - now % HOUR
    price = f"{freqtrade.PRICE:.2f}"
    return [
        [start, price, price, price, price, "1000", start + HOUR - 1, "1000", 10, "500", "500", "0"]
        for start in range(last - CANDLES * HOUR, last + 1, HOUR)
    ]


async def _starts(venue: ExchangeProcess) -> list[Figure]:
    """From the start of the process until /status is answered on Telegram, by turns."""
    theirs, ours = [], []
    with tempfile.TemporaryDirectory() as folder:
        async with WatchedTelegram() as chat:
            settings = SETTINGS.format(
                chat=chat.base_url, user=ANNA.id, url=venue.url, ws_url=venue.ws_url
            )
            token = {"QUARTERDECK__CHAT__TELEGRAM__TOKEN": chat.token}
            desk = compiled_desk(Path(folder) / "desk", token, settings)
            for number in range(STARTS + 1):
                place = Path(folder) / f"freqtrade{number}"
                place.mkdir()
                theirs.append(await _their_start(place, venue))
                polls, began = chat.polls, perf_counter()
                await asyncio.to_thread(desk.launch)
                await until(lambda polls=polls: chat.polls > polls, lambda: True)  # type: ignore[misc]  # a default
                await chat.answer_to(await chat.says(ANNA, "/status"))
                ours.append(chat.arrived - began)
                await asyncio.to_thread(desk.start_is_over)
                await asyncio.to_thread(desk.terminate)
    name = "start until /status answers on Telegram, prices of one exchange, freqtrade's / ours"
    return _times(name, median(theirs[1:]), median(ours[1:]), "s", START_GOAL)


async def _their_start(folder: Path, venue: ExchangeProcess) -> float:
    async with PeerTelegram() as chat:
        began = perf_counter()
        async with freqtrade.trading(folder, venue.url, chat, PAIRS[:2]):
            while not any("no active trade" in said for said in chat.messages):
                await chat.says(ANNA, "/status")
                await asyncio.sleep(0.1)
            return chat.arrived - began


async def _statuses(
    venue: ExchangeProcess, count: int, goals: tuple[float, float], *, scan: bool
) -> list[Figure]:
    """Both run; while one is asked the other is stopped, and they take turns: what else the
    machine does meets both."""
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = Path(folder) / "ours", Path(folder) / "theirs"
        notes = theirs / "notes"
        for place in (ours, theirs):
            place.mkdir()
        pairs, throttle = (PAIRS, 0) if scan else (PAIRS[:count], 5)
        async with (
            PeerTelegram() as chat,
            WatchedTelegram() as there,
            WatchedDiscord() as here,
            freqtrade.trading(
                theirs, venue.url, chat, pairs, opened=count, throttle=throttle, notes=notes
            ) as bot,
            desk_with(count, ours, there, here, scan=scan) as desk,
        ):
            await until(lambda: len(_rounds(notes)) > 1, lambda: bot.returncode is None, LONGEST)
            await chat.silence(QUIET)
            sides = {
                "ours": Side(pid=desk, ask=there.ask),
                "messages": Side(pid=bot.pid, ask=lambda: chat.asks("/status", count)),
                "table": Side(pid=bot.pid, ask=lambda: chat.asks("/status table", -(-count // 50))),
            }
            before = len(_rounds(notes))
            await _by_turns(list(sides.values()))
            rounds = _rounds(notes)
    if scan and len(rounds) == before:
        print("BUSY: freqtrade ended no round while it was asked under scans", file=sys.stderr)
    when = " under scans" if scan else ""
    figures, our = [], sides["ours"]
    for what, goal in zip(("messages", "table"), goals, strict=True):
        name = f"/status on Telegram with {count} open{when}, freqtrade's {what} / ours"
        figures += _times(name, sides[what].typical, our.typical, "ms", goal)
        if not scan:
            figures += _times(f"{name}, processor time", sides[what].cost, our.cost, "ms")
    return [*figures, *(_scans(median(rounds[1:])) if scan else ())]


@dataclass(slots=True, kw_only=True)
class Side:
    """Who is asked, and what it took."""

    pid: int
    ask: Callable[[], Awaitable[tuple[float, str]]]
    taken: list[float] = field(default_factory=list)
    used: float = 0.0
    """Seconds of the processor, from before the first question of each turn until its end."""

    @property
    def typical(self) -> float:
        """Ms until the answer was there, the median."""
        return median(self.taken) * 1000

    @property
    def cost(self) -> float:
        """Ms of the processor for each."""
        return self.used / len(self.taken) * 1000


async def _by_turns(sides: Sequence[Side]) -> None:
    """The first turn of each warms up."""
    pids = {side.pid for side in sides}
    try:
        for turn in range(TURNS + 1):
            for side in sides:
                for pid in pids:
                    os.kill(pid, signal.SIGCONT if pid == side.pid else signal.SIGSTOP)
                await asyncio.sleep(PAUSE)
                before = cpu_of(side.pid)
                taken = [await _asked(side) for _ in range(EACH)]
                if turn:
                    side.taken += taken
                    side.used += cpu_of(side.pid) - before
    finally:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


async def _asked(side: Side) -> float:
    await asyncio.sleep(PAUSE)
    return (await side.ask())[0]


def _scans(seconds: float) -> list[Figure]:
    """How long it takes over the indicators of a scan, beside ours."""
    scan = made_up(SYMBOLS, BARS)
    ours = _processor_time(lambda: indicators(scan))
    name = f"EMA twice, RSI, ATR of {SYMBOLS} pairs, freqtrade's round / ours, processor time"
    return _times(name, seconds, ours, "s", SCAN_GOAL)


def _rounds(notes: Path) -> list[float]:
    """Seconds of each analysis of all pairs so far."""
    lines = notes.read_text().splitlines() if notes.exists() else []
    return [float(line.split()[0]) for line in lines]
