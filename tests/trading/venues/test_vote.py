"""A feed of several that vote: who is believed, who is waited for, what goes on without whom."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest

from tests.builders import BTC, ETH, NOON
from tests.fakes import MINUTE, LivePrices, a_market, same_rules
from tests.world import at_minute, settled
from trading.clocks import ManualClock
from trading.errors import VenueUnavailable
from trading.market.doubts import DoubtKind, PriceDoubt
from trading.ports import FeedState
from trading.types import Symbol
from trading.venues.replay import ReplayFeed
from trading.venues.vote import TIMEOUT, VoteFeed
from trading.venues.vote_source import VoteSource

FAR = 0.005


class Exchange(LivePrices):
    """Live prices that can be lost, late, or of a few symbols only."""

    def __init__(
        self, name: str, clock: ManualClock, *, symbols: Sequence[Symbol] = (BTC,)
    ) -> None:
        super().__init__(clock, symbols=symbols)
        self.name = name
        self.down = ""
        self.gate = asyncio.Event()
        """While clear, it does not answer."""
        self.gate.set()
        self.asked = 0

    async def closes(self, after: datetime) -> Sequence[datetime]:
        self.asked += 1
        await self.gate.wait()
        if self.down:
            raise VenueUnavailable(self.down)
        return await super().closes(after)

    def state(self) -> FeedState:
        return FeedState.STALE if self.down else FeedState.LIVE


class Market:
    def __init__(self, *, weights: Sequence[int] = (2, 1, 1), least: int = 2, own: int = 0) -> None:
        self.clock = ManualClock(NOON)
        names = ("binance", "bybit", "okx")
        self.exchanges = [Exchange(name, self.clock) for name in names[: len(weights)]]
        self.feed = VoteFeed(
            name="many",
            sources=[
                VoteSource(feed=feed, weight=weight)
                for feed, weight in zip(self.exchanges, weights, strict=True)
            ],
            own=own,
            far=FAR,
            least=least,
            symbols=(BTC,),
            clock=self.clock,
        )

    def says(self, *prices: str) -> None:
        """A new price of each; `-`: none."""
        for exchange, price in zip(self.exchanges, prices, strict=True):
            if price != "-":
                exchange.tick(price)

    @property
    def price(self) -> Decimal | None:
        quote = self.feed.quote(BTC)
        return None if quote is None else quote.price

    def doubts(self) -> dict[DoubtKind, PriceDoubt]:
        return {doubt.kind: doubt for doubt in self.feed.doubts()}


# -- what is entered, and what is held -------------------------------------------------------------


def test_while_sources_agree_anything_may_be_entered() -> None:
    market = Market()
    market.says("100", "100.2", "100.3")
    assert market.feed.objection(BTC) == ""
    assert market.doubts() == {}
    assert market.feed.state() is FeedState.LIVE


def test_a_liar_is_named_and_changes_nothing() -> None:
    market = Market()
    market.says("100", "100.2", "130")
    assert market.feed.objection(BTC) == ""
    assert market.price == 100
    assert market.doubts() == {
        DoubtKind.ACCUSED: PriceDoubt(
            kind=DoubtKind.ACCUSED,
            source="okx",
            symbols=(BTC,),
            why="of BTC/USDT: 130, 30.00 % above binance, bybit",
        )
    }


def test_where_orders_go_to_a_liar_entries_wait_and_what_is_held_is_worth_its_price() -> None:
    market = Market(weights=(1, 1, 1), own=2)
    market.says("100", "100.2", "130")
    assert market.feed.objection(BTC) == (
        "okx, where it is traded, stands alone: binance 100, bybit 100.2, okx 130"
    )
    assert market.price == 130


def test_two_that_differ_accuse_nobody_and_entries_wait() -> None:
    market = Market(weights=(2, 1))
    market.says("100", "102")
    assert market.feed.objection(BTC) == "its sources differ: binance 100, bybit 102"
    assert market.doubts().keys() == {DoubtKind.DIFFER}
    assert market.price == 100, "exits go by the own market's"


def test_the_loss_of_one_is_not_the_loss_of_prices() -> None:
    market = Market()
    market.clock.advance(120)
    market.says("-", "101", "101.1")
    assert market.feed.objection(BTC) == ""
    assert market.price == 101, "the own market is silent, two others agree"


def test_with_too_few_left_entries_wait_and_exits_go_on() -> None:
    market = Market()
    assert market.doubts() == {}
    market.clock.advance(120)
    market.says("-", "101", "-")
    told = "2 sources of its price are needed, and there is only bybit"
    assert market.feed.objection(BTC) == told
    assert market.doubts()[DoubtKind.FEW].why == told
    assert market.price == 101


def test_when_the_others_differ_what_is_held_stays_at_its_own_last_price() -> None:
    market = Market()
    market.clock.advance(120)
    market.says("-", "101", "140")
    quote = market.feed.quote(BTC)
    assert quote is not None
    assert (quote.price, quote.at) == (Decimal(100), NOON), "old, and seen to be"


def test_a_symbol_that_one_source_alone_has_is_not_entered() -> None:
    market = Market()
    market.exchanges[0].symbols = (BTC, ETH)
    market.exchanges[0].tick("5", ETH)
    assert "only binance" in market.feed.objection(ETH)
    assert market.feed.objection(BTC) == ""


async def test_who_is_followed_is_followed_by_each() -> None:
    market = Market()
    await market.feed.follow((ETH,))
    assert [exchange.symbols for exchange in market.exchanges] == [(ETH,)] * 3
    assert market.feed.symbols == (ETH,)


# -- bars -----------------------------------------------------------------------------------------


async def test_a_bar_is_the_heaviest_believed_ones_and_a_lie_is_no_part_of_it() -> None:
    market = Market(weights=(1, 1, 1))
    market.says("130", "100.2", "100.3")
    market.clock.advance(60)
    assert await market.feed.closes(NOON) == [at_minute(1)]
    assert market.feed.candles(at_minute(1), 5).close.tolist() == [[100.2]]


async def test_a_bar_that_two_differ_about_is_missing_and_is_handled_all_the_same() -> None:
    market = Market(weights=(2, 1))
    market.says("100", "102")
    market.clock.advance(60)
    assert await market.feed.closes(NOON) == [at_minute(1)]
    assert np.isnan(market.feed.candles(at_minute(1), 5).close).all()


async def test_a_bar_that_is_not_agreed_upon_is_told_though_prices_agree_again() -> None:
    market = Market(weights=(2, 1))
    market.says("100", "102")
    market.clock.advance(60)
    await market.feed.closes(NOON)
    market.says("100", "100")
    assert market.feed.objection(BTC) == ""
    assert market.doubts()[DoubtKind.DIFFER] == PriceDoubt(
        kind=DoubtKind.DIFFER,
        symbols=(BTC,),
        why="no candle of BTC/USDT that 2 sources agree on",
    )
    market.clock.advance(60)
    await market.feed.closes(at_minute(1))
    assert market.doubts() == {}


async def test_one_that_cannot_be_had_holds_up_nobody_and_is_told() -> None:
    market = Market()
    market.exchanges[1].down = "connection refused"
    market.clock.advance(60)
    assert await market.feed.closes(NOON) == [at_minute(1)]
    assert market.doubts()[DoubtKind.SILENT] == PriceDoubt(
        kind=DoubtKind.SILENT, source="bybit", why="connection refused"
    )
    market.exchanges[1].down = ""
    market.clock.advance(60)
    assert await market.feed.closes(at_minute(1)) == [at_minute(2)]
    assert market.doubts() == {}


async def test_one_that_hangs_is_waited_for_once_and_counts_again_when_it_answers() -> None:
    market = Market()
    late = market.exchanges[2]
    late.gate.clear()
    market.clock.advance(60)
    closing = asyncio.create_task(market.feed.closes(NOON))
    await settled()
    assert not closing.done()
    market.clock.advance(TIMEOUT)
    await settled()
    assert await closing == [at_minute(1)]
    assert market.doubts()[DoubtKind.CANDLES].why == "it does not answer"

    market.clock.advance(60 - TIMEOUT)
    assert await market.feed.closes(at_minute(1)) == [at_minute(2)], "nobody waits for it"
    assert late.asked == 1

    late.gate.set()
    await settled()
    market.clock.advance(60)
    assert await market.feed.closes(at_minute(2)) == [at_minute(3)]
    assert late.asked == 2
    assert market.doubts() == {}


async def test_the_own_market_is_not_waited_for_either() -> None:
    market = Market()
    market.exchanges[0].down = "banned"
    market.clock.advance(60)
    await market.feed.closes(NOON)
    market.exchanges[0].down = ""
    market.exchanges[0].gate.clear()
    market.clock.advance(60)
    assert await market.feed.closes(at_minute(1)) == [at_minute(2)]


async def test_when_all_are_lost_prices_are_and_each_says_why() -> None:
    market = Market()
    for exchange in market.exchanges:
        exchange.down = f"{exchange.name} is closed"
    market.clock.advance(60)
    with pytest.raises(VenueUnavailable, match=r"bybit: bybit is closed; okx: okx is closed"):
        await market.feed.closes(NOON)
    assert market.feed.state() is FeedState.STALE


async def test_closing_ends_what_is_asked_and_all_sources() -> None:
    market = Market()
    market.exchanges[2].gate.clear()
    market.clock.advance(60)
    closing = asyncio.create_task(market.feed.closes(NOON))
    await settled()
    closing.cancel()
    await market.feed.close()
    assert [exchange.closed for exchange in market.exchanges] == [True] * 3


# -- recordings -----------------------------------------------------------------------------------


def recorded(*markets: Sequence[float], weights: Sequence[int]) -> tuple[ManualClock, VoteFeed]:
    clock = ManualClock(NOON)
    feeds = []
    for number, closes in enumerate(markets):
        recording = a_market(*closes, start=NOON)
        feeds.append(
            ReplayFeed(
                name=f"r{number}",
                clock=clock,
                symbols=(BTC,),
                recording=lambda recording=recording: recording,  # type: ignore[misc]
                rules=same_rules((BTC,)),
            )
        )
    sources = [VoteSource(feed=f, weight=w) for f, w in zip(feeds, weights, strict=True)]
    feed = VoteFeed(
        name="many", sources=sources, own=0, far=FAR, least=2, symbols=(BTC,), clock=clock
    )
    feed.resume(feed.first_cursor)
    feed.handled(feed.first_cursor)
    return clock, feed


async def test_recordings_vote_as_they_are_shown_each_time_alike() -> None:
    async def shown() -> list[tuple[datetime, list[float], str]]:
        clock, feed = recorded(
            [100, 101, 102, 103], [100, 101, 150, 103], [100, 101, 102, 103], weights=(1, 1, 1)
        )
        seen: list[tuple[datetime, list[float], str]] = []
        while feed.state() is not FeedState.ENDED:
            clock.advance(7)
            for bar in await feed.closes(seen[-1][0] if seen else feed.first_cursor):
                closes = feed.candles(bar, 4).close[0].tolist()
                seen.append((bar, closes, feed.objection(BTC)))
                feed.handled(bar)
        return seen

    first = await shown()
    assert first == await shown()
    assert [bar for bar, _, _ in first] == [NOON + n * MINUTE for n in (1, 2, 3)]
    assert first[-1][1] == [100, 101, 102, 103]


async def test_late_cycles_of_recordings_miss_no_bar() -> None:
    clock, feed = recorded([100, 101, 102, 103], [100, 101, 102, 103], weights=(1, 1))
    clock.advance(150)
    assert await feed.closes(NOON) == [at_minute(1), at_minute(2)]
    assert feed.now() == at_minute(1)
    feed.handled(at_minute(1))
    assert feed.candles(at_minute(2), 1).close.tolist() == [[102.0]]
    assert feed.now() - NOON == timedelta(minutes=2)
