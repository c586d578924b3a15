"""What a trader does as bars close: decide, enter, protect, exit, guard, and tell."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import TypeVar

from storage.memory import MemoryJournal, MemoryStore
from tests.builders import BTC, ETH, NOON
from tests.fakes import LivePrices
from tests.world import World, a_world, at_minute, wish
from trading.clocks import ManualClock
from trading.events import (
    CooldownBegan,
    CycleFailed,
    DrawdownReached,
    FeedEnded,
    FeedLost,
    PositionClosed,
    PositionOpened,
    PositionReduced,
    StopMoved,
    TraderStarted,
)
from trading.model.exit_rules import ExitRules, PartialRule
from trading.ports import FeedState
from trading.risk.limits import Limits
from trading.types import ExitReason, Mode, OrderRole, OrderType, Side, Trade

T = TypeVar("T")


def closed_trades(world: World) -> list[Trade]:
    return [e.trade for e in world.heard(PositionClosed) if isinstance(e, PositionClosed)]


async def test_a_signal_becomes_a_protected_position_sized_by_its_risk() -> None:
    async with a_world(wishes=[wish(2, stop=95.0, target=110.0)]).running() as world:
        await world.minutes(2)

        position = world.trader.ledger.positions[BTC]
        assert position.quantity == Decimal(6)  # 0.3 % of 10,000 over a distance of 5
        resting = [report.order for report in await world.venue.open_orders()]
        assert [(o.type, o.stop_price, o.quantity) for o in resting if o is not None] == [
            (OrderType.STOP, Decimal(95), Decimal(6)),
            (OrderType.TARGET, Decimal(110), Decimal(6)),
        ]
        (opened,) = world.heard(PositionOpened)
        assert isinstance(opened, PositionOpened)
        assert (opened.risk, opened.confidence) == (Decimal(30), 62)


async def test_every_answer_to_a_signal_is_recorded_with_its_reason() -> None:
    limits = Limits(max_positions=1, max_position=Decimal("0.5"))
    async with a_world(
        wishes=[wish(2), wish(2, symbol=ETH)], limits=limits, symbols=(BTC, ETH)
    ).running() as world:
        await world.minutes(2)

        (yes,) = await world.store.decisions("majors", BTC, limit=9)
        (no,) = await world.store.decisions("majors", ETH, limit=9)
        assert yes.approved
        assert yes.order_id
        assert (no.approved, no.reason) == (False, "1 of 1 positions open")


async def test_the_stop_closes_at_the_venue_and_is_booked_and_told() -> None:
    async with a_world(100, 100, 100, 97, 94, wishes=[wish(2)]).running() as world:
        await world.minutes(4)

        (trade,) = closed_trades(world)
        assert (trade.reason, trade.exit_price, trade.profit) == (
            ExitReason.STOP, Decimal(95), Decimal(-30),
        )  # fmt: skip
        assert not await world.venue.open_orders()
        assert (await world.store.trades("majors", limit=9))[0] == trade


async def test_the_target_is_sold_at_its_price_when_it_is_touched() -> None:
    async with a_world(100, 100, 100, 105, 111, wishes=[wish(2, target=110.0)]).running() as world:
        await world.minutes(4)

        (trade,) = closed_trades(world)
        assert (trade.reason, trade.profit) == (ExitReason.TARGET, Decimal(60))
        assert not await world.venue.open_orders()


async def test_a_position_is_closed_when_its_time_is_up() -> None:
    rules = ExitRules(time_limit=timedelta(minutes=3))
    async with a_world(wishes=[wish(2)], exit_rules=rules).running() as world:
        await world.minutes(4)
        assert not closed_trades(world)
        await world.minutes(1)

        assert closed_trades(world)[0].reason is ExitReason.TIME


async def test_partial_exits_add_up_to_the_original_size_and_move_the_stop_to_the_entry() -> None:
    rules = ExitRules(
        partials=(
            PartialRule(share=Decimal("0.25"), at_share=Decimal("0.01")),
            PartialRule(share=Decimal("0.25"), at_share=Decimal("0.02")),
            PartialRule(share=Decimal("0.5"), at_share=Decimal("0.03")),
        ),
        break_even=True,
    )
    async with a_world(
        100, 100, 100, 101, 102, 103, wishes=[wish(2)], exit_rules=rules
    ).running() as world:
        await world.minutes(3)
        (stop,) = await world.venue.open_orders()
        assert stop.order is not None
        assert (stop.order.stop_price, stop.order.quantity) == (Decimal(100), Decimal("4.5"))
        await world.minutes(2)

        sold = [e.quantity for e in world.heard(PositionReduced) if isinstance(e, PositionReduced)]
        assert sold == [Decimal("1.5"), Decimal("1.5")]
        (trade,) = closed_trades(world)
        assert trade.quantity == Decimal(6)
        assert world.heard(StopMoved)


async def test_a_trailing_stop_follows_and_never_loosens() -> None:
    rules = ExitRules(trail_r=Decimal(1))
    async with a_world(
        100, 100, 100, 103, 106, 104, 100.5, wishes=[wish(2)], exit_rules=rules
    ).running() as world:
        await world.minutes(5)
        assert world.trader.ledger.plans[BTC].stop == Decimal(101)
        await world.minutes(1)

        (trade,) = closed_trades(world)
        assert (trade.reason, trade.exit_price) == (ExitReason.TRAIL, Decimal(101))


async def test_the_opposite_signal_closes() -> None:
    async with a_world(wishes=[wish(2), wish(4, side=Side.SELL, stop=105.0)]).running() as world:
        await world.minutes(4)

        assert closed_trades(world)[0].reason is ExitReason.SIGNAL
        assert BTC not in world.trader.ledger.positions  # it rests after its exit


async def test_a_large_entry_fills_in_parts_and_its_stop_grows_with_it() -> None:
    async with a_world(wishes=[wish(2)], volume=20).running() as world:
        await world.minutes(2)
        assert world.trader.ledger.positions[BTC].quantity == Decimal(2)
        assert world.view().holdings[0].stop_on_venue
        await world.minutes(2)

        assert world.trader.ledger.positions[BTC].quantity == Decimal(6)
        stops = world.trader.ledger.alive_of(OrderRole.PROTECT)
        assert [s.quantity for s in stops] == [Decimal(6)]
        assert len(world.heard(PositionOpened)) == 1


async def test_a_dry_run_decides_records_and_sends_nothing() -> None:
    async with a_world(wishes=[wish(2)], mode=Mode.DRY_RUN).running() as world:
        await world.minutes(3)

        assert world.venue.placed == []
        (decision,) = await world.store.decisions("majors", BTC, limit=9)
        assert decision.reason.endswith("dry run, nothing sent")


async def test_three_losses_in_a_row_begin_a_rest_that_is_told_once_and_outlives_a_restart() -> (
    None
):
    closes = (100, 100, 100, 94, 100, 100, 94, 100, 100, 94, 100, 100) + (100,) * 60
    limits = Limits(max_position=Decimal("0.5"), symbol_rest=timedelta(0))
    wishes = [wish(2), wish(5), wish(8), wish(10)]
    book = MemoryJournal()
    async with a_world(*closes, wishes=wishes, limits=limits, book=book).running() as world:
        await world.minutes(11)

        assert len(closed_trades(world)) == 3
        assert len(world.heard(CooldownBegan)) == 1
        newest = (await world.store.decisions("majors", BTC, limit=1))[0]
        assert newest.reason == "rests until 13:09 after 3 losses in a row"
        assert world.view().rest
        told = world.view().rest

    later = a_world(*closes, limits=limits, store=world.store, clock=world.clock, book=book)
    async with later.running():
        assert later.view().rest == told
        assert later.heard(CooldownBegan) == []
        await later.minutes(58)
        assert later.view().rest == ""
        assert later.view().losses_in_row == 0


async def test_a_drawdown_is_told_once_per_fall() -> None:
    falling = (100, 100, 100, 98, 98, 98, 98, 98, 98, 98)
    wishes = [wish(2, stop=90.0)]
    limits = Limits(max_position=Decimal("0.5"), risk_per_trade=Decimal("0.04"))
    async with a_world(*falling, wishes=wishes, limits=limits).running() as world:
        await world.minutes(9)

        (told,) = world.heard(DrawdownReached)
        assert isinstance(told, DrawdownReached)
        assert told.drawdown == Decimal("0.008")


async def test_several_closed_bars_are_handled_in_one_cycle_in_order() -> None:
    async with a_world(wishes=[wish(3)]).running() as world:
        world.clock.advance(300)
        await world.trader.cycle()

        assert [at // 60_000 for at in world.strategy.shown[-5:]] == [
            int(at_minute(n).timestamp()) // 60 for n in range(1, 6)
        ]
        assert world.trader.ledger.account.cursor == at_minute(5)


async def test_no_entry_on_a_signal_that_is_too_old() -> None:
    clock = ManualClock(NOON)
    prices = LivePrices(clock)
    late = Late(clock)
    async with a_world(clock=clock, feed=prices, wishes=[wish(2)], offload=late).running() as world:
        await world.minutes(1)
        late.seconds = 8 * 60
        await world.minutes(1)

        assert world.venue.placed == []
        (decision,) = await world.store.decisions("majors", BTC, limit=9)
        assert decision.reason == "price is 8 min old"


class Late:
    """What is thought beside the loop takes so many seconds."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self.seconds = 0

    async def __call__(self, work: Callable[[], T], /) -> T:
        self._clock.advance(self.seconds)
        return work()


async def test_a_recording_waits_for_who_is_late_and_nothing_in_it_is_old() -> None:
    """Bars that closed while the desk was busy are handled one by one, each at its own time."""
    closes = (100,) * 4 + (200,) * 30
    async with a_world(*closes, wishes=[wish(2)]).running() as world:
        world.clock.advance(600)
        await world.trader.cycle()
        fill = (await world.store.fills("majors"))[0]
        assert (fill.at, fill.price) == (at_minute(2), Decimal(100))
        assert world.feed.now() == at_minute(10)


async def test_the_cursor_is_saved_and_no_bar_is_handled_twice_after_a_restart() -> None:
    store, book = MemoryStore(clock=ManualClock(NOON)), MemoryJournal()
    async with a_world(wishes=[wish(2)], store=store, book=book).running() as world:
        await world.minutes(3)

    again = a_world(wishes=[wish(2)], store=store, book=book)
    async with again.running():
        await again.minutes(1)
        assert [at for at in again.strategy.shown if at <= at_minute(3).timestamp() * 1000] == []
        assert again.trader.ledger.positions[BTC].quantity == Decimal(6)
        (started,) = again.heard(TraderStarted)
        assert isinstance(started, TraderStarted)
        assert (started.positions, started.orders) == (1, 1)


async def test_the_end_of_a_replay_is_an_end_and_not_a_fault() -> None:
    async with a_world(100, 100, 100, wishes=[]).running() as world:
        await world.minutes(6)

        assert len(world.heard(FeedEnded)) == 1
        assert not world.heard(FeedLost)
        assert world.view().feed is FeedState.ENDED


async def test_a_cycle_that_breaks_is_told_and_the_next_one_works() -> None:
    async with a_world(wishes=[wish(3)]).running() as world:
        world.strategy.wishes.append(wish(2, symbol=ETH))  # a symbol the market does not have
        await world.minutes(1)
        await world.minutes(1)
        assert len(world.heard(CycleFailed)) >= 1
        world.strategy.wishes.pop()
        await world.minutes(1)

        assert BTC in world.trader.ledger.positions


async def test_a_view_is_true_at_one_instant() -> None:
    async with a_world(100, 100, 100, 103, wishes=[wish(2)]).running() as world:
        await world.minutes(3)
        view = world.view()

        (holding,) = view.holdings
        assert (view.equity, view.open_profit, view.today) == (
            Decimal(10_018), Decimal(18), Decimal(18),
        )  # fmt: skip
        assert (holding.profit, holding.at_stop) == (Decimal(18), Decimal(-30))
        assert view.exposure == Decimal(618)
        assert (view.ready, view.unsaved, view.venue_silent) == (True, 0, None)


async def test_the_rest_of_an_entry_is_cancelled_when_its_position_is_left() -> None:
    closes = (100, 100, 100, 94, 94, 100, 100)
    async with a_world(*closes, wishes=[wish(2)], volume=20).running() as world:
        await world.minutes(5)

        assert closed_trades(world)
        assert not world.trader.ledger.positions
        assert not world.trader.ledger.alive_of(OrderRole.ENTRY)
        assert not await world.venue.open_orders()
