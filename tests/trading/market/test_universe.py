from __future__ import annotations

from collections.abc import ItemsView
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import NOON
from trading.market.universe import (
    CORE,
    CYCLES,
    EVENT,
    EVERYTHING,
    ROTATIONAL,
    STABLE,
    VOLUME,
    MarketScan,
    MarketStats,
    Tier,
    Universe,
)
from trading.types import Symbol

BTC, LINK, USDC = (Symbol(base, "USD") for base in ("BTC", "LINK", "USDC"))


def market(volume: int, spread: float, depth: int) -> MarketStats:
    return MarketStats(
        volume=Decimal(volume), spread_bps=Decimal(str(spread)), depth=Decimal(depth)
    )


DEEP = market(50_000_000, 2, 500_000)
FAIR = market(6_000_000, 30, 30_000)
THIN = market(3_000_000, 50, 12_000)
DEAD = market(100_000, 200, 500)


def scan(stats: dict[Symbol, MarketStats], measured: frozenset[str] = EVERYTHING) -> MarketScan:
    return MarketScan(at=NOON, stats=stats, measured=measured)


def after(universe: Universe, symbol: Symbol, *seen: MarketStats | None) -> Universe:
    for stats in seen:
        universe = universe.observe(scan({} if stats is None else {symbol: stats}))
    return universe


def volumes(**each: int) -> MarketScan:
    return scan({Symbol(base, "USD"): market(volume, 1, 10**7) for base, volume in each.items()})


# -- entering -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("symbol", "stats", "tier"),
    [(BTC, DEEP, CORE), (LINK, DEEP, ROTATIONAL), (BTC, FAIR, ROTATIONAL), (LINK, THIN, EVENT)],
)
def test_a_symbol_enters_the_best_tier_it_meets(
    symbol: Symbol, stats: MarketStats, tier: Tier
) -> None:
    assert after(Universe(), symbol, stats, stats, stats).terms(symbol) == tier


def test_two_good_cycles_let_nobody_in() -> None:
    assert not after(Universe(), BTC, DEEP, DEEP).members
    assert not after(Universe(), BTC, DEEP, DEEP, DEAD, DEEP, DEEP).members


def test_a_market_that_is_dead_never_enters() -> None:
    universe = after(Universe(), LINK, *[DEAD] * 10)
    assert universe == Universe()


@pytest.mark.parametrize("tier", [CORE, ROTATIONAL, EVENT])
@pytest.mark.parametrize("short_of", ["volume", "spread_bps", "depth"])
def test_each_limit_counts_and_its_exact_value_is_enough(tier: Tier, short_of: str) -> None:
    exact = MarketStats(
        volume=tier.min_volume, spread_bps=tier.max_spread_bps, depth=tier.min_depth
    )
    by = Decimal("0.01") if short_of == "spread_bps" else Decimal(-1)
    worse: dict[str, Any] = {short_of: getattr(exact, short_of) + by}
    assert tier.takes(BTC, exact)
    assert not tier.takes(BTC, replace(exact, **worse))


@pytest.mark.parametrize("missing", ["volume", "spread_bps", "depth"])
@pytest.mark.parametrize("value", [None, Decimal("NaN"), Decimal(-1), Decimal("Infinity")])
def test_what_is_unknown_is_not_traded(missing: str, value: Decimal | None) -> None:
    without: dict[str, Any] = {missing: value}
    unknown = replace(DEEP, **without)
    assert not after(Universe(), BTC, *[unknown] * 5).members


@given(st.sampled_from(sorted(STABLE)), st.lists(st.sampled_from([DEEP, FAIR, THIN]), max_size=6))
def test_a_stablecoin_is_never_traded(base: str, seen: list[MarketStats]) -> None:
    coin = Symbol(base, "USDT")
    assert after(Universe(), coin, *seen).tier(coin) is None


def test_a_stablecoin_that_an_older_list_let_in_is_out_at_once() -> None:
    universe = Universe(members={USDC: 2})
    assert universe.tier(USDC) is None
    assert USDC not in universe.observe(scan({USDC: DEEP})).members


# -- staying and leaving --------------------------------------------------------------------------


def test_two_bad_cycles_throw_nobody_out() -> None:
    member = after(Universe(), BTC, DEEP, DEEP, DEEP)
    assert after(member, BTC, DEAD, DEAD).tier(BTC) == 1
    assert after(member, BTC, DEAD, DEAD, DEEP, DEAD, DEAD).tier(BTC) == 1
    assert after(member, BTC, DEAD, DEAD, DEAD).tier(BTC) is None


def test_a_symbol_that_is_not_measured_leaves_after_three_cycles() -> None:
    member = after(Universe(), BTC, DEEP, DEEP, DEEP)
    assert after(member, BTC, None, None).tier(BTC) == 1
    assert after(member, BTC, None, None, None).tier(BTC) is None


def test_a_worse_market_moves_to_the_worst_tier_it_met_meanwhile() -> None:
    member = after(Universe(), BTC, DEEP, DEEP, DEEP)
    assert after(member, BTC, FAIR, THIN, FAIR).tier(BTC) == 3
    assert after(member, BTC, FAIR, DEAD, FAIR).tier(BTC) is None


def test_swinging_between_two_tiers_too_low_keeps_nobody() -> None:
    member = after(Universe(), LINK, FAIR, FAIR, FAIR)
    assert after(member, LINK, THIN, DEAD, THIN).tier(LINK) is None


def test_a_better_market_moves_up_after_three_cycles() -> None:
    member = after(Universe(), BTC, THIN, THIN, THIN)
    assert after(member, BTC, DEEP, DEEP).tier(BTC) == 3
    assert after(member, BTC, DEEP, FAIR, DEEP).tier(BTC) == 2
    assert after(member, BTC, DEEP, DEEP, DEEP).tier(BTC) == 1


stats = st.sampled_from([DEEP, FAIR, THIN, DEAD, None])


@given(st.lists(stats, max_size=20))
def test_whoever_is_in_met_its_tier_not_long_ago(seen: list[MarketStats | None]) -> None:
    tier = after(Universe(), BTC, *seen).terms(BTC)
    if tier is not None:
        assert any(each is not None and tier.takes(BTC, each) for each in seen[-CYCLES:])


@given(st.lists(stats, max_size=20))
def test_nothing_changes_without_three_cycles_that_agree_on_the_side(
    seen: list[MarketStats | None],
) -> None:
    universe, moves = Universe(), list[int]()
    for cycle, each in enumerate(seen):
        before = universe.tier(BTC)
        universe = after(universe, BTC, each)
        if universe.tier(BTC) != before:
            moves.append(cycle)
    gaps = [later - earlier for earlier, later in zip([-1, *moves], moves, strict=False)]
    assert all(gap >= CYCLES for gap in gaps)


def test_observing_leaves_the_value_as_it_was() -> None:
    before = after(Universe(), BTC, DEEP, DEEP)
    after(before, BTC, DEEP)
    assert not before.members
    assert before.drifts[BTC].cycles == 2


def test_other_tiers_make_another_universe() -> None:
    liquid = replace(EVENT, number=1, name="liquid", min_volume=Decimal(1_000_000))
    universe = Universe(tiers=(liquid,), cycles=1).observe(scan({LINK: THIN, BTC: DEEP}))
    assert universe.members == {BTC: 1, LINK: 1}


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"cycles": 0}, "cycles is 0"),
        ({"most": 0}, "most is 0"),
        ({"tiers": (EVENT, CORE)}, "the best first"),
        ({"tiers": ()}, "tiers"),
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Universe(**wrong)  # type: ignore[arg-type]  # that is the point


# -- at most so many ------------------------------------------------------------------------------

LIQUID = Tier(number=1, name="liquid", min_volume=Decimal(1_000_000))
TWO = Universe(tiers=(LIQUID,), most=2)
A, B, C = (Symbol(base, "USD") for base in "ABC")


def test_the_largest_volumes_are_kept() -> None:
    universe = TWO
    for _ in range(CYCLES):
        universe = universe.observe(volumes(A=5_000_000, B=3_000_000, C=4_000_000))
    assert set(universe.members) == {A, C}
    assert (
        universe.why_not(B, volumes(A=5_000_000, B=3_000_000, C=4_000_000))
        == "volume 3 M is not among the 2 largest"
    )


def test_a_newcomer_waits_until_there_is_room() -> None:
    universe = Universe(tiers=(LIQUID,), most=2, members={A: 1, B: 1})
    c_beats_b = volumes(A=5_000_000, B=3_000_000, C=4_000_000)
    c_beats_a = volumes(A=3_000_000, B=5_000_000, C=4_000_000)
    for seen in (c_beats_b, c_beats_a, c_beats_b):  # nobody of both is out three times in a row
        universe = universe.observe(seen)
    assert set(universe.members) == {A, B}
    assert universe.why_not(C, c_beats_b) == "no room yet"
    for _ in range(2):
        universe = universe.observe(c_beats_b)
    assert set(universe.members) == {A, C}


@given(
    st.lists(
        st.fixed_dictionaries({base: st.integers(0, 5_000_000) for base in "ABCDEF"}), max_size=25
    ),
    st.integers(1, 4),
)
def test_there_are_never_more_members_than_most(seen: list[dict[str, int]], most: int) -> None:
    universe = Universe(tiers=(LIQUID,), most=most)
    for each in seen:
        universe = universe.observe(volumes(**each))
        assert len(universe.members) <= most


# -- why ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stats", "why"),
    [
        (replace(DEEP, volume=Decimal(1_234_567)), "volume 1.23 M < 2 M"),
        (replace(DEEP, volume=Decimal(1_999_999)), "volume 1.99 M < 2 M"),
        (replace(DEEP, volume=Decimal(950)), "volume 950 < 2 M"),
        (replace(DEEP, volume=Decimal(0)), "volume 0 < 2 M"),
        (replace(DEEP, volume=None), "volume unknown"),
        (replace(DEEP, spread_bps=Decimal("60.01")), "spread 60.1 > 60 bps"),
        (replace(DEEP, spread_bps=None), "spread unknown"),
        (replace(DEEP, depth=Decimal(4_200)), "depth 4.2 k < 10 k"),
        (replace(DEEP, tradable=False), "not traded now"),
        (DEEP, "good in 0 surveys yet"),
    ],
)
def test_it_says_why_somebody_is_out(stats: MarketStats, why: str) -> None:
    assert Universe().why_not(LINK, scan({LINK: stats})) == why


def test_it_says_how_far_somebody_is_on_the_way_in() -> None:
    universe = after(Universe(), LINK, DEEP, DEEP)
    assert universe.why_not(LINK, scan({LINK: DEEP})) == "good in 2 of 3 surveys"


def test_it_says_who_never_gets_in_and_who_is_not_known() -> None:
    universe = Universe(never=frozenset({"LINK"}))
    assert universe.why_not(LINK, scan({LINK: DEEP})) == "the settings say never"
    assert universe.why_not(USDC, None) == "it is money, or meant to cost as much"
    assert universe.why_not(BTC, None) == "not surveyed yet"
    assert universe.why_not(BTC, scan({})) == "not on the market's list"


def test_never_means_what_is_listed_by_the_thousand_too() -> None:
    assert Universe(never=frozenset({"PEPE"})).never_trades(Symbol("1000PEPE", "USDT"))


def test_who_the_settings_never_trade_is_out_at_once() -> None:
    universe = Universe(never=frozenset({"LINK"}), members={LINK: 2})
    assert universe.tier(LINK) is None
    assert LINK not in universe.observe(scan({LINK: DEEP})).members


# -- what cannot be measured at all ---------------------------------------------------------------


def test_where_only_volumes_are_recorded_only_they_count() -> None:
    of_volume = scan(
        {LINK: MarketStats(volume=Decimal(6_000_000), spread_bps=None, depth=None)},
        frozenset({VOLUME}),
    )
    universe = Universe(cycles=1).observe(of_volume)
    assert universe.tier(LINK) == 2
    blind = replace(of_volume, measured=EVERYTHING)
    assert Universe(cycles=1).observe(blind).tier(LINK) is None


# -- what many ask of one survey ------------------------------------------------------------------

FIGURES = st.none() | st.sampled_from(["NaN", "-1", "0", "20", "35", "10_000", "10_000_000"]).map(
    Decimal
)


@given(
    stats=st.builds(
        MarketStats, volume=FIGURES, spread_bps=FIGURES, depth=FIGURES, tradable=st.booleans()
    ),
    tier=st.sampled_from(
        [CORE, ROTATIONAL, EVENT, Tier(number=1, name="any", min_volume=Decimal(0))]
    ),
    measured=st.sampled_from([EVERYTHING, frozenset({VOLUME})]),
)
def test_a_market_is_taken_exactly_if_nothing_is_short(
    stats: MarketStats, tier: Tier, measured: frozenset[str]
) -> None:
    assert tier.takes(BTC, stats, measured) is (tier.shortfall(stats, measured) == "")


class Counted(dict[Symbol, MarketStats]):
    """Counts how often somebody goes through all of it."""

    rounds = 0

    def items(self) -> ItemsView[Symbol, MarketStats]:  # type: ignore[override]  # dict's own view
        self.rounds += 1
        return super().items()


def test_a_survey_is_gone_through_once_however_many_are_told_why_they_are_out() -> None:
    stats = Counted({Symbol(f"C{n}", "USD"): market(50_000_000 + n, 2, 10**6) for n in range(50)})
    seen = scan(stats)
    universe = Universe(most=5).observe(seen)
    for symbol in stats:
        assert universe.why_not(symbol, seen)
    assert stats.rounds == 1
    wider = replace(universe, most=40)
    told = [wider.lacks(symbol, seen) for symbol in stats]
    assert sum(bool(why) for why in told) == 10
    assert stats.rounds == 2
