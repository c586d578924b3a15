"""Symbols that take stops as limits only: one rests, and what does not fill goes at market."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.builders import BTC
from tests.servers.exchange.rules import LIMITS_ONLY
from tests.trading.held import STOP, Told, holding
from tests.world import settled
from trading.events import StopsAreLimits
from trading.model.exit_rules import ExitRules
from trading.types import ZERO, ExitReason

D = Decimal
MARKET = "BTCUSDT"
SIZE = D("29.97")
TARGETS = pytest.mark.parametrize("target", [110.0, float("nan")], ids=["pair", "alone"])


def limits(told: Told) -> list[tuple[str, Decimal, Decimal, Decimal]]:
    """Type, trigger, limit and quantity of what rests."""
    wishes = [order.wish for order in told.legs()]
    return sorted((w.type, w.stop_price, w.price, w.quantity) for w in wishes)


async def passes(told: Told, seconds: float) -> None:
    """Half a second at a time, as the desk looks."""
    for _ in range(round(seconds * 2)):
        told.outside.clock.advance(0.5)
        await settled()


async def gaps_to(told: Told, price: float) -> None:
    """The market jumps beyond stop and limit alike, and our own price follows."""
    await told.trades_at(price)
    await we_see(told, price)


async def we_see(told: Told, price: float) -> None:
    """No cycle looks at it."""
    told.outside.ticker.next_bar({BTC: price})
    told.outside.clock.advance(60)
    await settled()


@TARGETS
async def test_a_stop_limit_rests_below_the_stop_by_the_gap(target: float) -> None:
    async with holding("spot", types=LIMITS_ONLY, target=target) as told:
        pair = [("TAKE_PROFIT_LIMIT", D(110), D("108.9"), SIZE)] if target > 0 else []
        assert limits(told) == [("STOP_LOSS_LIMIT", D(95), D("94.05"), SIZE), *pair]
        (held,) = told.living.view().holdings
        assert held.stop_on_venue
        (said,) = told.living.heard(StopsAreLimits)
        assert isinstance(said, StopsAreLimits)
        assert (said.symbols, said.gap) == ((BTC,), D("0.01"))


async def test_the_gap_is_the_traders_own() -> None:
    exits = ExitRules(stop_limit_gap=D("0.05"))
    async with holding("spot", types=LIMITS_ONLY, exits=exits, target=float("nan")) as told:
        assert limits(told) == [("STOP_LOSS_LIMIT", D(95), D("90.25"), SIZE)]


@TARGETS
async def test_touched_within_the_gap_it_fills_by_itself(target: float) -> None:
    async with holding("spot", types=LIMITS_ONLY, target=target) as told:
        await told.trades_at(94.5)
        await passes(told, 1)

        assert told.size == ZERO
        assert told.why_closed() == [ExitReason.STOP]
        assert told.resting == []


@TARGETS
@pytest.mark.parametrize("tell", ["", "dropped"], ids=["heard", "asked for"])
async def test_touched_and_unfilled_it_is_sold_at_market(target: float, tell: str) -> None:
    """Two seconds are its own; whether the venue's news came or not."""
    async with holding("spot", types=LIMITS_ONLY, target=target) as told:
        told.outside.exchange.faults.tell = [tell] * 4 if tell else []
        await gaps_to(told, 90.0)
        await passes(told, 1.5)
        assert told.size == SIZE, "it may fill yet"

        await passes(told, 3)

        assert told.size == ZERO
        assert told.why_closed() == [ExitReason.STOP]
        assert told.resting == []


async def test_what_it_sold_in_part_is_not_sold_again() -> None:
    async with holding("spot", types=LIMITS_ONLY, target=float("nan")) as told:
        engine = told.outside.exchange.engine
        engine.set_book(MARKET, bids=[(D("94.5"), D(10)), (D(90), D(1000))], asks=[(95, 1000)])
        engine.others_trade(MARKET, D("94.5"), D(1))
        engine.set_book(MARKET, bids=[(D("94.5"), D(10)), (D(90), D(1000))], asks=[(95, 1000)])
        await settled()
        assert ZERO < told.size < SIZE

        await passes(told, 4)

        assert (told.size, told.resting) == (ZERO, [])
        sold = [t.quantity for t in engine.trades if t.side == "SELL"]
        assert sum(sold) == SIZE


@TARGETS
async def test_killed_between_trigger_and_sale_it_is_sold_after_the_restart(target: float) -> None:
    async with holding("spot", types=LIMITS_ONLY, target=target) as told:
        await gaps_to(told, 90.0)
        await told.die()
        told.outside.second()

        await told.live_again()
        await passes(told, 4)

        assert (told.size, told.resting) == (ZERO, [])


@TARGETS
async def test_killed_after_the_cancel_it_is_sold_after_the_restart(target: float) -> None:
    """Nothing rests, and the price is beyond the stop."""
    async with holding("spot", types=LIMITS_ONLY, target=target) as told:
        engine = told.outside.exchange.engine
        await told.die()
        with told.outside.witness.looking_away():
            for order in list(engine.open_orders()):
                if engine.orders[order.id].is_open:
                    engine.cancel(MARKET, order_id=order.id)
            engine.trade_through(MARKET, 90)
            engine.quote(MARKET, 90)
        await we_see(told, 90.0)

        await told.live_again()
        await passes(told, 2)

        assert (told.size, told.resting) == (ZERO, [])


async def test_a_target_that_was_touched_and_does_not_fill_is_sold_at_market() -> None:
    async with holding("spot", types=LIMITS_ONLY) as told:
        engine = told.outside.exchange.engine
        engine.set_book(MARKET, bids=[(D(100), D(1000))], asks=[(D(112), D(1000))])
        engine.others_trade(MARKET, D("110.5"), D(1))
        engine.set_book(MARKET, bids=[(D(100), D(1000))], asks=[(D(112), D(1000))])
        await settled()
        assert told.size == SIZE

        await passes(told, 4)

        assert (told.size, told.resting) == (ZERO, [])
        assert told.why_closed() == [ExitReason.TARGET]


@TARGETS
async def test_a_close_of_half_leaves_a_limit_for_the_other_half(target: float) -> None:
    async with holding("spot", types=LIMITS_ONLY, target=target) as told:
        await told.living.manual.close(BTC, share=D("0.5"), by="ben, Telegram")

        assert [q for kind, _, q in told.resting if kind == STOP] == [told.size]


async def test_a_symbol_that_takes_no_stop_at_all_is_told_and_kept_by_the_desk() -> None:
    none = tuple(kind for kind in LIMITS_ONLY if not kind.startswith(("STOP", "TAKE")))
    async with holding("spot", types=none, target=float("nan")) as told:
        assert told.resting == []
        (held,) = told.living.view().holdings
        assert held.cover.why == "this market takes no stop orders"

        await told.minute(94.0)

        assert told.size == ZERO
