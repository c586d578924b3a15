"""An account whose trader finds its symbols: everything in it is seen, whatever is listed."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.servers.exchange import Rules, Wish
from tests.trading.venues.ccxt_world import BTC, ETH, a_world
from trading.types import Symbol, Untraded, traded
from trading.venues.ccxt.listed import EveryMarket, listed_in

D = Decimal
XRP, GONE = Symbol("XRP", "USDT"), Symbol("GONE", "USDT")
FOUND: dict[str, Any] = {"ours": (BTC,), "every": True}
THREE = ("BTC", "ETH", "XRP")


@pytest.mark.parametrize("kind", ["spot", "swap"])
async def test_what_was_bought_in_a_symbol_that_nobody_listed_is_ours(kind: str) -> None:
    async with a_world(kind, symbols=THREE, **FOUND) as world:
        world.engine.quote("XRPUSDT", 50_000)
        await world.place(world.order(symbol=XRP))

        held = (await world.venue.positions())[XRP]
        assert held.long >= D("0.01")
        later = world.another_venue()
        await later.open(lambda report: None)
        assert (await later.positions())[XRP] == held, "after a restart too"
        await later.close()


@pytest.mark.parametrize("kind", ["spot", "swap"])
async def test_orders_in_whatever_symbol_are_seen_and_found(kind: str) -> None:
    async with a_world(kind, symbols=THREE, **FOUND) as world:
        for symbol in ("BTCUSDT", "ETHUSDT", "XRPUSDT"):
            world.engine.quote(symbol, 50_000)
        order = world.limit(symbol=XRP)
        await world.place(order)
        world.engine.place(
            Wish(symbol="ETHUSDT", side="BUY", type="LIMIT", quantity=D("0.01"), price=D(40_000))
        )

        seen = {report.order.symbol for report in await world.venue.open_orders() if report.order}
        assert seen == {XRP, ETH}
        assert await world.another_venue().find(order) is not None


async def test_without_a_universe_only_what_is_listed_is_ours() -> None:
    async with a_world("swap", symbols=THREE, ours=(BTC,)) as world:
        world.engine.quote("XRPUSDT", 50_000)
        assert isinstance(told := world.venue.rules(XRP), Untraded)
        assert told.why == "XRP/USDT is not traded on binance: the settings do not name it"


async def test_what_is_not_on_the_list_has_no_rules() -> None:
    async with a_world("swap", symbols=THREE, **FOUND) as world:
        assert traded(world.venue.rules(XRP)).tick == D("0.1")
        for symbol in (GONE, Symbol("BTC", "EUR")):
            assert isinstance(told := world.venue.rules(symbol), Untraded)
            assert told.why.startswith(f"{symbol} is not traded on binance")


async def test_markets_of_other_currencies_are_left_out() -> None:
    euro = Rules(symbol="BTCEUR", base="BTC", quote="EUR")
    async with a_world("spot", symbols=(*THREE, euro), **FOUND) as world:
        assert set(listed_in(world.connection, "USDT")) == {BTC, ETH, XRP}
        every = EveryMarket(world.connection, "USDT")
        assert dict(every) == {BTC: "BTC/USDT", ETH: "ETH/USDT", XRP: "XRP/USDT"}
        assert every.symbols.get("XRP/USDT") == XRP
        assert every.symbols.get("BTC/EUR") is None
        assert set(every.symbols) == {"BTC/USDT", "ETH/USDT", "XRP/USDT"}


async def test_before_it_is_connected_no_market_is_known() -> None:
    async with a_world("swap", opens=False, **FOUND) as world:
        every = EveryMarket(world.connection, "USDT")
        assert (len(every), len(every.symbols)) == (0, 0)
