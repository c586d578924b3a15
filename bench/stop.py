"""`/stop` while 100 entries rest: until the venue has confirmed the last cancel."""

from __future__ import annotations

import asyncio
import tempfile
from decimal import Decimal
from pathlib import Path
from time import perf_counter

from bench.desk import BenchDesk, a_desk
from bench.figures import Figure, median
from trading.model.halt import Verb
from trading.ports import Leaving, unwatched
from trading.types import Order, OrderReport, OrderRole, Side, Symbol
from trading.venues.paper.venue import PaperVenue

RESTING = 100
ROUNDS = 7
GOAL = 50


class Watched(PaperVenue):
    """Remembers when it confirmed the last cancel, durable in its own book by then."""

    last_cancel = 0.0

    async def cancel(self, order: Order, leaving: Leaving = unwatched) -> OrderReport:
        report = await super().cancel(order, leaving)
        type(self).last_cancel = perf_counter()
        return report


def measure() -> list[Figure]:
    rounds = asyncio.run(_rounds())[1:]
    cancels, answers = zip(*rounds, strict=True)
    return [
        Figure(
            name=f"/stop to the last cancel, {RESTING} resting entries",
            value=median(cancels) * 1000, unit="ms", goal=GOAL, headline=True,
        ),
        Figure(
            name=f"/stop to its answer, {RESTING} resting entries",
            value=median(answers) * 1000, unit="ms",
        ),
    ]  # fmt: skip


async def _rounds() -> list[tuple[float, float]]:
    return [await _round() for _ in range(ROUNDS + 1)]


async def _round() -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as folder:
        async with a_desk(Path(folder), symbols=RESTING, wishes=False, venue=Watched) as desk:
            await desk.minute()
            await asyncio.gather(*(_rest(desk, symbol) for symbol in desk.trader.symbols))
            began = perf_counter()
            await desk.say("/stop")
            answered = perf_counter() - began
            _check(desk)
            return Watched.last_cancel - began, answered


async def _rest(desk: BenchDesk, symbol: Symbol) -> None:
    """A limit buy of ours, below the market."""
    order = desk.trader.orders.prepare(
        symbol=symbol, side=Side.BUY, role=OrderRole.ENTRY,
        quantity=Decimal(1), price=Decimal(90),
    )  # fmt: skip
    await desk.trader.orders.enter(order, desk.desk.latch.permit(desk.trader.name))


def _check(desk: BenchDesk) -> None:
    (halt,) = desk.desk.latch.active
    if halt.verb is not Verb.STOP or desk.trader.ledger.alive:
        raise RuntimeError("/stop did not stop")
