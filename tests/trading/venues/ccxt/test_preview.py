"""What an exchange says an entry would meet, against what the same entry then meets."""

from __future__ import annotations

import pytest

from tests.servers.exchange import Refuse
from tests.trading.venues.ccxt_world import BTC, D, a_world
from trading.types import Preview, Side
from trading.venues.ccxt.preview import walked

MARKETS = pytest.mark.parametrize("market", ["spot", "swap", "hedge"])
BOOK = {"bids": [(49_990, 1), (49_900, 9)], "asks": [(50_010, "0.05"), (50_050, 9)]}


@MARKETS
async def test_it_tells_price_and_fee_of_the_order_that_then_comes(market: str) -> None:
    async with a_world(market) as world:
        world.engine.set_book("BTCUSDT", **BOOK)
        preview = await world.venue.preview(BTC, Side.BUY, D("0.1"))
        orders = len(world.engine.orders)
        report = await world.place(world.order(quantity=D("0.1")))
        assert preview.price == report.average_price == D(50_030)
        assert preview.fee == pytest.approx(sum(fill.fee for fill in report.fills))
        assert len(world.engine.orders) == orders + 1, "the preview itself sent nothing"


async def test_on_perpetuals_it_binds_a_share_by_the_accounts_leverage() -> None:
    async with a_world("swap") as world:
        world.engine.set_book("BTCUSDT", **BOOK)
        world.engine.set_leverage("BTCUSDT", 5)
        preview = await world.venue.preview(BTC, Side.SELL, D(1))
        assert preview.price == D(49_990)
        assert preview.margin == D(49_990) / 5
        assert preview.free == world.engine.available()


async def test_on_spot_it_binds_all_it_is_worth() -> None:
    async with a_world("spot") as world:
        world.engine.set_book("BTCUSDT", **BOOK)
        preview = await world.venue.preview(BTC, Side.BUY, D("0.1"))
        assert preview.margin == D(5_003)
        assert preview.free == world.engine.balances["USDT"]


@MARKETS
async def test_beyond_the_order_book_price_fee_and_margin_are_unknown(market: str) -> None:
    async with a_world(market) as world:
        world.engine.set_book("BTCUSDT", **BOOK)
        preview = await world.venue.preview(BTC, Side.BUY, D(11))
        assert (preview.price, preview.fee, preview.margin) == (None, None, None)
        assert preview.free is not None


@pytest.mark.parametrize(
    ("market", "path"), [("spot", "/sapi/v1/asset/tradeFee"), ("swap", "/fapi/v1/commissionRate")]
)
async def test_fees_that_a_key_may_not_read_are_unknown_alone(market: str, path: str) -> None:
    async with a_world(market) as world:
        world.faults.on("GET", path, Refuse(401, -2015, "Invalid API-key, IP, or permissions."))
        preview = await world.venue.preview(BTC, Side.BUY, D("0.01"))
        assert preview.fee is None
        assert None not in (preview.price, preview.margin, preview.free)


async def test_fees_are_asked_for_once_and_leverage_each_time() -> None:
    async with a_world("swap") as world:
        for leverage in (5, 10):
            world.engine.set_leverage("BTCUSDT", leverage)
            preview = await world.venue.preview(BTC, Side.BUY, D("0.01"))
            assert preview.price is not None
            assert preview.margin == preview.price * D("0.01") / leverage
        assert world.asked("GET", "/fapi/v1/commissionRate") == 1


async def test_when_nobody_answers_all_is_unknown() -> None:
    async with a_world("swap") as world:
        world.faults.on("GET", "*", Refuse(503, -1008, "Server is currently overloaded."), times=9)
        assert await world.venue.preview(BTC, Side.BUY, D("0.01")) == Preview()


def test_an_order_book_is_walked_from_its_best_price() -> None:
    levels = [["10", "1"], ["11", "2"], ["12", "3", "extra"]]
    assert walked(levels, D(1)) == D(10)
    assert walked(levels, D(3)) == D(32) / 3
    assert walked(levels, D(6)) == D(68) / 6
    assert walked(levels, D("6.1")) is None
    assert walked([], D(1)) is None
