"""The test venue's engines, without sockets: who trades with whom, and what that changes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.servers.exchange import (
    Refusal,
    SpotEngine,
    SwapEngine,
    Why,
    Wish,
    spot_rules,
    swap_rules,
)
from tests.servers.exchange.values import OrderTold, Told
from trading.clocks import ManualClock

BTC = "BTCUSDT"
D = Decimal


def wish(side: str, kind: str, quantity: str = "0.1", **more: Any) -> Wish:
    return Wish(symbol=BTC, side=side, type=kind, quantity=D(quantity), **more)


def limit(side: str, price: str, quantity: str = "0.1", **more: Any) -> Wish:
    return wish(side, "LIMIT", quantity, price=D(price), **more)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 3, 1, tzinfo=UTC))


@pytest.fixture
def spot(clock: ManualClock) -> SpotEngine:
    engine = SpotEngine(
        rules=[spot_rules("BTC")], clock=clock, balances={"USDT": "100000", "BTC": "2"}
    )
    engine.set_book(BTC, bids=[(49_990, 1), (49_900, 5)], asks=[(50_010, 1), (50_100, 5)])
    return engine


@pytest.fixture
def swap(clock: ManualClock) -> SwapEngine:
    engine = SwapEngine(rules=[swap_rules("BTC")], clock=clock, wallet=10_000)
    engine.set_book(BTC, bids=[(49_990, 10)], asks=[(50_010, 10)])
    return engine


@pytest.fixture
def hedged(clock: ManualClock) -> SwapEngine:
    engine = SwapEngine(rules=[swap_rules("BTC")], clock=clock, wallet=10_000, hedge=True)
    engine.set_book(BTC, bids=[(49_990, 10)], asks=[(50_010, 10)])
    return engine


@contextmanager
def refused(why: Why) -> Iterator[None]:
    with pytest.raises(Refusal) as refusal:
        yield
    assert refusal.value.why == why


# --- matching ------------------------------------------------------------------------------------


def test_a_market_order_walks_the_book_from_the_best_price(spot: SpotEngine) -> None:
    order = spot.place(wish("BUY", "MARKET", "1.5"))
    assert [(t.price, t.quantity) for t in spot.trades] == [
        (D(50_010), D(1)),
        (D(50_100), D("0.5")),
    ]
    assert (order.status, order.average) == ("FILLED", D(50_040))


def test_the_fee_of_a_buy_is_taken_from_what_was_bought(spot: SpotEngine) -> None:
    spot.place(wish("BUY", "MARKET", "1"))
    assert spot.balances == {"USDT": D(49_990), "BTC": D("2.999")}


def test_the_fee_can_be_paid_in_another_asset(clock: ManualClock) -> None:
    spot = SpotEngine(
        rules=[spot_rules("BTC")],
        clock=clock,
        balances={"USDT": "100000", "BNB": "10"},
        fee_asset="BNB",
        fee_asset_price=D(500),
    )
    spot.quote(BTC, 50_000)
    spot.place(wish("BUY", "MARKET", "1"))
    assert spot.balances["BTC"] == 1
    assert spot.balances["BNB"] == D("9.89999998")  # 50.00001 USDT at 500


def test_a_market_order_that_finds_too_little_expires_with_what_it_got(spot: SpotEngine) -> None:
    spot.set_book(BTC, bids=[(49_990, 1)], asks=[(50_010, "0.4")])
    order = spot.place(wish("BUY", "MARKET", "1"))
    assert (order.status, order.filled) == ("EXPIRED", D("0.4"))


def test_an_earlier_order_at_the_same_price_trades_first(spot: SpotEngine) -> None:
    first, second = spot.place(limit("BUY", "49995")), spot.place(limit("BUY", "49995"))
    spot.trade_through(BTC, 49_995, quantity="0.15")
    assert spot.orders[first.id].status == "FILLED"
    assert spot.orders[second.id].filled == D("0.05")


def test_a_partial_fill_leaves_the_rest_resting_and_locked(spot: SpotEngine) -> None:
    order = spot.place(limit("BUY", "49995", "1"))
    spot.trade_through(BTC, 49_995, quantity="0.25")
    assert spot.orders[order.id].status == "PARTIALLY_FILLED"
    assert spot.locked("USDT") == D("0.75") * 49_995
    assert spot.cancel(BTC, order_id=order.id).filled == D("0.25")
    assert spot.locked("USDT") == 0


def test_an_outside_order_that_crosses_ours_trades_at_our_price(spot: SpotEngine) -> None:
    order = spot.place(limit("SELL", "50005"))
    spot.set_book(BTC, bids=[(50_006, 1)])
    assert spot.orders[order.id].average == 50_005
    assert spot.books[BTC].depth("BUY") == [(D(50_006), D("0.9"))]


def test_the_outside_book_moves_with_the_market_and_keeps_its_shape(spot: SpotEngine) -> None:
    spot.trade_through(BTC, 49_000)
    assert spot.books[BTC].depth("BUY") == [(D(48_990), D(1)), (D(48_900), D(5))]
    assert spot.books[BTC].depth("SELL") == [(D(49_010), D(1)), (D(49_100), D(5))]


def test_our_own_order_is_expired_rather_than_traded_with(spot: SpotEngine) -> None:
    resting = spot.place(limit("SELL", "50005"))
    order = spot.place(limit("BUY", "50010"))
    assert spot.orders[resting.id].status == "EXPIRED_IN_MATCH"
    assert [(t.order_id, t.price) for t in spot.trades] == [(order.id, D(50_010))]


@pytest.mark.parametrize(
    ("tif", "status", "filled"), [("IOC", "EXPIRED", "1"), ("FOK", "EXPIRED", "0")]
)
def test_what_may_not_rest_expires(spot: SpotEngine, tif: str, status: str, filled: str) -> None:
    order = spot.place(limit("BUY", "50010", "1.5", time_in_force=tif))
    assert (order.status, order.filled) == (status, D(filled))


# --- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (limit("BUY", "50000.001"), Why.OFF_TICK),
        (limit("BUY", "50000", "0.000001"), Why.OFF_LOT),
        (wish("BUY", "MARKET", "101"), Why.MARKET_TOO_LARGE),
        (limit("BUY", "50000", "0.00005"), Why.NOTIONAL),
        (limit("SELL", "900000"), Why.PRICE_TOO_HIGH),
        (limit("BUY", "50000", "5"), Why.NO_FUNDS),
        (limit("SELL", "50000", "3"), Why.NO_FUNDS),
        (wish("BUY", "LIMIT_MAKER", price=D(50_010)), Why.WOULD_TAKE),
        (wish("SELL", "STOP_LOSS", stop_price=D(51_000)), Why.WOULD_TRIGGER),
        (wish("SELL", "ICEBERG"), Why.BAD_TYPE),
    ],
)
def test_spot_refuses_what_the_symbol_or_the_money_does_not_bear(
    spot: SpotEngine, bad: Wish, why: Why
) -> None:
    with refused(why):
        spot.place(bad)
    assert not spot.orders


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (limit("BUY", "50000.01"), Why.OFF_TICK),
        (limit("BUY", "50000", "0.0005"), Why.OFF_LOT),
        (limit("BUY", "49000", "1001"), Why.TOO_LARGE),
        (wish("BUY", "MARKET", "121"), Why.TOO_LARGE),
        (limit("BUY", "53000"), Why.PRICE_TOO_HIGH),
        (limit("SELL", "47000"), Why.PRICE_TOO_LOW),
        (limit("BUY", "49000", "10"), Why.NO_FUNDS),
        (limit("BUY", "50010", time_in_force="GTX"), Why.WOULD_TAKE),
        (limit("BUY", "50010", "11", time_in_force="FOK"), Why.CANNOT_FILL),
        (limit("SELL", "50000", reduce_only=True), Why.NOTHING_TO_REDUCE),
        (limit("SELL", "50000", position_side="LONG"), Why.WRONG_POSITION_SIDE),
        (wish("SELL", "STOP_MARKET", stop_price=D(49_000)), Why.STOP_ELSEWHERE),
    ],
)
def test_perpetuals_refuse_what_the_account_does_not_bear(
    swap: SwapEngine, bad: Wish, why: Why
) -> None:
    with refused(why):
        swap.place(bad)
    assert not swap.orders


def test_only_so_many_orders_and_stops_may_rest(clock: ManualClock) -> None:
    rules = spot_rules("BTC", max_orders=3, max_stops=1)
    spot = SpotEngine(rules=[rules], clock=clock, balances={"USDT": "100000", "BTC": "2"})
    spot.quote(BTC, 50_000)
    stop = wish("SELL", "STOP_LOSS", stop_price=D(49_000))
    spot.place(stop)
    with refused(Why.TOO_MANY_STOPS):
        spot.place(stop)
    spot.place(limit("BUY", "49000"))
    spot.place(limit("BUY", "49000"))
    with refused(Why.TOO_MANY_ORDERS):
        spot.place(limit("BUY", "49000"))


def test_a_client_id_is_free_again_once_its_order_has_ended(spot: SpotEngine) -> None:
    spot.place(limit("BUY", "49000", client_id="one"))
    with refused(Why.DUPLICATE_ID):
        spot.place(limit("BUY", "49000", client_id="one"))
    spot.cancel(BTC, client_id="one")
    assert spot.place(limit("BUY", "49000", client_id="one")).is_open


def test_a_halted_symbol_takes_cancels_only(spot: SpotEngine) -> None:
    order = spot.place(limit("BUY", "49000"))
    spot.halt(BTC)
    with refused(Why.HALTED):
        spot.place(limit("BUY", "49000"))
    assert spot.cancel(BTC, order_id=order.id).status == "CANCELED"
    with refused(Why.UNKNOWN_ORDER):
        spot.cancel(BTC, order_id=order.id)


# --- stops on spot -------------------------------------------------------------------------------


def test_a_stop_waits_locked_and_sells_when_the_price_falls(spot: SpotEngine) -> None:
    stop = spot.place(wish("SELL", "STOP_LOSS", "0.5", stop_price=D(49_500)))
    assert (stop.working, spot.free("BTC")) == (False, D("1.5"))
    spot.trade_through(BTC, 49_501)
    assert spot.orders[stop.id].is_open
    spot.trade_through(BTC, 49_500)
    assert spot.orders[stop.id].status == "FILLED"


def test_a_trailing_stop_follows_the_best_price(spot: SpotEngine) -> None:
    stop = spot.place(wish("SELL", "STOP_LOSS", trailing_delta=100))  # 1 %
    spot.trade_through(BTC, 52_000)
    spot.trade_through(BTC, 51_481)
    assert spot.orders[stop.id].is_open
    spot.trade_through(BTC, 51_480)
    assert spot.orders[stop.id].status == "FILLED"


def oco(engine: SpotEngine) -> tuple[int, int, int]:
    above = wish("SELL", "LIMIT_MAKER", price=D(52_000))
    below = wish("SELL", "STOP_LOSS_LIMIT", price=D(48_900), stop_price=D(49_000))
    both = engine.place_oco(above, below)
    over, under = both.order_ids
    return both.id, over, under


def test_an_oco_locks_once_and_its_stop_ends_the_limit(spot: SpotEngine) -> None:
    list_id, above, below = oco(spot)
    assert spot.locked("BTC") == D("0.1")
    spot.trade_through(BTC, 48_950)
    assert spot.orders[above].status == "EXPIRED"
    assert spot.orders[below].status == "FILLED"
    assert spot.lists[list_id].status == "ALL_DONE"


def test_a_partial_fill_of_an_oco_limit_ends_its_stop(spot: SpotEngine) -> None:
    list_id, above, below = oco(spot)
    spot.trade_through(BTC, 52_000, quantity="0.04")
    assert spot.orders[below].status == "EXPIRED"
    assert spot.orders[above].status == "PARTIALLY_FILLED"
    assert spot.lists[list_id].status == "EXECUTING"


def test_cancelling_one_leg_cancels_both(spot: SpotEngine) -> None:
    list_id, above, below = oco(spot)
    spot.cancel(BTC, order_id=below)
    assert spot.orders[above].status == "CANCELED"
    assert spot.lists[list_id].status == "ALL_DONE"
    assert spot.locked("BTC") == 0


def test_an_oco_around_the_wrong_price_is_refused_whole(spot: SpotEngine) -> None:
    with refused(Why.WOULD_TRIGGER):
        spot.place_oco(
            wish("SELL", "LIMIT_MAKER", price=D(52_000)),
            wish("SELL", "STOP_LOSS", stop_price=D(51_000)),
        )
    assert not spot.orders


# --- perpetuals ----------------------------------------------------------------------------------


def test_one_way_mode_nets_and_flips(swap: SwapEngine) -> None:
    swap.place(wish("BUY", "MARKET", "0.1"))
    swap.place(wish("SELL", "MARKET", "0.3"))
    position = swap.position(BTC)
    assert (position.amount, position.entry) == (D("-0.2"), D(49_990))
    assert position.realized == D("-2")  # bought at 50,010, sold at 49,990


def test_hedge_mode_keeps_both_sides(hedged: SwapEngine) -> None:
    hedged.place(wish("BUY", "MARKET", "0.1", position_side="LONG"))
    hedged.place(wish("SELL", "MARKET", "0.2", position_side="SHORT"))
    hedged.place(wish("SELL", "MARKET", "0.1", position_side="LONG"))
    assert hedged.position(BTC, "LONG").amount == 0
    assert hedged.position(BTC, "SHORT").amount == D("-0.2")
    with refused(Why.NOTHING_TO_REDUCE):
        hedged.place(wish("SELL", "MARKET", "0.1", position_side="LONG"))
    with refused(Why.WRONG_POSITION_SIDE):
        hedged.place(wish("SELL", "MARKET", "0.1"))


def test_a_reduce_only_order_never_trades_past_flat(swap: SwapEngine) -> None:
    swap.place(wish("BUY", "MARKET", "0.1"))
    order = swap.place(wish("SELL", "MARKET", "0.3", reduce_only=True))
    assert (order.status, order.filled) == ("EXPIRED", D("0.1"))
    assert swap.position(BTC).amount == 0


def test_resting_reduce_only_orders_end_with_the_position(swap: SwapEngine) -> None:
    swap.place(wish("BUY", "MARKET", "0.1"))
    target = swap.place(limit("SELL", "51000", reduce_only=True))
    swap.place_algo(wish("SELL", "STOP_MARKET", "0", stop_price=D(49_000), close_position=True))
    swap.place(wish("SELL", "MARKET", "0.1"))
    assert swap.orders[target.id].status == "EXPIRED"
    assert [algo.status for algo in swap.algos.values()] == ["EXPIRED"]


def test_a_triggered_stop_becomes_an_order_of_its_own(swap: SwapEngine) -> None:
    swap.place(wish("BUY", "MARKET", "0.1"))
    stop = wish("SELL", "STOP_MARKET", stop_price=D(49_000), reduce_only=True, client_id="stop")
    algo = swap.place_algo(stop)
    assert not swap.open_orders()
    swap.trade_through(BTC, 49_000)
    done = swap.algos[algo.id]
    child = swap.orders[done.order_id]
    assert (done.status, child.status, child.client_id != "stop") == ("FINISHED", "FILLED", True)


def test_a_stop_may_wait_for_the_mark_price(swap: SwapEngine) -> None:
    swap.place(wish("BUY", "MARKET", "0.1"))
    stop = wish("SELL", "STOP_MARKET", stop_price=D(49_000), working_type="MARK_PRICE")
    algo = swap.place_algo(stop)
    swap.set_mark(BTC, 50_000)
    swap.trade_through(BTC, 48_000)
    assert swap.algos[algo.id].is_open
    swap.set_mark(BTC, 49_000)
    assert swap.algos[algo.id].status == "FINISHED"


def test_a_stop_that_has_nothing_left_to_reduce_is_rejected_when_it_triggers(
    swap: SwapEngine,
) -> None:
    algo = swap.place_algo(wish("SELL", "STOP_MARKET", stop_price=D(49_000), reduce_only=True))
    swap.trade_through(BTC, 49_000)
    told = swap.algos[algo.id]
    assert (told.status, told.failure) == ("REJECTED", Why.NOTHING_TO_REDUCE)


def test_stops_that_make_no_sense_are_refused(swap: SwapEngine) -> None:
    with refused(Why.WOULD_TRIGGER):
        swap.place_algo(wish("SELL", "STOP_MARKET", stop_price=D(51_000)))
    close_all = wish("SELL", "STOP_MARKET", "0", stop_price=D(49_000), close_position=True)
    with refused(Why.NO_POSITION):
        swap.place_algo(close_all)
    swap.place(wish("BUY", "MARKET", "0.1"))
    swap.place_algo(close_all)
    with refused(Why.CLOSE_ALL_EXISTS):
        swap.place_algo(close_all)


def test_a_trailing_stop_waits_for_its_activation(swap: SwapEngine) -> None:
    swap.place(wish("BUY", "MARKET", "0.1"))
    trailing = wish(
        "SELL", "TRAILING_STOP_MARKET", stop_price=D(51_000), callback_rate=D(1), reduce_only=True
    )
    algo = swap.place_algo(trailing)
    for price in (49_000, 51_000, 52_000, 51_481):
        swap.trade_through(BTC, price)
    assert swap.algos[algo.id].is_open
    swap.trade_through(BTC, 51_480)
    assert swap.algos[algo.id].status == "FINISHED"


def test_longs_pay_funding_to_shorts(swap: SwapEngine) -> None:
    swap.set_position(BTC, "0.2", 50_000)
    swap.set_mark(BTC, 50_000)
    swap.pay_funding(BTC, "0.0001")
    assert swap.wallet == D(9_999)
    assert swap.movements[-1].kind == "FUNDING_FEE"


def test_a_liquidation_closes_the_position_under_the_venues_own_id(swap: SwapEngine) -> None:
    swap.place(wish("BUY", "MARKET", "3"))
    target = swap.place(limit("SELL", "52000", "1", reduce_only=True))
    told: list[Told] = []
    swap.listen(told.append)
    at = swap.liquidation_price(swap.position(BTC))
    swap.set_mark(BTC, at.quantize(D(1)) + 5)
    assert swap.position(BTC).amount == 3
    swap.set_mark(BTC, at.quantize(D(1)) - 5)
    assert swap.position(BTC).amount == 0
    assert swap.orders[target.id].status == "CANCELED"
    forced = [t.order for t in told if isinstance(t, OrderTold) and t.kind == "CALCULATED"]
    assert [order.client_id.startswith("autoclose-") for order in forced] == [True]


def test_auto_deleveraging_takes_a_part(swap: SwapEngine) -> None:
    swap.place(wish("BUY", "MARKET", "0.3"))
    swap.deleverage(BTC, "0.1")
    assert swap.position(BTC).amount == D("0.2")
    assert swap.orders[swap.trades[-1].order_id].client_id == "adl_autoclose"


def test_a_dead_mans_switch_cancels_orders_and_leaves_stops(
    swap: SwapEngine, clock: ManualClock
) -> None:
    order = swap.place(limit("BUY", "49000"))
    algo = swap.place_algo(wish("SELL", "STOP_MARKET", stop_price=D(49_000)))
    swap.deadlines[BTC] = swap.now + 5_000
    clock.advance(4)
    swap.tick()
    assert swap.orders[order.id].is_open
    clock.advance(1)
    swap.tick()
    assert swap.orders[order.id].status == "CANCELED"
    assert swap.algos[algo.id].is_open


def test_the_position_mode_changes_only_when_nothing_is_open(swap: SwapEngine) -> None:
    order = swap.place(limit("BUY", "49000"))
    with refused(Why.POSITION_MODE_WITH_ORDERS):
        swap.set_hedge(hedge=True)
    swap.cancel(BTC, order_id=order.id)
    swap.set_hedge(hedge=True)
    with refused(Why.SAME_POSITION_MODE):
        swap.set_hedge(hedge=True)


# --- whatever happens ----------------------------------------------------------------------------

steps = st.lists(
    st.tuples(
        st.sampled_from(["buy", "sell", "rest", "cancel", "trade", "part"]),
        st.integers(min_value=49_000, max_value=51_000),
        st.integers(min_value=1, max_value=40),
    ),
    max_size=30,
)


def act(engine: SpotEngine | SwapEngine, what: str, price: int, hundredths: int) -> None:
    quantity = str(D(hundredths) / 100)
    match what:
        case "buy" | "sell":
            engine.place(wish(what.upper(), "MARKET", quantity))
        case "rest":
            side = "BUY" if hundredths % 2 else "SELL"
            engine.place(limit(side, str(price), quantity))
        case "cancel":
            engine.cancel_all(BTC)
        case "trade":
            engine.trade_through(BTC, price)
        case "part":
            engine.trade_through(BTC, price, quantity=quantity)


def played(engine: SpotEngine | SwapEngine, script: list[tuple[str, int, int]]) -> Iterator[None]:
    for what, price, hundredths in script:
        try:
            act(engine, what, price, hundredths)
        except Refusal:
            continue
        yield


@given(script=steps)
def test_spot_balances_are_what_the_trades_made_of_them(script: list[tuple[str, int, int]]) -> None:
    start = {"USDT": D(20_000), "BTC": D(1)}
    engine = SpotEngine(
        rules=[spot_rules("BTC")],
        clock=ManualClock(datetime(2026, 3, 1, tzinfo=UTC)),
        balances=start,
    )
    engine.quote(BTC, 50_000, spread=1_000)
    for _ in played(engine, script):
        expected = dict(start)
        for trade in engine.trades:
            way = 1 if trade.side == "BUY" else -1
            expected["BTC"] += way * trade.quantity
            expected["USDT"] -= way * trade.quote
            expected[trade.fee_asset] -= trade.fee
        assert engine.balances == expected
        assert all(engine.free(asset) >= 0 for asset in start)
        assert all(engine.orders[o.id].remaining > 0 for o in engine.open_orders())


@given(script=steps)
def test_the_wallet_is_what_the_movements_made_of_it(script: list[tuple[str, int, int]]) -> None:
    engine = SwapEngine(
        rules=[swap_rules("BTC")],
        clock=ManualClock(datetime(2026, 3, 1, tzinfo=UTC)),
        wallet=10_000,
    )
    engine.quote(BTC, 50_000, spread=100)
    for _ in played(engine, script):
        assert engine.wallet == 10_000 + sum(movement.amount for movement in engine.movements)
        traded = sum((1 if t.side == "BUY" else -1) * t.quantity for t in engine.trades)
        assert engine.position(BTC).amount == traded
