"""Feeds that vote: no single liar moves a price, two that differ accuse nobody."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.builders import BTC, ETH
from trading.market.candles import Candles
from trading.market.vote import NOBODY, Judgement, Voting, voted

FAR = 0.005
NAN = float("nan")
MINUTE = 60_000

WEIGHTS = st.lists(st.integers(1, 5), min_size=3, max_size=5)
TRUTH = st.floats(0.001, 100_000)
NOISE = st.floats(0, FAR * 0.99)
"""How far above the truth an honest source is: any two of them are near each other."""
A_LIE = st.one_of(st.floats(1e-6, 1e9), st.just(NAN))


def judged(prices: Sequence[float], weights: Sequence[int], least: int = 2) -> Judgement:
    voting = Voting(weights=tuple(weights), far=FAR, least=least)
    return voting.judge(np.array(prices, dtype=np.float64).reshape(-1, 1, 1))


def used(prices: Sequence[float], weights: Sequence[int], least: int = 2) -> float | None:
    """The price that an entry would go by."""
    verdict = judged(prices, weights, least)
    return prices[int(verdict.chosen[0])] if verdict.enough[0] else None


def accused(prices: Sequence[float], weights: Sequence[int]) -> list[int]:
    return np.flatnonzero(judged(prices, weights).accused[:, 0]).tolist()


# -- by hand --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prices", "weights", "price", "liars"),
    [
        ([100, 100.4], [2, 1], 100, []),
        ([100, 101], [2, 1], None, []),
        ([100, 101], [1, 1], None, []),
        ([100, NAN], [1, 1], None, []),
        ([100, 100.1, 250], [1, 1, 1], 100, [2]),
        ([250, 100, 100.1], [1, 1, 1], 100, [0]),
        ([100, 100.1, NAN], [1, 2, 1], 100.1, []),
        ([250, 100, 100.1], [3, 1, 1], None, []),
        ([250, 100, 100.1], [2, 1, 1], None, []),
        ([100, 101, 102], [1, 1, 1], None, []),
        ([100, 100, 250, 250], [1, 1, 1, 1], None, []),
        ([100, 100, 250, 250], [1, 2, 1, 1], 100, [2, 3]),
        ([100, 100.4, 100.8], [1, 1, 1], 100, []),
        ([NAN, NAN], [1, 1], None, []),
        ([0, -1, 100], [1, 1, 1], None, []),
    ],
)
def test_who_is_believed_and_who_is_accused(
    prices: list[float], weights: list[int], price: float | None, liars: list[int]
) -> None:
    assert used(prices, weights) == price
    assert accused(prices, weights) == liars


def test_of_those_that_weigh_as_much_the_first_counts() -> None:
    assert used([100.1, 100.2, 100.3], [1, 2, 2]) == 100.2


def test_one_that_is_left_counts_where_one_is_enough() -> None:
    assert used([NAN, 100, NAN], [2, 1, 1], least=1) == 100
    assert used([NAN, 100, NAN], [2, 1, 1], least=2) is None


def test_all_must_agree_where_all_are_needed() -> None:
    assert used([100, 100, 100], [1, 1, 1], least=3) == 100
    assert used([100, 100, 250], [1, 1, 1], least=3) is None


# -- always ---------------------------------------------------------------------------------------


@given(
    weights=WEIGHTS,
    truth=TRUTH,
    noise=st.lists(NOISE, min_size=5, max_size=5),
    liar=st.integers(0, 4),
    lie=A_LIE,
    lost=st.sets(st.integers(0, 4), max_size=3),
)
def test_no_single_liar_moves_a_price_that_entries_go_by_nor_has_an_honest_one_accused(
    weights: list[int], truth: float, noise: list[float], liar: int, lie: float, lost: set[int]
) -> None:
    count = len(weights)
    prices = [truth * (1 + each) for each in noise[:count]]
    prices[liar % count] = lie
    prices = [NAN if number in lost else price for number, price in enumerate(prices)]
    price = used(prices, weights)
    if price is not None:
        honest = [p for n, p in enumerate(prices) if n != liar % count and p == p]  # noqa: PLR0124  # not for NaN
        assert any(max(price, p) <= min(price, p) * (1 + FAR) for p in honest)
    assert set(accused(prices, weights)) <= {liar % count}


@given(
    weights=st.lists(st.integers(1, 9), min_size=2, max_size=5),
    prices=st.lists(st.floats(1, 1_000), min_size=2, max_size=2),
    places=st.permutations(range(5)),
)
def test_two_that_differ_accuse_nobody_whatever_they_weigh(
    weights: list[int], prices: list[float], places: list[int]
) -> None:
    assume(max(prices) > min(prices) * (1 + FAR) * 1.000001)
    said = [NAN] * len(weights)
    first, second = [place for place in places if place < len(weights)][:2]
    said[first], said[second] = prices
    verdict = judged(said, weights, least=1)
    assert verdict.differ[0]
    assert verdict.chosen[0] == NOBODY
    assert not verdict.accused.any()


@given(
    weights=WEIGHTS,
    truth=TRUTH,
    noise=st.lists(NOISE, min_size=5, max_size=5),
    lost=st.sets(st.integers(0, 4), max_size=3),
    least=st.integers(1, 5),
)
def test_prices_go_on_while_as_many_are_left_as_are_needed(
    weights: list[int], truth: float, noise: list[float], lost: set[int], least: int
) -> None:
    prices = [
        NAN if n in lost else truth * (1 + each) for n, each in enumerate(noise[: len(weights)])
    ]
    left = sum(price == price for price in prices)  # noqa: PLR0124  # not for NaN
    assert (used(prices, weights, least) is not None) is (left >= least)


@given(weights=WEIGHTS, prices=st.lists(st.floats(90, 110), min_size=5, max_size=5))
def test_whoever_is_accused_has_two_others_against_it(
    weights: list[int], prices: list[float]
) -> None:
    said = prices[: len(weights)]
    verdict = judged(said, weights)
    for one in np.flatnonzero(verdict.accused[:, 0]):
        against = [p for p in said if max(p, said[one]) > min(p, said[one]) * (1 + FAR)]
        assert len(against) >= 2
        assert any(
            max(a, b) <= min(a, b) * (1 + FAR) for n, a in enumerate(against) for b in against[:n]
        )
        assert not verdict.believed[one, 0]


# -- candles --------------------------------------------------------------------------------------


def candles(closes: Sequence[Sequence[float]], *, first: int = 1) -> Candles:
    """One-minute bars from number *first* on."""
    close = np.array(closes, dtype=np.float64)
    return Candles(
        symbols=(BTC, ETH)[: len(closes)],
        times=(np.arange(close.shape[1], dtype=np.int64) + first) * MINUTE,
        open=close.copy(),
        high=close.copy(),
        low=close.copy(),
        close=close,
        volume=np.full_like(close, 7.0),
    )


VOTING = Voting(weights=(1, 2, 1), far=FAR, least=2)


def test_a_bar_is_the_heaviest_believed_sources_own() -> None:
    one, two, three = candles([[100, 200]]), candles([[100.1, 200]]), candles([[100.2, 300]])
    two.volume[0, 0] = 9.0
    found = voted([one, two, three], (BTC,), VOTING)
    assert found.close.tolist() == [[100.1, 200.0]]
    assert found.volume.tolist() == [[9.0, 7.0]]


def test_a_lie_in_any_of_the_four_prices_is_no_part_of_the_bar() -> None:
    for panel in ("open", "high", "low", "close"):
        liar = candles([[100, 100]])
        getattr(liar, panel)[0, -1] = 120.0
        found = voted([candles([[100, 100]]), liar, candles([[100, 100.1]])], (BTC,), VOTING)
        assert np.isnan(found.close[0, 1]), "it weighs as much as both others"
        light = Voting(weights=(1, 1, 1), far=FAR, least=2)
        found = voted([candles([[100, 100]]), liar, candles([[100, 100.1]])], (BTC,), light)
        assert found.high.tolist() == [[100.0, 100.0]]


def test_a_bar_that_is_not_agreed_upon_is_missing_for_its_symbol_alone() -> None:
    one, two = candles([[100, 100], [5, 5]]), candles([[100, 102], [5, 5]])
    found = voted([one, two, candles([[NAN, NAN]])], (BTC, ETH), VOTING)
    assert np.isnan(found.close[0, 1])
    assert found.close[1].tolist() == [5.0, 5.0]


def test_sources_that_have_other_bars_and_other_symbols_vote_about_what_they_have() -> None:
    early, late = candles([[100, 100]]), candles([[100, 100]], first=2)
    found = voted([early, late, candles([[5, 5]]).rows([])], (BTC, ETH), VOTING)
    assert found.times.tolist() == [MINUTE, 2 * MINUTE, 3 * MINUTE]
    assert np.isfinite(found.close[0]).tolist() == [False, True, False]
    assert np.isnan(found.close[1]).all()


@given(
    st.lists(st.lists(st.floats(99, 101), min_size=6, max_size=6), min_size=3, max_size=3),
    st.integers(1, 6),
)
def test_a_bar_depends_on_no_other(closes: list[list[float]], bars: int) -> None:
    sources = [candles([each]) for each in closes]
    whole = voted(sources, (BTC,), VOTING)
    part = voted([each.upto(bars) for each in sources], (BTC,), VOTING)
    np.testing.assert_array_equal(whole.close[:, :bars], part.close)
