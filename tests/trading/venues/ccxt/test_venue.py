"""Orders and answers of a real exchange's protocol: the real ccxt over real sockets."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.servers.exchange import (
    BANNED,
    DROP_REPLY,
    MAINTENANCE,
    NO_FUTURES,
    OVERLOADED,
    READER,
    TOO_MANY,
    UNKNOWN_OUTCOME,
    ApiKey,
    Close,
    Garble,
    Hold,
    Refuse,
    Swallow,
    spot_rules,
)
from tests.trading.risk.test_gate import a_book, a_proposal
from tests.trading.venues.ccxt_world import BTC, ETH, D, a_world
from tests.waiting import until
from trading.errors import Halted, VenueRejected, VenueUnavailable, VenueUncertain
from trading.risk import liquidity
from trading.risk.limits import Limits
from trading.types import (
    Held,
    MovementKind,
    OrderRole,
    OrderStatus,
    OrderType,
    Side,
    Symbol,
    Untraded,
    traded,
)
from trading.venues.ccxt.weights import NoRoom, WeightBudget

MARKETS = pytest.mark.parametrize("market", ["spot", "swap", "hedge"])
BOTH = pytest.mark.parametrize("market", ["spot", "swap"])

NEW_ORDER = {"spot": "/api/v3/order", "swap": "/fapi/v1/order", "hedge": "/fapi/v1/order"}


# -- what is accepted ---------------------------------------------------------------------------


@MARKETS
async def test_a_market_order_comes_back_with_its_fills(market: str) -> None:
    async with a_world(market) as world:
        order = world.order()
        report = await world.place(order)
        (fill,) = report.fills
        assert report.status is OrderStatus.FILLED
        assert (fill.order_id, fill.trader, fill.symbol) == (order.id, "majors", BTC)
        assert fill.id.startswith("binance:BTCUSDT:")
        (trade,) = world.engine.trades
        fee_in_coins = trade.fee if world.is_spot else D(0)
        assert fill.quantity == D("0.01") - fee_in_coins
        assert fill.fee == trade.fee * (trade.price if world.is_spot else 1)
        assert fill.price == trade.price


@BOTH
async def test_an_order_that_took_several_prices_tells_each(market: str) -> None:
    async with a_world(market) as world:
        book = [(50_000 + n * 10, "0.004") for n in range(1, 6)]
        world.engine.set_book("BTCUSDT", bids=[(49_000, 5)], asks=book)
        order = world.order()
        report = await world.place(order)
        assert [f.price for f in report.fills] == [D(50_010), D(50_020), D(50_030)]
        await until(lambda: world.told_of(order)[-1:] and world.told_of(order)[-1].status
                    is OrderStatus.FILLED)  # fmt: skip
        assert world.fills_of(order) == {f.id: f.quantity for f in report.fills}


@MARKETS
async def test_a_limit_rests_is_found_and_is_cancelled(market: str) -> None:
    async with a_world(market) as world:
        order = world.limit()
        placed = await world.place(order)
        assert placed.status is OrderStatus.OPEN
        assert await world.venue.find(order) == placed
        (listed,) = await world.venue.open_orders()
        assert listed.order is not None
        assert (listed.order.id, listed.order.price) == (order.id, D(40_000))
        cancelled = await world.venue.cancel(order)
        assert (cancelled.status, cancelled.venue_id) == (OrderStatus.CANCELLED, placed.venue_id)
        assert await world.venue.open_orders() == []


@MARKETS
async def test_a_stop_rests_at_the_venue_as_what_it_is(market: str) -> None:
    async with a_world(market) as world:
        await world.place(world.order())
        stop = world.stop()
        placed = await world.place(stop)
        assert placed.status is OrderStatus.OPEN
        (listed,) = await world.venue.open_orders()
        assert listed.order is not None
        assert (listed.order.id, listed.order.type) == (stop.id, OrderType.STOP)
        assert (listed.order.stop_price, listed.order.role) == (D(45_000), OrderRole.PROTECT)
        assert (await world.venue.cancel(stop)).status is OrderStatus.CANCELLED
        assert await world.venue.open_orders() == []


async def test_in_hedge_mode_an_exit_names_its_side_and_no_reduce_only() -> None:
    async with a_world("hedge") as world:
        await world.place(world.order())
        await world.place(world.order(side=Side.SELL))
        assert await world.venue.positions() == {BTC: Held(long=D("0.01"), short=D("0.01"))}
        await world.place(world.order(OrderRole.EXIT))
        assert await world.venue.positions() == {BTC: Held(short=D("0.01"))}
        sent = world.server.asked("POST", NEW_ORDER["hedge"])
        assert [request.params["positionSide"] for request in sent] == ["LONG", "SHORT", "LONG"]
        assert not any("reduceOnly" in request.params for request in sent)


async def test_one_way_exits_are_reduce_only() -> None:
    async with a_world("swap") as world:
        await world.place(world.order(side=Side.SELL))
        assert await world.venue.positions() == {BTC: Held(short=D("0.01"))}
        report = await world.place(world.order(OrderRole.EXIT, side=Side.BUY, quantity=D(1)))
        assert report.filled == D("0.01")
        assert await world.venue.positions() == {}


async def test_on_spot_positions_are_coins_locked_ones_too() -> None:
    async with a_world("spot") as world:
        await world.place(world.stop())
        assert await world.venue.positions() == {BTC: Held(long=D(1)), ETH: Held(long=D(1))}
        assert await world.venue.wallet() == D(10_000)


async def test_with_many_symbols_open_orders_are_asked_for_once() -> None:
    bases = [f"C{n:02}" for n in range(12)]
    symbols = tuple(Symbol(base, "USDT") for base in bases)
    async with a_world("swap", symbols=bases, ours=symbols) as world:
        order = world.limit(symbol=symbols[3])
        await world.place(order)
        (listed,) = await world.venue.open_orders()
        assert listed.order_id == order.id
        assert world.asked("GET", "/fapi/v1/openOrders") == 1


# -- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("market", "changed", "words"),
    [
        ("spot", {"quantity": D("0.000001")}, "not a multiple of the lot 0.00001"),
        ("spot", {"type": OrderType.LIMIT, "price": D("40000.001")}, "a multiple of the tick"),
        ("spot", {"quantity": D("0.00002")}, "Filter failure: NOTIONAL .worth less"),
        ("spot", {"quantity": D(200)}, "above the market lot 100"),
        (
            "spot",
            {"quantity": D(200), "role": OrderRole.EXIT, "side": Side.SELL},
            "LOT_SIZE .too much for one market order",
        ),
        ("spot", {"type": OrderType.LIMIT, "price": D(1_000_000)}, "too far from the market's"),
        ("spot", {"quantity": D(5)}, "insufficient balance"),
        ("swap", {"type": OrderType.LIMIT, "price": D(60_000)}, "too far from the market's"),
        (
            "swap",
            {"type": OrderType.LIMIT, "price": D(4_000), "quantity": D("0.001")},
            "below the least notional of 5",
        ),
        ("swap", {"quantity": D(100)}, "Margin is insufficient"),
        ("swap", {"symbol": Symbol("SOL", "USDT")}, "SOL/USDT is not traded on binance"),
        ("spot", {"id": "much-too-long-" + "x" * 40}, "does not take the id"),
    ],
)
async def test_what_the_venue_refuses_is_told_in_its_own_words(
    market: str, changed: dict[str, Any], words: str
) -> None:
    async with a_world(market) as world:
        with pytest.raises(VenueRejected, match=words) as refused:
            await world.place(world.order(**changed))
        assert not {"{", "://", "binance {"} & set(str(refused.value))
        assert world.engine.trades == []


@BOTH
async def test_a_post_only_order_never_takes(market: str) -> None:
    async with a_world(market) as world:
        with pytest.raises(
            VenueRejected, match=r"immediately match|could not be executed as maker"
        ):
            await world.place(world.limit("50500", post_only=True))
        assert (await world.place(world.limit(post_only=True))).status is OrderStatus.OPEN
        assert world.engine.trades == []


@BOTH
async def test_a_halted_symbol_takes_no_entry_and_lets_reductions_be_tried(market: str) -> None:
    async with a_world(market, opens=False) as world:
        world.engine.halt("BTCUSDT")
        await world.venue.open(world.heard.append)
        with pytest.raises(VenueRejected, match="BTC/USDT is not traded on binance: its market"):
            await world.place(world.order())
        assert world.asked("POST", NEW_ORDER[market]) == 0
        with pytest.raises(VenueRejected, match="closed"):
            await world.place(world.order(OrderRole.EXIT))
        assert world.asked("POST", NEW_ORDER[market]) == 1


async def test_read_only_sends_nothing() -> None:
    async with a_world("spot", read_only=True) as world:
        with pytest.raises(VenueRejected, match="read_only in the settings"):
            await world.place(world.order())
        assert world.asked("POST", "*") == 0


async def test_a_withdrawn_permit_is_told_as_a_halt() -> None:
    def halted() -> None:
        raise Halted

    async with a_world("swap") as world:
        with pytest.raises(Halted):
            await world.venue.place(world.order(), halted)
        assert world.asked("POST", NEW_ORDER["swap"]) == 0


async def test_a_wrong_secret_is_told_in_words_without_the_key() -> None:
    wrong = ApiKey(key="test-key", secret="not-the-secret")
    async with a_world("spot", opens=False, access={"key": wrong}) as world:
        (sentence,) = await world.venue.examine()
        assert "check this venue's secret" in sentence
        assert "test-key" not in sentence
        assert "not-the-secret" not in sentence


# -- what may have happened -----------------------------------------------------------------------


@MARKETS
@pytest.mark.parametrize("fault", [DROP_REPLY, UNKNOWN_OUTCOME, Garble(), Close()])
async def test_without_a_clear_answer_an_order_is_uncertain_and_is_asked_for(
    market: str, fault: Any
) -> None:
    async with a_world(market) as world:
        world.faults.on("POST", NEW_ORDER[market], fault)
        order = world.order()
        with pytest.raises(VenueUncertain):
            await world.place(order)
        found = await world.venue.find(order)
        if fault is DROP_REPLY:
            assert found is not None
            assert (found.status, len(found.fills)) == (OrderStatus.FILLED, 1)
        else:
            assert found is None
        assert world.asked("POST", NEW_ORDER[market]) == 1


async def test_no_answer_in_time_is_uncertain() -> None:
    async with a_world("swap", access={"timeout": 0.3}) as world:
        world.faults.on("POST", "*/order", Swallow(done=True))
        order = world.order()
        with pytest.raises(VenueUncertain, match="no answer in time"):
            await world.place(order)
        found = await world.venue.find(order)
        assert found is not None
        assert found.status is OrderStatus.FILLED


async def test_when_nobody_listens_nothing_happened() -> None:
    async with a_world("swap") as world:
        await world.server.stop_listening()
        with pytest.raises(VenueUnavailable):
            await world.place(world.order())
        await world.server.start_listening()
        assert (await world.place(world.order())).status is OrderStatus.FILLED


@pytest.mark.parametrize("fault", [OVERLOADED, MAINTENANCE])
async def test_an_order_turned_away_at_the_door_was_not_carried_out(fault: Refuse) -> None:
    async with a_world("swap") as world:
        world.faults.on("POST", "*/order", fault)
        with pytest.raises(VenueUnavailable):
            await world.place(world.order())
        assert (await world.place(world.order())).status is OrderStatus.FILLED


@pytest.mark.parametrize("fault", [TOO_MANY, BANNED])
async def test_a_ban_is_told_with_its_end_and_obeyed(fault: Refuse) -> None:
    async with a_world("spot") as world:
        world.faults.on("POST", "*/order", replace(fault, retry_after=120))
        assert world.venue.refuses_until is None
        with pytest.raises(VenueUnavailable, match=r"refused until \d\d:\d\d:\d\d UTC"):
            await world.place(world.order())
        asked = len(world.server.requests)
        assert world.venue.refuses_until is not None
        left = (world.venue.refuses_until - datetime.now(UTC)).total_seconds()
        assert 0 < left <= 120
        with pytest.raises(VenueUnavailable, match=r"BANNED UNTIL \d\d:\d\d:\d\d UTC: "):
            await world.venue.cancel(world.limit())
        assert len(world.server.requests) == asked


async def test_too_many_orders_hold_back_new_orders_only() -> None:
    async with a_world("swap") as world:
        resting = world.limit()
        await world.place(resting)
        too_many = Refuse(429, -1015, "Too many new orders.", retry_after=10)
        world.faults.on("POST", "*/order", too_many)
        with pytest.raises(VenueUnavailable, match=r"refused until \d\d:\d\d:\d\d UTC"):
            await world.place(world.order())
        assert world.venue.refuses_until is None, "only new orders are refused"
        with pytest.raises(VenueUnavailable, match="no requests"):
            await world.place(world.order())
        assert world.asked("POST", "/fapi/v1/order") == 2
        assert (await world.venue.cancel(resting)).status is OrderStatus.CANCELLED


async def test_a_clock_that_differs_is_set_and_the_order_may_be_sent_again() -> None:
    async with a_world("swap") as world:
        world.connection.ccxt.options["timeDifference"] = 60_000
        with pytest.raises(VenueUnavailable, match="our clock differed"):
            await world.place(world.order())
        assert (await world.place(world.order())).status is OrderStatus.FILLED


async def test_the_venues_count_of_our_weight_is_obeyed() -> None:
    async with a_world("swap") as world:
        world.server.wire.quota.use(2_200, now=world.engine.now)
        await world.venue.wallet()
        assert world.connection.budget.used > 0.9
        with pytest.raises(VenueUnavailable, match="budget is used up"):
            await world.place(world.order())
        assert world.asked("POST", NEW_ORDER["swap"]) == 0
        order = world.limit()
        world.put_by_hand(order)
        assert (await world.venue.cancel(order)).status is OrderStatus.CANCELLED


# -- asking ---------------------------------------------------------------------------------------


@MARKETS
async def test_what_was_never_sent_is_not_found(market: str) -> None:
    async with a_world(market) as world:
        assert await world.venue.find(world.order()) is None
        assert await world.venue.find(world.stop()) is None
        with pytest.raises(VenueRejected, match="does not know the order"):
            await world.venue.cancel(world.limit())


@MARKETS
async def test_an_order_that_is_not_found_by_its_id_is_found_among_the_open_ones(
    market: str,
) -> None:
    async with a_world(market) as world:
        for order in (world.limit(), world.stop()):
            if order.role is OrderRole.PROTECT and market != "spot":
                await world.place(world.order())
            placed = await world.place(order)
            world.faults.hide(order.id, queries=1)
            found = await world.venue.find(order)
            assert found is not None
            assert (found.status, found.venue_id) == (OrderStatus.OPEN, placed.venue_id)


@MARKETS
async def test_an_order_that_has_filled_is_found_by_its_trades(market: str) -> None:
    async with a_world(market) as world:
        order = world.order()
        await world.place(order)
        again = world.another_venue()
        world.faults.hide(order.id, queries=2 if market == "spot" else 3)
        found = await again.find(order)
        assert found is not None
        assert (found.status, found.filled) == (OrderStatus.FILLED, D("0.01"))


async def test_an_order_has_not_ended_before_its_fills_are_known() -> None:
    async with a_world("swap") as world:
        world.faults.on("GET", "*/userTrades", Garble())
        order = world.order()
        assert (await world.place(order)).status is OrderStatus.OPEN
        found = await world.venue.find(order)
        assert found is not None
        assert (found.status, len(found.fills)) == (OrderStatus.FILLED, 1)


@MARKETS
async def test_a_stop_that_has_triggered_is_found_with_its_fills(market: str) -> None:
    async with a_world(market) as world:
        await world.place(world.order())
        stop = world.stop()
        placed = await world.place(stop)
        world.engine.trade_through("BTCUSDT", 44_000)
        found = await world.venue.find(stop)
        assert found is not None
        assert (found.status, found.venue_id) == (OrderStatus.FILLED, placed.venue_id)
        assert sum(f.quantity for f in found.fills) == D("0.01")
        assert await world.venue.cancel(stop) == found


@BOTH
async def test_a_cancel_that_comes_too_late_tells_the_fills(market: str) -> None:
    async with a_world(market) as world:
        order = world.limit()
        await world.place(order)
        world.engine.trade_through("BTCUSDT", 39_000)
        report = await world.venue.cancel(order)
        assert (report.status, len(report.fills)) == (OrderStatus.FILLED, 1)


@BOTH
async def test_a_cancelled_order_that_had_partly_filled_tells_what_filled(market: str) -> None:
    async with a_world(market) as world:
        order = world.limit()
        await world.place(order)
        world.engine.trade_through("BTCUSDT", 40_000, quantity="0.004")
        report = await world.venue.cancel(order)
        assert (report.status, report.filled) == (OrderStatus.CANCELLED, D("0.004"))
        assert len(report.fills) == 1


@BOTH
async def test_a_cancel_without_an_answer_is_uncertain(market: str) -> None:
    async with a_world(market, access={"timeout": 0.3}) as world:
        order = world.limit()
        await world.place(order)
        world.faults.on("DELETE", "*/order", Swallow(done=True))
        with pytest.raises(VenueUncertain):
            await world.venue.cancel(order)
        assert (await world.venue.cancel(order)).status is OrderStatus.CANCELLED


async def test_what_was_done_is_not_undone_because_no_more_of_it_is_told() -> None:
    """The cancel of a stop names no state: it is asked for, and nobody answers."""
    async with a_world("swap") as world:
        stop = world.order(
            OrderRole.PROTECT, type=OrderType.STOP, stop_price=D(40_000), side=Side.SELL
        )
        await world.place(world.order())
        await world.place(stop)
        world.faults.on("GET", "*/algoOrder", Refuse(503, -1000, "Down."), times=None)
        with pytest.raises(VenueUncertain, match="it was done"):
            await world.venue.cancel(stop)
        world.faults.clear()
        assert (await world.venue.cancel(stop)).status is OrderStatus.CANCELLED


@BOTH
async def test_a_cancel_whose_answer_is_lost_tells_how_the_order_ended(market: str) -> None:
    async with a_world(market) as world:
        order = world.limit()
        await world.place(order)
        world.faults.on("DELETE", "*/order", DROP_REPLY)
        assert (await world.venue.cancel(order)).status is OrderStatus.CANCELLED


# -- the account ----------------------------------------------------------------------------------


async def test_rules_come_from_the_market() -> None:
    async with a_world("spot", symbols=(spot_rules("BTC", market_most=D(7)), "ETH")) as world:
        rules = traded(world.venue.rules(BTC))
        assert (rules.tick, rules.lot) == (D("0.01"), D("0.00001"))
        assert (rules.min_notional, rules.max_quantity) == (D(5), D(7))
        assert isinstance(world.venue.rules(Symbol("SOL", "USDT")), Untraded)


@BOTH
async def test_the_order_book_tells_what_lies_near(market: str) -> None:
    async with a_world(market) as world:
        world.engine.set_book(
            "BTCUSDT", bids=[(49_990, 1), (45_000, 9)], asks=[(50_010, 2), (50_050, 1)]
        )
        depth = await world.venue.depth(BTC)
        assert depth is not None
        assert (depth.bid, depth.ask) == (D(49_990), D(50_010))
        assert (depth.bids, depth.asks) == (D(49_990), D(150_070))


@BOTH
@pytest.mark.parametrize("sides", [{}, {"bids": [(49_990, 1)]}, {"asks": [(50_010, 1)]}])
async def test_an_empty_order_book_is_one_that_nobody_enters_on(
    market: str, sides: dict[str, list[tuple[int, int]]]
) -> None:
    async with a_world(market) as world:
        world.engine.set_book("BTCUSDT", **sides)
        depth = await world.venue.depth(BTC)
        proposal = a_proposal(symbol=BTC, depth=depth)
        assert liquidity.objection(proposal, a_book(), Limits()) == "the order book is not usable"


async def test_funding_transfers_and_liquidations_are_movements_and_fills_are_not() -> None:
    async with a_world("swap") as world:
        since = world.clock.now() - timedelta(minutes=1)
        await world.place(world.order())
        world.engine.pay_funding("BTCUSDT", "0.0001")
        world.engine.transfer(-250)
        found = await world.venue.movements(since)
        assert [(m.kind, m.symbol) for m in found] == [
            (MovementKind.FUNDING, BTC),
            (MovementKind.TRANSFER, None),
        ]
        assert found[0].amount < 0
        assert found[1].amount == D(-250)
        assert await world.venue.movements(since) == found
        assert await world.venue.movements(world.clock.now() + timedelta(minutes=1)) == []


async def test_deposits_withdrawals_and_transfers_of_the_quote_are_movements() -> None:
    async with a_world("spot") as world:
        since = world.clock.now() - timedelta(minutes=1)
        world.engine.deposit("USDT", 500)
        world.engine.withdraw("USDT", 200)
        world.engine.transfer("USDT", -50)
        world.engine.deposit("BTC", 1)
        found = await world.venue.movements(since)
        assert sorted(m.amount for m in found) == [D(-200), D(-50), D(500)]
        assert len({m.id for m in found}) == 3


async def test_payments_that_a_key_may_not_read_are_left_out() -> None:
    async with a_world("spot") as world:
        world.engine.deposit("USDT", 500)
        refused = Refuse(401, -2015, "Invalid API-key, IP, or permissions for action.")
        world.faults.on("GET", "/sapi/v1/capital/withdraw/*", refused)
        found = await world.venue.movements(world.clock.now() - timedelta(minutes=1))
        assert [m.amount for m in found] == [D(500)]


# -- checking a key -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("market", "key", "read_only", "sentences"),
    [
        ("spot", None, False, []),
        ("spot", READER, False, ["The key may not trade on spot"]),
        ("spot", READER, True, []),
        ("swap", NO_FUTURES, False, ["The key may not trade futures"]),
    ],
)
async def test_what_a_key_may_not_do_is_named(
    market: str, key: ApiKey | None, read_only: bool, sentences: list[str]
) -> None:
    access = {} if key is None else {"key": key}
    async with a_world(market, opens=False, read_only=read_only, access=access) as world:
        found = await world.venue.examine()
        assert [s.partition(":")[0] for s in found] == sentences
        assert world.asked("POST", "*/order") == 0


async def test_a_halted_and_an_unknown_symbol_are_named() -> None:
    async with a_world("spot", opens=False, ours=(BTC, Symbol("SOL", "USDT"))) as world:
        world.engine.halt("BTCUSDT")
        assert await world.venue.examine() == [
            "BTC/USDT is not traded on binance: its market is halted there.",
            "SOL/USDT is not traded on binance: it is not listed there.",
        ]


# -- the latch ------------------------------------------------------------------------------------


@MARKETS
async def test_of_a_hundred_entries_none_leaves_after_the_latch(market: str) -> None:
    async with a_world(market) as world:
        latch = Latch(after=30)
        held = world.faults.on("POST", NEW_ORDER[market], Hold(done=True), times=None)
        entries = [world.limit(quantity=D("0.001")) for _ in range(100)]
        placing = [asyncio.create_task(world.venue.place(e, latch.permit)) for e in entries]
        await until(lambda: held.acted == 30)
        held.release()
        ends = await asyncio.gather(*placing, return_exceptions=True)
        assert sum(isinstance(end, Halted | NoRoom) for end in ends) == 70
        assert world.asked("POST", NEW_ORDER[market]) == 30
        assert len(world.engine.orders) == 30


@BOTH
async def test_an_entry_that_waits_for_our_budget_does_not_leave_after_the_latch(
    market: str,
) -> None:
    async with a_world(market) as world:
        latch = Latch(after=1)
        world.connection.orders = WeightBudget(most=10, window=0.5, clock=world.clock)
        world.connection.orders.told(10)
        placing = asyncio.create_task(world.venue.place(world.limit(), latch.permit))
        await asyncio.sleep(0)
        latch.left = 0
        with pytest.raises(Halted):
            await placing
        assert world.asked("POST", NEW_ORDER[market]) == 0


class Latch:
    """Engages after it has let *after* entries through; then it lets nothing through."""

    def __init__(self, *, after: int) -> None:
        self.left = after

    def permit(self) -> None:
        if self.left <= 0:
            raise Halted
        self.left -= 1
