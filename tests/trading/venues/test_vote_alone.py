"""A source that is left alone: nobody is believed by the silence of those who contradicted it."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from tests.builders import BTC
from tests.trading.venues.test_vote import FAR, Market
from trading.market.doubts import DoubtKind
from trading.types import Quote
from trading.venues.vote import BEHIND


def two_that_differed() -> Market:
    market = Market(weights=(2, 1))
    market.says("100.3", "95.9")
    assert market.doubts().keys() == {DoubtKind.DIFFER}
    return market


def test_who_differed_from_the_own_market_does_not_stand_in_when_that_falls_silent() -> None:
    market = two_that_differed()
    for _ in range(3):
        market.clock.advance(61)
        market.says("-", "95.8")
        why = market.doubts()[DoubtKind.FEW].why
        assert (
            why == "there is only bybit, not believed alone: with others it was last not believed"
        )
        assert market.price == Decimal("100.3")


def test_it_stands_in_once_it_has_agreed_again() -> None:
    market = two_that_differed()
    market.says("96", "95.9")
    assert market.doubts() == {}
    market.clock.advance(61)
    market.says("-", "95.8")
    assert market.price == Decimal("95.8")


def test_whoever_was_accused_does_not_stand_in_either() -> None:
    market = Market(weights=(1, 1, 1))
    market.says("100", "100", "130")
    assert DoubtKind.ACCUSED in market.doubts()
    market.clock.advance(61)
    market.says("-", "-", "130")
    market.doubts()
    assert market.price == 100


def test_where_one_source_is_enough_nothing_is_entered_by_one_that_was_contradicted() -> None:
    market = Market(weights=(2, 1), least=1)
    market.says("100", "95")
    market.doubts()
    for lone in (("-", "95"), ("100", "-")):
        market.clock.advance(122)
        market.says(*lone)
        assert "not believed alone" in market.feed.objection(BTC)


def test_a_restart_makes_nobody_credible() -> None:
    market = Market(weights=(2, 1))
    market.clock.advance(61)
    market.says("-", "95.9")
    assert market.price == 100, "nobody has seen these two agree"


PRICES = st.sampled_from(["-", "100", "100.1", "95", "130"])
STEPS = st.lists(st.tuples(st.sampled_from([1, 20, 61, 300]), PRICES, PRICES, PRICES), max_size=25)


def agree(one: Quote, other: Quote) -> bool:
    low, high = sorted((one.price, other.price))
    return high <= low * (1 + Decimal(str(FAR)))


@given(steps=STEPS, weights=st.sampled_from([(1, 1, 1), (2, 1, 1), (1, 2, 3)]))
def test_a_lone_source_never_becomes_believed_by_the_silence_of_those_who_contradicted_it(
    steps: list[tuple[int, str, str, str]], weights: tuple[int, int, int]
) -> None:
    market = Market(weights=weights, least=2)
    contradicted: dict[str, bool] = {}
    for seconds, *prices in steps:
        market.clock.advance(seconds)
        market.says(*prices)
        market.doubts()
        quotes = {e.name: q for e in market.exchanges if (q := e.quote(BTC)) is not None}
        newest = max(quote.at for quote in quotes.values())
        there = {name: q for name, q in quotes.items() if newest - q.at <= BEHIND}
        if len(there) > 1:
            for name, quote in there.items():
                others = [q for n, q in there.items() if n != name]
                contradicted[name] = not any(agree(quote, other) for other in others)
            continue
        ((name, lone),) = there.items()
        if name != "binance" and contradicted.get(name, True):
            shown = market.feed.quote(BTC)
            assert shown is not None
            assert shown is not lone
            assert shown == quotes["binance"], "the own market's last price stays"
            assert market.feed.objection(BTC)
