"""Whatever is refused at whichever step of a close, a move or a flatten: never two stops for one
quantity, never a stop gone without a try to have another, and what is told is what rests."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.builders import BTC
from tests.loops import tell
from tests.servers.exchange.rules import LIMITS_ONLY, SPOT_TYPES
from tests.trading.held import STOP, Told, holding
from tests.world import settled
from trading.errors import NotDone, Refused, VenueError
from trading.events import Protected, StopStays, Unprotected
from trading.types import ZERO, OrderRole, OrderStatus

D = Decimal
BY = "ben, Telegram"
MARKET = "BTCUSDT"

deeds = st.sampled_from(["close half", "close", "nearer", "farther", "target", "flatten"])
refusals = st.lists(st.sampled_from(["", "refuse", "refuse", "unavailable", "lost"]), max_size=7)
cancels = st.lists(st.sampled_from(["", "", "unavailable", "lost"]), max_size=3)
changes = st.sampled_from([
    {}, {}, {"lot": D(100), "least": D(100)}, {"least": D(20)}, {"tick": D("0.5")},
    {"lot": D(1), "least": D(1)}, {"notional": D(2_000)}, {"max_stops": 0},
    {"band_up": D("1.001"), "band_down": D("0.999")},
])  # fmt: skip


async def do(told: Told, deed: str) -> None:
    trader = told.living.trader
    with suppress(Refused, NotDone, VenueError):
        match deed:
            case "close half":
                await told.living.manual.close(BTC, share=D("0.5"), by=BY)
            case "close":
                await told.living.manual.close(BTC, share=D(1), by=BY)
            case "nearer":
                await trader.exits.move_stop(BTC, D(97), by=BY)
            case "farther":
                await trader.exits.move_stop(BTC, D(93), by=BY)
            case "target":
                await trader.exits.move_target(BTC, D(120), by=BY)
            case "flatten":
                await told.living.desk.flatten("all", by=BY, why="")


def stops(told: Told) -> list[tuple[Decimal, Decimal]]:
    return [(price, quantity) for kind, price, quantity in told.resting if kind == STOP]


def assert_never_two(told: Told) -> None:
    """On perpetuals an old one that cannot be reached only reduces, however large it is."""
    if told.living.venue.cash:
        there = sum((quantity for _, quantity in stops(told)), ZERO)
        assert there <= told.living.trader.ledger.closable(BTC) or in_doubt(told)
    else:
        assert len(stops(told)) <= 1


def in_doubt(told: Told) -> bool:
    alive = told.living.trader.ledger.alive.values()
    return any(order.status is not OrderStatus.OPEN for order in alive)


def assert_told_is_so(told: Told) -> None:
    for held in told.living.view().holdings:
        there = sum((quantity for _, quantity in stops(told)), ZERO)
        if in_doubt(told):
            continue  # the venue has not told yet
        assert held.cover.quantity == there
        if not held.stop_on_venue and told.size:
            said = told.living.said
            last = [e for e in said if isinstance(e, Unprotected | Protected | StopStays)]
            assert last
            assert not isinstance(last[-1], Protected)
            assert held.cover.why


def assert_each_gone_was_tried_again(told: Told) -> None:
    """The latest thing done about stops of an open position is no cancel that worked."""
    orders = [o for o in told.living.trader.ledger.orders.values() if o.role is not OrderRole.ENTRY]
    gone = [o for o in orders if o.status is OrderStatus.CANCELLED]
    if told.size and not stops(told) and gone:
        assert orders.index(gone[-1]) < len(orders) - 1, "nothing was sent after it"


async def story(
    market: str, types: Any, steps: list[tuple[str, list[str], list[str], dict[str, Any]]]
) -> None:
    kinds = {"types": types} if market == "spot" else {}
    target = 110.0 if types is SPOT_TYPES else float("nan")
    async with holding(market, target=target, **kinds) as told:
        engine, faults = told.outside.exchange.engine, told.outside.exchange.faults
        usual = engine.rules[MARKET]
        for deed, places, ends, change in steps:
            faults.place, faults.cancel = list(places), list(ends)
            engine.change_rules(MARKET, **change)
            await do(told, deed)
            await settled()
            assert_never_two(told)
            assert_told_is_so(told)
            assert_each_gone_was_tried_again(told)
            for _ in range(2):
                await told.upkeep(4)
                assert_never_two(told)
        faults.clear()
        engine.rules[MARKET] = usual
        await told.living.trader.orders.line.rules_now(
            BTC
        )  # they are read again every quarter hour
        for _ in range(5):
            await told.upkeep(15)
        assert_never_two(told)
        assert_told_is_so(told)
        if told.size:
            assert sum(q for _, q in stops(told)) == told.size // usual.lot * usual.lot
        else:
            assert told.resting == []


@pytest.mark.slow
@given(
    market=st.sampled_from(["spot", "swap", "hedge"]),
    types=st.sampled_from([SPOT_TYPES, LIMITS_ONLY]),
    steps=st.lists(st.tuples(deeds, refusals, cancels, changes), min_size=1, max_size=4),
)
@settings(
    max_examples=150,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
def test_whatever_is_refused_the_stop_is_there_or_told(
    market: str, types: Any, steps: list[tuple[str, list[str], list[str], dict[str, Any]]]
) -> None:
    tell(story(market, types, steps))
