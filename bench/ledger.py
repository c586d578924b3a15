"""Writing history: how long a commit takes by itself and in a crowd, durable when it returns."""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from time import perf_counter

from bench.desk import TRADER
from bench.figures import Figure, median, percentile
from storage.store import SqlStore
from trading.clocks import SystemClock
from trading.ports import Change, WritePriority
from trading.types import Decision, Order, OrderRole, OrderType, Side, Symbol

LONE, WARM_UP = 500, 50
WRITERS, EACH = 200, 20


def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        lone, crowd, rate = asyncio.run(_commits(Path(folder) / "history.db"))
    figures = {
        "ledger write, alone, p50": median(lone),
        "ledger write, alone, p99": percentile(lone, 0.99),
        f"ledger write, {WRITERS} writers, p50": median(crowd),
        f"ledger write, {WRITERS} writers, p99": percentile(crowd, 0.99),
    }
    return [
        *(Figure(name=name, value=value * 1000, unit="ms") for name, value in figures.items()),
        Figure(name=f"ledger writes, {WRITERS} writers", value=rate, unit="1/s", better="more"),
    ]


async def _commits(path: Path) -> tuple[list[float], list[float], float]:
    clock = SystemClock()
    store = await SqlStore.open(path, clock=clock)
    changes = _intents(clock)
    try:
        lone = [await _commit(store, next(changes)) for _ in range(WARM_UP + LONE)][WARM_UP:]
        began = perf_counter()
        written = await asyncio.gather(*(_writer(store, changes) for _ in range(WRITERS)))
        rate = WRITERS * EACH / (perf_counter() - began)
    finally:
        await store.close()
    return lone, list(itertools.chain.from_iterable(written)), rate


async def _writer(store: SqlStore, changes: Iterator[Change]) -> list[float]:
    return [await _commit(store, next(changes)) for _ in range(EACH)]


async def _commit(store: SqlStore, change: Change) -> float:
    began = perf_counter()
    await store.commit(change, WritePriority.ENTRY)
    return perf_counter() - began


def _intents(clock: SystemClock) -> Iterator[Change]:
    """What is written before an entry may leave: the order and the decision behind it."""
    symbol, at = Symbol("BTC", "USDT"), clock.now()
    for number in itertools.count():
        order = Order(
            id=f"qd-b3c4-e-{number:016x}", trader=TRADER, symbol=symbol, side=Side.BUY,
            type=OrderType.MARKET, role=OrderRole.ENTRY, quantity=Decimal("0.075"),
            created_at=at, reason="EMA 12 crossed above 48",
        )  # fmt: skip
        decision = Decision(
            id=f"{TRADER}|{symbol}|{number}", trader=TRADER, symbol=symbol, bar=at, at=at,
            side=Side.BUY, approved=True, reason="size 0.075 risks 29.99 USDT (0.30 %)",
            signal="EMA 12 crossed above 48", confidence=72, quantity=order.quantity,
            risk=Decimal("29.99"), order_id=order.id,
        )  # fmt: skip
        yield Change(orders=(order,), decisions=(decision,))
