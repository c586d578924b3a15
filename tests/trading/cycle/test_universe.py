"""A trader that finds its symbols: who may be entered, what goes on when one has left, and what is
kept over a restart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from storage.memory import MemoryJournal, MemoryStore
from tests.builders import BTC, ETH, NOON, XRP
from tests.fakes import LivePrices, ScriptedScanner
from tests.world import World, a_world, at_minute, settled, wish
from trading.clocks import ManualClock
from trading.cycle.universe import TradableUniverse
from trading.errors import Refused, VenueUnavailable
from trading.events import SurveyFailed, SurveyRecovered, UniverseChanged
from trading.market.universe import CORE, EVENT, ROTATIONAL, MarketStats, Universe, UniversePlan
from trading.ports import Change
from trading.risk.limits import Limits
from trading.types import Decision, ExitReason, Side, Symbol

D = Decimal
THREE = (BTC, ETH, XRP)
PLAN = UniversePlan(
    empty=Universe(tiers=(replace(CORE, bases=frozenset({"BTC"})), ROTATIONAL, EVENT), cycles=2),
    listed=(BTC,),
    every=timedelta(minutes=1),
    max_age=timedelta(minutes=3),
)


def market(volume: int, spread: int = 1) -> MarketStats:
    return MarketStats(volume=D(volume), spread_bps=D(spread), depth=D(10**6))


GOOD = {BTC: market(10**9), ETH: market(6_000_000), XRP: market(1_900_000)}
ETH_FELL = {**GOOD, ETH: market(1_000_000)}
GONE = VenueUnavailable("no answer in 4.0 s")


def a_universe_world(
    *scans: Any, by_bars: bool = True, closes: Sequence[float] = (), **changes: Any
) -> World:
    scanner = ScriptedScanner(*(scans or (GOOD,)), by_bars=by_bars)
    given: dict[str, Any] = {"symbols": THREE, "universe": PLAN} | changes
    return a_world(*closes, scanner=scanner, **given)


async def decided(world: World, symbol: Symbol) -> Decision:
    (newest,) = await world.store.decisions("majors", symbol, limit=1)
    return newest


# -- entering ---------------------------------------------------------------------------------


async def test_a_fixed_list_objects_to_nobody() -> None:
    universe = TradableUniverse((BTC,))
    assert (universe.symbols, universe.found, universe.by_bars) == ((BTC,), None, True)
    assert (universe.tier(BTC), universe.terms(BTC)) == (None, None)
    assert universe.objection(BTC, NOON) == ""


async def test_who_is_in_is_entered_and_who_is_out_is_refused_with_the_reason() -> None:
    wishes = [wish(1), wish(1, symbol=ETH), wish(1, symbol=XRP)]
    async with a_universe_world(wishes=wishes).running() as world:
        await world.minutes(1)

        assert set(world.trader.ledger.positions) == {BTC, ETH}
        why = "outside the universe, volume 1.9 M < 2 M"
        assert (await decided(world, XRP)).reason == why
        universe = world.trader.universe
        assert [universe.tier(symbol) for symbol in THREE] == [1, 2, None]
        assert universe.terms(ETH) == ROTATIONAL
        assert universe.symbols == (BTC, ETH)


ALL = {**GOOD, XRP: market(3_000_000)}
WIDE = Limits(max_position=D("0.07"), max_exposure=D(1), risk_per_trade=D("0.05"))


async def test_an_entry_is_as_large_as_its_tier_allows() -> None:
    """3 %, 2 % and 0.7 % of 10,000, at a price of 100."""
    wishes = [wish(1, symbol=symbol, stop=99.0) for symbol in THREE]
    async with a_universe_world(ALL, wishes=wishes, limits=WIDE).running() as world:
        await world.minutes(1)

        held = {s: p.quantity for s, p in world.trader.ledger.positions.items()}
        assert held == {BTC: D(3), ETH: D(2), XRP: D("0.7")}
        assert (await decided(world, XRP)).reason.endswith("held to 0.70 % of equity in tier event")


async def test_wishes_of_one_cycle_share_what_their_tier_takes() -> None:
    large = replace(ROTATIONAL, base_size=D("0.07"), max_allocation=D("0.10"))
    plan = replace(PLAN, empty=replace(PLAN.empty, tiers=(PLAN.empty.tiers[0], large)))
    stats = {**GOOD, XRP: market(6_000_000)}
    wishes = [wish(1, symbol=XRP, confidence=90.0, stop=99.0), wish(1, symbol=ETH, stop=99.0)]
    world = a_universe_world(stats, wishes=wishes, limits=WIDE, universe=plan)
    async with world.running():
        await world.minutes(1)

        held = {s: p.quantity for s, p in world.trader.ledger.positions.items()}
        assert held == {XRP: D(7), ETH: D(3)}
        assert (await decided(world, ETH)).reason.endswith("held to 10.00 % in tier rotational")


async def test_a_person_cannot_enter_what_is_outside_either() -> None:
    async with a_universe_world().running() as world:
        await world.minutes(1)
        with pytest.raises(Refused, match=r"No entry in XRP: outside the universe, volume 1\.9 M"):
            world.manual.ticket(XRP, Side.BUY, D(500))


async def test_of_a_recording_the_surveys_of_the_warm_up_count() -> None:
    scanner = ScriptedScanner(GOOD, by_bars=True)
    async with a_world(symbols=THREE, universe=PLAN, scanner=scanner).running() as world:
        await world.minutes(2)

        assert scanner.asked == [at_minute(n) for n in (-1, 0, 1, 2)]
        (changed,) = world.heard(UniverseChanged)
        assert isinstance(changed, UniverseChanged)
        assert [(c.symbol, c.before, c.after) for c in changed.changes] == [
            (BTC, None, 1), (ETH, None, 2),
        ]  # fmt: skip


async def test_bars_that_are_passed_over_are_surveyed_all_the_same() -> None:
    async with a_universe_world().running() as world:
        world.clock.advance(5 * 60)
        await world.trader.cycle()
        once = world.trader.universe.found
    async with a_universe_world().running() as world:
        await world.minutes(5)
        assert world.trader.universe.found == once


# -- leaving ----------------------------------------------------------------------------------


async def test_a_position_that_has_left_is_managed_to_its_end() -> None:
    falling = [100.0] * 6 + [90.0] * 10  # its stop is at 95
    scans = (GOOD, GOOD, GOOD, ETH_FELL)
    async with a_universe_world(
        *scans, closes=falling, wishes=[wish(1, symbol=ETH)]
    ).running() as world:
        await world.minutes(3)
        assert world.trader.universe.tier(ETH) is None
        assert world.trader.protection.rests(ETH)

        await world.minutes(4)
        assert not world.trader.ledger.positions
        (trade,) = world.trader.ledger.trades
        assert trade.reason is ExitReason.STOP


async def test_an_opposite_signal_closes_what_has_left_and_opens_nothing() -> None:
    wishes = [wish(1, symbol=ETH), wish(4, symbol=ETH, side=Side.SELL, stop=105.0)]
    async with a_universe_world(GOOD, GOOD, GOOD, ETH_FELL, wishes=wishes).running() as world:
        await world.minutes(4)

        assert not world.trader.ledger.positions
        assert (await decided(world, ETH)).reason == "outside the universe, volume 1 M < 2 M"


# -- kept -------------------------------------------------------------------------------------


async def test_the_universe_survives_a_restart_without_starting_anew() -> None:
    clock, book = ManualClock(NOON), MemoryJournal()
    store = MemoryStore(clock=clock)
    kept: dict[str, Any] = {"store": store, "book": book, "clock": clock}
    async with a_universe_world(GOOD, GOOD, GOOD, ETH_FELL, **kept).running() as world:
        await world.minutes(2)
        before = world.trader.universe.found
        assert before is not None
        assert before.universe.drifts[ETH].cycles == 1

    async with a_universe_world(ETH_FELL, **kept).running() as world:
        after = world.trader.universe.found
        assert after is not None
        assert after.universe == before.universe
        assert after.scan is None
        assert world.trader.universe.objection(XRP, at_minute(2)).endswith("not surveyed yet")

        await world.minutes(1)
        assert world.trader.universe.tier(ETH) is None, "the second bad survey in a row"


@pytest.mark.parametrize("saved", ["", "{", "[]", '{"at": "x"}', '{"members": {"BTC": 1}}'])
async def test_what_cannot_be_read_lets_nobody_in(saved: str) -> None:
    clock = ManualClock(NOON)
    store = MemoryStore(clock=clock)
    await store.commit(Change(notes=(("universe:majors", saved),)))
    async with a_universe_world(store=store, clock=clock).running() as world:
        assert world.trader.universe.symbols == ()


async def test_a_tier_that_the_settings_have_lost_keeps_nobody() -> None:
    clock = ManualClock(NOON)
    store = MemoryStore(clock=clock)
    async with a_universe_world(store=store, clock=clock).running() as world:
        await world.minutes(1)
    fewer = replace(PLAN, empty=Universe(tiers=(PLAN.empty.tiers[0],), cycles=2))
    async with a_universe_world(store=store, clock=clock, universe=fewer).running() as world:
        assert world.trader.universe.symbols == (BTC,)


# -- a live market ----------------------------------------------------------------------------


def live(*scans: Any, **changes: Any) -> World:
    clock = ManualClock(NOON)
    feed = LivePrices(clock, symbols=THREE)
    return a_universe_world(*scans, by_bars=False, clock=clock, feed=feed, **changes)


async def scans(world: World, count: int = 1) -> None:
    for _ in range(count):
        world.clock.advance(60)
        await settled()


async def test_a_live_market_is_surveyed_beside_the_cycles() -> None:
    async with live(GOOD).running() as world:
        await settled()
        assert not world.heard(UniverseChanged)
        await scans(world)
        assert world.trader.universe.symbols == (BTC, ETH)


async def test_the_feed_shows_what_may_be_entered_soon_and_what_is_held_though_it_has_left() -> (
    None
):
    world = live(GOOD, GOOD, GOOD, {BTC: market(10**9)}, wishes=[wish(2, symbol=ETH)])
    async with world.running():
        assert len(world.feed.symbols) == 1, "until something is found"
        await settled()
        assert set(world.feed.symbols) == {BTC, ETH}, "it is warm before it may be entered"
        await scans(world)
        world.clock.advance(60)
        await world.trader.cycle()
        await settled()
        assert set(world.trader.ledger.positions) == {ETH}

        await scans(world, 3)
        assert world.trader.universe.tier(ETH) is None
        assert set(world.feed.symbols) == {BTC, ETH}, "it is held"
        await world.manual.close(ETH, share=D(1), by="ben")
        await scans(world)
        assert world.feed.symbols == (BTC,)


async def test_with_a_survey_that_is_too_old_only_what_is_listed_is_entered() -> None:
    async with live(GOOD, GOOD, GONE).running() as world:
        await settled()
        await scans(world)
        universe = world.trader.universe
        now = world.clock.now()
        assert universe.objection(ETH, now + timedelta(minutes=3)) == ""
        assert universe.objection(ETH, now + timedelta(minutes=4)) == (
            "the last survey of the market is 4 min old"
        )
        assert universe.objection(BTC, now + timedelta(minutes=4)) == ""

        await scans(world, 3)
        assert not world.heard(SurveyFailed), "not too old yet"
        await scans(world, 3)
        (failed,) = world.heard(SurveyFailed)
        assert isinstance(failed, SurveyFailed)
        assert failed.why == "no answer in 4.0 s"
        found = universe.found
        assert found is not None
        assert found.stale
        assert found.problem == "no answer in 4.0 s"
        assert universe.tier(ETH) == 2, "what is known stays known"


async def test_once_surveys_are_back_it_is_told_and_counts_begin_anew() -> None:
    async with live(GOOD, *[GONE] * 6, GOOD).running() as world:
        await settled()
        await scans(world, 7)

        assert world.heard(SurveyFailed)
        (back,) = world.heard(SurveyRecovered)
        assert isinstance(back, SurveyRecovered)
        assert back.size == 0
        found = world.trader.universe.found
        assert found is not None
        assert (found.problem, found.stale) == ("", False)
        assert found.universe.drifts[ETH].cycles == 1, "good long ago is not good in a row"
