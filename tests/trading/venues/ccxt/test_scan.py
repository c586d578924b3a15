"""A survey of a real exchange's protocol: volumes and spreads of all, depths of candidates only."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal

import pytest

from tests.builders import NOON
from tests.servers.exchange import OVERLOADED, ExchangeServer, Garble, Refuse, Rules
from tests.trading.venues.ccxt_world import connect
from trading.clocks import SystemClock
from trading.errors import VenueUnavailable
from trading.market.universe import EVERYTHING, Tier, Universe
from trading.ports import MarketScanner
from trading.types import Symbol
from trading.venues.ccxt.scan import ExchangeScan

D = Decimal
BTC, ETH, XRP, USDC = (Symbol(base, "USDT") for base in ("BTC", "ETH", "XRP", "USDC"))
TIER = Tier(
    number=1, name="any", min_volume=D(5_000_000), max_spread_bps=D(35), min_depth=D(25_000)
)
OF = Universe(tiers=(TIER,))


class World:
    def __init__(self, server: ExchangeServer, scanner: ExchangeScan) -> None:
        self.server = server
        self.scanner = scanner

    @property
    def books_asked(self) -> list[str]:
        return sorted(str(each.params["symbol"]) for each in self.server.asked("GET", "*/depth"))


@asynccontextmanager
async def a_market(kind: str = "swap", *, others: tuple[object, ...] = ()) -> AsyncIterator[World]:
    symbols = ("BTC", "ETH", "XRP", "USDC", *others)
    async with ExchangeServer(market=kind, symbols=symbols, beat=0.1) as server:  # type: ignore[arg-type]
        engine = server.engine
        for base, price, traded in (("BTC", 50_000, 1_000), ("ETH", 4_000, 2_000), ("XRP", 3, 90)):
            engine.quote(f"{base}USDT", price, size=10)
            engine.others_trade(f"{base}USDT", price, traded)
        engine.others_trade("USDCUSDT", 1, 10_000_000)
        scanner = ExchangeScan(connection=connect(server, SystemClock()), quote="USDT")
        try:
            yield World(server, scanner)
        finally:
            server.faults.clear()
            await scanner.close()


def as_port(scanner: ExchangeScan) -> MarketScanner:
    """The type checker proves that it is what the core asks for."""
    return scanner


@pytest.mark.parametrize("kind", ["spot", "swap"])
async def test_volume_spread_and_depth_are_those_of_the_exchange(kind: str) -> None:
    async with a_market(kind) as world:
        scan = await world.scanner.scan(NOON, OF)

        assert (scan.at, scan.measured) == (NOON, EVERYTHING)
        assert set(scan.stats) == {BTC, ETH, XRP, USDC}
        of = scan.stats[BTC]
        assert of.tradable
        assert of.volume == D(50_000_000)
        tick = world.server.engine.rules["BTCUSDT"].tick
        assert of.spread_bps == 2 * tick / 50_000 * 10_000
        assert of.depth == 10 * (50_000 - tick), "the thinner side"


async def test_only_candidates_are_looked_at_closely() -> None:
    async with a_market() as world:
        scan = await world.scanner.scan(NOON, OF)

        assert world.books_asked == ["BTCUSDT", "ETHUSDT"], "XRP is too small, USDC is money"
        assert scan.stats[XRP].depth is None
        assert OF.lacks(XRP, scan) == "volume 270 < 5 M"


async def test_where_no_tier_asks_for_a_depth_no_order_book_is_asked_for() -> None:
    async with a_market() as world:
        liquid = Universe(tiers=(Tier(number=1, name="liquid", min_volume=D(5_000_000)),))
        scan = await world.scanner.scan(NOON, liquid)

        assert world.books_asked == []
        assert liquid.observe(scan).drifts.keys() == {BTC, ETH}


async def test_what_rests_now_is_not_traded() -> None:
    async with a_market() as world:
        world.server.engine.halt("ETHUSDT")
        scan = await world.scanner.scan(NOON, OF)

        assert not scan.stats[ETH].tradable
        assert OF.lacks(ETH, scan) == "not traded now"
        world.server.engine.resume("ETHUSDT")
        assert (await world.scanner.scan(NOON, OF)).stats[ETH].tradable, "the list is read anew"


async def test_other_currencies_are_none_of_its_business() -> None:
    euro = Rules(symbol="BTCEUR", base="BTC", quote="EUR")
    async with a_market("spot", others=(euro,)) as world:
        scan = await world.scanner.scan(NOON, OF)

        assert set(scan.stats) == {BTC, ETH, XRP, USDC}


async def test_a_book_with_one_side_has_no_spread_and_no_depth() -> None:
    async with a_market() as world:
        world.server.engine.set_book("BTCUSDT", bids=[(50_000, 1)])
        scan = await world.scanner.scan(NOON, OF)

        assert scan.stats[BTC].spread_bps is None
        assert OF.lacks(BTC, scan) == "spread unknown"


@pytest.mark.parametrize("path", ["*/ticker/24hr", "*/ticker/bookTicker", "*/depth"])
async def test_a_survey_that_is_not_whole_is_none(path: str) -> None:
    async with a_market() as world:
        world.server.faults.on("GET", path, OVERLOADED)
        with pytest.raises(VenueUnavailable):
            await world.scanner.scan(NOON, OF)


async def test_a_market_without_any_volume_is_not_believed() -> None:
    async with ExchangeServer(market="swap", symbols=("BTC",), beat=0.1) as server:
        server.engine.quote("BTCUSDT", 50_000)
        scanner = ExchangeScan(connection=connect(server, SystemClock()), quote="USDT")
        with pytest.raises(VenueUnavailable, match="volumes of the markets are not told"):
            await scanner.scan(NOON, OF)
        await scanner.close()


async def test_an_order_book_that_is_refused_leaves_the_depth_unknown() -> None:
    async with a_market() as world:
        world.server.faults.on("GET", "*/depth", Refuse(400, -1121, "Invalid symbol."))
        scan = await world.scanner.scan(NOON, OF)

        (unknown,) = (s for s in (BTC, ETH) if scan.stats[s].depth is None)
        assert OF.lacks(unknown, scan) == "depth unknown"


NONSENSE = (
    '{"lastUpdateId":1,"bids":[["x","1"]],"asks":[["2","1"]]}',
    '{"bids":[[]],"asks":[[]]}',
    "[]",
)


@pytest.mark.parametrize("body", NONSENSE)
async def test_an_order_book_that_makes_no_sense_is_no_depth_and_breaks_nothing(body: str) -> None:
    async with a_market() as world:
        world.server.faults.on("GET", "*/depth", Garble(200, body), times=2)
        try:
            scan = await world.scanner.scan(NOON, OF)
        except VenueUnavailable:
            return  # ccxt stumbled on it
        assert not OF.observe(scan).drifts
