"""What a venue refuses, in words: what does not fit, what is not traded, what it cannot do."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal

import pytest

from tests.contracts.venue_world import (
    BTC,
    NOWHERE,
    Opener,
    a_sentence,
)
from trading.errors import (
    VenueMisfit,
    VenueRejected,
)
from trading.types import (
    MarketRules,
    OrderStatus,
    OrderType,
    Side,
    Stops,
    Targets,
    Untraded,
)

D = Decimal
OPEN = OrderStatus.OPEN


# -- what is refused --------------------------------------------------------------------------


async def test_what_does_not_fit_the_rules_is_told_from_other_refusals(a_market: Opener) -> None:
    """Whoever hears of it reads the rules again, which may have changed."""
    world = await a_market()
    rules = (await world.venue()).rules(BTC)
    assert isinstance(rules, MarketRules)
    by_tick, by_stop = world.at(-5) + rules.tick / 2, world.at(5) + rules.tick / 2
    worthless = rules.quantity(rules.min_notional / world.at(-5) / 2)
    stop = replace(world.buy(), type=OrderType.STOP, stop_price=by_stop)
    for odd in (
        replace(world.buy(), quantity=world.unit + rules.lot / 2),
        replace(world.buy(), quantity=D(0)),
        replace(world.buy(at=-5), price=by_tick),
        replace(world.buy(at=-5), quantity=worthless),
        *([] if rules.stops is Stops.DESK else [stop]),
    ):
        with pytest.raises(VenueMisfit) as refused:
            await world.place(odd)
        assert a_sentence(refused.value)
        assert (await world.find(odd), world.sent()) == (None, 0)


async def test_what_cannot_be_paid_is_refused_or_is_on_margin(a_market: Opener) -> None:
    world = await a_market()
    venue, order = await world.venue(), world.buy(300)
    preview = await venue.preview(BTC, Side.BUY, order.quantity)
    assert preview.margin is not None
    assert preview.free is not None
    if not venue.cash:
        return
    assert preview.margin > preview.free
    with pytest.raises(VenueRejected) as refused:
        await world.place(order)
    assert a_sentence(refused.value)
    assert await world.held() == 0


async def test_a_symbol_that_is_not_traded_here_is_refused_in_its_own_words(
    a_market: Opener,
) -> None:
    world = await a_market()
    venue = await world.venue()
    rules = venue.rules(NOWHERE)
    assert isinstance(rules, Untraded)
    assert str(NOWHERE) in rules.why
    with pytest.raises(VenueRejected, match=re.escape(rules.why)):
        await world.place(replace(world.buy(), symbol=NOWHERE))
    with pytest.raises(VenueRejected, match=re.escape(rules.why)):
        await venue.preview(NOWHERE, Side.BUY, world.unit)
    assert world.sent() == 0


# -- what some cannot do ----------------------------------------------------------------------


async def test_what_cannot_be_done_here_is_refused_in_words_and_not_sent(
    a_poorer_market: Opener,
) -> None:
    world = await a_poorer_market()
    await world.filled(world.buy())
    venue, sent = await world.venue(), world.sent()
    rules = venue.rules(BTC)
    assert isinstance(rules, MarketRules)
    limited = replace(await world.stop(-5), price=world.at(-6))
    marked = replace(await world.sell(), reduce_only=True)
    asked = (
        (await world.stop(-5), rules.stops is not Stops.MARKET, "can rest"),
        (limited, rules.stops is Stops.DESK, "can rest"),
        (await world.target(5), venue.targets is Targets.DESK, "can rest"),
        (marked, not venue.reduce_only, "marked"),
    )
    lacking = [(order, words) for order, lacks, words in asked if lacks]
    assert lacking
    for order, words in lacking:
        with pytest.raises(VenueRejected, match=words) as refused:
            await world.place(order)
        assert a_sentence(refused.value)
        assert world.sent() == sent
    if rules.stops is Stops.LIMIT:
        assert (await world.place(limited)).status is OPEN
