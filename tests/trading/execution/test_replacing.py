"""A stop that should be another: nothing is taken away that could not be put in its place."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.builders import BTC
from tests.trading.held import STOP, Told, holding
from tests.world import settled
from trading.errors import Refused
from trading.events import Protected, StopStays, Unprotected
from trading.execution.next_step import NO_ANSWER
from trading.model.halt import Stage
from trading.types import ONE, ZERO

D = Decimal
BY = "ben, Telegram"
HALF = D("0.5")
MARKET = "BTCUSDT"
MARKETS = pytest.mark.parametrize("market", ["spot", "swap", "hedge"])
TARGETS = pytest.mark.parametrize("target", [110.0, float("nan")], ids=["pair", "alone"])


def stops(told: Told) -> list[tuple[Decimal, Decimal]]:
    return [(price, quantity) for kind, price, quantity in told.resting if kind == STOP]


async def close(told: Told, share: Decimal) -> str:
    """Return why it was refused, if it was."""
    try:
        await told.living.manual.close(BTC, share=share, by=BY)
    except Refused as why:
        return str(why)
    return ""


def cover(told: Told) -> Any:
    return told.living.trader.protection.covers.of(BTC)


def assert_told_is_so(told: Told) -> None:
    """What the view says rests is what rests at the venue."""
    (held,) = told.living.view().holdings
    there = sum((quantity for _, quantity in stops(told)), ZERO)
    assert held.cover.quantity == there
    rules, wanted = told.outside.exchange.rules(BTC), held.plan.stop
    assert wanted is not None
    as_planned = held.cover.price is not None and abs(held.cover.price - wanted) < rules.tick
    assert held.stop_on_venue is (as_planned and abs(held.position.quantity) - there < rules.lot)
    assert (held.cover.bare_since is None) is (abs(held.position.quantity) - there < rules.lot)
    told_last = [e for e in told.living.said if isinstance(e, Unprotected | Protected | StopStays)]
    if not held.stop_on_venue and not held.cover.in_doubt:
        assert told_last
        assert not isinstance(told_last[-1], Protected)
        assert held.cover.why


REFUSED = pytest.mark.parametrize("fault", ["refuse", "unavailable", "lost", "drop", "hang"])


@MARKETS
@TARGETS
@REFUSED
async def test_what_a_close_leaves_is_told_as_it_rests(
    market: str, target: float, fault: str
) -> None:
    """The venue refuses each stop, or does not answer: no answer claims one."""
    async with holding(market, target=target) as told:
        told.outside.exchange.faults.place = ["", *[fault] * 12]

        await close(told, HALF)

        assert_told_is_so(told)
        told.outside.exchange.faults.clear()
        await told.upkeep()
        await told.upkeep()
        assert stops(told) == [(D(95), told.size)]
        assert_told_is_so(told)


@MARKETS
@TARGETS
async def test_a_stop_that_was_lost_is_told_as_missing_at_once(market: str, target: float) -> None:
    """Whether it rests nobody knows: until then nothing is known to."""
    async with holding(market, target=target) as told:
        told.outside.exchange.faults.place = ["", "lost"]

        await close(told, HALF)
        await settled()

        (bare,) = told.living.heard(Unprotected)
        assert isinstance(bare, Unprotected)
        assert (bare.quantity, bare.covered, bare.reason) == (told.size, ZERO, NO_ANSWER)
        assert bare.since == cover(told).bare_since
        await told.upkeep()
        await told.upkeep()
        assert len(told.living.heard(Unprotected)) == len(told.living.heard(Protected)) == 1
        assert stops(told) == [(D(95), told.size)]


@MARKETS
@TARGETS
async def test_a_stop_that_rests_though_its_answer_was_lost_is_no_alarm(
    market: str, target: float
) -> None:
    """The venue is asked first."""
    async with holding(market, target=target) as told:
        told.outside.exchange.faults.place = ["", "drop"]
        await close(told, HALF)
        await settled()
        assert told.living.heard(Unprotected) == []
        assert stops(told) == [(D(95), told.size)]


@pytest.mark.parametrize("change", [{"lot": D(100)}, {"least": D(100)}, {"notional": D(100_000)}])
@pytest.mark.parametrize("share", [HALF, ONE], ids=["half", "all"])
@TARGETS
async def test_on_spot_a_sale_that_new_rules_forbid_leaves_the_stop_where_it_is(
    change: dict[str, Any], share: Decimal, target: float
) -> None:
    """It is worth far too much to be booked out as dust."""
    async with holding("spot", target=target) as told:
        before, size = told.resting, told.size
        told.outside.exchange.engine.change_rules(MARKET, **change)

        why = await close(told, share)

        assert "its stop was not touched" in why
        await told.upkeep()
        assert (told.resting, told.size) == (before, size)
        assert_told_is_so(told)


@MARKETS
@TARGETS
@pytest.mark.parametrize("share", [HALF, ONE], ids=["half", "all"])
async def test_lots_that_grow_and_shrink_again_hold_up_no_close(
    market: str, target: float, share: Decimal
) -> None:
    """The rules that are known are read again where they leave nothing to sell."""
    async with holding(market, target=target) as told:
        engine, size, before = told.outside.exchange.engine, told.size, told.resting
        lot = told.outside.exchange.rules(BTC).lot
        engine.change_rules(MARKET, lot=D(100), least=D(100))

        await close(told, share)  # where nobody looks first, the venue refuses it
        assert "is less than" in await close(told, share)
        assert (told.size, told.resting) == (size, before)

        engine.change_rules(MARKET, lot=lot, least=lot)
        assert await close(told, share) == ""
        assert told.size <= size * (1 - share) + lot
        await told.upkeep()
        if told.size:
            assert_told_is_so(told)


@MARKETS
async def test_a_flatten_goes_on_once_lots_have_shrunk_again(market: str) -> None:
    async with holding(market) as told:
        engine, lot = told.outside.exchange.engine, told.outside.exchange.rules(BTC).lot
        engine.change_rules(MARKET, lot=D(100), least=D(100))
        await close(told, ONE)
        await told.living.desk.flatten("all", by=BY, why="")
        await told.upkeep()
        assert told.size > ZERO

        engine.change_rules(MARKET, lot=lot, least=lot)
        await told.upkeep(70)
        await told.upkeep(70)
        assert told.size == ZERO
        assert told.legs() == []


@MARKETS
@TARGETS
async def test_while_nothing_is_traded_the_stop_stays(market: str, target: float) -> None:
    async with holding(market, target=target) as told:
        before = told.resting
        told.outside.exchange.engine.halt(MARKET)

        await told.living.trader.exits.move_stop(BTC, D(97), by=BY)
        await close(told, HALF)
        await told.upkeep()

        assert stops(told) == [row[1:] for row in before if row[0] == STOP]
        assert len(told.living.heard(StopStays)) == 1
        assert_told_is_so(told)
        told.outside.exchange.engine.resume(MARKET)
        await told.upkeep(70)
        assert stops(told) == [(D(97), told.size)]
        assert_told_is_so(told)


@MARKETS
async def test_a_flatten_that_new_rules_forbid_is_blocked_and_keeps_the_stop(market: str) -> None:
    async with holding(market) as told:
        before = stops(told)
        told.outside.exchange.engine.change_rules(MARKET, lot=D(100), least=D(100))

        halting = await told.living.desk.flatten("all", by=BY, why="")
        for _ in range(6):
            await told.upkeep()

        halt = told.living.desk.latch.get(halting.halt.id)
        assert halt is not None
        assert halt.has_reached("majors", Stage.FLAT_BLOCKED)
        assert stops(told) == before
        told.outside.exchange.engine.change_rules(MARKET, lot=D("0.001"), least=D("0.001"))
        for _ in range(6):
            await told.upkeep()
        assert (told.size, told.resting) == (ZERO, [])


@MARKETS
@TARGETS
async def test_a_coarser_tick_moves_the_stop_towards_the_price_and_never_loses_it(
    market: str, target: float
) -> None:
    async with holding(market, target=target) as told:
        await told.living.trader.exits.move_stop(BTC, D("95.55"), by=BY)
        assert stops(told) == [(D("95.55"), told.size)]
        told.outside.exchange.engine.change_rules(MARKET, tick=D("0.1"))

        await told.upkeep()
        assert stops(told) == [(D("95.55"), told.size)], "what rests is as good as ever"
        assert await close(told, HALF) == ""

        assert stops(told) == [(D("95.6"), told.size)]
        assert_told_is_so(told)


@MARKETS
@TARGETS
async def test_what_rests_by_older_rules_is_left_alone(market: str, target: float) -> None:
    """Nothing has to be changed, and nothing could replace it."""
    async with holding(market, target=target) as told:
        before = told.resting
        told.outside.exchange.engine.change_rules(MARKET, lot=D(100), least=D(100))
        await told.living.trader.orders.line.rules_now(BTC)

        for _ in range(3):
            await told.upkeep()

        assert told.resting == before
        assert_told_is_so(told)


@MARKETS
@TARGETS
async def test_a_stop_that_does_not_fit_goes_again_by_the_rules_as_they_are(
    market: str, target: float
) -> None:
    """The rules change between the look at them and the order: it is refused once."""
    async with holding(market, target=target) as told:
        engine = told.outside.exchange.engine
        await told.living.trader.orders.line.rules_now(BTC)

        def change(_order: object) -> None:
            engine.change_rules(MARKET, tick=D("0.5"), lot=D("0.1"), least=D("0.1"))

        told.outside.exchange.leaving = change
        await told.living.trader.exits.move_stop(BTC, D("96.2"), by=BY)

        (stop,) = stops(told)
        assert stop[0] == D("96.5")
        assert told.size - stop[1] < D("0.1")
        assert_told_is_so(told)


@MARKETS
@TARGETS
async def test_the_old_stop_is_put_back_where_the_new_one_is_refused_twice(
    market: str, target: float
) -> None:
    async with holding(market, target=target) as told:
        size = told.size
        refusals = 3 if market == "spot" and target > 0 else 2  # a pair, its stop alone, again
        told.outside.exchange.faults.place = ["refuse"] * refusals

        await told.living.trader.exits.move_stop(BTC, D(97), by=BY)

        assert stops(told) == [(D(95), size)]
        (stays,) = told.living.heard(StopStays)
        assert isinstance(stays, StopStays)
        assert (stays.price, stays.wanted, stays.quantity) == (D(95), D(97), size)
        assert cover(told).price == D(95)
        assert_told_is_so(told)
        for _ in range(3):
            await told.upkeep(5)
        assert stops(told) == [(D(95), size)], "it is not taken away again at each look"
        await told.upkeep(61)
        assert stops(told) == [(D(97), size)]
        assert_told_is_so(told)


@MARKETS
async def test_an_old_stop_does_not_keep_the_desk_from_the_nearer_one(market: str) -> None:
    """What was moved nearer counts, whatever rests."""
    async with holding(market, target=float("nan")) as told:
        told.outside.exchange.faults.place = ["refuse"] * 2
        await told.living.trader.exits.move_stop(BTC, D(97), by=BY)
        assert stops(told)[0][0] == D(95)

        await told.trades_at(96.5)
        await told.minute(96.5)

        assert (told.size, told.resting) == (ZERO, [])


async def test_a_refused_sale_puts_the_stop_back_at_once() -> None:
    async with holding("spot") as told:
        before, size = told.resting, told.size
        told.outside.exchange.faults.place = ["refuse"]

        await close(told, HALF)

        assert (told.resting, told.size) == (before, size)
        assert_told_is_so(told)


@MARKETS
async def test_a_flatten_goes_on_once_a_market_that_was_shut_for_a_moment_is_open(
    market: str,
) -> None:
    """It may be open again before anybody has counted what is held there as apart."""
    async with holding(market) as told:
        told.outside.exchange.engine.halt(MARKET)
        await told.living.trader.orders.line.rules_now(BTC)
        await told.living.desk.flatten("all", by=BY, why="")
        assert told.size > ZERO

        told.outside.exchange.engine.resume(MARKET)
        await told.upkeep(61)
        await told.upkeep(61)

        assert (told.size, told.resting) == (ZERO, [])
