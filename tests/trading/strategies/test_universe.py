from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.market.universe import (
    CORE,
    CYCLES,
    EVENT,
    ROTATIONAL,
    STABLE,
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


def after(universe: Universe, symbol: Symbol, *seen: MarketStats | None) -> Universe:
    for stats in seen:
        universe = universe.observe({} if stats is None else {symbol: stats})
    return universe


def number(universe: Universe, symbol: Symbol) -> int | None:
    tier = universe.tier(symbol)
    return None if tier is None else tier.number


# -- entering -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("symbol", "stats", "tier"),
    [(BTC, DEEP, CORE), (LINK, DEEP, ROTATIONAL), (BTC, FAIR, ROTATIONAL), (LINK, THIN, EVENT)],
)
def test_a_symbol_enters_the_best_tier_it_meets(
    symbol: Symbol, stats: MarketStats, tier: Tier
) -> None:
    assert after(Universe(), symbol, stats, stats, stats).tier(symbol) == tier


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
    worse = getattr(exact, short_of) + (Decimal("0.01") if short_of == "spread_bps" else -1)
    assert tier.takes(BTC, exact)
    assert not tier.takes(BTC, replace(exact, **{short_of: worse}))


@pytest.mark.parametrize("missing", ["volume", "spread_bps", "depth"])
@pytest.mark.parametrize("value", [None, Decimal("NaN"), Decimal(-1), Decimal("Infinity")])
def test_what_is_unknown_is_not_traded(missing: str, value: Decimal | None) -> None:
    unknown = replace(DEEP, **{missing: value})
    assert not after(Universe(), BTC, *[unknown] * 5).members


@given(st.sampled_from(sorted(STABLE)), st.lists(st.sampled_from([DEEP, FAIR, THIN]), max_size=6))
def test_a_stablecoin_is_never_traded(base: str, seen: list[MarketStats]) -> None:
    coin = Symbol(base, "USDT")
    assert number(after(Universe(), coin, *seen), coin) is None


def test_a_stablecoin_that_an_older_list_let_in_is_out_at_once() -> None:
    universe = Universe(members={USDC: 2})
    assert universe.tier(USDC) is None
    assert USDC not in universe.observe({USDC: DEEP}).members


# -- staying and leaving --------------------------------------------------------------------------


def test_two_bad_cycles_throw_nobody_out() -> None:
    member = after(Universe(), BTC, DEEP, DEEP, DEEP)
    assert number(after(member, BTC, DEAD, DEAD), BTC) == 1
    assert number(after(member, BTC, DEAD, DEAD, DEEP, DEAD, DEAD), BTC) == 1
    assert number(after(member, BTC, DEAD, DEAD, DEAD), BTC) is None


def test_a_symbol_that_is_not_measured_leaves_after_three_cycles() -> None:
    member = after(Universe(), BTC, DEEP, DEEP, DEEP)
    assert number(after(member, BTC, None, None), BTC) == 1
    assert number(after(member, BTC, None, None, None), BTC) is None


def test_a_worse_market_moves_to_the_worst_tier_it_met_meanwhile() -> None:
    member = after(Universe(), BTC, DEEP, DEEP, DEEP)
    assert number(after(member, BTC, FAIR, THIN, FAIR), BTC) == 3
    assert number(after(member, BTC, FAIR, DEAD, FAIR), BTC) is None


def test_swinging_between_two_tiers_too_low_keeps_nobody() -> None:
    member = after(Universe(), LINK, FAIR, FAIR, FAIR)
    assert number(after(member, LINK, THIN, DEAD, THIN), LINK) is None


def test_a_better_market_moves_up_after_three_cycles() -> None:
    member = after(Universe(), BTC, THIN, THIN, THIN)
    assert number(after(member, BTC, DEEP, DEEP), BTC) == 3
    assert number(after(member, BTC, DEEP, FAIR, DEEP), BTC) == 2
    assert number(after(member, BTC, DEEP, DEEP, DEEP), BTC) == 1


stats = st.sampled_from([DEEP, FAIR, THIN, DEAD, None])


@given(st.lists(stats, max_size=20))
def test_whoever_is_in_met_its_tier_not_long_ago(seen: list[MarketStats | None]) -> None:
    tier = after(Universe(), BTC, *seen).tier(BTC)
    if tier is not None:
        assert any(each is not None and tier.takes(BTC, each) for each in seen[-CYCLES:])


@given(st.lists(stats, max_size=20))
def test_nothing_changes_without_three_cycles_that_agree_on_the_side(
    seen: list[MarketStats | None],
) -> None:
    universe, moves = Universe(), list[int]()
    for cycle, each in enumerate(seen):
        before = number(universe, BTC)
        universe = after(universe, BTC, each)
        if number(universe, BTC) != before:
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
    universe = Universe(tiers=(liquid,), cycles=1).observe({LINK: THIN, BTC: DEEP})
    assert universe.members == {BTC: 1, LINK: 1}


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"cycles": 0}, "cycles is 0"),
        ({"tiers": (EVENT, CORE)}, "the best first"),
        ({"tiers": ()}, "tiers"),
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Universe(**wrong)  # type: ignore[arg-type]  # that is the point
