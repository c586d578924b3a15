"""A history that is older than the account: what the venue tells of our orders is evidence."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from handlers.reply import Level, Outcome, Reply
from handlers.texts.describe import describe
from storage.memory import MemoryJournal, MemoryStore
from tests.builders import BTC, NOON, an_exit
from tests.fakes import MemoryLatch
from tests.scenarios.test_by_hand import Chat
from tests.trading.execution.test_reconcile import by_hand
from tests.trading.safety.test_accept_books import ANNA
from tests.world import World, a_world, settled, wish
from trading.clocks import ManualClock
from trading.errors import Refused
from trading.events import (
    BooksDiffered,
    Event,
    OrdersFound,
    OrdersUnproven,
    PositionClosed,
    Unprotected,
)
from trading.model.exit_rules import ExitRules
from trading.model.halt import EVERYONE, Stage
from trading.types import ONE, ExitReason, OrderRole, OrderStatus, Side

D = Decimal
BY = "ben, Telegram"


@dataclass
class Account:
    """What lies at the venue, and history beside it; `backup` and `put_back` are the operator's."""

    cash: bool = False
    more: dict[str, Any] = field(default_factory=dict)
    clock: ManualClock = field(default_factory=lambda: ManualClock(NOON))
    book: MemoryJournal = field(default_factory=MemoryJournal)
    lives: int = 0

    def __post_init__(self) -> None:
        self.store = MemoryStore(clock=self.clock)
        self.copy = self.store

    def a_desk(self, *closes: float) -> World:
        self.lives += 1
        return a_world(
            *closes,
            wishes=[wish(2), wish(30)],
            store=self.store,
            book=self.book,
            journal=MemoryJournal(),
            latch_file=MemoryLatch(),
            clock=self.clock,
            first_id=self.lives * 1_000,
            cash=self.cash,
            **self.more,
        )

    def backup(self) -> None:
        self.copy = copy(self.store)
        for name, kept in vars(self.copy).items():
            if isinstance(kept, dict):
                setattr(self.copy, name, dict(kept))

    def put_back(self) -> None:
        self.store = self.copy


@pytest.fixture(params=[False, True], ids=["perpetuals", "spot"])
def account(request: pytest.FixtureRequest) -> Account:
    return Account(cash=request.param)


async def bought(account: Account) -> World:
    """A long of a signal that history does not know, left by a desk that died."""
    async with account.a_desk().running() as world:
        account.backup()
        await world.minutes(2)
        assert world.trader.protection.confirmed(BTC)
    account.put_back()
    return world


def only(world: World, kind: type[Any]) -> Any:
    (told,) = world.heard(kind)
    return told


def as_told(event: Event) -> Reply:
    words = describe(event)
    assert words is not None
    return words


async def stops(world: World) -> list[tuple[str, Decimal | None, Decimal]]:
    resting = [r.order for r in await world.venue.open_orders()]
    return [(o.id, o.stop_price, o.quantity) for o in resting if o and o.role is OrderRole.PROTECT]


async def test_what_was_bought_after_a_backup_is_adopted_with_the_stop_that_rests(
    account: Account,
) -> None:
    before = await bought(account)
    held, rests = before.trader.ledger.positions[BTC], await stops(before)

    async with account.a_desk().running() as world:
        await settled()

        position = world.trader.ledger.positions[BTC]
        assert (position.quantity, position.average_price) == (held.quantity, held.average_price)
        assert world.trader.ledger.plans[BTC].stop == D(95)
        assert await stops(world) == rests, "the very same, neither moved nor doubled"
        assert world.trader.protection.confirmed(BTC)
        told = only(world, OrdersFound)
        assert (told.held, told.stop, told.stop_made) == (held.quantity, D(95), False)
        assert as_told(told).level is Level.CRITICAL
        assert world.heard(BooksDiffered) == []
        assert world.trader.block == ""
        (halt,) = world.desk.latch.covering("majors")
        assert "history is older than the account" in halt.why
        assert abs(world.trader.ledger.at_venue(cash=account.cash) - await world.venue.wallet()) < 1

        flattening = await world.desk.flatten(EVERYONE, by=BY, why="")
        await world.minutes(1)

        assert flattening.halt.id
        assert await world.venue.positions() == {}
        assert await stops(world) == []


async def test_books_stay_as_they_were_adopted_after_another_restart(account: Account) -> None:
    before = await bought(account)
    held = before.trader.ledger.positions[BTC].quantity
    async with account.a_desk().running():
        await settled()

    async with account.a_desk().running() as world:
        assert world.trader.ledger.positions[BTC].quantity == held
        assert world.heard(OrdersFound) == []
        assert world.trader.protection.confirmed(BTC)


@pytest.mark.parametrize("share", ["0.5", "1"])
async def test_what_was_sold_after_a_backup_is_sold(account: Account, share: str) -> None:
    """Bought and sold, or only sold: entries less exits, as the fills prove."""
    async with account.a_desk().running() as world:
        account.backup()
        await world.minutes(2)
        await world.manual.close(BTC, share=D(share), by=BY)
        await settled()
        left = {s: p.quantity for s, p in world.trader.ledger.positions.items()}
        rests = await stops(world)
    account.put_back()

    async with account.a_desk().running() as world:
        await settled()

        assert {s: p.quantity for s, p in world.trader.ledger.positions.items()} == left
        assert await stops(world) == rests
        assert world.trader.block == ""
        assert only(world, OrdersFound).held == sum(left.values())
        ended = [e.trade.reason for e in world.said if isinstance(e, PositionClosed)]
        assert set(ended) <= {ExitReason.HAND}, "a paper book keeps why"


async def test_a_stop_that_was_moved_after_a_backup_stays_where_it_rests(account: Account) -> None:
    async with account.a_desk().running() as world:
        await world.minutes(2)
        account.backup()
        await world.trader.exits.move_stop(BTC, D(97), by=BY)
        await settled()
        rests = await stops(world)
        assert rests[0][1] == D(97)
    account.put_back()

    async with account.a_desk().running() as world:
        await settled()

        assert world.trader.ledger.plans[BTC].stop == D(97)
        assert await stops(world) == rests


async def test_without_a_stop_one_as_for_an_entry_by_hand_is_set_and_told(account: Account) -> None:
    account.more = {"exit_rules": ExitRules(trail_r=ONE, time_limit=timedelta(hours=1))}
    before = await bought(account)
    (stop,) = before.trader.ledger.alive_of(OrderRole.PROTECT)
    await before.venue._venue.cancel(stop)

    async with account.a_desk().running() as world:
        await settled()

        told = only(world, OrdersFound)
        assert (told.stop, told.stop_made) == (D(98), True)
        assert [price for _, price, _ in await stops(world)] == [D(98)]
        assert told.lost == ("trailing stop", "time limit")
        words = as_told(told)
        assert words.level is Level.CRITICAL
        assert "No stop rested: one is set at 98" in words.text
        assert "Lost, and not watched any more: trailing stop and time limit" in words.text


async def test_an_entry_that_rests_and_history_lacks_goes_with_the_halt(account: Account) -> None:
    async with account.a_desk().running() as world:
        account.backup()
        await world.rest_an_entry("90")
    account.put_back()

    async with account.a_desk().running() as world:
        await settled()
        await world.minutes(1)

        assert world.desk.latch.covering("majors")
        assert await world.venue.open_orders() == []


async def unproven(account: Account) -> tuple[World, str]:
    """The venue holds something behind our stop, and does not list the entry any more."""
    before = await bought(account)
    entry = next(o.id for o in before.trader.ledger.orders.values() if o.role is OrderRole.ENTRY)
    return before, entry


async def test_a_stop_over_what_nothing_proves_is_left_alone_named_and_never_called_flat(
    account: Account,
) -> None:
    before, entry = await unproven(account)
    rests, theirs = await stops(before), await before.venue.positions()
    world = account.a_desk()
    world.venue.faults.unlisted = {entry}
    async with world.running():
        await settled()
        told = only(world, OrdersUnproven)
        words = as_told(told)
        assert words.level is Level.CRITICAL
        assert "our stop" in told.what
        assert "no fill proves" in told.what
        assert "/accept_books" in words.text
        assert world.trader.ledger.positions == {}
        assert "no fill proves" in world.trader.block
        chat = Chat(world, ANNA)

        answer = await chat.yes(await chat.say("/flatten"))
        await world.minutes(1)

        assert "Flat" not in answer.title
        (halt,) = world.desk.latch.covering("majors")
        stages = [r.stage for r in halt.stages_of("majors")]
        assert Stage.FLAT_BLOCKED in stages
        assert Stage.FLAT not in stages
        assert await stops(world) == rests, "left alone"
        assert await world.venue.positions() == theirs


async def test_an_owner_accepts_what_is_not_proven_and_it_stays_so(account: Account) -> None:
    before, entry = await unproven(account)
    rests = await stops(before)
    world = account.a_desk()
    world.venue.faults.unlisted = {entry}
    async with world.running():
        await settled()
        chat = Chat(world, ANNA)
        asked = await chat.say("/accept_books")
        assert "no fill proves" in asked.text
        done = await chat.yes(asked)
        assert done.outcome is Outcome.DONE
        assert "left to you" in done.text
        assert world.trader.block == ""
        with pytest.raises(Refused, match="nothing to accept"):
            await world.desk.acceptance("majors").gap()
    again = account.a_desk()
    again.venue.faults.unlisted = {entry}
    async with again.running():
        await settled()
        assert again.trader.block == ""
        assert again.heard(OrdersUnproven) == []
        assert await stops(again) == rests
        await again.desk.flatten(EVERYONE, by=BY, why="")
        await again.minutes(1)
        (halt,) = again.desk.latch.covering("majors")
        assert halt.is_flat("majors")
        assert await stops(again) == rests


async def test_a_stop_that_was_left_behind_by_a_position_that_is_gone_is_cancelled() -> None:
    account = Account()
    before, entry = await unproven(account)
    (position,) = before.trader.ledger.positions.values()
    await by_hand(before, an_exit(id="theirs", quantity=position.quantity))
    world = account.a_desk()
    world.venue.faults.unlisted = {entry}
    async with world.running():
        await settled()

        assert await stops(world) == []
        assert world.heard(Unprotected) == []
        assert world.trader.block == ""


async def test_a_short_is_adopted_like_a_long() -> None:
    account = Account()
    async with account.a_desk().running() as world:
        account.backup()
        world.strategy.wishes[:] = [wish(2, side=Side.SELL, stop=105.0)]
        await world.minutes(2)
        quantity = world.trader.ledger.positions[BTC].quantity
        assert quantity < 0
    account.put_back()

    async with account.a_desk().running() as world:
        await settled()

        assert world.trader.ledger.positions[BTC].quantity == quantity
        assert world.trader.ledger.plans[BTC].stop == D(105)
        assert all(o.status is OrderStatus.OPEN for o in world.trader.ledger.alive.values())
