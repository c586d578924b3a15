"""Money at the venue: ours, what lies beside it, and what came or went without a fill."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from tests.builders import BTC, ETH, a_fill, an_exit
from tests.trading.execution.test_reconcile import Files, by_hand
from tests.world import World, settled, wish
from trading.events import (
    BooksDiffered,
    EntriesBlocked,
    FundingBooked,
    LiquidationBooked,
    PositionClosed,
    TransferSeen,
)
from trading.execution.reconcile import ELSEWHERE
from trading.types import (
    ExitReason,
    Held,
    Movement,
    MovementKind,
    OrderReport,
    OrderRole,
    OrderStatus,
    Side,
    Symbol,
)

D = Decimal


def a_move(
    world: World,
    amount: str,
    kind: MovementKind = MovementKind.FUNDING,
    *,
    symbol: Symbol | None = BTC,
    id: str = "m-1",  # noqa: A002  # as in `Movement`
) -> Movement:
    return Movement(id=id, kind=kind, amount=D(amount), at=world.clock.now(), symbol=symbol)


async def holding(world: World) -> None:
    await world.minutes(2)
    assert world.trader.ledger.positions[BTC].quantity > 0


async def looked(world: World) -> None:
    assert await world.trader.reconcile()
    await settled()


async def test_what_lies_there_at_the_first_start_is_not_ours_and_no_difference() -> None:
    files = Files()
    first = files.a_desk()
    first.venue.untold = D(25_000)
    async with first.running() as world:
        assert world.trader.block == ""
        assert world.trader.ledger.account.wallet == D(10_000)
        assert world.trader.ledger.account.offset == D(25_000)
        assert world.view().equity == D(10_000)
        await world.minutes(1)

    again = files.a_desk(first_id=100)
    again.venue.untold = D(24_000)
    async with again.running() as world:
        assert "wallet" in world.trader.block, "what was measured once is kept"


async def test_funding_on_what_we_hold_is_profit_or_loss_and_booked_once() -> None:
    files = Files()
    world = files.a_desk(wishes=[wish(2)])
    async with world.running():
        await holding(world)
        before = world.trader.ledger.account
        world.venue.moved.append(a_move(world, "-3.5"))
        await looked(world)
        await looked(world)

        account = world.trader.ledger.account
        assert account.wallet == before.wallet - D("3.5")
        assert account.peak == before.peak, "a loss is a loss"
        (told,) = (e for e in world.said if isinstance(e, FundingBooked))
        assert (told.symbol, told.amount) == (BTC, D("-3.5"))
        assert world.trader.block == ""
        await world.minutes(1)

    again = files.a_desk(first_id=100)
    again.venue.moved = world.venue.moved
    async with again.running():
        assert again.trader.block == ""
        assert again.heard(FundingBooked) == [], "a restart knows it"
        again.venue.moved = [*again.venue.moved, a_move(again, "-1", id="m-2")]
        await looked(again)
        assert len(again.heard(FundingBooked)) == 1


async def test_funding_of_what_we_do_not_hold_lies_beside_our_money() -> None:
    async with Files().a_desk().running() as world:
        world.venue.moved.append(a_move(world, "-3.5", symbol=ETH))
        await looked(world)
        assert world.trader.ledger.account.wallet == D(10_000)
        assert world.trader.ledger.account.offset == D("-3.5")
        assert world.trader.block == ""


async def test_a_fee_in_another_currency_is_a_cost_and_no_difference() -> None:
    """The venue's wallet in USDT does not show what was paid in BNB."""
    async with Files().a_desk(wishes=[wish(2)]).running() as world:
        order = world.trader.orders.prepare(
            symbol=BTC, side=Side.BUY, role=OrderRole.ENTRY, quantity=D(1)
        )
        report = await world.venue._venue.place(order, lambda: None)
        (fill,) = report.fills
        paid = replace(fill, fee=D("0.4"), fee_elsewhere=D("0.4"))
        world.trader.orders.outcomes.hear(replace(report, fills=(paid,)))
        await looked(world)
        assert world.trader.ledger.account.wallet == D("9999.6")
        assert await world.venue.wallet() == D(10_000)
        assert world.trader.block == ""


async def test_a_deposit_changes_nothing_but_what_lies_beside_our_money() -> None:
    async with Files().a_desk().running() as world:
        before = world.trader.ledger.account
        world.venue.moved.append(a_move(world, "500", MovementKind.TRANSFER, symbol=None))
        await looked(world)
        account = world.trader.ledger.account
        assert account.offset == D(500)
        kept = (account.wallet, account.peak, account.day_start, account.week_start)
        assert kept == (before.wallet, before.peak, before.day_start, before.week_start)
        (told,) = (e for e in world.said if isinstance(e, TransferSeen))
        assert (told.amount, told.quote) == (D(500), "USDT")
        assert world.trader.block == ""


@pytest.mark.parametrize("amount", ["5000", "-5000"])
async def test_a_deposit_hides_no_drawdown_and_a_withdrawal_makes_none(amount: str) -> None:
    closes = (100, 100, 100, 95, 95, 95)
    async with Files().a_desk(*closes, wishes=[wish(2, stop=50.0)]).running() as world:
        await world.minutes(4)
        before = world.view()
        assert before.drawdown is not None
        assert before.drawdown > 0

        world.venue.moved.append(a_move(world, amount, MovementKind.TRANSFER, symbol=None))
        await looked(world)
        await world.minutes(1)
        after = world.view()
        assert (after.drawdown, after.equity) == (before.drawdown, before.equity)
        assert (after.today, after.peak) == (before.today, before.peak)
        assert after.halts == ()


async def test_a_liquidation_fee_is_booked_as_a_loss() -> None:
    async with Files().a_desk(wishes=[wish(2)]).running() as world:
        await holding(world)
        before = world.trader.ledger.account.wallet
        world.venue.moved.append(a_move(world, "-40", MovementKind.LIQUIDATION))
        await looked(world)
        assert world.trader.ledger.account.wallet == before - 40
        (told,) = (e for e in world.said if isinstance(e, LiquidationBooked))
        assert told.amount == D(-40)


async def test_what_nothing_explains_blocks_until_the_venue_tells() -> None:
    """Its list of movements may lag behind its wallet."""
    async with Files().a_desk(wishes=[wish(2)]).running() as world:
        await holding(world)
        world.venue.untold = D("-3.5")
        await looked(world)
        assert "wallet" in world.trader.block
        assert len(world.heard(EntriesBlocked)) == 1

        late = a_move(world, "-3.5")
        world.clock.advance(120)
        world.venue.untold = D(0)
        world.venue.moved.append(late)
        await looked(world)
        assert world.trader.block == ""
        assert len(world.heard(FundingBooked)) == 1


async def test_a_position_on_the_other_side_is_foreign_and_ours_stays() -> None:
    async with Files().a_desk(wishes=[wish(2)]).running() as world:
        await holding(world)
        ours = world.trader.ledger.positions[BTC].quantity
        world.venue.strange[BTC] = Held(short=D(3))
        await looked(world)
        await looked(world)
        assert world.trader.ledger.positions[BTC].quantity == ours
        assert world.trader.block == "BTC: -3 at the venue is not ours"
        (told,) = (e for e in world.said if isinstance(e, BooksDiffered))
        assert (told.ours, told.venue) == (D(0), D(-3))

        world.venue.strange.clear()
        await looked(world)
        assert world.trader.block == ""


async def test_what_was_half_closed_by_hand_is_booked_at_the_price_that_the_wallet_tells() -> None:
    async with Files().a_desk(wishes=[wish(2)], commission="0.001").running() as world:
        await holding(world)
        half = world.trader.ledger.positions[BTC].quantity / 2
        await by_hand(world, an_exit(id="theirs", quantity=half))
        await looked(world)

        assert world.trader.ledger.positions[BTC].quantity == half
        assert world.trader.block == "", "its fee is part of its price"
        assert world.trader.ledger.account.wallet == await world.venue.wallet()
        (told,) = (e for e in world.said if isinstance(e, BooksDiffered))
        assert told.done == f"{half} booked as closed elsewhere: {ELSEWHERE}"
        (stop,) = world.trader.ledger.alive_of(OrderRole.PROTECT)
        assert stop.remaining == half


async def test_a_forced_close_is_booked_at_once_with_its_reason() -> None:
    async with Files().a_desk(wishes=[wish(2)]).running() as world:
        await holding(world)
        held = world.trader.ledger.positions[BTC].quantity
        await by_hand(world, an_exit(id="autoclose-1", quantity=held))
        fill = a_fill(id="f-9", order_id="autoclose-1", side=Side.SELL, quantity=held)
        world.trader.orders.outcomes.hear(
            OrderReport(
                order_id="autoclose-1", status=OrderStatus.FILLED, filled=held, fills=(fill,),
                note="liquidated by the venue",
            )
        )  # fmt: skip
        await world.trader.upkeep()
        await settled()

        assert world.trader.ledger.positions == {}
        (told,) = (e for e in world.said if isinstance(e, BooksDiffered))
        assert told.done.endswith("booked as closed elsewhere: liquidated by the venue")
        (closed,) = (e for e in world.said if isinstance(e, PositionClosed))
        assert closed.trade.reason is ExitReason.EXTERNAL
        assert world.trader.block == ""


async def test_after_each_interruption_the_books_are_compared() -> None:
    async with Files().a_desk().running() as world:
        world.venue.moved.append(a_move(world, "500", MovementKind.TRANSFER, symbol=None))
        await world.trader.upkeep()
        assert world.heard(TransferSeen) == []

        world.venue.interruptions += 1
        world.venue.faults.down = True
        await world.trader.upkeep()
        world.venue.faults.down = False
        await world.trader.upkeep()
        assert len(world.heard(TransferSeen)) == 1, "as soon as it answers"

        world.venue.moved.append(a_move(world, "1", MovementKind.TRANSFER, symbol=None, id="m-2"))
        await world.trader.upkeep()
        assert len(world.heard(TransferSeen)) == 1, "once for each"


async def test_a_movement_of_long_before_the_start_is_no_news() -> None:
    world = Files().a_desk()
    old = a_move(world, "500", MovementKind.TRANSFER, symbol=None)
    world.venue.moved.append(old)
    world.clock.advance(timedelta(hours=1).total_seconds())
    async with world.running():
        await looked(world)
        assert world.trader.ledger.account.offset == D(500)
        assert world.heard(TransferSeen) == []
