"""What a dead desk has left behind, read from a copy: history, latch and the venue's own book."""

from __future__ import annotations

import shutil
import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from storage import latch
from storage.journal import FileJournal
from storage.store import SqlStore
from trading.accounts.booking import book
from trading.clocks import SystemClock
from trading.market.rules import BINANCE_PERPETUALS_2021
from trading.model.halt import Halt
from trading.ports import Books
from trading.types import (
    ZERO,
    Fill,
    Order,
    OrderReport,
    OrderRole,
    OrderStatus,
    OrderType,
    Position,
    Symbol,
    Trade,
)
from trading.venues.paper.venue import PaperVenue
from trading.venues.replay import ReplayFeed

TRADER = "majors"
CAPITAL = Decimal(10_000)
IN_DOUBT = {OrderStatus.INTENT, OrderStatus.UNKNOWN}
MANY = 100_000
A_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRow:
    kind: str
    delivered: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """All of it, at the moment of death."""

    books: Books
    orders: Sequence[Order]
    fills: Sequence[Fill]
    trades: Sequence[Trade]
    halts: Sequence[Halt]
    """In force, as the database has them."""
    latched: latch.LatchContents
    alerts: Sequence[AlertRow]
    positions_ever: int
    halts_ever: int
    decided: Counter[str]
    """How many decisions name each order."""
    clean_exit: bool
    placed: Sequence[str]
    """Client order ids in the order in which the venue took them."""
    at_venue: Mapping[str, OrderReport]
    """What the venue says of each of our orders that it knows."""
    resting: Sequence[OrderReport]
    venue_positions: Mapping[Symbol, Decimal]
    venue_wallet: Decimal

    def alerts_of(self, kind: str) -> int:
        return sum(alert.kind == kind for alert in self.alerts)


async def read(state: Path) -> Left:
    """Read a copy of *state*: to look must not mend anything."""
    copy = state.with_name("copy")
    shutil.rmtree(copy, ignore_errors=True)
    # A socket cannot be copied.
    shutil.copytree(state, copy, ignore=shutil.ignore_patterns("*.sock"))
    store = await SqlStore.open(copy / "history.db", clock=SystemClock())
    journal = FileJournal(copy / f"paper-{TRADER}.journal")
    venue = PaperVenue(
        name="paper",
        feed=ReplayFeed(name="crash", clock=SystemClock()),
        journal=journal,
        capital=CAPITAL,
        rules=BINANCE_PERPETUALS_2021,
    )
    try:
        await venue.open(lambda report: None)
        orders = await store.orders(TRADER, limit=MANY)
        found = {order.id: await venue.find(order) for order in orders}
        tables = _tables(copy / "history.db")
        return Left(
            books=await store.books(TRADER),
            orders=orders,
            fills=await store.fills(TRADER),
            trades=await store.trades(TRADER, limit=MANY),
            halts=await store.halts(),
            latched=latch.read(latch.path_in(copy)),
            alerts=tables.alerts,
            positions_ever=tables.positions,
            halts_ever=tables.halts,
            decided=tables.decided,
            clean_exit=await store.note("clean_exit") == "yes",
            placed=[
                str(step["placed"]["id"])
                for record in await journal.records()
                for step in _steps(record)
                if "placed" in step
            ],
            at_venue={name: report for name, report in found.items() if report is not None},
            resting=await venue.open_orders(),
            venue_positions={s: held.net for s, held in (await venue.positions()).items()},
            venue_wallet=await venue.wallet(),
        )
    finally:
        await venue.close()
        await store.close()
        shutil.rmtree(copy)


# -- what must hold -----------------------------------------------------------------------------


def faults(left: Left) -> list[str]:
    """All that is wrong once a desk has started, compared its books and come to rest."""
    return [
        *_orders_faults(left),
        *_positions_faults(left),
        *_protection_faults(left),
        *_halts_faults(left),
        *_alerts_faults(left),
    ]


def _orders_faults(left: Left) -> list[str]:
    twice = [name for name, count in Counter(left.placed).items() if count > 1]
    known = {order.id for order in left.orders}
    decided = [o.id for o in left.orders if o.role is OrderRole.ENTRY and left.decided[o.id] != 1]
    # The venue cancels what has nothing left to reduce; our books hear of it at the latest now.
    differ = [
        f"{o.id}: ours {o.status} {o.filled}, venue {told.status} {told.filled}"
        for o in left.orders
        if (told := left.at_venue.get(o.id)) and (o.status, o.filled) != (told.status, told.filled)
    ]
    ours_only = [o.id for o in left.orders if o.id not in left.at_venue and o.filled > ZERO]
    return [
        *(f"placed twice: {name}" for name in twice),
        *(f"unknown to history: {name}" for name in left.placed if name not in known),
        *(f"in doubt: {o.id} {o.status}" for o in left.orders if o.status in IN_DOUBT),
        *(f"an entry without its one decision: {name}" for name in decided),
        *(f"differs: {text}" for text in differ),
        *(f"filled, and not at the venue: {name}" for name in ours_only),
    ]


def _positions_faults(left: Left) -> list[str]:
    told = {fill.id: fill for report in left.at_venue.values() for fill in report.fills}
    booked = {fill.id: fill for fill in left.fills}
    held = {position.symbol: position.quantity for position, _ in left.books.positions}
    summed = {p.symbol: p.quantity for p in _replayed(left.fills)}
    account = left.books.account
    wallet = ZERO if account is None else account.wallet
    expected = {
        "fills": (booked.keys(), told.keys()),
        "positions and fills": (held, summed),
        "positions and venue": (held, dict(left.venue_positions)),
        "a fill told again": (len(left.fills), len(booked)),
        "wallet to the cent": (abs(wallet - left.venue_wallet) < A_CENT, True),
        "trades and closed positions": (len(left.trades), left.positions_ever - len(held)),
    }
    return [f"{what}: {ours} != {theirs}" for what, (ours, theirs) in expected.items()
            if ours != theirs]  # fmt: skip


def _replayed(fills: Sequence[Fill]) -> list[Position]:
    held: dict[Symbol, Position | None] = {}
    for fill in fills:
        held[fill.symbol] = book(held.get(fill.symbol), fill).after
    return [position for position in held.values() if position is not None]


def _protection_faults(left: Left) -> list[str]:
    """A stop for exactly what is open, or its close under way; else people have been told.

    Of targets never more than is open. A stop that was for more only reduces, while all is sold.
    """
    bare = [
        f"{symbol}: {quantity} open, stops for {stops}, targets for {targets}, exits for {exits}"
        for symbol, quantity in left.venue_positions.items()
        for stops in [_resting(left, symbol, OrderRole.PROTECT, OrderType.STOP)]
        for targets in [_resting(left, symbol, OrderRole.PROTECT, OrderType.TARGET)]
        for exits in [_resting(left, symbol, OrderRole.EXIT, OrderType.MARKET)]
        if targets > abs(quantity) or (stops != abs(quantity) and exits < abs(quantity))
    ]
    return bare if len(bare) > left.alerts_of("Unprotected") else []


def _resting(left: Left, symbol: Symbol, role: OrderRole, kind: OrderType) -> Decimal:
    resting = (report.order for report in left.resting if report.order is not None)
    wanted = (symbol, role, kind)
    return sum((o.remaining for o in resting if (o.symbol, o.role, o.type) == wanted), ZERO)


def _halts_faults(left: Left) -> list[str]:
    in_database, in_file = {h.id for h in left.halts}, {h.id for h in left.latched.halts}
    return [] if in_database == in_file else [f"halts: {in_database} != {in_file}"]


def _alerts_faults(left: Left) -> list[str]:
    """Every fact that is told has its alert, and one only."""
    expected = {
        "PositionClosed": len(left.trades),
        "PositionOpened": left.positions_ever,
        "HaltEngaged": left.halts_ever,
    }
    return [
        f"{kind}: {left.alerts_of(kind)} alerts of {count}"
        for kind, count in expected.items()
        if left.alerts_of(kind) != count
    ]


# -- tables that nobody needs but tests --------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tables:
    alerts: Sequence[AlertRow]
    positions: int
    halts: int
    decided: Counter[str]


def _tables(path: Path) -> _Tables:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        ask = database.execute
        return _Tables(
            alerts=[
                AlertRow(kind=kind, delivered=at is not None)
                for kind, at in ask("SELECT kind, delivered_at FROM alerts ORDER BY seq")
            ],
            positions=ask("SELECT count(*) FROM positions").fetchone()[0],
            halts=ask("SELECT count(DISTINCT id) FROM halts").fetchone()[0],
            decided=Counter(
                name for (name,) in ask("SELECT order_id FROM decisions WHERE approved")
            ),
        )


def _steps(record: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """What happened, of one record of the journal; a snapshot tells no steps."""
    return list(record.get("steps", ()))
