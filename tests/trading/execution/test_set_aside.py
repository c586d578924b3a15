"""A symbol that is held and not traded any more: that symbol's trouble, and nobody else's."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from tests.builders import BTC, ETH
from tests.trading.execution.test_reconcile import Files
from tests.world import World, settled, wish
from trading.errors import Refused
from trading.events import (
    BooksDiffered,
    CountedAgain,
    DrawdownReached,
    HaltAdvanced,
    PositionClosed,
    SetAside,
    Unprotected,
)
from trading.model.halt import Stage, Verb
from trading.risk.limits import Limits
from trading.types import (
    FINEST,
    ONE,
    ZERO,
    AccountState,
    ExitReason,
    Held,
    OrderRole,
    OrderStatus,
    Side,
    Untraded,
)

D = Decimal
GONE = Untraded(why="ETH/USDT is not traded on binance: it is not listed there", shown=FINEST)
BY = "anna, Telegram"
BOTH = pytest.mark.parametrize("cash", [True, False], ids=["cash", "contracts"])
LIMITS = Limits(max_position=D("0.5"), max_exposure=D(1), max_drawdown=D("0.0004"))


WIDE = Limits(max_position=D("0.5"), max_exposure=D(1))


def a_desk(*closes: float, files: Files | None = None, **changes: Any) -> World:
    """It buys BTC and ETH at 100 in the second minute."""
    wishes = [wish(2, symbol=symbol, stop=50.0) for symbol in (BTC, ETH)]
    changes = {"wishes": wishes, "symbols": (BTC, ETH), "limits": LIMITS, **changes}
    return (files or Files()).a_desk(*(closes or (100.0,) * 30), **changes)


async def holding(world: World) -> World:
    await world.minutes(3)
    assert set(world.trader.ledger.positions) == {BTC, ETH}
    return world


async def delisted(world: World) -> World:
    await holding(world)
    world.venue.untraded[ETH] = GONE
    await world.trader.upkeep()
    await settled()
    return world


def measured(world: World) -> tuple[Decimal, Decimal, Decimal]:
    """Equity over what day, week and drawdown are measured from."""
    account, equity = world.trader.ledger.account, world.trader.valuer.equity()
    assert equity is not None
    return equity - account.day_start, equity - account.week_start, equity - account.peak


def baselines(account: AccountState) -> tuple[Decimal, Decimal, Decimal]:
    return account.day_start, account.week_start, account.peak


def told(world: World) -> list[SetAside]:
    return [event for event in world.said if isinstance(event, SetAside)]


@BOTH
@given(price=some.decimals(D(60), D(140), places=2))
async def test_nothing_is_lost_or_gained_by_setting_it_aside(cash: bool, price: Decimal) -> None:
    async with a_desk(
        *[100.0] * 3, *[float(price)] * 20, cash=cash, limits=WIDE
    ).running() as world:
        await holding(world)
        await world.minutes(1)
        before, held = measured(world), world.trader.ledger.positions[ETH].quantity

        world.venue.untraded[ETH] = GONE
        await world.trader.upkeep()

        assert measured(world) == before, "no guard sees it go"
        (told_once,) = told(world)
        expected = held * price if cash else max(ZERO, held * (price - 100))
        assert told_once.moved == -expected, "at what it was measured last"
        assert (told_once.quantity, told_once.cost) == (held, held * 100)
        await world.minutes(3)
        await world.trader.upkeep()
        assert measured(world)[:2] == before[:2], "the peak may follow what BTC has gained"
        assert len(told(world)) == 1


@BOTH
async def test_guards_see_what_the_rest_loses(cash: bool) -> None:
    """Neither fired by the change nor blinded by it: BTC alone brings the halt."""
    closes = [*[100.0] * 5, 99.0, 98.0, 90.0, 90.0, 90.0, 90.0, 90.0]
    async with a_desk(*closes, cash=cash).running() as world:
        await delisted(world)
        assert world.desk.latch.strictest("majors") is None
        await world.minutes(9)
        halt = world.desk.latch.strictest("majors")
        assert halt is not None
        assert halt.guard == "drawdown"


async def test_it_counts_at_nothing_for_whoever_sizes_the_next_entry() -> None:
    async with a_desk(cash=True).running() as world:
        await delisted(world)
        view = world.view()
        held = view.holdings[1].position.quantity
        assert view.equity == D(10_000) - held * 100
        assert view.exposures.get(ETH, ZERO) == ZERO, "what is worth nothing is no money at work"
        assert view.apart_profit == -held * 100
        assert view.open_profit == ZERO
        assert view.wallet + view.open_profit + view.apart_profit == view.equity
        with pytest.raises(Refused, match="is not traded on binance"):
            await world.manual.preview(ETH, Side.BUY, D(100))


async def test_what_it_lost_until_it_is_traded_again_is_a_loss() -> None:
    closes = [*[100.0] * 4, *[80.0] * 30]
    async with a_desk(*closes, cash=True, limits=WIDE).running() as world:
        await delisted(world)
        before = baselines(world.trader.ledger.account)
        held = {s: p.quantity for s, p in world.trader.ledger.positions.items()}
        await world.minutes(3)

        del world.venue.untraded[ETH]
        await world.trader.upkeep()
        await settled()

        assert baselines(world.trader.ledger.account) == tuple(
            each + held[ETH] * 100 for each in before
        )
        assert world.trader.valuer.equity() == D(10_000) - (held[BTC] + held[ETH]) * 20
        assert world.heard(CountedAgain)
        assert world.trader.protection.confirmed(ETH), "its stop rests again"


@BOTH
async def test_a_restart_neither_shifts_twice_nor_forgets(cash: bool) -> None:
    files = Files()
    async with a_desk(files=files, cash=cash).running() as world:
        await delisted(world)
        before, account = measured(world), world.trader.ledger.account
    for first_id in (100, 200):
        again = a_desk(files=files, cash=cash, wishes=(), first_id=first_id)
        again.venue.untraded[ETH] = GONE
        async with again.running():
            await again.minutes(2)
            assert measured(again) == before
            assert baselines(again.trader.ledger.account) == baselines(account)
            assert told(again) == []
            assert again.trader.block == ""


@BOTH
async def test_gone_while_the_desk_was_down_it_is_taken_out_at_what_it_was_measured_last(
    cash: bool,
) -> None:
    """No price of it can be had any more: the prices behind the last measure are kept."""
    files, closes = Files(), [*[100.0] * 3, *[130.0] * 30]
    async with a_desk(*closes, files=files, cash=cash).running() as world:
        await holding(world)
        await world.minutes(4)
        held = world.trader.ledger.positions[ETH].quantity
        before = measured(world)
        assert world.trader.ledger.account.peak > 10_000
    again = a_desk(*closes, files=files, cash=cash, wishes=(), symbols=(BTC,), first_id=100)
    again.venue.untraded[ETH] = GONE
    async with again.running():
        assert again.trader.valuer.quote(ETH) is None
        (event,) = told(again)
        assert event.moved == -held * (130 if cash else 30)
        assert measured(again) == before
        await again.minutes(3)
        assert again.heard(DrawdownReached) == []
        assert again.desk.latch.strictest("majors") is None


@BOTH
async def test_one_that_the_settings_name_no_more_is_held_priced_and_protected(
    cash: bool,
) -> None:
    files = Files()
    async with a_desk(files=files, cash=cash).running() as world:
        await holding(world)
    again = a_desk(files=files, cash=cash, wishes=(), symbols=(BTC,), first_id=100)
    async with again.running():
        view = again.view()
        assert [h.position.symbol for h in view.holdings] == [BTC, ETH]
        assert told(again)[0].symbol == ETH, "a market that has no such symbol trades it not"
        assert again.view().equity is not None


async def test_nothing_is_cancelled_for_a_sale_that_nobody_takes() -> None:
    async with a_desk(cash=True).running() as world:
        await delisted(world)
        with pytest.raises(Refused, match="it is not listed there"):
            await world.manual.close(ETH, share=ONE, by=BY)
        stops = world.trader.ledger.alive_of(OrderRole.PROTECT, ETH)
        assert [stop.status for stop in stops] == [OrderStatus.OPEN]
        assert world.venue.cancelled == []
        assert world.heard(Unprotected) == [], "one alarm is enough"


@BOTH
async def test_a_flatten_ends_blocked_and_names_it_until_it_is_written_off(
    cash: bool,
) -> None:
    async with a_desk(cash=cash).running() as world:
        await delisted(world)
        halt = world.halter.engage(scope="majors", verb=Verb.FLATTEN, by=BY, why="/flatten")
        await settled(200)
        stages = [(e.reached.stage, e.reached.note) for e in advanced(world)]
        assert (Stage.FLAT_BLOCKED, GONE.why) in stages
        assert list(world.trader.ledger.positions) == [ETH], "the others are closed"
        assert "/write_off ETH" in world.trader.resume_refusal(halt)
        asked = world.trader.enforcer.tries
        await settled(200)
        assert world.trader.enforcer.tries == asked, "and nobody is asked in vain for ever"

        await world.trader.aside.write_off(ETH, by=BY)
        await settled(200)

        assert advanced(world)[-1].reached.stage is Stage.FLAT
        now = world.desk.latch.get(halt.id)
        assert now is not None
        assert world.trader.resume_refusal(now) == ""


def advanced(world: World) -> list[HaltAdvanced]:
    return [event for event in world.said if isinstance(event, HaltAdvanced)]


@BOTH
async def test_written_off_it_leaves_the_books_equity_and_measures_as_they_were(
    cash: bool,
) -> None:
    files = Files()
    closes = [*[100.0] * 3, *[110.0] * 30]
    async with a_desk(*closes, files=files, cash=cash).running() as world:
        await delisted(world)
        await world.minutes(1)
        before, account = measured(world), world.trader.ledger.account
        position = world.trader.ledger.positions[ETH]
        counted = D(0) if cash else D(100)

        trade = await world.trader.aside.write_off(ETH, by=BY)

        assert trade.profit == position.ends_at(counted)
        assert (trade.reason, trade.by) == (ExitReason.WRITTEN_OFF, BY)
        assert measured(world) == before
        assert baselines(world.trader.ledger.account) == baselines(account)
        assert ETH not in world.trader.ledger.positions
        assert not world.trader.ledger.alive_of(OrderRole.PROTECT, ETH), "nothing rests for it"
        assert len(world.heard(PositionClosed)) == 1
        await world.trader.reconcile()
        assert (world.trader.block, world.heard(BooksDiffered)) == ("", [])
    again = a_desk(*closes, files=files, cash=cash, wishes=(), first_id=100)
    async with again.running():
        assert measured(again) == before
        assert list(again.trader.ledger.positions) == [BTC]
        assert again.trader.block == ""


async def test_only_what_is_set_aside_can_be_written_off() -> None:
    async with a_desk(cash=True).running() as world:
        await holding(world)
        with pytest.raises(Refused):
            await world.trader.aside.write_off(BTC, by=BY)
        assert set(world.trader.ledger.positions) == {BTC, ETH}


async def test_coins_that_were_swapped_for_others_are_booked_out_without_money() -> None:
    """A migration: the old ones are gone, and what came for them is not in our books."""
    async with a_desk(cash=True).running() as world:
        await delisted(world)
        before, held = measured(world), world.trader.ledger.positions[ETH]
        world.venue.strange[ETH] = Held(long=-held.quantity)
        await world.trader.reconcile()
        await settled()
        assert ETH not in world.trader.ledger.positions
        (trade,) = (e.trade for e in world.said if isinstance(e, PositionClosed))
        assert (trade.reason, trade.exit_price) == (ExitReason.EXTERNAL, ZERO)
        await world.trader.upkeep()
        assert measured(world) == before
        assert world.trader.block == ""


async def test_what_was_paid_for_it_after_all_is_measured_like_any_exit() -> None:
    """Settled at 90, measured last at 100: that is a loss of the day."""
    async with a_desk(cash=True).running() as world:
        await holding(world)
        held = world.trader.ledger.positions[ETH].quantity
        before = measured(world)
        world.venue.untraded[ETH] = GONE
        await world.trader.upkeep()
        world.venue.strange[ETH] = Held(long=-held)
        world.venue.untold = held * 90
        await world.trader.reconcile()
        await settled()
        await world.trader.upkeep()
        assert ETH not in world.trader.ledger.positions
        assert measured(world) == tuple(each - held * 10 for each in before)
        assert world.trader.block == ""


@BOTH
@pytest.mark.parametrize("share", [D("0.25"), D("0.5"), ONE])
async def test_what_is_sold_of_it_moves_no_guard_between_two_looks(
    cash: bool, share: Decimal
) -> None:
    """Its market is back before anybody has looked: its price is no gain, and no new peak."""
    closes = [*[100.0] * 3, *[130.0] * 30]
    async with a_desk(*closes, cash=cash, limits=WIDE).running() as world:
        await holding(world)
        await world.minutes(4)
        before, peak = measured(world), world.trader.ledger.account.peak
        world.venue.untraded[ETH] = GONE
        await world.trader.upkeep()
        assert measured(world) == before

        del world.venue.untraded[ETH]
        await world.manual.close(ETH, share=share, by=BY)

        assert measured(world) == before
        await world.minutes(4)
        assert measured(world) == before
        await world.trader.upkeep()
        await settled()
        assert measured(world) == before
        assert world.trader.ledger.account.peak == peak
        assert world.heard(DrawdownReached) == []


@BOTH
async def test_a_sale_of_half_of_it_outlives_a_restart(cash: bool) -> None:
    files = Files()
    closes = [*[100.0] * 3, *[130.0] * 30]
    async with a_desk(*closes, files=files, cash=cash, limits=WIDE).running() as world:
        await holding(world)
        await world.minutes(4)
        before = measured(world)
        world.venue.untraded[ETH] = GONE
        await world.trader.upkeep()
        del world.venue.untraded[ETH]
        await world.manual.close(ETH, share=D("0.5"), by=BY)
        await settled()
    again = a_desk(*closes, files=files, cash=cash, limits=WIDE, wishes=(), first_id=100)
    again.venue.untraded[ETH] = GONE
    async with again.running():
        assert measured(again) == before
        del again.venue.untraded[ETH]
        await again.trader.upkeep()
        await settled()
        assert measured(again) == before
