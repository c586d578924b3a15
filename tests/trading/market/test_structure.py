"""Market structure: small stories, a bar-by-bar retelling, and what must hold in any market."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trading.market.markets import (
    a_market,
    arrays,
    candles_of,
    cut,
    one_row,
    without_gaps,
)
from trading.market.candles import Candles
from trading.market.recording import crash_of_may_2021
from trading.market.structure.blocks import Blocks, blocks
from trading.market.structure.breaks import Breaks, breaks
from trading.market.structure.gaps import Gaps, gaps
from trading.market.structure.liquidity import Liquidity, liquidity
from trading.market.structure.swings import Swings, swings
from trading.market.structure.zones import StandingZones

CRASH = crash_of_may_2021().candles
BLOCK = {"average": 4, "reach": 3, "hold": 2}

EVERY: dict[str, Callable[[Candles], object]] = {
    "swings": lambda c: swings(c, length=2),
    "swings of one bar": lambda c: swings(c, length=1),
    "breaks": lambda c: breaks(c, swings(c, length=2)),
    "distant breaks": lambda c: breaks(c, swings(c, length=1), distance=0.002),
    "blocks": lambda c: blocks(c, **BLOCK),
    "strong blocks": lambda c: blocks(c, strength=2.0, average=3, reach=1, hold=1),
    "gaps": gaps,
    "liquidity": lambda c: liquidity(c, length=6),
}


def path(*turns: float) -> Candles:
    """Bars of one tick's travel each, from turning point to turning point; no wicks."""
    closes = [turns[0]]
    for begin, end in pairwise(turns):
        step = 1.0 if end > begin else -1.0
        closes += np.arange(begin + step, end + step, step).tolist()
    return one_row(
        [
            (before, max(before, now), min(before, now), now)
            for before, now in pairwise([turns[0], *closes])
        ]
    )


def where(flags: np.ndarray) -> list[tuple[int, int]]:
    """(column, value) of what is not 0 in the first row."""
    return [(int(column), int(flags[0, column])) for column in np.flatnonzero(flags[0])]


def upside_down(candles: Candles, around: float = 0.0) -> Candles:
    opens, high, low, close = (
        2 * around - panel for panel in (candles.open, candles.low, candles.high, candles.close)
    )
    return candles_of(opens, high, low, close, candles.volume)


# -- swings ---------------------------------------------------------------------------------------


def test_a_swing_is_known_only_when_the_bars_after_it_have_closed() -> None:
    candles = path(100, 110, 104)  # the top is made by bar 10; bar 11 opens there
    found = swings(candles, length=3)
    assert where(found.turn) == [(13, 1), (14, 1)]
    assert found.price[0, 13] == 110
    assert np.isnan(found.high[0, :13]).all()
    assert found.high[0, 13:].tolist() == [110] * 4
    assert (found.high_column[0, 13], found.high_known[0, 13]) == (10, 13)


def test_of_highs_without_a_low_between_them_the_highest_stands() -> None:
    def top(price: float) -> list[tuple[float, float, float, float]]:
        """A rise and a fall that make no swing low: every low is lower than the one before."""
        return [(90, price - 2, 0, 90), (90, price, 0, 90), (90, price - 2, 0, 90)]

    bars = [*top(100), *top(105), *top(103)]
    lows = [80.0 - number for number in range(len(bars))]
    candles = one_row([(o, h, low, c) for (o, h, _, c), low in zip(bars, lows, strict=True)])
    found = swings(candles, length=1)
    assert found.price[0, found.turn[0] == 1].tolist() == [100, 105, 103, 103]
    assert found.high[0, 2:].tolist() == [100] * 3 + [105] * 4
    assert found.high_column[0, -1] == 4


def test_a_market_that_does_not_move_has_one_level_and_breaks_nothing() -> None:
    candles = one_row([(7.0, 7.0, 7.0, 7.0)] * 40)
    found = swings(candles, length=5)
    assert found.high[0, 9:].tolist() == [7.0] * 31
    assert np.isnan(found.low).all()
    assert not breaks(candles, found).trend.any()
    for result in (gaps(candles), blocks(candles), liquidity(candles, length=5)):
        flags = [array for array in arrays(result) if array.dtype != np.float64]
        assert not any(flag.any() for flag in flags)


# -- breaks ---------------------------------------------------------------------------------------


def test_a_rise_beyond_the_last_high_whose_low_has_held_goes_on() -> None:
    candles = path(100, 110, 105, 120, 112, 125)
    found = breaks(candles, swings(candles, length=3))
    assert where(found.bos) == [(21, 1), (47, 1)]  # the closes of 111 and 121
    assert not found.choch.any()
    assert found.level[0, [21, 47]].tolist() == [110, 120]
    assert found.column[0, [21, 47]].tolist() == [10, 30]  # of equal highs the first


def test_a_rise_after_a_lower_low_is_a_change_of_character() -> None:
    candles = path(120, 110, 116, 104, 119)
    found = breaks(candles, swings(candles, length=3))
    assert where(found.bos) == [(23, -1)]  # 109, below the low of 110
    assert where(found.choch) == [(41, 1)]  # 117, above the high of 116, after a low of 104
    assert found.trend[0, [22, 23, 40, 41]].tolist() == [0, -1, -1, 1]


def test_what_the_swings_own_bar_did_on_its_other_side_does_not_count() -> None:
    """Within one bar nobody knows what came first."""
    lows = (99, 98, 95, 97, 98, 90, 99, 99)  # 95 is a swing; the bar of 90 is one, as a high
    highs = (101, 101, 101, 102, 103, 110, 105, 105)
    bars = [(100.0, float(high), float(low), 100.0) for high, low in zip(highs, lows, strict=True)]
    candles = one_row([*bars, (104.0, 112.0, 100.0, 111.0)])
    found = breaks(candles, swings(candles, length=2))
    assert where(found.bos) == [(8, 1)]
    assert not found.choch.any()


def spike(last: tuple[float, float, float, float]) -> Candles:
    """A swing high of 1000, and a bar after it was confirmed."""
    calm = (990.0, 991.0, 989.0, 990.0)
    return one_row([calm, calm, (990.0, 1000.0, 989.5, 990.0), calm, calm, last])


def test_a_wick_beyond_the_swing_breaks_nothing() -> None:
    candles = spike((990.0, 1020.0, 989.0, 1000.0))
    assert not breaks(candles, swings(candles, length=2)).trend.any()


@pytest.mark.parametrize(("close", "broken"), [(1002.9, False), (1003.0, False), (1003.1, True)])
def test_a_close_counts_from_the_least_distance_on(close: float, broken: bool) -> None:
    candles = spike((990.0, 1020.0, 989.0, close))
    found = breaks(candles, swings(candles, length=2), distance=0.003)
    assert where(found.bos) == ([(5, 1)] if broken else [])
    mirror = upside_down(candles, 1000.0)
    found = breaks(mirror, swings(mirror, length=2), distance=0.003)
    assert where(found.bos) == ([(5, -1)] if broken else [])


def test_a_swing_is_broken_once() -> None:
    candles = path(90, 110, 105, 112, 111)
    found = breaks(candles, swings(candles, length=6))
    assert candles.close[0, 31:].tolist() == [111, 112, 111]
    assert where(found.bos | found.choch) == [(31, 1)]


@pytest.mark.parametrize("distance", [-0.001, float("nan")])
def test_a_distance_that_makes_no_sense_is_refused(distance: float) -> None:
    with pytest.raises(ValueError, match="distance is"):
        breaks(CRASH, swings(CRASH), distance=distance)


# -- gaps, blocks, liquidity ----------------------------------------------------------------------


def test_a_gap_stands_until_a_low_touches_its_top() -> None:
    candles = one_row([
        (10, 11, 9, 10.5), (10.5, 15, 10, 14.5), (14.5, 17, 13, 16),  # a gap from 11 to 13
        (16, 18, 13.5, 17), (17, 18, 13, 14), (14, 15, 11, 12),
    ])  # fmt: skip
    found = gaps(candles)
    assert where(found.formed) == [(2, 1)]
    assert (found.bottom[0, 2], found.top[0, 2]) == (11, 13)
    assert found.below.count[0].tolist() == [0, 0, 1, 1, 0, 0]
    assert found.below.top[0, 2:4].tolist() == [13, 13]
    assert found.below.bottom[0, 2:4].tolist() == [11, 11]
    assert np.isnan(found.below.top[0, 4:]).all()
    assert where(found.below.touched) == [(4, 1)]
    assert not found.above.count.any()


def test_three_bars_apart_around_a_falling_bar_make_no_gap_upwards() -> None:
    candles = one_row([(10, 11, 9, 10.5), (14.5, 15, 10, 10.2), (14.5, 17, 13, 16)])
    assert not gaps(candles).formed.any()


CALM = [(20.0, 21.0, 19.0, 20.5), (20.5, 21.5, 19.5, 20.0)] * 10
"""Bodies of 0.5; the last candle falls: a block from 19.5 to 21.5."""
IMPULSE = (20.0, 26.0, 20.0, 25.0)
ABOVE = (25.0, 26.0, 23.0, 25.5)


def test_an_order_block_is_known_when_it_was_left_alone_for_five_bars() -> None:
    found = blocks(one_row([*CALM, IMPULSE, *[ABOVE] * 6, (25.0, 25.0, 21.5, 24.0), ABOVE]))
    assert where(found.formed) == [(25, 1)]
    assert (found.top[0, 25], found.bottom[0, 25]) == (21.5, 19.5)
    assert found.below.count[0, 24:].tolist() == [0, 1, 1, 0, 0]
    assert found.below.top[0, 25:27].tolist() == [21.5, 21.5]
    assert where(found.below.touched) == [(27, 1)]


@pytest.mark.parametrize("after", [1, 5])
def test_a_block_touched_within_five_bars_is_none(after: int) -> None:
    bars = [*CALM, IMPULSE, *[ABOVE] * 8]
    bars[20 + after] = (25.0, 26.0, 21.5, 25.5)
    assert not blocks(one_row(bars)).formed.any()


def test_a_body_below_the_strength_makes_no_block() -> None:
    for close, formed in ((20.59, False), (20.61, True)):
        bars = [*CALM, (20.0, 26.0, 20.0, close), *[ABOVE] * 6]
        assert blocks(one_row(bars)).formed.any() == formed


def test_of_two_strong_bodies_only_the_first_makes_a_block_of_the_candle() -> None:
    bars = [*CALM, IMPULSE, (25.0, 32.0, 25.0, 31.0), *[(31.0, 32.0, 29.0, 31.5)] * 8]
    assert where(blocks(one_row(bars)).formed) == [(25, 1)]


def test_a_block_above_is_the_mirror_image_of_one_below() -> None:
    bars = [*CALM, IMPULSE, *[ABOVE] * 7]
    upside_down = [(60 - o, 60 - low, 60 - high, 60 - c) for o, high, low, c in bars]
    found = blocks(one_row(upside_down))
    assert where(found.formed) == [(25, -1)]
    assert (found.top[0, 25], found.bottom[0, 25]) == (40.5, 38.5)
    assert found.above.bottom[0, 25] == 38.5
    assert not found.below.count.any()


@pytest.mark.parametrize("strength", [0.0, -1.0, float("nan")])
def test_a_strength_that_makes_no_sense_is_refused(strength: float) -> None:
    with pytest.raises(ValueError, match="strength is"):
        blocks(CRASH, strength=strength)


def test_a_sweep_goes_beyond_the_extreme_and_closes_within() -> None:
    calm = [(10.0, 11.0, 9.0, 10.0)] * 50
    swept = {
        (10.0, 12.0, 9.5, 10.5): -1,
        (10.0, 10.5, 8.0, 9.5): 1,
        (10.0, 12.0, 9.5, 11.5): 0,  # closed beyond: broken
        (10.0, 12.0, 9.5, 11.0): 0,  # closed at the extreme: not within
        (10.0, 10.5, 8.0, 9.0): 0,
        (10.0, 11.0, 9.0, 10.0): 0,  # reached, not passed
        (10.0, 12.0, 8.0, 10.0): 0,  # both
    }
    for last, sign in swept.items():
        found = liquidity(one_row([*calm, last]))
        assert np.isnan(found.high[0, :50]).all()
        assert (found.high[0, 50], found.low[0, 50]) == (11.0, 9.0)
        assert where(found.sweep) == ([(50, sign)] if sign else [])


@pytest.mark.parametrize("function", [swings, liquidity, blocks])
def test_lengths_that_make_no_sense_are_refused(function: Callable[..., object]) -> None:
    name = "hold" if function is blocks else "length"
    for bars in (0, -3, 2.5, True):
        with pytest.raises(ValueError, match="must be a whole number"):
            function(CRASH, **{name: bars})


# -- told again, bar by bar -----------------------------------------------------------------------
# The same definitions in plain loops over one row without gaps, as one would explain them.


Bar = tuple[float, float, float, float]


def bars_of(candles: Candles) -> list[Bar]:
    panels = (candles.open, candles.high, candles.low, candles.close)
    return list(zip(*(panel[0].tolist() for panel in panels), strict=True))


def retold_swings(bars: list[Bar], length: int) -> Iterator[tuple[int, float, float]]:
    """(turn, high in force, low in force) at each close."""
    force, last = {1: np.nan, -1: np.nan}, 0
    for now in range(len(bars)):
        seen = bars[now - 2 * length + 1 : now + 1] if now >= 2 * length - 1 else []
        turn = 0
        if seen:
            _, high, low, _ = bars[now - length]
            if high == max(bar[1] for bar in seen):
                turn = 1
            elif low == min(bar[2] for bar in seen):
                turn = -1
            price = high if turn > 0 else low
            if turn and (turn != last or turn * price > turn * force[turn]):
                force[turn] = price
            last = turn or last
        yield turn, force[1], force[-1]


def assert_swings_as_retold(found: Swings, bars: list[Bar], length: int) -> None:
    retold = np.array(list(retold_swings(bars, length))).reshape(-1, 3)
    np.testing.assert_array_equal(found.turn[0], retold[:, 0])
    np.testing.assert_array_equal(found.high[0], retold[:, 1])
    np.testing.assert_array_equal(found.low[0], retold[:, 2])
    for column in range(len(bars)):
        if found.high_column[0, column] >= 0:
            assert bars[found.high_column[0, column]][1] == found.high[0, column]
        if found.low_column[0, column] >= 0:
            assert bars[found.low_column[0, column]][2] == found.low[0, column]


def retold_breaks(bars: list[Bar], known: Swings, distance: float) -> Iterator[tuple[int, int]]:
    """(BOS, CHoCH) at each close, on the side that is broken."""
    done: dict[int, int] = {1: -1, -1: -1}
    for now, (_, _, _, close) in enumerate(bars):
        crossed = []
        for sign, level, since, made, other in (
            (1, known.high, known.high_known, known.high_column, known.low),
            (-1, known.low, known.low_known, known.low_column, known.high),
        ):
            price, confirmed = level[0, now], int(since[0, now])
            beyond = sign * (close - price) > distance * abs(price)
            if beyond and done[sign] != confirmed:
                done[sign] = confirmed
                begin = int(made[0, now]) + 1
                furthest = min(sign * bar[2 if sign > 0 else 1] for bar in bars[begin : now + 1])
                turned = furthest < sign * other[0, confirmed]
                crossed.append((sign, turned))
        assert len(crossed) < 2  # or `sign` below would hide one of them
        sign, turned = crossed[0] if crossed else (0, False)
        yield (0, sign) if turned else (sign, 0)


def retold_standing(
    bars: list[Bar], formed: list[tuple[int, float, float] | None]
) -> StandingZones:
    """Zones below: a plain list of what stands, each bar asked whether it touches."""
    standing: list[tuple[float, float]] = []
    rows = []
    for (_, _, low, _), zone in zip(bars, formed, strict=True):
        touched = [each for each in standing if low <= each[0]]
        standing = [each for each in standing if low > each[0]]
        if zone:
            standing.append(zone[1:])
        top, bottom = standing[-1] if standing else (np.nan, np.nan)
        rows.append((top, bottom, len(standing), len(touched)))
    table = np.array(rows).reshape(-1, 4).T[:, np.newaxis, :]
    return StandingZones(
        top=table[0], bottom=table[1],
        count=table[2].astype(np.int32), touched=table[3].astype(np.int32),
    )  # fmt: skip


def retold_gap(bars: list[Bar], now: int) -> tuple[int, float, float] | None:
    if now < 2 or not bars[now - 1][3] > bars[now - 1][0]:
        return None
    bottom, top = bars[now - 2][1], bars[now][2]
    return (1, top, bottom) if bottom < top else None


def retold_block(bars: list[Bar], now: int) -> tuple[int, float, float] | None:
    average, reach, hold = BLOCK["average"], BLOCK["reach"], BLOCK["hold"]

    def strong(at: int) -> bool:
        bodies = [abs(bar[3] - bar[0]) for bar in bars[at - average : at]]
        body = bars[at][3] - bars[at][0]
        return body > 0 and len(bodies) == average and body >= 1.2 * sum(bodies) / average

    impulse = now - hold
    if impulse < 0 or not strong(impulse):
        return None
    candle = next((at for at in range(impulse - 1, -1, -1) if bars[at][3] < bars[at][0]), None)
    if candle is None or impulse - candle > reach or any(map(strong, range(candle, impulse))):
        return None
    _, top, bottom, _ = bars[candle]
    untouched = all(bar[2] > top for bar in bars[impulse + 1 : now + 1])
    return (1, top, bottom) if untouched else None


def assert_zones_as_retold(
    found: Gaps | Blocks,
    candles: Candles,
    retold: Callable[[list[Bar], int], tuple[int, float, float] | None],
) -> None:
    for sign, standing, market in (
        (1, found.below, candles),
        (-1, found.above, upside_down(candles)),
    ):
        bars = bars_of(market)
        formed = [retold(bars, now) for now in range(len(bars))]
        assert [zone is not None for zone in formed] == (found.formed[0] == sign).tolist()
        expected = retold_standing(bars, formed)
        near, far = (standing.top, standing.bottom) if sign > 0 else (standing.bottom, standing.top)
        np.testing.assert_array_equal(sign * near, expected.top)
        np.testing.assert_array_equal(sign * far, expected.bottom)
        np.testing.assert_array_equal(standing.count, expected.count)
        np.testing.assert_array_equal(standing.touched, expected.touched)


def assert_all_as_retold(candles: Candles) -> None:
    bars = bars_of(candles)
    known = swings(candles, length=2)
    assert_swings_as_retold(known, bars, 2)
    for distance in (0.0, 0.002):
        found = breaks(candles, known, distance=distance)
        retold = np.array(list(retold_breaks(bars, known, distance))).reshape(-1, 2)
        np.testing.assert_array_equal(np.stack((found.bos[0], found.choch[0]), axis=1), retold)
    assert_zones_as_retold(gaps(candles), candles, retold_gap)
    assert_zones_as_retold(blocks(candles, **BLOCK), candles, retold_block)


seeds = st.integers(0, 2**32 - 1)


@settings(max_examples=150, deadline=None)
@given(seed=seeds, bars=st.integers(0, 120))
def test_told_bar_by_bar_the_structure_is_the_same(seed: int, bars: int) -> None:
    assert_all_as_retold(a_market(seed, symbols=1, bars=bars, missing=0))


@pytest.mark.parametrize("row", range(len(CRASH.symbols)))
def test_told_bar_by_bar_a_real_crash_has_the_same_structure(row: int) -> None:
    assert_all_as_retold(CRASH.rows([row]).upto(500))


# -- what holds in any market ---------------------------------------------------------------------


def assert_equal(found: object, expected: list[np.ndarray], name: str) -> None:
    for mine, other in zip(arrays(found), expected, strict=True):
        np.testing.assert_array_equal(mine, other, err_msg=name)


@settings(max_examples=80, deadline=None)
@given(seed=seeds, bars=st.integers(0, 90), data=st.data())
def test_structure_does_not_know_the_future(seed: int, bars: int, data: st.DataObject) -> None:
    candles = a_market(seed, bars=bars)
    known = data.draw(st.integers(0, bars))
    for name, function in EVERY.items():
        assert_equal(
            function(candles.upto(known)), cut(function(candles), slice(None, known)), name
        )


def test_on_a_real_crash_structure_does_not_know_the_future() -> None:
    for name, function in EVERY.items():
        whole = function(CRASH)
        for bars in range(1, CRASH.bars, 53):
            assert_equal(function(CRASH.upto(bars)), cut(whole, slice(None, bars)), name)


WINDOWED: dict[str, tuple[Callable[[Candles], list[np.ndarray]], int]] = {
    "turns": (lambda c: arrays(swings(c, length=3))[:2], 5),
    "gaps": (lambda c: arrays(gaps(c))[:3], 2),
    "blocks": (lambda c: arrays(blocks(c, **BLOCK))[:3], sum(BLOCK.values())),
    "liquidity": (lambda c: arrays(liquidity(c, length=6)), 6),
}
"""What forgets, and after how many bars."""


@settings(max_examples=80, deadline=None)
@given(seed=seeds, bars=st.integers(0, 90), data=st.data())
def test_what_has_a_window_depends_on_it_only(seed: int, bars: int, data: st.DataObject) -> None:
    candles = a_market(seed, bars=bars, missing=0)
    kept = data.draw(st.integers(0, bars))
    for name, (function, warm) in WINDOWED.items():
        whole = [array[:, bars - kept + warm :] for array in function(candles)]
        tail = [array[:, warm:] for array in function(candles.last(kept))]
        for mine, other in zip(tail, whole, strict=True):
            np.testing.assert_array_equal(mine, other, err_msg=name)


def test_swings_and_breaks_on_a_tail_of_a_real_crash_are_those_of_the_whole() -> None:
    """A swing in force remembers without bound; ten hours hold all that is newest."""
    for name in ("swings", "breaks"):
        whole, tail = arrays(EVERY[name](CRASH)), arrays(EVERY[name](CRASH.last(600)))
        for mine, other in zip(tail, whole, strict=True):
            if mine.dtype != np.int64:  # numbers of columns
                np.testing.assert_array_equal(mine[:, -300:], other[:, -300:], err_msg=name)


@settings(max_examples=60, deadline=None)
@given(seed=seeds, bars=st.integers(0, 90))
def test_missing_bars_are_left_out(seed: int, bars: int) -> None:
    """Each row gives what it would give alone, without its gaps; and nothing in them."""
    candles = a_market(seed, bars=bars, missing=0.2)
    for name, function in EVERY.items():
        together = arrays(function(candles))
        for row in range(len(candles.symbols)):
            alone, held = without_gaps(candles, row)
            columns = np.flatnonzero(held)
            for mine, other in zip(together, arrays(function(alone)), strict=True):
                expected = other[0]
                if other.dtype == np.int64:  # numbers of columns, which gaps move
                    expected = np.array([columns[at] if at >= 0 else -1 for at in other[0]])
                np.testing.assert_array_equal(mine[row, held], expected, err_msg=name)
                assert_nothing(mine[row, ~held])


def assert_nothing(values: np.ndarray) -> None:
    if values.dtype == np.float64:
        assert np.isnan(values).all()
    else:
        assert (values == (-1 if values.dtype == np.int64 else 0)).all()


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("shape", [(1, 0), (0, 0), (0, 5), (1, 1), (3, 2)])
def test_next_to_no_bars_have_next_to_no_structure(name: str, shape: tuple[int, int]) -> None:
    candles = a_market(1, symbols=shape[0], bars=shape[1], missing=0)
    for array in arrays(EVERY[name](candles)):
        assert array.shape == shape
        if "one bar" not in name and "distant" not in name:
            assert_nothing(array)


def test_a_row_without_any_bars_has_no_structure_and_disturbs_no_other() -> None:
    candles = a_market(9, symbols=2, bars=80, missing=0)
    alone = candles.rows([0])
    for panel in (candles.open, candles.high, candles.low, candles.close, candles.volume):
        panel[1] = np.nan
    for function in EVERY.values():
        for mine, expected in zip(arrays(function(candles)), arrays(function(alone)), strict=True):
            np.testing.assert_array_equal(mine[0], expected[0])
            assert_nothing(mine[1])


def test_long_and_wide_panels_are_worked_through_in_parts() -> None:
    """A table of minima for all of it would be too large: the parts must fit together."""
    wide = a_market(4, symbols=150, bars=180, missing=0.02)
    for function in (gaps, blocks):
        together = arrays(function(wide))
        for row in (0, 1, 80, 81, 82, 149):
            for mine, alone in zip(together, arrays(function(wide.rows([row]))), strict=True):
                np.testing.assert_array_equal(mine[row], alone[0])


def test_a_real_crash_has_structure_of_every_kind() -> None:
    found: tuple[Swings, Breaks, Blocks, Gaps, Liquidity] = (
        known := swings(CRASH), breaks(CRASH, known, distance=0.003), blocks(CRASH), gaps(CRASH),
        liquidity(CRASH),
    )  # fmt: skip
    _, broken, block, gap, extreme = found
    for flags in (broken.bos, broken.choch, block.formed, gap.formed, extreme.sweep):
        for sign in (1, -1):
            assert np.count_nonzero(flags == sign) >= 10
