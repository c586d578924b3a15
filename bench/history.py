"""A desk with years behind it: how long it takes to go on from a million fills, and to tidy up."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter

from bench.desk import TRADER
from bench.figures import Figure, median, percentile
from bench.process import running
from storage.rows import instant
from storage.store import SqlStore
from trading.clocks import SystemClock
from trading.ports import Change, WritePriority
from trading.types import ExitReason

TRADES, EACH = 200_000, 5
"""Round trips, and fills of each: a million fills."""
OPEN = 5
ALONE = 100
GOAL = 2.0
ROUNDS = 3
DAYS = 90
"""Of equity at every bar, and of alerts: sixty more than are kept."""
MINUTES = DAYS * 24 * 60
TOLD, SAID = 50_000, 20_000
BODY = json.dumps({"title": "BTC long 1 at 100", "text": "x" * 200, "level": 20})
END = datetime(2021, 5, 19, 12, tzinfo=UTC)
"""Where the shipped replay begins: it goes on from there."""
MINUTE = timedelta(minutes=1)
SYMBOLS = ("BTC/USDT", "ETH/USDT", "XRP/USDT", "ADA/USDT", "DOGE/USDT")
Row = tuple[object, ...]


def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "state" / "history.db"
        made.parent.mkdir()
        rows = asyncio.run(_make(made))
        os.sync()  # what is still to be written would hold up the first start
        starts = [_start(Path(folder)) for _ in range(1 + ROUNDS)][1:]
        answers, ready = zip(*starts, strict=True)
        books, day_book, again = asyncio.run(_books(made))
        tidied = asyncio.run(_tidy(made))
    return [
        Figure(name=f"start on {TRADES * EACH:,} fills, until /status answers",
               value=median(answers), unit="s", goal=GOAL, headline=True),
        Figure(name=f"start on {TRADES * EACH:,} fills, until the trader is ready",
               value=median(ready), unit="s"),
        Figure(name="that history: rows", value=rows, unit=""),
        Figure(name="that history: open it and read the books", value=books * 1000, unit="ms"),
        Figure(name=f"that history: sum up {TRADES:,} trades, once", value=day_book, unit="s"),
        Figure(name="that history: sum up what is new", value=again * 1000, unit="ms"),
        *tidied,
    ]  # fmt: skip


# -- making it ----------------------------------------------------------------------------------


async def _make(path: Path) -> int:
    """Write it as SQLite likes it best: all at once, unsafely.  Returns how many rows there are."""
    clock = SystemClock()
    await (await SqlStore.open(path, clock=clock)).close()
    with closing(sqlite3.connect(path)) as database:
        for pragma in ("synchronous = OFF", "journal_mode = MEMORY", "cache_size = -400000"):
            database.execute(f"PRAGMA {pragma}")
        indexes = database.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index'")
        known = {name: sql for name, sql in indexes if sql is not None}
        for name in known:
            database.execute(f"DROP INDEX {name}")
        with database:
            for table, rows in _history(clock.now()).items():
                _write(database, table, rows)
        for sql in known.values():  # sorting once is quicker
            database.execute(sql)
        database.execute("PRAGMA journal_mode = WAL")
        return database.total_changes


def _write(database: sqlite3.Connection, table: str, rows: Iterable[Row]) -> None:
    """Rows as they stand in *table*, without `seq`."""
    named = [name for _, name, *_ in database.execute(f"PRAGMA table_info({table})")]
    columns = [f'"{name}"' for name in named if name != "seq"]
    marks = ", ".join("?" * len(columns))
    database.executemany(
        f"INSERT OR REPLACE INTO {table} ({', '.join(columns)}) VALUES ({marks})", rows
    )


def _history(now: datetime) -> Mapping[str, Iterable[Row]]:
    return {
        "orders": (row for n in range(TRADES) for row in _orders(n)),
        "fills": (row for n in range(TRADES) for row in _fills(n)),
        "positions": (_position(n, "0") for n in range(TRADES)),
        "trades": map(_trade, range(TRADES)),
        "decisions": map(_decision, range(2 * TRADES)),
        "equity": map(_point, range(MINUTES)),
        "alerts": (_alert(n, now) for n in range(TOLD)),
        "words": (_word(n, now) for n in range(SAID)),
        "accounts": [_account()],
    }


def _symbol(n: int) -> str:
    return SYMBOLS[n % len(SYMBOLS)]


def _opened(n: int) -> datetime:
    return END - (TRADES - n) * 5 * MINUTE


def _orders(n: int) -> Iterator[Row]:
    """An entry, the stop that protected it, and the exit."""
    at = instant(_opened(n))
    yield _order(f"qd-b3c4-e-{n:016x}", n, at, "buy", "market", "entry", "filled")
    yield _order(f"qd-b3c4-p-{n:016x}", n, at, "sell", "stop", "protect", "cancelled")
    yield _order(f"qd-b3c4-x-{n:016x}", n, at, "sell", "market", "exit", "filled")


def _order(order_id: str, n: int, at: str, *kinds: str) -> Row:
    side, kind, role, status = kinds
    stop = "99.00" if kind == "stop" else None
    return (
        order_id, TRADER, _symbol(n), side, kind, role, "1.000", None, stop,
        int(role != "entry"), "", "", None, status, "1.000", "100.00", f"P{n}", "", at, at, at, 3,
    )  # fmt: skip


def _fills(n: int) -> Iterator[Row]:
    at = instant(_opened(n))
    for part in range(EACH):
        role, side = ("e", "buy") if part < EACH // 2 else ("x", "sell")
        order = f"qd-b3c4-{role}-{n:016x}"
        yield (f"{order}/{part}", order, TRADER, _symbol(n), side, "0.400", "100.00", "0.04", at)


def _position(n: int, quantity: str) -> Row:
    plan = None if quantity == "0" else json.dumps(dict(PLAN))
    return (
        TRADER, _symbol(n), f"qd-b3c4-e-{n:016x}", instant(_opened(n)), quantity, "100.00",
        "1.000", "0", "0", "0", "0.04", plan, instant(_opened(n)), 9,
    )  # fmt: skip


PLAN: Mapping[str, object] = {
    "side": "buy", "size": "1", "entry": "100", "stop": None, "target": None, "deadline": None,
    "trail": None, "best": None, "partials": [], "break_even": False, "confidence": 60,
}  # fmt: skip


def _trade(n: int) -> Row:
    opened, closed = instant(_opened(n)), instant(_opened(n) + 4 * MINUTE)
    profit = f"{(n * 7919 % 2001 - 1000) / 100:.2f}"
    return (
        f"qd-b3c4-e-{n:016x}:{_opened(n).isoformat()}", TRADER, _symbol(n), "buy", "1.000",
        "100.00", "100.10", opened, closed, profit, "0.08",
        (ExitReason.STOP if n % 3 else ExitReason.TARGET).value, "", closed, opened,
    )  # fmt: skip


def _decision(n: int) -> Row:
    """Every other one was refused."""
    at = instant(_opened(n // 2))
    order = "" if n % 2 else f"qd-b3c4-e-{n // 2:016x}"
    return (
        f"{TRADER}|{n}", TRADER, _symbol(n), at, at, "buy", int(not n % 2), "symbol rests",
        "EMA 12 crossed above 48", 60, "1.000", "5.00", order,
    )  # fmt: skip


def _point(n: int) -> Row:
    return (TRADER, instant(END - n * MINUTE), f"{10_000 + n % 97}.00", "10000.00", "0")


def _alert(n: int, now: datetime) -> Row:
    at = instant(now - n * timedelta(days=DAYS) / TOLD)
    return (f"a-{n}|console:", "console:", 20, "PositionOpened", at, BODY, at)


def _word(n: int, now: datetime) -> Row:
    at = instant(now - n * timedelta(days=400) / SAID)
    return (f"w-{n}", at, "bench", "owner", "terminal", "/status", "done", "All is well")


def _account() -> Row:
    day = END.date().isoformat()
    return (
        TRADER, "10000", "10000", "10000", day, "10000", day, "10000", instant(END), "0", None, 9,
    )  # fmt: skip


# -- starting ---------------------------------------------------------------------------------


def _start(folder: Path) -> tuple[float, float]:
    with running(folder) as desk:
        return desk.first_answer(), desk.ready()


async def _books(made: Path) -> tuple[float, float, float]:
    """With positions open: what a trader must know again is more then."""
    with closing(sqlite3.connect(made)) as database, database:
        _write(database, "positions", (_position(n, "1") for n in range(TRADES - OPEN, TRADES)))
    began = perf_counter()
    store = await SqlStore.open(made, clock=SystemClock())
    books = await store.books(TRADER)
    seconds = perf_counter() - began
    if len(books.positions) < OPEN or len(books.recent_trades) == 0:
        raise RuntimeError("the books are not what was written")
    began = perf_counter()
    await store.day_book(TRADER, UTC)
    first = perf_counter() - began
    began = perf_counter()
    await store.day_book(TRADER, UTC)
    again = perf_counter() - began
    await store.close()
    return seconds, first, again


# -- tidying ----------------------------------------------------------------------------------


async def _tidy(made: Path) -> list[Figure]:
    """With sixty days too many of everything, while a halt is written now and then."""
    clock = SystemClock()
    store = await SqlStore.open(made, clock=clock)
    before = store.size()
    alone = [await _urgent(store) for _ in range(ALONE)]
    began = perf_counter()
    tidying = asyncio.ensure_future(store.tidy(clock.now()))
    waits = []
    while not tidying.done():
        waits.append(await _urgent(store))
        await asyncio.wait({tidying}, timeout=0.02)
    seconds, tidied = perf_counter() - began, tidying.result()
    await store.close()
    return [
        Figure(name=f"tidying: {sum(tidied.removed.values()):,} rows", value=seconds, unit="s"),
        *(
            Figure(name=f"a write of a halt, {when}, {what}", value=ms * 1000, unit="ms")
            for when, times in (("alone", alone), ("while tidying", waits))
            for what, ms in (("median", median(times)), ("p99", percentile(times, 0.99)))
        ),
        Figure(name="tidying: size before", value=before / 1e6, unit="MB"),
        Figure(name="tidying: size after", value=tidied.size / 1e6, unit="MB"),
    ]  # fmt: skip


async def _urgent(store: SqlStore) -> float:
    """Seconds that a small write takes which goes before all others."""
    began = perf_counter()
    await store.commit(Change(notes=(("bench", f"{began}"),)), WritePriority.HALT)
    return perf_counter() - began
