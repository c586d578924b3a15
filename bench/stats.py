"""`/stats` and its kin over 100,000 trades: the first time after a start, and from then on."""

from __future__ import annotations

import asyncio
import itertools
import random
import tempfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from time import perf_counter

from bench.desk import NOON, TRADER, BenchDesk, a_desk
from bench.figures import Figure, median, percentile
from handlers.reply import Outcome
from trading.ports import Change
from trading.types import EquityPoint, ExitReason, Side, Symbol, Trade

TRADES, POINTS = 100_000, 50_000
"""Within a year; as many readings as a minute's candles leave: all of a month, then one an hour."""
SYMBOLS = 20
ASKED = 40
GOAL = 100.0
AT_ONCE = 2_000
BEAT = 0.002
YEAR = timedelta(days=365)
ASKS = ("/stats all", "/stats month", "/performance all", "/daily 8", "/monthly 8")


def measure() -> list[Figure]:
    return asyncio.run(_measure())


async def _measure() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        news = _news()
        async with a_desk(Path(folder), symbols=1, wishes=False) as desk:
            for change in _history():
                await desk.store.commit(change)
            never = await _asked(desk, ASKS[0], next(news))
        async with a_desk(Path(folder), symbols=1, wishes=False) as desk:
            beat = asyncio.ensure_future(_late_beats())
            first = await _asked(desk, ASKS[0], next(news))
            beat.cancel()
            again = {t: [await _asked(desk, t, next(news)) for _ in range(ASKED)] for t in ASKS}
    over = f"{TRADES:,} trades"
    return [
        Figure(name=f"{ASKS[0]}, {over}, never asked before", value=never * 1000, unit="ms"),
        Figure(
            name=f"{ASKS[0]}, {over}, first after a start",
            value=first * 1000,
            unit="ms",
            goal=GOAL,
            headline=True,
        ),
        Figure(
            name="event loop lag meanwhile, worst",
            value=1000 * max(_LATE),
            unit="ms",
            note=f"{len(_LATE)} beats",
        ),
        *(
            Figure(name=f"{text}, {over}, {what}", value=value * 1000, unit="ms", goal=GOAL)
            for text, times in again.items()
            for what, value in (("median", median(times)), ("p99", percentile(times, 0.99)))
        ),
    ]


_LATE: list[float] = []


async def _late_beats() -> None:
    while True:
        began = perf_counter()
        await asyncio.sleep(BEAT)
        _LATE.append(perf_counter() - began - BEAT)


async def _asked(desk: BenchDesk, text: str, news: Change) -> float:
    """With a trade closed and equity read since the last time."""
    await desk.store.commit(news)
    began = perf_counter()
    reply = await desk.say(text)
    seconds = perf_counter() - began
    if reply.outcome is not Outcome.DONE:
        raise RuntimeError(f"{text}: {reply}")
    return seconds


def _history() -> Iterator[Change]:
    """A year of trades, and of equity: a reading each ten minutes or so."""
    chance = random.Random(1)
    for at in range(0, TRADES, AT_ONCE):
        numbers = range(at, at + AT_ONCE)
        yield Change(
            trades=tuple(_trade(chance, n, NOON - YEAR * (1 - n / TRADES)) for n in numbers)
        )
    for at in range(0, POINTS, AT_ONCE):
        numbers = range(at, at + AT_ONCE)
        yield Change(equity=tuple(_point(chance, _within_year(n / POINTS)) for n in numbers))


def _within_year(share: float) -> datetime:
    return NOON - YEAR * (1 - share)


def _news() -> Iterator[Change]:
    chance = random.Random(2)
    for number in itertools.count():
        at = NOON + timedelta(seconds=number)
        yield Change(trades=(_trade(chance, TRADES + number, at),), equity=(_point(chance, at),))


def _trade(chance: random.Random, number: int, at: datetime) -> Trade:
    return Trade(
        id=f"qd-b3c4-e-{number:016x}", trader=TRADER, side=Side.BUY,
        symbol=Symbol(f"S{chance.randrange(SYMBOLS):03}", "USDT"), quantity=Decimal("0.075"),
        entry_price=Decimal("38000.5"), exit_price=Decimal("38100.5"),
        opened_at=at - timedelta(minutes=40), closed_at=at,
        profit=Decimal(chance.randint(-40_000_000, 42_000_000)).scaleb(-6),
        fees=Decimal(chance.randint(100_000, 2_000_000)).scaleb(-6),
        reason=chance.choice(list(ExitReason)),
    )  # fmt: skip


def _point(chance: random.Random, at: datetime) -> EquityPoint:
    return EquityPoint(
        trader=TRADER, at=at, equity=10_000 + Decimal(chance.randint(-9_999, 9_999)).scaleb(-2),
        wallet=Decimal(10_000), exposure=Decimal("3800.12"),
    )  # fmt: skip
