"""What a trader makes of a strategy's wishes: sizes, time limits, rank, and reasons to leave."""

from __future__ import annotations

import asyncio
import gc
import re
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any, TypeVar

import numpy as np
import pytest
from numpy.typing import NDArray

from storage.memory import MemoryJournal
from tests.builders import ADA, BTC, DOGE, ETH, NOON, RULES, XRP
from tests.fakes import LivePrices, ScriptedStrategy, Wish, a_market, same_rules
from tests.world import World, a_world, at_minute, settled, wish
from trading.clocks import ManualClock
from trading.errors import Refused
from trading.events import PositionClosed, SettingsReloaded
from trading.market.candles import Candles
from trading.market.recording import Recording
from trading.model.exit_rules import ExitRules
from trading.model.halt import EVERYONE
from trading.risk.limits import Limits, Theme
from trading.strategies.base import ExitWishes, Signals
from trading.strategies.rules.regime import Regime
from trading.types import Decision, ExitReason, Mode, OrderRole, Side, Symbol, Trade
from trading.venues.replay import ReplayFeed

D = Decimal
T = TypeVar("T")
BY = "anna, console"
FIVE = (BTC, ETH, XRP, ADA, DOGE)
THREE = Limits(
    max_positions=3, max_position=D("0.3333"), max_exposure=D(1), entries_per_cycle=3
)  # the 3-position system: a third of the capital each, 0.3 % at risk


@dataclass
class Opinion:
    """What a strategy thinks besides its wishes: at minutes, of BTC unless it says whose."""

    size: Mapping[int, float] = field(default_factory=dict)
    hold: Mapping[int, float] = field(default_factory=dict)
    long: Mapping[int, float] = field(default_factory=dict)
    short: Mapping[int, float] = field(default_factory=dict)
    triggered: Sequence[int] | None = None
    drop: float = 20


class OpinionatedStrategy(ScriptedStrategy):
    """Wishes as it is told to, with sizes, time limits and a confidence in what is open."""

    def __init__(self, opinion: Opinion, *wishes: Wish) -> None:
        super().__init__(*wishes)
        self.opinion = opinion
        self.made: list[weakref.ref[NDArray[np.float64]]] = []

    def signals(self, candles: Candles) -> Signals:
        found = super().signals(candles)
        self.made.append(weakref.ref(found.score))
        said = self.opinion

        def triggered() -> NDArray[np.bool_]:
            at = [int(at_minute(minute).timestamp() * 1000) for minute in said.triggered or ()]
            return np.broadcast_to(np.isin(candles.times, at), candles.close.shape)

        def panel(of: Mapping[int, float]) -> NDArray[np.float64]:
            values = np.full(candles.close.shape, np.nan)
            for minute, value in of.items():
                at = int(at_minute(minute).timestamp() * 1000)
                values[0, candles.times == at] = value
            return values

        return replace(
            found,
            size=panel(said.size) if said.size else None,
            hold=panel(said.hold) if said.hold else None,
            triggered=None if said.triggered is None else triggered(),
            exits=ExitWishes(long=panel(said.long), short=panel(said.short), drop=said.drop),
        )


def a_desk(
    *closes: float, wishes: Sequence[Wish] = (), opinion: Opinion | None = None, **world: Any
) -> World:
    strategy = OpinionatedStrategy(opinion or Opinion(), *wishes)
    return a_world(*closes, strategy=strategy, **world)


def trades(world: World) -> list[Trade]:
    return [e.trade for e in world.said if isinstance(e, PositionClosed)]


async def answers(world: World, *symbols: Symbol) -> dict[Symbol, Decision]:
    """The newest decision on each."""
    found: dict[Symbol, Decision] = {}
    for symbol in symbols:
        for decision in await world.store.decisions("majors", symbol, limit=1):
            found[symbol] = decision
    return found


# -- sizes and time limits --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "quantity"),
    [(None, "6"), (0.5, "3"), (1.0, "6"), (1.2, "7.2"), (0.25, "1.5")],
)
async def test_a_wish_may_be_smaller_or_larger_than_usual(
    size: float | None, quantity: str
) -> None:
    opinion = Opinion(size={} if size is None else {2: size})
    async with a_desk(wishes=[wish(2)], opinion=opinion).running() as world:
        await world.minutes(2)

        assert world.trader.ledger.positions[BTC].quantity == D(quantity)


async def test_a_larger_wish_keeps_to_the_largest_position() -> None:
    limits = Limits(max_position=D("0.06"))
    opinion = Opinion(size={2: 3.0})
    async with a_desk(wishes=[wish(2)], opinion=opinion, limits=limits).running() as world:
        await world.minutes(2)

        assert world.trader.ledger.positions[BTC].quantity == D(6)  # 600 of 10,000


async def test_a_smaller_wish_is_smaller_also_where_the_largest_position_bounds_it() -> None:
    limits = Limits(max_position=D("0.06"), risk_per_trade=D("0.03"))
    opinion = Opinion(size={2: 0.5})
    async with a_desk(wishes=[wish(2)], opinion=opinion, limits=limits).running() as world:
        await world.minutes(2)

        assert world.trader.ledger.positions[BTC].quantity == D(3)


@pytest.mark.parametrize(
    ("hold", "time_limit", "until"),
    [
        (0.05, None, 5),
        (None, timedelta(minutes=4), 6),
        (0.05, timedelta(minutes=10), 5),
        (0.5, timedelta(minutes=4), 6),
    ],
)
async def test_of_two_time_limits_the_earlier_one_counts(
    hold: float | None, time_limit: timedelta | None, until: int
) -> None:
    opinion = Opinion(hold={} if hold is None else {2: hold})
    rules = ExitRules(time_limit=time_limit)
    async with a_desk(wishes=[wish(2)], opinion=opinion, exit_rules=rules).running() as world:
        await world.minutes(2)
        assert world.trader.ledger.plans[BTC].deadline == at_minute(until)

        await world.minutes(until - 3)
        assert BTC in world.trader.ledger.positions
        await world.minutes(1)
        assert [t.reason for t in trades(world)] == [ExitReason.TIME]


async def test_without_a_time_limit_there_is_none() -> None:
    async with a_desk(wishes=[wish(2)]).running() as world:
        await world.minutes(2)

        assert world.trader.ledger.plans[BTC].deadline is None


# -- leaving ----------------------------------------------------------------------------------


@pytest.mark.parametrize("side", list(Side))
async def test_a_position_that_lost_more_than_twenty_points_is_closed(side: Side) -> None:
    stop = 95.0 if side is Side.BUY else 105.0
    fallen = {3: 70.0, 4: 60.0, 5: 59.0}  # of 80 at the entry
    opinion = Opinion(long=fallen) if side is Side.BUY else Opinion(short=fallen)
    wishes = [wish(2, side=side, stop=stop, confidence=80.0)]
    async with a_desk(wishes=wishes, opinion=opinion).running() as world:
        await world.minutes(4)
        assert BTC in world.trader.ledger.positions  # 20 less is not more than 20

        await world.minutes(1)

        assert [t.reason for t in trades(world)] == [ExitReason.SIGNAL]
        assert not await world.venue.positions()
        assert not world.trader.ledger.alive
        left = (await answers(world, BTC))[BTC]
        assert (left.leaves, left.approved, left.side) == (True, True, side)
        assert (left.signal, left.bar) == ("confidence fell from 80 to 59", at_minute(5))
        exit_ = await world.store.order(left.order_id)
        assert exit_ is not None
        assert (exit_.role, exit_.filled) == (OrderRole.EXIT, left.quantity)


async def test_the_other_sides_confidence_closes_nothing() -> None:
    opinion = Opinion(long={3: 80.0}, short={3: 1.0})
    wishes = [wish(2, confidence=80.0)]
    async with a_desk(wishes=wishes, opinion=opinion).running() as world:
        await world.minutes(3)

        assert BTC in world.trader.ledger.positions


async def test_unknown_confidence_closes_nothing() -> None:
    async with a_desk(wishes=[wish(2, confidence=80.0)]).running() as world:
        await world.minutes(5)

        assert BTC in world.trader.ledger.positions


async def test_what_was_opened_by_hand_is_not_the_strategys_to_leave() -> None:
    opinion = Opinion(long={2: 0.0, 3: 0.0})
    async with a_desk(opinion=opinion).running() as world:
        await world.minutes(1)
        await world.manual.enter(BTC, Side.BUY, D(500), by=BY)
        await world.minutes(2)

        assert BTC in world.trader.ledger.positions


async def test_a_halt_keeps_nobody_from_leaving() -> None:
    opinion = Opinion(long={4: 10.0})
    wishes = [wish(2, confidence=80.0)]
    async with a_desk(wishes=wishes, opinion=opinion).running() as world:
        await world.minutes(2)
        await world.desk.stop("majors", by="ben", why="by hand")
        await world.minutes(2)

        assert [t.reason for t in trades(world)] == [ExitReason.SIGNAL]


async def test_a_wish_for_the_other_side_closes_and_after_its_rest_opens() -> None:
    wishes = [wish(2), wish(4, side=Side.SELL, stop=105.0)]
    async with a_desk(wishes=wishes).running() as world:
        await world.minutes(4)

        assert [t.reason for t in trades(world)] == [ExitReason.SIGNAL]
        assert not await world.venue.positions()
        why, left, _ = await world.store.decisions("majors", BTC, limit=9)
        assert why.reason == "BTC rests until 12:19"
        assert (left.leaves, left.signal) == (True, "a wish for the other side, scripted")


@pytest.mark.parametrize(
    ("fault", "reason"),
    [("refuse", "the venue did not close it"), ("lost", "no answer yet, it may have been closed")],
)
async def test_a_position_that_could_not_be_left_is_recorded_as_that(
    fault: str, reason: str
) -> None:
    opinion = Opinion(long={3: 10.0})
    async with a_desk(wishes=[wish(2, confidence=80.0)], opinion=opinion).running() as world:
        await world.minutes(2)
        world.venue.faults.place = [fault]
        await world.minutes(1)

        left = (await answers(world, BTC))[BTC]
        assert (left.leaves, left.approved, left.quantity) == (True, False, D(0))
        assert left.reason == reason
        assert BTC in world.trader.ledger.positions


async def test_what_the_strategy_thought_is_not_kept() -> None:
    """It is as large as all the candles that it looked at."""
    async with a_desk(wishes=[wish(2)]).running() as world:
        await world.minutes(3)

        strategy = world.trader.strategy
        assert isinstance(strategy, OpinionatedStrategy)
        gc.collect()
        assert len(strategy.made) == 3
        assert [made for made in strategy.made if made() is not None] == []


# -- rank -------------------------------------------------------------------------------------


async def test_of_five_wishes_the_three_most_confident_are_entered() -> None:
    """A third of the capital each; the others are told why not."""
    points = {BTC: 71.0, ETH: 95.0, XRP: 88.0, ADA: 73.0, DOGE: 90.0}
    wishes = [wish(2, symbol=s, confidence=c, stop=99.9) for s, c in points.items()]
    async with a_desk(wishes=wishes, symbols=FIVE, limits=THREE).running() as world:
        await world.minutes(2)

        held = world.trader.ledger.positions
        assert set(held) == {ETH, DOGE, XRP}
        assert {p.quantity for p in held.values()} == {D("33.33")}
        why = {s: d.reason for s, d in (await answers(world, BTC, ADA)).items()}
        assert why == dict.fromkeys((BTC, ADA), "3 of 3 positions open")


async def test_a_cycle_enters_no_more_than_it_may() -> None:
    limits = replace(THREE, max_positions=5, entries_per_cycle=2, max_position=D("0.1"))
    points = {BTC: 71.0, ETH: 95.0, XRP: 88.0}
    wishes = [wish(2, symbol=s, confidence=c) for s, c in points.items()]
    wishes.append(wish(3, symbol=BTC, confidence=71.0))
    async with a_desk(wishes=wishes, symbols=FIVE, limits=limits).running() as world:
        await world.minutes(2)
        assert set(world.trader.ledger.positions) == {ETH, XRP}
        told = (await answers(world, BTC))[BTC]
        assert told.reason == "2 entries in this cycle, as many as are allowed"
        assert not told.approved

        await world.minutes(1)
        assert set(world.trader.ledger.positions) == {ETH, XRP, BTC}


async def test_what_is_closed_for_the_other_side_makes_room_in_the_same_cycle() -> None:
    """Three are open; ETH turns, and its place goes to the most confident that waits."""
    limits = replace(THREE, symbol_rest=timedelta(minutes=15))
    first = [wish(2, symbol=s, confidence=80.0, stop=99.9) for s in (BTC, ETH, XRP)]
    then = [
        wish(4, symbol=ETH, side=Side.SELL, stop=105.0, confidence=99.0),
        wish(4, symbol=DOGE, confidence=90.0),
        wish(4, symbol=ADA, confidence=75.0),
    ]
    async with a_desk(wishes=[*first, *then], symbols=FIVE, limits=limits).running() as world:
        await world.minutes(4)

        assert set(world.trader.ledger.positions) == {BTC, XRP, DOGE}
        why = await answers(world, ETH, ADA)
        assert why[ETH].reason == "ETH rests until 12:19"
        assert why[ADA].reason == "3 of 3 positions open"


# -- themes -----------------------------------------------------------------------------------


async def test_wishes_of_one_cycle_share_what_their_theme_leaves() -> None:
    """The most confident first; what rests or is held counts, and others are not held back."""
    meme = Theme(name="meme", coins=frozenset({"DOGE", "ADA"}), max_exposure=D("0.08"))
    limits = Limits(max_positions=5, max_exposure=D(1), max_position=D("0.06"), themes=(meme,))
    points = {DOGE: 90.0, ADA: 80.0, BTC: 70.0}
    wishes = [wish(2, symbol=s, confidence=c) for s, c in points.items()]
    wishes.append(wish(3, symbol=XRP))
    async with a_desk(wishes=wishes, symbols=FIVE, limits=limits).running() as world:
        await world.minutes(3)

        held = {s: p.quantity for s, p in world.trader.ledger.positions.items()}
        assert held == {DOGE: D(6), ADA: D(2), BTC: D(6), XRP: D(6)}
        told = (await answers(world, ADA))[ADA]
        assert told.reason.endswith("held to 8.00 % in theme meme")
        assert world.view().exposures == {s: q * 100 for s, q in held.items()}


async def test_a_full_theme_refuses_also_what_is_bought_by_hand() -> None:
    meme = Theme(name="meme", coins=frozenset({"DOGE", "ADA"}), max_exposure=D("0.06"))
    limits = Limits(max_positions=5, max_position=D("0.06"), themes=(meme,))
    async with a_desk(
        wishes=[wish(2, symbol=DOGE)], symbols=FIVE, limits=limits
    ).running() as world:
        await world.minutes(2)
        with pytest.raises(Refused, match=r"theme meme 6\.00 % of 6\.00 %, no room left"):
            await world.manual.enter(ADA, Side.BUY, D(100), by=BY)


# -- what a scan tells ------------------------------------------------------------------------


async def test_a_scan_counts_what_happened_and_what_was_wished() -> None:
    opinion = Opinion(triggered=(2, 3))
    async with a_desk(wishes=[wish(2)], opinion=opinion).running() as world:
        counted = []
        for _ in range(4):
            world.clock.advance(60)
            cycle = (await world.trader.scan()).cycle
            assert cycle is not None
            counted.append((cycle.triggers, cycle.decisions))

        assert counted == [(0, 0), (1, 1), (1, 0), (0, 0)]
        again = (await world.trader.scan()).cycle
        assert again is not None
        assert (again.bars, again.triggers, again.decisions) == (0, 0, 0)
        assert world.view().last_look is not None
        assert world.view().last_look != world.view().last_cycle


async def test_wishes_count_as_triggers_where_a_strategy_has_none() -> None:
    async with a_world(wishes=[wish(1)]).running() as world:
        world.clock.advance(60)
        cycle = (await world.trader.scan()).cycle

        assert cycle is not None
        assert (cycle.triggers, cycle.decisions) == (1, 1)


async def test_round_trips_of_the_day_are_counted_and_yesterdays_are_not() -> None:
    wishes = [wish(2), wish(3, side=Side.SELL, stop=105.0)]
    async with a_desk(wishes=wishes).running() as world:
        await world.minutes(3)
        assert world.view().trades_today == 1
        assert world.view().symbols == 1

        closed_since = world.trader.ledger.closed_since
        assert [closed_since(at_minute(n)) for n in (3, 4)] == [1, 0]


# -- pace -------------------------------------------------------------------------------------


async def test_entries_keep_their_distance() -> None:
    limits = Limits(max_positions=5, max_exposure=D(1), entry_spacing=timedelta(seconds=90))
    wishes = [wish(2, symbol=BTC), wish(2, symbol=ETH), wish(3, symbol=XRP), wish(4, symbol=ADA)]
    async with a_desk(wishes=wishes, symbols=FIVE, limits=limits).running() as world:
        await world.minutes(4)

        assert set(world.trader.ledger.positions) == {BTC, ADA}
        why = await answers(world, ETH, XRP)
        said = "entries are at least 90 s apart: none before 12:04"
        assert [why[s].reason for s in (ETH, XRP)] == [said, said]


async def test_an_hour_that_is_full_is_shown_and_ends_by_itself() -> None:
    limits = Limits(max_positions=5, max_exposure=D(1), entries_per_hour=2)
    wishes = [wish(2, symbol=BTC), wish(3, symbol=ETH), wish(4, symbol=XRP)]
    market = [100.0] * 70
    async with a_desk(*market, wishes=wishes, symbols=FIVE, limits=limits).running() as world:
        await world.minutes(2)
        assert world.view().rest == ""
        await world.minutes(2)
        told = "2 entries in the last hour of 2 allowed: none before 13:02"
        assert world.view().rest == told == (await answers(world, XRP))[XRP].reason
        await world.minutes(58)
        assert world.view().rest == ""


async def test_round_trips_count_and_a_restart_forgets_none() -> None:
    limits = Limits(entries_per_hour=2, symbol_rest=timedelta(0))
    wishes = [wish(2), wish(3, side=Side.SELL, stop=105.0), wish(5)]
    async with a_desk(wishes=wishes, limits=limits).running() as world:
        await world.minutes(3)
        assert len(trades(world)) == 1  # and the other side was entered at once
        assert world.trader.ledger.positions[BTC].side is Side.SELL
        store, book = world.store, world.trader.ledger
        assert len(book.trades) == 1

    later = a_desk(wishes=wishes, limits=limits, store=store, clock=world.clock)
    await later.trader.load()
    assert later.trader.cycles.bars.wishes.decider.book(at_minute(5)).entered_at == (
        at_minute(2),
        at_minute(3),
    )


KINDS = Limits(
    symbol_rest=timedelta(0),
    symbol_rest_after_stop=timedelta(minutes=5),
    symbol_rest_after_loss=timedelta(minutes=3),
    symbol_rest_after_win=timedelta(minutes=2),
)
OUT = wish(3, side=Side.SELL, stop=200.0)


@pytest.mark.parametrize(
    ("closes", "out", "told", "until"),
    [
        ([100.0] * 3 + [90.0], [], "after its stop", 8),
        ([100.0] * 3 + [99.0], [OUT], "after a loss", 6),
        ([100.0] * 3 + [101.0], [OUT], "after a win", 5),
    ],
    ids=["stop", "loss", "win"],
)
async def test_a_symbol_rests_by_how_it_was_left_also_after_a_restart(
    closes: Sequence[float], out: Sequence[Wish], told: str, until: int
) -> None:
    wishes = [wish(2), *out, *(wish(n, stop=50.0) for n in range(4, 12))]
    market = [*closes, *([closes[-1]] * 9)]
    kept: dict[str, Any] = {"wishes": wishes, "limits": KINDS, "book": MemoryJournal()}
    world = a_desk(*market, **kept)
    async with world.running():
        await world.minutes(3)
        assert len(trades(world)) == 1
        (rest,) = world.view().symbol_rests
        assert rest.told(at_minute(3)) == f"BTC rests until {at_minute(until):%H:%M} {told}"

    later = a_desk(*market, **kept, store=world.store, clock=world.clock, first_id=50)
    async with later.running():
        await later.minutes(until - 4)
        assert later.trader.ledger.positions == {}
        assert (await answers(later, BTC))[BTC].reason == rest.told(at_minute(until - 1))
        await later.minutes(1)
        assert BTC in later.trader.ledger.positions
        assert later.view().symbol_rests == ()


async def test_a_resting_entry_keeps_others_away() -> None:
    limits = Limits(entries_per_hour=1)
    async with a_desk(wishes=[wish(3, symbol=ETH)], symbols=FIVE, limits=limits).running() as world:
        await world.minutes(2)
        await world.rest_an_entry()
        await world.minutes(1)

        told = (await answers(world, ETH))[ETH]
        assert told.reason == "1 entry in the last hour of 1 allowed: none before 13:03"


async def test_an_entry_that_filled_nothing_is_none() -> None:
    limits = Limits(entries_per_hour=1)
    wishes = [wish(2), wish(3, symbol=ETH)]
    async with a_desk(wishes=wishes, symbols=FIVE, limits=limits).running() as world:
        world.venue.faults.place = ["refuse"]
        await world.minutes(3)

        assert set(world.trader.ledger.positions) == {ETH}


async def test_a_dry_run_is_answered_alike() -> None:
    async with a_desk(wishes=[wish(2)], mode=Mode.DRY_RUN).running() as world:
        await world.minutes(2)

        assert (await answers(world, BTC))[BTC].reason.endswith("dry run, nothing sent")
        assert world.venue.placed == []


# -- another strategy -------------------------------------------------------------------------


async def test_another_strategy_decides_from_the_next_cycle_on() -> None:
    async with a_desk(wishes=[wish(2), wish(4)]).running() as world:
        await world.minutes(2)
        assert BTC in world.trader.ledger.positions
        plan = world.trader.ledger.plans[BTC]

        await world.trader.choose("smc", by=BY)
        assert world.view().strategy == "smc"
        await world.minutes(2)

        assert world.trader.ledger.plans[BTC] == plan, "what is open keeps its plan"
        assert len(await world.store.decisions("majors", BTC, limit=9)) == 1
        (told,) = world.heard(SettingsReloaded)
        assert isinstance(told, SettingsReloaded)
        assert (told.by, told.changes) == (BY, ("traders.majors.strategy scripted to smc",))


async def test_its_own_strategy_comes_back_as_it_was_set_up() -> None:
    async with a_desk(wishes=[wish(4)]).running() as world:
        own = world.strategy
        await world.minutes(1)
        await world.trader.choose("smc", by=BY)
        await world.minutes(1)
        seen = len(own.shown)

        await world.trader.choose("scripted", by=BY)
        await world.minutes(2)

        assert len(own.shown) > seen
        assert BTC in world.trader.ledger.positions


async def test_a_strategy_leaves_nothing_for_confidence_that_it_did_not_give() -> None:
    """Each counts points in its own way: 80 of one is not 80 of another."""
    opinion = Opinion(long={4: 10.0, 5: 10.0, 6: 10.0})
    wishes = [wish(3, confidence=80.0)]
    async with a_desk(wishes=wishes, opinion=opinion).running() as world:
        await world.minutes(3)
        await world.trader.choose("smc", by=BY)
        await world.trader.choose("scripted", by=BY)
        await world.minutes(3)

        assert BTC in world.trader.ledger.positions


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("moon", "majors cannot run moon: there is no strategy 'moon'; there is "),
        ("ema_cross", "majors cannot run ema_cross: ema_cross needs fast, slow"),
    ],
)
async def test_a_strategy_that_cannot_be_leaves_everything_as_it_was(name: str, why: str) -> None:
    async with a_desk(wishes=[wish(2)]).running() as world:
        with pytest.raises(Refused, match=re.escape(why)):
            await world.trader.choose(name, by=BY)
        await world.minutes(2)

        assert BTC in world.trader.ledger.positions
        assert world.heard(SettingsReloaded) == []


async def test_a_live_feed_with_too_few_candles_is_told() -> None:
    clock = ManualClock(NOON)
    async with a_desk(clock=clock, feed=LivePrices(clock)).running() as world:
        await world.minutes(1)
        with pytest.raises(Refused, match="majors cannot run smc: it needs 805 candles, here is 1"):
            await world.trader.choose("smc", by=BY)


async def test_limits_that_change_meanwhile_leave_the_chosen_strategy() -> None:
    async with a_desk().running() as world:
        await world.trader.choose("smc", by=BY)
        settings = replace(world.trader.settings, parameters={"of": "the file"})
        world.trader.use(replace(settings, limits=THREE))

        view = world.view()
        assert (view.strategy, view.parameters, view.limits) == ("smc", {}, THREE)


def hours(*closes: float) -> Recording:
    """Closes of BTC by the hour, the last of them at NOON."""
    begin = NOON - timedelta(hours=len(closes) - 1)
    made = a_market(*closes, start=begin)
    times = made.candles.times[0] + np.arange(len(closes), dtype=np.int64) * 3_600_000
    return Recording(candles=replace(made.candles, times=times), start=NOON)


@pytest.mark.parametrize(
    ("closes", "kind"),
    [
        (np.linspace(100, 115, 200), Regime.BULL),
        (np.linspace(100, 93, 200), Regime.BEAR),
        (np.linspace(100, 80, 200), Regime.CRASH),
        (np.linspace(100, 101, 200), Regime.CHOP),
        (np.linspace(100, 115, 20), Regime.UNKNOWN),
    ],
)
async def test_a_trader_with_rules_tells_the_regime(
    closes: NDArray[np.float64], kind: Regime
) -> None:
    clock = ManualClock(NOON)
    feed = ReplayFeed(
        name="hourly", clock=clock, symbols=(BTC,), recording=lambda: hours(*closes),
        rules=same_rules((BTC,), RULES),
    )  # fmt: skip
    async with a_desk(clock=clock, feed=feed).running() as world:
        with pytest.raises(Refused, match="majors runs scripted, which reads no regime"):
            await world.trader.regime()
        await world.trader.choose("rules", by=BY)

        assert (await world.trader.regime()).regime is kind


async def test_a_stop_does_not_wait_for_an_analysis_under_way() -> None:
    thought = asyncio.Event()

    async def slowly(work: Callable[[], T]) -> T:
        await thought.wait()
        return work()

    async with a_world(wishes=[wish(1)], offload=slowly).running() as world:
        world.clock.advance(60)
        scan = asyncio.create_task(world.trader.scan())
        await settled()

        halting = await world.desk.stop(EVERYONE, by="ben", why="/stop")
        assert not scan.done()
        assert halting.swept[0].confirmed
        thought.set()

        (decision,) = (await scan).decisions
    assert (decision.approved, decision.reason) == (False, "halted by H1")
