"""What looks right and costs money: each trap as it shows on the wire.

Where Binance does not fall into one, a row or a file that does stands in for another exchange.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from tests.servers.exchange import Hold, Refuse
from tests.trading.venues.ccxt_world import BTC, ETH, CcxtWorld, D, a_world
from tests.waiting import until
from trading.errors import VenueRejected, VenueUnavailable, VenueUncertain
from trading.types import Order, OrderRole, OrderStatus, Side, traded
from trading.venues.ccxt.asking import Account, Api
from trading.venues.ccxt.row import MarketBuys, Row
from trading.venues.exchanges import binance

BOTH = pytest.mark.parametrize("market", ["spot", "swap"])
MARKETS = pytest.mark.parametrize("market", ["spot", "swap", "hedge"])
NEW_ORDER = {"spot": "/api/v3/order", "swap": "/fapi/v1/order", "hedge": "/fapi/v1/order"}


# -- fills of strangers -------------------------------------------------------------------------


class TellsEverybodysFills(binance.BinanceSwap):
    """As one does that does not read the parameter: every fill of the market comes along."""

    async def fills(self, api: Api, raw: Any, order: Order) -> list[Any]:
        return await self.trades_since(api, order.symbol, 0)


@pytest.mark.parametrize("fills_by", ["orderId", ""])
@MARKETS
async def test_fills_are_those_of_the_order_whatever_is_told_besides(
    market: str, fills_by: str
) -> None:
    async with a_world(market, access={"lacks": {"fills_by": fills_by}}) as world:
        orders = [world.limit("40000", quantity=D(q)) for q in ("0.001", "0.002", "0.003")]
        for order in orders:
            await world.place(order)
        world.engine.trade_through("BTCUSDT", 39_000)
        again = world.another_venue()
        for order in orders:
            found = await again.find(order)
            assert found is not None
            assert found.status is OrderStatus.FILLED
            assert sum(f.quantity + (f.coins or 0) for f in found.fills) == order.quantity
            assert {f.order_id for f in found.fills} == {order.id}


async def test_everybodys_fills_are_booked_as_nobodys_but_their_own() -> None:
    async with a_world("swap", access={"made": TellsEverybodysFills}) as world:
        first, second = world.order(), world.order(quantity=D("0.002"))
        for order in (first, second):
            report = await world.place(order)
            assert [f.quantity for f in report.fills] == [order.quantity]


# -- fields that are not read -------------------------------------------------------------------


class PutsTheIdElsewhere(binance.BinanceSwap):
    def id_params(self, order: Order) -> dict[str, Any]:
        return {"note": order.id}


class ForgetsTheTrigger(binance.BinanceSwap):
    def trigger_params(self, order: Order) -> dict[str, Any]:
        return {"note": f"{order.stop_price}"}


class ForgetsToReduce(binance.BinanceSwap):
    def side_params(self, account: Account, order: Order) -> dict[str, Any]:
        return {}


@pytest.mark.parametrize(
    ("made", "field"),
    [
        (PutsTheIdElsewhere, "newClientOrderId"),
        (ForgetsTheTrigger, "clientAlgoId"),
        (ForgetsToReduce, "reduceOnly"),
    ],
)
async def test_what_would_be_another_order_stays_here(made: Any, field: str) -> None:
    async with a_world("swap", access={"made": made}) as world:
        wrong = world.stop() if made is ForgetsTheTrigger else world.order(OrderRole.EXIT)
        with pytest.raises(VenueRejected, match=f"does not carry {field}"):
            await world.place(wrong)
        assert not any(request.is_new_order for request in world.server.requests)


# -- unknown told as no -------------------------------------------------------------------------


@MARKETS
@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_a_timeout_stays_unclear_whatever_code_it_carries(market: str, status: int) -> None:
    async with a_world(market) as world:
        world.faults.on("POST", NEW_ORDER[market], Refuse(status, -9999, "Gateway timed out."))
        with pytest.raises(VenueUncertain):
            await world.place(world.order())


@BOTH
async def test_what_is_explained_to_people_means_no_more_for_that(market: str) -> None:
    lacks = {"explained": {"-1007": "it took too long there"}}
    async with a_world(market, access={"lacks": lacks}) as world:
        world.faults.on("POST", NEW_ORDER[market], Refuse(400, -1007, "Timeout waiting."))
        with pytest.raises(VenueUncertain, match="it took too long there"):
            await world.place(world.order())


@BOTH
async def test_a_refusal_that_ccxt_has_no_name_for_is_one(market: str) -> None:
    async with a_world(market) as world:
        world.faults.on("POST", NEW_ORDER[market], Refuse(400, -9999, "Not like this."))
        with pytest.raises(VenueRejected, match="Not like this"):
            await world.place(world.order())


# -- pages --------------------------------------------------------------------------------------


@MARKETS
async def test_small_pages_hide_neither_orders_nor_fills(market: str) -> None:
    async with a_world(market, access={"lacks": {"page": 3}}) as world:
        since = world.clock.now()
        placed = [world.limit(f"{40_000 - n * 10}", quantity=D("0.001")) for n in range(10)]
        for order in placed:
            await world.place(order)
        world.engine.trade_through("BTCUSDT", 39_000)
        for n, order in enumerate(world.engine.orders.values()):
            world.engine.orders[order.id] = replace(order, created=order.created + n)
        world.engine.trades[:] = [
            replace(trade, time=trade.time + n) for n, trade in enumerate(world.engine.trades)
        ]
        await until(lambda: world.connection.now() > max(t.time for t in world.engine.trades))
        found = await world.another_venue().ours_since(BTC, since)
        assert {r.order_id for r in found} == {o.id for o in placed}
        assert all(r.status is OrderStatus.FILLED and len(r.fills) == 1 for r in found)


@MARKETS
async def test_a_full_page_of_open_orders_is_no_whole_list(market: str) -> None:
    async with a_world(market, access={"lacks": {"open_page": 3}}) as world:
        for price in ("40000", "40010"):
            await world.place(world.limit(price, quantity=D("0.001")))
        assert len(await world.venue.open_orders()) == 2
        await world.place(world.limit("40020", quantity=D("0.001")))
        with pytest.raises(VenueUnavailable, match="more may rest"):
            await world.venue.open_orders()


# -- what has ended, and what has not -------------------------------------------------------------


class CallsItClosed(binance.BinanceSwap):
    """As those do that call an order closed when it was partly filled and then cancelled."""

    async def by_our_id(self, api: Api, order: Order) -> Any:
        raw = await super().by_our_id(api, order)
        return raw and {**raw, "status": "closed"}


async def test_partly_filled_and_cancelled_is_not_filled() -> None:
    async with a_world("swap", access={"made": CallsItClosed}) as world:
        order = world.limit()
        await world.place(order)
        world.engine.trade_through("BTCUSDT", 40_000, quantity="0.004")
        report = await world.venue.cancel(order)
        assert (report.status, report.filled) == (OrderStatus.CANCELLED, D("0.004"))
        found = await world.venue.find(order)
        assert found is not None
        assert (found.status, found.filled) == (OrderStatus.CANCELLED, D("0.004"))


class OnlyTakesTheCancel(binance.BinanceSwap):
    """As those do that answer with an id alone; the order ends later, or has filled meanwhile."""

    def cancelling(self, api: Api, order: Order) -> Any:
        async def taken(*_: Any) -> Any:
            return {"id": order.venue_id, "status": "canceled", "filled": None, "info": {}}

        return replace(super().cancelling(api, order), call=taken)


async def test_a_cancel_that_was_taken_is_no_end() -> None:
    async with a_world("swap", access={"made": OnlyTakesTheCancel}) as world:
        order = world.limit()
        placed = await world.place(order)
        report = await world.venue.cancel(replace(order, venue_id=placed.venue_id))
        assert report.status is OrderStatus.OPEN, "it rests there still"


# -- streams that do not tell our ids -------------------------------------------------------------


class StreamsTellNoIds(binance.BinanceSwap):
    """As one whose account stream names orders by its own ids alone."""

    def our_id(self, raw: Any) -> str:
        return "" if "x" in (raw.get("info") or {}) else super().our_id(raw)


async def test_an_order_of_ours_is_no_stranger_where_streams_do_not_tell_our_ids() -> None:
    async with a_world("swap", access={"made": StreamsTellNoIds}) as world:
        world.faults.on("POST", NEW_ORDER["swap"], Hold(done=True))
        order = world.order()
        placing = asyncio.create_task(world.place(order))
        await until(lambda: world.told_of(order)[-1:] and world.told_of(order)[-1].status
                    is OrderStatus.FILLED)  # fmt: skip
        world.faults.clear()
        await placing
        assert {report.order_id for report in world.heard} == {order.id}
        assert list(world.fills_of(order).values()) == [order.quantity]


# -- contracts ----------------------------------------------------------------------------------


async def in_contracts(world: CcxtWorld) -> None:
    """A contract of BTC is a tenth of a coin, and of ETH nobody tells; the server counts them."""
    await world.connection.open(world)
    for symbol, size in ((BTC, "0.1"), (ETH, None)):
        world.connection.markets.of(symbol)["contractSize"] = size
    await world.venue.open(world.heard.append)
    await world.connection.close(world)


async def test_orders_leave_in_contracts_and_come_back_in_coins() -> None:
    async with a_world("swap", opens=False, access={"lacks": {"contracts": True}}) as world:
        await in_contracts(world)
        rules = traded(world.venue.rules(BTC))
        assert rules.lot == D("0.0001")
        order = world.order(quantity=D("0.003"))
        report = await world.place(order)
        (theirs,) = world.engine.orders.values()
        assert theirs.wish.quantity == D("0.03")
        assert (report.filled, [f.quantity for f in report.fills]) == (D("0.003"), [D("0.003")])
        assert (await world.venue.positions())[BTC].long == D("0.003")
        await until(lambda: world.told_of(order)[-1:] and world.told_of(order)[-1].status
                    is OrderStatus.FILLED)  # fmt: skip
        assert list(world.fills_of(order).values()) == [D("0.003")]
        again = await world.another_venue().find(order)
        assert again is not None
        assert (again.filled, again.fills) == (report.filled, report.fills)


class AnswersIdsAlone(binance.BinanceSwap):
    """As most do: what became of the order is told later."""

    def placing(self, api: Api, order: Order, *, limit: str | None = None) -> Any:
        request = super().placing(api, order, limit=limit)

        async def call(*arguments: Any) -> Any:
            told = await request.call(*arguments)
            nothing = dict.fromkeys(("symbol", "status", "amount", "filled", "average"))
            return {**nothing, "id": told["id"], "trades": [], "info": {}}

        return replace(request, call=call)


@pytest.mark.parametrize("contracts", [False, True])
async def test_an_answer_of_ids_alone_is_an_order_that_was_taken(contracts: bool) -> None:
    access = {"lacks": {"contracts": contracts}, "made": AnswersIdsAlone}
    async with a_world("swap", opens=False, access=access) as world:
        await in_contracts(world)
        order = world.order(quantity=D("0.003"))
        assert (await world.place(order)).status is OrderStatus.OPEN
        found = await world.venue.find(order)
        assert found is not None
        assert (found.status, found.filled) == (OrderStatus.FILLED, D("0.003"))


async def test_what_cannot_rest_and_is_not_heard_of_is_asked_for() -> None:
    async with a_world("swap", access={"made": AnswersIdsAlone}) as world:
        world.faults.on_event("*", "drop", times=None)
        order = world.order()
        assert (await world.place(order)).status is OrderStatus.OPEN
        await until(lambda: bool(world.told_of(order)))
        told = world.told_of(order)[-1]
        assert (told.status, told.filled) == (OrderStatus.FILLED, order.quantity)


async def test_what_rests_and_what_lies_in_the_book_are_coins_too() -> None:
    async with a_world("swap", opens=False, access={"lacks": {"contracts": True}}) as world:
        await in_contracts(world)
        world.engine.set_book("BTCUSDT", bids=[(49_990, 10)], asks=[(50_010, 20)])
        depth = await world.venue.depth(BTC)
        assert (depth.bids, depth.asks) == (D(49_990), D(100_020))
        preview = await world.venue.preview(BTC, Side.BUY, D(2))
        assert preview.price == D(50_010)
        assert (await world.venue.preview(BTC, Side.BUY, D(3))).price is None
        await world.place(world.order(quantity=D("0.003")))
        stop = world.stop(quantity=D("0.003"))
        assert (await world.place(stop)).status is OrderStatus.OPEN
        listed = {r.order_id: r for r in await world.venue.open_orders()}
        told = listed[stop.id].order
        assert told is not None
        assert told.quantity == D("0.003")
        assert [a.wish.quantity for a in world.engine.algos.values()] == [D("0.03")]


async def test_how_much_a_contract_is_has_to_be_known() -> None:
    async with a_world("swap", opens=False, access={"lacks": {"contracts": True}}) as world:
        await in_contracts(world)
        with pytest.raises(VenueRejected, match="one contract of ETH/USDT:USDT"):
            await world.place(world.order(symbol=ETH))
        assert not any(request.is_new_order for request in world.server.requests)


async def test_a_survey_and_candles_count_coins_too() -> None:
    lacks = {"contracts": True, "volumes_in_contracts": True}
    async with a_world("swap", opens=False, access={"lacks": lacks}) as world:
        await in_contracts(world)
        exchange = world.connection.exchange
        ticker = {"baseVolume": "100", "last": "50000"}
        assert exchange.turnover(ticker, D("0.1")) == D(500_000)
        assert exchange.turnover(ticker, None) is None


# -- money in place of coins --------------------------------------------------------------------


CROSSING = {"market_buys": MarketBuys.CROSSING}


async def test_where_market_buys_count_money_coins_are_bought_across_the_book() -> None:
    async with a_world("spot", access={"lacks": CROSSING}) as world:
        world.engine.set_book("BTCUSDT", bids=[(49_990, 5)], asks=[(50_010, "0.004"), (50_020, 1)])
        report = await world.place(world.order())
        (sent,) = world.server.asked("POST", NEW_ORDER["spot"])
        told = sent.params
        assert (told["type"], told["timeInForce"], told["quantity"]) == ("LIMIT", "IOC", "0.01")
        assert D(50_020) < D(told["price"]) < D(50_020) * D("1.005")
        assert (report.status, report.filled) == (OrderStatus.FILLED, D("0.01"))


async def test_what_crossing_does_not_get_ends_at_once() -> None:
    async with a_world("spot", access={"lacks": CROSSING}) as world:
        world.engine.set_book("BTCUSDT", bids=[(49_990, 5)], asks=[(50_010, "0.01")])
        order = world.order()
        world.faults.on("POST", NEW_ORDER["spot"], Hold(done=False))
        placing = asyncio.create_task(world.place(order))
        await until(lambda: world.asked("POST", NEW_ORDER["spot"]) == 1)
        world.engine.set_book("BTCUSDT", bids=[(49_990, 5)], asks=[(50_010, "0.004")])
        world.faults.clear()
        report = await placing
        assert report.status in {OrderStatus.CANCELLED, OrderStatus.EXPIRED}
        assert report.filled == D("0.004")
        assert world.engine.open_orders("BTCUSDT") == []


async def test_what_would_rest_of_a_buy_across_the_book_does_not_leave() -> None:
    lacks = {**CROSSING, "crossing_fields": {"force": "ioc"}}  # it reads another field for it
    async with a_world("spot", access={"lacks": lacks}) as world:
        with pytest.raises(VenueRejected, match="does not carry force=ioc"):
            await world.place(world.order())
        assert world.asked("POST", NEW_ORDER["spot"]) == 0


async def test_a_book_that_does_not_hold_as_much_sends_nothing() -> None:
    async with a_world("spot", access={"lacks": CROSSING}) as world:
        world.engine.set_book("BTCUSDT", bids=[(49_990, 5)], asks=[(50_010, "0.004")])
        with pytest.raises(VenueUnavailable, match="does not hold as much"):
            await world.place(world.order())
        assert world.asked("POST", NEW_ORDER["spot"]) == 0


# -- accounts that are not what orders would be made for ------------------------------------------


class IsRefused(binance.BinanceSwap):
    async def account(self, api: Api) -> Account:
        return Account(refused="Set the account to cross margin.")


async def test_an_account_that_orders_do_not_fit_is_refused_when_it_is_opened() -> None:
    async with a_world("hedge", opens=False, access={"made": HedgeNotOffered}) as world:
        with pytest.raises(VenueRejected, match="hedge mode"):
            await world.venue.open(world.heard.append)
        assert "hedge mode" in "".join(await world.venue.examine())
    async with a_world("swap", opens=False, access={"made": IsRefused}) as world:
        with pytest.raises(VenueRejected, match="cross margin"):
            await world.venue.open(world.heard.append)


class HedgeNotOffered(binance.BinanceSwap):
    """It finds out by asking, and is offered for one position a symbol alone."""

    def __init__(self, row: Row) -> None:
        super().__init__(replace(row, hedge=False))

    async def account(self, api: Api) -> Account:
        mode = await api.ask(api.ccxt.fetch_position_mode, about="account")
        return Account(hedged=bool(mode["hedged"]))


async def test_a_reader_of_such_an_account_still_reads() -> None:
    async with a_world(
        "hedge", opens=False, read_only=True, access={"made": HedgeNotOffered}
    ) as world:
        await world.venue.open(world.heard.append)
        assert await world.venue.positions() == {}


# -- where the money is not real ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("market", "host"), [("spot", "testnet.binance.vision"), ("swap", "demo-fapi.binance.com")]
)
async def test_a_sandbox_behind_another_address_is_one(market: str, host: str) -> None:
    """An address in place of the exchange's own does not make its money real."""
    async with a_world(market, access={"sandbox": True}) as world:
        report = await world.place(world.order())
        assert report.status is OrderStatus.FILLED
        assert await world.venue.examine() == []
        api = world.connection.ccxt.urls["api"]
        private = api["private" if market == "spot" else "fapiPrivate"]
        assert private.startswith(f"{world.server.url}/{host}/")
        assert world.asked("POST", NEW_ORDER[market]) == 1


# -- what time does not prove -------------------------------------------------------------------


@BOTH
async def test_without_an_expiry_every_list_is_looked_at_before_nothing_was_there(
    market: str,
) -> None:
    """A cancelled order without fills stands on no other list than that of what has ended."""
    async with a_world(market, access={"lacks": {"window": None}}) as world:
        assert world.venue.window == 60
        order = world.limit()
        await world.place(order)
        await world.venue.cancel(order)
        world.faults.hide(order.id, queries=2)  # by its id, and among the open ones
        found = await world.another_venue().find(order)
        assert found is not None
        assert found.status is OrderStatus.CANCELLED


@BOTH
async def test_what_lists_do_not_reach_back_to_is_not_proven_absent(market: str) -> None:
    async with a_world(market, access={"lacks": {"window": None}}) as world:
        order = world.order()
        assert await world.venue.find(order) is None
        old = replace(order, created_at=order.created_at.replace(year=order.created_at.year - 1))
        with pytest.raises(VenueUnavailable, match="older than what"):
            await world.venue.find(old)


@BOTH
async def test_a_list_that_is_not_told_proves_nothing(market: str) -> None:
    async with a_world(market, access={"lacks": {"window": None}}) as world:
        path = "*/allOrders"
        world.faults.on("GET", path, Refuse(503, -1000, "Down."), times=None)
        with pytest.raises(VenueUnavailable):
            await world.venue.find(world.order())
