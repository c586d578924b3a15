"""A month at full speed: nothing grows that should not, and nothing is lost."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from tests.soak.desk import KEEP, TRADER, Figures, Soaked, a_desk
from trading.types import ZERO

DAYS = 30
FULL = 10
"""Days after which everything that remembers a bounded number of things remembers that many."""
MB = 1_000_000


@pytest.mark.slow
async def test_a_day_leaves_the_books_right_and_nothing_behind(tmp_path: Path) -> None:
    async with a_desk(tmp_path, days=1) as soaked:
        day = await soaked.a_day()

        assert day.rows["trades"] > 50, "a day without trades shows nothing"
        await assert_nothing_is_lost(soaked, day)
        await assert_books_are_right(soaked)
        assert day.size < 10 * MB


@pytest.mark.soak
async def test_a_month_grows_by_what_was_traded_and_by_nothing_else(tmp_path: Path) -> None:
    async with a_desk(tmp_path, days=DAYS) as soaked:
        days = [await soaked.a_day() for _ in range(DAYS)]
        for number, day in enumerate(days, start=1):
            print(f"day {number}: {day}")  # noqa: T201  # make soak shows what grew

        await assert_nothing_is_lost(soaked, days[-1])
        await assert_books_are_right(soaked)
        assert_the_process_does_not_grow(days[FULL:])
        assert_history_is_bounded(soaked, days[FULL:])


def assert_the_process_does_not_grow(days: list[Figures]) -> None:
    first, last = days[0], days[-1]
    assert last.handles <= first.handles
    assert last.tasks <= first.tasks
    assert last.objects - first.objects < first.objects / 50
    assert last.rss - first.rss < 8 * MB


def assert_history_is_bounded(soaked: Soaked, days: list[Figures]) -> None:
    """What is kept for ever is there; of the rest there are as many days as are kept."""
    first, last = days[0], days[-1]
    hours = DAYS * 24
    assert last.rows["equity"] <= KEEP.detail.days * 24 * 60 + hours
    assert last.rows["words"] <= 2 * 24 * (KEEP.words.days + 1)
    traded = sum(last.rows[t] - first.rows[t] for t in ("orders", "fills", "trades"))
    assert last.size - first.size < traded * 1_500 + MB
    assert last.size == soaked.store.size()
    for name in ("intents.journal", "paper.journal"):
        path = soaked.folder / name
        assert not path.exists() or path.stat().st_size < 8 * MB


async def assert_nothing_is_lost(soaked: Soaked, now: Figures) -> None:
    """Each fact that was booked has its alert, and each alert was told."""
    made = soaked.announced
    assert sum(made.values()) == now.rows["alerts"] + soaked.forgotten["alerts"]
    assert await soaked.store.waiting_alerts(limit=1) == ()
    assert made["PositionClosed"] == now.rows["trades"]
    assert made["PositionOpened"] == now.rows["trades"] + len(soaked.trader.ledger.positions)
    assert soaked.recorder.unsaved == 0


async def assert_books_are_right(soaked: Soaked) -> None:
    ledger = soaked.trader.ledger
    ours = {symbol: position.quantity for symbol, position in ledger.positions.items()}
    assert ours == {symbol: held.net for symbol, held in (await soaked.venue.positions()).items()}
    assert abs(ledger.account.wallet - await soaked.venue.wallet()) < Decimal("1e-6")
    assert {r.order_id for r in await soaked.venue.open_orders()} == set(ledger.alive)
    kept = await soaked.store.books(TRADER)
    assert kept.account == ledger.account
    assert {o.id: o for o in kept.orders} == ledger.alive
    assert {position.symbol: position for position, _ in kept.positions} == ledger.positions
    total = sum((f.signed_quantity for f in await soaked.store.fills(TRADER)), ZERO)
    assert total == sum((p.quantity for p in ledger.positions.values()), ZERO)
