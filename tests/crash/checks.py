"""What must be true of a desk that has come back."""

from __future__ import annotations

import json
from collections import Counter
from decimal import Decimal

from tests.crash.desks import Living
from tests.crash.photographs import BOOK, WAL, Photograph
from tests.world import World
from trading.events import Unprotected
from trading.model.halt import Stage, Verb
from trading.types import ZERO, Fill, OrderRole, OrderStatus, Symbol

PENNY = Decimal("1e-9")


async def assert_books_are_right(living: Living) -> None:
    world = living.world
    assert_no_order_left_twice(living)
    assert_every_intent_is_resolved(world)
    await assert_books_equal_the_venue(world)
    await assert_history_equals_the_books(world)
    assert_positions_are_watched(world)
    assert_exposure_is_within_limits(world)
    assert world.trader.block == ""


def placed(living: Living) -> list[dict[str, str]]:
    """Every order that the venue ever took, from its own book."""
    lines = (living.disk.folder / BOOK).read_bytes().splitlines() if _exists(living) else []
    steps = [step for line in lines for step in json.loads(line.partition(b" ")[2])["steps"]]
    return [step["placed"] for step in steps if "placed" in step]


def _exists(living: Living) -> bool:
    return (living.disk.folder / BOOK).exists()


def assert_no_order_left_twice(living: Living) -> None:
    twice = [key for key, count in Counter(o["id"] for o in placed(living)).items() if count > 1]
    assert twice == []


def assert_entered_once(living: Living, *, at_most: int) -> None:
    entries = [o for o in placed(living) if o["role"] == OrderRole.ENTRY and o["price"] is None]
    assert len(entries) <= at_most


def assert_every_intent_is_resolved(world: World) -> None:
    in_doubt = [
        o
        for o in world.trader.ledger.alive.values()
        if o.status in (OrderStatus.INTENT, OrderStatus.UNKNOWN)
    ]
    assert in_doubt == []


async def assert_books_equal_the_venue(world: World) -> None:
    ledger = world.trader.ledger
    ours = {symbol: position.quantity for symbol, position in ledger.positions.items()}
    assert ours == {symbol: held.net for symbol, held in (await world.venue.positions()).items()}
    assert abs(ledger.at_venue(cash=world.venue.cash) - await world.venue.wallet()) < PENNY
    theirs = {report.order_id for report in await world.venue.open_orders()}
    assert theirs == set(ledger.alive)


async def assert_history_equals_the_books(world: World) -> None:
    assert world.recorder.unsaved == 0
    ledger, kept = world.trader.ledger, await world.store.books("majors")
    assert {o.id: o for o in kept.orders} == ledger.alive
    assert {p.symbol: (p, plan) for p, plan in kept.positions} == {
        s: (p, ledger.plans[s]) for s, p in ledger.positions.items()
    }
    assert kept.account == ledger.account
    assert summed(await world.store.fills("majors")) == {
        s: p.quantity for s, p in ledger.positions.items()
    }


def summed(fills: object) -> dict[Symbol, Decimal]:
    total: dict[Symbol, Decimal] = {}
    for fill in fills:  # type: ignore[attr-defined]
        assert isinstance(fill, Fill)
        total[fill.symbol] = total.get(fill.symbol, ZERO) + fill.signed_quantity
    return {symbol: quantity for symbol, quantity in total.items() if quantity}


def assert_positions_are_watched(world: World) -> None:
    told = {e.symbol for e in world.heard(Unprotected) if isinstance(e, Unprotected)}
    for symbol in world.trader.ledger.positions:
        if world.venue.cash and not world.trader.ledger.closable(symbol):
            continue  # all of it is being sold, and what is being sold cannot have a stop
        assert world.trader.protection.rests(symbol) or symbol in told


def assert_exposure_is_within_limits(world: World) -> None:
    valuer = world.trader.valuer
    equity = valuer.equity()
    assert equity is not None
    assert valuer.exposure() <= world.trader.settings.limits.max_exposure * equity


def assert_halts_are_kept(living: Living, told: frozenset[str]) -> None:
    """What people were told is durable is latched, and nothing of ours can open anything."""
    latch = living.world.desk.latch
    assert told <= {halt.id for halt in latch.active}
    strictest = latch.strictest("majors")
    if strictest is not None and strictest.verb >= Verb.STOP:
        assert living.world.trader.ledger.alive_of(OrderRole.ENTRY) == []


async def assert_halts_are_carried_out(world: World) -> None:
    strictest = world.desk.latch.strictest("majors")
    if strictest is not None and strictest.verb is Verb.FLATTEN:
        assert not await world.venue.positions()
        assert strictest.has_reached("majors", Stage.FLAT)


def is_in_doubt(photograph: Photograph) -> bool:
    """Whether the venue's book and history were not equally far."""
    return photograph.files[BOOK] != photograph.known[BOOK] or (
        photograph.files[WAL] != photograph.known[WAL]
    )
