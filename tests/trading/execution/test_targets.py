"""Targets that rest at the venue beside the stop: one of each, and none too many."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal

import pytest

from tests.builders import BTC
from tests.properties.engine_world import DEEP
from tests.servers.exchange.spot import SpotEngine
from tests.trading.held import STOP, TARGET, holding
from tests.world import settled
from trading.errors import VenueError
from trading.events import StopMoved
from trading.model.exit_rules import ExitRules, PartialRule
from trading.types import ONE, ZERO, ExitReason, Order, OrderRole, OrderType

D = Decimal
BY = "ben, Telegram"
MARKETS = pytest.mark.parametrize("market", ["spot", "swap", "hedge"])
PERPETUALS = pytest.mark.parametrize("market", ["swap", "hedge"])


def _at_the_target(market: str, fault: str) -> list[str]:
    """On spot it goes with the stop."""
    return ["", fault] if market == "spot" else ["", "", fault]


@MARKETS
async def test_both_rest_for_all_that_is_open(market: str) -> None:
    async with holding(market) as told:
        assert told.resting == [(STOP, D(95), told.size), (TARGET, D(110), told.size)]
        (held,) = told.living.view().holdings
        assert held.stop_on_venue
        assert held.target_on_venue


@MARKETS
async def test_when_the_target_fills_the_stop_goes(market: str) -> None:
    async with holding(market) as told:
        await told.trades_at(110.5)

        assert told.size == ZERO
        assert told.why_closed() == [ExitReason.TARGET]
        assert told.resting == []


@MARKETS
async def test_when_the_stop_fills_the_target_goes(market: str) -> None:
    async with holding(market) as told:
        await told.trades_at(94.5)

        assert told.why_closed() == [ExitReason.STOP]
        assert told.resting == []


@MARKETS
async def test_what_a_thin_market_leaves_open_keeps_its_stop_and_is_closed(market: str) -> None:
    """The venue sells part at the target; the desk closes what it could not sell."""
    async with holding(market) as told:
        before = told.size
        told.outside.depth = told.size / 4
        told.outside.second()
        await told.trades_at(110.5)
        await told.upkeep()

        assert ZERO < told.size < before
        lots = told.living.trader.steps(BTC).quantity(told.size)
        assert [one for one in told.resting if one[0] == STOP] == [(STOP, D(95), lots)]
        assert [q for kind, _, q in told.resting if kind == TARGET] in ([], [lots])

        told.outside.depth = DEEP
        await told.upkeep()
        await told.minute(110.5)

        assert told.size == ZERO
        assert told.why_closed() == [ExitReason.TARGET]
        assert told.resting == []


@MARKETS
async def test_closing_half_leaves_both_for_the_other_half_and_never_more_than_is_open(
    market: str,
) -> None:
    async with holding(market) as told:
        before = told.size
        more: list[str] = []

        def look(order: Order) -> None:
            if order.role is OrderRole.PROTECT and order.quantity > told.size:
                more.append(order.id)

        told.outside.exchange.leaving = look
        await told.living.manual.close(BTC, share=D("0.5"), by=BY)
        await settled()

        assert told.size == before / 2
        assert told.resting == [(STOP, D(95), told.size), (TARGET, D(110), told.size)]
        assert more == []


@MARKETS
async def test_closing_all_takes_both_away(market: str) -> None:
    async with holding(market) as told:
        await told.living.manual.close(BTC, share=ONE, by=BY)
        await settled()

        assert told.resting == []


@PERPETUALS
async def test_a_target_is_moved_without_touching_the_stop(market: str) -> None:
    async with holding(market) as told:
        stop = told.id_of(STOP)
        await told.living.trader.exits.move_target(BTC, D(120), by=BY)

        assert told.resting == [(STOP, D(95), told.size), (TARGET, D(120), told.size)]
        assert told.id_of(STOP) == stop
        assert told.living.heard(StopMoved) == []


async def test_on_spot_a_pair_is_moved_as_a_whole_and_its_coins_are_never_promised_twice() -> None:
    async with holding("spot") as told:
        before = {leg.client_id for leg in told.legs()}
        await told.living.trader.exits.move_target(BTC, D(120), by=BY)
        await told.living.trader.exits.move_stop(BTC, D(98), by=BY)

        assert told.resting == [(STOP, D(98), told.size), (TARGET, D(120), told.size)]
        assert not before & {leg.client_id for leg in told.legs()}
        engine = told.outside.exchange.engine
        assert isinstance(engine, SpotEngine)
        assert engine.locked("BTC") == told.size


@PERPETUALS
async def test_a_stop_is_moved_without_touching_the_target(market: str) -> None:
    async with holding(market) as told:
        target = told.id_of(TARGET)
        await told.living.trader.exits.move_stop(BTC, D(98), by=BY)

        assert told.resting == [(STOP, D(98), told.size), (TARGET, D(110), told.size)]
        assert told.id_of(TARGET) == target


@MARKETS
async def test_trailing_and_partial_exits_go_on_beside_it(market: str) -> None:
    exits = ExitRules(trail_r=ONE, partials=(PartialRule(share=D("0.5"), at_r=ONE),))
    async with holding(market, exits=exits) as told:
        before = told.size
        await told.trades_at(106.0)
        await told.minute(106.0)

        assert told.size == before / 2
        assert told.resting == [(STOP, D(101), told.size), (TARGET, D(110), told.size)]


@MARKETS
async def test_the_desk_leaves_a_target_that_rests_to_the_venue(market: str) -> None:
    """One wrong tick here must not sell."""
    async with holding(market) as told:
        before = told.size
        await told.minute(111.0)

        assert told.size == before
        assert told.why_closed() == []


@MARKETS
async def test_a_target_that_the_venue_refuses_is_kept_by_the_desk(market: str) -> None:
    async with holding(market, place=_at_the_target(market, "refuse")) as told:
        await told.upkeep()
        assert [kind for kind, _, _ in told.resting] == [STOP]
        (held,) = told.living.view().holdings
        assert not held.target_on_venue
        sent = [o for o in told.living.trader.ledger.orders.values() if o.type is OrderType.TARGET]
        assert len(sent) == 1, "it is not asked again and again"

        await told.minute(111.0)

        assert told.why_closed() == [ExitReason.TARGET]
        assert told.resting == []


@MARKETS
async def test_a_refused_one_is_sent_again_once_it_is_moved(market: str) -> None:
    async with holding(market, place=_at_the_target(market, "refuse")) as told:
        await told.living.trader.exits.move_target(BTC, D(115), by=BY)

        assert (TARGET, D(115), told.size) in told.resting


@pytest.mark.parametrize("fault", ["drop", "hidden", "late", "lost", "unavailable"])
@MARKETS
async def test_without_an_answer_there_is_one_in_the_end(market: str, fault: str) -> None:
    async with holding(market, place=_at_the_target(market, fault)) as told:
        for _ in range(3):
            with suppress(VenueError):
                await told.upkeep()

        assert told.resting == [(STOP, D(95), told.size), (TARGET, D(110), told.size)]


@MARKETS
async def test_a_target_that_filled_while_nobody_looked_is_booked_and_its_stop_goes(
    market: str,
) -> None:
    async with holding(market) as told:
        await told.die()
        told.outside.set_price(BTC, 110.5)
        left = [] if market == "spot" else [STOP]
        assert [kind for kind, _, _ in told.resting] == left, "on spot the venue ends both"
        await told.live_again()

        assert told.why_closed() == [ExitReason.TARGET]
        assert told.resting == []


@MARKETS
async def test_after_a_restart_both_are_known_and_none_is_added(market: str) -> None:
    async with holding(market) as told:
        before = {leg.client_id for leg in told.legs()}
        await told.die()
        await told.live_again()
        await told.upkeep()

        assert {leg.client_id for leg in told.legs()} == before
